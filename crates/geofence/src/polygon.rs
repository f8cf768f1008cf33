//! Polygons with holes: even-odd within a part, union over parts.

use smallvec::SmallVec;

use crate::BOUNDARY_M;
use crate::interval::{Clip, Interval, Intervals};
use crate::plane::{Path, Xy, bounds};
use crate::strips::{Span, Strips};

/// How far beyond an edge a question may still concern it, in metres: the boundary, and rounding far below it.
const REACH_M: f64 = 4.0 * BOUNDARY_M;

/// One side of a ring.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Edge {
    pub(crate) a: Xy,
    pub(crate) b: Xy,
}

impl Edge {
    /// Positive when `p` lies to the left of the edge; zero on its line.
    pub(crate) fn left(self, p: Xy) -> f64 {
        self.b.minus(self.a).cross(p.minus(self.a))
    }

    fn low_m(self) -> f64 {
        self.a.y.min(self.b.y) - REACH_M
    }

    fn high_m(self) -> f64 {
        self.a.y.max(self.b.y) + REACH_M
    }
}

/// Where a point lies with respect to closed rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Outside,
    Boundary,
    Inside,
}

/// The even-odd side of `p` among the edges of closed rings, of which those that do not span its `y` may be left out.
pub(crate) fn side_of(edges: impl Iterator<Item = Edge>, p: Xy) -> Side {
    let mut inside = false;
    for Edge { a, b } in edges {
        let edge = b.minus(a);
        let left = edge.cross(p.minus(a));
        if left * left <= BOUNDARY_M * BOUNDARY_M * edge.norm2() && in_box(p, a, b) {
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

/// One polygon with its holes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    /// Ring after ring, each with its first vertex again at its end. Edge `i` runs from vertex `i` to the next one;
    /// the last vertex of a ring begins none.
    vertices: Box<[Xy]>,
    /// The edges, from south to north.
    strips: Strips,
    lo: Xy,
    hi: Xy,
}

impl Part {
    /// Of closed rings one after another; `begins` tells for each vertex whether an edge begins there.
    pub(crate) fn new(vertices: &[Xy], begins: impl Fn(usize) -> bool) -> Self {
        let (lo, hi) = bounds(vertices.iter().map(|&v| (v, v)));
        let edges = (0_u16..).zip(vertices.windows(2)).filter(|(number, _)| begins(usize::from(*number)));
        let spans: Vec<Span> = edges
            .filter_map(|(item, pair)| {
                let &[a, b] = pair else { return None };
                let edge = Edge { a, b };
                Some(Span { item, low: edge.low_m(), high: edge.high_m() })
            })
            .collect();
        Self { vertices: vertices.into(), strips: Strips::new(&spans), lo, hi }
    }

    pub(crate) fn bounds(&self) -> (Xy, Xy) {
        (self.lo, self.hi)
    }

    pub(crate) fn strips(&self) -> &Strips {
        &self.strips
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.vertices) + self.strips.heap_bytes()
    }

    pub(crate) fn edge(&self, number: u16) -> Edge {
        match self.vertices.get(usize::from(number)..usize::from(number) + 2) {
            Some(&[a, b]) => Edge { a, b },
            // No strip holds another number.
            _ => Edge { a: self.lo, b: self.lo },
        }
    }

    /// Edges that may meet the band `low..=high` of northings, each once.
    pub(crate) fn edges_between(&self, low_m: f64, high_m: f64) -> impl Iterator<Item = Edge> {
        self.strips.between(low_m, high_m).map(|number| self.edge(number))
    }

    /// All edges, each once.
    pub(crate) fn edges(&self) -> impl Iterator<Item = Edge> {
        self.edges_between(f64::NEG_INFINITY, f64::INFINITY)
    }

    pub(crate) fn side(&self, p: Xy) -> Side {
        if !in_box(p, self.lo, self.hi) {
            return Side::Outside;
        }
        side_of(self.strips.at(p.y).iter().map(|&number| self.edge(number)), p)
    }

    fn contains(&self, p: Xy) -> bool {
        self.side(p) != Side::Outside
    }

    fn depth_m(&self, p: Xy) -> f64 {
        let distances = self.edges().map(|e| p.distance_to_line(e.a, e.b));
        let edge_m = distances.fold(f64::INFINITY, f64::min);
        if self.contains(p) { edge_m } else { -edge_m }
    }

    /// Where the path is inside.
    ///
    /// An edge beyond the box around the path can only be crossed before the path's start or after its end. Before
    /// the start, all that matters is how often: an odd number of times if the start is inside. That holds whatever
    /// the rounding, as long as the start is clearly off the edges; on the boundary all edges are asked.
    fn clip(&self, path: &Path, start: Side, pieces: &mut Intervals) {
        if !path.meets(self.lo, self.hi) {
            return;
        }
        match start {
            Side::Boundary => self.clip_line(path, pieces),
            side => self.clip_path(path, side == Side::Inside, pieces),
        }
    }

    fn clip_path(&self, path: &Path, starts_inside: bool, pieces: &mut Intervals) {
        let Some((lo, hi)) = path.reach_within(self.lo, self.hi, REACH_M) else {
            return;
        };
        let near = |e: &Edge| {
            let (low_x, high_x) = if e.a.x < e.b.x { (e.a.x, e.b.x) } else { (e.b.x, e.a.x) };
            low_x <= hi.x && lo.x <= high_x
        };
        let mut crossings = Crossings::new();
        for edge in self.edges_between(lo.y, hi.y).filter(near) {
            crossings.extend(cross(path, edge, pieces).filter(|t| *t >= 0.0));
        }
        crossings.sort_unstable_by(f64::total_cmp);
        if starts_inside {
            crossings.insert(0, 0.0);
        }
        if !crossings.len().is_multiple_of(2) {
            crossings.push(f64::INFINITY);
        }
        between(&crossings, pieces);
    }

    /// Counts all edges that the endless line through the path changes side of: every second stretch between them is
    /// inside. A vertex on the line belongs to its right, so each ring is crossed an even number of times whatever
    /// the rounding.
    fn clip_line(&self, path: &Path, pieces: &mut Intervals) {
        let mut crossings: Crossings = self.edges().filter_map(|edge| cross(path, edge, pieces)).collect();
        crossings.sort_unstable_by(f64::total_cmp);
        between(&crossings, pieces);
    }
}

/// Where a line crosses edges, as `t` of the path.
type Crossings = SmallVec<[f64; 8]>;

/// Where the endless line through the path crosses the edge. An edge along the path is a piece of its own.
fn cross(path: &Path, Edge { a, b }: Edge, pieces: &mut Intervals) -> Option<f64> {
    let (left_a, left_b) = (path.left(a), path.left(b));
    if left_a.abs().max(left_b.abs()) <= BOUNDARY_M * path.length_m() {
        let (t_a, t_b) = (path.foot(a), path.foot(b));
        pieces.extend(Interval::clipped(t_a.min(t_b), t_a.max(t_b)));
    }
    if (left_a > 0.0) == (left_b > 0.0) {
        return None;
    }
    let (t_a, t_b) = (path.foot(a), path.foot(b));
    Some(t_a + (t_b - t_a) * (left_a / (left_a - left_b)))
}

fn between(crossings: &[f64], pieces: &mut Intervals) {
    for pair in crossings.chunks_exact(2) {
        if let [t_in, t_out] = *pair {
            pieces.extend(Interval::clipped(t_in, t_out));
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

pub(crate) fn clip(parts: &[Part], path: &Path) -> Clip {
    let mut clip = Clip { starts_inside: false, ends_inside: false, pieces: Intervals::new() };
    for part in parts {
        let (start, end) = (part.side(path.start), part.side(path.end));
        clip.starts_inside |= start != Side::Outside;
        clip.ends_inside |= end != Side::Outside;
        part.clip(path, start, &mut clip.pieces);
    }
    clip
}
