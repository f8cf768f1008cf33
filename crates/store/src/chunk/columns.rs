//! Fixes as columns of numbers, and back, bit for bit.

use model::{Fix, Marks, Position, RecordRef, TerminalId, Timestamp};

use super::numbers::Codec;
use super::{ChunkError, bcd};

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
    let mut calendar = bcd::Calendar::default();
    (0..count)
        .map(|row| {
            let rest = items.next().unwrap_or_default();
            fix(
                |place| table.numbers.get(place).and_then(|c| c.get(row)).copied().unwrap_or(0),
                &table.terminals,
                rest,
                &mut calendar,
            )
        })
        .collect()
}

fn fix(
    value: impl Fn(usize) -> i64,
    terminals: &[TerminalId],
    rest: Vec<u8>,
    calendar: &mut bcd::Calendar,
) -> Result<Fix, ChunkError> {
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
        0 => calendar.field(seconds.wrapping_add(value(place::BCD_SHIFT))).ok_or(ChunkError::Limit("bcd_shift"))?,
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
