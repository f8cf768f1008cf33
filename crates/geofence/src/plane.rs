//! The flat picture of one shape in metres, and the path through it; knows no shape.

use crate::point::{Bbox, Point, WGS84_A_M, WGS84_E2};

/// A point or a vector of the plane, metres east and north.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Xy {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

impl Xy {
    pub(crate) const ORIGIN: Self = Self { x: 0.0, y: 0.0 };

    pub(crate) fn new(x: f64, y: f64) -> Self {
        Self { x, y }
    }

    pub(crate) fn minus(self, o: Self) -> Self {
        Self::new(self.x - o.x, self.y - o.y)
    }

    pub(crate) fn plus(self, o: Self) -> Self {
        Self::new(self.x + o.x, self.y + o.y)
    }

    pub(crate) fn times(self, k: f64) -> Self {
        Self::new(self.x * k, self.y * k)
    }

    pub(crate) fn dot(self, o: Self) -> f64 {
        self.x * o.x + self.y * o.y
    }

    /// Positive when `o` lies to the left of `self`.
    pub(crate) fn cross(self, o: Self) -> f64 {
        self.x * o.y - self.y * o.x
    }

    pub(crate) fn norm2(self) -> f64 {
        self.dot(self)
    }

    /// Length; not `hypot`, whose rounding is the platform's.
    pub(crate) fn norm(self) -> f64 {
        self.norm2().sqrt()
    }

    pub(crate) fn min(self, o: Self) -> Self {
        Self::new(self.x.min(o.x), self.y.min(o.y))
    }

    pub(crate) fn max(self, o: Self) -> Self {
        Self::new(self.x.max(o.x), self.y.max(o.y))
    }

    /// Metres from here to the nearest point of the line from `a` to `b`.
    pub(crate) fn distance_to_line(self, a: Self, b: Self) -> f64 {
        let (edge, here) = (b.minus(a), self.minus(a));
        let length2 = edge.norm2();
        let share = if length2 > 0.0 { (here.dot(edge) / length2).clamp(0.0, 1.0) } else { 0.0 };
        here.minus(edge.times(share)).norm()
    }
}

/// The box around boxes; the origin if there are none.
pub(crate) fn bounds(boxes: impl Iterator<Item = (Xy, Xy)>) -> (Xy, Xy) {
    boxes.reduce(|(lo, hi), (l, h)| (lo.min(l), hi.max(h))).unwrap_or((Xy::ORIGIN, Xy::ORIGIN))
}

/// The affine map from degrees to metres around one reference point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Plane {
    origin: Point,
    metres_per_lon_deg: f64,
    metres_per_lat_deg: f64,
}

impl Plane {
    /// The plane that touches the WGS-84 ellipsoid at `origin`; its latitude is below 90°.
    pub(crate) fn at(origin: Point) -> Self {
        let lat = origin.lat.to_radians();
        let (sin, cos) = (libm::sin(lat), libm::cos(lat));
        let w2 = 1.0 - WGS84_E2 * sin * sin;
        let east_radius_m = WGS84_A_M / w2.sqrt();
        let north_radius_m = east_radius_m * (1.0 - WGS84_E2) / w2;
        Self {
            origin,
            metres_per_lon_deg: (east_radius_m * cos).to_radians(),
            metres_per_lat_deg: north_radius_m.to_radians(),
        }
    }

    pub(crate) fn project(&self, p: Point) -> Xy {
        Xy::new(
            (p.lon - self.origin.lon) * self.metres_per_lon_deg,
            (p.lat - self.origin.lat) * self.metres_per_lat_deg,
        )
    }

    /// Where the plane touches, and a place one degree east and north of it.
    pub(crate) fn origin_and_degree(&self) -> (Point, Point) {
        (self.origin, Point::new(self.origin.lon + 1.0, self.origin.lat + 1.0))
    }

    /// The box in degrees around `lo..hi`, widened by `margin_m` on all sides.
    pub(crate) fn bbox(&self, lo: Xy, hi: Xy, margin_m: f64) -> Bbox {
        let unproject = |p: Xy| {
            Point::new(self.origin.lon + p.x / self.metres_per_lon_deg, self.origin.lat + p.y / self.metres_per_lat_deg)
        };
        let margin = Xy::new(margin_m, margin_m);
        Bbox { min: unproject(lo.minus(margin)), max: unproject(hi.plus(margin)) }
    }
}

/// A straight path through the plane; `t` runs from 0 at its start to 1 at its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    pub(crate) start: Xy,
    pub(crate) end: Xy,
    step: Xy,
    length2: f64,
    length_m: f64,
}

impl Path {
    pub(crate) fn new(start: Xy, end: Xy) -> Self {
        let step = end.minus(start);
        let length2 = step.norm2();
        Self { start, end, step, length2, length_m: length2.sqrt() }
    }

    pub(crate) fn length_m(&self) -> f64 {
        self.length_m
    }

    pub(crate) fn at(&self, t: f64) -> Xy {
        self.start.plus(self.step.times(t))
    }

    /// `t` of the foot of `p` on the endless line through the path.
    pub(crate) fn foot(&self, p: Xy) -> f64 {
        p.minus(self.start).dot(self.step) / self.length2
    }

    /// Metres by which `p` lies to the left of the endless line through the path.
    pub(crate) fn left_m(&self, p: Xy) -> f64 {
        self.left(p) / self.length_m
    }

    /// The same times the length of the path: spares a division.
    pub(crate) fn left(&self, p: Xy) -> f64 {
        self.step.cross(p.minus(self.start))
    }

    /// The box around the part of the path in the box `lo..hi`, both widened by so many metres; `None` if the path
    /// passes the box by.
    pub(crate) fn reach_within(&self, lo: Xy, hi: Xy, metres: f64) -> Option<(Xy, Xy)> {
        let (mut from, mut to) = (0.0_f64, 1.0_f64);
        let sides = [(self.start.x, self.step.x, lo.x, hi.x), (self.start.y, self.step.y, lo.y, hi.y)];
        for (start, step, lo, hi) in sides {
            // A side along which the path hardly moves cuts nothing off: there the rounding would be large.
            if step.abs() > metres {
                let (near, far) = ((lo - 2.0 * metres - start) / step, (hi + 2.0 * metres - start) / step);
                from = from.max(near.min(far));
                to = to.min(near.max(far));
            }
        }
        let (enters, leaves) = (self.at(from), self.at(to));
        let wider = Xy::new(metres, metres);
        (from <= to).then(|| (enters.min(leaves).minus(wider), enters.max(leaves).plus(wider)))
    }

    /// Whether the box around the path meets the box `lo..hi`.
    pub(crate) fn meets(&self, lo: Xy, hi: Xy) -> bool {
        let (min, max) = (self.start.min(self.end), self.start.max(self.end));
        min.x <= hi.x && lo.x <= max.x && min.y <= hi.y && lo.y <= max.y
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distance_m;

    #[test]
    fn metres_of_the_plane_are_metres_on_the_ground() {
        for (lon, lat) in [(118.79, 32.05), (122.3, 53.4), (109.5, 18.2), (0.0, 0.0), (10.0, -60.0)] {
            let origin = Point::new(lon, lat);
            let plane = Plane::at(origin);
            for (east, north) in [(0.01, 0.0), (0.0, 0.01), (-0.007, 0.004)] {
                let p = Point::new(lon + east, lat + north);
                let (flat, ground) = (plane.project(p).norm(), distance_m(origin, p));
                assert!((flat - ground).abs() < ground * 2e-4, "{p:?}: {flat} {ground}");
            }
        }
    }

    #[test]
    fn box_round_trip() {
        let plane = Plane::at(Point::new(118.0, 32.0));
        let bbox = plane.bbox(Xy::ORIGIN, Xy::ORIGIN, 100.0);
        let corner = plane.project(bbox.max);
        assert!((corner.x - 100.0).abs() < 1e-6 && (corner.y - 100.0).abs() < 1e-6);
    }

    #[test]
    fn distance_to_a_line_and_to_its_ends() {
        let (a, b) = (Xy::new(0.0, 0.0), Xy::new(10.0, 0.0));
        for (p, expect) in
            [(Xy::new(5.0, 3.0), 3.0), (Xy::new(-3.0, 4.0), 5.0), (Xy::new(13.0, -4.0), 5.0), (Xy::new(5.0, 0.0), 0.0)]
        {
            assert_eq!(p.distance_to_line(a, b), expect);
        }
        assert_eq!(Xy::new(3.0, 4.0).distance_to_line(a, a), 5.0);
    }
}
