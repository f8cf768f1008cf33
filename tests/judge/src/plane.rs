//! The flat ground that scenes are drawn on, metres east and north, and its way into degrees. Shares nothing with the
//! rooms under test.

use std::ops::{Add, Mul, Sub};

use model::Coord;

/// A point or a vector, metres east and north.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Xy {
    /// Metres east.
    pub x: f64,
    /// Metres north.
    pub y: f64,
}

impl Xy {
    /// The point of those coordinates.
    pub const fn new(x: f64, y: f64) -> Self {
        Self { x, y }
    }

    /// The unit vector of a heading, radians clockwise from north.
    pub fn of_heading(heading: f64) -> Self {
        Self::new(heading.sin(), heading.cos())
    }

    /// The scalar product.
    pub fn dot(self, o: Self) -> f64 {
        self.x * o.x + self.y * o.y
    }

    /// Positive when `o` lies to the left.
    pub fn cross(self, o: Self) -> f64 {
        self.x * o.y - self.y * o.x
    }

    /// Its length.
    pub fn norm(self) -> f64 {
        self.dot(self).sqrt()
    }

    /// A quarter turn to the left.
    pub fn left(self) -> Self {
        Self::new(-self.y, self.x)
    }

    /// The point at `share` of the way to `o`.
    pub fn towards(self, o: Self, share: f64) -> Self {
        self + (o - self) * share
    }

    /// Metres to the nearest point of the line from `a` to `b`.
    pub fn distance_to(self, a: Self, b: Self) -> f64 {
        let (edge, here) = (b - a, self - a);
        let share = if edge.dot(edge) > 0.0 { (here.dot(edge) / edge.dot(edge)).clamp(0.0, 1.0) } else { 0.0 };
        (here - edge * share).norm()
    }
}

impl Add for Xy {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Self::new(self.x + o.x, self.y + o.y)
    }
}

impl Sub for Xy {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        Self::new(self.x - o.x, self.y - o.y)
    }
}

impl Mul<f64> for Xy {
    type Output = Self;
    fn mul(self, k: f64) -> Self {
        Self::new(self.x * k, self.y * k)
    }
}

/// Where every scene lies: a county in the mountains, degrees.
const ORIGIN: Coord = Coord { x: 103.8, y: 25.5 };

/// Degrees of a point, by the series of the WGS-84 ellipsoid for a degree of latitude and one of longitude.
pub fn coord(p: Xy) -> Coord {
    let lat = ORIGIN.y.to_radians();
    let lat_m = 111_132.954 - 559.822 * (2.0 * lat).cos() + 1.175 * (4.0 * lat).cos();
    let lon_m = 111_412.84 * lat.cos() - 93.5 * (3.0 * lat).cos() + 0.118 * (5.0 * lat).cos();
    Coord { x: ORIGIN.x + p.x / lon_m, y: ORIGIN.y + p.y / lat_m }
}

/// The point of degrees: [`coord`] the other way.
pub fn xy(lon: f64, lat: f64) -> Xy {
    let unit = coord(Xy::new(1.0, 1.0));
    Xy::new((lon - ORIGIN.x) / (unit.x - ORIGIN.x), (lat - ORIGIN.y) / (unit.y - ORIGIN.y))
}
