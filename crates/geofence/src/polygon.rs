//! Polygons with holes: even-odd within a part, union over parts.

use smallvec::SmallVec;

use crate::BOUNDARY_M;
use crate::interval::{Interval, Intervals};
use crate::plane::{Path, Xy, bounds};

/// One side of a ring.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Edge {
    pub(crate) a: Xy,
    pub(crate) b: Xy,
}

/// Where a point lies with respect to closed rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Outside,
    Boundary,
    Inside,
}

/// The even-odd side of `p` among the edges of closed rings.
pub(crate) fn side_of(edges: &[Edge], p: Xy) -> Side {
    let mut inside = false;
    for Edge { a, b } in edges {
        let edge = b.minus(*a);
        let left = edge.cross(p.minus(*a));
        if left * left <= BOUNDARY_M * BOUNDARY_M * edge.norm2() && in_box(p, *a, *b) {
            return Side::Boundary;
        }
        // A ray to the east; an edge owns its lower end and not its upper one, so a vertex counts once.
        if (a.y > p.y) != (b.y > p.y) && (left > 0.0) == (b.y > a.y) {
            inside = !inside;
        }
    }
    if inside { Side::Inside } else { Side::Outside }
}

/// Whether `p` is in the box spanned by two corners, or within the boundary's width of it.
fn in_box(p: Xy, a: Xy, b: Xy) -> bool {
    let (lo, hi) = (a.min(b), a.max(b));
    lo.x - BOUNDARY_M <= p.x && p.x <= hi.x + BOUNDARY_M && lo.y - BOUNDARY_M <= p.y && p.y <= hi.y + BOUNDARY_M
}

/// One polygon with its holes: all edges of all rings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    edges: Box<[Edge]>,
    lo: Xy,
    hi: Xy,
}

impl Part {
    pub(crate) fn new(edges: Vec<Edge>) -> Self {
        let (lo, hi) = bounds(edges.iter().map(|e| (e.a, e.a)));
        Self { edges: edges.into(), lo, hi }
    }

    pub(crate) fn bounds(&self) -> (Xy, Xy) {
        (self.lo, self.hi)
    }

    fn contains(&self, p: Xy) -> bool {
        in_box(p, self.lo, self.hi) && side_of(&self.edges, p) != Side::Outside
    }

    fn depth_m(&self, p: Xy) -> f64 {
        let distances = self.edges.iter().map(|e| p.distance_to_line(e.a, e.b));
        let edge_m = distances.fold(f64::INFINITY, f64::min);
        if self.contains(p) { edge_m } else { -edge_m }
    }

    /// Counts the edges that the line through the path changes side of: every second stretch between them is
    /// inside. A vertex on the line belongs to its right, so each ring is crossed an even number of times
    /// whatever the rounding.
    fn clip(&self, path: &Path, pieces: &mut Intervals) {
        if !path.meets(self.lo, self.hi) {
            return;
        }
        let on_line = BOUNDARY_M * path.length_m();
        let mut crossings: SmallVec<[f64; 8]> = SmallVec::new();
        for Edge { a, b } in &self.edges {
            let (left_a, left_b) = (path.left(*a), path.left(*b));
            if left_a.abs().max(left_b.abs()) <= on_line {
                let (t_a, t_b) = (path.foot(*a), path.foot(*b));
                pieces.extend(Interval::clipped(t_a.min(t_b), t_a.max(t_b)));
            }
            if (left_a > 0.0) != (left_b > 0.0) {
                let (t_a, t_b) = (path.foot(*a), path.foot(*b));
                crossings.push(t_a + (t_b - t_a) * (left_a / (left_a - left_b)));
            }
        }
        crossings.sort_unstable_by(f64::total_cmp);
        for pair in crossings.chunks_exact(2) {
            if let [t_in, t_out] = *pair {
                pieces.extend(Interval::clipped(t_in, t_out));
            }
        }
    }
}

pub(crate) fn contains(parts: &[Part], p: Xy) -> bool {
    parts.iter().any(|part| part.contains(p))
}

pub(crate) fn depth_m(parts: &[Part], p: Xy) -> f64 {
    let depths = parts.iter().map(|part| part.depth_m(p));
    depths.fold(f64::NEG_INFINITY, f64::max)
}

pub(crate) fn clip(parts: &[Part], path: &Path) -> Intervals {
    let mut pieces = Intervals::new();
    for part in parts {
        part.clip(path, &mut pieces);
    }
    pieces
}
