//! The shapes of a scene's zones, as the truth sees them: winding numbers and distances of its own, no index, nothing
//! prepared.

use model::{Direction, Geometry, LineString, MultiPolygon, Polygon};

use crate::plane::{Xy, coord};

/// A shape on the ground.
#[derive(Clone, Debug)]
pub enum Area {
    /// An outer ring and holes, open: the last vertex is not the first.
    Rings(Vec<Vec<Xy>>),
    /// A circle.
    Circle {
        /// Its centre.
        centre: Xy,
        /// Its radius, metres.
        radius_m: f64,
    },
    /// A band along an axis, flat at its ends.
    Band {
        /// Its axis.
        axis: Vec<Xy>,
        /// From the axis to an edge, metres.
        half_width_m: f64,
    },
}

impl Area {
    /// Metres to the edge: positive inside, negative outside; in a band without regard to where legs overlap.
    pub fn depth_m(&self, p: Xy) -> f64 {
        match self {
            Self::Rings(rings) => {
                let turns: i32 = rings.iter().map(|ring| winding(ring, p).rem_euclid(2)).sum();
                let edges = rings.iter().flat_map(|ring| sides(ring));
                let edge_m = edges.map(|(a, b)| p.distance_to(a, b)).fold(f64::INFINITY, f64::min);
                if turns == 1 { edge_m } else { -edge_m }
            }
            Self::Circle { centre, radius_m } => radius_m - (p - *centre).norm(),
            Self::Band { axis, half_width_m } => band_depth_m(axis, *half_width_m, p),
        }
    }

    /// The middle of the shape and a radius that holds all of it.
    pub fn around(&self) -> (Xy, f64) {
        let (points, margin_m) = match self {
            Self::Circle { centre, radius_m } => return (*centre, *radius_m),
            Self::Rings(rings) => (rings.concat(), 0.0),
            Self::Band { axis, half_width_m } => (axis.clone(), *half_width_m),
        };
        let middle = points.iter().fold(Xy::default(), |sum, p| sum + *p) * (1.0 / points.len() as f64);
        let radius_m = points.iter().map(|p| (*p - middle).norm()).fold(0.0, f64::max);
        (middle, radius_m + margin_m)
    }

    /// The same for the server, in degrees.
    pub fn geometry(&self, direction: Direction) -> Geometry {
        let line = |points: &[Xy]| LineString::from(points.iter().map(|p| coord(*p)).collect::<Vec<_>>());
        match self {
            Self::Rings(rings) => {
                let mut lines = rings.iter().map(|ring| line(ring));
                let outer = lines.next().unwrap_or_else(|| LineString::new(Vec::new()));
                Geometry::Polygon(MultiPolygon::new(vec![Polygon::new(outer, lines.collect())]))
            }
            Self::Circle { centre, radius_m } => Geometry::Circle { centre: coord(*centre), radius_m: *radius_m },
            Self::Band { axis, half_width_m } => {
                Geometry::Corridor { axis: line(axis), half_width_m: *half_width_m, direction }
            }
        }
    }
}

fn sides(ring: &[Xy]) -> impl Iterator<Item = (Xy, Xy)> + '_ {
    ring.iter().copied().zip(ring.iter().copied().cycle().skip(1))
}

/// How often a ring goes round a point, by the quadrants' rule of crossings up and down.
fn winding(ring: &[Xy], p: Xy) -> i32 {
    sides(ring).fold(0, |turns, (a, b)| {
        let left = (b - a).cross(p - a);
        match (a.y <= p.y, b.y <= p.y) {
            (true, false) if left > 0.0 => turns + 1,
            (false, true) if left < 0.0 => turns - 1,
            _ => turns,
        }
    })
}

fn band_depth_m(axis: &[Xy], half_width_m: f64, p: Xy) -> f64 {
    let ends = [axis.first().zip(axis.get(1)), axis.last().zip(axis.iter().rev().nth(1))];
    // Metres short of each flat end, negative beyond it; only for points near that end.
    let beyond = ends.into_iter().flatten().map(|(end, before)| {
        let inward = (*before - *end) * (1.0 / (*before - *end).norm());
        let off = p - *end;
        let near = off.norm() <= 2.0 * half_width_m && off.cross(inward).abs() <= half_width_m;
        if near { off.dot(inward) } else { f64::INFINITY }
    });
    let legs = axis.windows(2).map(|leg| p.distance_to(leg[0], leg[1]));
    let lateral_m = half_width_m - legs.fold(f64::INFINITY, f64::min);
    beyond.fold(lateral_m, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths_by_hand() {
        let square = |side: f64| {
            [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)].map(|(x, y)| Xy::new(x * side, y * side)).to_vec()
        };
        let holed = Area::Rings(vec![square(100.0), square(20.0)]);
        let band = Area::Band { axis: vec![Xy::new(0.0, 0.0), Xy::new(200.0, 0.0)], half_width_m: 15.0 };
        for (area, x, y, expect) in [
            (&holed, 90.0, 0.0, 10.0),
            (&holed, 130.0, 0.0, -30.0),
            (&holed, 5.0, 0.0, -15.0),
            (&band, 100.0, 5.0, 10.0),
            (&band, 4.0, 0.0, 4.0),
            (&band, -4.0, 3.0, -4.0),
            (&band, 203.0, 0.0, -3.0),
            (&band, 100.0, 20.0, -5.0),
            (&Area::Circle { centre: Xy::new(10.0, 0.0), radius_m: 50.0 }, 0.0, 0.0, 40.0),
        ] {
            assert!((area.depth_m(Xy::new(x, y)) - expect).abs() < 1e-9, "{area:?} {x} {y}");
        }
    }
}
