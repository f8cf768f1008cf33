//! Latencies in logarithmic buckets: lock-free to write, 8 KiB, quantiles within 1/32 of the truth.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Buckets per doubling.
const PER_OCTAVE: u64 = 32;
const OCTAVE_BITS: u32 = PER_OCTAVE.ilog2();
/// Doublings above the linear part; the last bucket ends at about 19 hours in microseconds.
const OCTAVES: u64 = 31;
const BUCKETS: usize = (PER_OCTAVE * (OCTAVES + 1)) as usize;

/// A histogram of microseconds.
#[derive(Debug)]
pub(crate) struct Histogram {
    counts: Box<[AtomicU64]>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect() }
    }
}

fn bucket_of(us: u64) -> usize {
    let shift = us.checked_ilog2().unwrap_or(0).saturating_sub(OCTAVE_BITS);
    (((us >> shift) + u64::from(shift) * PER_OCTAVE) as usize).min(BUCKETS - 1)
}

/// The largest value of a bucket.
fn bucket_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket / PER_OCTAVE).saturating_sub(1);
    let mantissa = bucket - shift * PER_OCTAVE;
    ((mantissa + 1) << shift) - 1
}

impl Histogram {
    pub(crate) fn record(&self, us: u64) {
        if let Some(count) = self.counts.get(bucket_of(us)) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// What was recorded so far, and from here on nothing.
    pub(crate) fn take(&self) -> Self {
        Self { counts: self.counts.iter().map(|count| AtomicU64::new(count.swap(0, Relaxed))).collect() }
    }

    /// How many values were recorded.
    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// The value below or at which `part` (0..=1) of all recorded values lie; `None` when there are none.
    pub(crate) fn quantile(&self, part: f64) -> Option<u64> {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Relaxed)).collect();
        let total: u64 = counts.iter().sum();
        let rank = ((total as f64 * part).ceil() as u64).clamp(1, total.max(1));
        let mut seen = 0;
        counts
            .iter()
            .position(|count| {
                seen += count;
                seen >= rank
            })
            .map(bucket_end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_and_hold_their_values() {
        let mut last = 0;
        for us in (0..5_000).chain((5_000..100_000_000).step_by(99_991)) {
            let bucket = bucket_of(us);
            assert!(bucket >= last, "{us}");
            assert!(
                bucket_end(bucket) >= us && bucket_end(bucket) as f64 <= us as f64 * (1.0 + 1.0 / 16.0) + 1.0,
                "{us}"
            );
            last = bucket;
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles() {
        let histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        (1..=10_000).for_each(|us| histogram.record(us));
        for (part, want) in [(0.5, 5_000.0), (0.99, 9_900.0), (0.999, 9_990.0), (1.0, 10_000.0)] {
            let got = histogram.quantile(part).expect("values") as f64;
            assert!((got / want - 1.0).abs() < 0.04, "{part}: {got}");
        }
        let taken = histogram.take();
        assert_eq!((taken.total(), histogram.total(), histogram.quantile(0.5)), (10_000, 0, None));
    }
}
