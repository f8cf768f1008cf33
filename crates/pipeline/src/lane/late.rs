//! How a lane has vehicles judged again beside it, and takes in what came of it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use model::VehicleId;
use rules::Zones;
use store::{FactRow, Writes};

use super::live::{Place, context, take};
use super::{Gone, Judging, Lane};
use crate::again::{Again, Anew, Reach};
use crate::dispatch::lane_of;
use crate::memory::{Deferred, Order};
use crate::rejudge::{Course, Job, Outcome};

/// So many sets of zones are kept at most for what is still to be judged again; then the lane waits.
const ZONES_MAX: usize = 8;

impl Lane {
    /// Waits when orders that are not carried out yet hold on to many sets of zones.
    pub(super) fn bound_zones(&mut self, judging: &Judging) -> Result<(), Gone> {
        let is_known = |zones: &Weak<Zones>| std::ptr::eq(zones.as_ptr(), Arc::as_ptr(&judging.zones));
        if self.zones.last().is_some_and(is_known) {
            return Ok(());
        }
        self.zones.retain(|zones| zones.strong_count() > 0);
        self.zones.push(Arc::downgrade(&judging.zones));
        if self.zones.len() > ZONES_MAX { self.finish() } else { Ok(()) }
    }

    /// Has everybody judged again whom the change of an envelope may concern.
    pub(super) fn rejudge_all(&mut self, again: &Again, judging: &Arc<Judging>, seq: u64) {
        let (index, lanes) = (self.index, self.lanes);
        let is_mine = |vehicle: &VehicleId| lane_of(*vehicle, lanes) == index;
        if let Some(reach) = &again.near {
            let from = reach.from;
            if self.tools.has_states {
                let stored = self.patiently(|store| async move { store.vehicles_judged_to(from).await });
                self.load(stored.into_iter().filter(is_mine).collect());
            }
            let beyond = self.residents.iter().filter(|(_, resident)| resident.newest >= from);
            for vehicle in beyond.map(|(_, resident)| resident.vehicle).collect::<Vec<_>>() {
                self.rejudge(vehicle, judging, seq, Some(reach.clone()));
            }
        }
        let anew: Vec<Anew> = again.vehicles.iter().copied().filter(|anew| is_mine(&anew.vehicle)).collect();
        self.load(anew.iter().map(|anew| anew.vehicle).collect());
        for Anew { vehicle, from, newest } in anew {
            let number = self.residents.number(vehicle);
            if let Some(resident) = number.and_then(|number| self.residents.get_mut(number)) {
                resident.newest = resident.newest.max(newest);
                if resident.newest < from {
                    // It has not come to that yet.
                    continue;
                }
            }
            self.rejudge(vehicle, judging, seq, Some(Arc::new(Reach::everywhere(from))));
        }
    }

    /// Has a vehicle judged again as of this envelope: where fixes came late, and what is judged otherwise.
    pub(super) fn rejudge(&mut self, vehicle: VehicleId, judging: &Arc<Judging>, seq: u64, reach: Option<Arc<Reach>>) {
        self.waiting.remove(&vehicle);
        let Some(number) = self.residents.number(vehicle) else { return };
        let Some(resident) = self.residents.change(number) else { return };
        let newest = resident.newest;
        let late = resident.late();
        late.count = 0;
        let span = late.span.take();
        if span.is_none() && reach.is_none() {
            return;
        }
        self.tools.shared.rejudging.fetch_add(1, Ordering::Relaxed);
        let order = Order { seq, received: self.received, judging: judging.clone(), late: span, reach, newest };
        if late.in_flight {
            self.deferred += 1;
            late.deferred.push_back(Deferred::Rejudge(order));
        } else {
            self.start(number, order);
        }
    }

    fn start(&mut self, number: u32, order: Order) {
        let Some(resident) = self.residents.get_mut(number) else { return };
        let (vehicle, state) = (resident.vehicle, resident.state.clone());
        let late = resident.late();
        late.in_flight = true;
        let voids = late.voids.iter().chain(&late.voids_before).copied().collect();
        let job = Job { vehicle, order, state, anchors: late.anchors.clone(), voids };
        self.in_flight += 1;
        self.jobs.push(job);
    }

    /// Takes in who has been judged again by now.
    pub(super) fn collect(&mut self) -> Result<(), Gone> {
        let mut writes = Writes::default();
        while self.in_flight > 0
            && let Ok(outcome) = self.outcomes.try_recv()
        {
            self.take(outcome, &mut writes);
        }
        self.tell_writes(writes)
    }

    /// Waits until everybody has been judged again.
    pub(super) fn finish(&mut self) -> Result<(), Gone> {
        let mut writes = Writes::default();
        while self.in_flight > 0 {
            self.tell_writes(std::mem::take(&mut writes))?;
            let outcome = self.outcomes.recv().map_err(|_| Gone)?;
            self.take(outcome, &mut writes);
        }
        self.tell_writes(writes)
    }

    fn take(&mut self, outcome: Outcome, writes: &mut Writes) {
        self.in_flight -= 1;
        self.tools.shared.rejudging.fetch_sub(1, Ordering::Relaxed);
        let Outcome { vehicle, course } = outcome;
        let Some(number) = self.residents.number(vehicle) else { return };
        let Some(resident) = self.residents.change(number) else { return };
        resident.late().in_flight = false;
        // A reader may have gone beyond the last envelope already.
        let changed = self.passed + 1;
        let Some(Course { state, rows, known, anchors, void }) = course else {
            return self.go_on(number, changed, writes);
        };
        if let Some(state) = state {
            resident.state = state;
        }
        resident.segment_start.take_if(|(judged_to, _)| void.from <= *judged_to && *judged_to < void.to);
        let late = resident.late();
        late.void(void, anchors);
        late.known = known;
        for row in rows {
            self.tools.metrics.facts.with_label_values(&[&row.fact.kind.to_string()]).inc();
            writes.facts.push(FactRow { changed, ..row });
        }
        self.go_on(number, changed, writes);
    }

    /// Takes up what waited until the vehicle was judged again.
    fn go_on(&mut self, number: u32, changed: u64, writes: &mut Writes) {
        let order = loop {
            let Some(resident) = self.residents.get_mut(number) else { return };
            let Some(late) = resident.late.as_deref_mut() else { return };
            match late.deferred.pop_front() {
                None => return,
                Some(Deferred::Rejudge(order)) => {
                    self.deferred -= 1;
                    break order;
                }
                Some(Deferred::Step { seq, judging, fix }) => {
                    self.deferred -= 1;
                    let context = context(resident.vehicle, &judging);
                    let place = Place { metrics: &self.tools.metrics, judging: &judging, seq, changed };
                    take(&context, &place, resident, &fix, (&mut self.facts, writes));
                }
            }
        };
        self.start(number, order);
    }
}
