//! Corridors: a band along an axis with flat ends; where a path runs along the axis, and where it merely crosses.

use smallvec::SmallVec;

use crate::BOUNDARY_M;
use crate::interval::{Interval, Intervals, slack_of, union};
use crate::piece::{Leg, Piece, Station};
use crate::plane::{Path, Xy, bounds};
use crate::strips::{Span, Strips};

/// How far outside the ends of a stretch may be, in metres: its `t` was computed on the rim, and rounded.
const CUT_SLACK_M: f64 = 1e-3;
/// How far beyond a piece a question may still concern it, in metres: the cut's slack, square to the axis and along it.
const REACH_M: f64 = 2.0 * CUT_SLACK_M;

/// Which way of travel a corridor is meant for, with respect to the order of its axis's vertices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both carriageways.
    #[default]
    Both,
    /// From the first vertex to the last.
    Forward,
    /// From the last vertex to the first.
    Backward,
}

impl Direction {
    /// Whether travel with this signed progress along the axis is the corridor's concern. No progress is not
    /// against it.
    pub fn covers(self, progress_m: f64) -> bool {
        match self {
            Self::Both => true,
            Self::Forward => progress_m >= 0.0,
            Self::Backward => progress_m <= 0.0,
        }
    }
}

/// How a stretch of a path runs with respect to a corridor's axis.
///
/// A path that travels along has `progress_m` beyond the change of offset; one that merely crosses enters on one
/// side (offset near plus or minus the half width), leaves on the other, and progresses little. Progress of
/// consecutive stretches adds up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Along {
    /// Distance along the axis from its first vertex, in metres, where the stretch begins.
    pub from_m: f64,
    /// The same where it ends.
    pub to_m: f64,
    /// Metres travelled along the axis, forward positive. Not always `to_m - from_m`: a step from one strand of a
    /// hairpin to the other is no progress, and a ring road passes its own beginning.
    pub progress_m: f64,
    /// Metres to the left (positive) or right (negative) of the axis where the stretch begins.
    pub offset_in_m: f64,
    /// The same where it ends.
    pub offset_out_m: f64,
}

impl Along {
    /// Metres travelled across the axis, to the left positive.
    pub fn across_m(&self) -> f64 {
        self.offset_out_m - self.offset_in_m
    }
}

/// The direction of several: of those that differ both.
pub(crate) fn direction(parts: &[Corridor]) -> Direction {
    let mut all = parts.iter().map(|part| part.direction);
    let first = all.next().unwrap_or_default();
    if all.all(|direction| direction == first) { first } else { Direction::Both }
}

/// How a stretch runs with respect to the axes of several corridors, one after the other: where they overlap the first
/// one counts.
pub(crate) fn along(parts: &[Corridor], path: &Path, stretch: Interval) -> Option<Along> {
    if let [one] = parts {
        return one.along(path, stretch);
    }
    let differ = parts.iter().any(|part| part.direction != direction(parts));
    let slack = slack_of(path);
    let mut legs: SmallVec<[(Interval, usize); 4]> = SmallVec::new();
    for (number, part) in parts.iter().enumerate() {
        let inside = if slack.is_finite() { union(part.clip(path), slack) } else { Intervals::new() };
        let cut = inside.iter().filter_map(|i| Interval::within(i.t_in.max(stretch.t_in), i.t_out.min(stretch.t_out)));
        legs.extend(cut.map(|cut| (cut, number)));
    }
    legs.sort_unstable_by(|(a, m), (b, n)| a.t_in.total_cmp(&b.t_in).then(m.cmp(n)));
    let (mut whole, mut to): (Option<Along>, f64) = (None, stretch.t_in);
    for (leg, number) in legs {
        let Some(leg) = Interval::within(leg.t_in.max(to), leg.t_out) else { continue };
        let Some(part) = parts.get(number) else { continue };
        let Some(mut one) = part.along(path, leg) else { continue };
        to = leg.t_out;
        if differ && !part.direction.covers(one.progress_m) {
            one.progress_m = 0.0;
        }
        whole = Some(match whole {
            None => one,
            Some(before) => Along {
                from_m: before.from_m,
                offset_in_m: before.offset_in_m,
                progress_m: before.progress_m + one.progress_m,
                ..one
            },
        });
    }
    whole
}

/// A corridor in its plane.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Corridor {
    legs: Box<[Leg]>,
    half_width_m: f64,
    /// The axis ends where it began: a ring road, without flat ends.
    closed: bool,
    /// The pieces by number, along the longer side of the corridor.
    strips: Strips,
    /// That side runs from south to north, not from west to east.
    tall: bool,
    pub(crate) direction: Direction,
}

impl Corridor {
    /// From an axis of at least 2 vertices, each different from the one before.
    pub(crate) fn new(axis: &[Xy], half_width_m: f64, direction: Direction) -> Self {
        let mut chainage_m = 0.0;
        let legs = axis.windows(2).filter_map(|pair| {
            let &[start, end] = pair else { return None };
            let length_m = end.minus(start).norm();
            let leg = Leg { start, heading: end.minus(start).times(1.0 / length_m), length_m, chainage_m };
            chainage_m += length_m;
            Some(leg)
        });
        let legs: Box<[Leg]> = legs.collect();
        let closed = axis.len() > 3 && axis.first() == axis.last();
        let (lo, hi) = bounds(axis.iter().map(|&v| (v, v)));
        let tall = hi.y - lo.y > hi.x - lo.x;
        let mut made = Self { legs, half_width_m, closed, strips: Strips::new(&[]), tall, direction };
        made.strips =
            Strips::new(&(0..).zip(made.pieces()).map(|(item, piece)| made.span(item, &piece)).collect::<Vec<_>>());
        made
    }

    fn span(&self, item: u16, piece: &Piece<'_>) -> Span {
        let (lo, hi) = piece.bounds(self.half_width_m);
        Span { item, low: self.side(lo) - REACH_M, high: self.side(hi) + REACH_M }
    }

    /// The coordinate along the longer side.
    fn side(&self, p: Xy) -> f64 {
        if self.tall { p.y } else { p.x }
    }

    pub(crate) fn half_width_m(&self) -> f64 {
        self.half_width_m
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.legs) + self.strips.heap_bytes()
    }

    pub(crate) fn length_m(&self) -> f64 {
        self.legs.last().map_or(0.0, |leg| leg.chainage_m + leg.length_m)
    }

    /// All pieces: a band for each leg, then the joins between them.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let joins = if self.closed { self.legs.len() } else { self.legs.len().saturating_sub(1) };
        (0..self.legs.len() + joins).filter_map(|number| self.piece(number))
    }

    fn piece(&self, number: usize) -> Option<Piece<'_>> {
        if let Some(leg) = self.legs.get(number) {
            return Some(Piece::Band(leg));
        }
        let join = number - self.legs.len();
        Some(Piece::Join { before: self.legs.get(join)?, after: self.legs.get(join + 1).or(self.legs.first())? })
    }

    /// The pieces that may hold `p`, in the order of [`pieces`](Self::pieces).
    fn pieces_at(&self, p: Xy) -> impl Iterator<Item = Piece<'_>> {
        self.sorted(self.strips.at(self.side(p)).iter().copied())
    }

    /// The pieces that the path may meet, in the order of [`pieces`](Self::pieces).
    fn pieces_along(&self, path: &Path) -> impl Iterator<Item = Piece<'_>> {
        let (start, end) = (self.side(path.start), self.side(path.end));
        self.sorted(self.strips.between(start.min(end), start.max(end)))
    }

    fn sorted(&self, numbers: impl Iterator<Item = u16>) -> impl Iterator<Item = Piece<'_>> {
        let mut numbers: SmallVec<[u16; 32]> = numbers.collect();
        numbers.sort_unstable();
        numbers.into_iter().filter_map(|number| self.piece(number.into()))
    }

    pub(crate) fn contains(&self, p: Xy) -> bool {
        self.pieces_at(p).any(|piece| piece.station(self.half_width_m, p, BOUNDARY_M).is_some())
    }

    pub(crate) fn clip(&self, path: &Path) -> Intervals {
        self.pieces_along(path).filter_map(|piece| piece.clip(self.half_width_m, path)).collect()
    }

    /// The station nearest to the axis among all pieces that hold `p`.
    fn station(&self, p: Xy, slack_m: f64) -> Option<Station> {
        nearest(self.pieces_at(p).filter_map(|piece| piece.station(self.half_width_m, p, slack_m)), |s| s.offset_m)
    }

    pub(crate) fn depth_m(&self, p: Xy) -> f64 {
        let Some(station) = self.station(p, BOUNDARY_M) else {
            let distances = self.pieces().map(|piece| piece.distance_m(self.half_width_m, p));
            return -distances.fold(f64::INFINITY, f64::min);
        };
        let lateral_m = self.half_width_m - station.offset_m.abs();
        self.ends().map(|(a, b)| p.distance_to_line(a, b)).fold(lateral_m, f64::min)
    }

    /// The flat ends, each from its right corner to its left one; none on a ring.
    fn ends(&self) -> impl Iterator<Item = (Xy, Xy)> {
        let first = self.legs.first().map(|leg| (leg, 0.0));
        let last = self.legs.last().map(|leg| (leg, leg.length_m));
        first.into_iter().chain(last).filter(|_| !self.closed).map(|(leg, ahead_m)| {
            let centre = leg.start.plus(leg.heading.times(ahead_m));
            let left = Xy::new(-leg.heading.y, leg.heading.x).times(self.half_width_m);
            (centre.minus(left), centre.plus(left))
        })
    }

    /// How the stretch of the path runs along the axis; `None` if an end of it is not in the corridor.
    ///
    /// The stretch is cut where it enters or leaves a piece; each cut belongs to the piece whose axis is nearest
    /// to its middle.
    pub(crate) fn along(&self, path: &Path, stretch: Interval) -> Option<Along> {
        let (start, end) = (path.at(stretch.t_in), path.at(stretch.t_out));
        let (from, to) = (self.station(start, CUT_SLACK_M)?, self.station(end, CUT_SLACK_M)?);
        let walk = Path::new(start, end);
        let mut cuts: SmallVec<[f64; 16]> = SmallVec::from_slice(&[0.0, 1.0]);
        let mut met: SmallVec<[Piece<'_>; 8]> = SmallVec::new();
        if walk.length_m() > BOUNDARY_M {
            for piece in self.pieces_along(&walk) {
                if let Some(part) = piece.clip(self.half_width_m, &walk) {
                    cuts.extend([part.t_in, part.t_out]);
                    met.push(piece);
                }
            }
        }
        cuts.sort_unstable_by(f64::total_cmp);
        let progress = cuts.windows(2).map(|cut| match *cut {
            [t_in, t_out] if t_in < t_out => self.progress_m(&met, &walk, t_in, t_out),
            _ => 0.0,
        });
        Some(Along {
            from_m: from.chainage_m,
            to_m: to.chainage_m,
            progress_m: progress.sum(),
            offset_in_m: from.offset_m,
            offset_out_m: to.offset_m,
        })
    }

    /// Progress from `t_in` to `t_out`, in the piece nearest to the middle; none around a join.
    fn progress_m(&self, met: &[Piece<'_>], walk: &Path, t_in: f64, t_out: f64) -> f64 {
        let middle = walk.at(0.5 * (t_in + t_out));
        let held = met.iter().filter_map(|piece| Some((piece, piece.station(self.half_width_m, middle, CUT_SLACK_M)?)));
        match nearest(held, |(_, station)| station.offset_m) {
            Some((Piece::Band(leg), _)) => walk.at(t_out).minus(walk.at(t_in)).dot(leg.heading),
            _ => 0.0,
        }
    }
}

/// The item whose offset is nearest to 0; the first of equals.
fn nearest<T>(items: impl Iterator<Item = T>, offset_m: impl Fn(&T) -> f64) -> Option<T> {
    items.min_by(|a, b| offset_m(a).abs().total_cmp(&offset_m(b).abs()))
}
