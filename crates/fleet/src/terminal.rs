//! The terminal's side of the protocol: register, authenticate, report, repeat, store (JT/T 808-2019 4.5, 7). Bytes and
//! time are arguments: no socket, no clock. Microseconds count from the start of the run.
//!
//! Invariant: a fix that was taken is in the outbox or pending until an acknowledgement with result 0 delivers it.

use std::collections::VecDeque;
use std::sync::Arc;

use jt808::{
    EncodeError, Frame, GeneralResponse, GeneralResult, Header, LocationQueryResponse, Message, PacketRequest,
    RegisterResponse, Text, encode,
};

use crate::gnss::Fix;
use crate::identity::Identity;
use crate::options::Manners;
use crate::outbox::{Kept, Outbox, Sending};
use crate::stats::Stats;
use crate::upload::Upload;
use crate::wire::location_message;

/// The longest code (鉴权码) that fits 0x0102 of 2019, whose length is a byte.
const CODE_MAX: usize = 255;

/// An acknowledged fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) fix: Fix,
    pub(crate) sending: Sending,
}

/// What an event led to: bytes to write, fixes to enter in the ledger.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) wire: Vec<u8>,
    pub(crate) delivered: Vec<Delivered>,
}

/// Why the terminal wants its connection closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HangUp {
    /// A frame stayed unanswered through all repetitions.
    Unanswered,
    /// Registration or authentication was refused.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Offline,
    Registering,
    Authenticating,
    Online,
}

/// A frame that waits for its answer.
#[derive(Debug)]
struct Pending {
    id: u16,
    serial: u16,
    fixes: Vec<Kept>,
    /// Which part of the upload it is, from 0.
    part: Option<usize>,
    frame: Arc<[u8]>,
    sent_us: u64,
    due_us: u64,
    timeout_us: u64,
    repeated: u32,
}

impl Pending {
    fn new(id: u16, serial: u16, fixes: Vec<Kept>, frame: Arc<[u8]>) -> Self {
        Self { id, serial, fixes, part: None, frame, sent_us: 0, due_us: 0, timeout_us: 0, repeated: 0 }
    }
}

/// One terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    identity: Identity,
    manners: Manners,
    code: Option<Text>,
    phase: Phase,
    serial: u16,
    outbox: Outbox,
    pending: VecDeque<Pending>,
    /// The one message in parts that is not acknowledged yet.
    upload: Option<Upload>,
    /// The one before, whose parts the platform may still ask for.
    uploaded: Option<Upload>,
    last: Option<Fix>,
    last_sent_us: u64,
    /// After a refused report: nothing new before this.
    hold_until_us: u64,
}

impl Terminal {
    pub(crate) fn new(identity: Identity, manners: Manners) -> Self {
        Self {
            identity,
            manners,
            code: None,
            phase: Phase::Offline,
            serial: 0,
            outbox: Outbox::default(),
            pending: VecDeque::new(),
            upload: None,
            uploaded: None,
            last: None,
            last_sent_us: 0,
            hold_until_us: 0,
        }
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn is_online(&self) -> bool {
        self.phase == Phase::Online
    }

    /// Fixes that are not acknowledged yet.
    pub(crate) fn kept_len(&self) -> usize {
        let uploading = self.upload.as_ref().map_or(0, |upload| upload.fixes.len());
        self.outbox.len() + uploading + self.pending.iter().map(|frame| frame.fixes.len()).sum::<usize>()
    }

    /// All that is not acknowledged yet, for the end of the ledger.
    pub(crate) fn kept(&self) -> impl Iterator<Item = Kept> + '_ {
        let uploading = self.upload.iter().flat_map(|upload| upload.fixes.iter());
        let pending = self.pending.iter().flat_map(|frame| frame.fixes.iter());
        uploading.chain(pending).copied().chain(self.outbox.iter())
    }

    /// The truck took a fix. A full store keeps what it has and counts what it cannot take.
    pub(crate) fn take(&mut self, fix: Fix, stats: &Stats) {
        stats.generated.add(1);
        self.last = Some(fix);
        if self.kept_len() >= self.manners.store_max {
            stats.overflowed.add(1);
        } else if self.is_online() {
            self.outbox.push_live(fix);
        } else {
            self.outbox.store(fix);
        }
    }

    /// A fix of the time before the run goes straight to the store.
    pub(crate) fn take_backlog(&mut self, fix: Fix, stats: &Stats) {
        stats.generated.add(1);
        if self.kept_len() < self.manners.store_max {
            self.outbox.store(fix);
        } else {
            stats.overflowed.add(1);
        }
    }

    /// Forgets its authentication code, as after a reset to factory settings: it will register anew.
    pub(crate) fn forget_code(&mut self) {
        self.code = None;
    }

    /// A forwarding platform carries it: it may speak at once.
    pub(crate) fn carried(&mut self, stats: &Stats) {
        self.hold_until_us = 0;
        self.phase = Phase::Online;
        stats.online.add(1);
    }

    /// A connection is there: a terminal without a code registers, one with a code authenticates.
    pub(crate) fn connected(&mut self, now_us: u64, fx: &mut Effects) {
        self.hold_until_us = 0;
        if let Some(stale) = self.upload.take_if(|upload| !upload.may_resume(self.manners.resume_within, now_us)) {
            self.outbox.put_back(stale.fixes);
        }
        self.introduce(now_us, fx);
    }

    fn introduce(&mut self, now_us: u64, fx: &mut Effects) {
        let (phase, message) = match self.code.clone() {
            None => (Phase::Registering, Message::Register(self.identity.register())),
            Some(code) => (Phase::Authenticating, Message::Authenticate(self.identity.authenticate(code))),
        };
        self.phase = phase;
        self.ask(&message, Vec::new(), now_us, fx);
    }

    /// The connection is gone: whatever was on its way is stored again, in order of time.
    pub(crate) fn disconnected(&mut self, stats: &Stats) {
        if self.is_online() {
            stats.online.less_one();
        }
        self.phase = Phase::Offline;
        self.outbox.store_all();
        self.outbox.put_back(self.pending.drain(..).flat_map(|frame| frame.fixes));
        // Parts that were acknowledged stay so: only the others are sent again, with their serials.
        if let Some(upload) = &mut self.upload {
            upload.land();
        }
    }

    /// Time has passed: repeats what is overdue, sends what may go.
    pub(crate) fn poll(&mut self, now_us: u64, stats: &Stats, fx: &mut Effects) -> Result<(), HangUp> {
        for frame in self.pending.iter_mut().filter(|frame| frame.due_us <= now_us) {
            if frame.repeated >= self.manners.retries {
                return Err(HangUp::Unanswered);
            }
            frame.repeated += 1;
            frame.timeout_us = frame.timeout_us.saturating_mul(u64::from(frame.repeated) + 1);
            frame.due_us = now_us.saturating_add(frame.timeout_us);
            fx.wire.extend_from_slice(&frame.frame);
            stats.resent.add(1);
        }
        if self.is_online() && self.hold_until_us <= now_us {
            while self.reports_pending() < self.manners.window && self.send_next(now_us, stats, fx) {}
        }
        if self.is_online() && self.pending.is_empty() && now_us >= self.heartbeat_due_us() {
            self.ask(&Message::Heartbeat(jt808::Empty { extra: Vec::new() }), Vec::new(), now_us, fx);
        }
        Ok(())
    }

    /// When [`Terminal::poll`] has something to do, if nothing else happens before.
    pub(crate) fn wake_us(&self) -> Option<u64> {
        let overdue = self.pending.iter().map(|frame| frame.due_us).min();
        let idle = (self.is_online() && self.pending.is_empty()).then(|| self.heartbeat_due_us());
        let held = (self.is_online() && self.kept_len() > 0 && self.hold_until_us > 0).then_some(self.hold_until_us);
        [overdue, idle, held.filter(|_| self.pending.is_empty())].into_iter().flatten().min()
    }

    fn heartbeat_due_us(&self) -> u64 {
        self.last_sent_us + self.manners.heartbeat.as_micros() as u64
    }

    fn reports_pending(&self) -> usize {
        self.pending.iter().filter(|frame| !frame.fixes.is_empty() || frame.part.is_some()).count()
    }

    /// Whether there was anything to send.
    fn send_next(&mut self, now_us: u64, stats: &Stats, fx: &mut Effects) -> bool {
        if self.send_part(now_us, fx) {
            return true;
        }
        let fixes = match self.upload {
            // One upload at a time; what is live goes on meanwhile.
            Some(_) => self.outbox.next_live(),
            None => self.outbox.next(self.identity.edition, self.manners.late),
        };
        if fixes.is_empty() {
            return false;
        }
        stats.sent.add(fixes.len() as u64);
        stats.resent.add(fixes.iter().filter(|kept| kept.sending.is_some()).count() as u64);
        let message = location_message(fixes.iter().map(|kept| &kept.fix), self.identity.edition);
        match Upload::cut(&self.identity, self.manners.late, &message, self.serial, now_us) {
            None => self.ask(&message, fixes, now_us, fx),
            Some(mut upload) => {
                self.serial = self.serial.wrapping_add(upload.len() as u16);
                upload.carry(fixes);
                self.upload = Some(upload);
                self.send_part(now_us, fx);
            }
        }
        true
    }

    /// Sends the next part of the upload that waits; whether there was one.
    fn send_part(&mut self, now_us: u64, fx: &mut Effects) -> bool {
        let Some((part, serial, frame)) = self.upload.as_mut().and_then(Upload::take_off) else { return false };
        self.expect_answer(Pending { part: Some(part), ..Pending::new(0x0704, serial, Vec::new(), frame) }, now_us, fx);
        true
    }

    /// Sends a message that must be answered.
    fn ask(&mut self, message: &Message, mut fixes: Vec<Kept>, now_us: u64, fx: &mut Effects) {
        let (id, serial) = (message.id(), self.serial);
        let mut frame = Vec::new();
        self.say(message, &mut frame).expect("our own messages fit their layouts");
        for kept in &mut fixes {
            kept.sending = Some(Sending { serial, via: id, at_us: now_us });
        }
        self.expect_answer(Pending::new(id, serial, fixes, frame.into()), now_us, fx);
    }

    fn expect_answer(&mut self, frame: Pending, now_us: u64, fx: &mut Effects) {
        fx.wire.extend_from_slice(&frame.frame);
        let timeout_us = self.manners.answer_timeout.as_micros() as u64;
        self.pending.push_back(Pending { sent_us: now_us, due_us: now_us + timeout_us, timeout_us, ..frame });
        self.last_sent_us = now_us;
    }

    /// Sends a message that is an answer itself.
    fn say(&mut self, message: &Message, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let header = Header::new(message.id(), self.identity.edition, self.identity.wire_phone(), self.serial);
        encode(&header, message, out)?;
        self.serial = self.serial.wrapping_add(1);
        Ok(())
    }

    fn answer(&mut self, to: &Header, result: GeneralResult, fx: &mut Effects) {
        let answer = GeneralResponse { answered_serial: to.serial, answered_id: to.id, result: result as u8 };
        self.say(&Message::TerminalGeneral(answer), &mut fx.wire).expect("five bytes fit");
    }

    /// A frame came from the platform.
    pub(crate) fn received(
        &mut self,
        frame: &Frame<'_>,
        now_us: u64,
        stats: &Stats,
        fx: &mut Effects,
    ) -> Result<(), HangUp> {
        let Some(message) = frame.check_ok.then(|| Message::decode(&frame.header, frame.body)).and_then(Result::ok)
        else {
            return Ok(());
        };
        match message {
            Message::PlatformGeneral(answer) => return self.answered(answer, now_us, stats, fx),
            Message::RegisterResponse(answer) => return self.registered(answer, now_us, stats, fx),
            Message::Text(_) => {
                stats.texts.add(1);
                self.answer(&frame.header, GeneralResult::Success, fx);
            }
            Message::LocationQuery(_) => {
                self.answer(&frame.header, GeneralResult::Success, fx);
                if let Some(fix) = self.last {
                    let location = fix.report(self.identity.edition);
                    let serial = Some(frame.header.serial);
                    let here = LocationQueryResponse { answered_serial: serial, location };
                    self.say(&Message::LocationQueryResponse(here), &mut fx.wire).expect("a report fits");
                }
            }
            // The wanted parts are the answer.
            Message::PacketRequest(wanted) => self.send_wanted(&wanted, stats, fx),
            // These are answers, and are not answered.
            _ if matches!(frame.header.id, 0x8004 | 0x8800) || frame.header.id < 0x8000 => {}
            _ => self.answer(&frame.header, GeneralResult::Unsupported, fx),
        }
        Ok(())
    }

    /// Sends parts again that the platform misses (补传分包请求), unchanged.
    fn send_wanted(&self, wanted: &PacketRequest, stats: &Stats, fx: &mut Effects) {
        let mut uploads = [&self.upload, &self.uploaded].into_iter().flatten();
        let Some(upload) = uploads.find(|one| one.first_serial() == wanted.first_serial) else { return };
        for part in wanted.numbers.iter().filter_map(|number| upload.sent(*number)) {
            fx.wire.extend_from_slice(part);
            stats.resent.add(1);
        }
    }

    fn take_pending(&mut self, id: u16, serial: u16) -> Option<Pending> {
        let at = self.pending.iter().position(|frame| frame.serial == serial && frame.id == id)?;
        self.pending.remove(at)
    }

    fn registered(
        &mut self,
        answer: RegisterResponse,
        now_us: u64,
        stats: &Stats,
        fx: &mut Effects,
    ) -> Result<(), HangUp> {
        if self.take_pending(0x0100, answer.answered_serial).is_none() {
            return Ok(());
        }
        if answer.result != 0 || answer.code.wire().len() > CODE_MAX {
            stats.refuse(0x0100, answer.result);
            return Err(HangUp::Refused);
        }
        self.code = Some(answer.code);
        self.introduce(now_us, fx);
        Ok(())
    }

    fn answered(
        &mut self,
        answer: GeneralResponse,
        now_us: u64,
        stats: &Stats,
        fx: &mut Effects,
    ) -> Result<(), HangUp> {
        // A second answer to a repeated frame finds nothing: what is acknowledged stays so, once.
        let Some(frame) = self.take_pending(answer.answered_id, answer.answered_serial) else { return Ok(()) };
        let accepted = answer.result == GeneralResult::Success as u8;
        if !accepted {
            stats.refuse(frame.id, answer.result);
        }
        match (frame.id, accepted) {
            (0x0102, true) => {
                self.phase = Phase::Online;
                stats.online.add(1);
            }
            (0x0102, false) => {
                self.code = None;
                return Err(HangUp::Refused);
            }
            (0x0200 | 0x0704, true) => {
                stats.landed(now_us - frame.sent_us);
                deliver(&frame.fixes, stats, fx);
                self.part_acked(frame.part, stats, fx);
            }
            (0x0200 | 0x0704, false) => {
                self.hold_until_us = now_us + self.manners.answer_timeout.as_micros() as u64;
                self.outbox.put_back(frame.fixes);
                self.part_refused(frame.part);
                if self.manners.introduces_again {
                    return Err(HangUp::Refused);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The fixes of an upload are delivered when its last part is.
    fn part_acked(&mut self, part: Option<usize>, stats: &Stats, fx: &mut Effects) {
        let (Some(part), Some(upload)) = (part, &mut self.upload) else { return };
        upload.acknowledge(part);
        if upload.is_whole() {
            deliver(&upload.fixes, stats, fx);
            self.uploaded = self.upload.take();
        }
    }

    /// One refused part is the message refused: it will be cut anew.
    fn part_refused(&mut self, part: Option<usize>) {
        if part.is_some()
            && let Some(upload) = self.upload.take()
        {
            self.pending.retain(|frame| frame.part.is_none());
            self.outbox.put_back(upload.fixes);
        }
    }
}

fn deliver(fixes: &[Kept], stats: &Stats, fx: &mut Effects) {
    stats.acked.add(fixes.len() as u64);
    fx.delivered.extend(fixes.iter().filter_map(|kept| Some(Delivered { fix: kept.fix, sending: kept.sending? })));
}

#[cfg(test)]
#[path = "terminal_tests.rs"]
mod tests;
