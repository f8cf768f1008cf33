//! Puts messages that were cut into packets (分包) together again, for one terminal (JT/T 808-2019 4.4.3, S13 7.12).
//! No clock: time is an argument, so that whoever replays sees what was seen live.
//!
//! * An upload is known by message id, total and (serial less packet number): uploads may overlap, and their parts may
//!   come in any order and more than once. Serials wrap.
//! * A terminal that gives all parts the same serial is known by that: two numbers under one serial cannot come from
//!   one that counts. A terminal that numbers its packets from 0 is known by the 0.
//! * Other bytes for a number that is held are the beginning of another upload: of a terminal that began its serials
//!   anew. The old one is given up ([`GivenUp::Superseded`]), and its parts are remembered.
//! * A total of 0 or 1 is a plain message. A part with a wrong check code is refused: it is as good as lost. What else
//!   is odd about its header (bit 13 missing, a lying length field) was dealt with by [`Frame::parse`](crate::Frame).
//! * Bounds on bytes, uploads and age hold at all times. What has to go goes oldest first, and is reported.
//! * The parts of a whole upload are remembered (as digests) as long as an open one would be: a part that comes again
//!   opens nothing, and a whole upload that comes again is no second message. A terminal that re-uses a key for other
//!   bytes opens a new upload.
//! * Such an upload may begin with the same bytes as the one before it, and those parts came again, as far as anybody
//!   could know. So the parts that come again are held, in the order of a terminal that sends from the first to the
//!   last; the part that differs finds those with lower numbers before it. They go first when there is no room, and
//!   nobody is told: each is held or was whole elsewhere.

mod upload;

use crate::{Frame, Header};
use upload::{least_cost, part_cost};

pub use upload::{CompletedUpload, HeldPart, OpenUpload, Serials, UploadKey, part_digest};

/// Packet numbers that one request for missing packets can hold in every edition.
pub const MISSING_MAX: usize = 255;

/// What an assembler may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssemblyLimits {
    /// Bytes of open uploads and of parts that came again, with what keeping them costs.
    pub bytes_max: usize,
    /// Open uploads; and as many of which parts came again.
    pub open_max: usize,
    /// Parts of whole and of superseded uploads that are remembered (8 bytes each); 0 remembers none.
    pub completed_parts_max: usize,
    /// Time from an upload's first part until it is given up, and from its last until it is forgotten, us.
    pub age_us: i64,
}

impl Default for AssemblyLimits {
    /// 1 MiB, 8 uploads, 1,024 parts, 5 minutes.
    fn default() -> Self {
        Self { bytes_max: 1 << 20, open_max: 8, completed_parts_max: 1_024, age_us: 300_000_000 }
    }
}

/// A message put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole<T> {
    /// Header of the part that completed it: id, dialect, encryption; serial and packet are that part's.
    pub header: Header,
    /// Serial of its first part.
    pub first_serial: u16,
    /// The body; read it with [`Message::decode`](crate::Message::decode).
    pub body: Vec<u8>,
    /// What the caller knows its parts by, in their order.
    pub tags: Vec<T>,
}

/// What became of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Fed<T> {
    /// It is a message of its own.
    NotAPart,
    /// Others are missing.
    Kept,
    /// It came before.
    Repeated,
    /// It is kept, and others are missing. Another one came before under its number: that upload is given up.
    Contradicts,
    /// It was the last one.
    Complete(Whole<T>),
    /// It cannot be used.
    Refused(Refusal),
}

/// Why a part cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its check code is wrong.
    #[error("the check code of the part is wrong")]
    Damaged,
    /// Its number is higher than the total.
    #[error("the packet number is higher than the total")]
    NumberBeyondTotal,
    /// Its message is longer than [`AssemblyLimits::bytes_max`]; what was held of it is given up.
    #[error("the message is longer than is kept")]
    TooLarge,
}

/// Why an upload was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenUp {
    /// Its parts did not come in time.
    Age,
    /// There was no room for it beside newer ones.
    Room,
    /// It is longer than is kept.
    TooLarge,
    /// Its terminal began another one under its key.
    Superseded,
}

/// An upload that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abandoned<T> {
    /// What had come of it.
    pub upload: OpenUpload<T>,
    /// Why.
    pub why: GivenUp,
}

/// What to ask a terminal for with 0x8003 补传分包请求.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Of which upload; tells the requests for several apart.
    pub key: UploadKey,
    /// Serial of the upload's first part.
    pub first_serial: u16,
    /// The first of the packet numbers that lack, at most [`MISSING_MAX`].
    pub numbers: Vec<u16>,
}

/// Reassembly for one terminal; see the module for the rules. `T` is what the caller knows a part by. An idle one holds
/// no heap memory.
#[derive(Debug, Clone)]
pub struct Assembler<T> {
    limits: AssemblyLimits,
    /// Oldest first.
    open: Vec<OpenUpload<T>>,
    /// Oldest first.
    completed: Vec<CompletedUpload>,
    /// Parts that came again, each upload's in ascending order as they came; oldest first. None of them is open only
    /// here.
    resent: Vec<OpenUpload<T>>,
    /// Of `open` and `resent`.
    bytes: usize,
}

impl<T> Assembler<T> {
    /// One that has seen nothing.
    #[must_use]
    pub fn new(limits: AssemblyLimits) -> Self {
        Self { limits, open: Vec::new(), completed: Vec::new(), resent: Vec::new(), bytes: 0 }
    }

    /// One that goes on where another was: the arguments are what [`Assembler::open`], [`Assembler::completed`] and
    /// [`Assembler::resent`] gave. Tighter bounds than then take effect with the next part.
    #[must_use]
    pub fn restore(
        limits: AssemblyLimits,
        mut open: Vec<OpenUpload<T>>,
        completed: Vec<CompletedUpload>,
        mut resent: Vec<OpenUpload<T>>,
    ) -> Self {
        for uploads in [&mut open, &mut resent] {
            uploads.iter_mut().for_each(OpenUpload::put_in_order);
            uploads.retain(|upload| !upload.parts.is_empty() && upload.key.total > 1);
        }
        let bytes = open.iter().chain(&resent).map(OpenUpload::cost).sum();
        Self { limits, open, completed, resent, bytes }
    }

    /// Takes a frame of the terminal, received at `now_us`. `abandon` is told of the uploads that are given up.
    pub fn feed(&mut self, frame: &Frame<'_>, tag: T, now_us: i64, mut abandon: impl FnMut(Abandoned<T>)) -> Fed<T> {
        self.expire(now_us, &mut abandon);
        let header = &frame.header;
        let Some(packet) = header.packet.filter(|packet| packet.total > 1) else {
            return Fed::NotAPart;
        };
        if !frame.check_ok {
            return Fed::Refused(Refusal::Damaged);
        }
        if packet.number > packet.total {
            return Fed::Refused(Refusal::NumberBeyondTotal);
        }
        let keys = [UploadKey::counted(header, packet), UploadKey::constant(header, packet)];
        let known = self.find(keys);
        let held = known.and_then(|key| self.part(key, packet.number));
        let same = held.map(|held| *held.body == *frame.body);
        let part = HeldPart { number: packet.number, body: frame.body.into(), tag };
        let again = match (known, same) {
            (Some(key), None) => return self.go_on(key, header, part, now_us, &mut abandon),
            (Some(key), Some(true)) => Some(key),
            // Late, of the upload before the open one.
            _ => self.completed.iter().find(|done| keys.contains(&done.key) && done.had(&part)).map(|done| done.key),
        };
        if let Some(key) = again {
            self.hold_resent(key, part, now_us);
            return Fed::Repeated;
        }
        if let Some(key) = known {
            self.supersede(key, now_us, &mut abandon);
        }
        match self.begin(known.map_or(keys, |key| [key, key]), header, part, now_us, &mut abandon) {
            Fed::Kept if known.is_some() => Fed::Contradicts,
            fed => fed,
        }
    }

    /// Gives up what is too old at `now_us`, and forgets what was whole long enough ago. [`Assembler::feed`] does it,
    /// too: calling this makes it known earlier and frees memory, but changes no result.
    pub fn expire(&mut self, now_us: i64, mut abandon: impl FnMut(Abandoned<T>)) {
        let age_us = self.limits.age_us;
        let old = |since_us: i64| now_us.saturating_sub(since_us) >= age_us;
        while let Some(at) = self.open.iter().position(|upload| old(upload.began_us)) {
            abandon(self.give_up(at, GivenUp::Age));
        }
        self.completed.retain(|done| !old(done.completed_us));
        while let Some(at) = self.resent.iter().position(|upload| old(upload.began_us)) {
            self.forget_resent(at);
        }
        self.shrink();
    }

    /// What to ask the terminal for at `now_us`: of each upload whose last part came, or of which nothing came for
    /// `quiet_us`.
    pub fn missing(&self, quiet_us: i64, now_us: i64) -> impl Iterator<Item = Missing> {
        let due =
            move |upload: &&OpenUpload<T>| upload.has_last() || now_us.saturating_sub(upload.touched_us) >= quiet_us;
        self.open.iter().filter(due).map(|upload| Missing {
            key: upload.key,
            first_serial: upload.key.serial(upload.base()),
            numbers: upload.lacking(MISSING_MAX),
        })
    }

    /// Uploads of which parts are missing, oldest first.
    #[must_use]
    pub fn open(&self) -> &[OpenUpload<T>] {
        &self.open
    }

    /// Whole and superseded uploads that are remembered, oldest first.
    #[must_use]
    pub fn completed(&self) -> &[CompletedUpload] {
        &self.completed
    }

    /// Parts that came again, by upload; for [`Assembler::restore`].
    #[must_use]
    pub fn resent(&self) -> &[OpenUpload<T>] {
        &self.resent
    }

    /// Whether nothing is held or remembered: a new one would do as well.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.open.is_empty() && self.completed.is_empty() && self.resent.is_empty()
    }

    /// Bytes that count against [`AssemblyLimits::bytes_max`].
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The open upload under the first of the keys that has one. Two numbers under one serial turn an upload of one
    /// part into one with constant serials.
    fn find(&mut self, [counted, constant]: [UploadKey; 2]) -> Option<UploadKey> {
        let has = |key: &UploadKey| self.open.iter().any(|upload| upload.key == *key);
        if let Some(key) = [counted, constant].into_iter().find(has) {
            return Some(key);
        }
        let Serials::Constant { serial } = constant.serials else { return None };
        let lone = self.open.iter_mut().find(|upload| {
            let alike = (upload.key.id, upload.key.total) == (constant.id, constant.total);
            alike && matches!(upload.parts.as_slice(), [part] if upload.key.serial(part.number) == serial)
        })?;
        let before = std::mem::replace(&mut lone.key, constant);
        self.resent.iter_mut().filter(|upload| upload.key == before).for_each(|upload| upload.key = constant);
        Some(constant)
    }

    fn part(&self, key: UploadKey, number: u16) -> Option<&HeldPart<T>> {
        let upload = self.open.iter().find(|upload| upload.key == key)?;
        let at = upload.parts.binary_search_by_key(&number, |part| part.number).ok()?;
        upload.parts.get(at)
    }

    /// Puts a part to its upload.
    fn go_on(
        &mut self,
        key: UploadKey,
        header: &Header,
        part: HeldPart<T>,
        now_us: i64,
        abandon: &mut impl FnMut(Abandoned<T>),
    ) -> Fed<T> {
        if !self.make_room(part_cost(part.body.len()), Some(key), abandon) {
            let own = self.open.iter().position(|upload| upload.key == key);
            own.into_iter().for_each(|at| abandon(self.give_up(at, GivenUp::TooLarge)));
            return Fed::Refused(Refusal::TooLarge);
        }
        self.add(key, part, now_us);
        self.take_whole(key, header, now_us).map_or(Fed::Kept, Fed::Complete)
    }

    /// Begins an upload with a part, and with what came again before it under one of the keys; nothing is open there.
    fn begin(
        &mut self,
        keys: [UploadKey; 2],
        header: &Header,
        part: HeldPart<T>,
        now_us: i64,
        abandon: &mut impl FnMut(Abandoned<T>),
    ) -> Fed<T> {
        let resent = self.resent.iter().position(|upload| keys.contains(&upload.key));
        let resent = resent.map(|at| self.forget_resent(at));
        let mut upload = resent.unwrap_or_else(|| OpenUpload::new(keys[0], now_us));
        let key = upload.key;
        let least = least_cost(part.body.len()) + usize::from(key.total - 1) * part_cost(0);
        upload.put_last(part, now_us);
        if self.limits.open_max == 0 || least.max(upload.cost()) > self.limits.bytes_max {
            return Fed::Refused(Refusal::TooLarge);
        }
        while self.open.len() >= self.limits.open_max {
            abandon(self.give_up(0, GivenUp::Room));
        }
        self.make_room(upload.cost(), None, abandon);
        self.bytes += upload.cost();
        let at = self.open.partition_point(|open| open.began_us <= upload.began_us);
        self.open.insert(at, upload);
        self.take_whole(key, header, now_us).map_or(Fed::Kept, Fed::Complete)
    }

    fn add(&mut self, key: UploadKey, part: HeldPart<T>, now_us: i64) {
        let Some(upload) = self.open.iter_mut().find(|upload| upload.key == key) else { return };
        let at = upload.parts.partition_point(|held| held.number < part.number);
        self.bytes += part_cost(part.body.len());
        upload.touched_us = now_us;
        upload.parts.insert(at, part);
    }

    /// Gives up an upload because another one begins under its key.
    fn supersede(&mut self, key: UploadKey, now_us: i64, abandon: &mut impl FnMut(Abandoned<T>)) {
        let Some(at) = self.open.iter().position(|upload| upload.key == key) else { return };
        let gone = self.give_up(at, GivenUp::Superseded);
        self.remember(gone.upload.remembered(now_us));
        abandon(gone);
    }

    /// Holds a part that came again: another upload may have begun with it. Nothing that is open makes room for it. A
    /// terminal that sent all of them again has done so.
    fn hold_resent(&mut self, key: UploadKey, part: HeldPart<T>, now_us: i64) {
        let known = self.resent.iter().position(|upload| upload.key == key);
        let known = known.map(|at| self.forget_resent(at));
        let mut upload = known.unwrap_or_else(|| OpenUpload::new(key, now_us));
        upload.put_last(part, now_us);
        if upload.has_last() {
            return;
        }
        let AssemblyLimits { bytes_max, open_max, .. } = self.limits;
        let cost = upload.cost();
        while !self.resent.is_empty() && (self.resent.len() >= open_max || self.bytes + cost > bytes_max) {
            self.forget_resent(0);
        }
        if open_max > 0 && self.bytes + cost <= bytes_max {
            self.bytes += cost;
            let at = self.resent.partition_point(|other| other.began_us <= upload.began_us);
            self.resent.insert(at, upload);
        }
    }

    fn forget_resent(&mut self, at: usize) -> OpenUpload<T> {
        let upload = self.resent.remove(at);
        self.bytes -= upload.cost();
        upload
    }

    /// Forgets what came again and gives up the oldest uploads, but not `keep`, until there is room for `cost` more
    /// bytes; whether there is.
    fn make_room(&mut self, cost: usize, keep: Option<UploadKey>, abandon: &mut impl FnMut(Abandoned<T>)) -> bool {
        while self.bytes + cost > self.limits.bytes_max {
            if !self.resent.is_empty() {
                self.forget_resent(0);
                continue;
            }
            let Some(oldest) = self.open.iter().position(|upload| Some(upload.key) != keep) else {
                return false;
            };
            abandon(self.give_up(oldest, GivenUp::Room));
        }
        true
    }

    fn give_up(&mut self, at: usize, why: GivenUp) -> Abandoned<T> {
        Abandoned { upload: self.remove(at), why }
    }

    fn remove(&mut self, at: usize) -> OpenUpload<T> {
        let upload = self.open.remove(at);
        self.bytes -= upload.cost();
        self.shrink();
        upload
    }

    fn take_whole(&mut self, key: UploadKey, header: &Header, now_us: i64) -> Option<Whole<T>> {
        let at = self.open.iter().position(|upload| upload.key == key)?;
        let (from, base) = self.open.get(at)?.whole_from()?;
        let upload = self.remove(at);
        if let Some(at) = self.resent.iter().position(|upload| upload.key == key) {
            self.forget_resent(at);
        }
        let parts = upload.parts.into_iter().skip(from).take(usize::from(key.total));
        let (mut body, mut tags, mut digests) = (Vec::new(), Vec::new(), Vec::new());
        for part in parts {
            digests.push(part_digest(&part.body));
            body.extend_from_slice(&part.body);
            tags.push(part.tag);
        }
        self.remember(CompletedUpload { key, completed_us: now_us, base, digests });
        Some(Whole { header: *header, first_serial: key.serial(base), body, tags })
    }

    /// Remembers the newest uploads that are closed, as many as their parts fit.
    fn remember(&mut self, done: CompletedUpload) {
        self.completed.retain(|old| old.key != done.key);
        self.completed.push(done);
        let mut parts: usize = self.completed.iter().map(|done| done.digests.len()).sum();
        while parts > self.limits.completed_parts_max {
            parts -= self.completed.remove(0).digests.len();
        }
        self.shrink();
    }

    fn shrink(&mut self) {
        if self.open.is_empty() {
            self.open = Vec::new();
        }
        if self.completed.is_empty() {
            self.completed = Vec::new();
        }
        if self.resent.is_empty() {
            self.resent = Vec::new();
        }
    }
}
