//! BCD times (BCD[6], YY MM DD hh mm ss, year 2000 + YY): calendar only, no clock.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// Offset of every time field but one: GMT+8. The exception is 0x8004, which carries UTC.
const GMT8_HOURS: i8 = 8;

/// A valid calendar time as terminals write it, zone not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BcdTime(DateTime);

fn from_bcd(byte: u8) -> Option<i8> {
    let (tens, ones) = (byte >> 4, byte & 15);
    (tens < 10 && ones < 10).then_some((tens * 10 + ones) as i8)
}

fn to_bcd(value: i8) -> u8 {
    let value = value.unsigned_abs();
    ((value / 10) << 4) | (value % 10)
}

impl BcdTime {
    /// Reads the six bytes; `None` when they are no BCD or no calendar time.
    #[must_use]
    pub fn parse(bytes: [u8; 6]) -> Option<Self> {
        let [year, month, day, hour, minute, second] = bytes.map(from_bcd);
        let year = 2000 + i16::from(year?);
        DateTime::new(year, month?, day?, hour?, minute?, second?, 0).ok().map(Self)
    }

    /// The six bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 6] {
        let time = self.0;
        let year = (time.year() - 2000) as i8;
        [year, time.month(), time.day(), time.hour(), time.minute(), time.second()].map(to_bcd)
    }

    fn at(seconds: i64, offset_hours: i8) -> Option<Self> {
        let stamp = Timestamp::from_second(seconds).ok()?;
        let time = Offset::constant(offset_hours).to_datetime(stamp);
        (2000..2100).contains(&time.year()).then_some(())?;
        time.with().subsec_nanosecond(0).build().ok().map(Self)
    }

    fn seconds(self, offset_hours: i8) -> i64 {
        // A calendar year between 2000 and 2099 is always a timestamp.
        Offset::constant(offset_hours).to_timestamp(self.0).map_or(0, Timestamp::as_second)
    }

    /// The GMT+8 time of `utc_s` seconds since 1970; `None` outside 2000-2099.
    #[must_use]
    pub fn from_utc_s(utc_s: i64) -> Option<Self> {
        Self::at(utc_s, GMT8_HOURS)
    }

    /// Seconds since 1970, this being a GMT+8 time.
    #[must_use]
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
        format!("{}+08:00", self.0)
    }

    /// RFC 3339 with `Z`, for 0x8004.
    #[must_use]
    pub fn to_rfc3339_zulu(self) -> String {
        format!("{}Z", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
