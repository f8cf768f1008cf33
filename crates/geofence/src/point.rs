//! Positions in degrees, boxes of them, and the distance between two; not the plane in which shapes are judged.

/// A position in WGS-84 degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Longitude in degrees, east positive.
    pub lon: f64,
    /// Latitude in degrees, north positive.
    pub lat: f64,
}

impl Point {
    /// A position from longitude and latitude, in that order, as in GeoJSON.
    pub const fn new(lon: f64, lat: f64) -> Self {
        Self { lon, lat }
    }

    /// The point at `t` of the straight path from `self` (`t` = 0) to `to` (`t` = 1).
    pub fn lerp(self, to: Self, t: f64) -> Self {
        Self::new(self.lon + (to.lon - self.lon) * t, self.lat + (to.lat - self.lat) * t)
    }

    /// Neither coordinate is NaN or infinite.
    pub fn is_finite(self) -> bool {
        self.lon.is_finite() && self.lat.is_finite()
    }
}

impl From<geo_types::Coord<f64>> for Point {
    fn from(c: geo_types::Coord<f64>) -> Self {
        Self::new(c.x, c.y)
    }
}

/// A closed box in degrees, sides along the meridians and parallels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bbox {
    /// South-west corner.
    pub min: Point,
    /// North-east corner.
    pub max: Point,
}

impl Bbox {
    /// The box around the path from `a` to `b`.
    pub fn of_segment(a: Point, b: Point) -> Self {
        Self {
            min: Point::new(a.lon.min(b.lon), a.lat.min(b.lat)),
            max: Point::new(a.lon.max(b.lon), a.lat.max(b.lat)),
        }
    }

    /// Whether the point lies in the box or on its rim; never for NaN.
    pub fn contains(&self, p: Point) -> bool {
        self.min.lon <= p.lon && p.lon <= self.max.lon && self.min.lat <= p.lat && p.lat <= self.max.lat
    }

    /// Whether the boxes share a point.
    pub fn intersects(&self, other: &Self) -> bool {
        self.min.lon <= other.max.lon
            && other.min.lon <= self.max.lon
            && self.min.lat <= other.max.lat
            && other.min.lat <= self.max.lat
    }

    /// The box around both.
    pub(crate) fn union(self, other: Self) -> Self {
        Self { min: Self::of_segment(self.min, other.min).min, max: Self::of_segment(self.max, other.max).max }
    }

    /// What both hold, if anything.
    pub(crate) fn intersection(self, other: Self) -> Option<Self> {
        let both =
            Self { min: Self::of_segment(self.min, other.min).max, max: Self::of_segment(self.max, other.max).min };
        self.intersects(&other).then_some(both)
    }

    pub(crate) fn centre(&self) -> Point {
        self.min.lerp(self.max, 0.5)
    }
}

/// Semi-major axis of WGS-84 in metres.
pub(crate) const WGS84_A_M: f64 = 6_378_137.0;
/// First eccentricity squared of WGS-84.
pub(crate) const WGS84_E2: f64 = 6.694_379_990_141_316_5e-3;
/// Mean radius of the Earth in metres.
const MEAN_RADIUS_M: f64 = 6_371_008.8;

/// Metres along the ellipsoid between two positions; NaN if a coordinate is.
///
/// The straight chord between the points on WGS-84, bent onto a sphere of mean radius. Against the geodesic:
/// below 0.01 % (and 1 mm) up to 500 km, below 0.1 % up to 3,000 km, below 1 % at any distance.
pub fn distance_m(a: Point, b: Point) -> f64 {
    let (from, to) = (geocentric_m(a), geocentric_m(b));
    let square = |i: usize| (from[i] - to[i]) * (from[i] - to[i]);
    let chord_m = (square(0) + square(1) + square(2)).sqrt();
    let half_sine = chord_m / (2.0 * MEAN_RADIUS_M);
    // Antipodes on the equator are farther apart than two mean radii; `f64::min` would swallow NaN.
    let half_sine = if half_sine > 1.0 { 1.0 } else { half_sine };
    2.0 * MEAN_RADIUS_M * libm::asin(half_sine)
}

/// Earth-centred, Earth-fixed coordinates in metres of a point at height 0.
fn geocentric_m(p: Point) -> [f64; 3] {
    let (lon, lat) = (p.lon.to_radians(), p.lat.to_radians());
    let (sin_lat, cos_lat) = (libm::sin(lat), libm::cos(lat));
    let n_m = WGS84_A_M / (1.0 - WGS84_E2 * sin_lat * sin_lat).sqrt();
    [n_m * cos_lat * libm::cos(lon), n_m * cos_lat * libm::sin(lon), n_m * (1.0 - WGS84_E2) * sin_lat]
}

#[cfg(test)]
mod tests {
    use super::*;
    use geo::{Distance, Geodesic};

    #[test]
    fn distance_against_the_geodesic() {
        // (from, to, tolerated relative error)
        let table = [
            (Point::new(118.79, 32.05), Point::new(118.79, 32.05), 0.0),
            (Point::new(118.79, 32.05), Point::new(118.790_001, 32.05), 1e-4),
            (Point::new(118.79, 32.05), Point::new(118.79, 32.050_01), 1e-4),
            (Point::new(118.79, 32.05), Point::new(119.4, 32.2), 1e-4),
            (Point::new(102.71, 25.04), Point::new(98.5, 25.0), 1e-4),
            (Point::new(122.0, 53.5), Point::new(122.5, 49.5), 1e-4),
            (Point::new(87.6, 43.8), Point::new(121.47, 31.23), 2e-3),
            (Point::new(0.0, 0.0), Point::new(118.0, 32.0), 1e-2),
            (Point::new(0.0, 0.0), Point::new(180.0, 0.0), 1e-2),
            (Point::new(179.99, 10.0), Point::new(-179.99, 10.0), 1e-4),
        ];
        for (a, b, relative) in table {
            let truth = Geodesic.distance(geo::Point::new(a.lon, a.lat), geo::Point::new(b.lon, b.lat));
            let error_m = (distance_m(a, b) - truth).abs();
            assert!(error_m <= truth * relative + 1e-6, "{a:?} {b:?}: off {error_m} of {truth}");
            assert_eq!(distance_m(a, b), distance_m(b, a));
        }
        assert!(distance_m(Point::new(f64::NAN, 0.0), Point::new(0.0, 0.0)).is_nan());
    }

    #[test]
    fn box_edges_are_inside_and_nan_is_not() {
        let unit = Bbox::of_segment(Point::new(1.0, 1.0), Point::new(0.0, 0.0));
        assert!(unit.contains(Point::new(1.0, 0.0)));
        assert!(!unit.contains(Point::new(1.1, 0.0)));
        assert!(!unit.contains(Point::new(f64::NAN, 0.0)));
        assert!(unit.intersects(&Bbox::of_segment(Point::new(1.0, 1.0), Point::new(2.0, 2.0))));
        assert!(!unit.intersects(&Bbox::of_segment(Point::new(1.1, 0.0), Point::new(2.0, 2.0))));
    }
}
