//! One truck: it loads, drives, rests, unloads, parks for the night. All of it follows from (seed, vehicle index,
//! virtual second) and the hour at which the run began; knows no socket and no wall clock.

use std::sync::Arc;

use crate::geo::Point;
use crate::gnss::Drift;
use crate::path::{BRAKE_MS2, Path, Spot, Surroundings};
use crate::roads::{Network, Place, PlaceKind};
use crate::seed::{Purpose, Seed};

/// How hard a loaded tank truck pulls away, m/s^2.
const PULL_MS2: f64 = 0.5;
const DAY_S: u64 = 86_400;
/// China has one zone, GMT+8.
const ZONE_S: u64 = 8 * 3_600;
/// Night as the parking habit sees it: 22:00 to 06:00.
const NIGHT_FROM_S: u64 = 22 * 3_600;
const NIGHT_TO_S: u64 = 6 * 3_600;
/// Every so many vehicles starts just before a bridge, so that a short demo shows a crossing.
const SHOWCASE_EVERY: u32 = 8;
const SHOWCASE_DRAWS: u64 = 40;

/// How a truck begins.
#[derive(Clone, Copy, Debug)]
pub struct Beginning {
    /// Unix second of virtual second 0: tells day from night.
    pub epoch_s: u64,
    /// Let one in eight begin 60 to 300 m before a bridge.
    pub showcase: bool,
}

/// A simulated truck at one virtual second.
#[derive(Debug)]
pub struct Truck {
    pub(crate) seed: Seed,
    pub(crate) now_s: u64,
    epoch_s: u64,
    trip: u64,
    from: usize,
    to: usize,
    path: Arc<Path>,
    spot: Spot,
    speed_ms: f64,
    /// How much of the allowed speed this driver uses.
    eagerness: f64,
    braking: bool,
    /// Stands until this virtual second.
    halt_until_s: u64,
    standing_since_s: u64,
    driven_s: u32,
    rest_after_s: u32,
    loaded: bool,
    odometer_m: f64,
    pub(crate) drift: Drift,
}

/// What a truck is doing, for the receiver and for tests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Motion {
    pub(crate) at: Point,
    pub(crate) course_deg: f64,
    pub(crate) speed_ms: f64,
    #[cfg(test)]
    pub(crate) limit_ms: f64,
    pub(crate) around: Surroundings,
    pub(crate) braking: bool,
    pub(crate) loaded: bool,
    pub(crate) ignition: bool,
    pub(crate) odometer_m: f64,
    pub(crate) night: bool,
}

impl Truck {
    /// Vehicle `index` of the fleet `seed` at virtual second 0. `None` only if the network had no two places.
    #[must_use]
    pub fn new(seed: u64, index: u32, network: &Network, beginning: Beginning) -> Option<Self> {
        let seed = Seed::of_vehicle(seed, index);
        let showcase = beginning.showcase && index.is_multiple_of(SHOWCASE_EVERY);
        let (from, to, path, start_m) = opening(seed, network, showcase)?;
        let mut truck = Self {
            seed,
            now_s: 0,
            epoch_s: beginning.epoch_s,
            trip: 0,
            from,
            to,
            spot: path.spot(start_m),
            path,
            speed_ms: 0.0,
            eagerness: seed.between(Purpose::Driver, 0, 0.86, 0.97),
            braking: false,
            halt_until_s: 0,
            standing_since_s: 0,
            driven_s: seed.between(Purpose::Driver, 1, 0.0, 7_000.0) as u32,
            rest_after_s: 0,
            loaded: network.places.get(from)?.kind == PlaceKind::Supplier,
            odometer_m: seed.between(Purpose::Driver, 2, 2e7, 6e8),
            drift: Drift::settled(seed),
        };
        truck.rest_after_s = truck.next_rest_after_s();
        if start_m > 0.0 {
            truck.speed_ms = truck.path.allowed_ms(truck.spot) * truck.eagerness;
        } else {
            truck.halt_until_s = seed.between(Purpose::Start, 2, 60.0, 1_800.0) as u64;
        }
        Some(truck)
    }

    /// Drives on to a virtual second (never backwards).
    pub fn advance_to(&mut self, network: &Network, second: u64) {
        while self.now_s < second {
            self.now_s += 1;
            self.step(network);
            self.drift.step(self.seed, self.now_s, self.path.around(self.spot).is_tunnel());
        }
    }

    fn step(&mut self, network: &Network) {
        if self.now_s < self.halt_until_s {
            return;
        }
        if self.spot.along_m >= self.path.length_m() {
            self.depart(network);
        }
        let resting = self.driven_s >= self.rest_after_s;
        let before_ms = self.speed_ms;
        let wish_ms = if resting {
            (before_ms - BRAKE_MS2).max(0.0)
        } else {
            (before_ms + PULL_MS2).min(self.path.limit_ms(self.spot) * self.eagerness)
        };
        let moved_m = (before_ms + wish_ms) / 2.0;
        self.path.advance(&mut self.spot, moved_m);
        let allowed_ms = self.path.allowed_ms(self.spot) * self.eagerness;
        self.speed_ms = wish_ms.min(allowed_ms);
        self.braking = self.speed_ms < before_ms - 0.3;
        self.odometer_m += moved_m;
        self.driven_s += 1;
        let arrived = self.path.length_m() - self.spot.along_m < 0.5;
        if arrived {
            self.arrive(network);
        } else if resting && self.speed_ms == 0.0 {
            self.halt(self.seed.between(Purpose::Dwell, 2 * self.trip, 1_300.0, 2_700.0) as u64);
        }
    }

    fn halt(&mut self, for_s: u64) {
        self.speed_ms = 0.0;
        self.braking = false;
        self.driven_s = 0;
        self.rest_after_s = self.next_rest_after_s();
        self.standing_since_s = self.now_s;
        self.halt_until_s = self.now_s + for_s;
    }

    /// The law asks for a rest after four hours; most drivers keep it.
    fn next_rest_after_s(&self) -> u32 {
        self.seed.between(Purpose::Driver, 16 + self.now_s, 11_000.0, 14_700.0) as u32
    }

    fn arrive(&mut self, network: &Network) {
        self.spot = self.path.spot(self.path.length_m());
        let at = network.places.get(self.to).map_or(PlaceKind::Depot, |place| place.kind);
        self.loaded = match at {
            PlaceKind::Supplier => true,
            PlaceKind::Customer => false,
            PlaceKind::Depot => self.loaded,
        };
        let dwell_s = self.seed.between(Purpose::Dwell, 2 * self.trip + 1, 1_200.0, 3_000.0) as u64;
        let sleeps = self.is_night() && self.seed.unit(Purpose::Dwell, self.trip << 20) < 0.7;
        self.halt(if sleeps { dwell_s.max(self.until_morning_s()) } else { dwell_s });
    }

    fn depart(&mut self, network: &Network) {
        self.trip += 1;
        if let Some((to, path)) = destination(self.seed, self.trip, network, self.to) {
            self.from = self.to;
            self.to = to;
            self.spot = path.spot(0.0);
            self.path = path;
        }
    }

    fn time_of_day_s(&self) -> u64 {
        (self.epoch_s + ZONE_S + self.now_s) % DAY_S
    }

    fn is_night(&self) -> bool {
        !(NIGHT_TO_S..NIGHT_FROM_S).contains(&self.time_of_day_s())
    }

    fn until_morning_s(&self) -> u64 {
        (NIGHT_TO_S + DAY_S - self.time_of_day_s()) % DAY_S
    }

    pub(crate) fn motion(&self) -> Motion {
        let (at, course_deg) = self.path.pose(self.spot);
        Motion {
            at,
            course_deg,
            speed_ms: self.speed_ms,
            #[cfg(test)]
            limit_ms: self.path.limit_ms(self.spot),
            around: self.path.around(self.spot),
            braking: self.braking,
            loaded: self.loaded,
            ignition: self.now_s >= self.halt_until_s || self.now_s < self.standing_since_s + 180,
            odometer_m: self.odometer_m,
            night: self.is_night(),
        }
    }
}

/// The first trip: from, to, path, and how far along it the truck already is (0: it stands at its start).
fn opening(seed: Seed, network: &Network, showcase: bool) -> Option<(usize, usize, Arc<Path>, f64)> {
    let draw = |counter: u64| {
        let from = seed.weighted(Purpose::Start, 100 + counter, network.places.iter().map(|place| place.weight))?;
        let (to, path) = destination(seed, counter << 32, network, from)?;
        Some((from, to, path))
    };
    if showcase {
        for counter in 0..SHOWCASE_DRAWS {
            let (from, to, path) = draw(counter)?;
            if let Some(bridge_m) = path.first_bridge_m() {
                let start_m = (bridge_m - seed.between(Purpose::Start, 3, 60.0, 300.0)).max(1.0);
                return Some((from, to, path, start_m));
            }
        }
    }
    let (from, to, path) = draw(0)?;
    let parked = seed.unit(Purpose::Start, 0) < 0.15;
    let start_m = if parked { 0.0 } else { path.length_m() * seed.between(Purpose::Start, 1, 0.02, 0.95) };
    Some((from, to, path, start_m))
}

/// Where to next: a loaded truck to a customer, an empty one back to a supplier or into its lot.
fn destination(seed: Seed, trip: u64, network: &Network, from: usize) -> Option<(usize, Arc<Path>)> {
    let here = network.places.get(from)?.kind;
    let weight = |(index, place): (usize, &Place)| match (here, place.kind) {
        _ if index == from => 0,
        (PlaceKind::Supplier, PlaceKind::Customer) | (PlaceKind::Depot, PlaceKind::Supplier) => place.weight,
        (PlaceKind::Customer, PlaceKind::Supplier) => 2 * place.weight,
        (PlaceKind::Customer, PlaceKind::Depot) => place.weight,
        _ => 0,
    };
    let to = seed.weighted(Purpose::Trip, trip, network.places.iter().enumerate().map(weight))?;
    Some((to, network.path(from, to)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23 10:00 GMT+8.
    const BEGINNING: Beginning = Beginning { epoch_s: 1_795_399_200, showcase: true };

    fn truck(seed: u64, index: u32) -> Truck {
        Truck::new(seed, index, Network::qujing(), BEGINNING).expect("places")
    }

    #[test]
    fn the_same_second_is_the_same_truck_however_it_got_there() {
        for index in [0, 3, 9] {
            let (mut a, mut b) = (truck(4, index), truck(4, index));
            a.advance_to(Network::qujing(), 5_000);
            (0..=5_000).step_by(7).chain([5_000]).for_each(|s| b.advance_to(Network::qujing(), s));
            assert_eq!(format!("{a:?}"), format!("{b:?}"));
            let mut other = truck(5, index);
            other.advance_to(Network::qujing(), 5_000);
            assert_ne!(a.motion().at, other.motion().at);
        }
    }

    #[test]
    fn motion_is_plausible_for_hours() {
        let network = Network::qujing();
        for index in 0..24 {
            let mut truck = truck(1, index);
            let (mut before, mut driven, mut stood) = (truck.motion(), 0u32, 0u32);
            for second in 1..30_000 {
                truck.advance_to(network, second);
                let now = truck.motion();
                assert!(now.speed_ms <= now.limit_ms + 1e-6, "{index}@{second}: {now:?}");
                assert!(now.speed_ms - before.speed_ms <= PULL_MS2 + 1e-6, "{index}@{second}");
                assert!(before.speed_ms - now.speed_ms <= 3.0 * BRAKE_MS2, "{index}@{second}: {before:?} {now:?}");
                let step_m = before.at.distance_m(now.at);
                assert!(
                    step_m <= before.speed_ms.max(now.speed_ms) + PULL_MS2 / 2.0 + 0.5 + 1e-6,
                    "{index}@{second}: jump of {step_m} m"
                );
                assert!(now.odometer_m >= before.odometer_m);
                if now.speed_ms > 0.0 {
                    driven += 1;
                } else {
                    stood += 1;
                }
                before = now;
            }
            assert!(driven > 5_000 && stood > 300, "{index}: {driven} s driven, {stood} s stood");
        }
    }

    #[test]
    fn some_of_the_first_trucks_reach_a_bridge_in_half_a_minute_and_most_do_not() {
        let network = Network::qujing();
        let reached = (0..64)
            .filter(|index| {
                let mut truck = truck(1, *index);
                (0..=30).any(|second| {
                    truck.advance_to(network, second);
                    truck.motion().around.is_bridge()
                })
            })
            .count();
        assert!((4..=16).contains(&reached), "{reached} of 64");
    }
}
