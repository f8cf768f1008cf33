//! The convex pieces that make up a corridor: a band along each leg, a sector at each bend.

use crate::BOUNDARY_M;
use crate::circle::chord;
use crate::interval::Interval;
use crate::plane::{Path, Xy};

/// One straight piece of the axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Leg {
    pub(crate) start: Xy,
    /// Unit vector.
    pub(crate) heading: Xy,
    pub(crate) length_m: f64,
    /// Distance along the axis to `start`.
    pub(crate) chainage_m: f64,
}

impl Leg {
    /// Metres ahead of the start, and metres to the left.
    fn local(&self, p: Xy) -> (f64, f64) {
        let here = p.minus(self.start);
        (here.dot(self.heading), self.heading.cross(here))
    }
}

/// A convex piece of the corridor; their union is the corridor.
#[derive(Clone, Copy)]
pub(crate) enum Piece<'a> {
    /// The rectangle along a leg.
    Band(&'a Leg),
    /// The sector that closes the outer side of a bend: beyond the leg before, short of the leg after.
    Join { before: &'a Leg, after: &'a Leg },
}

/// A point in terms of the axis.
#[derive(Clone, Copy)]
pub(crate) struct Station {
    pub(crate) chainage_m: f64,
    pub(crate) offset_m: f64,
}

impl Piece<'_> {
    /// The station of `p` if it is in the piece or within `slack_m` of it.
    pub(crate) fn station(&self, half_width_m: f64, p: Xy, slack_m: f64) -> Option<Station> {
        let reach_m = half_width_m + slack_m;
        match self {
            Self::Band(leg) => {
                let (ahead_m, left_m) = leg.local(p);
                let within = -slack_m <= ahead_m && ahead_m <= leg.length_m + slack_m;
                (within && left_m.abs() <= reach_m).then_some(Station {
                    chainage_m: leg.chainage_m + ahead_m.clamp(0.0, leg.length_m),
                    offset_m: left_m,
                })
            }
            Self::Join { before, after } => {
                let here = p.minus(after.start);
                let beyond = here.dot(before.heading) >= -slack_m;
                let short = here.dot(after.heading) <= slack_m;
                let distance_m = here.norm();
                (beyond && short && distance_m <= reach_m).then(|| Station {
                    chainage_m: after.chainage_m,
                    offset_m: if before.heading.cross(here) < 0.0 { -distance_m } else { distance_m },
                })
            }
        }
    }

    /// The one stretch of the path in the piece.
    pub(crate) fn clip(&self, half_width_m: f64, path: &Path) -> Option<Interval> {
        let reach_m = half_width_m + BOUNDARY_M;
        let mut window = Window::endless();
        match self {
            Self::Band(leg) => {
                let (start, end) = (leg.local(path.start), leg.local(path.end));
                window.keep(start.1, end.1, -reach_m, reach_m)?;
                window.keep(start.0, end.0, -BOUNDARY_M, leg.length_m + BOUNDARY_M)?;
            }
            Self::Join { before, after } => {
                let (lo, hi) = chord(after.start, reach_m, path)?;
                window = Window { lo, hi };
                let (start, end) = (path.start.minus(after.start), path.end.minus(after.start));
                let ahead = |v: Xy, leg: &Leg| v.dot(leg.heading);
                window.keep(ahead(start, before), ahead(end, before), -BOUNDARY_M, f64::INFINITY)?;
                window.keep(ahead(start, after), ahead(end, after), f64::NEG_INFINITY, BOUNDARY_M)?;
            }
        }
        Interval::clipped(window.lo, window.hi)
    }

    /// The box around the piece; of a join, around its whole circle.
    pub(crate) fn bounds(&self, half_width_m: f64) -> (Xy, Xy) {
        match self {
            Self::Band(leg) => {
                let end = leg.start.plus(leg.heading.times(leg.length_m));
                let out = Xy::new(leg.heading.y.abs(), leg.heading.x.abs()).times(half_width_m);
                (leg.start.min(end).minus(out), leg.start.max(end).plus(out))
            }
            Self::Join { after, .. } => {
                let out = Xy::new(half_width_m, half_width_m);
                (after.start.minus(out), after.start.plus(out))
            }
        }
    }

    /// Whether the piece may meet the box around `middle` that reaches `half` to each side.
    pub(crate) fn may_meet(&self, half_width_m: f64, middle: Xy, half: Xy) -> bool {
        match self {
            Self::Band(leg) => {
                let (ahead_m, left_m) = leg.local(middle);
                let (along, across) = (leg.heading.x.abs(), leg.heading.y.abs());
                let (reach_ahead_m, reach_left_m) =
                    (half.x * along + half.y * across, half.x * across + half.y * along);
                ahead_m >= -reach_ahead_m
                    && ahead_m <= leg.length_m + reach_ahead_m
                    && left_m.abs() <= half_width_m + reach_left_m
            }
            Self::Join { after, .. } => {
                let off = middle.minus(after.start);
                let gap = Xy::new((off.x.abs() - half.x).max(0.0), (off.y.abs() - half.y).max(0.0));
                gap.norm() <= half_width_m
            }
        }
    }

    /// Metres from a point outside to the piece; a join is nearest on its arc, or its neighbours are nearer.
    pub(crate) fn distance_m(&self, half_width_m: f64, p: Xy) -> f64 {
        match self {
            Self::Band(leg) => {
                let (ahead_m, left_m) = leg.local(p);
                let along = (-ahead_m).max(ahead_m - leg.length_m).max(0.0);
                Xy::new(along, (left_m.abs() - half_width_m).max(0.0)).norm()
            }
            Self::Join { before, after } => {
                let here = p.minus(after.start);
                if here.dot(before.heading) >= 0.0 && here.dot(after.heading) <= 0.0 {
                    (here.norm() - half_width_m).max(0.0)
                } else {
                    f64::INFINITY
                }
            }
        }
    }
}

/// The stretch of the endless line through a path that has not been cut away yet.
struct Window {
    lo: f64,
    hi: f64,
}

impl Window {
    fn endless() -> Self {
        Self { lo: f64::NEG_INFINITY, hi: f64::INFINITY }
    }

    /// Keeps where a linear measure, `at_0` at `t` = 0 and `at_1` at `t` = 1, lies between `min` and `max`.
    fn keep(&mut self, at_0: f64, at_1: f64, min: f64, max: f64) -> Option<()> {
        let rise = at_1 - at_0;
        if rise == 0.0 {
            return (min <= at_0 && at_0 <= max).then_some(());
        }
        let (t_min, t_max) = ((min - at_0) / rise, (max - at_0) / rise);
        self.lo = self.lo.max(t_min.min(t_max));
        self.hi = self.hi.min(t_min.max(t_max));
        (self.lo <= self.hi).then_some(())
    }
}
