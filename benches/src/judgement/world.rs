//! Zones and trucks to judge: areas of 40 to 200 vertices over a province or a country, fixes each 30 s at 25 m/s.

use geo_types::{Coord, LineString, MultiPolygon, Polygon};
use geofence::Point;

/// Metres per degree in the middle of the map.
const PER_DEG: (f64, f64) = (99_000.0, 110_800.0);
const CORNER: Point = Point::new(98.0, 22.0);
pub(super) const SPEED_MPS: f64 = 25.0;
pub(super) const INTERVAL_S: i64 = 30;
/// Metres between two fixes of a truck.
const STEP_M: f64 = SPEED_MPS * INTERVAL_S as f64;
const VERTICES: std::ops::RangeInclusive<u64> = 40..=200;

/// What is judged, and by what.
pub(super) struct World {
    pub(super) zones: Vec<MultiPolygon<f64>>,
    /// From the fix before to the fix, of truck after truck, as they arrive.
    pub(super) steps: Vec<(Point, Point)>,
}

/// Numbers that repeat.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    /// From 0 to 1.
    fn share(&mut self) -> f64 {
        self.roll() as f64 / (1_u64 << 53) as f64
    }
}

impl World {
    /// Zones that cover 2 % of the map, strewn over 25 km² each; so 98 % of all fixes are in none.
    pub(super) fn strewn(zones: usize, trucks: usize, fixes: usize) -> Self {
        let side_m = (zones as f64).sqrt() * 5_000.0;
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        let radius_m = 5_000.0 * (0.02 / std::f64::consts::PI).sqrt();
        let zones = (0..zones).map(|_| {
            let centre = (side_m * dice.share(), side_m * dice.share());
            area(&mut dice, centre, radius_m)
        });
        Self { zones: zones.collect(), steps: driven(&mut Dice(77), side_m, trucks, fixes) }
    }

    /// Zones side by side, 5 km apart and wider than that: every fix is in one or several.
    pub(super) fn paved(zones: usize, trucks: usize, fixes: usize) -> Self {
        let across = (zones as f64).sqrt().ceil() as usize;
        let mut dice = Dice(0x51_7cc1_b727_2220);
        let zones = (0..zones).map(|zone| {
            let centre = ((zone % across) as f64 * 5_000.0, (zone / across) as f64 * 5_000.0);
            area(&mut dice, centre, 4_200.0)
        });
        let side_m = (across - 1) as f64 * 5_000.0;
        Self { zones: zones.collect(), steps: driven(&mut Dice(77), side_m, trucks, fixes) }
    }
}

/// A wavy ring, its mean square radius as given.
fn area(dice: &mut Dice, (east_m, north_m): (f64, f64), radius_m: f64) -> MultiPolygon<f64> {
    let count = VERTICES.start() + dice.roll() % (VERTICES.end() - VERTICES.start() + 1);
    let (waves, phase) = ((2 + dice.roll() % 5) as f64, dice.share());
    let vertex = |i: u64| {
        let turn = std::f64::consts::TAU * (i as f64 / count as f64 + phase);
        let r = radius_m * (1.0 + 0.15 * (waves * turn).sin());
        at(east_m + r * turn.cos(), north_m + r * turn.sin())
    };
    let ring: LineString<f64> = (0..count).map(vertex).map(|p| Coord { x: p.lon, y: p.lat }).collect();
    MultiPolygon(vec![Polygon::new(ring, Vec::new())])
}

fn at(east_m: f64, north_m: f64) -> Point {
    Point::new(CORNER.lon + east_m / PER_DEG.0, CORNER.lat + north_m / PER_DEG.1)
}

/// Trucks that hold their course more or less and turn round at the rim; the fixes as they arrive.
fn driven(dice: &mut Dice, side_m: f64, trucks: usize, fixes: usize) -> Vec<(Point, Point)> {
    let begin = |_| (side_m * dice.share(), side_m * dice.share(), std::f64::consts::TAU * dice.share());
    let mut fleet: Vec<(f64, f64, f64)> = (0..trucks).map(begin).collect();
    let mut steps = Vec::with_capacity(trucks * fixes);
    for _ in 0..fixes {
        for (x, y, heading) in &mut fleet {
            let from = at(*x, *y);
            *heading += 0.6 * (dice.share() - 0.5);
            let next = (*x + STEP_M * heading.cos(), *y + STEP_M * heading.sin());
            if !(0.0..=side_m).contains(&next.0) || !(0.0..=side_m).contains(&next.1) {
                *heading += std::f64::consts::PI;
            }
            (*x, *y) = (next.0.clamp(0.0, side_m), next.1.clamp(0.0, side_m));
            steps.push((from, at(*x, *y)));
        }
    }
    steps
}
