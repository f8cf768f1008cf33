//! Hot memory: per lane the fixes that no checkpoint has taken yet. Nothing else stays here, so idle vehicles cost
//! nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Fix, Timestamp, VehicleId};
use parking_lot::Mutex;

use crate::LastPosition;

/// The fixes of one lane between two cuts.
#[derive(Default)]
pub(crate) struct Buffer {
    vehicles: BTreeMap<VehicleId, Vehicle>,
    count: usize,
}

#[derive(Default)]
struct Vehicle {
    fixes: Vec<Fix>,
    last: Option<LastPosition>,
}

#[derive(Default)]
struct Lane {
    current: Buffer,
    /// Cut, and not yet in the database; oldest first.
    flushing: Vec<Arc<Buffer>>,
}

/// All lanes.
pub(crate) struct Hot {
    lanes: Vec<Mutex<Lane>>,
}

/// What a checkpoint takes: the buffers, and how many of each lane they are.
pub(crate) struct Cut {
    pub(crate) buffers: Vec<Arc<Buffer>>,
    taken: Vec<usize>,
}

impl Buffer {
    fn push(&mut self, vehicle: VehicleId, fix: Fix) {
        let entry = self.vehicles.entry(vehicle).or_default();
        entry.last = later(entry.last, LastPosition::of(&fix));
        entry.fixes.push(fix);
        self.count += 1;
    }

    /// The fixes by vehicle.
    pub(crate) fn vehicles(&self) -> impl Iterator<Item = (VehicleId, &[Fix])> {
        self.vehicles.iter().map(|(id, v)| (*id, v.fixes.as_slice()))
    }

    /// The last positions by vehicle.
    pub(crate) fn last_positions(&self) -> impl Iterator<Item = (VehicleId, LastPosition)> {
        self.vehicles.iter().filter_map(|(id, v)| v.last.map(|last| (*id, last)))
    }
}

/// The later of two positions, in the order that every copy of the store agrees on.
pub(crate) fn later(a: Option<LastPosition>, b: Option<LastPosition>) -> Option<LastPosition> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.rank() > a.rank() { b } else { a }),
        (a, b) => a.or(b),
    }
}

impl Hot {
    pub(crate) fn new(lanes: usize) -> Self {
        Self { lanes: (0..lanes.max(1)).map(|_| Mutex::default()).collect() }
    }

    fn lane(&self, lane: usize) -> &Mutex<Lane> {
        &self.lanes[lane % self.lanes.len()]
    }

    pub(crate) fn push(&self, lane: usize, fixes: Vec<(VehicleId, Fix)>) {
        let mut lane = self.lane(lane).lock();
        fixes.into_iter().for_each(|(vehicle, fix)| lane.current.push(vehicle, fix));
    }

    pub(crate) fn cut(&self, lane: usize) {
        let mut lane = self.lane(lane).lock();
        let current = std::mem::take(&mut lane.current);
        if current.count > 0 {
            lane.flushing.push(Arc::new(current));
        }
    }

    /// Everything that was cut. It stays readable until [`Hot::release`].
    pub(crate) fn flushing(&self) -> Cut {
        let mut cut = Cut { buffers: Vec::new(), taken: Vec::with_capacity(self.lanes.len()) };
        for lane in &self.lanes {
            let lane = lane.lock();
            cut.buffers.extend(lane.flushing.iter().cloned());
            cut.taken.push(lane.flushing.len());
        }
        cut
    }

    /// Drops what the database now has. Checkpoints do not overlap, so that the taken buffers are still the oldest.
    pub(crate) fn release(&self, cut: &Cut) {
        for (lane, taken) in self.lanes.iter().zip(&cut.taken) {
            let mut lane = lane.lock();
            let taken = (*taken).min(lane.flushing.len());
            lane.flushing.drain(..taken);
        }
    }

    fn each(lane: &Lane, vehicle: VehicleId) -> impl Iterator<Item = &Vehicle> {
        lane.flushing.iter().map(AsRef::as_ref).chain([&lane.current]).filter_map(move |b| b.vehicles.get(&vehicle))
    }

    /// The fixes of a vehicle with `from` <= time < `to`, in no order.
    pub(crate) fn fixes(&self, vehicle: VehicleId, from: Timestamp, to: Timestamp) -> Vec<Fix> {
        let mut found = Vec::new();
        for lane in &self.lanes {
            let lane = lane.lock();
            for entry in Self::each(&lane, vehicle) {
                found.extend(entry.fixes.iter().filter(|f| f.time >= from && f.time < to).cloned());
            }
        }
        found
    }

    /// Where these vehicles were last, as far as the hot memory knows.
    pub(crate) fn last_positions(&self, vehicles: &[VehicleId]) -> Vec<Option<LastPosition>> {
        let mut found = vec![None; vehicles.len()];
        for lane in &self.lanes {
            let lane = lane.lock();
            for (vehicle, found) in vehicles.iter().zip(&mut found) {
                *found = Self::each(&lane, *vehicle).fold(*found, |last, entry| later(last, entry.last));
            }
        }
        found
    }

    /// All vehicles that have fixes here, sorted.
    pub(crate) fn vehicles(&self) -> Vec<VehicleId> {
        let mut all = Vec::new();
        for lane in &self.lanes {
            let lane = lane.lock();
            for buffer in lane.flushing.iter().map(AsRef::as_ref).chain([&lane.current]) {
                all.extend(buffer.vehicles.keys().copied());
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// How many fixes are here.
    pub(crate) fn count(&self) -> usize {
        let of = |lane: &Lane| lane.current.count + lane.flushing.iter().map(|b| b.count).sum::<usize>();
        self.lanes.iter().map(|lane| of(&lane.lock())).sum()
    }
}
