//! Coordinate systems of Chinese maps (坐标系): everything is kept in WGS-84 and converted only at the edges.
//!
//! GCJ-02 (火星坐标系) shifts WGS-84 by 300 to 600 m by a published formula inside a box around China; BD-09 shifts
//! GCJ-02 once more. CGCS2000 (2000国家大地坐标系) differs from WGS-84 by centimetres and is taken as equal.

use std::f64::consts::PI;

use libm::{atan2, cos, fabs, sin, sqrt};
use model::Coord;

/// A coordinate system in which longitude and latitude may be given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Crs {
    /// What a GNSS receiver gives.
    #[default]
    Wgs84,
    /// Survey documents of China; equal to WGS-84 here.
    Cgcs2000,
    /// Published road maps of China.
    Gcj02,
    /// Baidu's maps.
    Bd09,
}

/// Semi-major axis of the Krasovsky ellipsoid, metres: a constant of the formula.
const A: f64 = 6_378_245.0;
/// First eccentricity squared: a constant of the formula.
const EE: f64 = 0.006_693_421_622_965_943;
/// Constant of the polar shift of BD-09.
const X_PI: f64 = PI * 3000.0 / 180.0;
/// The shift is contracting by about 1/1000 a step, so this many steps are below the resolution of `f64` degrees.
const INVERSE_STEPS: usize = 5;

impl Crs {
    /// Every system.
    pub const ALL: &'static [Self] = &[Self::Wgs84, Self::Cgcs2000, Self::Gcj02, Self::Bd09];

    /// The name in the API and in a zone's `source_crs`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wgs84 => "wgs84",
            Self::Cgcs2000 => "cgcs2000",
            Self::Gcj02 => "gcj02",
            Self::Bd09 => "bd09",
        }
    }

    /// The system of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|crs| crs.name() == name)
    }

    /// From WGS-84 degrees into this system.
    #[must_use]
    pub fn from_wgs84(self, c: Coord) -> Coord {
        match self {
            Self::Wgs84 | Self::Cgcs2000 => c,
            Self::Gcj02 => wgs84_to_gcj02(c),
            Self::Bd09 => gcj02_to_bd09(wgs84_to_gcj02(c)),
        }
    }

    /// From this system into WGS-84 degrees, to about 1e-9 degree (BD-09: 1e-6, its published inverse is not exact).
    #[must_use]
    pub fn to_wgs84(self, c: Coord) -> Coord {
        match self {
            Self::Wgs84 | Self::Cgcs2000 => c,
            Self::Gcj02 => gcj02_to_wgs84(c),
            Self::Bd09 => gcj02_to_wgs84(bd09_to_gcj02(c)),
        }
    }
}

/// The box in which the shift applies.
fn is_shifted(c: Coord) -> bool {
    (72.004..=137.8347).contains(&c.x) && (0.8293..=55.8271).contains(&c.y)
}

/// Both shifts share this wave along the longitude.
fn wave(x: f64) -> f64 {
    (20.0 * sin(6.0 * x * PI) + 20.0 * sin(2.0 * x * PI)) * 2.0 / 3.0
}

fn shift(c: Coord) -> Coord {
    let (x, y) = (c.x - 105.0, c.y - 35.0);
    let root = sqrt(fabs(x));
    let north = -100.0
        + 2.0 * x
        + 3.0 * y
        + 0.2 * y * y
        + 0.1 * x * y
        + 0.2 * root
        + wave(x)
        + (20.0 * sin(y * PI) + 40.0 * sin(y / 3.0 * PI)) * 2.0 / 3.0
        + (160.0 * sin(y / 12.0 * PI) + 320.0 * sin(y * PI / 30.0)) * 2.0 / 3.0;
    let east = 300.0
        + x
        + 2.0 * y
        + 0.1 * x * x
        + 0.1 * x * y
        + 0.1 * root
        + wave(x)
        + (20.0 * sin(x * PI) + 40.0 * sin(x / 3.0 * PI)) * 2.0 / 3.0
        + (150.0 * sin(x / 12.0 * PI) + 300.0 * sin(x / 30.0 * PI)) * 2.0 / 3.0;
    let latitude = c.y / 180.0 * PI;
    let magic = 1.0 - EE * sin(latitude) * sin(latitude);
    let root = sqrt(magic);
    Coord {
        x: east * 180.0 / (A / root * cos(latitude) * PI),
        y: north * 180.0 / (A * (1.0 - EE) / (magic * root) * PI),
    }
}

fn wgs84_to_gcj02(c: Coord) -> Coord {
    if is_shifted(c) { c + shift(c) } else { c }
}

fn gcj02_to_wgs84(c: Coord) -> Coord {
    if !is_shifted(c) {
        return c;
    }
    (0..INVERSE_STEPS).fold(c, |guess, _| c - shift(guess))
}

fn gcj02_to_bd09(c: Coord) -> Coord {
    let radius = sqrt(c.x * c.x + c.y * c.y) + 0.000_02 * sin(c.y * X_PI);
    let angle = atan2(c.y, c.x) + 0.000_003 * cos(c.x * X_PI);
    Coord { x: radius * cos(angle) + 0.0065, y: radius * sin(angle) + 0.006 }
}

fn bd09_to_gcj02(c: Coord) -> Coord {
    let (x, y) = (c.x - 0.0065, c.y - 0.006);
    let radius = sqrt(x * x + y * y) - 0.000_02 * sin(y * X_PI);
    let angle = atan2(y, x) - 0.000_003 * cos(x * X_PI);
    Coord { x: radius * cos(angle), y: radius * sin(angle) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Longitude and latitude in WGS-84, then in GCJ-02: the vectors that implementations of the formula share.
    const CITIES: [(f64, f64, f64, f64); 3] = [
        (121.527_210_6, 31.177_427_6, 121.531_541_859_215, 31.175_303_983_645_97),
        (113.912_316, 22.543_847, 113.917_176_480_836_3, 22.540_796_131_694_766),
        (116.377_817, 39.911_954, 116.384_047_224_556_57, 39.913_345_455_360_69),
    ];

    fn apart(a: Coord, b: Coord) -> f64 {
        fabs(a.x - b.x).max(fabs(a.y - b.y))
    }

    #[test]
    fn known_cities() {
        for (lon, lat, gcj_lon, gcj_lat) in CITIES {
            let (wgs, gcj) = (Coord { x: lon, y: lat }, Coord { x: gcj_lon, y: gcj_lat });
            assert!(apart(Crs::Gcj02.from_wgs84(wgs), gcj) < 1e-9, "{lon} {lat}");
            assert!(apart(Crs::Gcj02.to_wgs84(gcj), wgs) < 1e-9, "{lon} {lat}");
            assert_eq!(Crs::Cgcs2000.from_wgs84(wgs), wgs);
        }
        let abroad = Coord { x: 2.35, y: 48.85 };
        assert_eq!(Crs::Gcj02.from_wgs84(abroad), abroad);
    }

    #[test]
    fn names_come_back() {
        for crs in Crs::ALL {
            assert_eq!(Crs::from_name(crs.name()), Some(*crs));
        }
        assert_eq!(Crs::from_name("WGS84"), None);
    }

    proptest! {
        #[test]
        fn there_and_back(lon in 74.0..135.0f64, lat in 3.0..54.0f64) {
            let c = Coord { x: lon, y: lat };
            prop_assert!(apart(Crs::Gcj02.to_wgs84(Crs::Gcj02.from_wgs84(c)), c) < 1e-9);
            prop_assert!(apart(Crs::Bd09.to_wgs84(Crs::Bd09.from_wgs84(c)), c) < 2e-6);
        }
    }
}
