//! How a vehicle moves between two fixes, by their places, speeds and directions: the path of the least acceleration,
//! a cubic in time; and how far from it the vehicle may have been.

use std::sync::LazyLock;

use geofence::{Bbox, Point};

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

    fn dot(self, o: Self) -> f64 {
        self.east * o.east + self.north * o.north
    }

    fn norm(self) -> f64 {
        self.dot(self).sqrt()
    }

    /// To the nearest point of the line from nowhere to `end`.
    fn distance_to(self, end: Self) -> f64 {
        let length2 = end.dot(end);
        let share = if length2 > 0.0 { (self.dot(end) / length2).clamp(0.0, 1.0) } else { 0.0 };
        self.plus(end, -share).norm()
    }
}

/// What two fixes say of the way between them: enough to tell whether it is odd, and where it is not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Motion {
    gap_s: f64,
    /// Whether it stands at the first, at the second.
    rests: [bool; 2],
    /// `None` where speeds and directions say nothing.
    told: Option<Told>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    /// Metres of a degree of longitude.
    lon_m: f64,
    /// From fix to fix, metres.
    way: Metres,
    /// Velocities, m/s.
    out: Metres,
    into: Metres,
    /// The way beyond what speeds and directions say, metres.
    beyond: Metres,
}

impl Motion {
    /// Nothing is said.
    pub(crate) const UNTOLD: Self = Self { gap_s: 0.0, rests: [false; 2], told: None };

    pub(crate) fn between(a: &Seen, b: &Seen, gap_us: i64) -> Self {
        if gap_us <= 0 || gap_us > limits::CURVE_GAP_MAX_US {
            return Self::UNTOLD;
        }
        let (Some(out), Some(into)) = (velocity_mps(a), velocity_mps(b)) else { return Self::UNTOLD };
        let gap_s = gap_us as f64 / 1e6;
        let lon_m = METRES_PER_DEGREE * cos_of_latitude(i64::from(a.lat_e6) + i64::from(b.lat_e6));
        let way = Metres {
            east: f64::from(b.lon_e6 - a.lon_e6) * 1e-6 * lon_m,
            north: f64::from(b.lat_e6 - a.lat_e6) * 1e-6 * METRES_PER_DEGREE,
        };
        let mean = Metres::default().plus(out, 0.5).plus(into, 0.5);
        let beyond = way.plus(mean, -gap_s);
        Self { gap_s, rests: [a.rests(), b.rests()], told: Some(Told { lon_m, way, out, into, beyond }) }
    }

    /// Whether it stands at one of the two only: nobody knows since when, or until when.
    fn stops_or_starts(&self) -> bool {
        self.rests[0] != self.rests[1]
    }

    fn stands(&self) -> bool {
        self.rests == [true; 2]
    }

    /// Whether the next fix is waited for: this one is far from where speeds and directions lead, or they cannot tell.
    pub(crate) fn is_doubted(&self) -> bool {
        self.told.is_some_and(|told| self.stops_or_starts() || told.beyond.norm() > limits::DOUBT_M)
    }

    /// Whether the fix between this motion and `next` was an outlier: what the one went too far, the other went back, and
    /// the motion `past` it is no odder. (In a hairpin it is: there the direction at the fix bears the fix out.)
    pub(crate) fn is_undone_by(&self, next: &Self, past: &Self) -> bool {
        let Some((out, back)) = self.told.zip(next.told) else { return false };
        // Where it stops or starts, it may have stood for any part of the time: any part of the way at full speed is as
        // good. The other motion then tells how far off the fix was.
        let (off, way, vague) = match (self.stops_or_starts(), next.stops_or_starts()) {
            (false, starts) if !(starts && self.stands()) => {
                let least_m = out.beyond.norm().min(back.beyond.norm());
                return least_m > limits::DOUBT_M
                    && out.beyond.plus(back.beyond, 1.0).norm() < limits::DOUBT_UNDONE * least_m
                    && past.told.is_none_or(|past| past.beyond.norm() < least_m);
            }
            (false, _) => (out.beyond, back.way, (back, next.gap_s)),
            (true, _) => (back.beyond, out.way, (out, self.gap_s)),
        };
        let (told, gap_s) = vague;
        let said = Metres::default().plus(told.out, gap_s).plus(told.into, gap_s);
        let left_m = way.plus(off, 1.0).distance_to(said);
        let detour_m = out.way.norm() + back.way.norm() - out.way.plus(back.way, 1.0).norm();
        let least_m = if self.stands() || next.stands() { limits::REST_NEAR_M } else { limits::DOUBT_M };
        off.norm().min(detour_m) > least_m && left_m < limits::DOUBT_UNDONE * off.norm()
    }

    /// A box that holds the curve from `a` to `b`, whatever its scale: a cubic stays among its control points.
    pub(crate) fn around(&self, a: Point, b: Point) -> Bbox {
        let Bbox { min, max } = Bbox::of_segment(a, b);
        let straight = Bbox {
            min: Point::new(min.lon - ROUNDING_DEG, min.lat - ROUNDING_DEG),
            max: Point::new(max.lon + ROUNDING_DEG, max.lat + ROUNDING_DEG),
        };
        let Some(told) = self.told else { return straight };
        let (lon, lat) = (self.gap_s / 3.0 / told.lon_m, self.gap_s / 3.0 / METRES_PER_DEGREE);
        let after = Point::new(a.lon + told.out.east * lon, a.lat + told.out.north * lat);
        let before = Point::new(b.lon - told.into.east * lon, b.lat - told.into.north * lat);
        let Bbox { min, max } = Bbox::of_segment(after, before);
        Bbox {
            min: Point::new(straight.min.lon.min(min.lon) - ROUNDING_DEG, straight.min.lat.min(min.lat) - ROUNDING_DEG),
            max: Point::new(straight.max.lon.max(max.lon) + ROUNDING_DEG, straight.max.lat.max(max.lat) + ROUNDING_DEG),
        }
    }
}

/// Far above what rounding moves a place on a curve by, degrees.
const ROUNDING_DEG: f64 = 1e-7;

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
}

impl Curve {
    pub(crate) const STRAIGHT: Self =
        Self { leave: Point::new(0.0, 0.0), arrive: Point::new(0.0, 0.0), legs: 1, unrest: limits::UNREST_MIN };

    pub(crate) fn of(motion: &Motion) -> Self {
        let Some(Told { lon_m, way, out, into, beyond }) = motion.told else {
            return Self { unrest: limits::UNREST_UNKNOWN, ..Self::STRAIGHT };
        };
        let gap_s = motion.gap_s;
        let astray_m = beyond.norm();
        let change = into.plus(out, -1.0).norm();
        let unrest = limits::UNREST_MIN
            + limits::UNREST_ASTRAY * 6.0 * astray_m * astray_m / (gap_s * gap_s * gap_s)
            + if motion.stops_or_starts() { limits::UNREST_STOP } else { limits::UNREST_CHANGE } * change * change
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
        let degrees = |m: Metres| Point::new(m.east / lon_m, m.north / METRES_PER_DEGREE);
        Self { leave: degrees(leave), arrive: degrees(arrive), legs, unrest }
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

#[cfg(test)]
mod tests {
    use model::{RecordRef, Timestamp};
    use proptest::prelude::*;

    use super::*;

    fn seen() -> impl Strategy<Value = Seen> {
        (-3_000..3_000_i32, -3_000..3_000_i32, 0..1_500_u16, 0..=360_u16, -80..80_i32).prop_map(
            |(east, north, speed_dkmh, direction_deg, degrees)| Seen {
                time: Timestamp::from_secs(0),
                lon_e6: 103_800_000 + east,
                lat_e6: degrees.signum() * 25_500_000 + north,
                speed_dkmh,
                direction_deg,
                swapped: false,
                speed_off: false,
                late: false,
                source: RecordRef::default(),
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_curve_stays_in_its_box(a in seen(), b in seen(), gap_us in 0..200_000_000_i64) {
            let b = Seen { lat_e6: a.lat_e6 + b.lat_e6 % 3_000, ..b };
            let motion = Motion::between(&a, &b, gap_us);
            let (curve, around) = (Curve::of(&motion), motion.around(a.point(), b.point()));
            for step in 0..=100 {
                let p = curve.at(a.point(), b.point(), f64::from(step) / 100.0);
                prop_assert!(around.contains(p), "{p:?} {around:?}");
            }
        }
    }
}
