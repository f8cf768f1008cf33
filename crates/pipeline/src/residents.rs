//! The vehicles of a lane that are in memory, each with its rule state; which of them may leave.
//!
//! Eviction changes no view: a vehicle leaves only when the store holds its state (clean since a checkpoint that is
//! committed), and comes back with that state when its next fix does. When it leaves follows from the time of the
//! journal, not from a clock.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use model::{Timestamp, VehicleId};
use rules::{Approaches, State};

use crate::memory::Late;
use crate::recent::Recent;

/// A vehicle without a fix for this long leaves memory.
pub(crate) const IDLE_US: i64 = 10 * 60 * 1_000_000;
/// How often, in the time of the journal, it is looked who is idle.
const SWEEP_US: i64 = 60 * 1_000_000;

pub(crate) struct Resident {
    pub(crate) vehicle: VehicleId,
    /// Its place among those that the batch at hand touches; stale in every other batch.
    pub(crate) turn: u32,
    /// Changed since the last cut.
    is_dirty: bool,
    /// The last cut at which it had changed; 0 for none.
    cut: u32,
    pub(crate) state: State,
    pub(crate) recent: Recent,
    /// Rule state before the first fix since the last cut, with the time up to which it had judged.
    pub(crate) segment_start: Option<(Timestamp, Vec<u8>)>,
    /// Received time of the envelope with its last fix.
    seen: Timestamp,
    /// Event time of the latest fix, judged or waiting to be.
    pub(crate) newest: Timestamp,
    /// The forbidden zones that it nears.
    pub(crate) approaches: Approaches,
    /// What late fixes left behind.
    pub(crate) late: Option<Box<Late>>,
}

impl Resident {
    fn new(vehicle: VehicleId, state: State, seen: Timestamp) -> Self {
        let newest = state.judged_to();
        Self {
            vehicle,
            turn: 0,
            is_dirty: false,
            cut: 0,
            state,
            recent: Recent::default(),
            segment_start: None,
            seen,
            newest,
            approaches: Approaches::default(),
            late: None,
        }
    }

    pub(crate) fn late(&mut self) -> &mut Late {
        self.late.get_or_insert_default()
    }

    pub(crate) fn is_in_flight(&self) -> bool {
        self.late.as_ref().is_some_and(|late| late.in_flight)
    }

    fn may_leave(&self) -> bool {
        !self.late.as_ref().is_some_and(|late| late.is_waiting())
    }
}

/// Numbers are spread already or are spread by one multiplication; nobody outside chooses them.
#[derive(Default)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        let wide = u128::from(self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        self.0 = (wide as u64) ^ ((wide >> 64) as u64);
    }
}

/// Those in memory, by a number that holds until the next sweep.
pub(crate) struct Residents {
    numbers: HashMap<VehicleId, u32, BuildHasherDefault<NumberHasher>>,
    all: Vec<Resident>,
    dirty: Vec<u32>,
    now: Timestamp,
    swept: Timestamp,
    idle_us: i64,
    cuts: u32,
}

impl Residents {
    pub(crate) fn new(idle_us: i64) -> Self {
        Self {
            numbers: HashMap::default(),
            all: Vec::new(),
            dirty: Vec::new(),
            now: Timestamp::MIN,
            swept: Timestamp::MIN,
            idle_us,
            cuts: 0,
        }
    }

    /// The time of the journal is this late.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        if self.swept == Timestamp::MIN {
            self.swept = now;
        }
        self.now = self.now.max(now);
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn number(&self, vehicle: VehicleId) -> Option<u32> {
        self.numbers.get(&vehicle).copied()
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Resident> {
        self.all.get(number as usize)
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut Resident> {
        self.all.get_mut(number as usize)
    }

    /// Takes in a vehicle that is not here.
    pub(crate) fn insert(&mut self, vehicle: VehicleId, state: State) -> u32 {
        let number = self.all.len() as u32;
        self.all.push(Resident::new(vehicle, state, self.now));
        self.numbers.insert(vehicle, number);
        number
    }

    /// Notes that what is kept of the vehicle has changed, without a new fix.
    pub(crate) fn change(&mut self, number: u32) -> Option<&mut Resident> {
        let resident = self.all.get_mut(number as usize)?;
        if !std::mem::replace(&mut resident.is_dirty, true) {
            self.dirty.push(number);
        }
        Some(resident)
    }

    /// Every vehicle, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Resident)> {
        (0..).zip(&self.all)
    }

    /// Notes that the vehicle has a new fix.
    pub(crate) fn touch(&mut self, number: u32) -> Option<&mut Resident> {
        let resident = self.all.get_mut(number as usize)?;
        resident.seen = self.now;
        if !std::mem::replace(&mut resident.is_dirty, true) {
            resident.segment_start = Some((resident.state.judged_to(), resident.state.encode()));
            self.dirty.push(number);
        }
        Some(resident)
    }

    /// A cut: calls `take` with every vehicle that changed since the last one, in the order in which they did.
    pub(crate) fn cut(&mut self, mut take: impl FnMut(&mut Resident)) {
        self.cuts += 1;
        for number in self.dirty.drain(..) {
            if let Some(resident) = self.all.get_mut(number as usize) {
                resident.is_dirty = false;
                resident.cut = self.cuts;
                take(resident);
            }
        }
    }

    /// Lets go who was idle for long, and says whether anybody was. To be called right after a cut: whoever had not
    /// changed by then is in the store, because every earlier checkpoint is committed. Numbers change.
    pub(crate) fn sweep(&mut self) -> bool {
        if self.now.since_us(self.swept) < SWEEP_US.min(self.idle_us) {
            return false;
        }
        self.swept = self.now;
        let before = self.all.len();
        let (now, idle_us, cuts) = (self.now, self.idle_us, self.cuts);
        self.all
            .retain(|resident| now.since_us(resident.seen) < idle_us || resident.cut == cuts || !resident.may_leave());
        if self.all.len() == before {
            return false;
        }
        self.numbers.clear();
        if self.all.capacity() / 4 > self.all.len() {
            self.all.shrink_to(self.all.len() * 2);
            self.numbers.shrink_to(self.all.len() * 2);
            self.dirty.shrink_to(self.all.len() * 2);
        }
        self.numbers.extend(self.all.iter().zip(0..).map(|(resident, number)| (resident.vehicle, number)));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(residents: &Residents) -> Vec<u64> {
        residents.all.iter().map(|resident| resident.vehicle.0).collect()
    }

    #[test]
    fn who_is_idle_leaves_when_the_store_has_it() {
        let mut all = Residents::new(IDLE_US);
        all.advance(Timestamp(0));
        for vehicle in 0..100 {
            let number = all.insert(VehicleId(vehicle), State::default());
            assert!(all.touch(number).is_some());
        }
        all.advance(Timestamp(IDLE_US));
        let mut changed = 0;
        all.cut(|_| changed += 1);
        assert!(!all.sweep(), "nobody is in a committed checkpoint yet");
        assert_eq!(changed, 100);
        let number = all.number(VehicleId(7)).expect("here");
        all.advance(Timestamp(2 * IDLE_US));
        assert!(all.touch(number).is_some_and(|resident| resident.segment_start.is_some()));
        all.cut(|resident| assert_eq!(resident.vehicle, VehicleId(7)));
        assert!(all.sweep());
        assert_eq!(numbers(&all), [7]);
        assert_eq!((all.number(VehicleId(7)), all.number(VehicleId(8))), (Some(0), None));
        assert!(all.all.capacity() < 100 && all.numbers.capacity() < 100, "room is given back");
    }
}
