//! The lines of roads as one immutable index: which point lies on a road, under which limit, and how far a way leads through
//! tunnels. Not which road a vehicle takes where several run side by side.

use std::sync::Arc;

use geofence::{MAX_SHAPES, Point, Shape, ZoneIndex, distance_m};
use model::{Coord, LineString, Registry, Road, RoadClass, RoadLine, Stake};

/// How far beside the middle of its line a vehicle on a road is seen, metres: both carriageways, and the noise of positions.
const HALF_WIDTH_M: f64 = 30.0;
/// The same around a tunnel: at its mouths positions are bad.
const TUNNEL_HALF_WIDTH_M: f64 = 100.0;

#[derive(Clone, Copy, Debug)]
struct Line {
    class: RoadClass,
    limit_kmh: i64,
}

/// Every line of every road that was recorded.
#[derive(Clone, Debug)]
pub struct Roads {
    made_of: Vec<Arc<Road>>,
    /// The indices name them by their places here.
    lines: Vec<Line>,
    index: ZoneIndex<u32>,
    /// By number; how long they are, metres.
    tunnels: ZoneIndex<u32>,
    tunnels_m: Vec<f64>,
    /// Of all lines, km/h.
    least_limit_kmh: i64,
}

impl Roads {
    /// The index over the roads of a registry. A line of which no band can be drawn is left out.
    #[must_use]
    pub fn build(registry: &Registry) -> Self {
        let made_of: Vec<Arc<Road>> = registry.records().roads(None).cloned().collect();
        let (mut lines, mut shapes) = (Vec::new(), Vec::new());
        let (mut tunnels_m, mut tunnels) = (Vec::new(), Vec::new());
        for road in &made_of {
            let limit_kmh = road.limit_kmh.map_or(i64::MAX, i64::from);
            for line in &road.lines {
                if let Some(shape) = band(&line.line, HALF_WIDTH_M) {
                    shapes.push((lines.len() as u32, shape));
                    lines.push(Line { class: road.class, limit_kmh });
                }
                for (shape, length_m) in tunnels_on(road, line) {
                    tunnels.push((tunnels_m.len() as u32, shape));
                    tunnels_m.push(length_m);
                }
            }
        }
        let index = |shapes: Vec<_>| {
            ZoneIndex::build(shapes.into_iter().take(MAX_SHAPES)).expect("no more shapes than the index takes")
        };
        let least_limit_kmh = lines.iter().map(|line| line.limit_kmh).min().unwrap_or(i64::MAX);
        Self { made_of, lines, index: index(shapes), tunnels: index(tunnels), tunnels_m, least_limit_kmh }
    }

    /// Whether it was made of the roads of this registry.
    #[must_use]
    pub fn is_of(&self, registry: &Registry) -> bool {
        let mut roads = registry.records().roads(None);
        self.made_of.iter().all(|known| roads.next().is_some_and(|road| Arc::ptr_eq(road, known)))
            && roads.next().is_none()
    }

    /// The limit of the expressway on which a point lies, km/h; the highest, where several do; the greatest number where
    /// no sign shows one.
    pub(crate) fn expressway_limit_kmh(&self, p: Point) -> Option<i64> {
        let mut limit_kmh = None;
        self.index.at(p, |slot, _| {
            let line = self.lines.get(*slot as usize).filter(|line| line.class == RoadClass::Expressway);
            limit_kmh = limit_kmh.max(line.map(|line| line.limit_kmh));
        });
        limit_kmh
    }

    /// The least limit of all.
    pub(crate) const fn least_limit_kmh(&self) -> i64 {
        self.least_limit_kmh
    }

    /// Whether a point lies on any road.
    pub(crate) fn holds(&self, p: Point) -> bool {
        let mut found = false;
        self.index.at(p, |_, _| found = true);
        found
    }

    /// How long the tunnels are together that the straight way meets, metres.
    pub(crate) fn tunnels_m(&self, a: Point, b: Point) -> f64 {
        let mut length_m = 0.0;
        self.tunnels.touching_segment(a, b, |number, _, _| {
            length_m += self.tunnels_m.get(*number as usize).copied().unwrap_or_default();
        });
        length_m
    }
}

fn band(line: &LineString, half_width_m: f64) -> Option<Shape> {
    Shape::corridor(line, half_width_m, geofence::Direction::Both).ok()
}

/// The tunnels of a road that lie on one of its lines, with how long they are.
fn tunnels_on<'a>(road: &'a Road, line: &'a RoadLine) -> impl Iterator<Item = (Shape, f64)> + 'a {
    road.tunnels.iter().filter_map(|tunnel| {
        let (from_m, to_m) = (along_m(line, tunnel.from)?, along_m(line, tunnel.to)?);
        let part = part(&line.line, from_m.min(to_m), from_m.max(to_m));
        Some((band(&part, TUNNEL_HALF_WIDTH_M)?, (to_m - from_m).abs()))
    })
}

/// How far along a line a stake stands, metres; `None` when it does not stand on it.
fn along_m(line: &RoadLine, stake: Stake) -> Option<f64> {
    line.stakes.windows(2).find_map(|pair| {
        let [a, b] = pair else { return None };
        let (low, high) = (a.stake.min(b.stake), a.stake.max(b.stake));
        if !(low..=high).contains(&stake) || low == high {
            return None;
        }
        let share = (f64::from(stake.0) - f64::from(a.stake.0)) / (f64::from(b.stake.0) - f64::from(a.stake.0));
        Some(f64::from(a.along_m) + share * (f64::from(b.along_m) - f64::from(a.along_m)))
    })
}

/// The part of a line from one place along it to another.
fn part(line: &LineString, from_m: f64, to_m: f64) -> LineString {
    let mut done_m = 0.0;
    let mut kept: Vec<Coord> = Vec::new();
    for leg in line.0.windows(2) {
        let [start, end] = leg else { continue };
        let (a, b) = (Point::from(*start), Point::from(*end));
        let leg_m = distance_m(a, b);
        let (t_in, t_out) = ((from_m - done_m) / leg_m, (to_m - done_m) / leg_m);
        if leg_m > 0.0 && t_in < 1.0 && t_out > 0.0 {
            let at = |t: f64| a.lerp(b, t.clamp(0.0, 1.0));
            kept.extend([at(t_in), at(t_out)].map(|p| Coord { x: p.lon, y: p.lat }));
        }
        done_m += leg_m;
    }
    kept.dedup();
    LineString::from(kept)
}
