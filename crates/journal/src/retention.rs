//! What may go: whole closed segments of frames, from the front, once they are old enough, a base of the views stands
//! behind them, and no hold touches them. Control, seals and heads never go.

use std::path::{Path, PathBuf};
use std::time::Duration;

use model::Timestamp;

use crate::disk::Disk;
use crate::index::index_path;
use crate::look_back::first_received;
use crate::reader::{ReadError, segments};
use crate::segment::{Stream, io_error};

/// What must be kept.
#[derive(Clone, Debug)]
pub struct Keep {
    /// Frames received from then on.
    pub from: Timestamp,
    /// The frame envelope that the newest base of the views reflects: what lies behind it cannot be rebuilt without
    /// its frames. 0: there is no base.
    pub base: u64,
    /// Spans that holds are about, the first instant inclusive, the second exclusive. Kept is what was received in a
    /// span, and for [`Keep::held_late`] after it.
    pub holds: Vec<(Timestamp, Timestamp)>,
    /// How long after the end of a hold's span frames are still kept because they may report about it: a terminal
    /// without a network (盲区补传) sends what it stored hours or days later.
    pub held_late: Duration,
}

/// For how long after a span frames that report about it are looked for, where nobody says otherwise: 30 days.
pub const HELD_LATE: Duration = Duration::from_secs(30 * 86_400);

impl Default for Keep {
    fn default() -> Self {
        Self { from: Timestamp::default(), base: 0, holds: Vec::new(), held_late: HELD_LATE }
    }
}

/// A closed segment of frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its first envelope.
    pub first_seq: u64,
    /// Its last envelope.
    pub last_seq: u64,
    /// When its first record was received.
    pub from: Timestamp,
    /// By when its last record was received.
    pub to: Timestamp,
    path: PathBuf,
}

/// Why a segment, and with it all after it, stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It holds frames that are not old enough, or is the newest; or damage hides how old it is.
    Young,
    /// A hold touches it, or may be reported about in it.
    Held {
        /// From when on the hold holds.
        from: Timestamp,
        /// Until when.
        to: Timestamp,
    },
    /// There is no base that reflects it.
    NoBase,
}

/// What may go, oldest first, and what stands in the way of more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The segments that may go.
    pub remove: Vec<Segment>,
    /// The first envelope that stays, and why.
    pub stays: Option<(u64, Why)>,
}

/// Finds out what may go; changes nothing.
///
/// # Errors
/// When a segment cannot be read.
pub fn plan(disk: &dyn Disk, journal: &Path, keep: &Keep) -> Result<Plan, ReadError> {
    let mut plan = Plan { remove: Vec::new(), stays: None };
    let files = segments(disk, journal, Stream::Frames)?;
    for pair in files.windows(2) {
        let [(first_seq, path), (next_seq, next_path)] = pair else { continue };
        // Received times never decrease along the chain: what comes after it bounds a segment.
        let (from, to) = (begins(disk, path)?, begins(disk, next_path)?);
        let (Some(from), Some(to)) = (from, to) else {
            plan.stays = Some((*first_seq, Why::Young));
            return Ok(plan);
        };
        let segment = Segment { first_seq: *first_seq, last_seq: next_seq - 1, from, to, path: path.clone() };
        if let Some(why) = keep.why(&segment) {
            plan.stays = Some((*first_seq, why));
            return Ok(plan);
        }
        plan.remove.push(segment);
    }
    plan.stays = files.last().map(|(first_seq, _)| (*first_seq, Why::Young));
    Ok(plan)
}

/// `None` also when it cannot be told: then nothing goes from there on.
fn begins(disk: &dyn Disk, path: &Path) -> Result<Option<Timestamp>, ReadError> {
    match first_received(disk, path) {
        Err(ReadError::Broken(_)) => Ok(None),
        first => first,
    }
}

impl Keep {
    fn why(&self, segment: &Segment) -> Option<Why> {
        if segment.to >= self.from {
            return Some(Why::Young);
        }
        let held_late_us = i64::try_from(self.held_late.as_micros()).unwrap_or(i64::MAX);
        // The last record of the segment may bear the time at which the next one begins.
        let touches =
            |(from, to): &&(Timestamp, Timestamp)| segment.from < to.plus_us(held_late_us) && *from <= segment.to;
        if let Some((from, to)) = self.holds.iter().find(touches) {
            return Some(Why::Held { from: *from, to: *to });
        }
        (segment.last_seq > self.base).then_some(Why::NoBase)
    }
}

/// Removes what the plan names, oldest first, so that what a crash leaves is a chain from some file on.
///
/// # Errors
/// The system's; what was removed by then is gone, the rest stays.
pub fn sweep(disk: &dyn Disk, plan: &Plan) -> Result<(), ReadError> {
    for segment in &plan.remove {
        for path in [&segment.path, &index_path(&segment.path)] {
            disk.remove_file(path).map_err(|error| io_error("remove", path, error))?;
        }
    }
    Ok(())
}
