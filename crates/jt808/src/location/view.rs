//! A location body as a view: offsets have names, nothing is copied, nothing is judged.

use super::{ItemView, Items, LocationReport, signed_altitude_m, signed_e6, status};
use crate::{BcdTime, Oddities, Oddity};

/// Length of the basic info (位置基本信息).
pub const BASE_LEN: usize = 28;

/// Offsets in the basic info, JT/T 808-2019 8.21.
mod at {
    pub(super) const ALARM: usize = 0;
    pub(super) const STATUS: usize = 4;
    pub(super) const LATITUDE: usize = 8;
    pub(super) const LONGITUDE: usize = 12;
    pub(super) const ALTITUDE: usize = 16;
    pub(super) const SPEED: usize = 18;
    pub(super) const DIRECTION: usize = 20;
    pub(super) const TIME: usize = 22;
}

/// A location body: 28 bytes and items. Coordinates are as sent; whether they make sense (swapped,
/// 0/0, not positioned) is for others to judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocationView<'a> {
    base: &'a [u8; BASE_LEN],
    extra: &'a [u8],
}

impl<'a> LocationView<'a> {
    /// Looks at a location body; `None` when it is shorter than [`BASE_LEN`].
    #[must_use]
    #[inline]
    pub fn new(body: &'a [u8]) -> Option<Self> {
        let (base, extra) = body.split_first_chunk()?;
        Some(Self { base, extra })
    }

    #[inline]
    fn array<const N: usize>(&self, offset: usize) -> [u8; N] {
        let mut out = [0; N];
        // Every offset above leaves room for its field.
        out.copy_from_slice(&self.base[offset..offset + N]);
        out
    }

    #[inline]
    fn word(&self, offset: usize) -> u16 {
        u16::from_be_bytes(self.array(offset))
    }

    #[inline]
    fn dword(&self, offset: usize) -> u32 {
        u32::from_be_bytes(self.array(offset))
    }

    /// Alarm flags (报警标志).
    #[must_use]
    #[inline]
    pub fn alarm(&self) -> u32 {
        self.dword(at::ALARM)
    }

    /// Status bits (状态), see [`status`](mod@super::status).
    #[must_use]
    #[inline]
    pub fn status(&self) -> u32 {
        self.dword(at::STATUS)
    }

    /// Whether status bit 1 says that the position is a fix.
    #[must_use]
    pub fn is_positioned(&self) -> bool {
        self.status() & status::POSITIONED != 0
    }

    /// Latitude in millionths of a degree, south negative (by status bit 2).
    #[must_use]
    #[inline]
    pub fn lat_e6(&self) -> i32 {
        signed_e6(self.dword(at::LATITUDE), self.status(), status::SOUTH)
    }

    /// Longitude in millionths of a degree, west negative (by status bit 3).
    #[must_use]
    #[inline]
    pub fn lon_e6(&self) -> i32 {
        signed_e6(self.dword(at::LONGITUDE), self.status(), status::WEST)
    }

    /// Altitude in metres; raw values above 0x8000 are read as negative.
    #[must_use]
    #[inline]
    pub fn altitude_m(&self) -> i32 {
        signed_altitude_m(self.word(at::ALTITUDE))
    }

    /// GNSS speed in tenths of a km/h.
    #[must_use]
    #[inline]
    pub fn speed_dkmh(&self) -> u16 {
        self.word(at::SPEED)
    }

    /// Direction in degrees, north 0, clockwise.
    #[must_use]
    #[inline]
    pub fn direction_deg(&self) -> u16 {
        self.word(at::DIRECTION)
    }

    /// Time as sent, YY MM DD hh mm ss.
    #[must_use]
    #[inline]
    pub fn time_bcd(&self) -> [u8; 6] {
        self.array(at::TIME)
    }

    /// Time, if it is a calendar time.
    #[must_use]
    #[inline]
    pub fn time(&self) -> Option<BcdTime> {
        BcdTime::parse(self.time_bcd())
    }

    /// Time in seconds since 1970, read as GMT+8.
    #[must_use]
    #[inline]
    pub fn time_utc_s(&self) -> Option<i64> {
        self.time().map(BcdTime::utc_s)
    }

    /// The 28 bytes of the basic info.
    #[must_use]
    pub fn base(&self) -> &'a [u8; BASE_LEN] {
        self.base
    }

    /// The additional items (位置附加信息项), in order, duplicates included.
    #[must_use]
    #[inline]
    pub fn items(&self) -> Items<'a> {
        Items::new(self.extra)
    }

    /// The first item with this id and the standard's length.
    #[must_use]
    pub fn item(&self, id: u8) -> Option<ItemView<'a>> {
        self.items().find(|item| item.id == id && item.value().is_some())
    }

    /// An owned copy; what is odd goes to `oddities`.
    #[must_use]
    pub fn to_report(&self, oddities: &mut Oddities) -> LocationReport {
        let mut items = self.items();
        let owned = items.by_ref().map(ItemView::to_item).collect();
        oddities.note_if(self.time().is_none(), Oddity::TimeInvalid);
        oddities.note_if(!items.rest().is_empty(), Oddity::TrailingBytes);
        LocationReport {
            alarm: self.alarm(),
            status: self.status(),
            latitude_raw: self.dword(at::LATITUDE),
            longitude_raw: self.dword(at::LONGITUDE),
            altitude_raw: self.word(at::ALTITUDE),
            speed_dkmh: self.speed_dkmh(),
            direction_deg: self.direction_deg(),
            time_bcd: self.time_bcd(),
            items: owned,
            tail: items.rest().to_vec(),
        }
    }
}
