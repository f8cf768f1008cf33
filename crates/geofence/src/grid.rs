//! A box in degrees cut into equal cells: which cell a point falls into, and which cells a path meets.

use std::ops::Range;

use crate::plane::Xy;
use crate::point::{Bbox, Point};

/// How much wider than it is a path is taken to be, in cells: far above the rounding of degrees, so that no cell that
/// it meets is left out.
pub(crate) const PATH_SLACK: f64 = 1e-6;
/// How much larger than it is a cell is taken to be when shapes are drawn on it, in cells: more than a path's slack and
/// the boundary of a shape together.
pub(crate) const CELL_SLACK: f64 = 2e-5;
/// Least side of a cell in degrees, 1 m at [`MAX_LAT_DEG`](crate::MAX_LAT_DEG): [`CELL_SLACK`] of it is above
/// [`BOUNDARY_M`](crate::BOUNDARY_M).
const SIDE_MIN_DEG: f64 = 1e-4;
/// Most cells along one side.
const SIDE_MAX: f64 = 2_048.0;

/// Cells in rows from south to north, in each from west to east.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    /// South-west corner.
    origin: Point,
    per_lon_deg: f64,
    per_lat_deg: f64,
    pub(crate) cols: u32,
    pub(crate) rows: u32,
}

/// A block of cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) cols: Range<u32>,
    pub(crate) rows: Range<u32>,
}

impl Window {
    pub(crate) fn cells(&self) -> usize {
        self.cols.len() * self.rows.len()
    }
}

impl Grid {
    /// About so many cells over a box, about square on the ground.
    pub(crate) fn over(bbox: Bbox, cells: f64) -> Self {
        let lon_deg_m = libm::cos(bbox.centre().lat.to_radians()).max(0.05);
        let width = ((bbox.max.lon - bbox.min.lon) * lon_deg_m).max(SIDE_MIN_DEG);
        let height = (bbox.max.lat - bbox.min.lat).max(SIDE_MIN_DEG);
        let side = (width * height / cells).sqrt().max(SIDE_MIN_DEG).max(width.max(height) / SIDE_MAX);
        let (cols, rows) = ((width / side).ceil(), (height / side).ceil());
        // A rim of a hundredth of a cell keeps the box's own edge away from the grid's.
        let (rim_lon, rim_lat) = (0.01 * side / lon_deg_m, 0.01 * side);
        Self {
            origin: Point::new(bbox.min.lon - rim_lon, bbox.min.lat - rim_lat),
            per_lon_deg: cols / (width / lon_deg_m + 2.0 * rim_lon),
            per_lat_deg: rows / (height + 2.0 * rim_lat),
            cols: cols as u32,
            rows: rows as u32,
        }
    }

    pub(crate) fn cells(&self) -> usize {
        self.cols as usize * self.rows as usize
    }

    /// A place in cells east and north of the corner.
    pub(crate) fn place(&self, p: Point) -> Xy {
        Xy::new((p.lon - self.origin.lon) * self.per_lon_deg, (p.lat - self.origin.lat) * self.per_lat_deg)
    }

    /// The number of the cell that holds the point.
    pub(crate) fn cell_at(&self, p: Point) -> Option<usize> {
        let Xy { x, y } = self.place(p);
        let inside = x >= 0.0 && y >= 0.0 && x < f64::from(self.cols) && y < f64::from(self.rows);
        inside.then(|| self.cell(x as u32, y as u32))
    }

    pub(crate) fn cell(&self, col: u32, row: u32) -> usize {
        row as usize * self.cols as usize + col as usize
    }

    /// The box of a cell, with its slack.
    pub(crate) fn bbox(&self, cell: usize) -> Bbox {
        let (col, row) = ((cell % self.cols as usize) as f64, (cell / self.cols as usize) as f64);
        let at =
            |x: f64, y: f64| Point::new(self.origin.lon + x / self.per_lon_deg, self.origin.lat + y / self.per_lat_deg);
        Bbox { min: at(col - CELL_SLACK, row - CELL_SLACK), max: at(col + 1.0 + CELL_SLACK, row + 1.0 + CELL_SLACK) }
    }

    /// The cells that a box meets.
    pub(crate) fn window(&self, bbox: Bbox) -> Window {
        self.block(self.place(bbox.min), self.place(bbox.max))
    }

    /// The cells between two places.
    pub(crate) fn block(&self, lo: Xy, hi: Xy) -> Window {
        Window {
            cols: clipped(lo.x - CELL_SLACK, hi.x + CELL_SLACK, self.cols),
            rows: clipped(lo.y - CELL_SLACK, hi.y + CELL_SLACK, self.rows),
        }
    }

    /// Visits, row after row, the columns that the straight path between two places meets.
    pub(crate) fn walk(&self, a: Xy, b: Xy, slack: f64, mut visit: impl FnMut(u32, Range<u32>)) {
        let (low, high) = if a.y <= b.y { (a, b) } else { (b, a) };
        let (west, east) = (low.x.min(high.x), low.x.max(high.x));
        let rows = clipped(low.y - slack, high.y + slack, self.rows);
        if east - west <= 1.0 || rows.is_empty() {
            let cols = clipped(west - slack, east + slack, self.cols);
            rows.for_each(|row| visit(row, cols.clone()));
            return;
        }
        let east_per_north = (high.x - low.x) / (high.y - low.y);
        for row in rows {
            // Twice the slack, because the row itself was chosen with it.
            let (south, north) = (f64::from(row) - 2.0 * slack, f64::from(row) + 1.0 + 2.0 * slack);
            let at = |y: f64| (low.x + (y - low.y) * east_per_north).clamp(west, east);
            let enters = if south <= low.y { low.x } else { at(south) };
            let leaves = if north >= high.y { high.x } else { at(north) };
            visit(row, clipped(enters.min(leaves) - slack, enters.max(leaves) + slack, self.cols));
        }
    }
}

/// The cells of `0..count` that `low..=high` meets.
fn clipped(low: f64, high: f64, count: u32) -> Range<u32> {
    if high < 0.0 || low >= f64::from(count) {
        return 0..0;
    }
    // Below 0 saturates to it.
    low as u32..(high as u32).saturating_add(1).min(count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::config;

    fn grid() -> Grid {
        Grid::over(Bbox { min: Point::new(118.0, 32.0), max: Point::new(118.4, 32.3) }, 400.0)
    }

    proptest! {
        #![proptest_config(config(0x6d))]

        #[test]
        fn a_walk_meets_every_cell_of_its_points(
            a in (117.9..118.5f64, 31.9..32.4f64),
            b in (117.9..118.5f64, 31.9..32.4f64),
            level in any::<bool>(),
        ) {
            let (a, b) = (Point::new(a.0, a.1), Point::new(b.0, if level { a.1 } else { b.1 }));
            let grid = grid();
            let mut met = Vec::new();
            grid.walk(grid.place(a), grid.place(b), PATH_SLACK, |row, cols| {
                met.extend(cols.map(|col| grid.cell(col, row)));
            });
            for step in 0..=1_000 {
                let cell = grid.cell_at(a.lerp(b, f64::from(step) / 1_000.0));
                prop_assert!(cell.is_none_or(|cell| met.contains(&cell)), "{cell:?} {met:?}");
            }
            // And few others: a line meets no more than it has columns and rows, and some beside where rows change.
            prop_assert!(met.len() <= 2 * (grid.cols + grid.rows) as usize);
        }
    }

    #[test]
    fn the_box_and_its_cells() {
        let grid = grid();
        assert!(grid.cells() >= 400 && grid.cells() < 500);
        for p in [Point::new(118.0, 32.0), Point::new(118.4, 32.3), Point::new(118.21, 32.11)] {
            let cell = grid.cell_at(p).expect("inside");
            assert!(grid.bbox(cell).contains(p));
            let window = grid.window(Bbox::of_segment(p, p));
            assert_eq!((window.cells(), grid.cell(window.cols.start, window.rows.start)), (1, cell));
        }
        assert_eq!(grid.cell_at(Point::new(118.5, 32.1)), None);
        assert_eq!(grid.window(Bbox::of_segment(Point::new(0.0, 0.0), Point::new(1.0, 1.0))).cells(), 0);
    }
}
