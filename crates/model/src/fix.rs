//! A fix (定位点): one location report, kept lossless, with what the server knows about its arrival.

use crate::{RecordRef, TerminalId, Timestamp};

/// Length of the basic information of a location report (位置基本信息), JT/T 808 8.12.
pub const BASE_LEN: usize = 28;

/// What was found odd about a fix. Bits, so that they can be kept as a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Marks(pub u16);

impl Marks {
    /// The time field is no date: filed under [`Timestamp::UNDATED`], never judged.
    pub const UNDATED: Self = Self(1);
    /// The time lies before 2010: kept, never judged.
    pub const TOO_OLD: Self = Self(1 << 1);
    /// The time lies more than 24 h after receipt: kept, never judged.
    pub const FUTURE: Self = Self(1 << 2);
    /// Not positioned (status bit 1 clear), or 0,0: no position to judge.
    pub const NO_POSITION: Self = Self(1 << 3);
    /// Latitude and longitude were swapped on the wire; the accessors swap them back. Judged with low confidence.
    pub const SWAPPED: Self = Self(1 << 4);
    /// Latitude or longitude is outside the globe even after swapping: no position to judge.
    pub const OFF_GLOBE: Self = Self(1 << 5);
    /// Speed above 160 km/h: the position is judged all the same, the speed together with the implied one.
    pub const SPEED_RANGE: Self = Self(1 << 6);
    /// Altitude outside -200..6,500 m: counts against data quality, nothing else.
    pub const ALTITUDE_RANGE: Self = Self(1 << 7);
    /// Direction above 359 degrees: counts against data quality, nothing else.
    pub const DIRECTION_RANGE: Self = Self(1 << 8);
    /// Came in a batch report (0x0704).
    pub const BATCH: Self = Self(1 << 9);
    /// Came as a blind-area supplement (盲区补报, 0x0704 type 1).
    pub const BACKFILL: Self = Self(1 << 10);
    /// Came after a fix of later event time of the same vehicle had been judged (补传).
    pub const LATE: Self = Self(1 << 11);

    const UNJUDGEABLE: u16 =
        Self::UNDATED.0 | Self::TOO_OLD.0 | Self::FUTURE.0 | Self::NO_POSITION.0 | Self::OFF_GLOBE.0;
    const IMPOSSIBLE_TIME: u16 = Self::UNDATED.0 | Self::TOO_OLD.0 | Self::FUTURE.0;

    /// Both sets of marks.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The identity of a fix: (terminal, fix time, hash of the location body with its items).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FixKey {
    /// Fix time.
    pub time: Timestamp,
    /// Who reported it.
    pub terminal: TerminalId,
    /// First eight bytes, big-endian, of the SHA-256 of the whole location body.
    pub body_hash: u64,
}

/// One location report (位置信息汇报). The wire fields are kept as they came, so that the 28 bytes and the items
/// can be written back bit for bit; the accessors give them meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// Which terminal reported it.
    pub terminal: TerminalId,
    /// When the position was taken (GMT+8 on the wire), whole seconds; [`Timestamp::UNDATED`] when unreadable.
    pub time: Timestamp,
    /// When the server received it, milliseconds kept.
    pub received: Timestamp,
    /// Where it lies in the journal.
    pub source: RecordRef,
    /// Alarm flags (报警标志).
    pub alarm: u32,
    /// Status bits (状态位).
    pub status: u32,
    /// Latitude field, 1e-6 degree, unsigned as on the wire.
    pub lat_wire: u32,
    /// Longitude field, 1e-6 degree, unsigned as on the wire.
    pub lon_wire: u32,
    /// Altitude field (高程), metres, two's complement.
    pub altitude_wire: u16,
    /// Speed (速度), 0.1 km/h.
    pub speed_dkmh: u16,
    /// Direction (方向), degrees from north, clockwise.
    pub direction_deg: u16,
    /// The time field, BCD `YYMMDDhhmmss`.
    pub time_bcd: [u8; 6],
    /// Odometer (里程, item 0x01), 0.1 km.
    pub mileage_hm: Option<u32>,
    /// All additional items (位置附加信息项) as they came, stray tail included.
    pub items: Box<[u8]>,
    /// What is odd about it.
    pub marks: Marks,
}

impl Fix {
    fn signed(wire: u32, negative: bool) -> f64 {
        let degrees = f64::from(wire) / 1e6;
        if negative { -degrees } else { degrees }
    }

    /// Latitude, degrees, WGS-84 (swapped back where the terminal had swapped it).
    #[must_use]
    pub fn lat(&self) -> f64 {
        let wire = if self.marks.has(Marks::SWAPPED) { self.lon_wire } else { self.lat_wire };
        Self::signed(wire, self.status & 4 != 0)
    }

    /// Longitude, degrees, WGS-84 (swapped back where the terminal had swapped it).
    #[must_use]
    pub fn lon(&self) -> f64 {
        let wire = if self.marks.has(Marks::SWAPPED) { self.lat_wire } else { self.lon_wire };
        Self::signed(wire, self.status & 8 != 0)
    }

    /// Altitude, metres.
    #[must_use]
    pub const fn altitude_m(&self) -> i16 {
        self.altitude_wire as i16
    }

    /// Speed, km/h.
    #[must_use]
    pub fn speed_kmh(&self) -> f64 {
        f64::from(self.speed_dkmh) / 10.0
    }

    /// Whether the ignition is on (ACC, status bit 0).
    #[must_use]
    pub const fn acc_on(&self) -> bool {
        self.status & 1 != 0
    }

    /// Whether rules may look at it: it has a possible time and a position on the globe.
    #[must_use]
    pub const fn is_judgeable(&self) -> bool {
        self.marks.0 & Marks::UNJUDGEABLE == 0
    }

    /// Whether its time can be believed.
    #[must_use]
    pub const fn is_dated(&self) -> bool {
        self.marks.0 & Marks::IMPOSSIBLE_TIME == 0
    }

    /// The 28 bytes of basic information exactly as they were on the wire.
    #[must_use]
    pub fn base(&self) -> [u8; BASE_LEN] {
        let mut base = [0; BASE_LEN];
        base[0..4].copy_from_slice(&self.alarm.to_be_bytes());
        base[4..8].copy_from_slice(&self.status.to_be_bytes());
        base[8..12].copy_from_slice(&self.lat_wire.to_be_bytes());
        base[12..16].copy_from_slice(&self.lon_wire.to_be_bytes());
        base[16..18].copy_from_slice(&self.altitude_wire.to_be_bytes());
        base[18..20].copy_from_slice(&self.speed_dkmh.to_be_bytes());
        base[20..22].copy_from_slice(&self.direction_deg.to_be_bytes());
        base[22..28].copy_from_slice(&self.time_bcd);
        base
    }

    /// Order in a track: by time, then by body (base, then items), then by terminal and place in the journal. Two
    /// fixes that are equal up to the terminal are one report that came twice.
    #[must_use]
    pub fn track_order(&self, other: &Self) -> std::cmp::Ordering {
        self.identity_order(other).then_with(|| self.source.cmp(&other.source))
    }

    /// [`Fix::track_order`] without the place in the journal: `Equal` means the same fix.
    #[must_use]
    pub fn identity_order(&self, other: &Self) -> std::cmp::Ordering {
        self.time
            .cmp(&other.time)
            .then_with(|| self.base().cmp(&other.base()))
            .then_with(|| self.items.cmp(&other.items))
            .then_with(|| self.terminal.cmp(&other.terminal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix() -> Fix {
        Fix {
            terminal: TerminalId::from_wire(&[1]),
            time: Timestamp::from_secs(1_795_406_706),
            received: Timestamp::from_secs(1_795_406_707),
            source: RecordRef::default(),
            alarm: 1,
            status: 0b11,
            lat_wire: 32_050_000,
            lon_wire: 118_790_000,
            altitude_wire: 0xfff0,
            speed_dkmh: 605,
            direction_deg: 90,
            time_bcd: [0x26, 0x11, 0x23, 0x12, 0x05, 0x06],
            mileage_hm: None,
            items: Box::default(),
            marks: Marks::default(),
        }
    }

    #[test]
    fn accessors_follow_the_status_word() {
        let mut f = fix();
        assert_eq!((f.lat(), f.lon(), f.altitude_m()), (32.05, 118.79, -16));
        f.status |= 4 | 8;
        assert_eq!((f.lat(), f.lon()), (-32.05, -118.79));
        f.status &= !(4 | 8);
        f.marks = Marks::SWAPPED;
        assert_eq!((f.lat(), f.lon()), (118.79, 32.05));
    }

    #[test]
    fn base_is_the_wire_again() {
        let hex: String = fix().base().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "000000010000000301e90b5007149770fff0025d005a261123120506");
    }

    #[test]
    fn marks_decide_what_is_judged() {
        let mut f = fix();
        assert!(f.is_judgeable());
        f.marks = Marks::SPEED_RANGE.with(Marks::SWAPPED).with(Marks::BATCH);
        assert!(f.is_judgeable() && f.is_dated());
        f.marks = Marks::FUTURE;
        assert!(!f.is_judgeable() && !f.is_dated());
        f.marks = Marks::NO_POSITION;
        assert!(!f.is_judgeable() && f.is_dated());
    }
}
