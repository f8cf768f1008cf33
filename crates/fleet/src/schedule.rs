//! When a truck takes its fixes, and where its radio reaches: pure functions of seed, index and place.

use crate::seed::{Purpose, Seed};
use crate::truck::Motion;

const SECOND_US: u64 = 1_000_000;

/// The instants of a truck's fixes, microseconds since the start of the run: the first as soon as it appears, then
/// one an interval, at a phase of its own so that a fleet does not speak in chorus. Two fixes are never closer than a
/// second, because a fix time has whole seconds only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    next_us: u64,
    after_first_us: u64,
    interval_us: u64,
    taken: u64,
}

impl Schedule {
    pub(crate) fn new(seed: Seed, begin_us: u64, interval_us: u64) -> Self {
        let spare = interval_us.saturating_sub(SECOND_US) as f64;
        let phase_us = SECOND_US + seed.between(Purpose::Phase, 0, 0.0, spare.max(1.0)) as u64;
        Self { next_us: begin_us, after_first_us: phase_us, interval_us, taken: 0 }
    }

    /// When the next fix is due.
    pub(crate) fn next_us(&self) -> u64 {
        self.next_us
    }

    /// How many were taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Takes the next one; returns when it was due.
    pub(crate) fn advance(&mut self) -> u64 {
        let due_us = self.next_us;
        self.next_us += if self.taken == 0 { self.after_first_us } else { self.interval_us };
        self.taken += 1;
        due_us
    }
}

/// Cells of this size, degrees, have radio or have none.
const CELL_DEG: f64 = 0.03;
/// One cell in so many is a valley without radio.
const VALLEY_EVERY: u64 = 24;

/// Where mobile radio reaches. One map for the whole fleet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coverage(Seed);

impl Coverage {
    pub(crate) const fn of_fleet(seed: u64) -> Self {
        Self(Seed::of_vehicle(seed, u32::MAX))
    }

    /// Tunnels have none, towns always have, the country has valleys.
    pub(crate) fn reaches(self, motion: &Motion) -> bool {
        if motion.around.is_tunnel() || motion.around.is_town() {
            return motion.around.is_town();
        }
        let cell = |degrees: f64| (degrees / CELL_DEG) as u64;
        let key = cell(motion.at.lon) << 20 | cell(motion.at.lat);
        !self.0.bits(Purpose::Coverage, key).is_multiple_of(VALLEY_EVERY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roads::Network;
    use crate::truck::{Beginning, Truck};

    #[test]
    fn fixes_are_an_interval_and_never_less_than_a_second_apart() {
        for (index, interval_us) in [(0, SECOND_US), (1, 30 * SECOND_US), (2, 1_500_000)] {
            let mut schedule = Schedule::new(Seed::of_vehicle(1, index), 123_456, interval_us);
            let due: Vec<u64> = (0..10).map(|_| schedule.advance()).collect();
            assert_eq!(due.first(), Some(&123_456));
            assert!(due.windows(2).all(|w| w[1] - w[0] >= SECOND_US && w[1] - w[0] <= interval_us.max(SECOND_US + 1)));
            assert!(due[1..].windows(2).all(|w| w[1] - w[0] == interval_us));
        }
    }

    #[test]
    fn trucks_meet_dead_zones_at_times_and_leave_them() {
        let beginning = Beginning { epoch_s: 1_795_399_200, showcase: true };
        let coverage = Coverage::of_fleet(1);
        let (mut dead, mut all) = (0, 0);
        for index in 0..20 {
            let mut truck = Truck::new(1, index, Network::qujing(), beginning).expect("places");
            for second in (0..7_200).step_by(10) {
                truck.advance_to(Network::qujing(), second);
                dead += u32::from(!coverage.reaches(&truck.motion()));
                all += 1;
            }
        }
        let part = f64::from(dead) / f64::from(all);
        assert!((0.005..0.15).contains(&part), "{part}");
    }
}
