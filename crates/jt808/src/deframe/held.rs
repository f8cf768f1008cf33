//! Bytes that wait for what follows them: an unfinished piece, and failing pieces that may be parts
//! of one frame with flag bytes that were not escaped.

use super::{Budget, DeframeError, MAX_HELD_PIECES, Piece};
use crate::escape::{FLAG, MAX_WIRE_FRAME, Scratch, unescape, unescaped_len};
use crate::frame::{Verdict, announced_len, judge};
use std::mem;

/// Wire bytes that hold the first four bytes of a header, however they are escaped.
const HEAD_WIRE_LEN: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Held {
    /// Empty, or: a flag, the fragments (each closed by a flag), the unfinished piece.
    bytes: Vec<u8>,
    /// Where the opening flag of each fragment lies.
    fragments: Vec<usize>,
    /// Where the opening flag of the unfinished piece lies.
    open: usize,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of the unfinished piece, without its opening flag.
    pub(super) fn unfinished_len(&self) -> usize {
        self.bytes.len().saturating_sub(self.open + 1)
    }

    /// Starts a piece whose opening flag has been seen.
    pub(super) fn begin(&mut self, content: &[u8]) {
        if !content.is_empty() {
            self.bytes.reserve(content.len() + 2);
            self.bytes.push(FLAG);
            self.bytes.extend_from_slice(content);
            self.open = 0;
        }
    }

    pub(super) fn extend(&mut self, content: &[u8]) {
        self.bytes.extend_from_slice(content);
    }

    /// A flag closes the unfinished piece: it leaves alone or joined, or is held, or is dropped.
    pub(super) fn close(
        &mut self,
        scratch: &mut Scratch,
        budget: &mut Budget,
        emit: &mut impl FnMut(Piece<'_>),
    ) -> Result<(), DeframeError> {
        let end = self.bytes.len();
        self.bytes.push(FLAG);
        let alone = judge_piece(self.content(self.open, end), scratch);
        let flawed = matches!(alone, Verdict::Flawed(_));
        let start = if matches!(alone, Verdict::Good(_)) {
            Some(self.open)
        } else {
            self.find_join(end, scratch).or(flawed.then_some(self.open))
        };
        let Some(start) = start else {
            self.fragments.push(self.open);
            self.open = end;
            return self.drop_dead(scratch, budget, emit);
        };
        let held = mem::take(self);
        let before = held.fragments.iter().take_while(|open| **open < start);
        held.settle_all(before.count(), scratch, budget, emit)?;
        held.settle(start, end, scratch, budget, emit)
    }

    /// Gives up everything held. What is unfinished is dropped uncounted.
    pub(super) fn give_up(
        &mut self,
        scratch: &mut Scratch,
        budget: &mut Budget,
        emit: &mut impl FnMut(Piece<'_>),
    ) -> Result<(), DeframeError> {
        let held = mem::take(self);
        held.settle_all(held.fragments.len(), scratch, budget, emit)
    }

    /// First held fragment from which everything up to the flag at `end` is one good frame.
    fn find_join(&self, end: usize, scratch: &mut Scratch) -> Option<usize> {
        self.fragments.iter().copied().find(|&open| {
            let content = self.content(open, end);
            self.missing(open, end) == Some(0) && matches!(judge_piece(content, scratch), Verdict::Good(_))
        })
    }

    /// Gives up fragments at the front for as long as the first cannot be continued.
    fn drop_dead(
        &mut self,
        scratch: &mut Scratch,
        budget: &mut Budget,
        emit: &mut impl FnMut(Piece<'_>),
    ) -> Result<(), DeframeError> {
        let end = self.open;
        let alive = |&(at, &open): &(usize, &usize)| {
            self.fragments.len() - at <= MAX_HELD_PIECES
                && end - open < MAX_WIRE_FRAME
                && self.bytes.get(open + 1) != Some(&FLAG)
                && self.missing(open, end).is_some_and(|bytes| bytes > 0)
        };
        let first = self.fragments.iter().enumerate().find(alive);
        let Some((dead, &from)) = first else {
            return self.give_up(scratch, budget, emit);
        };
        self.settle_all(dead, scratch, budget, emit)?;
        self.bytes.drain(..from);
        self.fragments.drain(..dead);
        self.fragments.iter_mut().for_each(|open| *open -= from);
        self.open -= from;
        Ok(())
    }

    /// Unescaped bytes that lack from `open` to `end` to what the header there announces; `None`
    /// when there are too many.
    fn missing(&self, open: usize, end: usize) -> Option<usize> {
        let content = self.content(open, end);
        let head = content.get(..HEAD_WIRE_LEN).unwrap_or(content);
        let announced = announced_len(unescape(head, &mut Scratch::default())?);
        announced.checked_sub(unescaped_len(content))
    }

    /// Bytes between the flags at `open` and `end`.
    fn content(&self, open: usize, end: usize) -> &[u8] {
        self.bytes.get(open + 1..end).unwrap_or_default()
    }

    /// Settles the first `count` fragments, each on its own.
    fn settle_all(
        &self,
        count: usize,
        scratch: &mut Scratch,
        budget: &mut Budget,
        emit: &mut impl FnMut(Piece<'_>),
    ) -> Result<(), DeframeError> {
        let ends = self.fragments.iter().skip(1).chain([&self.open]);
        for (&open, &end) in self.fragments.iter().zip(ends).take(count) {
            self.settle(open, end, scratch, budget, emit)?;
        }
        Ok(())
    }

    /// Emits the piece between the flags at `open` and `end` if it is a frame; drops it if not.
    fn settle(
        &self,
        open: usize,
        end: usize,
        scratch: &mut Scratch,
        budget: &mut Budget,
        emit: &mut impl FnMut(Piece<'_>),
    ) -> Result<(), DeframeError> {
        let content = self.content(open, end);
        let wire = self.bytes.get(open..=end).unwrap_or_default();
        match judge_piece(content, scratch) {
            Verdict::Good(frame) => {
                budget.since_good = 0;
                emit(Piece { wire, frame });
                Ok(())
            }
            Verdict::Flawed(frame) | Verdict::Fragment(Some(frame)) => {
                emit(Piece { wire, frame });
                // A terminal that always lies about the length lives on: what garbage looks like
                // that one time in 256 earns nothing either.
                budget.spend(if frame.check_ok { 0 } else { content.len() + 1 })
            }
            Verdict::Fragment(None) | Verdict::Junk => {
                budget.spend(1)?;
                budget.drop_garbage(content.len())
            }
        }
    }
}

fn judge_piece<'a>(content: &'a [u8], scratch: &'a mut Scratch) -> Verdict<'a> {
    unescape(content, scratch).map_or(Verdict::Junk, judge)
}
