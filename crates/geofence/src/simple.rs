//! Whether the rings of a polygon are simple: no crossing, no touching itself, holes inside.

use rstar::RTree;
use rstar::primitives::{GeomWithData, Rectangle};

use crate::error::{At, ShapeError};
use crate::plane::Xy;
use crate::polygon::{Edge, Side, side_of};

/// Rings thinner than this enclose nothing, in square metres: above the rounding of three points on a line.
const MIN_AREA_M2: f64 = 0.01;

/// A ring without its closing vertex and without repeated vertices; each keeps the number it was given with.
pub(crate) struct Ring {
    pub(crate) vertices: Vec<(usize, Xy)>,
}

impl Ring {
    pub(crate) fn new(given: impl Iterator<Item = Xy>) -> Self {
        let mut vertices: Vec<(usize, Xy)> = given.enumerate().collect();
        vertices.dedup_by(|next, kept| next.1 == kept.1);
        while vertices.len() > 1 && vertices.first().map(|v| v.1) == vertices.last().map(|v| v.1) {
            vertices.pop();
        }
        Self { vertices }
    }

    pub(crate) fn edges(&self) -> impl Iterator<Item = (usize, Edge)> {
        let ends = self.vertices.iter().cycle().skip(1);
        self.vertices.iter().zip(ends).map(|(&(number, a), &(_, b))| (number, Edge { a, b }))
    }

    /// Twice the sum of the unsigned triangles seen from the first vertex: zero only if all lie on a line. The
    /// signed area would also be zero for a figure of eight.
    fn is_flat(&self) -> bool {
        let Some(&(_, first)) = self.vertices.first() else {
            return true;
        };
        let triangles = self.edges().map(|(_, e)| e.a.minus(first).cross(e.b.minus(first)).abs());
        triangles.sum::<f64>() < 2.0 * MIN_AREA_M2
    }
}

/// An edge, and where it stands in its polygon.
struct Tagged {
    edge: Edge,
    ring: usize,
    /// Number of the vertex it starts from, as given.
    vertex: usize,
    /// Place among the `count` edges of its ring.
    place: usize,
    count: usize,
}

impl Tagged {
    fn is_neighbour(&self, other: &Self) -> bool {
        let (lo, hi) = (self.place.min(other.place), self.place.max(other.place));
        hi - lo == 1 || (lo == 0 && hi + 1 == self.count)
    }

    /// Whether two edges of one polygon meet as they must not.
    fn conflicts(&self, other: &Self) -> bool {
        let meeting = meeting(&self.edge, &other.edge);
        if self.ring != other.ring {
            matches!(meeting, Meeting::Cross | Meeting::Overlap)
        } else if self.is_neighbour(other) {
            meeting == Meeting::Overlap
        } else {
            meeting != Meeting::Apart
        }
    }
}

/// Checks one polygon: outer ring first, then its holes.
pub(crate) fn check(part: usize, rings: &[Ring]) -> Result<(), ShapeError> {
    for (ring, r) in rings.iter().enumerate() {
        let distinct = r.vertices.len();
        if distinct < 3 {
            let needed = 3;
            return Err(ShapeError::TooFewVertices { part, ring, distinct, needed });
        }
        if r.is_flat() {
            return Err(ShapeError::ZeroArea { part, ring });
        }
    }
    check_edges(part, rings)?;
    check_holes(part, rings)
}

/// Finds the first edge, in the order given, that meets another one; a tree of the edges spares the others.
fn check_edges(part: usize, rings: &[Ring]) -> Result<(), ShapeError> {
    let edges: Vec<Tagged> = rings.iter().enumerate().flat_map(tagged).collect();
    let boxes = edges.iter().enumerate().map(|(i, e)| GeomWithData::new(box_of(&e.edge), i));
    let tree = RTree::bulk_load(boxes.collect());
    for (i, e) in edges.iter().enumerate() {
        let near = tree.locate_in_envelope_intersecting(&rstar::RTreeObject::envelope(&box_of(&e.edge)));
        let later = near.map(|n| n.data).filter(|&j| j > i);
        let clash = later.filter(|&j| edges.get(j).is_some_and(|o| e.conflicts(o))).min();
        if let Some(other) = clash.and_then(|j| edges.get(j)) {
            let at = At { part, ring: e.ring, vertex: e.vertex };
            let (other_ring, other_vertex) = (other.ring, other.vertex);
            return Err(if other_ring == e.ring {
                ShapeError::SelfIntersection { at, other_vertex }
            } else {
                ShapeError::RingsCross { at, other_ring, other_vertex }
            });
        }
    }
    Ok(())
}

fn tagged((ring, r): (usize, &Ring)) -> impl Iterator<Item = Tagged> + '_ {
    let count = r.vertices.len();
    r.edges().enumerate().map(move |(place, (vertex, edge))| Tagged { edge, ring, vertex, place, count })
}

fn box_of(e: &Edge) -> Rectangle<[f64; 2]> {
    Rectangle::from_corners([e.a.x, e.a.y], [e.b.x, e.b.y])
}

/// Rings do not cross by now: one point of a hole that is not on the outer ring decides for all.
fn check_holes(part: usize, rings: &[Ring]) -> Result<(), ShapeError> {
    let Some((outer, holes)) = rings.split_first() else {
        return Ok(());
    };
    let outer: Vec<Edge> = outer.edges().map(|(_, e)| e).collect();
    for (hole, ring) in holes.iter().zip(1..) {
        let vertices = hole.vertices.iter().map(|v| v.1);
        let middles = hole.edges().map(|(_, e)| e.a.plus(e.b).times(0.5));
        let mut sides = vertices.chain(middles).map(|p| side_of(&outer, p));
        if sides.find(|&side| side != Side::Boundary) == Some(Side::Outside) {
            return Err(ShapeError::HoleOutside { part, ring });
        }
    }
    Ok(())
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

fn meeting(e: &Edge, f: &Edge) -> Meeting {
    let left = |edge: &Edge, p: Xy| edge.b.minus(edge.a).cross(p.minus(edge.a));
    let (ea, eb) = (left(f, e.a), left(f, e.b));
    let (fa, fb) = (left(e, f.a), left(e, f.b));
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

fn between(p: Xy, e: &Edge) -> bool {
    let (lo, hi) = (e.a.min(e.b), e.a.max(e.b));
    lo.x <= p.x && p.x <= hi.x && lo.y <= p.y && p.y <= hi.y
}

fn on_one_line(e: &Edge, f: &Edge) -> Meeting {
    let (lo, hi) = (e.a.min(e.b).max(f.a.min(f.b)), e.a.max(e.b).min(f.a.max(f.b)));
    if lo.x > hi.x || lo.y > hi.y {
        Meeting::Apart
    } else if lo == hi {
        Meeting::Touch
    } else {
        Meeting::Overlap
    }
}
