//! How a vehicle moves between two fixes, by their places, speeds and directions: the path of the least acceleration,
//! a cubic in time; and how far from it the vehicle may have been.

use std::sync::LazyLock;

use geofence::Point;

use crate::limits;
use crate::link::{NO_DIRECTION, Seen};

/// A vector, metres east and north.
#[derive(Clone, Copy, Debug, Default)]
struct Metres {
    east: f64,
    north: f64,
}

impl Metres {
    fn plus(self, o: Self, times: f64) -> Self {
        Self { east: self.east + o.east * times, north: self.north + o.north * times }
    }

    fn norm(self) -> f64 {
        (self.east * self.east + self.north * self.north).sqrt()
    }
}

/// The deviation of a path from the straight line at even speed, and what is not known of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Curve {
    /// By how much the way differs from even speed on a straight line if it went on as it began, degrees of longitude
    /// and latitude over the whole time; and the same seen from its end.
    leave: Point,
    arrive: Point,
    legs: u32,
    /// Density of the acceleration that nothing was said about, m2/s3.
    unrest: f64,
    /// The way beyond what speeds and directions say; `None` when they say nothing.
    beyond: Option<Metres>,
}

impl Curve {
    pub(crate) const STRAIGHT: Self = Self {
        leave: Point::new(0.0, 0.0),
        arrive: Point::new(0.0, 0.0),
        legs: 1,
        unrest: limits::UNREST_MIN,
        beyond: None,
    };

    pub(crate) fn between(a: &Seen, b: &Seen, gap_us: i64) -> Self {
        let gap_s = gap_us as f64 / 1e6;
        if gap_us <= 0 || gap_us > limits::CURVE_GAP_MAX_US {
            return Self { unrest: limits::UNREST_UNKNOWN, ..Self::STRAIGHT };
        }
        let lat_m = METRES_PER_DEGREE;
        let lon_m = METRES_PER_DEGREE * cos_of_latitude(i64::from(a.lat_e6) + i64::from(b.lat_e6));
        let way = Metres {
            east: f64::from(b.lon_e6 - a.lon_e6) * 1e-6 * lon_m,
            north: f64::from(b.lat_e6 - a.lat_e6) * 1e-6 * lat_m,
        };
        let (Some(out), Some(into)) = (velocity_mps(a), velocity_mps(b)) else {
            return Self { unrest: limits::UNREST_UNKNOWN, ..Self::STRAIGHT };
        };
        let mean = Metres::default().plus(out, 0.5).plus(into, 0.5);
        let beyond = way.plus(mean, -gap_s);
        let astray_m = beyond.norm();
        let change = into.plus(out, -1.0).norm();
        let unrest = limits::UNREST_MIN
            + limits::UNREST_ASTRAY * 6.0 * astray_m * astray_m / (gap_s * gap_s * gap_s)
            + if a.rests() == b.rests() { limits::UNREST_CHANGE } else { limits::UNREST_STOP } * change * change
                / (2.0 * gap_s);
        // Where the speeds would have carried it much farther than it came, it stood for a while: the shape of the way
        // is believed, its scale is not.
        let said_m = 0.5 * (out.norm() + into.norm()) * gap_s;
        let scale = (limits::CURVE_STRETCH * way.norm() / said_m.max(1e-3)).min(1.0);
        let leave = Metres::default().plus(out, gap_s * scale).plus(way, -1.0);
        let arrive = Metres::default().plus(into, gap_s * scale).plus(way, -1.0);
        // The cubic leaves its chord by at most 4/27 of either.
        let bulge_m = leave.plus(arrive, -1.0).norm() / 8.0 + leave.plus(arrive, 1.0).norm() / 20.0;
        let legs = if bulge_m < limits::CURVE_LEAST_M {
            1
        } else {
            ((bulge_m / limits::CURVE_CHORD_M).sqrt().ceil() as u32).clamp(2, limits::CURVE_LEGS_MAX)
        };
        let degrees = |m: Metres| Point::new(m.east / lon_m, m.north / lat_m);
        Self { leave: degrees(leave), arrive: degrees(arrive), legs, unrest, beyond: Some(beyond) }
    }

    /// Whether it is so far from what speeds and directions say that the next fix is waited for.
    pub(crate) fn is_doubted(&self) -> bool {
        self.beyond.is_some_and(|beyond| beyond.norm() > limits::DOUBT_M)
    }

    /// Whether the fix between this path and `next` was an outlier: what the one went too far, the other went back.
    pub(crate) fn is_undone_by(&self, next: &Self) -> bool {
        self.beyond.zip(next.beyond).is_some_and(|(out, back)| {
            let least_m = out.norm().min(back.norm());
            least_m > limits::DOUBT_M && out.plus(back, 1.0).norm() < limits::DOUBT_UNDONE * least_m
        })
    }

    /// In how many straight legs it is judged.
    pub(crate) fn legs(&self) -> u32 {
        self.legs
    }

    /// The place at `t`.
    pub(crate) fn at(&self, a: Point, b: Point, t: f64) -> Point {
        let straight = a.lerp(b, t);
        let (leave, arrive) = (t * (1.0 - t) * (1.0 - t), -t * t * (1.0 - t));
        Point::new(
            straight.lon + leave * self.leave.lon + arrive * self.arrive.lon,
            straight.lat + leave * self.leave.lat + arrive * self.arrive.lat,
        )
    }

    /// How far the vehicle may have been from there at `t` in 95 of 100 cases, metres: a motion of random acceleration
    /// that is pinned in place and speed at both fixes.
    pub(crate) fn astray_m(&self, t: f64, gap_s: f64) -> f64 {
        let pinned = t * (1.0 - t);
        2.0 * (self.unrest * pinned * pinned * pinned * gap_s * gap_s * gap_s / 3.0).sqrt()
    }
}

/// Near enough for vectors of a few hundred metres.
const METRES_PER_DEGREE: f64 = 111_195.0;

/// `None` when it moves and nobody knows where to, or its speed is not believed.
fn velocity_mps(seen: &Seen) -> Option<Metres> {
    let speed_mps = f64::from(seen.speed_dkmh) / 36.0;
    if seen.speed_off || seen.swapped || seen.direction_deg == NO_DIRECTION {
        return None;
    }
    let (north, east) = *COMPASS.get(usize::from(seen.direction_deg))?;
    Some(Metres { east: speed_mps * east, north: speed_mps * north })
}

/// Cosine and sine of every whole degree of the compass: the wire has no other directions.
static COMPASS: LazyLock<[(f64, f64); 360]> = LazyLock::new(|| {
    std::array::from_fn(|degree| {
        let angle = (degree as f64).to_radians();
        (libm::cos(angle), libm::sin(angle))
    })
});

/// Of half of that sum of two latitudes, 1e-6 degree, to four places: between whole degrees, straight.
fn cos_of_latitude(sum_e6: i64) -> f64 {
    let degrees = (sum_e6.abs() as f64 / 2e6).min(90.0);
    let below = degrees.floor();
    let at = |degree: f64| COMPASS.get(degree as usize).map_or(0.0, |(cos, _)| *cos);
    at(below) + (at(below + 1.0) - at(below)) * (degrees - below)
}
