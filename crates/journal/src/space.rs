//! How much room the disk has, asked now and then.

use std::time::Duration;

use crate::options::Options;

/// How many bytes may be written before it is asked again.
const BYTES: u64 = 16 << 20;
/// How long it may be before it is asked again.
const INTERVAL: Duration = Duration::from_secs(1);

/// When the free space was last asked for.
#[derive(Debug, Default)]
pub(crate) struct Space {
    asked: Option<Duration>,
    written: u64,
}

impl Space {
    /// Counts what was written.
    pub(crate) fn wrote(&mut self, bytes: u64) {
        self.written += bytes;
    }

    /// The free bytes, when it is time to ask for them.
    pub(crate) fn look(&mut self, options: &Options) -> Option<u64> {
        let now = options.clock.elapsed();
        let recent = self.asked.is_some_and(|at| now.saturating_sub(at) < INTERVAL);
        if recent && self.written < BYTES {
            return None;
        }
        (self.asked, self.written) = (Some(now), 0);
        self.free(options)
    }

    /// The free bytes; `None` when nobody can tell, which the next write will show.
    pub(crate) fn free(&self, options: &Options) -> Option<u64> {
        options.disk.free_bytes(&options.folder).ok()
    }
}
