//! Hot memory: per lane the fixes that no checkpoint has taken yet, coded as they will lie in the segment. Nothing
//! else stays here, so idle vehicles cost nothing.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use model::{Fix, Timestamp, VehicleId};
use parking_lot::Mutex;

use crate::chunk::bcd::Calendar;
use crate::segment::row::Strand;
use crate::segment::{self, strand};
use crate::{LastPosition, StoreError};

/// A strand is closed and the next one begun beyond this, bytes.
const STRAND_LEN: usize = 32 * 1024;

/// Fixes that are pushed together.
const TOGETHER: usize = 16;

/// Ids are numbers of our own making: spreading them is enough.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, value: u64) {
        // The table takes its place from the low bits and its tag from the high ones.
        self.0 = segment::spread(self.0 ^ value).rotate_left(20);
    }
}

/// The fixes of one lane between two cuts.
#[derive(Default)]
pub(crate) struct Buffer {
    places: HashMap<VehicleId, u32, BuildHasherDefault<IdHasher>>,
    vehicles: Vec<Vehicle>,
    calendar: Calendar,
    count: usize,
}

/// One vehicle in one buffer.
struct Vehicle {
    id: VehicleId,
    start: Timestamp,
    stop: Timestamp,
    strand: strand::Encoder,
    /// Strands before, closed because they were long.
    closed: Vec<(usize, Vec<u8>)>,
    /// The last position, where it is not the last fix.
    best: Option<Box<Fix>>,
}

impl Vehicle {
    fn new(id: VehicleId) -> Self {
        let strand = strand::Encoder::default();
        Self { id, start: Timestamp::MAX, stop: Timestamp::MIN, strand, closed: Vec::new(), best: None }
    }

    fn push(&mut self, fix: Fix, calendar: &mut Calendar) {
        self.start = self.start.min(fix.time);
        self.stop = self.stop.max(fix.time);
        let rank = |fix: &Fix| (fix.time, fix.source);
        let best = self.best.as_deref().or_else(|| (self.strand.count() > 0).then(|| self.strand.last()));
        match best.filter(|best| best.is_judgeable()) {
            Some(best) if !fix.is_judgeable() || rank(&fix) <= rank(best) => {
                if self.best.is_none() {
                    self.best = Some(Box::new(best.clone()));
                }
            }
            _ => self.best = None,
        }
        if self.strand.bytes().len() > STRAND_LEN {
            let full = std::mem::take(&mut self.strand);
            self.closed.push((full.count(), full.finish()));
        }
        self.strand.push(fix, calendar);
    }

    fn strands(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let closed = self.closed.iter().map(|(count, bytes)| (*count, bytes.as_slice()));
        closed.chain([(self.strand.count(), self.strand.bytes())])
    }

    fn last(&self) -> Option<LastPosition> {
        LastPosition::of(self.best.as_deref().unwrap_or_else(|| self.strand.last()))
    }
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
    /// An empty one with room for as many vehicles as the one before had.
    fn like(other: &Self) -> Self {
        let count = other.vehicles.len();
        Self {
            places: HashMap::with_capacity_and_hasher(count, BuildHasherDefault::default()),
            vehicles: Vec::with_capacity(count),
            ..Self::default()
        }
    }

    /// A few fixes at a time: what they need of memory is fetched for all of them at once, not for one after the other.
    fn push(&mut self, fixes: Vec<(VehicleId, Fix)>) {
        self.count += fixes.len();
        let mut fixes = fixes.into_iter();
        let mut places = [0; TOGETHER];
        while fixes.len() > 0 {
            let mut touched = 0;
            for ((vehicle, _), place) in fixes.as_slice().iter().zip(&mut places) {
                *place = self.place(*vehicle);
                touched ^= self.vehicles.get(*place).map_or(0, |v| v.strand.touch());
            }
            std::hint::black_box(touched);
            for ((_, fix), place) in fixes.by_ref().take(TOGETHER).zip(places) {
                if let Some(entry) = self.vehicles.get_mut(place) {
                    entry.push(fix, &mut self.calendar);
                }
            }
        }
    }

    fn place(&mut self, vehicle: VehicleId) -> usize {
        let next = self.vehicles.len();
        let place = *self.places.entry(vehicle).or_insert(next as u32) as usize;
        if place == next {
            self.vehicles.push(Vehicle::new(vehicle));
        }
        place
    }

    fn get(&self, vehicle: VehicleId) -> Option<&Vehicle> {
        self.places.get(&vehicle).and_then(|place| self.vehicles.get(*place as usize))
    }

    /// The strands, in the order in which the vehicles came.
    pub(crate) fn strands(&self) -> impl Iterator<Item = Strand<'_>> {
        self.vehicles.iter().flat_map(|v| {
            v.strands().map(|(count, bytes)| Strand { vehicle: v.id, start: v.start, stop: v.stop, count, bytes })
        })
    }

    /// The last positions by vehicle.
    pub(crate) fn last_positions(&self) -> impl Iterator<Item = (VehicleId, LastPosition)> {
        self.vehicles.iter().filter_map(|v| v.last().map(|last| (v.id, last)))
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
        lane.current.push(fixes);
    }

    pub(crate) fn cut(&self, lane: usize) {
        let mut lane = self.lane(lane).lock();
        let next = Buffer::like(&lane.current);
        let current = std::mem::replace(&mut lane.current, next);
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
        lane.flushing.iter().map(AsRef::as_ref).chain([&lane.current]).filter_map(move |b| b.get(vehicle))
    }

    /// The fixes of a vehicle with `from` <= time < `to`, in no order.
    ///
    /// # Errors
    /// `Corrupt` when memory has changed under us.
    pub(crate) fn fixes(&self, vehicle: VehicleId, from: Timestamp, to: Timestamp) -> Result<Vec<Fix>, StoreError> {
        let mut strands: Vec<(usize, Vec<u8>)> = Vec::new();
        for lane in &self.lanes {
            let lane = lane.lock();
            for entry in Self::each(&lane, vehicle).filter(|v| v.start < to && v.stop >= from) {
                strands.extend(entry.strands().map(|(count, bytes)| (count, bytes.to_vec())));
            }
        }
        let mut found = Vec::new();
        for (count, bytes) in strands {
            let fixes = strand::decode(&bytes, count).map_err(|why| StoreError::corrupt("hot memory", why))?;
            found.extend(fixes.into_iter().filter(|f| f.time >= from && f.time < to));
        }
        Ok(found)
    }

    /// The first and the latest event time of a vehicle's fixes.
    pub(crate) fn track_span(&self, vehicle: VehicleId) -> Option<(Timestamp, Timestamp)> {
        let both = |a: (Timestamp, Timestamp), b: (Timestamp, Timestamp)| (a.0.min(b.0), a.1.max(b.1));
        let of =
            |lane: &Mutex<Lane>| Self::each(&lane.lock(), vehicle).map(|entry| (entry.start, entry.stop)).reduce(both);
        self.lanes.iter().filter_map(of).reduce(both)
    }

    /// Where these vehicles were last, as far as the hot memory knows.
    pub(crate) fn last_positions(&self, vehicles: &[VehicleId]) -> Vec<Option<LastPosition>> {
        let mut found = vec![None; vehicles.len()];
        for lane in &self.lanes {
            let lane = lane.lock();
            for (vehicle, found) in vehicles.iter().zip(&mut found) {
                *found = Self::each(&lane, *vehicle).fold(*found, |last, entry| later(last, entry.last()));
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
                all.extend(buffer.vehicles.iter().map(|v| v.id));
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
