//! Walking frame envelopes backwards from the newest, passing over what cannot hold what is looked for.

use std::path::{Path, PathBuf};

use model::{TerminalId, Timestamp};

use crate::disk::Disk;
use crate::index::{Index, read_index};
use crate::reader::{ReadError, decode, segments};
use crate::record::Batch;
use crate::segment::Stream;
use crate::source::{Backwards, Run, Segment};

/// What is looked for. Batches that cannot hold it are passed over where that can be told cheaply; others are visited,
/// so the visitor looks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sought {
    /// Only envelopes before this one.
    pub before: Option<u64>,
    /// Received at or after.
    pub from: Timestamp,
    /// Received before.
    pub to: Timestamp,
    /// Whose; `None`: anybody's.
    pub terminal: Option<TerminalId>,
}

impl Default for Sought {
    fn default() -> Self {
        Self { before: None, from: Timestamp::MIN, to: Timestamp::MAX, terminal: None }
    }
}

/// Walks frame envelopes backwards from the newest (or from before `before`), calling `visit` until it returns
/// `false` or the journal begins.
///
/// # Errors
/// When an envelope cannot be read.
pub fn scan_backwards(
    disk: &dyn Disk,
    journal: &Path,
    before: Option<u64>,
    visit: impl FnMut(Batch) -> bool,
) -> Result<(), ReadError> {
    look_back(disk, journal, &Sought { before, ..Sought::default() }, visit)
}

/// Walks backwards through the frame envelopes that may hold what is sought, calling `visit` until it returns `false`
/// or nothing is left.
///
/// # Errors
/// When an envelope cannot be read.
pub fn look_back(
    disk: &dyn Disk,
    journal: &Path,
    sought: &Sought,
    mut visit: impl FnMut(Batch) -> bool,
) -> Result<(), ReadError> {
    let segments = segments(disk, journal, Stream::Frames)?;
    let count = segments.len();
    let upper = sought.before.map_or(count, |before| segments.partition_point(|(first, _)| *first < before));
    let upper = begun_before(disk, &segments, upper, sought.to)?;
    for (index, (_, path)) in segments.iter().enumerate().take(upper).rev() {
        match look_through(disk, path, index + 1 == count, sought, &mut visit)? {
            Outcome::GoOn => {}
            Outcome::Done => return Ok(()),
        }
    }
    Ok(())
}

/// How many of the first `upper` segments begin before `to`; received times never decrease along the chain.
fn begun_before(disk: &dyn Disk, segments: &[(u64, PathBuf)], upper: usize, to: Timestamp) -> Result<usize, ReadError> {
    if to == Timestamp::MAX {
        return Ok(upper);
    }
    let (mut low, mut high) = (0, upper);
    while low < high {
        let middle = low + (high - low) / 2;
        let first = match first_received(disk, &segments[middle].1) {
            // A torn tail: it holds nothing. Of another segment nobody could say what is behind it.
            Err(ReadError::Broken(_)) if middle + 1 == segments.len() => None,
            first => first?,
        };
        match first {
            Some(first) if first < to => low = middle + 1,
            // An empty segment is the last and holds nothing.
            Some(_) | None => high = middle,
        }
    }
    Ok(low)
}

/// When the first envelope of a segment was received; `None` when it has none.
///
/// # Errors
/// When that envelope cannot be read; in the last segment it may be torn.
pub(crate) fn first_received(disk: &dyn Disk, path: &Path) -> Result<Option<Timestamp>, ReadError> {
    let segment = Segment::open(disk, path)?;
    let (start, end) = (segment.start(), segment.length);
    let mut walk = segment.walk(start, end);
    let Some(stored) = walk.next()? else { return Ok(None) };
    let opened = crate::decode::open_body(&stored.body);
    let opened = opened.map_err(|error| walk.segment.damaged(stored.offset, stored.seq, &error))?;
    Ok(Some(Timestamp(opened.header.first_received_us)))
}

enum Outcome {
    GoOn,
    Done,
}

fn look_through(
    disk: &dyn Disk,
    path: &Path,
    is_last: bool,
    sought: &Sought,
    visit: &mut impl FnMut(Batch) -> bool,
) -> Result<Outcome, ReadError> {
    let segment = Segment::open(disk, path)?;
    let (start, end) = (segment.start(), segment.end(is_last)?);
    let index = if is_last { None } else { read_index(disk, path, segment.length) };
    // One handle for all: the file may be replaced by its packed form meanwhile.
    let mut walk = segment.walk(start, end);
    let (wanted, reaches_further) = match index {
        Some(index) => wanted_of(&index, sought),
        None => {
            let runs = walk.runs()?;
            let reaches = runs.first().is_none_or(|(_, received)| *received >= sought.from.0);
            (runs.into_iter().map(|(run, _)| (run, true)).collect(), reaches)
        }
    };
    let mut backwards = Backwards::new(walk);
    let before = sought.before.unwrap_or(u64::MAX);
    // From the newest run on; each ends where the next begins.
    let mut upper = before;
    for (run, may_hold) in wanted.into_iter().rev() {
        if may_hold {
            for stored in backwards.run(run, upper)? {
                let batch = decode(backwards.segment(), &stored)?.into_batch();
                if !visit(batch) {
                    return Ok(Outcome::Done);
                }
            }
        }
        upper = upper.min(run.first_seq);
    }
    Ok(if reaches_further { Outcome::GoOn } else { Outcome::Done })
}

/// The runs with whether each may hold what is sought, and whether what is before the segment may.
fn wanted_of(index: &Index, sought: &Sought) -> (Vec<(Run, bool)>, bool) {
    let mut wanted = Vec::with_capacity(index.runs.len());
    for (number, entry) in index.runs.iter().enumerate() {
        // A run ends where the next begins; received times are the same there at most.
        let ends = index.runs.get(number + 1).map_or(i64::MAX, |next| next.received_us);
        let in_time = entry.received_us < sought.to.0 && ends >= sought.from.0;
        let may_hold = in_time && sought.terminal.is_none_or(|terminal| entry.filter.may_hold(terminal));
        wanted.push((entry.run, may_hold));
    }
    let reaches = index.runs.first().is_none_or(|first| first.received_us >= sought.from.0);
    (wanted, reaches)
}
