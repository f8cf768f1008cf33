//! A lane: the vehicles whose number falls to it, each with its rule state, in journal order.
//!
//! Judgement is one loop: take the stored state, step it over the fixes that come after it. Live is the case in
//! which nothing is late. A fix that is late is in its place in the track, and is not judged here.

use std::sync::Arc;

use model::{Fact, Fix, LivePosition, Registry, Timestamp, VehicleId};
use rules::{Context, State, Zones};
use store::{FactRow, Store, VehicleState, Writes};
use tokio::sync::mpsc::Sender;

use crate::effects::cab_text;
use crate::metrics::Metrics;
use crate::recent::Fingerprint;
use crate::residents::Residents;
use crate::views::{Patience, Shared, ToViews};

/// What a lane judges by: the registry and the zones in force at a place in the journal.
pub(crate) struct Judging {
    pub registry: Arc<Registry>,
    pub zones: Arc<Zones>,
}

/// A fix with the vehicle that it is about.
pub(crate) type Placed = (VehicleId, Fix);

/// What the dispatcher sends to a lane.
pub(crate) enum ToLane {
    /// The fixes of one envelope that fall to this lane, in journal order. Sent to every lane, even if empty.
    Batch { judging: Arc<Judging>, seq: u64, received: Timestamp, fixes: Vec<Placed> },
    /// Everything up to here belongs to the checkpoint.
    Cut,
}

/// What a lane works with.
pub(crate) struct Tools {
    pub store: Store,
    pub runtime: tokio::runtime::Handle,
    pub metrics: Metrics,
    pub shared: Arc<Shared>,
    pub views: Sender<ToViews>,
    /// Whether the store may hold states of vehicles: of an empty one nobody asks for them.
    pub has_states: bool,
    /// A vehicle without a fix for this long leaves memory, microseconds.
    pub idle_us: i64,
}

pub(crate) struct Lane {
    index: usize,
    tools: Tools,
    residents: Residents,
    fingerprint: Fingerprint,
    // Kept between batches, so that a batch allocates nothing.
    touched: Vec<Touched>,
    /// For each fix of the batch the next one of the same vehicle; [`END`] for the last.
    next: Vec<u32>,
    sorted: Vec<u32>,
    repeated: Vec<u32>,
    facts: Vec<Fact>,
}

/// A vehicle with fixes in the batch at hand, as a chain through [`Lane::next`].
struct Touched {
    resident: u32,
    first: u32,
    last: u32,
    in_order: bool,
}

/// The end of a chain.
const END: u32 = u32::MAX;

/// What is counted in a batch, and told to the metrics once.
#[derive(Default)]
struct Tally {
    late: u64,
    unjudgeable: u64,
    repeated: u64,
}

impl Lane {
    pub(crate) fn new(index: usize, tools: Tools) -> Self {
        Self {
            index,
            residents: Residents::new(tools.idle_us),
            tools,
            fingerprint: Fingerprint::default(),
            touched: Vec::new(),
            next: Vec::new(),
            sorted: Vec::new(),
            repeated: Vec::new(),
            facts: Vec::new(),
        }
    }

    pub(crate) fn run(mut self, input: &std::sync::mpsc::Receiver<ToLane>) {
        for message in input {
            let outcome = match message {
                ToLane::Batch { judging, seq, received, fixes } => self.batch(&judging, seq, received, fixes),
                ToLane::Cut => self.cut(),
            };
            if self.tools.views.blocking_send(outcome).is_err() {
                return;
            }
        }
    }

    fn batch(&mut self, judging: &Judging, seq: u64, received: Timestamp, mut fixes: Vec<Placed>) -> ToViews {
        self.residents.advance(received);
        let mut writes = Writes::default();
        if !fixes.is_empty() {
            self.load(&fixes);
            self.chain(&fixes);
            self.judge(judging, seq, &fixes, &mut writes);
            self.drop_repeated(&mut fixes);
            self.tools.metrics.fixes.inc_by(fixes.len() as u64);
            self.tools.store.push_fixes(self.index, fixes);
        }
        ToViews::Applied { source: self.index, seq, writes }
    }

    /// Brings the rule states of vehicles back from the store.
    fn load(&mut self, fixes: &[Placed]) {
        let absent =
            fixes.iter().map(|(vehicle, _)| *vehicle).filter(|vehicle| self.residents.number(*vehicle).is_none());
        let mut missing: Vec<_> = absent.collect();
        if missing.is_empty() {
            return;
        }
        missing.sort_unstable();
        missing.dedup();
        if self.tools.has_states {
            for row in self.stored_states(&missing) {
                let state = State::decode(&row.state).unwrap_or_else(|error| {
                    tracing::error!(vehicle = %row.vehicle, error = %model::Chain(&error), "rule state cannot be read; judging it from now on");
                    State::default()
                });
                self.residents.insert(row.vehicle, state);
            }
        }
        for vehicle in missing {
            if self.residents.number(vehicle).is_none() {
                self.residents.insert(vehicle, State::default());
            }
        }
        self.tell_residents();
    }

    fn stored_states(&self, vehicles: &[VehicleId]) -> Vec<VehicleState> {
        let mut patience = Patience::new();
        loop {
            match self.tools.runtime.block_on(self.tools.store.vehicle_states(vehicles)) {
                Ok(rows) => return rows,
                Err(error) => {
                    tracing::error!(error = %model::Chain(&error), "cannot read rule states; trying again");
                    self.tools.metrics.store_errors.inc();
                    std::thread::sleep(patience.next());
                }
            }
        }
    }

    fn tell_residents(&self) {
        self.tools.metrics.resident_vehicles.set(i64::try_from(self.residents.len()).unwrap_or(i64::MAX));
    }

    /// Chains the fixes of each vehicle, in journal order.
    fn chain(&mut self, fixes: &[Placed]) {
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
    fn judge(&mut self, judging: &Judging, seq: u64, fixes: &[Placed], writes: &mut Writes) {
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
            let context = Context { vehicle, zones: &judging.zones, rule_revision: judging.registry.rule_revision() };
            let mut latest = None;
            for at in &self.sorted {
                let Some(fix) = fix(*at) else { continue };
                let is_young = fix.is_judgeable() && fix.time > resident.state.judged_to();
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
                if is_young {
                    rules::step(&context, &mut resident.state, fix, &mut self.facts);
                    if !self.facts.is_empty() {
                        write(&self.tools.metrics, judging, seq, fix, self.facts.drain(..), writes);
                    }
                } else {
                    tally.late += 1;
                }
            }
            live.extend(latest.map(|fix| live_position(vehicle, fix)));
        }
        self.tools.shared.live.push(live);
        self.tools.metrics.late.inc_by(tally.late);
        self.tools.metrics.unjudgeable.inc_by(tally.unjudgeable);
        self.tools.metrics.duplicates.inc_by(tally.repeated);
    }

    /// The track need not hear of a report twice.
    fn drop_repeated(&mut self, fixes: &mut Vec<Placed>) {
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

    fn cut(&mut self) -> ToViews {
        self.tools.store.cut(self.index);
        let mut states = Vec::new();
        let mut segment_states = Vec::new();
        self.residents.cut(|resident| {
            let vehicle = resident.vehicle;
            segment_states.extend(resident.segment_start.take().map(|(judged_to, state)| (vehicle, judged_to, state)));
            let (judged_to, state) = (resident.state.judged_to(), resident.state.encode());
            states.push(VehicleState { vehicle, judged_to, state, last: None });
        });
        if self.residents.sweep() {
            self.tools.has_states = true;
            self.tell_residents();
        }
        ToViews::LaneCut { states, segment_states }
    }
}

/// Makes rows and effects of facts that a fix brought about.
fn write(
    metrics: &Metrics,
    judging: &Judging,
    seq: u64,
    fix: &Fix,
    facts: impl Iterator<Item = Fact>,
    writes: &mut Writes,
) {
    for fact in facts {
        metrics.facts.with_label_values(&[&fact.kind.to_string()]).inc();
        let zone = judging.registry.zone_at_revision(fact.zone, fact.zone_revision);
        writes.effects.extend(cab_text(&fact, zone.map(|zone| &**zone), fix));
        let carrier = judging.registry.owner(fact.vehicle);
        writes.facts.push(FactRow { fact, carrier, changed: seq, case_state: store::CaseState::Raised });
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
