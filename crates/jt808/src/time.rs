//! BCD times (BCD[6], YY MM DD hh mm ss, year 2000 + YY): calendar only, no clock.

use jiff::Timestamp;
use jiff::tz::Offset;
use std::fmt;

/// Offset of every time field but one: GMT+8. The exception is 0x8004, which carries UTC.
const GMT8_HOURS: i8 = 8;
const DAY_S: i64 = 86_400;
/// 2000-01-01T00:00:00Z in seconds since 1970.
const YEAR_2000_S: i64 = 946_684_800;
/// Days before each month in a year of 365 days.
const DAYS_BEFORE: [u16; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
/// Days of each month in a year of 365 days.
const DAYS_IN: [u8; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// A valid calendar time as terminals write it, zone not included.
///
/// The calendar is computed here, because every location report has one of these: between 2000 and 2099 every fourth
/// year is a leap year, and that is all there is to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BcdTime {
    /// Since 2000, 0 to 99.
    year: u8,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
}

fn from_bcd(byte: u8) -> Option<u8> {
    let (tens, ones) = (byte >> 4, byte & 15);
    (tens < 10 && ones < 10).then_some(tens * 10 + ones)
}

fn to_bcd(value: u8) -> u8 {
    ((value / 10) << 4) | (value % 10)
}

impl BcdTime {
    /// Reads the six bytes; `None` when they are no BCD or no calendar time.
    #[must_use]
    #[inline]
    pub fn parse(bytes: [u8; 6]) -> Option<Self> {
        let [year, month, day, hour, minute, second] = bytes.map(from_bcd);
        Self { year: year?, month: month?, day: day?, hour: hour?, minute: minute?, second: second? }.valid()
    }

    #[inline]
    fn valid(self) -> Option<Self> {
        let leap_day = u8::from(self.month == 2 && self.year.is_multiple_of(4));
        let days = DAYS_IN.get(usize::from(self.month).wrapping_sub(1))? + leap_day;
        let valid = (1..=days).contains(&self.day) && self.hour < 24 && self.minute < 60 && self.second < 60;
        valid.then_some(self)
    }

    /// The six bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 6] {
        [self.year, self.month, self.day, self.hour, self.minute, self.second].map(to_bcd)
    }

    fn at(seconds: i64, offset_hours: i8) -> Option<Self> {
        let stamp = Timestamp::from_second(seconds).ok()?;
        let time = Offset::constant(offset_hours).to_datetime(stamp);
        let year = u8::try_from(time.year() - 2000).ok().filter(|year| *year < 100)?;
        let [month, day, hour, minute, second] =
            [time.month(), time.day(), time.hour(), time.minute(), time.second()].map(i8::unsigned_abs);
        Some(Self { year, month, day, hour, minute, second })
    }

    #[inline]
    fn seconds(self, offset_hours: i8) -> i64 {
        let year = u16::from(self.year);
        let leap_days = year.div_ceil(4) + u16::from(self.month > 2 && year.is_multiple_of(4));
        let before = DAYS_BEFORE[usize::from(self.month - 1) % 12];
        let days = 365 * year + leap_days + before + u16::from(self.day) - 1;
        let clock = (i64::from(self.hour) * 60 + i64::from(self.minute)) * 60 + i64::from(self.second);
        YEAR_2000_S + i64::from(days) * DAY_S + clock - i64::from(offset_hours) * 3_600
    }

    /// The GMT+8 time of `utc_s` seconds since 1970; `None` outside 2000-2099.
    #[must_use]
    pub fn from_utc_s(utc_s: i64) -> Option<Self> {
        Self::at(utc_s, GMT8_HOURS)
    }

    /// Seconds since 1970, this being a GMT+8 time.
    #[must_use]
    #[inline]
    pub fn utc_s(self) -> i64 {
        self.seconds(GMT8_HOURS)
    }

    /// Like [`BcdTime::from_utc_s`] for the one field in UTC, 0x8004.
    #[must_use]
    pub fn zulu_from_utc_s(utc_s: i64) -> Option<Self> {
        Self::at(utc_s, 0)
    }

    /// Like [`BcdTime::utc_s`] for the one field in UTC, 0x8004.
    #[must_use]
    pub fn zulu_utc_s(self) -> i64 {
        self.seconds(0)
    }

    /// RFC 3339 with `+08:00`.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        format!("{self}+08:00")
    }

    /// RFC 3339 with `Z`, for 0x8004.
    #[must_use]
    pub fn to_rfc3339_zulu(self) -> String {
        format!("{self}Z")
    }
}

impl fmt::Display for BcdTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second } = self;
        write!(f, "20{year:02}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_the_century_has_its_seconds() {
        let begin = BcdTime::from_utc_s(YEAR_2000_S - 8 * 3_600).unwrap();
        assert_eq!(begin.to_bytes(), [0, 1, 1, 0, 0, 0]);
        for day in 0..36_525 {
            let noon_s = begin.utc_s() + day * DAY_S + 43_199;
            // Forth by another calendar than back.
            let time = BcdTime::from_utc_s(noon_s).unwrap();
            assert_eq!(time.utc_s(), noon_s);
            assert_eq!(BcdTime::parse(time.to_bytes()), Some(time));
        }
        assert_eq!(BcdTime::from_utc_s(begin.utc_s() + 36_525 * DAY_S), None);
        assert_eq!(BcdTime::from_utc_s(begin.utc_s() - 1), None);
    }

    #[test]
    fn times_by_table() {
        let cases = [
            ([0x26, 0x11, 0x23, 0x12, 0x05, 0x06], Some("2026-11-23T12:05:06+08:00")),
            ([0x24, 0x02, 0x29, 0, 0, 0], Some("2024-02-29T00:00:00+08:00")),
            ([0x23, 0x02, 0x29, 0, 0, 0], None),
            ([0; 6], None),
            ([0x26, 0x13, 0x01, 0, 0, 0], None),
            ([0x26, 0x0a, 0x01, 0, 0, 0], None),
            ([0x26, 0x11, 0x23, 0x24, 0, 0], None),
            ([0x26, 0x11, 0x23, 0x12, 0x60, 0], None),
            ([0x26, 0x11, 0x23, 0x12, 0, 0x60], None),
            ([0xff; 6], None),
        ];
        for (bytes, printed) in cases {
            let time = BcdTime::parse(bytes);
            assert_eq!(time.map(BcdTime::to_rfc3339).as_deref(), printed, "{bytes:x?}");
            if let Some(time) = time {
                assert_eq!(time.to_bytes(), bytes);
                assert_eq!(BcdTime::from_utc_s(time.utc_s()), Some(time));
            }
        }
    }

    #[test]
    fn gmt8_and_utc() {
        let time = BcdTime::parse([0x26, 0x11, 0x23, 0x12, 0x05, 0x06]).unwrap();
        assert_eq!(time.utc_s(), 1_795_406_706);
        assert_eq!(time.zulu_utc_s() - time.utc_s(), 8 * 3600);
        assert_eq!(BcdTime::zulu_from_utc_s(time.zulu_utc_s()), Some(time));
        assert_eq!(BcdTime::from_utc_s(0), None);
    }
}
