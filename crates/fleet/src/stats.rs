//! Live counters of a run, shared by all trucks and whoever watches. Cheap to write, safe to read at any time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::histogram::Histogram;

/// One counter.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    pub(crate) fn less_one(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What a fleet has done so far. Shared through an `Arc`; make one, hand it to the run, read it while it goes.
#[derive(Debug, Default)]
pub struct Stats {
    pub(crate) online: Counter,
    pub(crate) generated: Counter,
    pub(crate) sent: Counter,
    pub(crate) acked: Counter,
    pub(crate) resent: Counter,
    pub(crate) overflowed: Counter,
    pub(crate) reconnects: Counter,
    pub(crate) connect_failures: Counter,
    pub(crate) texts: Counter,
    latency: Histogram,
    /// Since somebody last looked.
    recent: Histogram,
    refusals: Mutex<BTreeMap<(u16, u8), u64>>,
}

/// The counters at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Terminals that are authenticated now.
    pub online: u64,
    /// Positions that trucks have taken.
    pub generated: u64,
    /// Positions put on the wire, each time counted.
    pub sent: u64,
    /// Positions acknowledged with result 0.
    pub acked: u64,
    /// Frames repeated for want of an answer, and positions sent again after a lost connection.
    pub resent: u64,
    /// Positions a truck could not keep because its store was full.
    pub overflowed: u64,
    /// Connections opened again after one was lost, dropped or refused.
    pub reconnects: u64,
    /// Attempts to connect that failed.
    pub connect_failures: u64,
    /// Texts to the driver (0x8300) received.
    pub texts_received: u64,
    /// Answers that refused something.
    pub refused: u64,
    /// Median of send -> ack.
    pub p50: Option<Duration>,
    /// 99 % of send -> ack.
    pub p99: Option<Duration>,
    /// 99.9 % of send -> ack.
    pub p999: Option<Duration>,
}

/// Latencies since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    /// Frames that were acknowledged.
    pub frames: u64,
    /// Median of send -> ack.
    pub p50: Option<Duration>,
    /// 99 % of send -> ack.
    pub p99: Option<Duration>,
}

impl Stats {
    /// A frame was acknowledged after so many microseconds.
    pub(crate) fn landed(&self, us: u64) {
        self.latency.record(us);
        self.recent.record(us);
    }

    /// Latencies since this was asked before.
    #[must_use]
    pub fn recent(&self) -> Recent {
        let taken = self.recent.take();
        let quantile = |part| taken.quantile(part).map(Duration::from_micros);
        Recent { frames: taken.total(), p50: quantile(0.5), p99: quantile(0.99) }
    }

    pub(crate) fn refuse(&self, id: u16, result: u8) {
        *self.refusals.lock().unwrap_or_else(PoisonError::into_inner).entry((id, result)).or_default() += 1;
    }

    /// What was refused: (message id, result) and how often.
    pub(crate) fn refusals(&self) -> BTreeMap<(u16, u8), u64> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The counters now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let quantile = |part| self.latency.quantile(part).map(Duration::from_micros);
        Snapshot {
            online: self.online.get(),
            generated: self.generated.get(),
            sent: self.sent.get(),
            acked: self.acked.get(),
            resent: self.resent.get(),
            overflowed: self.overflowed.get(),
            reconnects: self.reconnects.get(),
            connect_failures: self.connect_failures.get(),
            texts_received: self.texts.get(),
            refused: self.refusals().values().sum(),
            p50: quantile(0.5),
            p99: quantile(0.99),
            p999: quantile(0.999),
        }
    }
}
