//! Cuts a byte stream into frames and survives garbage (JT/T 808-2019 4.4.1, 4.4.2). No I/O: bytes
//! in, pieces out. What a piece means is not its business.
//!
//! Every decision is taken when a flag closes a piece, so the result depends on the bytes alone
//! and never on how reads split them:
//!
//! * A piece that is itself a good frame (length rule and check code right) leaves at once.
//! * A piece shorter than it announces may have been cut by a flag byte that was not escaped: it
//!   is held and joined with the failing pieces behind it until length and check code fit.
//! * A complete piece with a wrong check code, or with a right one and a lying length field,
//!   leaves at once, flawed. It also ends what is held before it: a piece whose flags and length
//!   agree is a frame, not the middle of one.
//! * What is held is given up when a good frame comes, when it outgrows what it announces, or when
//!   it has more than [`MAX_HELD_PIECES`] pieces: whatever of it is complete leaves flawed, the
//!   rest is garbage. So nothing is held for ever and no good frame waits for it.

mod held;

use crate::escape::{FLAG, MAX_WIRE_FRAME, Scratch, find_piece};
use crate::frame::{Frame, good};
use held::Held;
use memchr::memchr;

/// Bytes without one good frame after which a connection is not worth keeping.
pub const GARBAGE_MAX: usize = 64 * 1024;
/// Pieces that may be joined into one frame.
pub const MAX_HELD_PIECES: usize = 32;
/// Longest piece between two flags.
const MAX_CONTENT: usize = MAX_WIRE_FRAME - 2;

/// One frame found in the stream.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    /// The bytes as they came, from the opening to the closing flag inclusive. A flag that two
    /// frames share belongs to both.
    pub wire: &'a [u8],
    /// The frame in it. `check_ok == false`: keep it, answer 2, judge nothing.
    pub frame: Frame<'a>,
}

/// Why the connection should be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeframeError {
    /// The peer does not speak JT/T 808, or no longer does.
    #[error("{GARBAGE_MAX} bytes without one good frame")]
    TooMuchGarbage,
}

/// Splits a stream; see the module for the rules. An idle one holds no heap memory, a busy one
/// a few KiB at most.
#[derive(Debug, Default)]
pub struct Deframer {
    held: Held,
    /// Whether a flag has been seen since the start or since the last overlong piece.
    synced: bool,
    budget: Budget,
}

/// What the peer's garbage has cost so far.
#[derive(Debug, Default)]
struct Budget {
    since_good: usize,
    garbage_bytes: u64,
}

impl Budget {
    fn spend(&mut self, bytes: usize) -> Result<(), DeframeError> {
        self.since_good = self.since_good.saturating_add(bytes);
        if self.since_good > GARBAGE_MAX {
            return Err(DeframeError::TooMuchGarbage);
        }
        Ok(())
    }

    fn drop_garbage(&mut self, bytes: usize) -> Result<(), DeframeError> {
        self.garbage_bytes += bytes as u64;
        self.spend(bytes)
    }
}

impl Deframer {
    /// A deframer at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes newly read bytes and calls `emit` for each piece, in stream order. Allocates only
    /// for a piece that is unfinished at the end of `bytes` or has to be held.
    ///
    /// # Errors
    /// When [`GARBAGE_MAX`] bytes passed without a good frame: close the connection. The pieces
    /// before were emitted; every later call fails as well.
    pub fn push(&mut self, bytes: &[u8], mut emit: impl FnMut(Piece<'_>)) -> Result<(), DeframeError> {
        self.budget.spend(0)?;
        let mut scratch = Scratch::default();
        let mut at = 0;
        while at < bytes.len() {
            at = if !self.synced {
                self.seek_flag(bytes, at)?
            } else if self.held.is_empty() {
                self.scan(bytes, at, &mut scratch, &mut emit)?
            } else {
                self.resume(bytes, at, &mut scratch, &mut emit)?
            };
        }
        Ok(())
    }

    /// End of the stream (or datagram): emits what is complete among the held pieces, drops the
    /// rest, and starts anew. The count of garbage stays.
    pub fn finish(&mut self, mut emit: impl FnMut(Piece<'_>)) {
        let unfinished = self.held.unfinished_len();
        // A full budget ends nothing that the end of the stream does not end as well.
        let _ = self.held.give_up(&mut Scratch::default(), &mut self.budget, &mut emit);
        *self = Self {
            budget: Budget { since_good: 0, garbage_bytes: self.budget.garbage_bytes + unfinished as u64 },
            ..Self::default()
        };
    }

    /// Whether no byte is waiting for its frame to become complete.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.held.is_empty()
    }

    /// Bytes that wait for what follows them: at most two frames' worth.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// Bytes dropped so far because they belong to no frame; flags are not counted.
    #[must_use]
    pub fn garbage_bytes(&self) -> u64 {
        self.budget.garbage_bytes
    }

    /// Skips to behind the first flag.
    fn seek_flag(&mut self, bytes: &[u8], at: usize) -> Result<usize, DeframeError> {
        let rest = &bytes[at..];
        let skipped = memchr(FLAG, rest).unwrap_or(rest.len());
        self.synced = skipped < rest.len();
        self.budget.drop_garbage(skipped)?;
        Ok(at + skipped + usize::from(self.synced))
    }

    /// The fast way: nothing is held and `bytes[at]` follows a flag. Good frames are borrowed
    /// from `bytes` where their opening flag lies there too.
    fn scan(
        &mut self,
        bytes: &[u8],
        mut at: usize,
        scratch: &mut Scratch,
        emit: &mut impl FnMut(Piece<'_>),
    ) -> Result<usize, DeframeError> {
        loop {
            let rest = &bytes[at..];
            if rest.first() == Some(&FLAG) {
                self.budget.spend(1)?;
                at += 1;
                continue;
            }
            let Some((len, plain)) = find_piece(rest, scratch) else {
                self.begin(rest)?;
                return Ok(bytes.len());
            };
            let close = at + len;
            if let Some(wire) = at.checked_sub(1).and_then(|open| bytes.get(open..=close))
                && let Some(frame) = plain.and_then(good)
            {
                self.budget.since_good = 0;
                emit(Piece { wire, frame });
            } else {
                self.begin(&rest[..len])?;
                return Ok(close);
            }
            at = close + 1;
        }
    }

    /// Keeps the start of a piece, unless it is longer than any frame.
    fn begin(&mut self, content: &[u8]) -> Result<(), DeframeError> {
        if content.len() > MAX_CONTENT {
            self.synced = false;
            return self.budget.drop_garbage(content.len());
        }
        self.held.begin(content);
        Ok(())
    }

    /// The slow way: a piece was begun before, or fragments are held.
    fn resume(
        &mut self,
        bytes: &[u8],
        at: usize,
        scratch: &mut Scratch,
        emit: &mut impl FnMut(Piece<'_>),
    ) -> Result<usize, DeframeError> {
        let rest = &bytes[at..];
        let len = memchr(FLAG, rest).unwrap_or(rest.len());
        let content = self.held.unfinished_len() + len;
        if content > MAX_CONTENT {
            self.synced = false;
            self.held.give_up(scratch, &mut self.budget, emit)?;
            self.budget.drop_garbage(content)?;
            return Ok(at + len);
        }
        self.held.extend(&rest[..len]);
        if len == rest.len() {
            return Ok(bytes.len());
        }
        self.held.close(scratch, &mut self.budget, emit)?;
        Ok(at + len + 1)
    }
}
