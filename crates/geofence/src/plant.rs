//! How the nest of grids is built: each grid as fine as its shapes allow, and finer ones where many edges pass one cell.
//!
//! What the nest holds stays in proportion to the shapes: on average each meets a bounded number of cells of a grid,
//! whatever its size, and grids lie in each other to a bounded depth.

use smallvec::SmallVec;

use crate::cover::Canvas;
use crate::grid::Grid;
use crate::nest::{Block, Cell, Entry, Nest, Node};
use crate::point::Bbox;
use crate::shape::Shape;

/// Cells to a shape, where shapes are small enough not to meet many of them: most of the map is then an empty cell.
const CELLS_PER_SHAPE: f64 = 32.0;
/// Most cells that a shape meets on the coarsest grid, on average: large shapes make large cells.
const MET_MAX: usize = 128;
/// The same on a grid within a cell.
const MET_WITHIN_MAX: usize = 4;
/// So many edges in one cell are better looked at one by one.
const EDGES_MAX: usize = 4;
/// How deep grids lie in each other, the coarsest included.
const DEPTH_MAX: u32 = 3;

impl Nest {
    /// Over the shapes, by their place; at most [`MAX_SHAPES`](crate::MAX_SHAPES).
    pub(crate) fn over<'a>(shapes: impl Iterator<Item = &'a Shape>) -> Self {
        let shapes: Vec<&Shape> = shapes.collect();
        let mut planting = Planting { shapes: &shapes, nest: Self::default(), canvas: Canvas::default() };
        planting.nest.lists.push(Entry(0));
        let all: Vec<u32> = (0_u32..).zip(&shapes).map(|(slot, _)| slot).collect();
        planting.plant(None, &all, 1);
        let mut nest = planting.nest;
        nest.nodes.shrink_to_fit();
        nest.blocks.shrink_to_fit();
        nest.cells.shrink_to_fit();
        nest.lists.shrink_to_fit();
        nest
    }
}

/// A nest that is being built.
struct Planting<'a> {
    shapes: &'a [&'a Shape],
    nest: Nest,
    canvas: Canvas,
}

impl Planting<'_> {
    /// A grid over the shapes, as far as they lie in the cell given; its number, or `None` if it would not help.
    fn plant(&mut self, within: Option<Bbox>, slots: &[u32], depth: u32) -> Option<u32> {
        let grid = self.grid(within, slots)?;
        let number = self.nest.nodes.len() as u32;
        self.nest.nodes.push(Node { grid, first_block: 0, full: 0 });
        let (starts, entries) = self.drawn(&grid, slots);
        let mut cells = Vec::new();
        let mut blocks = vec![Block::default(); grid.cells().div_ceil(Block::CELLS)];
        for (cell, bounds) in starts.windows(2).enumerate() {
            let [from, to] = [bounds[0], bounds[1]].map(|bound| bound as usize);
            if from < to {
                blocks[cell / Block::CELLS].held |= 1 << (cell % Block::CELLS);
                cells.push(self.cell(&grid, cell, &entries[from..to], depth));
            }
        }
        // Grids within the cells stand before it by now.
        let mut first_cell = self.nest.cells.len() as u32;
        for block in &mut blocks {
            block.first_cell = first_cell;
            first_cell += block.held.count_ones();
        }
        self.nest.nodes[number as usize].first_block = self.nest.blocks.len() as u32;
        self.nest.cells.append(&mut cells);
        self.nest.blocks.append(&mut blocks);
        Some(number)
    }

    /// As fine as the shapes allow.
    fn grid(&self, within: Option<Bbox>, slots: &[u32]) -> Option<Grid> {
        let boxes = slots.iter().filter_map(|slot| Some(self.shapes.get(*slot as usize)?.bbox()));
        let around = boxes.clone().reduce(Bbox::union)?;
        let over = within.map_or(Some(around), |cell| cell.intersection(around))?;
        let mut cells = slots.len() as f64 * CELLS_PER_SHAPE;
        loop {
            let grid = Grid::over(over, cells);
            let met: usize = boxes.clone().map(|bbox| grid.window(bbox).cells()).sum();
            match within {
                // The coarsest grid is there, whatever it holds.
                None if met <= slots.len() * MET_MAX || grid.cells() <= 1 => return Some(grid),
                Some(_) if grid.cells() < 4 => return None,
                // It has to leave less than half to look at in each cell.
                Some(_) if met <= slots.len() * MET_WITHIN_MAX.min(grid.cells() / 2) => return Some(grid),
                _ => cells = (grid.cells() as f64 / 2.0).min(cells / 2.0),
            }
        }
    }

    /// All entries by cell, and where each cell's begin; one more than there are cells.
    fn drawn(&mut self, grid: &Grid, slots: &[u32]) -> (Vec<u32>, Vec<Entry>) {
        let mut met: Vec<(u32, Entry)> = Vec::with_capacity(slots.len() * 2);
        let mut starts = vec![0_u32; grid.cells() + 1];
        for &slot in slots {
            let Some(shape) = self.shapes.get(slot as usize) else { continue };
            shape.draw(grid, &mut self.canvas);
            self.canvas.each(grid, |cell, full| {
                met.push((cell as u32, Entry::new(slot, full)));
                starts[cell] += 1;
            });
        }
        // Counts become ends; filling from the last to the first turns ends into beginnings.
        let mut end = 0;
        for start in &mut starts {
            end += *start;
            *start = end;
        }
        let mut entries = vec![Entry(0); met.len()];
        for (cell, entry) in met.into_iter().rev() {
            let start = &mut starts[cell as usize];
            *start -= 1;
            entries[*start as usize] = entry;
        }
        (starts, entries)
    }

    fn cell(&mut self, grid: &Grid, cell: usize, entries: &[Entry], depth: u32) -> Cell {
        let edges: SmallVec<[u32; 32]> = entries.iter().filter(|e| !e.full()).map(|e| e.slot() as u32).collect();
        if edges.len() > EDGES_MAX
            && depth < DEPTH_MAX
            && let Some(within) = self.plant(Some(grid.bbox(cell)), &edges, depth + 1)
        {
            let full: Vec<Entry> = entries.iter().copied().filter(|entry| entry.full()).collect();
            let full = self.list(&full);
            if let Some(node) = self.nest.nodes.get_mut(within as usize) {
                node.full = full;
            }
            return Cell::grid(within);
        }
        match *entries {
            [one] => Cell::one(one),
            _ => Cell::list(self.list(entries)),
        }
    }

    fn list(&mut self, entries: &[Entry]) -> u32 {
        if entries.is_empty() {
            return 0;
        }
        let at = self.nest.lists.len() as u32;
        self.nest.lists.push(Entry(entries.len() as u32));
        self.nest.lists.extend_from_slice(entries);
        at
    }
}
