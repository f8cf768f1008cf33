//! Opening the journal, and what the operator sees of it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use ::journal::{Algorithm, Batch, CommitStats, Journal, Recovered, State};
use prometheus::{Histogram, HistogramOpts, IntCounter, IntGauge, Registry};

use crate::config::{HashName, JournalConfig};
use crate::error::Failure;

const MIB: u64 = 1 << 20;

/// The counters of the journal.
struct Counters {
    took: Histogram,
    size: Histogram,
    bytes: IntCounter,
    ahead_s: IntGauge,
    state: IntGauge,
    failures: IntCounter,
}

impl Counters {
    fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let histogram = |name: &str, help: &str, buckets: &[f64]| -> Result<Histogram, prometheus::Error> {
            let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?;
            registry.register(Box::new(histogram.clone()))?;
            Ok(histogram)
        };
        let took_s = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0];
        let records = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0, 30000.0];
        let counters = Self {
            took: histogram("hazwatch_commit_seconds", "From taking a batch to its being durable", &took_s)?,
            size: histogram("hazwatch_commit_records", "Records in a commit", &records)?,
            bytes: IntCounter::new("hazwatch_journal_bytes_total", "Bytes written to the journal")?,
            ahead_s: IntGauge::new(
                "hazwatch_journal_ahead_seconds",
                "How far received times are ahead of a clock that was set back",
            )?,
            state: IntGauge::new(
                "hazwatch_journal_state",
                "0 working, 1 little space, 2 no space, 3 failed and trying again, 4 ended",
            )?,
            failures: IntCounter::new("hazwatch_journal_failures_total", "Commits that failed, and tries after them")?,
        };
        registry.register(Box::new(counters.bytes.clone()))?;
        registry.register(Box::new(counters.ahead_s.clone()))?;
        registry.register(Box::new(counters.state.clone()))?;
        registry.register(Box::new(counters.failures.clone()))?;
        Ok(counters)
    }
}

/// What the chains are hashed with.
pub(crate) const fn algorithm(config: &JournalConfig) -> Algorithm {
    match config.hash {
        HashName::Sha256 => Algorithm::Sha256,
        HashName::Sm3 => Algorithm::Sm3,
    }
}

/// A journal that was opened.
pub(crate) struct Opened {
    pub journal: Journal,
    pub feed: Receiver<Batch>,
    pub recovered: Recovered,
    /// Set when it will take nothing more until the next start.
    pub ended: Arc<AtomicBool>,
}

/// Opens the journal in `folder`. Its received times, space and failures are in the log and in the metrics.
pub(crate) fn open(config: &JournalConfig, folder: &Path, metrics: &Registry) -> Result<Opened, Failure> {
    let counters = Counters::register(metrics).map_err(|error| Failure::because("cannot count", error))?;
    let (state, failures) = (counters.state.clone(), counters.failures.clone());
    let ended = Arc::new(AtomicBool::new(false));
    let ends = ended.clone();
    let options = ::journal::Options {
        algorithm: algorithm(config),
        queue_bytes_max: config.queue_bytes_max,
        batch_bytes_max: config.batch_bytes_max,
        tick: Duration::from_secs(config.tick_s),
        low_bytes: config.low_mib * MIB,
        stop_bytes: config.stop_mib * MIB,
        on_commit: Some(Box::new(move |stats| counted(&counters, stats))),
        on_state: Some(Box::new(move |now| {
            told(&state, &failures, now);
            ends.store(matches!(now, State::Ended { .. }), Ordering::Release);
        })),
        ..::journal::Options::new(folder.to_path_buf())
    };
    let (journal, feed, recovered) = Journal::open(options)
        .map_err(|error| Failure::because("cannot open the journal (hazwatch verify tells more)", error))?;
    if recovered.cut_bytes > 0 {
        tracing::warn!(bytes = recovered.cut_bytes, "cut the torn tail of the journal: it was never acknowledged");
    }
    Ok(Opened { journal, feed, recovered, ended })
}

fn counted(counters: &Counters, stats: CommitStats) {
    counters.took.observe(stats.took.as_secs_f64());
    counters.size.observe(stats.records as f64);
    counters.bytes.inc_by(stats.bytes as u64);
    counters.ahead_s.set(i64::try_from(stats.ahead.as_secs()).unwrap_or(i64::MAX));
}

fn told(gauge: &IntGauge, failures: &IntCounter, state: &State) {
    let number = match state {
        State::Working => {
            tracing::info!("the journal takes records");
            0
        }
        State::SpaceLow { free_bytes } => {
            tracing::warn!(free_mib = free_bytes / MIB, "little space is left for the journal");
            1
        }
        State::SpaceOut { free_bytes } => {
            tracing::error!(free_mib = free_bytes / MIB, "no space is left: nothing is journalled or answered");
            2
        }
        State::Failed { error, attempts } => {
            failures.inc();
            tracing::error!(error, attempts, "the journal failed: nothing is answered until it can be written again");
            3
        }
        State::Ended { error } => {
            tracing::error!(error, "the journal has ended: nothing is answered any more");
            4
        }
    };
    gauge.set(number);
}
