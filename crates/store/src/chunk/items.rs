//! The column of byte strings: additional items (位置附加信息项) look like those of the row before.

use super::ChunkError;
use super::range::{Bit, Decoder, Encoder, Number};

/// Most bytes of items in one block; the encoder's caller cuts blocks long before.
const ITEMS_BYTES_MAX: usize = 64 << 20;
/// Places in a row that have odds of their own.
const PLACES: usize = 64;

/// The odds of a row: its length against the row before, whether each byte is the one above it, and the byte.
struct Model {
    length: Number,
    same: Vec<[Bit; 2]>,
    byte: Vec<[Bit; 256]>,
}

impl Model {
    fn new() -> Self {
        Self { length: Number::new(), same: Vec::new(), byte: Vec::new() }
    }

    /// The odds at a place; made when first asked for, because most rows are short.
    fn at(&mut self, place: usize) -> (&mut [Bit; 2], &mut [Bit; 256]) {
        let place = place.min(PLACES - 1);
        if self.byte.len() <= place {
            self.same.resize(place + 1, [Bit::NEW; 2]);
            self.byte.resize(place + 1, [Bit::NEW; 256]);
        }
        (&mut self.same[place], &mut self.byte[place])
    }
}

fn above(row: &[u8], place: usize) -> Option<u8> {
    row.get(place).copied()
}

/// Stores the rows.
pub(super) fn encode<'a>(rows: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut coder = Encoder::new();
    let mut model = Model::new();
    let mut last: &[u8] = &[];
    for row in rows {
        model.length.write(&mut coder, row.len() as i64 - last.len() as i64);
        let mut changed = false;
        for (i, byte) in row.iter().enumerate() {
            let (same, odds) = model.at(i);
            if let Some(above) = above(last, i) {
                let differs = above != *byte;
                coder.bit(&mut same[usize::from(changed)], differs);
                changed = differs;
                if !differs {
                    continue;
                }
            }
            let mut node = 1;
            for shift in (0..8).rev() {
                let bit = (byte >> shift) & 1 == 1;
                coder.bit(&mut odds[node], bit);
                node = node * 2 + usize::from(bit);
            }
        }
        last = row;
    }
    coder.finish()
}

/// Reads `count` rows back.
pub(super) fn decode(payload: &[u8], count: usize) -> Result<Vec<Vec<u8>>, ChunkError> {
    let mut coder = Decoder::new(payload);
    let mut model = Model::new();
    let mut rows: Vec<Vec<u8>> = Vec::with_capacity(count);
    let mut total = 0;
    for _ in 0..count {
        let last = rows.last().map_or(&[][..], Vec::as_slice);
        let length = (last.len() as i64).wrapping_add(model.length.read(&mut coder)?);
        let length = usize::try_from(length).ok().filter(|l| *l <= ITEMS_BYTES_MAX - total);
        let length = length.ok_or(ChunkError::Limit("length of items"))?;
        total += length;
        let mut row = Vec::new();
        let mut changed = false;
        for i in 0..length {
            let (same, odds) = model.at(i);
            if let Some(above) = above(last, i) {
                changed = coder.bit(&mut same[usize::from(changed)]);
                if !changed {
                    row.push(above);
                    coder.check()?;
                    continue;
                }
            }
            let mut node = 1;
            for _ in 0..8 {
                let bit = coder.bit(&mut odds[node]);
                node = node * 2 + usize::from(bit);
            }
            row.push(node as u8);
            coder.check()?;
        }
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_come_back(rows in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 0..40)) {
            let bytes = encode(rows.iter().map(Vec::as_slice));
            prop_assert_eq!(decode(&bytes, rows.len()).expect("whole"), rows);
        }

        #[test]
        fn garbage_neither_panics_nor_swells(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(rows) = decode(&bytes, 1024) {
                prop_assert!(rows.iter().map(Vec::len).sum::<usize>() < 1 << 20);
            }
        }
    }
}
