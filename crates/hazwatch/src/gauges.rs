//! Gauges that belong to no room alone: how far one is behind another.

use std::time::Duration;

use journal::Journal;
use pipeline::Views;
use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

/// How often they are read off.
const EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Gauges {
    journal_queue: IntGauge,
    views_behind: IntGauge,
    checkpoint_behind: IntGauge,
}

impl Gauges {
    /// Registers them, and says which build this is.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let build = IntGaugeVec::new(Opts::new("hazwatch_build_info", "Which build this is"), &["version", "rules"])?;
        let rules = model::RULE_REVISION.to_string();
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), &rules]).set(1);
        registry.register(Box::new(build))?;
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        Ok(Self {
            journal_queue: gauge("hazwatch_journal_queue", "Submissions that wait for the disk")?,
            views_behind: gauge("hazwatch_views_behind", "Envelopes that are durable but not yet in the views")?,
            checkpoint_behind: gauge("hazwatch_checkpoint_behind", "Envelopes that a restart would read again")?,
        })
    }

    /// Reads them off until it is aborted.
    pub(crate) async fn run(self, journal: Journal, views: Views) {
        let watermark = journal.watermark();
        loop {
            let committed = watermark.committed();
            let behind = |seq: u64| i64::try_from(committed.saturating_sub(seq)).unwrap_or(i64::MAX);
            self.journal_queue.set(i64::try_from(journal.queued()).unwrap_or(i64::MAX));
            self.views_behind.set(behind(views.applied()));
            self.checkpoint_behind.set(behind(views.checkpointed()));
            tokio::time::sleep(EVERY).await;
        }
    }
}
