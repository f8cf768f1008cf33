//! What an assembler holds, as plain data: uploads that are not whole yet, and what is remembered of those that are
//! closed.
//! Plain, because a checkpoint writes it down and reads it back.

use crate::{Header, Packet};

/// Bytes that one part costs besides its body.
const PART_COST: usize = 64;
/// Bytes that an upload costs besides its parts.
const UPLOAD_COST: usize = 96;

/// How the parts of an upload are numbered among the messages of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Serials {
    /// One after the other (S13 7.12): serial less packet number is the same for all parts.
    Counted {
        /// That difference: the serial that a part with the number 0 has.
        origin: u16,
    },
    /// The same in all parts: a terminal that gives the message one serial.
    Constant {
        /// That serial.
        serial: u16,
    },
}

/// What tells the uploads of one terminal apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UploadKey {
    /// Message id.
    pub id: u16,
    /// Total number of packets.
    pub total: u16,
    /// Where it stands among the terminal's messages.
    pub serials: Serials,
}

impl UploadKey {
    /// The key of the upload that a part belongs to, its terminal counting serials as it should.
    pub(super) fn counted(header: &Header, packet: Packet) -> Self {
        let origin = header.serial.wrapping_sub(packet.number);
        Self { id: header.id, total: packet.total, serials: Serials::Counted { origin } }
    }

    /// The same, if its terminal gives all parts one serial.
    pub(super) fn constant(header: &Header, packet: Packet) -> Self {
        Self { id: header.id, total: packet.total, serials: Serials::Constant { serial: header.serial } }
    }

    /// Serial of the part with that number.
    pub(super) fn serial(self, number: u16) -> u16 {
        match self.serials {
            Serials::Counted { origin } => origin.wrapping_add(number),
            Serials::Constant { serial } => serial,
        }
    }
}

/// A part that waits for the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldPart<T> {
    /// Its packet number: from 1, or from 0 on terminals that count so.
    pub number: u16,
    /// Its slice of the body.
    pub body: Box<[u8]>,
    /// What the caller knows it by.
    pub tag: T,
}

/// A message of which parts are missing. At least one is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenUpload<T> {
    /// Which one.
    pub key: UploadKey,
    /// When its first part came, us.
    pub began_us: i64,
    /// When its newest part came, us.
    pub touched_us: i64,
    /// The parts, by number.
    pub parts: Vec<HeldPart<T>>,
}

impl<T> OpenUpload<T> {
    /// One that waits for its first part.
    pub(super) fn new(key: UploadKey, now_us: i64) -> Self {
        Self { key, began_us: now_us, touched_us: now_us, parts: Vec::new() }
    }

    /// Makes it what an upload is, whoever wrote it down.
    pub(super) fn put_in_order(&mut self) {
        self.parts.retain(|part| part.number <= self.key.total);
        self.parts.sort_by_key(|part| part.number);
        self.parts.dedup_by_key(|part| part.number);
    }

    /// Puts a part after those with lower numbers, in the place of the others: what one terminal sends, it sends from
    /// the first to the last, so that the others were sent before.
    pub(super) fn put_last(&mut self, part: HeldPart<T>, now_us: i64) {
        let at = self.parts.partition_point(|held| held.number < part.number);
        self.parts.truncate(at);
        if at == 0 {
            self.began_us = now_us;
        }
        self.touched_us = now_us;
        self.parts.push(part);
    }

    /// What to remember of it when another upload takes its place at `now_us`.
    pub(super) fn remembered(&self, now_us: i64) -> CompletedUpload {
        let mut held = self.parts.iter().peekable();
        let base = self.base();
        let last = self.parts.last().map_or(base, |part| part.number);
        let digest = |number| held.next_if(|part| part.number == number).map_or(0, |part| part_digest(&part.body));
        let digests = (base..=last).map(digest).collect();
        CompletedUpload { key: self.key, completed_us: now_us, base, digests }
    }

    /// Bytes that count against the bound.
    pub(super) fn cost(&self) -> usize {
        UPLOAD_COST + self.parts.iter().map(|part| part_cost(part.body.len())).sum::<usize>()
    }

    /// The number of its first part: 0 when that number was seen.
    pub(super) fn base(&self) -> u16 {
        self.parts.first().map_or(1, |part| part.number.min(1))
    }

    /// Index and number of the first part, if from there on all are there. Counting from 1 comes first.
    pub(super) fn whole_from(&self) -> Option<(usize, u16)> {
        [1, 0].into_iter().find_map(|base| {
            let at = self.parts.iter().take(2).position(|part| part.number == base)?;
            // Ascending without doubles: when the last one lies that far behind, all between are there.
            let last = self.parts.get(at + usize::from(self.key.total) - 1)?;
            (last.number == base + (self.key.total - 1)).then_some((at, base))
        })
    }

    /// Whether the part with the highest number is there: then what lacks was lost, or overtaken.
    #[must_use]
    pub fn has_last(&self) -> bool {
        let last = self.base() + (self.key.total - 1);
        self.parts.last().is_some_and(|part| part.number >= last)
    }

    /// The first `max` numbers that lack.
    pub(super) fn lacking(&self, max: usize) -> Vec<u16> {
        let mut held = self.parts.iter().map(|part| part.number).peekable();
        let base = self.base();
        let numbers = base..=base + (self.key.total - 1);
        numbers.filter(|number| held.next_if_eq(number).is_none()).take(max).collect()
    }
}

/// Bytes that a part counts for.
pub(super) fn part_cost(body_len: usize) -> usize {
    PART_COST + body_len
}

/// Bytes that the least upload with a part of that size counts for.
pub(super) fn least_cost(body_len: usize) -> usize {
    UPLOAD_COST + part_cost(body_len)
}

/// What is remembered of an upload that became whole or was superseded, to know its parts when they come again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedUpload {
    /// Which one.
    pub key: UploadKey,
    /// When it was closed: by its last part, or by the first one of another upload, us.
    pub completed_us: i64,
    /// Number of its first part, 1 or 0.
    pub base: u16,
    /// [`part_digest`] of its parts, in their order; 0 where none came.
    pub digests: Vec<u64>,
}

impl CompletedUpload {
    /// Whether it had this part, bytes and all.
    pub(super) fn had<T>(&self, part: &HeldPart<T>) -> bool {
        let at = part.number.checked_sub(self.base).map(usize::from);
        at.and_then(|at| self.digests.get(at)) == Some(&part_digest(&part.body))
    }
}

/// FNV-1a of 64 bits: the same on every machine and in every version, because checkpoints keep it. It tells a part
/// that came again from another one of the same terminal; nobody gains by a collision.
#[must_use]
pub fn part_digest(body: &[u8]) -> u64 {
    let digest = body
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    digest ^ body.len() as u64
}
