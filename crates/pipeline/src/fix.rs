//! From a location body to a [`Fix`]: lossless fields, and the marks that say what is odd about it.

use jt808::{BASE_LEN, LocationView};
use model::{Fix, Marks, RecordRef, TerminalId, Timestamp};

/// Fixes from before this instant (2010-01-01 in China) have an impossible time.
const OLDEST: Timestamp = Timestamp::from_secs(1_262_275_200);
/// A fix may lie this far after its receipt.
const FUTURE_MAX_US: i64 = 24 * 3600 * 1_000_000;
/// Reference range of the national assessment (domain reference 3.3), 0.1 km/h.
const SPEED_MAX_DKMH: u16 = 1600;
const ALTITUDE_M: std::ops::RangeInclusive<i32> = -200..=6500;
const MICRO_LAT_MAX: u32 = 90_000_000;
const MICRO_LON_MAX: u32 = 180_000_000;
/// Status bit 1: positioned (已定位).
const POSITIONED: u32 = 1 << 1;

/// Where a body came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub terminal: TerminalId,
    pub received: Timestamp,
    pub source: RecordRef,
    /// [`Marks::BATCH`] and [`Marks::BACKFILL`], or none.
    pub marks: Marks,
}

/// The fix in a location body.
pub(crate) fn fix(view: &LocationView<'_>, body_tail: &[u8], origin: Origin) -> Fix {
    let base: &[u8; BASE_LEN] = view.base();
    let word = |at: usize| u16::from_be_bytes([base[at], base[at + 1]]);
    let dword = |at: usize| u32::from_be_bytes([base[at], base[at + 1], base[at + 2], base[at + 3]]);
    let time = view.time_utc_s().map_or(Timestamp::UNDATED, Timestamp::from_secs);
    let received = Timestamp(origin.received.millis().saturating_mul(1000));
    let mut fix = Fix {
        terminal: origin.terminal,
        time,
        received,
        source: origin.source,
        alarm: dword(0),
        status: dword(4),
        lat_wire: dword(8),
        lon_wire: dword(12),
        altitude_wire: word(16),
        speed_dkmh: word(18),
        direction_deg: word(20),
        time_bcd: view.time_bcd(),
        mileage_hm: mileage_hm(view),
        items: body_tail.into(),
        marks: Marks::default(),
    };
    fix.marks = origin.marks.with(marks(&fix, view.altitude_m()));
    fix
}

/// Odometer (里程), item 0x01 of four bytes, 0.1 km.
fn mileage_hm(view: &LocationView<'_>) -> Option<u32> {
    view.items().find(|item| item.id == 1).and_then(|item| item.raw.try_into().ok()).map(u32::from_be_bytes)
}

fn marks(fix: &Fix, altitude_m: i32) -> Marks {
    let mut marks = Marks::default();
    let mut set = |when: bool, mark: Marks| {
        if when {
            marks = marks.with(mark);
        }
    };
    let undated = fix.time == Timestamp::UNDATED;
    set(undated, Marks::UNDATED);
    set(!undated && fix.time < OLDEST, Marks::TOO_OLD);
    set(!undated && fix.time.since_us(fix.received) > FUTURE_MAX_US, Marks::FUTURE);
    let swapped = fix.lat_wire > MICRO_LAT_MAX && fix.lat_wire <= MICRO_LON_MAX && fix.lon_wire <= MICRO_LAT_MAX;
    set(swapped, Marks::SWAPPED);
    let (lat, lon) = if swapped { (fix.lon_wire, fix.lat_wire) } else { (fix.lat_wire, fix.lon_wire) };
    set(lat > MICRO_LAT_MAX || lon > MICRO_LON_MAX, Marks::OFF_GLOBE);
    set(fix.status & POSITIONED == 0 || (lat == 0 && lon == 0), Marks::NO_POSITION);
    set(fix.speed_dkmh > SPEED_MAX_DKMH, Marks::SPEED_RANGE);
    set(!ALTITUDE_M.contains(&altitude_m), Marks::ALTITUDE_RANGE);
    set(fix.direction_deg > 359, Marks::DIRECTION_RANGE);
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(status: u32, lat: u32, lon: u32, speed: u16, bcd: [u8; 6], items: &[u8]) -> Vec<u8> {
        let mut out = vec![0; 4];
        out.extend(status.to_be_bytes());
        out.extend(lat.to_be_bytes());
        out.extend(lon.to_be_bytes());
        out.extend(1900u16.to_be_bytes());
        out.extend(speed.to_be_bytes());
        out.extend(90u16.to_be_bytes());
        out.extend(bcd);
        out.extend(items);
        out
    }

    fn read(body: &[u8]) -> Fix {
        let origin = Origin {
            terminal: TerminalId::from_wire(&[1]),
            received: Timestamp::from_secs(1_795_406_710),
            source: RecordRef::default(),
            marks: Marks::default(),
        };
        fix(&LocationView::new(body).expect("28 bytes"), &body[BASE_LEN..], origin)
    }

    const NOON: [u8; 6] = [0x26, 0x11, 0x23, 0x12, 0x05, 0x06];

    #[test]
    fn the_body_can_be_written_back() {
        let bytes = body(3, 25_500_000, 103_800_000, 605, NOON, &[1, 4, 0, 0, 48, 57, 0x30, 1, 20]);
        let fix = read(&bytes);
        assert_eq!([&fix.base()[..], &fix.items].concat(), bytes);
        assert_eq!((fix.mileage_hm, fix.time.secs(), fix.marks), (Some(12345), 1_795_406_706, Marks::default()));
    }

    #[test]
    fn marks_are_per_field() {
        let ok = (25_500_000, 103_800_000);
        type Case = (u32, (u32, u32), u16, [u8; 6], Marks);
        let cases: [Case; 9] = [
            (3, ok, 605, NOON, Marks::default()),
            (1, ok, 605, NOON, Marks::NO_POSITION),
            (3, (0, 0), 605, NOON, Marks::NO_POSITION),
            (3, (103_800_000, 25_500_000), 605, NOON, Marks::SWAPPED),
            (3, (190_000_000, 25_500_000), 605, NOON, Marks::OFF_GLOBE),
            (3, ok, 1601, NOON, Marks::SPEED_RANGE),
            (3, ok, 605, [0; 6], Marks::UNDATED),
            (3, ok, 605, [0x09, 0x11, 0x23, 0x12, 0x05, 0x06], Marks::TOO_OLD),
            (3, ok, 605, [0x26, 0x11, 0x24, 0x12, 0x05, 0x11], Marks::FUTURE),
        ];
        for (status, (lat, lon), speed, bcd, marks) in cases {
            assert_eq!(read(&body(status, lat, lon, speed, bcd, &[])).marks, marks, "{status} {lat} {lon} {bcd:x?}");
        }
    }
}
