//! The disk's own pace: small appends, each followed by fdatasync, nothing else.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::Failure;

/// Bytes of one append: what a commit of a few frames writes.
const APPEND: usize = 4_096;

/// Latencies in microseconds, sorted.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    pub(crate) fn of(mut us: Vec<u32>) -> Self {
        us.sort_unstable();
        Self(us)
    }

    /// The value at or below which this part (0 to 1) of all lies, ms.
    pub(crate) fn quantile_ms(&self, part: f64) -> f64 {
        let rank = ((self.0.len() as f64 * part).ceil() as usize).clamp(1, self.0.len().max(1));
        self.0.get(rank - 1).map_or(0.0, |us| f64::from(*us) / 1e3)
    }

    /// p50, p99 and p99.9, ms.
    pub(crate) fn usual_ms(&self) -> [f64; 3] {
        [0.5, 0.99, 0.999].map(|part| self.quantile_ms(part))
    }
}

/// Appends and syncs in this folder for so long.
pub(crate) fn measure(folder: &Path, during: Duration) -> Result<Latencies, Failure> {
    let path = folder.join("fsync-loop");
    let mut file = File::create(&path).map_err(Failure::io("make a file to sync"))?;
    let mut us = Vec::new();
    let began = Instant::now();
    while began.elapsed() < during {
        let at = Instant::now();
        file.write_all(&[0x5a; APPEND]).and_then(|()| file.sync_data()).map_err(Failure::io("sync a file"))?;
        us.push(at.elapsed().as_micros() as u32);
    }
    std::fs::remove_file(&path).map_err(Failure::io("remove the file"))?;
    Ok(Latencies::of(us))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles() {
        let all = Latencies::of((1..=1_000).rev().collect());
        for (part, ms) in [(0.5, 0.5), (0.99, 0.99), (0.999, 0.999), (1.0, 1.0), (0.0, 0.001)] {
            assert!((all.quantile_ms(part) - ms).abs() < 1e-9, "{part}");
        }
        assert!(Latencies::default().quantile_ms(0.5).abs() < 1e-9);
    }
}
