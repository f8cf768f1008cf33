//! Whether the rings of a polygon are simple: no crossing, no touching itself, holes inside.

use std::ops::Range;

use crate::error::{At, ShapeError};
use crate::plane::Xy;
use crate::polygon::{Edge, Part, Side, side_of};

/// Rings thinner than this enclose nothing, in square metres: above the rounding of three points on a line.
const MIN_AREA_M2: f64 = 0.01;
/// So few edges of a strip are held against each other faster than they are sorted.
const PAIRED_MAX: usize = 8;

/// The rings of one polygon one after another, repeated vertices left out, each closed by its first vertex.
#[derive(Default)]
pub(crate) struct Rings {
    vertices: Vec<Xy>,
    /// Which vertex of its ring each was, as given.
    numbers: Vec<u16>,
    /// The edges of each ring, by the vertex that they begin at; the outer ring first.
    edges: Vec<Range<usize>>,
}

impl Rings {
    /// Takes one more ring, of at most [`MAX_VERTICES`](crate::MAX_VERTICES).
    pub(crate) fn push(&mut self, given: impl ExactSizeIterator<Item = Xy>) {
        let first = self.vertices.len();
        self.vertices.reserve(given.len() + 1);
        self.numbers.reserve(given.len() + 1);
        for (number, vertex) in (0_u16..).zip(given) {
            if self.vertices.len() == first || self.vertices.last() != Some(&vertex) {
                self.vertices.push(vertex);
                self.numbers.push(number);
            }
        }
        while self.vertices.len() > first + 1 && self.vertices.get(first) == self.vertices.last() {
            self.vertices.pop();
            self.numbers.pop();
        }
        self.edges.push(first..self.vertices.len());
        if let Some(&closing) = self.vertices.get(first) {
            self.vertices.push(closing);
            self.numbers.push(0);
        }
    }

    fn edges(&self, of: &Range<usize>) -> impl Iterator<Item = Edge> {
        let vertices = self.vertices.get(of.start..=of.end).unwrap_or_default();
        vertices.windows(2).filter_map(|pair| match *pair {
            [a, b] => Some(Edge { a, b }),
            _ => None,
        })
    }

    /// Twice the sum of the unsigned triangles seen from the first vertex: zero only if all lie on a line. The
    /// signed area would also be zero for a figure of eight.
    fn is_flat(&self, of: &Range<usize>) -> bool {
        let Some(&first) = self.vertices.get(of.start) else {
            return true;
        };
        let triangles = self.edges(of).map(|e| e.a.minus(first).cross(e.b.minus(first)).abs());
        triangles.sum::<f64>() < 2.0 * MIN_AREA_M2
    }

    /// Where an edge stands: its ring, and the vertex that it begins at.
    fn at(&self, part: usize, edge: usize) -> At {
        let ring = self.ring_of(edge);
        At { part, ring, vertex: self.numbers.get(edge).map_or(0, |number| usize::from(*number)) }
    }

    fn ring_of(&self, edge: usize) -> usize {
        self.edges.partition_point(|of| of.end <= edge)
    }

    /// Whether two edges, `first` before `other`, meet as they must not.
    fn conflict(&self, part: &Part, first: u16, other: u16) -> bool {
        let (e, f) = (part.edge(first), part.edge(other));
        let meeting = || meeting(e, f);
        let on_line = || f.left(e.a) == 0.0 && f.left(e.b) == 0.0;
        let (first, other) = (usize::from(first), usize::from(other));
        let ring = self.ring_of(first);
        let Some(of) = self.edges.get(ring).filter(|of| of.contains(&other)) else {
            return matches!(meeting(), Meeting::Cross | Meeting::Overlap);
        };
        if other - first == 1 || (first == of.start && other + 1 == of.end) {
            // They share a vertex, and overlap only on one line.
            on_line() && meeting() == Meeting::Overlap
        } else {
            meeting() != Meeting::Apart
        }
    }

    /// Checks one polygon, the `part`th of its shape, and prepares it.
    pub(crate) fn check(self, part: usize) -> Result<Part, ShapeError> {
        for (ring, of) in self.edges.iter().enumerate() {
            let distinct = of.len();
            if distinct < 3 {
                let needed = 3;
                return Err(ShapeError::TooFewVertices { part, ring, distinct, needed });
            }
            if self.is_flat(of) {
                return Err(ShapeError::ZeroArea { part, ring });
            }
        }
        let prepared =
            Part::new(&self.vertices, |vertex| self.edges.binary_search_by_key(&vertex, |of| of.end).is_err());
        self.check_edges(part, &prepared)?;
        self.check_holes(part)?;
        Ok(prepared)
    }

    /// Finds the first edge, in the order given, that meets another one as it must not.
    ///
    /// A sweep from west to east through each strip that holds many: only edges whose boxes overlap are compared.
    fn check_edges(&self, part: usize, prepared: &Part) -> Result<(), ShapeError> {
        let mut clash: Option<(u16, u16)> = None;
        let mut swept: Vec<Swept> = Vec::new();
        for strip in prepared.strips().iter() {
            swept.clear();
            swept.extend(strip.iter().map(|&edge| Swept::new(edge, prepared.edge(edge))));
            let sorted = swept.len() > PAIRED_MAX;
            if sorted {
                swept.sort_unstable_by(|a, b| a.lo.x.total_cmp(&b.lo.x));
            }
            for (i, e) in swept.iter().enumerate() {
                let others = swept.iter().skip(i + 1).take_while(|o| !sorted || o.lo.x <= e.hi.x);
                for o in others.filter(|o| e.meets(o)) {
                    let pair = (e.edge.min(o.edge), e.edge.max(o.edge));
                    if clash.is_none_or(|first| pair < first) && self.conflict(prepared, pair.0, pair.1) {
                        clash = Some(pair);
                    }
                }
            }
        }
        let Some((first, other)) = clash else {
            return Ok(());
        };
        let (at, other) = (self.at(part, first.into()), self.at(part, other.into()));
        let (other_ring, other_vertex) = (other.ring, other.vertex);
        Err(if other_ring == at.ring {
            ShapeError::SelfIntersection { at, other_vertex }
        } else {
            ShapeError::RingsCross { at, other_ring, other_vertex }
        })
    }

    /// Rings do not cross by now: one point of a hole that is not on the outer ring decides for all.
    fn check_holes(&self, part: usize) -> Result<(), ShapeError> {
        let Some((outer, holes)) = self.edges.split_first() else {
            return Ok(());
        };
        for (hole, ring) in holes.iter().zip(1..) {
            let vertices = self.edges(hole).map(|e| e.a);
            let middles = self.edges(hole).map(|e| e.a.plus(e.b).times(0.5));
            let mut sides = vertices.chain(middles).map(|p| side_of(self.edges(outer), p));
            if sides.find(|&side| side != Side::Boundary) == Some(Side::Outside) {
                return Err(ShapeError::HoleOutside { part, ring });
            }
        }
        Ok(())
    }
}

/// An edge and its box.
struct Swept {
    edge: u16,
    lo: Xy,
    hi: Xy,
}

impl Swept {
    fn new(edge: u16, Edge { a, b }: Edge) -> Self {
        Self { edge, lo: a.min(b), hi: a.max(b) }
    }

    fn meets(&self, other: &Self) -> bool {
        self.lo.x <= other.hi.x && other.lo.x <= self.hi.x && self.lo.y <= other.hi.y && other.lo.y <= self.hi.y
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meeting {
    Apart,
    /// In one point that is an end of one of them.
    Touch,
    /// In one point within both.
    Cross,
    /// In a stretch of positive length.
    Overlap,
}

fn meeting(e: Edge, f: Edge) -> Meeting {
    let (ea, eb) = (f.left(e.a), f.left(e.b));
    if (ea > 0.0 && eb > 0.0) || (ea < 0.0 && eb < 0.0) {
        return Meeting::Apart;
    }
    let (fa, fb) = (e.left(f.a), e.left(f.b));
    if ea == 0.0 && eb == 0.0 && fa == 0.0 && fb == 0.0 {
        return on_one_line(e, f);
    }
    let opposite = |p: f64, q: f64| (p > 0.0 && q < 0.0) || (p < 0.0 && q > 0.0);
    if opposite(ea, eb) && opposite(fa, fb) {
        return Meeting::Cross;
    }
    let touches = [(ea, f, e.a), (eb, f, e.b), (fa, e, f.a), (fb, e, f.b)];
    if touches.iter().any(|&(side, edge, p)| side == 0.0 && between(p, edge)) { Meeting::Touch } else { Meeting::Apart }
}

fn between(p: Xy, e: Edge) -> bool {
    let (lo, hi) = (e.a.min(e.b), e.a.max(e.b));
    lo.x <= p.x && p.x <= hi.x && lo.y <= p.y && p.y <= hi.y
}

fn on_one_line(e: Edge, f: Edge) -> Meeting {
    let (lo, hi) = (e.a.min(e.b).max(f.a.min(f.b)), e.a.max(e.b).min(f.a.max(f.b)));
    if lo.x > hi.x || lo.y > hi.y {
        Meeting::Apart
    } else if lo == hi {
        Meeting::Touch
    } else {
        Meeting::Overlap
    }
}
