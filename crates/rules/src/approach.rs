//! Who is in a zone, and who is on the way to it, by where and how they were seen last: for people who ask before they
//! release a zone. Judgement does not ask this.

use geofence::Point;

use crate::zones::Zones;

/// A vehicle as it was seen last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sighting {
    /// Longitude, degrees, WGS-84.
    pub lon: f64,
    /// Latitude, degrees, WGS-84.
    pub lat: f64,
    /// Speed, 0.1 km/h.
    pub speed_dkmh: u16,
    /// Direction, degrees from north, clockwise.
    pub direction_deg: u16,
}

/// Metres of a degree of latitude.
const METRES_PER_DEGREE: f64 = 111_195.0;
/// Who is slower is not on the way anywhere, 0.1 km/h.
const SPEED_MIN_DKMH: u16 = 50;

impl Sighting {
    /// Where it is, and where it will be in so many seconds if it goes straight on.
    pub(crate) fn way(&self, seconds: f64) -> (Point, Point) {
        let metres = f64::from(self.speed_dkmh) / 36.0 * seconds;
        let angle = f64::from(self.direction_deg).to_radians();
        let north = metres * libm::cos(angle) / METRES_PER_DEGREE;
        let east = metres * libm::sin(angle) / (METRES_PER_DEGREE * libm::cos(self.lat.to_radians()).max(0.01));
        (Point::new(self.lon, self.lat), Point::new(self.lon + east, self.lat + north))
    }
}

impl Zones {
    /// Whether any of these zones holds it.
    #[must_use]
    pub fn hold(&self, seen: &Sighting) -> bool {
        let mut holds = false;
        self.shapes_at(Point::new(seen.lon, seen.lat), || holds = true);
        holds
    }

    /// In how many seconds it meets one of these zones if it goes straight on as it was seen; `None`: not within
    /// `within_s`, or it stands, or it is inside.
    #[must_use]
    pub fn reached_in_s(&self, seen: &Sighting, within_s: f64) -> Option<f64> {
        if seen.speed_dkmh < SPEED_MIN_DKMH || seen.direction_deg > 360 || self.hold(seen) {
            return None;
        }
        let (here, there) = seen.way(within_s);
        let mut first: Option<f64> = None;
        self.touching(here, there, |_, inside| {
            if let Some(at) = inside.first().map(|stretch| stretch.t_in) {
                first = Some(first.map_or(at, |first| first.min(at)));
            }
        });
        first.map(|share| share * within_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Change, ControlRecord, Coord, Geometry, LegalBasis, Registry, Timestamp, Zone, ZoneId, ZoneKind};

    #[test]
    fn who_is_there_and_who_comes() {
        let zone = Zone {
            id: ZoneId(1),
            revision: 1,
            name: "z".into(),
            kind: ZoneKind::Custom,
            geometry: Geometry::Circle { centre: Coord { x: 103.8, y: 25.5 }, radius_m: 500.0 },
            rules: Vec::new(),
            source_crs: "wgs84".into(),
            legal: LegalBasis::default(),
            place: String::new(),
            detour: String::new(),
            drafted_by: None,
            valid_from: None,
            valid_to: None,
            recorded_at: Timestamp(0),
        };
        let mut registry = Registry::default();
        let change = Change::ZonePut(zone);
        registry.apply(&ControlRecord { seq: 1, recorded_at: Timestamp(0), actor: String::new(), change });
        let zones = Zones::build(&registry);
        let seen = |south_m: f64, speed_kmh: u16, direction_deg| Sighting {
            lon: 103.8,
            lat: 25.5 - south_m / METRES_PER_DEGREE,
            speed_dkmh: speed_kmh * 10,
            direction_deg,
        };
        assert!(zones.hold(&seen(400.0, 0, 0)) && !zones.hold(&seen(600.0, 0, 0)));
        // 10,000 m to the edge at 20 m/s.
        let comes = zones.reached_in_s(&seen(10_500.0, 72, 0), 900.0).expect("comes");
        assert!((comes - 500.0).abs() < 5.0, "{comes}");
        for (what, seen, within_s) in [
            ("too far", seen(10_500.0, 72, 0), 400.0),
            ("the other way", seen(10_500.0, 72, 180), 900.0),
            ("past it", seen(10_500.0, 72, 10), 900.0),
            ("stands", seen(10_500.0, 4, 0), 9_000.0),
            ("is there", seen(100.0, 72, 0), 900.0),
        ] {
            assert_eq!(zones.reached_in_s(&seen, within_s), None, "{what}");
        }
    }
}
