//! What is looked at while a soak runs, and whether memory grows.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::load::Load;
use crate::error::Failure;
use crate::http::Http;
use crate::process;

/// One look.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Sample {
    pub(super) at_s: f64,
    pub(super) resident_mib: f64,
    pub(super) open_files: usize,
    pub(super) threads: usize,
    pub(super) data_mib: f64,
    /// Envelopes that are durable and not yet in the views.
    pub(super) views_behind: f64,
    pub(super) online: u64,
    /// Since the look before.
    pub(super) acked_per_s: f64,
    /// The slowest kind of truck since the look before, ms.
    pub(super) ack_p50_ms: f64,
    pub(super) ack_p99_ms: f64,
    /// Since the beginning: answers that refused something, and answers of HTTP that were wrong.
    pub(super) refused: u64,
    pub(super) http_errors: u64,
    pub(super) http_unavailable: u64,
}

/// Looks.
pub(super) struct Sampler<'a> {
    pub(super) began: Instant,
    pub(super) pid: u32,
    pub(super) data: &'a Path,
    pub(super) session: &'a Http,
    pub(super) acked: u64,
    pub(super) last: Instant,
}

impl Sampler<'_> {
    pub(super) fn look(&mut self, load: &Load) -> Result<Sample, Failure> {
        use std::sync::atomic::Ordering::Relaxed;
        let since_s = self.last.elapsed().as_secs_f64().max(1e-3);
        self.last = Instant::now();
        let mut sample = Sample {
            at_s: self.began.elapsed().as_secs_f64(),
            resident_mib: process::resident_bytes(self.pid)? as f64 / f64::from(1 << 20),
            open_files: process::entries(self.pid, "fd"),
            threads: process::entries(self.pid, "task"),
            data_mib: folder_bytes(self.data) as f64 / f64::from(1 << 20),
            views_behind: self.gauge("hazwatch_views_behind"),
            http_errors: load.readers.errors.load(Relaxed),
            http_unavailable: load.readers.unavailable.load(Relaxed),
            ..Sample::default()
        };
        let mut acked = 0;
        for fleet in &load.fleets {
            let (now, recent) = (fleet.stats.snapshot(), fleet.stats.recent());
            acked += now.acked;
            sample.online += now.online;
            sample.refused += now.refused;
            let ms = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64() * 1e3;
            sample.ack_p50_ms = sample.ack_p50_ms.max(ms(recent.p50));
            sample.ack_p99_ms = sample.ack_p99_ms.max(ms(recent.p99));
        }
        sample.acked_per_s = (acked - self.acked) as f64 / since_s;
        self.acked = acked;
        Ok(sample)
    }

    /// A gauge of the server; not a number when it does not say.
    fn gauge(&self, name: &str) -> f64 {
        let text = self.session.fetch("/metrics").ok().and_then(|mut r| r.body_mut().read_to_string().ok());
        let line = text.as_deref().and_then(|text| text.lines().find_map(|line| line.strip_prefix(name)));
        line.and_then(|value| value.trim().parse().ok()).unwrap_or(f64::NAN)
    }
}

fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => folder_bytes(&entry.path()),
            Ok(data) => data.len(),
            // Gone since it was listed.
            Err(_) => 0,
        })
        .sum()
}

/// How a value moves with time: the median of the slopes between all pairs of points (Theil and Sen), and the lower end
/// of its interval of 95 % (Kendall). A few peaks do not move it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Trend {
    pub(super) per_hour: f64,
    pub(super) at_least_per_hour: f64,
}

impl Trend {
    /// Of points (seconds, value).
    pub(super) fn of(points: &[(f64, f64)]) -> Self {
        let mut slopes: Vec<f64> = Vec::new();
        for (at, (x, y)) in points.iter().enumerate() {
            let later = points.iter().skip(at + 1).filter(|(later, _)| later > x);
            slopes.extend(later.map(|(later, value)| (value - y) / (later - x) * 3_600.0));
        }
        slopes.sort_by(f64::total_cmp);
        let n = points.len() as f64;
        let spread = 1.96 * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).max(0.0).sqrt();
        let low = ((slopes.len() as f64 - spread) / 2.0).max(0.0) as usize;
        let at = |index: usize| slopes.get(index).copied().unwrap_or_default();
        Self { per_hour: at(slopes.len() / 2), at_least_per_hour: at(low) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_is_seen_through_peaks_and_none_is_made_of_them() {
        // A saw of ten, a peak now and then, and growth of so much an hour.
        let points = |growth: f64| -> Vec<(f64, f64)> {
            (0..120)
                .map(|n| {
                    let peak = if n % 17 == 3 { 80.0 } else { 0.0 };
                    (f64::from(n) * 10.0, 200.0 + f64::from(n * 7 % 10) + peak + growth * f64::from(n) / 360.0)
                })
                .collect()
        };
        let flat = Trend::of(&points(0.0));
        assert!(flat.at_least_per_hour <= 0.0 && flat.per_hour.abs() < 3.0, "{flat:?}");
        let grows = Trend::of(&points(60.0));
        assert!((50.0..70.0).contains(&grows.per_hour) && grows.at_least_per_hour > 40.0, "{grows:?}");
        assert_eq!(Trend::of(&[]), Trend::default());
    }
}
