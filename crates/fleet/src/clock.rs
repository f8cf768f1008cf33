//! The time of a run: microseconds since its start, and the wall clock at that start.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// One clock for all trucks of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
    unix_us: u64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), unix_us: unix.as_micros() as u64 }
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }

    pub(crate) fn instant(&self, us: u64) -> Instant {
        self.start + Duration::from_micros(us)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Unix microseconds of an instant of the run.
    pub(crate) fn unix_us(&self, us: u64) -> u64 {
        self.unix_us + us
    }

    /// Unix second of an instant of the run.
    pub(crate) fn unix_s(&self, us: u64) -> u64 {
        self.unix_us(us) / 1_000_000
    }
}
