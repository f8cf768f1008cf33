//! An oracle for areas in whole millionths of a degree, as they come over the wire: integers alone, no rounding at all.

use std::cmp::Ordering;

/// East and north, in millionths of a degree from a fixed place; within ±200,000, so that nothing overflows.
pub(crate) type Micro = (i128, i128);

/// A share of a path, `num / den` with `den > 0`.
#[derive(Clone, Copy, Debug)]
struct Share {
    num: i128,
    den: i128,
}

impl Share {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.num * other.den).cmp(&(other.num * self.den))
    }

    fn on_path(self) -> Option<Self> {
        (self.num >= 0 && self.num <= self.den).then_some(self)
    }

    fn value(self) -> f64 {
        self.num as f64 / self.den as f64
    }
}

fn cross(o: Micro, a: Micro, b: Micro) -> i128 {
    (a.0 - o.0) * (b.1 - o.1) - (a.1 - o.1) * (b.0 - o.0)
}

fn edges(rings: &[Vec<Micro>]) -> impl Iterator<Item = (Micro, Micro)> {
    rings.iter().flat_map(|ring| ring.iter().copied().zip(ring.iter().copied().cycle().skip(1)))
}

/// The open stretches of the path from `a` to `b` that lie inside the rings (even-odd), longer than a point.
pub(crate) fn stretches(rings: &[Vec<Micro>], a: Micro, b: Micro) -> Vec<(f64, f64)> {
    let mut cuts = vec![Share { num: 0, den: 1 }, Share { num: 1, den: 1 }];
    for (c, d) in edges(rings) {
        cuts.extend(meetings(a, b, c, d).into_iter().flatten().filter_map(Share::on_path));
    }
    cuts.sort_by(Share::cmp);
    cuts.dedup_by(|next, kept| Share::cmp(next, kept) == Ordering::Equal);
    let mut found: Vec<(f64, f64)> = Vec::new();
    let mut touches = false;
    for pair in cuts.windows(2) {
        let inside = a != b && holds(rings, a, b, pair[0], pair[1]);
        if inside && touches {
            found.last_mut().expect("one before").1 = pair[1].value();
        } else if inside {
            found.push((pair[0].value(), pair[1].value()));
        }
        touches = inside;
    }
    found
}

/// Where the line through `a` and `b` meets the edge; both ends of the edge when it runs along.
fn meetings(a: Micro, b: Micro, c: Micro, d: Micro) -> [Option<Share>; 2] {
    let step = (b.0 - a.0, b.1 - a.1);
    let (left_c, left_d) = (cross(a, b, c), cross(a, b, d));
    if left_c == 0 && left_d == 0 {
        let den = step.0 * step.0 + step.1 * step.1;
        let along = |p: Micro| Share { num: (p.0 - a.0) * step.0 + (p.1 - a.1) * step.1, den };
        return if den > 0 { [Some(along(c)), Some(along(d))] } else { [None, None] };
    }
    if (left_c > 0 && left_d > 0) || (left_c < 0 && left_d < 0) {
        return [None, None];
    }
    // From a + t (b - a) on the line through c and d.
    let edge = (d.0 - c.0, d.1 - c.1);
    let num = (c.0 - a.0) * edge.1 - (c.1 - a.1) * edge.0;
    let den = step.0 * edge.1 - step.1 * edge.0;
    [Some(Share { num: num * den.signum(), den: den.abs() }), None]
}

/// Whether the middle between two places of the path is inside: a ray to the east, an edge owns its lower end.
fn holds(rings: &[Vec<Micro>], a: Micro, b: Micro, from: Share, to: Share) -> bool {
    let (num, den) = (from.num * to.den + to.num * from.den, 2 * from.den * to.den);
    let (x, y) = (a.0 * den + (b.0 - a.0) * num, a.1 * den + (b.1 - a.1) * num);
    let mut inside = false;
    for (c, d) in edges(rings) {
        if (c.1 * den > y) != (d.1 * den > y) {
            let left = (d.0 - c.0) * (y - c.1 * den) - (d.1 - c.1) * (x - c.0 * den);
            inside ^= (left > 0) == (d.1 > c.1);
        }
    }
    inside
}

/// Metres from a place of the path to the nearest edge: only to tell what no rounding may get wrong.
pub(crate) fn edge_m(rings: &[Vec<Micro>], p: (f64, f64), metres: (f64, f64)) -> f64 {
    let flat = |p: Micro| (p.0 as f64 * metres.0, p.1 as f64 * metres.1);
    let p = (p.0 * metres.0, p.1 * metres.1);
    let distances = edges(rings).map(|(c, d)| {
        let (c, d) = (flat(c), flat(d));
        let (edge, here) = ((d.0 - c.0, d.1 - c.1), (p.0 - c.0, p.1 - c.1));
        let length2 = edge.0 * edge.0 + edge.1 * edge.1;
        let t = if length2 > 0.0 { ((here.0 * edge.0 + here.1 * edge.1) / length2).clamp(0.0, 1.0) } else { 0.0 };
        (here.0 - t * edge.0).hypot(here.1 - t * edge.1)
    });
    distances.fold(f64::INFINITY, f64::min)
}

#[test]
fn the_oracle_itself() {
    let square = vec![vec![(0, 0), (10, 0), (10, 10), (0, 10)], vec![(4, 4), (6, 4), (6, 6), (4, 6)]];
    for (a, b, expect) in [
        ((-10, 5), (10, 5), &[(0.5, 0.7), (0.8, 1.0)][..]),
        ((-5, 2), (15, 2), &[(0.25, 0.75)]),
        // touches a corner; from corner to corner; passes by; a point; along an edge
        ((-5, 5), (5, 15), &[]),
        ((0, 0), (10, 10), &[(0.0, 0.4), (0.6, 1.0)]),
        ((0, 20), (20, 0), &[]),
        ((3, 3), (3, 3), &[]),
    ] {
        assert_eq!(stretches(&square, a, b), expect, "{a:?} {b:?}");
    }
}
