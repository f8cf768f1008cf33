//! Fixes as columns of numbers, and back, bit for bit.

use model::{Fix, Marks, Position, RecordRef, TerminalId, Timestamp};

use super::ChunkError;
use super::numbers::Codec;

/// A number column: its id in the format, its name, and what it may be stored as.
pub(super) struct Column {
    pub(super) id: u8,
    pub(super) name: &'static str,
    pub(super) codecs: &'static [Codec],
}

const STEPS: &[Codec] = &[Codec::Plain, Codec::Delta, Codec::DeltaDelta];
const COUNTER: &[Codec] = &[Codec::Plain, Codec::Delta];
const COORDINATE: &[Codec] = &[
    Codec::Delta,
    Codec::DeltaDelta,
    Codec::Reckoned(0),
    Codec::Reckoned(1),
    Codec::Reckoned(2),
    Codec::Reckoned(3),
    Codec::Reckoned(4),
];

/// How many number columns there are.
pub(super) const WIDTH: usize = 21;

/// Places in [`COLUMNS`] and in a row.
pub(super) mod place {
    pub(crate) const TIME: usize = 0;
    pub(crate) const TIME_US: usize = 1;
    pub(crate) const TERMINAL: usize = 2;
    pub(crate) const ALARM: usize = 3;
    pub(crate) const STATUS: usize = 4;
    pub(crate) const SPEED: usize = 5;
    pub(crate) const DIRECTION: usize = 6;
    pub(crate) const LATITUDE: usize = 7;
    pub(crate) const LONGITUDE: usize = 8;
    pub(crate) const ALTITUDE: usize = 9;
    pub(crate) const BCD_SHIFT: usize = 10;
    pub(crate) const BCD_RAW: usize = 11;
    pub(crate) const MILEAGE_FORM: usize = 12;
    pub(crate) const MILEAGE: usize = 13;
    pub(crate) const MARKS: usize = 14;
    pub(crate) const RECEIVED: usize = 15;
    pub(crate) const RECEIVED_US: usize = 16;
    pub(crate) const SHARD: usize = 17;
    pub(crate) const SEQUENCE: usize = 18;
    pub(crate) const INDEX: usize = 19;
    pub(crate) const ITEM: usize = 20;
}

/// The number columns, in the order in which they are stored: a codec may look at the columns before its own.
pub(super) const COLUMNS: [Column; WIDTH] = [
    Column { id: 1, name: "time", codecs: STEPS },
    Column { id: 2, name: "time_us", codecs: COUNTER },
    Column { id: 3, name: "terminal", codecs: COUNTER },
    Column { id: 4, name: "alarm", codecs: COUNTER },
    Column { id: 5, name: "status", codecs: COUNTER },
    Column { id: 6, name: "speed", codecs: COUNTER },
    Column { id: 7, name: "direction", codecs: &[Codec::Plain, Codec::Delta, Codec::Circle] },
    Column { id: 8, name: "latitude", codecs: COORDINATE },
    Column { id: 9, name: "longitude", codecs: COORDINATE },
    Column { id: 10, name: "altitude", codecs: STEPS },
    Column { id: 11, name: "bcd_shift", codecs: COUNTER },
    Column { id: 12, name: "bcd_raw", codecs: STEPS },
    Column { id: 13, name: "mileage_form", codecs: COUNTER },
    Column { id: 14, name: "mileage", codecs: &[Codec::Delta, Codec::DeltaDelta, Codec::Odometer] },
    Column { id: 15, name: "marks", codecs: COUNTER },
    Column { id: 16, name: "received", codecs: &[Codec::Plain, Codec::Delta, Codec::DeltaDelta, Codec::Absolute] },
    Column { id: 17, name: "received_us", codecs: COUNTER },
    Column { id: 18, name: "shard", codecs: COUNTER },
    Column { id: 19, name: "sequence", codecs: &[Codec::Delta, Codec::DeltaDelta, Codec::Paced] },
    Column { id: 20, name: "index", codecs: COUNTER },
    Column { id: 21, name: "item", codecs: STEPS },
];

/// No odometer, and nothing was cut from the items.
const MILEAGE_NONE: i64 = 0;
/// The items began with the odometer item 0x01, which was cut from them.
const MILEAGE_LEADS: i64 = 1;
/// There is an odometer, but the items are kept whole.
const MILEAGE_APART: i64 = 2;

const MILEAGE_ITEM: [u8; 2] = [0x01, 0x04];

/// Fixes taken apart.
pub(super) struct Table {
    pub(super) terminals: Vec<TerminalId>,
    pub(super) numbers: Vec<Vec<i64>>,
}

/// The items of a fix without the odometer item where that is kept as a number.
pub(super) fn items_kept(fix: &Fix) -> &[u8] {
    if leads(fix) { fix.items.get(6..).unwrap_or_default() } else { &fix.items }
}

fn leads(fix: &Fix) -> bool {
    fix.mileage_hm.is_some_and(|mileage| {
        fix.items.starts_with(&MILEAGE_ITEM) && fix.items.get(2..6) == Some(&mileage.to_be_bytes()[..])
    })
}

/// Takes fixes apart.
pub(super) fn split<'a>(fixes: impl ExactSizeIterator<Item = &'a Fix>) -> Table {
    let mut terminals: Vec<TerminalId> = Vec::new();
    let mut numbers: Vec<Vec<i64>> = (0..WIDTH).map(|_| Vec::with_capacity(fixes.len())).collect();
    let mut mileage = 0;
    for fix in fixes {
        let terminal = terminals.iter().position(|t| *t == fix.terminal).unwrap_or_else(|| {
            terminals.push(fix.terminal);
            terminals.len() - 1
        });
        mileage = fix.mileage_hm.map_or(mileage, i64::from);
        let row = row(fix, terminal as i64, mileage);
        numbers.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    Table { terminals, numbers }
}

/// One fix as numbers. `mileage` is the last one known, so that a gap costs nothing.
fn row(fix: &Fix, terminal: i64, mileage: i64) -> [i64; WIDTH] {
    let mut row = [0; WIDTH];
    row[place::TIME] = fix.time.secs();
    row[place::TIME_US] = fix.time.0.rem_euclid(1_000_000);
    row[place::TERMINAL] = terminal;
    row[place::ALARM] = i64::from(fix.alarm);
    row[place::STATUS] = i64::from(fix.status);
    row[place::SPEED] = i64::from(fix.speed_dkmh);
    row[place::DIRECTION] = i64::from(fix.direction_deg);
    row[place::LATITUDE] = i64::from(fix.lat_wire);
    row[place::LONGITUDE] = i64::from(fix.lon_wire);
    row[place::ALTITUDE] = i64::from(fix.altitude_m());
    match bcd::seconds(fix.time_bcd) {
        Some(seconds) => row[place::BCD_SHIFT] = seconds.wrapping_sub(fix.time.secs()),
        None => row[place::BCD_RAW] = 1 + bcd::number(fix.time_bcd),
    }
    row[place::MILEAGE_FORM] = match fix.mileage_hm {
        None => MILEAGE_NONE,
        Some(_) if leads(fix) => MILEAGE_LEADS,
        Some(_) => MILEAGE_APART,
    };
    row[place::MILEAGE] = mileage;
    row[place::MARKS] = i64::from(fix.marks.0);
    row[place::RECEIVED] = fix.received.millis().wrapping_sub(fix.time.secs().wrapping_mul(1000));
    row[place::RECEIVED_US] = fix.received.0.rem_euclid(1000);
    row[place::SHARD] = i64::from(fix.source.position.shard);
    row[place::SEQUENCE] = fix.source.position.seq as i64;
    row[place::INDEX] = i64::from(fix.source.index);
    row[place::ITEM] = i64::from(fix.source.item);
    row
}

/// Puts fixes together again; `items` has one entry a row, or none at all when every row is without.
pub(super) fn join(table: &Table, count: usize, items: Vec<Vec<u8>>) -> Result<Vec<Fix>, ChunkError> {
    let mut items = items.into_iter();
    (0..count)
        .map(|row| {
            let rest = items.next().unwrap_or_default();
            fix(|place| table.numbers.get(place).and_then(|c| c.get(row)).copied().unwrap_or(0), &table.terminals, rest)
        })
        .collect()
}

fn fix(value: impl Fn(usize) -> i64, terminals: &[TerminalId], rest: Vec<u8>) -> Result<Fix, ChunkError> {
    fn narrow<T: TryFrom<i64>>(value: i64, place: usize) -> Result<T, ChunkError> {
        T::try_from(value).map_err(|_| ChunkError::Limit(COLUMNS.get(place).map_or("column", |c| c.name)))
    }
    let number = |place| narrow::<u32>(value(place), place);
    let short = |place| narrow::<u16>(value(place), place);
    let mileage = number(place::MILEAGE)?;
    let (mileage_hm, items) = match value(place::MILEAGE_FORM) {
        MILEAGE_NONE => (None, rest),
        MILEAGE_LEADS => (Some(mileage), [&MILEAGE_ITEM[..], &mileage.to_be_bytes()[..], &rest].concat()),
        MILEAGE_APART => (Some(mileage), rest),
        _ => return Err(ChunkError::Limit("mileage_form")),
    };
    let seconds = value(place::TIME);
    let time_bcd = match value(place::BCD_RAW) {
        0 => bcd::from_seconds(seconds.wrapping_add(value(place::BCD_SHIFT))).ok_or(ChunkError::Limit("bcd_shift"))?,
        raw => bcd::from_number(raw.wrapping_sub(1)).ok_or(ChunkError::Limit("bcd_raw"))?,
    };
    let received_ms = seconds.wrapping_mul(1000).wrapping_add(value(place::RECEIVED));
    let terminal = usize::try_from(value(place::TERMINAL)).ok().and_then(|t| terminals.get(t));
    Ok(Fix {
        terminal: *terminal.ok_or(ChunkError::Limit("terminal"))?,
        time: Timestamp(seconds.wrapping_mul(1_000_000).wrapping_add(value(place::TIME_US))),
        received: Timestamp(received_ms.wrapping_mul(1000).wrapping_add(value(place::RECEIVED_US))),
        source: RecordRef {
            position: Position { shard: short(place::SHARD)?, seq: value(place::SEQUENCE) as u64 },
            index: number(place::INDEX)?,
            item: short(place::ITEM)?,
        },
        alarm: number(place::ALARM)?,
        status: number(place::STATUS)?,
        lat_wire: number(place::LATITUDE)?,
        lon_wire: number(place::LONGITUDE)?,
        altitude_wire: narrow::<i16>(value(place::ALTITUDE), place::ALTITUDE)? as u16,
        speed_dkmh: short(place::SPEED)?,
        direction_deg: short(place::DIRECTION)?,
        time_bcd,
        mileage_hm,
        items: items.into_boxed_slice(),
        marks: Marks(short(place::MARKS)?),
    })
}

/// The BCD time field, `YYMMDDhhmmss` at +08:00, years 2000 to 2099.
mod bcd {
    const DAY_S: i64 = 86_400;
    const ZONE_S: i64 = 8 * 3600;

    /// Seconds since the epoch; `None` when the field is no date and time, or not in canonical form.
    pub(super) fn seconds(field: [u8; 6]) -> Option<i64> {
        let mut parts = [0_i64; 6];
        for (part, byte) in parts.iter_mut().zip(field) {
            let (tens, ones) = (byte >> 4, byte & 15);
            *part = i64::from((tens < 10 && ones < 10).then_some(tens * 10 + ones)?);
        }
        let [year, month, day, hour, minute, second] = parts;
        let fits = (1..=12).contains(&month) && day >= 1 && hour < 24 && minute < 60 && second < 60;
        let days = fits.then(|| days_from_civil(2000 + year, month, day))?;
        let seconds = days * DAY_S + hour * 3600 + minute * 60 + second - ZONE_S;
        // A 31st of February is the third of March to the arithmetic: only what comes back the same is a date.
        (from_seconds(seconds) == Some(field)).then_some(seconds)
    }

    /// The field for an instant; `None` outside 2000 to 2099.
    pub(super) fn from_seconds(seconds: i64) -> Option<[u8; 6]> {
        let local = seconds.checked_add(ZONE_S)?;
        let (days, of_day) = (local.div_euclid(DAY_S), local.rem_euclid(DAY_S));
        if !(10_957..47_482).contains(&days) {
            return None;
        }
        let (year, month, day) = civil_from_days(days);
        let parts = [year - 2000, month, day, of_day / 3600, of_day / 60 % 60, of_day % 60];
        Some(parts.map(|part| (part / 10 * 16 + part % 10) as u8))
    }

    /// The six bytes as one big-endian number.
    pub(super) fn number(field: [u8; 6]) -> i64 {
        field.iter().fold(0, |value, byte| value << 8 | i64::from(*byte))
    }

    /// The inverse of [`number`].
    pub(super) fn from_number(number: i64) -> Option<[u8; 6]> {
        match number.to_be_bytes() {
            [0, 0, rest @ ..] => Some(rest),
            _ => None,
        }
    }

    /// Days from 1970-01-01, proleptic Gregorian; years from 2000 only, so that nothing is negative.
    fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
        let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
        let (era, of_era) = (year / 400, year % 400);
        let of_year = (153 * month + 2) / 5 + day - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    fn civil_from_days(days: i64) -> (i64, i64, i64) {
        let shifted = days + 719_468;
        let (era, of_era) = (shifted / 146_097, shifted % 146_097);
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        (era * 400 + year + carry, month, day)
    }

    #[cfg(test)]
    mod tests {
        use model::Timestamp;

        use super::*;

        #[test]
        fn every_day_of_the_century_comes_back() {
            let first: Timestamp = "2000-01-01T00:00:00+08:00".parse().expect("valid");
            assert_eq!(seconds([0, 1, 1, 0, 0, 0]), Some(first.secs()));
            for day in 10_957..47_482 {
                let at = Timestamp::china_day_start(day).secs() + 45_296;
                let field = from_seconds(at).expect("in the century");
                let text: String = field.iter().map(|b| format!("{b:02x}")).collect();
                let shown: String =
                    Timestamp::from_secs(at).to_string()[2..19].chars().filter(char::is_ascii_digit).collect();
                assert_eq!(text, shown);
                assert_eq!(seconds(field), Some(at));
            }
        }

        #[test]
        fn what_is_no_date_is_kept_raw() {
            for field in
                [[0; 6], [0x26, 0x02, 0x29, 0, 0, 0], [0x26, 0x1a, 1, 0, 0, 0], [0xff; 6], [0x26, 1, 1, 0x24, 0, 0]]
            {
                assert_eq!(seconds(field), None, "{field:x?}");
                assert_eq!(from_number(number(field)), Some(field));
            }
        }
    }
}
