//! One batch of fixes, vehicle after vehicle: what is judged at once, what is late, what is repeated.

use std::sync::Arc;

use model::{Fact, Fix, LivePosition, VehicleId};
use rules::Context;
use store::{FactRow, Writes};

use super::{END, Judging, Lane, Placed, Touched};
use crate::effects::{cab_text, is_fresh, warning_text};
use crate::memory::{Deferred, Late, Span};
use crate::metrics::Metrics;
use crate::residents::Resident;

/// What is counted in a batch, and told to the metrics once.
#[derive(Default)]
struct Tally {
    late: u64,
    unjudgeable: u64,
    repeated: u64,
}

/// What the facts of a fix are written with.
pub(super) struct Place<'a> {
    pub(super) metrics: &'a Metrics,
    pub(super) judging: &'a Judging,
    /// Envelope of the fix.
    pub(super) seq: u64,
    /// Envelope that the views are told of next.
    pub(super) changed: u64,
}

impl Lane {
    /// Chains the fixes of each vehicle, in journal order.
    pub(super) fn chain(&mut self, fixes: &[Placed]) {
        self.touched.clear();
        self.next.clear();
        self.next.resize(fixes.len(), END);
        for ((vehicle, fix), at) in fixes.iter().zip(0_u32..) {
            let Some(number) = self.residents.number(*vehicle) else { continue };
            let Some(resident) = self.residents.get_mut(number) else { continue };
            let turn = self.touched.get_mut(resident.turn as usize).filter(|turn| turn.resident == number);
            let Some(turn) = turn else {
                resident.turn = self.touched.len() as u32;
                self.touched.push(Touched { resident: number, first: at, last: at, in_order: true });
                continue;
            };
            let before = fixes.get(turn.last as usize);
            turn.in_order &= before.is_some_and(|(_, before)| before.time < fix.time);
            if let Some(next) = self.next.get_mut(turn.last as usize) {
                *next = at;
            }
            turn.last = at;
        }
    }

    /// Judges the batch, vehicle after vehicle; notes what is repeated.
    pub(super) fn judge(&mut self, judging: &Arc<Judging>, seq: u64, fixes: &[Placed], writes: &mut Writes) {
        let mut tally = Tally::default();
        let mut live = Vec::with_capacity(self.touched.len());
        self.repeated.clear();
        for touched in &self.touched {
            self.sorted.clear();
            let chain = std::iter::successors(Some(touched.first), |at| self.next.get(*at as usize).copied());
            self.sorted.extend(chain.take_while(|at| *at != END));
            let fix = |at: u32| fixes.get(at as usize).map(|(_, fix)| fix);
            if !touched.in_order {
                self.sorted.sort_by(|a, b| match (fix(*a), fix(*b)) {
                    (Some(a), Some(b)) => a.track_order(b),
                    _ => std::cmp::Ordering::Equal,
                });
            }
            let Some(resident) = self.residents.touch(touched.resident) else { continue };
            let vehicle = resident.vehicle;
            let context = context(vehicle, judging);
            let place = Place { metrics: &self.tools.metrics, judging, seq, changed: seq };
            let mut latest = None;
            for at in &self.sorted {
                let Some(fix) = fix(*at) else { continue };
                let is_young = fix.is_judgeable() && fix.time > resident.newest;
                let is_late = fix.is_judgeable() && !is_young;
                if is_late {
                    resident.late().count += 1;
                    self.waiting.insert(vehicle);
                }
                // Salvaged: it came before this envelope, and so perhaps before the one like it that is remembered.
                let is_salvaged = fix.source.position.seq < seq;
                if resident.recent.is_repeated(&self.fingerprint, fix, is_young || is_salvaged) {
                    tally.repeated += 1;
                    self.repeated.push(*at);
                    continue;
                }
                if !fix.is_judgeable() {
                    tally.unjudgeable += 1;
                    continue;
                }
                latest = Some(fix);
                if is_late {
                    tally.late += 1;
                    if fix.time < resident.newest {
                        self.overtaken.push(*at);
                    }
                    let late = resident.late();
                    late.span = Some(Span::with(late.span, fix.time));
                    continue;
                }
                resident.newest = fix.time;
                if resident.is_in_flight() {
                    self.deferred += 1;
                    let (judging, fix) = (judging.clone(), Box::new(fix.clone()));
                    resident.late().deferred.push_back(Deferred::Step { seq, judging, fix });
                    continue;
                }
                take(&context, &place, resident, fix, (&mut self.facts, writes));
            }
            live.extend(latest.map(|fix| live_position(vehicle, fix)));
        }
        self.tools.shared.live.push(live);
        self.tools.metrics.late.inc_by(tally.late);
        self.tools.metrics.unjudgeable.inc_by(tally.unjudgeable);
        self.tools.metrics.duplicates.inc_by(tally.repeated);
    }

    /// The track need not hear of a report twice.
    pub(super) fn drop_repeated(&mut self, fixes: &mut Vec<Placed>) {
        if self.repeated.is_empty() {
            return;
        }
        self.repeated.sort_unstable();
        let mut repeated = self.repeated.iter().copied().peekable();
        let mut at = 0;
        fixes.retain(|_| {
            let is_repeated = repeated.next_if_eq(&at).is_some();
            at += 1;
            !is_repeated
        });
    }
}

pub(super) fn context(vehicle: VehicleId, judging: &Judging) -> Context<'_> {
    Context { vehicle, zones: &judging.zones, registry: &judging.registry }
}

/// Judges a fix that came in order, and warns who nears what is forbidden to him.
pub(super) fn take(
    context: &Context<'_>,
    place: &Place<'_>,
    resident: &mut Resident,
    fix: &Fix,
    (facts, writes): (&mut Vec<Fact>, &mut Writes),
) {
    rules::step(context, &mut resident.state, fix, facts);
    if !facts.is_empty() {
        write(place, fix, resident.late.as_deref_mut(), facts.drain(..), writes);
    }
    if is_fresh(fix, fix.time)
        && let Some(warning) = resident.approaches.step(context, fix)
        && let Some(zone) = place.judging.registry.zone_at_revision(warning.zone, warning.revision)
    {
        writes.effects.push(warning_text(resident.vehicle, zone, &warning, fix));
    }
}

/// Makes rows and effects of facts that a fix brought about.
fn write(
    place: &Place<'_>,
    fix: &Fix,
    mut late: Option<&mut Late>,
    facts: impl Iterator<Item = Fact>,
    writes: &mut Writes,
) {
    for mut fact in facts {
        place.metrics.facts.with_label_values(&[&fact.kind.to_string()]).inc();
        let mut case_state = store::CaseState::Raised;
        let known = late.as_mut().and_then(|late| late.known.iter_mut().find(|known| known.id == fact.id));
        if let Some(known) = known {
            known.stand();
            (fact.revision, case_state) = (known.revision, known.case_state);
        }
        let zone = place.judging.registry.zone_at_revision(fact.zone, fact.zone_revision);
        writes.effects.extend(cab_text(&fact, zone.map(|zone| &**zone), fix));
        let carrier = place.judging.registry.owner(fact.vehicle);
        let (changed, as_of) = (place.changed, place.seq);
        let raised_at = fix.received;
        writes.facts.push(FactRow { fact, carrier, changed, case_state, as_of, superseded_by: None, raised_at });
    }
}

fn live_position(vehicle: VehicleId, fix: &Fix) -> LivePosition {
    LivePosition {
        vehicle,
        time: fix.time,
        lon: fix.lon(),
        lat: fix.lat(),
        speed_dkmh: fix.speed_dkmh,
        direction_deg: fix.direction_deg,
    }
}
