//! A vehicle that stands: where it is by all that was seen of it since it stopped, and how sure that is. Positions of a
//! parked vehicle wander by tens of metres for minutes on end, while their mean gets better and better.

use geofence::{Point, distance_m};
use model::{Measures, Timestamp};

use crate::limits;
use crate::link::{DEGREE_MAX_M, Seen, rounded};

/// A rest. Integers only: it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rest {
    /// Its first fix.
    pub(crate) since: Timestamp,
    /// The fix before that; the same when there is none.
    pub(crate) before: Timestamp,
    /// The mean place, 1e-9 degree.
    pub(crate) lon_e9: i64,
    pub(crate) lat_e9: i64,
    /// Fixes in the mean, counted up to [`Rest::FULL`].
    pub(crate) fixes: u32,
    /// Fixes in a row that were not near.
    pub(crate) away: u32,
    /// The last fix heard, near or not.
    pub(crate) heard: Timestamp,
}

/// What a fix at rest means for a rest.
pub(crate) enum Verdict {
    /// It is part of it.
    Near,
    /// It is not near, and may come back.
    Away,
    /// The vehicle is elsewhere.
    Over,
}

impl Rest {
    /// Beyond this many the mean follows slowly instead of freezing.
    pub(crate) const FULL: u32 = 2_000;

    pub(crate) fn begun(seen: &Seen, before: Timestamp) -> Self {
        Self {
            since: seen.time,
            before,
            lon_e9: i64::from(seen.lon_e6) * 1_000,
            lat_e9: i64::from(seen.lat_e6) * 1_000,
            fixes: 1,
            away: 0,
            heard: seen.time,
        }
    }

    pub(crate) fn point(&self) -> Point {
        Point::new(self.lon_e9 as f64 / 1e9, self.lat_e9 as f64 / 1e9)
    }

    /// What the next fix at rest means; `aside` is the first of those that were not near.
    pub(crate) fn judge(&mut self, seen: &Seen, aside: Option<&Seen>) -> Verdict {
        self.heard = seen.time;
        if self.is_plainly_near(seen) {
            self.away = 0;
            return Verdict::Near;
        }
        let off_m = distance_m(self.point(), seen.point());
        if off_m <= limits::REST_NEAR_M {
            self.away = 0;
            return Verdict::Near;
        }
        if self.fixes < limits::REST_SETTLED {
            return Verdict::Over;
        }
        self.away = self.away.saturating_add(1);
        let Some(aside) = aside else { return Verdict::Away };
        let far = off_m > limits::REST_FAR_M && distance_m(self.point(), aside.point()) > limits::REST_FAR_M;
        let long = self.away >= limits::REST_AWAY && seen.time.since_us(aside.time) >= limits::REST_AWAY_US;
        if far && self.away >= 3 || long { Verdict::Over } else { Verdict::Away }
    }

    /// Whether a fix is near by a distance that is never shorter, told without trigonometry: nearly every one is.
    fn is_plainly_near(&self, seen: &Seen) -> bool {
        let lon_e9 = self.lon_e9.abs_diff(i64::from(seen.lon_e6) * 1_000);
        let lat_e9 = self.lat_e9.abs_diff(i64::from(seen.lat_e6) * 1_000);
        (lon_e9 + lat_e9) as f64 * (DEGREE_MAX_M / 1e9) <= limits::REST_NEAR_M
    }

    /// Takes a near fix into the mean.
    pub(crate) fn take(&mut self, seen: &Seen) {
        self.fixes = (self.fixes + 1).min(Self::FULL);
        let share = |mean: i64, next: i32| mean + (i64::from(next) * 1_000 - mean) / i64::from(self.fixes);
        (self.lon_e9, self.lat_e9) = (share(self.lon_e9, seen.lon_e6), share(self.lat_e9, seen.lat_e6));
    }

    /// The fix as it is judged: at the mean.
    pub(crate) fn placed(&self, seen: &Seen) -> Seen {
        let p = self.point();
        Seen { lon_e6: rounded(p.lon * 1e6) as i32, lat_e6: rounded(p.lat * 1e6) as i32, ..*seen }
    }

    /// How far the instant at which it stopped may be off, milliseconds.
    pub(crate) fn error_ms(&self) -> u32 {
        u32::try_from(self.since.since_us(self.before).max(0) / 1_000).unwrap_or(Measures::ERROR_UNKNOWN)
    }

    /// How far the mean may be off, metres.
    pub(crate) fn margin_m(&self) -> f64 {
        let times = self.heard.since_us(self.since).max(0) as f64 / limits::REST_MEMORY_US as f64;
        limits::REST_MARGIN_M / (1.0 + times).sqrt()
    }
}
