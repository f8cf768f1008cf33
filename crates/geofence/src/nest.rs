//! Grids within cells of grids: which shapes fill the cells that a point or a path meets, and whose edge may pass there.
//!
//! A shape that fills a cell needs no look at its vertices; a cell that no shape meets needs no look at all. Where many
//! edges pass one cell, a finer grid lies in it.

use smallvec::SmallVec;

use crate::grid::{Grid, PATH_SLACK, Window};
use crate::plane::Xy;
use crate::point::{Bbox, Point};

/// A box over more cells is not looked at: drawing the path takes less.
const CELLS_LOOKED_AT_MAX: usize = 64;

/// A shape's place in its list, and whether the shape fills the cell: in that order, so that it sorts by shape and
/// what is not filled comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry(pub(crate) u32);

impl Entry {
    pub(crate) fn new(slot: u32, full: bool) -> Self {
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
pub(crate) struct Cell(u32);

enum Held {
    /// Several entries, or none.
    List(u32),
    One(Entry),
    Grid(u32),
}

impl Cell {
    const NUMBER: u32 = (1 << 30) - 1;

    pub(crate) fn list(at: u32) -> Self {
        Self(at & Self::NUMBER)
    }

    pub(crate) fn one(entry: Entry) -> Self {
        Self(1 << 30 | entry.0 & Self::NUMBER)
    }

    pub(crate) fn grid(node: u32) -> Self {
        Self(2 << 30 | node & Self::NUMBER)
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
pub(crate) struct Node {
    pub(crate) grid: Grid,
    pub(crate) first_block: u32,
    pub(crate) full: u32,
}

/// 64 cells that follow each other. Only those that hold something are kept: an empty one, as most are, is told by its
/// bit, and the bits of a province fit into a processor's cache.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Block {
    pub(crate) held: u64,
    /// Where its cells begin.
    pub(crate) first_cell: u32,
}

impl Block {
    pub(crate) const CELLS: usize = 64;
}

/// The whole nest; the coarsest grid is node 0.
#[derive(Default)]
pub(crate) struct Nest {
    pub(crate) nodes: Vec<Node>,
    pub(crate) blocks: Vec<Block>,
    /// Those that are not empty.
    pub(crate) cells: Vec<Cell>,
    /// Lists, each after its length. The first is empty.
    pub(crate) lists: Vec<Entry>,
}

impl Nest {
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

    /// Whether any entry in the cells that a box meets is `near`; true without a look where those are many.
    pub(crate) fn any_within(&self, around: &Bbox, near: &impl Fn(Entry) -> bool) -> bool {
        self.nodes.first().is_some_and(|node| self.any_within_node(node, around, near))
    }

    fn any_within_node(&self, node: &Node, around: &Bbox, near: &impl Fn(Entry) -> bool) -> bool {
        let any = |list: u32| self.list(list).iter().any(|entry| near(*entry));
        let window = node.grid.window(*around);
        if any(node.full) || window.cells() > CELLS_LOOKED_AT_MAX {
            return true;
        }
        let Window { cols, rows } = window;
        rows.into_iter().flat_map(|row| cols.clone().map(move |col| (col, row))).any(|(col, row)| {
            match self.cell(node, node.grid.cell(col, row)) {
                Held::List(0) => false,
                Held::List(at) => any(at),
                Held::One(entry) => near(entry),
                Held::Grid(within) => {
                    self.nodes.get(within as usize).is_some_and(|within| self.any_within_node(within, around, near))
                }
            }
        })
    }
}
