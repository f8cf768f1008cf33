//! What the pipeline counts.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Counters and gauges of the pipeline, registered once.
#[derive(Clone)]
pub struct Metrics {
    /// Fixes handed to the track.
    pub fixes: IntCounter,
    /// Fixes that came again and were already in memory.
    pub duplicates: IntCounter,
    /// Fixes that came after one of later event time had been judged: kept in the track, and judged again with it.
    pub late: IntCounter,
    /// Vehicles that were judged again.
    pub rejudged: IntCounter,
    /// Vehicles that need not be judged again, because they were not near what was recorded.
    pub spared: IntCounter,
    /// Fixes that got another vehicle, because a binding was recorded late.
    pub moved: IntCounter,
    /// Fixes that were stepped over in that.
    pub rejudged_fixes: IntCounter,
    /// Vehicles that wait to be judged again.
    pub rejudging: IntGauge,
    /// Fixes that cannot be judged (no time, no position).
    pub unjudgeable: IntCounter,
    /// Fixes of admitted terminals without a vehicle.
    pub unbound: IntCounter,
    /// Frames that could not be decoded, by kind.
    pub decode_errors: IntCounterVec,
    /// Parts of cut messages, by what became of them.
    pub parts: IntCounterVec,
    /// Cut messages that were given up, by why.
    pub messages_given_up: IntCounterVec,
    /// Fixes out of the beginnings of batch reports that were given up.
    pub salvaged: IntCounter,
    /// Bytes that wait for the rest of their messages.
    pub assembly_bytes: IntGauge,
    /// Facts raised or changed, by kind.
    pub facts: IntCounterVec,
    /// Checkpoints: how long from the cut to the commit.
    pub checkpoint_seconds: Histogram,
    /// Envelope up to which the views are applied.
    pub applied_seq: IntGauge,
    /// Envelope of the last checkpoint.
    pub checkpoint_seq: IntGauge,
    /// Vehicles resident in memory.
    pub resident_vehicles: IntGauge,
    /// Writes to the store that failed and were tried again.
    pub store_errors: IntCounter,
}

impl Metrics {
    /// Registers them.
    ///
    /// # Errors
    /// When one of the names is taken.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| -> Result<IntCounter, prometheus::Error> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let by = |name: &str, help: &str, label: &str| -> Result<IntCounterVec, prometheus::Error> {
            let counter = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let checkpoint_seconds = Histogram::with_opts(
            HistogramOpts::new("hazwatch_checkpoint_seconds", "From the cut of a checkpoint to its commit")
                .buckets(vec![0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0]),
        )?;
        registry.register(Box::new(checkpoint_seconds.clone()))?;
        Ok(Self {
            fixes: counter("hazwatch_fixes_total", "Fixes handed to the track")?,
            duplicates: counter("hazwatch_duplicate_fixes_total", "Fixes that came again")?,
            late: counter("hazwatch_late_fixes_total", "Fixes older than one that was already judged")?,
            rejudged: counter("hazwatch_rejudged_total", "Vehicles that were judged again")?,
            spared: counter("hazwatch_rejudge_spared_total", "Vehicles that were not near what was recorded late")?,
            moved: counter("hazwatch_moved_fixes_total", "Fixes that got another vehicle by a binding recorded late")?,
            rejudged_fixes: counter("hazwatch_rejudged_fixes_total", "Fixes that were judged again")?,
            rejudging: gauge("hazwatch_rejudging_vehicles", "Vehicles that wait to be judged again")?,
            unjudgeable: counter("hazwatch_unjudgeable_fixes_total", "Fixes without a possible time or position")?,
            unbound: counter("hazwatch_unbound_fixes_total", "Fixes of terminals without a vehicle")?,
            decode_errors: by("hazwatch_decode_errors_total", "Frames that could not be decoded", "kind")?,
            parts: by("hazwatch_parts_total", "Parts of messages that were cut into packets", "outcome")?,
            messages_given_up: by("hazwatch_messages_given_up_total", "Cut messages that were given up", "why")?,
            salvaged: counter("hazwatch_salvaged_fixes_total", "Fixes out of batch reports that were given up")?,
            assembly_bytes: gauge("hazwatch_assembly_bytes", "Bytes that wait for the rest of their messages")?,
            facts: by("hazwatch_facts_total", "Facts raised or changed", "kind")?,
            checkpoint_seconds,
            applied_seq: gauge("hazwatch_views_applied_seq", "Envelope up to which the views are applied")?,
            checkpoint_seq: gauge("hazwatch_checkpoint_seq", "Envelope of the last checkpoint")?,
            resident_vehicles: gauge("hazwatch_resident_vehicles", "Vehicles with rule state in memory")?,
            store_errors: counter("hazwatch_store_errors_total", "Writes to the store that were tried again")?,
        })
    }
}
