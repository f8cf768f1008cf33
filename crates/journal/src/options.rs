//! How a journal is opened: where, with which clock and bounds, and who is told of what.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::Timestamp;

use crate::disk::{Disk, RealDisk};
use crate::hash::Algorithm;

/// Where the journal takes its time from.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// The clock of the machine.
#[must_use]
pub fn system_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// What a commit cost, for metrics.
#[derive(Clone, Copy, Debug)]
pub struct CommitStats {
    /// Records in it.
    pub records: usize,
    /// Bytes written.
    pub bytes: usize,
    /// From taking the batch to its being durable.
    pub took: Duration,
}

/// How a journal is opened.
pub struct Options {
    /// The folder (`DIR/journal`).
    pub folder: PathBuf,
    /// The file system.
    pub disk: Arc<dyn Disk>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// By which hash function new envelopes are chained; a change begins a new segment.
    pub algorithm: Algorithm,
    /// How many bytes may wait for the disk before submitters wait themselves.
    pub queue_bytes_max: u32,
    /// How many bytes go into one envelope at most (more waits for the next).
    pub batch_bytes_max: usize,
    /// How many batches the reader of the feed may lag before commits stop.
    pub feed_depth: usize,
    /// A tick is written when none was for this long.
    pub tick: Duration,
    /// Told of each commit.
    pub on_commit: Option<Box<dyn Fn(CommitStats) + Send>>,
}

impl Options {
    /// The usual ones for a folder on the machine's own disk.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            disk: Arc::new(RealDisk),
            clock: system_clock(),
            algorithm: Algorithm::default(),
            queue_bytes_max: 32 << 20,
            batch_bytes_max: 8 << 20,
            feed_depth: 64,
            tick: Duration::from_secs(5),
            on_commit: None,
        }
    }
}
