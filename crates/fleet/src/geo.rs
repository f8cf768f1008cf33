//! A flat map for one region: degrees to metres and back. Good to a few parts in a thousand within the prefecture;
//! not for surveying.

/// Metres per degree of latitude.
const LAT_M: f64 = 110_900.0;
/// Metres per degree of longitude at 25.6 N.
const LON_M: f64 = 100_450.0;

/// A place, WGS-84 degrees.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Longitude, degrees east.
    pub lon: f64,
    /// Latitude, degrees north.
    pub lat: f64,
}

impl Point {
    /// East and north of `self`, metres, at which `to` lies.
    pub(crate) fn offset_m(self, to: Self) -> (f64, f64) {
        ((to.lon - self.lon) * LON_M, (to.lat - self.lat) * LAT_M)
    }

    /// Distance, metres.
    #[must_use]
    pub fn distance_m(self, to: Self) -> f64 {
        let (east, north) = self.offset_m(to);
        east.hypot(north)
    }

    /// Course towards `to`, degrees from north, clockwise, `0..360`.
    pub(crate) fn bearing_deg(self, to: Self) -> f64 {
        let (east, north) = self.offset_m(to);
        east.atan2(north).to_degrees().rem_euclid(360.0)
    }

    /// The point `part` (0..=1) of the way to `to`.
    pub(crate) fn towards(self, to: Self, part: f64) -> Self {
        Self { lon: self.lon + (to.lon - self.lon) * part, lat: self.lat + (to.lat - self.lat) * part }
    }

    /// The point so many metres east and north.
    pub(crate) fn moved_m(self, east: f64, north: f64) -> Self {
        Self { lon: self.lon + east / LON_M, lat: self.lat + north / LAT_M }
    }
}

/// How far two courses differ, degrees, `0..=180`.
pub(crate) fn turn_deg(from: f64, to: f64) -> f64 {
    let turn = (to - from).rem_euclid(360.0);
    turn.min(360.0 - turn)
}

/// Chaikin's corner cutting, `rounds` times; the ends stay where they are.
pub(crate) fn smooth(line: &[Point], rounds: usize) -> Vec<Point> {
    let mut line = line.to_vec();
    for _ in 0..rounds {
        let (Some(&first), Some(&last)) = (line.first(), line.last()) else { break };
        if line.len() < 3 {
            break;
        }
        let mut cut = vec![first];
        for pair in line.windows(2) {
            if let [a, b] = *pair {
                cut.extend([a.towards(b, 0.25), a.towards(b, 0.75)]);
            }
        }
        cut.push(last);
        line = cut;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Point = Point { lon: 103.8, lat: 25.5 };

    #[test]
    fn metres_and_courses() {
        for (east, north, course) in [(0.0, 100.0, 0.0), (100.0, 0.0, 90.0), (0.0, -100.0, 180.0), (-100.0, 0.0, 270.0)]
        {
            let b = A.moved_m(east, north);
            assert!((A.distance_m(b) - 100.0).abs() < 1e-6);
            assert!(turn_deg(A.bearing_deg(b), course) < 1e-6);
        }
        assert_eq!(turn_deg(350.0, 10.0), 20.0);
    }

    #[test]
    fn smoothing_keeps_ends_and_softens_turns() {
        let line = [A, A.moved_m(1_000.0, 0.0), A.moved_m(1_000.0, 1_000.0)];
        let smoothed = smooth(&line, 3);
        assert_eq!((smoothed.first(), smoothed.last()), (line.first(), line.last()));
        let sharpest =
            smoothed.windows(3).map(|w| turn_deg(w[0].bearing_deg(w[1]), w[1].bearing_deg(w[2]))).fold(0.0, f64::max);
        assert!(sharpest < 30.0, "{sharpest}");
    }
}
