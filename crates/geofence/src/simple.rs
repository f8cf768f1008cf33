//! Whether the rings of a polygon are simple: no crossing, no touching itself, holes inside.

use crate::error::{At, ShapeError};
use crate::plane::{Xy, bounds};
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
    /// Box of the edge, first coordinate in the direction of the sweep.
    lo: Xy,
    hi: Xy,
    ring: usize,
    /// Number of the vertex it starts from, as given.
    vertex: usize,
    /// Place among the `count` edges of its ring.
    place: usize,
    count: usize,
}

impl Tagged {
    fn order(&self) -> (usize, usize) {
        (self.ring, self.place)
    }

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

/// Finds the first edge, in the order given, that meets another one as it must not.
///
/// A sweep along the longer side of the polygon: only edges whose boxes overlap are compared.
fn check_edges(part: usize, rings: &[Ring]) -> Result<(), ShapeError> {
    let edges = sweep_order(rings);
    let mut clash: Option<(&Tagged, &Tagged)> = None;
    for (i, e) in edges.iter().enumerate() {
        let reached = edges.iter().skip(i + 1).take_while(|o| o.lo.x <= e.hi.x);
        for o in reached.filter(|o| o.lo.y <= e.hi.y && e.lo.y <= o.hi.y) {
            if e.conflicts(o) {
                let pair = if e.order() < o.order() { (e, o) } else { (o, e) };
                let key = |(first, second): (&Tagged, &Tagged)| (first.order(), second.order());
                clash = Some(clash.map_or(pair, |best| if key(pair) < key(best) { pair } else { best }));
            }
        }
    }
    let Some((first, other)) = clash else {
        return Ok(());
    };
    let at = At { part, ring: first.ring, vertex: first.vertex };
    let (other_ring, other_vertex) = (other.ring, other.vertex);
    Err(if other_ring == first.ring {
        ShapeError::SelfIntersection { at, other_vertex }
    } else {
        ShapeError::RingsCross { at, other_ring, other_vertex }
    })
}

/// All edges, by the lower end of their boxes along the longer side of the polygon.
fn sweep_order(rings: &[Ring]) -> Vec<Tagged> {
    let (lo, hi) = bounds(rings.iter().flat_map(|r| &r.vertices).map(|&(_, v)| (v, v)));
    let tall = hi.y - lo.y > hi.x - lo.x;
    let turned = |p: Xy| if tall { Xy::new(p.y, p.x) } else { p };
    let mut edges: Vec<Tagged> = Vec::new();
    for (ring, r) in rings.iter().enumerate() {
        let count = r.vertices.len();
        edges.extend(r.edges().enumerate().map(|(place, (vertex, edge))| {
            let (lo, hi) = (turned(edge.a.min(edge.b)), turned(edge.a.max(edge.b)));
            Tagged { edge, lo, hi, ring, vertex, place, count }
        }));
    }
    edges.sort_by(|a, b| a.lo.x.total_cmp(&b.lo.x));
    edges
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
    if (ea > 0.0 && eb > 0.0) || (ea < 0.0 && eb < 0.0) {
        return Meeting::Apart;
    }
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
