//! One vehicle's fixes, each coded against the one before: 60 to 100 ns and about 20 bytes a fix.

use model::{Fix, Marks, Position, RecordRef, TerminalId, Timestamp};

use crate::chunk::ChunkError;
use crate::chunk::bcd::Calendar;

/// Bits of the word that begins every fix: what follows because it is not as in the fix before, or not as usual.
mod flag {
    pub(super) const TERMINAL: u16 = 1;
    pub(super) const ALARM: u16 = 1 << 1;
    pub(super) const STATUS: u16 = 1 << 2;
    pub(super) const MARKS: u16 = 1 << 3;
    pub(super) const SHARD: u16 = 1 << 4;
    pub(super) const ITEM: u16 = 1 << 5;
    /// The time is not in whole seconds.
    pub(super) const TIME_US: u16 = 1 << 6;
    /// The received time is not in whole milliseconds after the time.
    pub(super) const RECEIVED_US: u16 = 1 << 7;
    /// The time field is not the time in China.
    pub(super) const BCD: u16 = 1 << 8;
    /// The items without their odometer differ.
    pub(super) const ITEMS: u16 = 1 << 9;
    pub(super) const MILEAGE: u16 = 1 << 10;
    /// The odometer item led the items and was cut off.
    pub(super) const LEADS: u16 = 1 << 11;
}

const MILEAGE_ITEM: [u8; 2] = [0x01, 0x04];
const MILEAGE_ITEM_LEN: usize = 6;
/// Items longer than this are never taken over from the fix before: a short input makes no long output.
const REPEAT_MAX: usize = 1024;
/// No coded fix is shorter.
const FIX_LEN_MIN: usize = 12;
const SECOND_US: i64 = 1_000_000;

/// What the first fix is coded against.
fn nothing() -> Fix {
    Fix {
        terminal: TerminalId::from_wire(&[]),
        time: Timestamp(0),
        received: Timestamp(0),
        source: RecordRef::default(),
        alarm: 0,
        status: 0,
        lat_wire: 0,
        lon_wire: 0,
        altitude_wire: 0,
        speed_dkmh: 0,
        direction_deg: 0,
        time_bcd: [0; 6],
        mileage_hm: None,
        items: Box::default(),
        marks: Marks(0),
    }
}

/// Writes one strand.
pub(crate) struct Encoder {
    bytes: Vec<u8>,
    count: usize,
    /// The fix before, without its items.
    last: Fix,
    /// The odometer that was seen last.
    mileage: u32,
    /// Where the items of the fix before lie in `bytes`.
    items: (usize, usize),
}

impl Default for Encoder {
    fn default() -> Self {
        Self { bytes: Vec::new(), count: 0, last: nothing(), mileage: 0, items: (0, 0) }
    }
}

/// Room for one fix without its items.
struct Scratch {
    bytes: [u8; 128],
    len: usize,
}

impl Scratch {
    fn put(&mut self, bytes: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.len..self.len + bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.put(&[(value as u8) | 0x80]);
            value >>= 7;
        }
        self.put(&[value as u8]);
    }

    fn signed(&mut self, value: i64) {
        self.varint(((value << 1) ^ (value >> 63)) as u64);
    }

    fn step(&mut self, now: impl Into<i64>, before: impl Into<i64>) {
        self.signed(now.into().wrapping_sub(before.into()));
    }
}

/// Whether the items begin with the odometer, and what they are without it.
fn kept(mileage_hm: Option<u32>, items: &[u8]) -> (bool, &[u8]) {
    match (mileage_hm, items.split_at_checked(MILEAGE_ITEM_LEN)) {
        (Some(mileage), Some(([a, b, value @ ..], rest)))
            if [*a, *b] == MILEAGE_ITEM && *value == mileage.to_be_bytes() =>
        {
            (true, rest)
        }
        _ => (false, items),
    }
}

impl Encoder {
    /// Fixes so far.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// What was coded so far.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was coded, as short as it is.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// The last fix, without its items.
    pub(crate) const fn last(&self) -> &Fix {
        &self.last
    }

    /// Looks at what [`Encoder::push`] will need, so that it is near when it does.
    pub(crate) fn touch(&self) -> u32 {
        let byte = |at| self.bytes.get(at).copied().map_or(0, u32::from);
        byte(self.items.0) ^ byte(self.bytes.len().wrapping_sub(1)) ^ self.last.lat_wire ^ self.mileage
    }

    /// Appends a fix.
    pub(crate) fn push(&mut self, mut fix: Fix, calendar: &mut Calendar) {
        let items = std::mem::take(&mut fix.items);
        let (leads, kept) = kept(fix.mileage_hm, &items);
        let mut out = Scratch { bytes: [0; 128], len: 2 };
        let mut flags = self.put_times(&mut out, &fix, calendar);
        let (last, source) = (&self.last, &fix.source);
        let mut differs = |bit, differs: bool| {
            flags |= if differs { bit } else { 0 };
            differs
        };
        out.signed(source.position.seq.wrapping_sub(last.source.position.seq) as i64);
        out.varint(u64::from(source.index));
        out.step(fix.lat_wire, last.lat_wire);
        out.step(fix.lon_wire, last.lon_wire);
        out.step(fix.altitude_m(), last.altitude_m());
        out.step(fix.speed_dkmh, last.speed_dkmh);
        out.step(fix.direction_deg, last.direction_deg);
        if differs(flag::TERMINAL, fix.terminal != last.terminal) {
            let [.., a, b, c, d, e, f, g, h, i, j] = fix.terminal.value().to_be_bytes();
            out.put(&[a, b, c, d, e, f, g, h, i, j]);
        }
        if differs(flag::ALARM, fix.alarm != last.alarm) {
            out.put(&fix.alarm.to_le_bytes());
        }
        if differs(flag::STATUS, fix.status != last.status) {
            out.put(&fix.status.to_le_bytes());
        }
        if differs(flag::MARKS, fix.marks != last.marks) {
            out.put(&fix.marks.0.to_le_bytes());
        }
        if differs(flag::SHARD, source.position.shard != last.source.position.shard) {
            out.put(&source.position.shard.to_le_bytes());
        }
        if differs(flag::ITEM, source.item != 0) {
            out.put(&source.item.to_le_bytes());
        }
        if differs(flag::MILEAGE, fix.mileage_hm.is_some()) {
            let mileage = fix.mileage_hm.unwrap_or_default();
            out.step(mileage, self.mileage);
            self.mileage = mileage;
        }
        differs(flag::LEADS, leads);
        let before = self.bytes.get(self.items.0..self.items.1).unwrap_or_default();
        let new_items = differs(flag::ITEMS, kept != before || kept.len() > REPEAT_MAX);
        if new_items {
            out.varint(kept.len() as u64);
        }
        if let Some(word) = out.bytes.first_chunk_mut() {
            *word = flags.to_le_bytes();
        }
        self.bytes.extend_from_slice(out.bytes.get(..out.len).unwrap_or_default());
        if new_items {
            self.items = (self.bytes.len(), self.bytes.len() + kept.len());
            self.bytes.extend_from_slice(kept);
        }
        self.count += 1;
        self.last = fix;
    }

    fn put_times(&self, out: &mut Scratch, fix: &Fix, calendar: &mut Calendar) -> u16 {
        let mut flags = 0;
        let seconds = fix.time.secs();
        if seconds.wrapping_mul(SECOND_US) == fix.time.0 {
            out.step(seconds, self.last.time.secs());
        } else {
            flags |= flag::TIME_US;
            out.put(&fix.time.0.to_le_bytes());
        }
        let late_us = fix.received.0.wrapping_sub(fix.time.0);
        if late_us % 1000 == 0 {
            out.signed(late_us / 1000);
        } else {
            flags |= flag::RECEIVED_US;
            out.put(&fix.received.0.to_le_bytes());
        }
        if calendar.field(seconds) != Some(fix.time_bcd) {
            flags |= flag::BCD;
            out.put(&fix.time_bcd);
        }
        flags
    }
}

/// Reads a strand from its front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, len: usize) -> Result<&'a [u8], ChunkError> {
        let (head, tail) = self.0.split_at_checked(len).ok_or(ChunkError::Short("a fix"))?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ChunkError> {
        let (head, tail) = self.0.split_first_chunk().ok_or(ChunkError::Short("a fix"))?;
        self.0 = tail;
        Ok(*head)
    }

    fn varint(&mut self) -> Result<u64, ChunkError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ChunkError::Limit("a number"))
    }

    fn signed(&mut self) -> Result<i64, ChunkError> {
        let folded = self.varint()?;
        Ok((folded >> 1) as i64 ^ -((folded & 1) as i64))
    }

    fn step<T: Copy + Into<i64> + TryFrom<i64>>(&mut self, before: T) -> Result<T, ChunkError> {
        let value = before.into().wrapping_add(self.signed()?);
        T::try_from(value).map_err(|_| ChunkError::Limit("a number"))
    }
}

/// Reads the `count` fixes of a strand back.
///
/// # Errors
/// When it is damaged.
pub(crate) fn decode(strand: &[u8], count: usize) -> Result<Vec<Fix>, ChunkError> {
    let mut reader = Reader(strand);
    let mut calendar = Calendar::default();
    let mut fixes: Vec<Fix> = Vec::with_capacity(count.min(strand.len() / FIX_LEN_MIN + 1));
    let (first, mut mileage, mut items) = (nothing(), 0, &[][..]);
    for _ in 0..count {
        let fix = decode_one(&mut reader, fixes.last().unwrap_or(&first), &mut mileage, &mut items, &mut calendar)?;
        fixes.push(fix);
    }
    if reader.0.is_empty() { Ok(fixes) } else { Err(ChunkError::Trailing(reader.0.len())) }
}

fn decode_one<'a>(
    reader: &mut Reader<'a>,
    last: &Fix,
    mileage: &mut u32,
    items: &mut &'a [u8],
    calendar: &mut Calendar,
) -> Result<Fix, ChunkError> {
    let flags = u16::from_le_bytes(reader.array()?);
    let has = |bit| flags & bit != 0;
    let time = if has(flag::TIME_US) {
        Timestamp(i64::from_le_bytes(reader.array()?))
    } else {
        Timestamp(reader.step(last.time.secs())?.wrapping_mul(SECOND_US))
    };
    let received = if has(flag::RECEIVED_US) {
        Timestamp(i64::from_le_bytes(reader.array()?))
    } else {
        Timestamp(time.0.wrapping_add(reader.signed()?.wrapping_mul(1000)))
    };
    let time_bcd =
        if has(flag::BCD) { reader.array()? } else { calendar.field(time.secs()).ok_or(ChunkError::Limit("time"))? };
    let seq = last.source.position.seq.wrapping_add(reader.signed()? as u64);
    let index = u32::try_from(reader.varint()?).map_err(|_| ChunkError::Limit("index"))?;
    let mut fix = Fix {
        time,
        received,
        time_bcd,
        source: RecordRef { position: Position { seq, ..last.source.position }, index, item: 0 },
        lat_wire: reader.step(last.lat_wire)?,
        lon_wire: reader.step(last.lon_wire)?,
        altitude_wire: reader.step(last.altitude_m())? as u16,
        speed_dkmh: reader.step(last.speed_dkmh)?,
        direction_deg: reader.step(last.direction_deg)?,
        terminal: last.terminal,
        alarm: last.alarm,
        status: last.status,
        marks: last.marks,
        mileage_hm: None,
        items: Box::default(),
    };
    decode_rare(reader, flags, &mut fix)?;
    if has(flag::MILEAGE) {
        *mileage = reader.step(*mileage)?;
        fix.mileage_hm = Some(*mileage);
    }
    if has(flag::ITEMS) {
        let len = usize::try_from(reader.varint()?).map_err(|_| ChunkError::Limit("length of items"))?;
        *items = reader.bytes(len)?;
    } else if items.len() > REPEAT_MAX {
        return Err(ChunkError::Limit("length of items"));
    }
    fix.items = if has(flag::LEADS) {
        [&MILEAGE_ITEM[..], &mileage.to_be_bytes()[..], items].concat().into_boxed_slice()
    } else {
        Box::from(*items)
    };
    Ok(fix)
}

/// What seldom differs from the fix before.
fn decode_rare(reader: &mut Reader<'_>, flags: u16, fix: &mut Fix) -> Result<(), ChunkError> {
    if flags & flag::TERMINAL != 0 {
        fix.terminal = TerminalId::from_wire(reader.bytes(10)?);
    }
    if flags & flag::ALARM != 0 {
        fix.alarm = u32::from_le_bytes(reader.array()?);
    }
    if flags & flag::STATUS != 0 {
        fix.status = u32::from_le_bytes(reader.array()?);
    }
    if flags & flag::MARKS != 0 {
        fix.marks = Marks(u16::from_le_bytes(reader.array()?));
    }
    if flags & flag::SHARD != 0 {
        fix.source.position.shard = u16::from_le_bytes(reader.array()?);
    }
    if flags & flag::ITEM != 0 {
        fix.source.item = u16::from_le_bytes(reader.array()?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chunk::any::{tame, wild};

    fn encode(fixes: &[Fix]) -> Vec<u8> {
        let (mut encoder, mut calendar) = (Encoder::default(), Calendar::default());
        fixes.iter().for_each(|fix| encoder.push(fix.clone(), &mut calendar));
        encoder.finish()
    }

    proptest! {
        #[test]
        fn any_fix_comes_back(fixes in prop::collection::vec(prop_oneof![wild(), tame()], 0..40)) {
            prop_assert_eq!(decode(&encode(&fixes), fixes.len()), Ok(fixes));
        }

        #[test]
        fn damage_ends(
            fixes in prop::collection::vec(prop_oneof![wild(), tame()], 1..20),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        ) {
            let mut bytes = encode(&fixes);
            let len = bytes.len();
            changes.iter().for_each(|(place, byte)| bytes[place.index(len)] = *byte);
            if let Ok(fixes) = decode(&bytes, fixes.len()) {
                prop_assert!(fixes.iter().map(|f| f.items.len()).sum::<usize>() <= 20 * 1024 + len);
            }
        }
    }

    #[test]
    fn usual_fixes_are_short() {
        let fix = |n: u32| {
            let time = Timestamp::from_secs(1_795_406_706 + i64::from(n) * 30);
            let mileage = 12_345 + n * 5;
            Fix {
                time,
                received: time.plus_us(700_000),
                time_bcd: crate::chunk::bcd::from_seconds(time.secs()).expect("a date"),
                lat_wire: 32_050_000 + n * 2200,
                lon_wire: 118_790_000 + n * 1500,
                mileage_hm: Some(mileage),
                items: [&MILEAGE_ITEM[..], &mileage.to_be_bytes(), &[0x30, 1, 20]].concat().into_boxed_slice(),
                source: RecordRef { position: Position { shard: 0, seq: u64::from(n) * 300 }, index: n % 9, item: 0 },
                ..nothing()
            }
        };
        let bytes = encode(&(0..100).map(fix).collect::<Vec<_>>());
        assert!(bytes.len() < 20 * 100, "{}", bytes.len());
    }
}
