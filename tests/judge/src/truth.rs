//! What really happened: when the true path was in each zone, and whether it ran along a corridor. From the nodes of
//! the path, one a metre, with the instants bisected.

use model::Direction;

use crate::area::Area;
use crate::plane::Xy;
use crate::road::Path;
use crate::scene::Plot;

/// A stay of the true path in a zone.
#[derive(Clone, Copy, Debug)]
pub struct Visit {
    /// When it began, seconds.
    pub start_s: f64,
    /// When it ended, seconds; the end of the drive when it still lasts.
    pub end_s: f64,
    /// How deep it went, metres.
    pub depth_m: f64,
    /// It began with the drive.
    pub from_begin: bool,
    /// It lasts when the drive ends.
    pub to_end: bool,
    /// Dangerous goods were where they may not be (V06).
    pub violates: bool,
}

/// Way along a corridor's axis from which on it is travelled, metres; on short ones half the axis.
const ALONG_M: f64 = 30.0;
/// How many times the way across it the way along it must be.
const ALONG_RATIO: f64 = 3.0;

/// All stays in a plot, in order.
pub fn visits(path: &Path, plot: &Plot) -> Vec<Visit> {
    let (middle, radius_m) = plot.area.around();
    let near = |p: Xy| (p - middle).norm() <= radius_m;
    let inside_at = |t: f64| plot.area.depth_m(path.at(t).at) >= 0.0;
    let mut visits: Vec<Visit> = Vec::new();
    let mut since: Option<(usize, f64)> = None;
    let depth = |at: usize| if near(path.0[at].at) { plot.area.depth_m(path.0[at].at) } else { -1.0 };
    let mut deepest = 0.0_f64;
    for at in 0..path.0.len() {
        let depth_m = depth(at);
        match (since, depth_m >= 0.0) {
            (None, true) => {
                let start_s = if at == 0 { 0.0 } else { bisect(path.0[at - 1].t, path.0[at].t, false, inside_at) };
                since = Some((at, start_s));
                deepest = depth_m;
            }
            (Some((first, start_s)), false) => {
                let end_s = bisect(path.0[at - 1].t, path.0[at].t, true, inside_at);
                visits.push(visit(path, plot, (first, at - 1), (start_s, end_s), deepest));
                since = None;
            }
            (Some(_), true) => deepest = deepest.max(depth_m),
            (None, false) => {}
        }
    }
    if let Some((first, start_s)) = since {
        visits.push(visit(path, plot, (first, path.0.len() - 1), (start_s, path.end_s()), deepest));
    }
    visits
}

/// The instant between two at which the answer changes; `before` is the answer at the first.
fn bisect(mut from: f64, mut to: f64, before: bool, inside: impl Fn(f64) -> bool) -> f64 {
    while to - from > 1e-4 {
        let middle = 0.5 * (from + to);
        if inside(middle) == before { from = middle } else { to = middle }
    }
    0.5 * (from + to)
}

fn visit(path: &Path, plot: &Plot, (first, last): (usize, usize), (start_s, end_s): (f64, f64), depth_m: f64) -> Visit {
    let violates = plot.forbidden
        && match &plot.area {
            Area::Band { axis, .. } => is_along(axis, plot.direction, path, first, last),
            _ => true,
        };
    Visit { start_s, end_s, depth_m, from_begin: first == 0, to_end: last + 1 == path.0.len(), violates }
}

/// Whether the nodes run along the axis in a direction that it binds: the longest run one way, whatever was driven
/// back, against the way across.
fn is_along(axis: &[Xy], direction: Direction, path: &Path, first: usize, last: usize) -> bool {
    let length_m: f64 = axis.windows(2).map(|leg| (leg[1] - leg[0]).norm()).sum();
    let (mut ahead_m, mut back_m, mut ahead_most_m, mut back_most_m) = (0.0_f64, 0.0_f64, 0.0_f64, 0.0_f64);
    for pair in path.0[first..=last].windows(2) {
        let step_m = (pair[1].at - pair[0].at).dot(leg_near(axis, pair[0].at).1);
        (ahead_m, back_m) = ((ahead_m + step_m).max(0.0), (back_m - step_m).max(0.0));
        (ahead_most_m, back_most_m) = (ahead_most_m.max(ahead_m), back_most_m.max(back_m));
    }
    let most_m = match direction {
        Direction::Both => ahead_most_m.max(back_most_m),
        Direction::Forward => ahead_most_m,
        Direction::Backward => back_most_m,
    };
    let offset = |node: usize| {
        let (from, heading) = leg_near(axis, path.0[node].at);
        heading.cross(path.0[node].at - from)
    };
    // Who turns about beneath a bridge has crossed as far as he came, though he leaves where he entered.
    let (low_m, high_m) = (first..=last)
        .map(offset)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low_m, high_m), m| (low_m.min(m), high_m.max(m)));
    most_m >= ALONG_M.min(length_m / 2.0) && most_m > ALONG_RATIO * (high_m - low_m)
}

/// The leg nearest to a point: its start and its unit vector.
fn leg_near(axis: &[Xy], p: Xy) -> (Xy, Xy) {
    let nearest = axis.windows(2).min_by(|a, b| p.distance_to(a[0], a[1]).total_cmp(&p.distance_to(b[0], b[1])));
    nearest.map_or_else(Default::default, |leg| (leg[0], (leg[1] - leg[0]) * (1.0 / (leg[1] - leg[0]).norm())))
}
