//! A span of event time in pieces that are small enough to be read at once.

use model::{DAY_US, Timestamp};

/// So much is read at once, microseconds of event time; more where there is nothing.
const WINDOW_US: i64 = DAY_US;
const WINDOW_MAX_US: i64 = 16 * DAY_US;
/// No fix that is judged is older (2010-01-01 in China).
const OLDEST: Timestamp = Timestamp::from_secs(1_262_275_200);
/// No time on the wire is later.
const LATEST: Timestamp = Timestamp::from_secs(4_102_531_200);

pub(crate) struct Windows {
    from: Timestamp,
    last: Timestamp,
    width_us: i64,
}

impl Windows {
    /// From `from` up to and with `last`.
    pub(crate) fn new(from: Timestamp, last: Timestamp) -> Self {
        Self { from: from.max(OLDEST), last: last.min(LATEST), width_us: WINDOW_US }
    }

    /// The next piece, [from, to); `was_empty` says that there was nothing in the one before.
    pub(crate) fn next(&mut self, was_empty: bool) -> Option<(Timestamp, Timestamp)> {
        if self.from > self.last {
            return None;
        }
        self.width_us = if was_empty { (self.width_us * 2).min(WINDOW_MAX_US) } else { WINDOW_US };
        let from = self.from;
        self.from = from.plus_us(self.width_us);
        Some((from, self.from))
    }
}
