//! How a run ended, and what to do about what was refused. Prints itself as the summary of `hazwatch simulate`.

use std::fmt;
use std::time::Duration;

use crate::stats::{Snapshot, Stats};

/// Something that the server refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which message: 0x0100, 0x0102, 0x0200, 0x0704.
    pub message_id: u16,
    /// The result in its answer (0x8100 or 0x8001), not 0.
    pub result: u8,
    /// How often.
    pub count: u64,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Positions put on the wire, each time counted.
    pub sent: u64,
    /// Positions acknowledged with result 0, each once.
    pub acked: u64,
    /// Answers that refused something; see `refusals`.
    pub refused: u64,
    /// Positions taken and never acknowledged.
    pub lost: u64,
    /// Frames repeated for want of an answer, and positions sent again after a lost connection.
    pub resent: u64,
    /// Connections opened again after one was lost, dropped or refused.
    pub reconnects: u64,
    /// Attempts to connect that failed.
    pub connect_failures: u64,
    /// Texts to the driver (0x8300) received.
    pub texts_received: u64,
    /// Positions not kept because a truck's store was full (part of `lost`).
    pub overflowed: u64,
    /// Median time from sending to the acknowledgement, per frame.
    pub p50: Option<Duration>,
    /// 99 % of them took at most so long.
    pub p99: Option<Duration>,
    /// 99.9 % of them took at most so long.
    pub p999: Option<Duration>,
    /// How long it took, the drain included.
    pub elapsed: Duration,
    /// What was refused, by message and result.
    pub refusals: Vec<Refusal>,
}

impl Report {
    pub(crate) fn of(stats: &Stats, elapsed: Duration) -> Self {
        let Snapshot { sent, acked, refused, resent, reconnects, connect_failures, texts_received, overflowed, .. } =
            stats.snapshot();
        let Snapshot { generated, p50, p99, p999, .. } = stats.snapshot();
        let refusals = stats.refusals();
        Self {
            sent,
            acked,
            refused,
            lost: generated.saturating_sub(acked),
            resent,
            reconnects,
            connect_failures,
            texts_received,
            overflowed,
            p50,
            p99,
            p999,
            elapsed,
            refusals: refusals
                .into_iter()
                .map(|((message_id, result), count)| Refusal { message_id, result, count })
                .collect(),
        }
    }

    /// Positions acknowledged a second.
    #[must_use]
    pub fn acked_per_s(&self) -> f64 {
        self.acked as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

const OPEN: &str = "admit it (POST /api/v1/terminals/{phone}/admit), or start the server with --admission open";
/// (message, result, what it means, what helps). JT/T 808-2019 8.2, 8.8.
const HINTS: [(u16, u8, &str, &str); 7] = [
    (0x0100, 1, "vehicle already registered", "another terminal holds this plate: use another --seed"),
    (0x0100, 2, "vehicle unknown", OPEN),
    (0x0100, 3, "terminal already registered", "another vehicle holds this terminal: use another --seed"),
    (0x0100, 4, "terminal unknown", OPEN),
    (0x0102, 1, "authentication failed", OPEN),
    (0x0200, 1, "position refused", "the terminal is not authenticated, or the server cannot store: see its log"),
    (0x0704, 1, "positions refused", "the terminal is not authenticated, or the server cannot store: see its log"),
];

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message_id, result, count } = self;
        let known = HINTS.iter().find(|(id, code, ..)| id == message_id && code == result);
        write!(f, "0x{message_id:04x} refused {count} times with result {result}")?;
        match known {
            Some((_, _, meaning, help)) => write!(f, " ({meaning}): {help}"),
            None => Ok(()),
        }
    }
}

/// A latency as people read it; a dash when nothing was measured.
pub(crate) fn latency(time: Option<Duration>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| format!("{:.1} ms", time.as_secs_f64() * 1e3))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "sent {}, acked {} ({:.0}/s), lost {}; send to ack p50 {}, p99 {}, p99.9 {}",
            self.sent,
            self.acked,
            self.acked_per_s(),
            self.lost,
            latency(self.p50),
            latency(self.p99),
            latency(self.p999),
        )?;
        let seldom = [
            (self.resent, "resent"),
            (self.reconnects, "reconnects"),
            (self.connect_failures, "connections failed"),
            (self.overflowed, "not kept (store full)"),
            (self.texts_received, "texts received"),
        ];
        for (count, what) in seldom.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "; {count} {what}")?;
        }
        self.refusals.iter().try_for_each(|refusal| write!(f, "\n{refusal}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_what_was_refused_and_what_helps() {
        let stats = Stats::default();
        stats.generated.add(10);
        stats.acked.add(7);
        stats.sent.add(9);
        stats.landed(1_000);
        stats.refuse(0x0100, 4);
        stats.refuse(0x0100, 4);
        stats.refuse(0x0200, 9);
        let report = Report::of(&stats, Duration::from_secs(1));
        assert_eq!((report.lost, report.refused), (3, 3));
        let text = report.to_string();
        assert!(text.starts_with("sent 9, acked 7 (7/s), lost 3; send to ack p50 1.0 ms"), "{text}");
        assert!(text.contains("0x0100 refused 2 times with result 4 (terminal unknown): admit it"), "{text}");
        assert!(text.ends_with("0x0200 refused 1 times with result 9"), "{text}");
    }
}
