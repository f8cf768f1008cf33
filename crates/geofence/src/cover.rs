//! Which cells of a grid a shape fills, and which its edge may pass; never the other way round.

use crate::grid::{CELL_SLACK, Grid, Window};
use crate::plane::{Plane, Xy};
use crate::polygon::{Part, Side};

/// An edge may pass, or it is not known.
const EDGE: u8 = 1;
/// The shape holds every point.
const FULL: u8 = 2;
/// An edge of the part that is being drawn may pass.
const EDGE_HERE: u8 = 4;

/// A block of cells to draw a shape on. Kept from shape to shape, to spare the allocation.
#[derive(Default)]
pub(crate) struct Canvas {
    window: Window,
    marks: Vec<u8>,
}

impl Canvas {
    /// A clean one.
    pub(crate) fn clear(&mut self, window: Window) {
        self.marks.clear();
        self.marks.resize(window.cells(), 0);
        self.window = window;
    }

    pub(crate) fn cells(&self) -> usize {
        self.marks.len()
    }

    /// Takes it for granted that the edge passes everywhere.
    pub(crate) fn mark_all(&mut self) {
        self.marks.fill(EDGE);
    }

    /// The cells that the shape meets; `true` where it holds every point.
    pub(crate) fn each(&self, grid: &Grid, mut visit: impl FnMut(usize, bool)) {
        let mut marks = self.marks.iter();
        for row in self.window.rows.clone() {
            for (col, mark) in self.window.cols.clone().zip(marks.by_ref()) {
                if *mark != 0 {
                    visit(grid.cell(col, row), *mark & FULL != 0);
                }
            }
        }
    }

    /// The marks of a stretch of a row, as far as it lies on the canvas.
    fn row(&mut self, row: u32, cols: std::ops::Range<u32>) -> &mut [u8] {
        let Window { cols: all, rows } = &self.window;
        let (from, to) = (cols.start.max(all.start), cols.end.min(all.end));
        if !rows.contains(&row) || from >= to {
            return &mut [];
        }
        let first = (row - rows.start) as usize * all.len();
        self.marks.get_mut(first + (from - all.start) as usize..first + (to - all.start) as usize).unwrap_or_default()
    }
}

/// How a shape's plane lies on a grid: both have their sides along meridians and parallels.
pub(crate) struct Drawing<'a> {
    pub(crate) grid: &'a Grid,
    /// Metres of one cell.
    cell_m: Xy,
    /// Cells from the grid's corner to the plane's origin.
    origin: Xy,
}

impl<'a> Drawing<'a> {
    pub(crate) fn new(grid: &'a Grid, plane: &Plane) -> Self {
        let (origin, unit) = plane.origin_and_degree();
        let (from, to) = (grid.place(origin), grid.place(unit));
        let metres = plane.project(unit);
        Self { grid, cell_m: Xy::new(metres.x / (to.x - from.x), metres.y / (to.y - from.y)), origin: from }
    }

    /// A place of the plane in cells of the grid.
    fn place(&self, p: Xy) -> Xy {
        Xy::new(self.origin.x + p.x / self.cell_m.x, self.origin.y + p.y / self.cell_m.y)
    }

    /// The middle of a cell in metres of the plane.
    fn middle(&self, col: u32, row: u32) -> Xy {
        let (east, north) = (f64::from(col) + 0.5 - self.origin.x, f64::from(row) + 0.5 - self.origin.y);
        Xy::new(east * self.cell_m.x, north * self.cell_m.y)
    }

    /// Half a cell in metres, its slack included.
    fn half(&self) -> Xy {
        self.cell_m.times(0.5 + CELL_SLACK)
    }

    fn block(&self, lo: Xy, hi: Xy) -> Window {
        self.grid.block(self.place(lo), self.place(hi))
    }

    /// Cells that no edge passes lie on the same side as their neighbours: one look for each run of them.
    pub(crate) fn area(&self, parts: &[Part], canvas: &mut Canvas) {
        for part in parts {
            let (lo, hi) = part.bounds();
            let Window { cols, rows } = self.block(lo, hi);
            let Window { rows: drawn, .. } = &canvas.window;
            let (low, high) = (self.middle(0, drawn.start), self.middle(0, drawn.end));
            if cols.is_empty() || rows.is_empty() {
                continue;
            }
            for edge in part.edges_between(low.y - self.cell_m.y, high.y) {
                self.grid.walk(self.place(edge.a), self.place(edge.b), CELL_SLACK, |row, cols| {
                    canvas.row(row, cols).iter_mut().for_each(|mark| *mark |= EDGE | EDGE_HERE);
                });
            }
            for row in rows {
                let first = cols.start.max(canvas.window.cols.start);
                let mut side = None;
                for (col, mark) in (first..).zip(canvas.row(row, cols.clone())) {
                    if *mark & EDGE_HERE != 0 {
                        *mark &= !EDGE_HERE;
                        side = None;
                    } else if *side.get_or_insert_with(|| part.side(self.middle(col, row))) == Side::Inside {
                        *mark |= FULL;
                    }
                }
            }
        }
    }

    pub(crate) fn circle(&self, radius_m: f64, canvas: &mut Canvas) {
        let half = self.half();
        self.each(&canvas.window.clone(), canvas, |middle| {
            let (x, y) = (middle.x.abs(), middle.y.abs());
            let near = Xy::new((x - half.x).max(0.0), (y - half.y).max(0.0)).norm();
            let far = Xy::new(x + half.x, y + half.y).norm();
            match () {
                () if near > radius_m => 0,
                () if far < radius_m => FULL,
                () => EDGE,
            }
        });
    }

    /// Draws where `meets` holds of the middle and half the extent of a cell, within a box.
    pub(crate) fn piece(&self, (lo, hi): (Xy, Xy), canvas: &mut Canvas, meets: impl Fn(Xy, Xy) -> bool) {
        let half = self.half();
        self.each(&self.block(lo, hi), canvas, |middle| if meets(middle, half) { EDGE } else { 0 });
    }

    fn each(&self, window: &Window, canvas: &mut Canvas, of: impl Fn(Xy) -> u8) {
        for row in window.rows.clone() {
            let first = window.cols.start.max(canvas.window.cols.start);
            for (col, mark) in (first..).zip(canvas.row(row, window.cols.clone())) {
                *mark |= of(self.middle(col, row));
            }
        }
    }
}
