//! A lane: the vehicles whose number falls to it, each with its rule state, in journal order.
//!
//! Judgement is one loop: take the stored state, step it over the fixes that come after it. Live is the case in
//! which nothing is late. A fix that is late is in its place in the track, and is not judged here.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use model::{Fact, Fix, FixKey, LivePosition, Registry, Timestamp, VehicleId};
use rules::{Context, State, Zones};
use sha2::{Digest, Sha256};
use store::{FactRow, Store, VehicleState, Writes};
use tokio::sync::mpsc::Sender;

use crate::effects::cab_text;
use crate::metrics::Metrics;
use crate::views::{Shared, ToViews};

/// What a lane judges by: the registry and the zones in force at a place in the journal.
pub(crate) struct Judging {
    pub registry: Arc<Registry>,
    pub zones: Arc<Zones>,
}

/// What the dispatcher sends to a lane.
pub(crate) enum ToLane {
    /// The fixes of one envelope that fall to this lane, in journal order. Sent to every lane, even if empty.
    Batch { judging: Arc<Judging>, seq: u64, fixes: Vec<(VehicleId, Fix)> },
    /// Everything up to here belongs to the checkpoint.
    Cut,
}

/// How many recent fixes of a vehicle are remembered to recognise one that comes again at once (a retransmission,
/// or a batch that repeats live reports). What comes again later is found when the track is read or compacted.
const RECENT: usize = 16;
/// A vehicle without a fix for this many checkpoints leaves memory.
const IDLE_CUTS: u32 = 60;

struct Resident {
    state: State,
    recent: VecDeque<FixKey>,
    /// Rule state before the first fix since the last cut, with the time up to which it had judged.
    segment_start: Option<(Timestamp, Vec<u8>)>,
    dirty: bool,
    idle_cuts: u32,
}

impl Resident {
    fn new(state: State) -> Self {
        Self { state, recent: VecDeque::new(), segment_start: None, dirty: false, idle_cuts: 0 }
    }

    /// Whether this very report was here a moment ago; remembers it otherwise.
    fn is_repeated(&mut self, fix: &Fix) -> bool {
        let key = key(fix);
        if !crate::dedupe_is_off() && self.recent.contains(&key) {
            return true;
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(key);
        false
    }
}

fn key(fix: &Fix) -> FixKey {
    let hash = Sha256::new().chain_update(fix.base()).chain_update(&fix.items).finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    FixKey { time: fix.time, terminal: fix.terminal, body_hash: u64::from_be_bytes(first) }
}

pub(crate) struct Lane {
    pub index: usize,
    pub store: Store,
    pub runtime: tokio::runtime::Handle,
    pub metrics: Metrics,
    pub shared: Arc<Shared>,
    pub views: Sender<ToViews>,
    vehicles: BTreeMap<VehicleId, Resident>,
}

/// Waits between tries when the store cannot be read.
const RETRY: Duration = Duration::from_secs(1);

impl Lane {
    pub(crate) fn new(
        index: usize,
        store: Store,
        runtime: tokio::runtime::Handle,
        metrics: Metrics,
        shared: Arc<Shared>,
        views: Sender<ToViews>,
    ) -> Self {
        Self { index, store, runtime, metrics, shared, views, vehicles: BTreeMap::new() }
    }

    pub(crate) fn run(mut self, input: &std::sync::mpsc::Receiver<ToLane>) {
        for message in input {
            let outcome = match message {
                ToLane::Batch { judging, seq, fixes } => self.batch(&judging, seq, fixes),
                ToLane::Cut => self.cut(),
            };
            if self.views.blocking_send(outcome).is_err() {
                return;
            }
        }
    }

    fn batch(&mut self, judging: &Judging, seq: u64, fixes: Vec<(VehicleId, Fix)>) -> ToViews {
        let mut by_vehicle: BTreeMap<VehicleId, Vec<Fix>> = BTreeMap::new();
        for (vehicle, fix) in fixes {
            by_vehicle.entry(vehicle).or_default().push(fix);
        }
        self.load(by_vehicle.keys().copied());
        let mut writes = Writes::default();
        let mut kept = Vec::new();
        let mut live = Vec::new();
        for (vehicle, mut fixes) in by_vehicle {
            fixes.sort_by(Fix::track_order);
            let Some(resident) = self.vehicles.get_mut(&vehicle) else { continue };
            resident.idle_cuts = 0;
            fixes.retain(|fix| !resident.is_repeated(fix) || count(&self.metrics.duplicates));
            if fixes.is_empty() {
                continue;
            }
            resident.dirty = true;
            if resident.segment_start.is_none() {
                resident.segment_start = Some((resident.state.judged_to(), resident.state.encode()));
            }
            for fix in &fixes {
                judge(&self.metrics, judging, vehicle, seq, &mut resident.state, fix, &mut writes);
            }
            live.extend(fixes.iter().rev().find(|fix| fix.is_judgeable()).map(|fix| live_position(vehicle, fix)));
            kept.extend(fixes.into_iter().map(|fix| (vehicle, fix)));
        }
        self.metrics.fixes.inc_by(kept.len() as u64);
        self.store.push_fixes(self.index, kept);
        self.shared.live.push(live);
        ToViews::Applied { source: self.index, seq, writes }
    }

    /// Brings the rule states of vehicles back from the store.
    fn load(&mut self, vehicles: impl Iterator<Item = VehicleId>) {
        let missing: Vec<_> = vehicles.filter(|vehicle| !self.vehicles.contains_key(vehicle)).collect();
        if missing.is_empty() {
            return;
        }
        let rows = loop {
            match self.runtime.block_on(self.store.vehicle_states(&missing)) {
                Ok(rows) => break rows,
                Err(error) => {
                    tracing::error!(%error, "cannot read rule states; trying again");
                    self.metrics.store_errors.inc();
                    std::thread::sleep(RETRY);
                }
            }
        };
        for row in rows {
            let state = State::decode(&row.state).unwrap_or_else(|error| {
                tracing::error!(vehicle = %row.vehicle, %error, "rule state cannot be read; judging it from now on");
                State::default()
            });
            self.vehicles.insert(row.vehicle, Resident::new(state));
        }
        for vehicle in missing {
            self.vehicles.entry(vehicle).or_insert_with(|| Resident::new(State::default()));
        }
        self.metrics.resident_vehicles.set(i64::try_from(self.vehicles.len()).unwrap_or(i64::MAX));
    }

    fn cut(&mut self) -> ToViews {
        self.store.cut(self.index);
        let mut states = Vec::new();
        let mut segment_states = Vec::new();
        for (vehicle, resident) in &mut self.vehicles {
            if let Some((judged_to, state)) = resident.segment_start.take() {
                segment_states.push((*vehicle, judged_to, state));
            }
            if std::mem::take(&mut resident.dirty) {
                let state = resident.state.encode();
                states.push(VehicleState {
                    vehicle: *vehicle,
                    judged_to: resident.state.judged_to(),
                    state,
                    last: None,
                });
            } else {
                resident.idle_cuts += 1;
            }
        }
        // Only those that were clean at an earlier cut, whose checkpoint is committed: the store has their state.
        self.vehicles.retain(|_, resident| resident.idle_cuts < IDLE_CUTS);
        ToViews::LaneCut { states, segment_states }
    }
}

/// Counts, and says that the thing is to be dropped.
fn count(counter: &prometheus::IntCounter) -> bool {
    counter.inc();
    false
}

/// Steps the state over one fix, unless it cannot be judged or comes too late for live judgement.
fn judge(
    metrics: &Metrics,
    judging: &Judging,
    vehicle: VehicleId,
    seq: u64,
    state: &mut State,
    fix: &Fix,
    writes: &mut Writes,
) {
    if !fix.is_judgeable() {
        metrics.unjudgeable.inc();
        return;
    }
    if fix.time <= state.judged_to() {
        metrics.late.inc();
        return;
    }
    let mut facts: Vec<Fact> = Vec::new();
    let context = Context { vehicle, zones: &judging.zones, rule_revision: judging.registry.rule_revision() };
    rules::step(&context, state, fix, &mut facts);
    for fact in facts {
        metrics.facts.with_label_values(&[&fact.kind.to_string()]).inc();
        let zone = judging.registry.zone_at_revision(fact.zone, fact.zone_revision);
        writes.effects.extend(cab_text(&fact, zone.map(|zone| &**zone), fix));
        let carrier = judging.registry.owner(vehicle);
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
