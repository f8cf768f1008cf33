//! One way from place to place as a truck sees it: vertices with the speed at which each may be passed, so that
//! braking in time needs no look-ahead. Knows no truck and no clock.

use crate::geo::{Point, turn_deg};
use crate::roads::{Class, Section};

/// Braking that a loaded tank truck does without thinking, m/s^2.
pub(crate) const BRAKE_MS2: f64 = 0.8;
/// Where a way ends the truck stands.
const STANDING: f32 = 0.0;
/// The slowest a corner gets, m/s.
const SLOWEST_CORNER_MS: f64 = 4.0;

/// What is around a stretch of road.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Surroundings(u8);

impl Surroundings {
    const BRIDGE: u8 = 1;
    const TUNNEL: u8 = 2;
    const TOWN: u8 = 4;

    pub(crate) fn new(bridge: bool, tunnel: bool, class: Class) -> Self {
        let town = matches!(class, Class::Urban | Class::Industrial);
        let bits = [(bridge, Self::BRIDGE), (tunnel, Self::TUNNEL), (town, Self::TOWN)];
        Self(bits.into_iter().filter(|(set, _)| *set).fold(0, |all, (_, bit)| all | bit))
    }

    pub(crate) const fn is_bridge(self) -> bool {
        self.0 & Self::BRIDGE != 0
    }

    pub(crate) const fn is_tunnel(self) -> bool {
        self.0 & Self::TUNNEL != 0
    }

    pub(crate) const fn is_town(self) -> bool {
        self.0 & Self::TOWN != 0
    }
}

#[derive(Clone, Copy, Debug)]
struct Vertex {
    at: Point,
    along_m: f64,
    /// The most at which it may be passed so that all that follows can be met by gentle braking.
    pass_ms: f32,
    /// The limit of the stretch that begins here.
    limit_ms: f32,
    around: Surroundings,
}

/// A way, from standing start to standing end.
#[derive(Debug)]
pub(crate) struct Path {
    vertices: Vec<Vertex>,
}

/// Where on a path something is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spot {
    /// Metres from the start.
    pub(crate) along_m: f64,
    /// The stretch it lies on; kept so that finding it again is a step, not a search.
    stretch: u32,
}

impl Path {
    /// A path along sections, each forward (`true`) or backward; `None` when they hold no line.
    pub(crate) fn along(way: &[(&Section, bool)]) -> Option<Self> {
        let mut vertices: Vec<Vertex> = Vec::new();
        for (section, forward) in way {
            let limit_ms = (section.limit_kmh / 3.6) as f32;
            let mut push = |at: Point| {
                let along_m = vertices.last().map_or(0.0, |last| last.along_m + last.at.distance_m(at));
                let vertex = Vertex { at, along_m, pass_ms: limit_ms, limit_ms, around: section.around };
                match vertices.last_mut() {
                    // The junction belongs to the stretch that leaves it, and to the slower of the two limits.
                    Some(last) if last.at == at => *last = Vertex { pass_ms: last.pass_ms.min(limit_ms), ..vertex },
                    _ => vertices.push(vertex),
                }
            };
            if *forward {
                section.line.iter().copied().for_each(&mut push);
            } else {
                section.line.iter().rev().copied().for_each(&mut push);
            }
        }
        let mut path = (vertices.len() > 1).then_some(Self { vertices })?;
        path.slow_for_corners();
        path.brake_in_time();
        Some(path)
    }

    fn slow_for_corners(&mut self) {
        let corners: Vec<f64> = self
            .vertices
            .windows(3)
            .map(|w| if let [a, b, c] = w { turn_deg(a.at.bearing_deg(b.at), b.at.bearing_deg(c.at)) } else { 0.0 })
            .collect();
        for (vertex, turn) in self.vertices.iter_mut().skip(1).zip(corners) {
            let limit = f64::from(vertex.pass_ms);
            vertex.pass_ms = (limit * (1.0 - turn / 100.0)).clamp(SLOWEST_CORNER_MS.min(limit), limit) as f32;
        }
    }

    fn brake_in_time(&mut self) {
        let mut next: Option<Vertex> = None;
        for vertex in self.vertices.iter_mut().rev() {
            vertex.pass_ms = match next {
                None => STANDING,
                Some(next) => vertex.pass_ms.min(braking_ms(next.pass_ms, next.along_m - vertex.along_m) as f32),
            };
            next = Some(*vertex);
        }
    }

    /// Length, metres.
    pub(crate) fn length_m(&self) -> f64 {
        self.vertices.last().map_or(0.0, |last| last.along_m)
    }

    /// The spot `along_m` metres from the start (held within the path).
    pub(crate) fn spot(&self, along_m: f64) -> Spot {
        let mut spot = Spot::default();
        self.advance(&mut spot, along_m);
        spot
    }

    /// Moves a spot onwards; it stops at the end.
    pub(crate) fn advance(&self, spot: &mut Spot, by_m: f64) {
        spot.along_m = (spot.along_m + by_m).min(self.length_m());
        let last_stretch = self.vertices.len().saturating_sub(2) as u32;
        while spot.stretch < last_stretch
            && self.vertices.get(spot.stretch as usize + 1).is_some_and(|next| next.along_m <= spot.along_m)
        {
            spot.stretch += 1;
        }
    }

    fn stretch(&self, spot: Spot) -> Option<(&Vertex, &Vertex)> {
        let index = spot.stretch as usize;
        Some((self.vertices.get(index)?, self.vertices.get(index + 1)?))
    }

    /// The most a truck may do there, m/s, with all limits and corners ahead still to be met.
    pub(crate) fn allowed_ms(&self, spot: Spot) -> f64 {
        self.stretch(spot)
            .map_or(0.0, |(from, to)| f64::from(from.limit_ms).min(braking_ms(to.pass_ms, to.along_m - spot.along_m)))
    }

    /// The posted limit there, m/s.
    pub(crate) fn limit_ms(&self, spot: Spot) -> f64 {
        self.stretch(spot).map_or(0.0, |(from, _)| f64::from(from.limit_ms))
    }

    /// Position and course (degrees) there.
    pub(crate) fn pose(&self, spot: Spot) -> (Point, f64) {
        self.stretch(spot).map_or((Point::default(), 0.0), |(from, to)| {
            let length = to.along_m - from.along_m;
            let part = if length > 0.0 { (spot.along_m - from.along_m) / length } else { 0.0 };
            (from.at.towards(to.at, part.clamp(0.0, 1.0)), from.at.bearing_deg(to.at))
        })
    }

    /// What is around that spot.
    pub(crate) fn around(&self, spot: Spot) -> Surroundings {
        self.stretch(spot).map_or(Surroundings::default(), |(from, _)| from.around)
    }

    /// Metres from the start to the first bridge, when there is one.
    pub(crate) fn first_bridge_m(&self) -> Option<f64> {
        self.vertices.iter().find(|vertex| vertex.around.is_bridge()).map(|vertex| vertex.along_m)
    }
}

/// The speed from which gentle braking over `distance_m` ends at `end_ms`.
fn braking_ms(end_ms: f32, distance_m: f64) -> f64 {
    (f64::from(end_ms).powi(2) + 2.0 * BRAKE_MS2 * distance_m.max(0.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roads::Network;

    #[test]
    fn speeds_can_be_met_by_braking_and_never_pass_the_limit() {
        let network = Network::qujing();
        for (from, to) in [(0, 6), (1, 15), (7, 11), (3, 18)] {
            let path = network.path(from, to).expect("a way");
            for pair in path.vertices.windows(2) {
                let [a, b] = pair else { panic!() };
                assert!(b.along_m > a.along_m, "vertices repeat");
                assert!(a.pass_ms <= a.limit_ms + 1e-4);
                assert!(f64::from(a.pass_ms) <= braking_ms(b.pass_ms, b.along_m - a.along_m) + 1e-3);
            }
            assert_eq!(path.vertices.last().map(|v| v.pass_ms), Some(STANDING));
            let mean = path.vertices.iter().map(|v| f64::from(v.pass_ms)).sum::<f64>() / path.vertices.len() as f64;
            assert!(mean > 11.0, "{from}-{to}: corners slow it to {mean} m/s");
        }
    }

    #[test]
    fn spots_move_on_and_end() {
        let path = Network::qujing().path(0, 6).expect("a way");
        let mut spot = path.spot(0.0);
        path.advance(&mut spot, path.length_m() / 3.0);
        assert_eq!(path.pose(spot), path.pose(path.spot(path.length_m() / 3.0)));
        path.advance(&mut spot, 1e9);
        assert_eq!(spot.along_m, path.length_m());
        assert_eq!(path.allowed_ms(spot), 0.0);
    }
}
