//! The 0.01-degree cells that a chunk touches: for search by place. Only the fixes count, not the way between them.

use std::borrow::Borrow;

use model::{Fix, Marks};

use super::ChunkError;
use super::bytes::{Reader, put_varint};

/// Cells around the globe in one row.
const ROW: u32 = 36_000;

/// A cell, counted from the south-west corner of the globe: 36,000 to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell(u32);

impl Cell {
    /// The cell of a point; degrees, WGS-84.
    #[must_use]
    pub fn at(lon: f64, lat: f64) -> Self {
        let column = ((lon + 180.0) * 100.0).floor().clamp(0.0, 35_999.0) as u32;
        let row = ((lat + 90.0) * 100.0).floor().clamp(0.0, 17_999.0) as u32;
        Self(row * ROW + column)
    }

    /// South-west corner, 0.01 degree: longitude, latitude.
    #[must_use]
    pub const fn corner(self) -> (i32, i32) {
        ((self.0 % ROW) as i32 - 18_000, (self.0 / ROW) as i32 - 9_000)
    }
}

/// Smallest and greatest coordinates, 1e-6 degree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Smallest longitude.
    pub west_e6: i32,
    /// Smallest latitude.
    pub south_e6: i32,
    /// Greatest longitude.
    pub east_e6: i32,
    /// Greatest latitude.
    pub north_e6: i32,
}

fn has_place(fix: &Fix) -> bool {
    fix.marks.0 & (Marks::NO_POSITION.0 | Marks::OFF_GLOBE.0) == 0
}

/// The box of the fixes that have a position; `None` when none has.
#[must_use]
pub fn extent<F: Borrow<Fix>>(fixes: &[F]) -> Option<Extent> {
    let e6 = |degrees: f64| (degrees * 1e6).round() as i32;
    fixes.iter().map(Borrow::borrow).filter(|f| has_place(f)).fold(None, |extent: Option<Extent>, fix| {
        let (lon, lat) = (e6(fix.lon()), e6(fix.lat()));
        let old = extent.unwrap_or(Extent { west_e6: lon, south_e6: lat, east_e6: lon, north_e6: lat });
        Some(Extent {
            west_e6: old.west_e6.min(lon),
            south_e6: old.south_e6.min(lat),
            east_e6: old.east_e6.max(lon),
            north_e6: old.north_e6.max(lat),
        })
    })
}

/// The cells of the fixes that have a position: sorted, as varint steps from one to the next.
#[must_use]
pub fn encode<F: Borrow<Fix>>(fixes: &[F]) -> Vec<u8> {
    let with_place = fixes.iter().map(Borrow::borrow).filter(|f| has_place(f));
    let mut cells: Vec<u32> = with_place.map(|f| Cell::at(f.lon(), f.lat()).0).collect();
    cells.sort_unstable();
    cells.dedup();
    let mut out = Vec::new();
    let mut last = 0;
    for cell in cells {
        put_varint(&mut out, u128::from(cell - last));
        last = cell;
    }
    out
}

/// The cells again, sorted.
///
/// # Errors
/// When the bytes are damaged.
pub fn decode(bytes: &[u8]) -> Result<Vec<Cell>, ChunkError> {
    let mut reader = Reader(bytes);
    let mut cells = Vec::new();
    let mut last = 0_u32;
    while !reader.0.is_empty() {
        let step = reader.varint("cell")?;
        let cell = u32::try_from(step).ok().and_then(|step| last.checked_add(step));
        last = cell.filter(|c| *c < 18_000 * ROW).ok_or(ChunkError::Limit("cell"))?;
        cells.push(Cell(last));
    }
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_know_their_corner() {
        for (lon, lat, corner) in
            [(118.799, 32.051, (11_879, 3_205)), (-0.001, -0.001, (-1, -1)), (180.0, 90.0, (17_999, 8_999))]
        {
            assert_eq!(Cell::at(lon, lat).corner(), corner);
        }
    }

    #[test]
    fn damage_is_an_error() {
        assert_eq!(decode(&[]), Ok(vec![]));
        assert!(decode(&[0xff]).is_err());
        assert!(decode(&[0xff, 0xff, 0xff, 0xff, 0xff, 1]).is_err());
    }
}
