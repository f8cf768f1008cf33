//! What strangers may put into the journal: one token bucket for frames and one for bytes.

use std::time::Instant;

use parking_lot::Mutex;

use crate::StrangerBudget;

pub(crate) struct Budget {
    rates: StrangerBudget,
    left: Mutex<Left>,
}

struct Left {
    frames: f64,
    bytes: f64,
    at: Instant,
}

impl Budget {
    pub(crate) fn new(rates: StrangerBudget, now: Instant) -> Self {
        let left = Left { frames: f64::from(rates.frames_burst), bytes: f64::from(rates.bytes_burst), at: now };
        Self { rates, left: Mutex::new(left) }
    }

    /// Takes one frame of `bytes` bytes, if there is room for it.
    pub(crate) fn take(&self, bytes: usize, now: Instant) -> bool {
        let mut left = self.left.lock();
        let since_s = now.saturating_duration_since(left.at).as_secs_f64();
        let refill = |had: f64, per_s: u32, burst: u32| (had + since_s * f64::from(per_s)).min(f64::from(burst));
        left.frames = refill(left.frames, self.rates.frames_per_s, self.rates.frames_burst);
        left.bytes = refill(left.bytes, self.rates.bytes_per_s, self.rates.bytes_burst);
        left.at = left.at.max(now);
        let bytes = bytes as f64;
        let fits = left.frames >= 1.0 && left.bytes >= bytes;
        if fits {
            left.frames -= 1.0;
            left.bytes -= bytes;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn fills_up_to_its_burst() {
        let start = Instant::now();
        let rates = StrangerBudget { frames_per_s: 2, frames_burst: 3, bytes_per_s: 100, bytes_burst: 150 };
        let budget = Budget::new(rates, start);
        // After so many ms, a frame of so many bytes: does it fit?
        let cases = [
            (0, 50, true),
            (0, 50, true),
            (0, 51, false),
            (0, 50, true),
            (0, 0, false),
            (500, 50, true),
            (500, 0, false),
            (400, 0, false),
            (60_000, 151, false),
            (60_000, 150, true),
        ];
        for (row, (ms, bytes, fits)) in cases.into_iter().enumerate() {
            assert_eq!(budget.take(bytes, start + Duration::from_millis(ms)), fits, "row {row}");
        }
    }
}
