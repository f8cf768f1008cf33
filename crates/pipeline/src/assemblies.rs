//! Messages that terminals cut into packets (分包): put together in journal order, by the time of the journal, so that
//! a replay sees the same ones whole and gives the same ones up.
//!
//! * Only what the pipeline reads is kept ([`is_read`](crate::decode::is_read)); a picture in parts waits for nothing
//!   here.
//! * Bounds: of each terminal those of [`AssemblyLimits`], and [`BYTES_MAX`] over all. They depend on what is in the
//!   journal alone. Over all, the terminal whose oldest upload began first loses everything that it has open.
//! * A terminal that begins its serials anew may send another message under the key of one that is open: that one is
//!   given up like the others ([`GivenUp::Superseded`]).
//! * Of a batch report (0x0704) that is given up, the parts from the first on without a gap are handed back: the items
//!   in them that are whole were acknowledged, and belong in the track. If the terminal sends it again, the same fixes
//!   come again, and are recognised as such.
//! * A checkpoint holds all of it (codec in [`crate::assemblies_codec`]).

use std::collections::{BTreeMap, BTreeSet};

use jt808::{Abandoned, Assembler, AssemblyLimits, Fed, Frame, GivenUp, OpenUpload, Whole};
use model::{RecordRef, TerminalId, Timestamp};

use crate::decode::id;

/// Bytes that all terminals together may keep open, with what keeping them costs.
pub(crate) const BYTES_MAX: usize = 128 << 20;
/// What a terminal costs that has anything here.
const TERMINAL_COST: usize = 256;
/// What a remembered upload costs beside its digests of 8 bytes.
const COMPLETED_COST: usize = 96;

/// What is known of a part: where it lies, and when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) source: RecordRef,
    pub(crate) received: Timestamp,
}

/// A message that was given up.
#[derive(Debug, PartialEq)]
pub(crate) struct Lost {
    pub(crate) terminal: TerminalId,
    pub(crate) why: &'static str,
    /// Of a batch report: its beginning, as far as it came without a gap.
    pub(crate) head: Option<Head>,
}

impl Lost {
    fn of(terminal: TerminalId, gone: &Abandoned<Part>) -> Self {
        Self { terminal, why: name(gone.why), head: head(&gone.upload) }
    }
}

/// The beginning of a message, with the last part of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Head {
    pub(crate) body: Vec<u8>,
    pub(crate) last: Part,
}

/// What all terminals have open.
pub(crate) struct Assemblies {
    pub(crate) by_terminal: BTreeMap<TerminalId, Assembler<Part>>,
    /// By when something of the terminal is given up or forgotten next: when the oldest of it began.
    due: BTreeSet<(i64, TerminalId)>,
    bytes: usize,
    bytes_max: usize,
    pub(crate) limits: AssemblyLimits,
    lost: Vec<Lost>,
}

impl Default for Assemblies {
    fn default() -> Self {
        Self::new(AssemblyLimits::default(), BYTES_MAX)
    }
}

impl Assemblies {
    pub(crate) fn new(limits: AssemblyLimits, bytes_max: usize) -> Self {
        Self { by_terminal: BTreeMap::new(), due: BTreeSet::new(), bytes: 0, bytes_max, limits, lost: Vec::new() }
    }

    /// Takes a part; gives the message that it completes, and what became of the part in a word.
    pub(crate) fn feed(
        &mut self,
        frame: &Frame<'_>,
        terminal: TerminalId,
        part: Part,
    ) -> (Option<Whole<Part>>, &'static str) {
        self.expire(part.received);
        let mut assembler = self.take(terminal).unwrap_or_else(|| Assembler::new(self.limits));
        let lost = &mut self.lost;
        let fed = assembler.feed(frame, part, part.received.0, |gone| lost.push(Lost::of(terminal, &gone)));
        self.put(terminal, assembler);
        self.make_room();
        match fed {
            Fed::NotAPart => (None, "whole"),
            Fed::Kept => (None, "kept"),
            Fed::Repeated => (None, "repeated"),
            Fed::Contradicts => (None, "contradicts"),
            Fed::Complete(whole) => (Some(whole), "completes"),
            Fed::Refused(_) => (None, "refused"),
        }
    }

    /// Gives up what is too old at `now`.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        while let Some((since_us, terminal)) = self.due.first().copied() {
            if now.0.saturating_sub(since_us) < self.limits.age_us {
                return;
            }
            let Some(mut assembler) = self.take(terminal) else { return };
            assembler.expire(now.0, |gone| self.lost.push(Lost::of(terminal, &gone)));
            self.put(terminal, assembler);
        }
    }

    /// Whether something was given up.
    pub(crate) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// What was given up since the last call.
    pub(crate) fn take_lost(&mut self) -> Vec<Lost> {
        std::mem::take(&mut self.lost)
    }

    /// Bytes that all of it counts for.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Over all terminals: whose oldest upload began first loses all.
    fn make_room(&mut self) {
        while self.bytes > self.bytes_max {
            let Some((_, terminal)) = self.due.first().copied() else { return };
            let Some(assembler) = self.take(terminal) else { return };
            let open = assembler.open().iter();
            self.lost.extend(open.map(|open| Lost { terminal, why: "room_overall", head: head(open) }));
        }
    }

    fn take(&mut self, terminal: TerminalId) -> Option<Assembler<Part>> {
        let assembler = self.by_terminal.remove(&terminal)?;
        self.bytes -= cost(&assembler);
        self.due.remove(&(since_us(&assembler), terminal));
        Some(assembler)
    }

    pub(crate) fn put(&mut self, terminal: TerminalId, assembler: Assembler<Part>) {
        if assembler.is_idle() {
            return;
        }
        self.bytes += cost(&assembler);
        self.due.insert((since_us(&assembler), terminal));
        self.by_terminal.insert(terminal, assembler);
    }
}

fn cost(assembler: &Assembler<Part>) -> usize {
    let digests: usize = assembler.completed().iter().map(|done| COMPLETED_COST + 8 * done.digests.len()).sum();
    TERMINAL_COST + assembler.bytes() + digests
}

/// When the oldest of it began.
fn since_us(assembler: &Assembler<Part>) -> i64 {
    let open = assembler.open().iter().map(|open| open.began_us);
    let resent = assembler.resent().iter().map(|resent| resent.began_us);
    let completed = assembler.completed().iter().map(|done| done.completed_us);
    open.chain(resent).chain(completed).min().unwrap_or(i64::MAX)
}

/// The parts of a batch report from its first on, without a gap; `None` for other messages and without the first.
fn head(open: &OpenUpload<Part>) -> Option<Head> {
    let first = open.parts.first().filter(|part| open.key.id == id::BATCH && part.number <= 1)?;
    let run = open.parts.iter().zip(first.number..).take_while(|(part, number)| part.number == *number);
    let mut head = Head { body: Vec::new(), last: first.tag };
    for (part, _) in run {
        head.body.extend_from_slice(&part.body);
        // Of parts that came out of order the one that came last was acknowledged last.
        head.last = if part.tag.source > head.last.source { part.tag } else { head.last };
    }
    Some(head)
}

const fn name(why: GivenUp) -> &'static str {
    match why {
        GivenUp::Age => "age",
        GivenUp::Room => "room",
        GivenUp::TooLarge => "too_large",
        GivenUp::Superseded => "superseded",
    }
}
