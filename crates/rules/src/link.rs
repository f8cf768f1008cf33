//! What lies between two judged fixes: a path with a confidence, or a cut; not what zones make of it.

use geofence::{Bbox, Interval, Point, distance_m};
use model::{Fix, Marks, RecordRef, Timestamp};

use crate::curve::{Curve, Motion};
use crate::limits;

/// What the state keeps of a judged fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) time: Timestamp,
    /// Longitude, 1e-6 degree, the wire's resolution.
    pub(crate) lon_e6: i32,
    /// Latitude, 1e-6 degree.
    pub(crate) lat_e6: i32,
    pub(crate) speed_dkmh: u16,
    /// Degrees from north, clockwise; [`NO_DIRECTION`] when the field is out of its range.
    pub(crate) direction_deg: u16,
    /// Coordinates were swapped back: judged with low confidence.
    pub(crate) swapped: bool,
    /// The speed field is out of its range: believed only as far as the implied speed goes.
    pub(crate) speed_off: bool,
    /// It came after one of later event time had been judged.
    pub(crate) late: bool,
    pub(crate) source: RecordRef,
}

/// Stands for a direction that is not known.
pub(crate) const NO_DIRECTION: u16 = 360;

impl Seen {
    /// `None` for a fix that cannot be judged.
    pub(crate) fn of(fix: &Fix) -> Option<Self> {
        let (lon, lat) = (fix.lon(), fix.lat());
        (fix.is_judgeable() && lon.abs() <= 180.0 && lat.abs() <= 90.0).then(|| Self {
            time: fix.time,
            lon_e6: rounded(lon * 1e6) as i32,
            lat_e6: rounded(lat * 1e6) as i32,
            speed_dkmh: fix.speed_dkmh,
            direction_deg: if fix.direction_deg < NO_DIRECTION { fix.direction_deg } else { NO_DIRECTION },
            swapped: fix.marks.has(Marks::SWAPPED),
            speed_off: fix.marks.has(Marks::SPEED_RANGE),
            late: fix.marks.has(Marks::LATE),
            source: fix.source,
        })
    }

    /// Whether the vehicle says itself that it stands, give or take the noise of the speed field.
    pub(crate) fn rests(&self) -> bool {
        self.speed_dkmh <= limits::REST_SPEED_DKMH && !self.swapped
    }

    pub(crate) fn point(&self) -> Point {
        Point::new(f64::from(self.lon_e6) / 1e6, f64::from(self.lat_e6) / 1e6)
    }
}

/// To the nearest integer, halves up; saturating.
pub(crate) fn rounded(x: f64) -> i64 {
    (x + 0.5).floor() as i64
}

/// What two judged fixes tell of the way from one to the next, before it is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Course {
    pub(crate) a: Seen,
    pub(crate) b: Seen,
    /// Confidence of an instant that is interpolated on it, per mille.
    pub(crate) confidence: u16,
    /// Confidence of an instant on it that needs no interpolation, per mille.
    pub(crate) ceiling: u16,
    pub(crate) motion: Motion,
}

impl Course {
    /// A box that holds all of the way.
    pub(crate) fn around(&self) -> Bbox {
        self.motion.around(self.a.point(), self.b.point())
    }

    /// The way itself.
    pub(crate) fn link(&self) -> Link {
        let Self { a, b, confidence, ceiling, ref motion } = *self;
        Link { a, b, confidence, ceiling, curve: Curve::of(motion) }
    }
}

/// The way from one judged fix to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) a: Seen,
    pub(crate) b: Seen,
    /// Confidence of an instant that is interpolated on it, per mille.
    pub(crate) confidence: u16,
    /// Confidence of an instant on it that needs no interpolation, per mille.
    pub(crate) ceiling: u16,
    pub(crate) curve: Curve,
}

/// Where what is known of a vehicle begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    /// Its first fix.
    First,
    /// After a long gap, at another place.
    Gap,
    /// After a jump that the next fix confirmed.
    Jump,
}

impl Break {
    /// Upper bound of a stay that is cut off here, per mille.
    pub(crate) fn ceiling_before(self) -> u16 {
        match self {
            Self::First => 1000,
            Self::Gap => limits::CONFIDENCE_GAP,
            Self::Jump => limits::CONFIDENCE_LOW,
        }
    }

    /// Confidence of the start of a stay that is found here, per mille.
    pub(crate) fn entry_confidence(self) -> u16 {
        self.ceiling_before()
    }

    /// Upper bound of a stay that is found here, per mille.
    pub(crate) fn ceiling_after(self) -> u16 {
        match self {
            Self::First | Self::Gap => 1000,
            Self::Jump => limits::CONFIDENCE_LOW,
        }
    }
}

/// How the next fix is connected with the last one.
pub(crate) enum Step {
    /// A path.
    Path(Course),
    /// A long gap with a change of place: what lies between is unknown.
    Gap,
    /// Not reachable at any plausible speed.
    Jump,
}

impl Step {
    pub(crate) fn between(a: Seen, b: Seen) -> Self {
        let gap_us = b.time.since_us(a.time).max(0);
        let long = gap_us > limits::GAP_MAX_US;
        if !long && is_plainly_plausible(&a, &b, gap_us) {
            return Self::path(a, b, gap_us, false, long);
        }
        let length_m = distance_m(a.point(), b.point());
        if length_m > limits::JUMP_M && faster(length_m, gap_us, limits::JUMP_SPEED_KMH) {
            return Self::Jump;
        }
        if long && length_m > limits::STANDING_M {
            return Self::Gap;
        }
        Self::path(a, b, gap_us, is_doubtful(length_m, gap_us), long)
    }

    fn path(a: Seen, b: Seen, gap_us: i64, doubtful: bool, long: bool) -> Self {
        let ceiling = match (doubtful || a.swapped || b.swapped, long) {
            (true, _) => limits::CONFIDENCE_LOW,
            (false, true) => limits::CONFIDENCE_GAP,
            (false, false) => 1000,
        };
        let motion = Motion::between(&a, &b, gap_us);
        Self::Path(Course { a, b, confidence: of_gap(gap_us).min(ceiling), ceiling, motion })
    }
}

/// Whether the way is neither a jump nor doubtful, told without trigonometry: by a distance that is never shorter.
/// Nearly every step of a truck is; for the others this says nothing.
fn is_plainly_plausible(a: &Seen, b: &Seen, gap_us: i64) -> bool {
    let degrees_e6 = u64::from(a.lon_e6.abs_diff(b.lon_e6)) + u64::from(a.lat_e6.abs_diff(b.lat_e6));
    let at_most_m = degrees_e6 as f64 * (DEGREE_MAX_M / 1e6);
    let jumps = at_most_m > limits::JUMP_M && faster(at_most_m, gap_us, limits::JUMP_SPEED_KMH);
    !jumps && !is_doubtful(at_most_m, gap_us)
}

/// Metres that a degree has nowhere on Earth: the longest is 111,694 m, along a meridian at the poles.
pub(crate) const DEGREE_MAX_M: f64 = 112_000.0;

fn is_doubtful(length_m: f64, gap_us: i64) -> bool {
    faster(length_m - limits::NOISE_M, gap_us, limits::DOUBTFUL_SPEED_KMH)
}

impl Link {
    /// From a place to itself.
    pub(crate) fn standing(a: Seen, b: Seen) -> Self {
        let gap_us = b.time.since_us(a.time).max(0);
        let ceiling = if gap_us > limits::GAP_MAX_US { limits::CONFIDENCE_GAP } else { 1000 };
        Self { a, b, confidence: of_gap(gap_us).min(ceiling), ceiling, curve: Curve::STRAIGHT }
    }

    /// Its length, metres.
    pub(crate) fn length_m(&self) -> f64 {
        self.legs().map(|(a, b)| distance_m(a, b)).sum()
    }

    /// The straight legs that it is judged as, each of the same time.
    pub(crate) fn legs(&self) -> impl Iterator<Item = (Point, Point)> + '_ {
        let count = self.curve.legs();
        (0..count).map(move |leg| (self.knot(leg), self.knot(leg + 1)))
    }

    /// Where a leg begins; the ends are the fixes, to the bit.
    fn knot(&self, leg: u32) -> Point {
        match leg {
            0 => self.a.point(),
            _ if leg >= self.curve.legs() => self.b.point(),
            _ => self.curve.at(self.a.point(), self.b.point(), f64::from(leg) / f64::from(self.curve.legs())),
        }
    }

    /// The part of it that a part of one leg is.
    pub(crate) fn part_of_leg(&self, leg: usize, part: Interval) -> Interval {
        let count = f64::from(self.curve.legs());
        let t = |within: f64| ((leg as f64 + within) / count).min(1.0);
        Interval { t_in: t(part.t_in), t_out: t(part.t_out) }
    }

    /// What a part of it is within one leg; `None` where they do not meet.
    pub(crate) fn part_in_leg(&self, leg: usize, part: Interval) -> Option<Interval> {
        let count = f64::from(self.curve.legs());
        let t = |whole: f64| (whole * count - leg as f64).clamp(0.0, 1.0);
        let within = Interval { t_in: t(part.t_in), t_out: t(part.t_out) };
        (within.t_in < within.t_out || count == 1.0).then_some(within)
    }

    /// How far an instant at `t` may be off, milliseconds, where the depth in a zone is `depth_m`: the noise of
    /// positions and what may happen between two fixes, over how fast the edge is neared.
    pub(crate) fn error_ms(&self, t: f64, depth_m: impl Fn(Point) -> f64) -> u32 {
        let gap_s = self.gap_us() as f64 / 1e6;
        if gap_s == 0.0 {
            return 0;
        }
        let window = (1.0 / gap_s).clamp(0.02, 0.2);
        let (from, to) = ((t - window).max(0.0), (t + window).min(1.0));
        let nearing_mps = (depth_m(self.at(to)) - depth_m(self.at(from))).abs() / ((to - from) * gap_s);
        let astray_m = self.curve.astray_m(t, gap_s);
        let off_m = (limits::ERROR_NOISE_M * limits::ERROR_NOISE_M + astray_m * astray_m).sqrt();
        let most_s = gap_s * t.max(1.0 - t) + limits::ERROR_NOISE_M / nearing_mps.max(limits::ERROR_NEARING_MPS);
        let off_s = (off_m / nearing_mps.max(limits::ERROR_NEARING_MPS)).min(most_s);
        rounded(off_s * 1e3).clamp(0, i64::from(u32::MAX - 1)) as u32
    }

    pub(crate) fn gap_us(&self) -> i64 {
        self.b.time.since_us(self.a.time).max(0)
    }

    /// Whether more than [`limits::GAP_MAX_US`] passed.
    pub(crate) fn is_long(&self) -> bool {
        self.gap_us() > limits::GAP_MAX_US
    }

    /// Whether nothing is odd about it but, perhaps, the time that it took.
    pub(crate) fn is_plausible(&self) -> bool {
        self.ceiling == 1000
    }

    /// The instant at `t` of the path, to the microsecond.
    pub(crate) fn instant(&self, t: f64) -> Timestamp {
        self.a.time.plus_us(rounded(self.gap_us() as f64 * t))
    }

    pub(crate) fn at(&self, t: f64) -> Point {
        let count = self.curve.legs();
        let leg = ((t * f64::from(count)) as u32).min(count - 1);
        self.knot(leg).lerp(self.knot(leg + 1), t * f64::from(count) - f64::from(leg))
    }

    /// Mean speed, 0.1 km/h; 0 when no time passed.
    pub(crate) fn speed_dkmh(&self) -> u32 {
        let gap_us = self.gap_us();
        if gap_us == 0 { 0 } else { rounded(self.length_m() * 36e6 / gap_us as f64) as u32 }
    }
}

/// Whether that way in that time takes more than that speed; without a division, as time may be 0.
pub(crate) fn faster(length_m: f64, gap_us: i64, speed_kmh: f64) -> bool {
    length_m > 0.0 && length_m * 3.6e6 > speed_kmh * gap_us as f64
}

/// Full up to [`limits::GAP_FULL_US`], from there linear down to the floor at [`limits::GAP_FLOOR_US`].
fn of_gap(gap_us: i64) -> u16 {
    let over_us = gap_us.clamp(limits::GAP_FULL_US, limits::GAP_FLOOR_US) - limits::GAP_FULL_US;
    let fall = i64::from(1000 - limits::CONFIDENCE_FLOOR) * over_us / (limits::GAP_FLOOR_US - limits::GAP_FULL_US);
    1000 - fall as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(secs: i64, lat_e6: i32) -> Seen {
        Seen {
            time: Timestamp::from_secs(secs),
            lon_e6: 103_800_000,
            lat_e6,
            speed_dkmh: 0,
            direction_deg: NO_DIRECTION,
            swapped: false,
            speed_off: false,
            late: false,
            source: RecordRef::default(),
        }
    }

    /// 1e-6 degree of latitude is about 0.111 m.
    #[test]
    fn gaps_and_speeds_make_the_kind_of_step() {
        // (gap in seconds, step in 1e-6 degrees of latitude, expected: confidence, None for a gap, Err for a jump)
        for (gap_s, step_e6, expect) in [
            (0, 0, Ok(Some(1000))),
            (0, 200, Ok(Some(1000))),
            (0, 2_000, Ok(Some(200))),
            (0, 6_000, Err(())),
            (30, 4_500, Ok(Some(1000))),
            (60, 9_000, Ok(Some(1000))),
            (61, 9_000, Ok(Some(999))),
            (240, 9_000, Ok(Some(700))),
            (600, 9_000, Ok(Some(100))),
            (1_800, 9_000, Ok(Some(100))),
            (1_801, 9_000, Ok(None)),
            (1_801, 1_000, Ok(Some(100))),
            (30, 15_000, Ok(Some(200))),
            (30, 19_500, Err(())),
            (10_000, 20_000_000, Err(())),
        ] {
            let got = match Step::between(seen(1_000, 25_500_000), seen(1_000 + gap_s, 25_500_000 + step_e6)) {
                Step::Path(course) => Ok(Some(course.confidence)),
                Step::Gap => Ok(None),
                Step::Jump => Err(()),
            };
            assert_eq!(got, expect, "{gap_s} s, {step_e6}");
        }
    }

    #[test]
    fn no_way_is_longer_than_it_is_taken_for() {
        for lat_e6 in (-90_000_000..=90_000_000).step_by(4_999_999) {
            for (lon, lat) in [(0, 0), (1, 0), (0, 1), (700, 900), (30_000, 5), (5, 30_000), (900_000, 800_000)] {
                let mut b = seen(0, (lat_e6 + lat).min(90_000_000));
                b.lon_e6 += lon;
                let a = seen(0, lat_e6);
                let at_most_m = f64::from(lon + b.lat_e6 - a.lat_e6) * DEGREE_MAX_M / 1e6;
                assert!(distance_m(a.point(), b.point()) <= at_most_m, "{lat_e6} {lon} {lat}");
            }
        }
    }

    #[test]
    fn swapped_ends_are_low() {
        let mut b = seen(30, 25_501_000);
        b.swapped = true;
        let Step::Path(course) = Step::between(seen(0, 25_500_000), b) else { panic!("a path") };
        assert_eq!((course.confidence, course.ceiling), (200, 200));
    }
}
