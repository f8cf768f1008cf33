//! What can be seen of the door from outside. Every label comes from a fixed list.

use jt808::{Direction, MESSAGES};
use prometheus::local::LocalHistogram;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, exponential_buckets};

use crate::answer::{Answer, Charge};

/// How a frame ended, as the label `result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Answered with this result, 0 to 4.
    Result(u8),
    /// Journalled; it wants no answer.
    Unanswered,
    /// Over the budget of strangers: neither journalled nor answered.
    Dropped,
    /// The journal failed: not answered.
    Failed,
}

const RESULTS: [&str; 8] = ["0", "1", "2", "3", "4", "none", "dropped", "failed"];

impl Outcome {
    fn index(self) -> usize {
        match self {
            Self::Result(result) => usize::from(result.min(4)),
            Self::Unanswered => 5,
            Self::Dropped => 6,
            Self::Failed => 7,
        }
    }
}

/// The counters of a gateway, registered once.
#[derive(Clone)]
pub struct Metrics {
    pub(crate) connections: IntGauge,
    pub(crate) online: IntGauge,
    pub(crate) refused: IntCounterVec,
    pub(crate) closed: IntCounterVec,
    pub(crate) ack_latency_s: Histogram,
    pub(crate) strangers_dropped: IntCounter,
    pub(crate) garbage_bytes: IntCounter,
    pub(crate) windows_full: IntCounter,
    pub(crate) commands: IntCounter,
    pub(crate) asking_left_alone: IntCounter,
    pub(crate) udp_sessions: IntGauge,
    pub(crate) udp_datagrams: IntCounter,
    pub(crate) udp_dropped: IntCounterVec,
    /// By id, ascending.
    frames: Vec<(u16, [IntCounter; 8])>,
    other: [IntCounter; 8],
}

impl Metrics {
    /// Registers everything in `registry`, under `hazwatch_gateway_`.
    ///
    /// # Errors
    /// When one of the names is taken there.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let labelled = |name: &str, help: &str, labels: &[&str]| {
            let vec = IntCounterVec::new(Opts::new(format!("hazwatch_gateway_{name}"), help), labels)?;
            registry.register(Box::new(vec.clone()))?;
            prometheus::Result::Ok(vec)
        };
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(format!("hazwatch_gateway_{name}"), help)?;
            registry.register(Box::new(counter.clone()))?;
            prometheus::Result::Ok(counter)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(format!("hazwatch_gateway_{name}"), help)?;
            registry.register(Box::new(gauge.clone()))?;
            prometheus::Result::Ok(gauge)
        };
        let latency = HistogramOpts::new(
            "hazwatch_gateway_ack_latency_seconds",
            "From reading a frame to its answer being handed to the socket, in seconds",
        );
        let ack_latency_s = Histogram::with_opts(latency.buckets(exponential_buckets(0.000_25, 2.0, 16)?))?;
        registry.register(Box::new(ack_latency_s.clone()))?;
        let by_id = labelled("frames_total", "Frames received, by message id and result", &["id", "result"])?;
        let results = |id: &str| RESULTS.map(|result| by_id.with_label_values(&[id, result]));
        let uplink = MESSAGES.iter().filter(|info| info.direction == Direction::Up);
        let mut frames: Vec<_> = uplink.map(|info| (info.id, results(&format!("0x{:04x}", info.id)))).collect();
        frames.sort_unstable_by_key(|(id, _)| *id);
        Ok(Self {
            connections: gauge("connections", "Connections that are open")?,
            online: gauge("online_terminals", "Terminals that are connected and authenticated")?,
            refused: labelled("connections_refused_total", "Connections not taken, by reason", &["reason"])?,
            closed: labelled("connections_closed_total", "Connections closed, by reason", &["reason"])?,
            ack_latency_s,
            strangers_dropped: counter("strangers_dropped_total", "Frames of strangers over their budget")?,
            garbage_bytes: counter("garbage_bytes_total", "Bytes received that belong to no frame")?,
            windows_full: counter("windows_full_total", "How often a full window stopped the reading of a connection")?,
            commands: counter("commands_total", "Commands written to terminals")?,
            asking_left_alone: counter(
                "asking_left_alone_total",
                "How often a terminal was not asked for missing packets for 5 minutes, for want of memory",
            )?,
            udp_sessions: gauge("udp_sessions", "Terminals that have authenticated over UDP")?,
            udp_datagrams: counter("udp_datagrams_total", "Datagrams received")?,
            udp_dropped: labelled("udp_dropped_total", "Datagrams and frames not kept, by reason", &["reason"])?,
            frames,
            other: results("other"),
        })
    }

    /// Counts frames of one kind that ended the same way.
    pub(crate) fn frames(&self, id: u16, outcome: Outcome, count: u64) {
        let counters = match self.frames.binary_search_by_key(&id, |(id, _)| *id) {
            Ok(at) => self.frames.get(at).map_or(&self.other, |(_, counters)| counters),
            Err(_) => &self.other,
        };
        if let Some(counter) = counters.get(outcome.index()) {
            counter.inc_by(count);
        }
    }
}

/// Counts answers on one thread, and tells the shared counters now and then: most answers are alike.
pub(crate) struct Meter<'a> {
    metrics: &'a Metrics,
    latency_s: LocalHistogram,
    alike: (u16, Outcome),
    count: u64,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(metrics: &'a Metrics) -> Self {
        let latency_s = metrics.ack_latency_s.local();
        Self { metrics, latency_s, alike: (0, Outcome::Unanswered), count: 0 }
    }

    /// Counts a frame that is being answered, or a command that leaves.
    pub(crate) fn answered(&mut self, answer: &Answer, outcome: Outcome, now_us: u64) {
        self.latency_s.observe(now_us.saturating_sub(answer.read_us) as f64 / 1e6);
        if answer.charge == Charge::Connection {
            self.metrics.commands.inc();
        } else {
            self.frame(answer.to.id, outcome);
        }
    }

    /// Counts a frame.
    pub(crate) fn frame(&mut self, id: u16, outcome: Outcome) {
        if self.alike != (id, outcome) {
            self.flush_frames();
            self.alike = (id, outcome);
        }
        self.count += 1;
    }

    fn flush_frames(&mut self) {
        if self.count > 0 {
            self.metrics.frames(self.alike.0, self.alike.1, self.count);
            self.count = 0;
        }
    }

    /// Makes everything that was counted visible.
    pub(crate) fn flush(&mut self) {
        self.flush_frames();
        self.latency_s.flush();
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_under_known_labels_only() {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry).expect("free names");
        assert!(Metrics::new(&registry).is_err(), "the names are taken");
        for (id, outcome) in [
            (0x0200, Outcome::Result(0)),
            (0x6006, Outcome::Result(3)),
            (0x0100, Outcome::Dropped),
            (0x0001, Outcome::Unanswered),
            (0x8001, Outcome::Result(9)),
        ] {
            metrics.frames(id, outcome, 1);
        }
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).expect("text");
        for line in [
            r#"{id="0x0200",result="0"} 1"#,
            r#"{id="other",result="3"} 1"#,
            r#"{id="0x0100",result="dropped"} 1"#,
            r#"{id="0x0001",result="none"} 1"#,
            r#"{id="other",result="4"} 1"#,
        ] {
            assert!(text.contains(line), "{line}");
        }
    }
}
