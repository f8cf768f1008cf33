//! Instants: microseconds since the Unix epoch, shown at +08:00 because every clock in the field is Chinese.

use std::fmt;
use std::str::FromStr;

/// Microseconds in a day.
pub const DAY_US: i64 = 86_400_000_000;
/// China standard time, the zone of every JT/T 808 time field (GMT+8).
const CHINA_OFFSET_S: i64 = 8 * 3600;

/// An instant, microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Earlier than any instant that a record may carry.
    pub const MIN: Self = Self(i64::MIN);
    /// Later than any instant that a record may carry.
    pub const MAX: Self = Self(i64::MAX);
    /// Where fixes without a readable time are filed; they are kept but never judged.
    pub const UNDATED: Self = Self(0);

    /// From whole seconds since the epoch.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Whole milliseconds since the epoch, rounded down.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// This instant moved by `us` microseconds, saturating.
    #[must_use]
    pub const fn plus_us(self, us: i64) -> Self {
        Self(self.0.saturating_add(us))
    }

    /// Microseconds from `earlier` to this instant, saturating.
    #[must_use]
    pub const fn since_us(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The day in China (GMT+8), counted from 1970-01-01: the unit by which tracks are filed.
    #[must_use]
    pub const fn china_day(self) -> i32 {
        (self.0.saturating_add(CHINA_OFFSET_S * 1_000_000)).div_euclid(DAY_US) as i32
    }

    /// The first instant of a day in China, as counted by [`Timestamp::china_day`].
    #[must_use]
    pub const fn china_day_start(day: i32) -> Self {
        Self(day as i64 * DAY_US - CHINA_OFFSET_S * 1_000_000)
    }
}

/// A text that is no RFC 3339 instant with an offset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time with offset (like 2026-11-23T12:05:06+08:00): {0:?}")]
pub struct TimestampError(pub String);

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<jiff::Timestamp>()
            .map(|t| Self(t.as_microsecond()))
            .map_err(|_| TimestampError(text.chars().take(64).collect()))
    }
}

/// RFC 3339 at +08:00; fractions only as far as they are not zero.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => write!(f, "{}", t.display_with_offset(jiff::tz::offset(8))),
            Err(_) => write!(f, "out of range ({} us)", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_parses_china_time() {
        let cases = [
            (1_795_406_706_000_000, "2026-11-23T12:05:06+08:00"),
            (1_795_406_706_250_000, "2026-11-23T12:05:06.25+08:00"),
            (0, "1970-01-01T08:00:00+08:00"),
        ];
        for (us, text) in cases {
            assert_eq!(Timestamp(us).to_string(), text);
            assert_eq!(text.parse(), Ok(Timestamp(us)));
        }
        assert_eq!("2026-11-23T04:05:06Z".parse(), Ok(Timestamp(1_795_406_706_000_000)));
    }

    #[test]
    fn refuses_times_without_offset() {
        for text in ["2026-11-23T12:05:06", "2026-11-23", "yesterday", ""] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn days_turn_at_midnight_in_china() {
        let midnight: Timestamp = "2026-11-23T00:00:00+08:00".parse().expect("valid");
        let day = midnight.china_day();
        assert_eq!(Timestamp::china_day_start(day), midnight);
        assert_eq!(midnight.plus_us(-1).china_day(), day - 1);
        assert_eq!(midnight.plus_us(DAY_US - 1).china_day(), day);
    }
}
