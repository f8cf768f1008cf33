//! Grids within cells of grids: which shapes fill the cells that a point or a path meets, and whose edge may pass there.
//!
//! A shape that fills a cell needs no look at its vertices; a cell that no shape meets needs no look at all. Where many
//! edges pass one cell, a finer grid lies in it.

use smallvec::SmallVec;

use crate::cover::Canvas;
use crate::grid::{Grid, PATH_SLACK};
use crate::plane::Xy;
use crate::point::{Bbox, Point};
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

/// A shape's place in its list, and whether the shape fills the cell: in that order, so that it sorts by shape and
/// what is not filled comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry(u32);

impl Entry {
    fn new(slot: u32, full: bool) -> Self {
        Self(slot << 1 | u32::from(full))
    }

    pub(crate) fn slot(self) -> usize {
        (self.0 >> 1) as usize
    }

    pub(crate) fn full(self) -> bool {
        self.0 & 1 != 0
    }
}

/// What was found, without order.
pub(crate) type Found = SmallVec<[Entry; 16]>;

/// What a cell holds, in 32 bits: two for the kind, the rest a number.
#[derive(Clone, Copy)]
struct Cell(u32);

enum Held {
    /// Several entries, or none.
    List(u32),
    One(Entry),
    Grid(u32),
}

impl Cell {
    const NUMBER: u32 = (1 << 30) - 1;

    fn new(kind: u32, number: u32) -> Self {
        Self(kind << 30 | number & Self::NUMBER)
    }

    fn held(self) -> Held {
        let number = self.0 & Self::NUMBER;
        match self.0 >> 30 {
            0 => Held::List(number),
            1 => Held::One(Entry(number)),
            _ => Held::Grid(number),
        }
    }
}

/// A grid, where its blocks of cells begin, and the list of what fills all of it.
#[derive(Clone, Copy, Debug)]
struct Node {
    grid: Grid,
    first_block: u32,
    full: u32,
}

/// 64 cells that follow each other. Only those that hold something are kept: an empty one, as most are, is told by its
/// bit, and the bits of a province fit into a processor's cache.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    held: u64,
    /// Where its cells begin.
    first_cell: u32,
}

impl Block {
    const CELLS: usize = 64;
}

/// The whole nest; the coarsest grid is node 0.
#[derive(Default)]
pub(crate) struct Nest {
    nodes: Vec<Node>,
    blocks: Vec<Block>,
    /// Those that are not empty.
    cells: Vec<Cell>,
    /// Lists, each after its length. The first is empty.
    lists: Vec<Entry>,
}

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

    pub(crate) fn heap_bytes(&self) -> usize {
        let grids = size_of_val(&*self.nodes) + size_of_val(&*self.blocks);
        grids + size_of_val(&*self.cells) + size_of_val(&*self.lists)
    }

    fn list(&self, at: u32) -> &[Entry] {
        let at = at as usize;
        let length = self.lists.get(at).map_or(0, |length| length.0 as usize);
        self.lists.get(at + 1..at + 1 + length).unwrap_or_default()
    }

    fn cell(&self, node: &Node, cell: usize) -> Held {
        let Some(block) = self.blocks.get(node.first_block as usize + cell / Block::CELLS) else {
            return Held::List(0);
        };
        let bit = 1_u64 << (cell % Block::CELLS);
        if block.held & bit == 0 {
            return Held::List(0);
        }
        let before = (block.held & (bit - 1)).count_ones();
        self.cells.get((block.first_cell + before) as usize).map_or(Held::List(0), |cell| cell.held())
    }

    /// What may hold the point, each once.
    pub(crate) fn at(&self, p: Point, found: &mut Found) {
        let mut number = 0;
        while let Some(node) = self.nodes.get(number as usize) {
            found.extend_from_slice(self.list(node.full));
            let Some(cell) = node.grid.cell_at(p) else { return };
            match self.cell(node, cell) {
                Held::List(0) => return,
                Held::List(at) => return found.extend_from_slice(self.list(at)),
                Held::One(entry) => return found.push(entry),
                Held::Grid(within) => number = within,
            }
        }
    }

    /// What may meet the straight path; some of it several times, as filling one cell and not another.
    pub(crate) fn along(&self, a: Point, b: Point, found: &mut Found) {
        if let Some(node) = self.nodes.first() {
            self.along_node(node, a, b, found);
        }
    }

    fn along_node(&self, node: &Node, a: Point, b: Point, found: &mut Found) {
        found.extend_from_slice(self.list(node.full));
        let (from, to): (Xy, Xy) = (node.grid.place(a), node.grid.place(b));
        node.grid.walk(from, to, PATH_SLACK, |row, cols| {
            for col in cols {
                match self.cell(node, node.grid.cell(col, row)) {
                    Held::List(at) => found.extend_from_slice(self.list(at)),
                    Held::One(entry) => found.push(entry),
                    Held::Grid(within) => {
                        if let Some(within) = self.nodes.get(within as usize) {
                            self.along_node(within, a, b, found);
                        }
                    }
                }
            }
        });
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
            return Cell::new(2, within);
        }
        match *entries {
            [one] => Cell::new(1, one.0),
            _ => Cell::new(0, self.list(entries)),
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
