//! Stretches of a path that lie inside a shape: union of raw pieces, and agreement with the path's ends.

use smallvec::SmallVec;

use crate::BOUNDARY_M;
use crate::plane::Path;

/// Pieces of a path this near are one, and one this short is a touch, in metres: pieces of a shape overlap by the
/// boundary's width on either side, so a touch has a length too.
const UNION_SLACK_M: f64 = 4.0 * BOUNDARY_M;

/// A closed stretch of a path, `0 <= t_in <= t_out <= 1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Where the path enters; 0 when it starts inside.
    pub t_in: f64,
    /// Where the path leaves; 1 when it ends inside.
    pub t_out: f64,
}

impl Interval {
    /// The whole path.
    pub const WHOLE: Self = Self { t_in: 0.0, t_out: 1.0 };

    /// The share of the path in this stretch.
    pub fn share(&self) -> f64 {
        self.t_out - self.t_in
    }

    /// The part of `lo..hi` that lies on the path; `None` if there is none or a bound is NaN.
    pub(crate) fn clipped(lo: f64, hi: f64) -> Option<Self> {
        let whole = Self { t_in: lo.max(0.0), t_out: hi.min(1.0) };
        (lo <= hi && whole.t_in <= whole.t_out).then_some(whole)
    }

    /// From `t_in` to `t_out`; `None` when that is nothing.
    pub(crate) fn within(t_in: f64, t_out: f64) -> Option<Self> {
        (t_in < t_out).then_some(Self { t_in, t_out })
    }

    fn point(t: f64) -> Self {
        Self { t_in: t, t_out: t }
    }
}

/// Stretches in the order of the path, disjoint.
pub type Intervals = SmallVec<[Interval; 2]>;

/// What a shape knows of a path.
pub(crate) struct Clip {
    pub(crate) starts_inside: bool,
    pub(crate) ends_inside: bool,
    /// Where it is inside: without order, overlapping, not in agreement with its ends.
    pub(crate) pieces: Intervals,
}

/// What is no more than a touch on this path, as a share of it; not finite when it has no length.
pub(crate) fn slack_of(path: &Path) -> f64 {
    UNION_SLACK_M / path.length_m()
}

/// Sorts pieces, joins those that overlap or are at most `slack` apart, drops what is not longer than `slack`.
pub(crate) fn union(mut pieces: Intervals, slack: f64) -> Intervals {
    pieces.sort_unstable_by(|a, b| a.t_in.total_cmp(&b.t_in));
    let mut joined = Intervals::new();
    for piece in pieces {
        match joined.last_mut() {
            Some(last) if piece.t_in <= last.t_out + slack => last.t_out = last.t_out.max(piece.t_out),
            _ => joined.push(piece),
        }
    }
    joined.retain(|i| i.share() > slack);
    joined
}

/// Makes the first interval start at 0 if and only if the path starts inside, and likewise at its end.
///
/// The edge found by crossing and the edge found by a point test differ by rounding; consecutive paths share a
/// point, and must not disagree on it.
pub(crate) fn agree_with_ends(intervals: &mut Intervals, starts_inside: bool, ends_inside: bool, slack: f64) {
    match intervals.first_mut() {
        Some(first) if starts_inside && first.t_in <= slack => first.t_in = 0.0,
        Some(first) if !starts_inside => first.t_in = first.t_in.max(f64::EPSILON),
        _ if starts_inside => intervals.insert(0, Interval::point(0.0)),
        _ => {}
    }
    match intervals.last_mut() {
        Some(last) if ends_inside && last.t_out >= 1.0 - slack => last.t_out = 1.0,
        Some(last) if !ends_inside => last.t_out = last.t_out.min(1.0 - f64::EPSILON),
        _ if ends_inside => intervals.push(Interval::point(1.0)),
        _ => {}
    }
}

/// The intervals of a path too short to have a direction.
pub(crate) fn of_point(starts_inside: bool, ends_inside: bool) -> Intervals {
    match (starts_inside, ends_inside) {
        (true, true) => SmallVec::from_slice(&[Interval::WHOLE]),
        (true, false) => SmallVec::from_slice(&[Interval::point(0.0)]),
        (false, true) => SmallVec::from_slice(&[Interval::point(1.0)]),
        (false, false) => Intervals::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intervals(pairs: &[(f64, f64)]) -> Intervals {
        pairs.iter().map(|&(t_in, t_out)| Interval { t_in, t_out }).collect()
    }

    #[test]
    fn union_sorts_joins_and_drops() {
        for (pieces, expect) in [
            (&[][..], &[][..]),
            (&[(0.5, 0.7), (0.1, 0.2)], &[(0.1, 0.2), (0.5, 0.7)]),
            (&[(0.1, 0.5), (0.2, 0.3), (0.4, 0.8)], &[(0.1, 0.8)]),
            (&[(0.1, 0.5), (0.505, 0.8)], &[(0.1, 0.8)]),
            (&[(0.4, 0.4), (0.7, 0.705)], &[]),
        ] {
            assert_eq!(union(intervals(pieces), 0.01), intervals(expect), "{pieces:?}");
        }
    }

    #[test]
    fn ends_decide() {
        let nearly = 1.0 - f64::EPSILON;
        for (given, starts, ends, expect) in [
            (&[(0.0, 1.0)][..], true, true, &[(0.0, 1.0)][..]),
            (&[(0.0, 1.0)], false, false, &[(f64::EPSILON, nearly)]),
            (&[(0.005, 0.995)], true, true, &[(0.0, 1.0)]),
            (&[(0.3, 0.6)], true, true, &[(0.0, 0.0), (0.3, 0.6), (1.0, 1.0)]),
            (&[], true, false, &[(0.0, 0.0)]),
            (&[], false, true, &[(1.0, 1.0)]),
            (&[], true, true, &[(0.0, 0.0), (1.0, 1.0)]),
            (&[(0.3, 0.6)], false, false, &[(0.3, 0.6)]),
        ] {
            let mut got = intervals(given);
            agree_with_ends(&mut got, starts, ends, 0.01);
            assert_eq!(got, intervals(expect), "{given:?} {starts} {ends}");
        }
    }

    #[test]
    fn clipping_to_the_path() {
        for (lo, hi, expect) in [
            (-1.0, 2.0, Some((0.0, 1.0))),
            (0.2, 0.3, Some((0.2, 0.3))),
            (1.1, 2.0, None),
            (-2.0, -1.0, None),
            (0.6, 0.4, None),
            (f64::NAN, 0.4, None),
        ] {
            let got = Interval::clipped(lo, hi).map(|i| (i.t_in, i.t_out));
            assert_eq!(got, expect, "{lo} {hi}");
        }
    }
}
