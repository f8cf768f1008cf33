//! How a journal is opened: where, with which clock and bounds, and who is told of what.

use std::fmt;
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

    /// Time since some fixed moment, by a clock that nobody sets; it goes on while the machine sleeps.
    fn elapsed(&self) -> Duration {
        let since = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::try_from(since).unwrap_or_default()
    }
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
    /// How far the received times of the chain are ahead of the clock, which was set back.
    pub ahead: Duration,
}

/// What a journal is able to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It takes submissions.
    Working,
    /// It takes submissions; less than [`Options::low_bytes`] are free.
    SpaceLow {
        /// How many bytes are free.
        free_bytes: u64,
    },
    /// It refuses, because less than [`Options::stop_bytes`] are free; it goes on by itself when a quarter more than
    /// that is.
    SpaceOut {
        /// How many bytes are free.
        free_bytes: u64,
    },
    /// It refuses, because it could not write; it tries again.
    Failed {
        /// What happened.
        error: String,
        /// How many times it has tried since.
        attempts: u32,
    },
    /// It refuses, and will until the next start.
    Ended {
        /// Why.
        error: String,
    },
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Working => write!(f, "it works"),
            Self::SpaceLow { free_bytes } => write!(f, "only {free_bytes} bytes are free on its disk"),
            Self::SpaceOut { free_bytes } => {
                write!(f, "the last {free_bytes} free bytes of its disk are kept for others")
            }
            Self::Failed { error, attempts: 0 } | Self::Ended { error } => write!(f, "{error}"),
            Self::Failed { error, attempts } => write!(f, "{error} (attempt {attempts} to go on)"),
        }
    }
}

/// Is told of each commit, on the committer's thread.
pub type OnCommit = Box<dyn Fn(CommitStats) + Send>;
/// Is told of each change of state, on the committer's thread.
pub type OnState = Box<dyn Fn(&State) + Send>;

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
    /// Below so many free bytes [`State::SpaceLow`] is told.
    pub low_bytes: u64,
    /// Below so many free bytes nothing is taken any more, so that the views, which lie on the same disk, can still
    /// be written and an operator still has room to move in. 0: write until the disk refuses.
    pub stop_bytes: u64,
    /// After a failure, how long to wait before trying again; each wait doubles the next.
    pub retry_first: Duration,
    /// And how long at most.
    pub retry_max: Duration,
    /// Told of each commit.
    pub on_commit: Option<OnCommit>,
    /// Told of each change of state, on the committer's thread.
    pub on_state: Option<OnState>,
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
            low_bytes: 2 << 30,
            stop_bytes: 256 << 20,
            retry_first: Duration::from_secs(1),
            retry_max: Duration::from_secs(30),
            on_commit: None,
            on_state: None,
        }
    }
}
