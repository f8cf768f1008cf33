//! A lane: the vehicles whose number falls to it, each with its rule state, in journal order.
//!
//! Judgement is one loop: take the stored state, step it over the fixes that come after it. Live is the case in
//! which nothing is late. Late fixes wait for the next tick, or until there are [`LATE_MAX`] of them; then the vehicle
//! is judged again beside the lane (`rejudge`), as of that envelope: when that is follows from the journal alone. Its
//! own later fixes wait meanwhile, other vehicles go on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use model::{Fact, Fix, LivePosition, Marks, Registry, Timestamp, VehicleId};
use rules::{Context, State, Zones};
use store::{FactRow, Store, StoreError, VehicleState, Writes};
use tokio::sync::mpsc::Sender;

use crate::dispatch::lane_of;
use crate::effects::cab_text;
use crate::memory::{self, Deferred, LATE_MAX, Late, Order, Span};
use crate::metrics::Metrics;
use crate::recent::Fingerprint;
use crate::rejudge::{Bench, Job, Outcome};
use crate::residents::Residents;
use crate::views::{Patience, Shared, ToViews};

/// How often it is looked whether a vehicle has been judged again, while nothing comes.
const LOOK: Duration = Duration::from_millis(1);
/// So many fixes wait at most for their vehicles to be judged again; then the lane waits.
const DEFERRED_MAX: usize = 1 << 16;

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
    Batch {
        judging: Arc<Judging>,
        seq: u64,
        received: Timestamp,
        fixes: Vec<Placed>,
        /// Late fixes are judged now.
        tick: bool,
        /// What was judged from this event time on is judged again: a zone was recorded.
        reach: Option<Timestamp>,
    },
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
    lanes: usize,
    tools: Tools,
    residents: Residents,
    fingerprint: Fingerprint,
    /// The last envelope that the views were told of.
    passed: u64,
    /// Vehicles with late fixes since they were last judged again.
    waiting: BTreeSet<VehicleId>,
    /// Goes with the next message to the views.
    jobs: Vec<Job>,
    outcomes: Receiver<Outcome>,
    in_flight: usize,
    deferred: usize,
    // Kept between batches, so that a batch allocates nothing.
    touched: Vec<Touched>,
    /// For each fix of the batch the next one of the same vehicle; [`END`] for the last.
    next: Vec<u32>,
    sorted: Vec<u32>,
    repeated: Vec<u32>,
    overtaken: Vec<u32>,
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

/// What the facts of a fix are written with.
struct Place<'a> {
    metrics: &'a Metrics,
    judging: &'a Judging,
    /// Envelope of the fix.
    seq: u64,
    /// Envelope that the views are told of next.
    changed: u64,
}

impl Lane {
    pub(crate) fn new(
        index: usize,
        lanes: usize,
        after: u64,
        waiting: BTreeSet<VehicleId>,
        tools: Tools,
        to_do: Receiver<Job>,
    ) -> std::io::Result<Self> {
        let (done, outcomes) = channel();
        let bench = Bench {
            store: tools.store.clone(),
            runtime: tools.runtime.clone(),
            metrics: tools.metrics.clone(),
            shared: tools.shared.clone(),
        };
        std::thread::Builder::new().name(format!("rejudge-{index}")).spawn(move || bench.run(&to_do, &done))?;
        Ok(Self {
            index,
            lanes,
            residents: Residents::new(tools.idle_us),
            tools,
            fingerprint: Fingerprint::default(),
            passed: after,
            waiting,
            jobs: Vec::new(),
            outcomes,
            in_flight: 0,
            deferred: 0,
            touched: Vec::new(),
            next: Vec::new(),
            sorted: Vec::new(),
            repeated: Vec::new(),
            overtaken: Vec::new(),
            facts: Vec::new(),
        })
    }

    pub(crate) fn run(mut self, input: &Receiver<ToLane>) {
        let waiting: Vec<_> = self.waiting.iter().copied().collect();
        self.load(waiting);
        loop {
            let message = if self.in_flight == 0 {
                input.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                input.recv_timeout(LOOK)
            };
            let outcome = match message {
                Ok(ToLane::Batch { judging, seq, received, fixes, tick, reach }) => {
                    self.residents.advance(received);
                    self.batch(&judging, seq, fixes, tick, reach)
                }
                Ok(ToLane::Cut) => self.cut(),
                Err(RecvTimeoutError::Timeout) => Ok(()),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if outcome.and_then(|()| self.collect()).is_err() {
                return;
            }
        }
    }

    fn tell(&self, message: ToViews) -> Result<(), Gone> {
        self.tools.views.blocking_send(message).map_err(|_| Gone)
    }

    fn tell_writes(&mut self, writes: Writes) -> Result<(), Gone> {
        let jobs = std::mem::take(&mut self.jobs);
        if writes.is_empty() && jobs.is_empty() {
            return Ok(());
        }
        self.tell(ToViews::Applied { source: self.index, seq: self.passed, writes, jobs })
    }

    fn batch(
        &mut self,
        judging: &Arc<Judging>,
        seq: u64,
        mut fixes: Vec<Placed>,
        tick: bool,
        reach: Option<Timestamp>,
    ) -> Result<(), Gone> {
        let mut writes = Writes::default();
        if !fixes.is_empty() {
            self.load(fixes.iter().map(|(vehicle, _)| *vehicle).collect());
            // A salvaged fix seems to have been there before it was: nobody may be looking at the track.
            if self.deferred > DEFERRED_MAX || fixes.iter().any(|(_, fix)| fix.source.position.seq < seq) {
                self.finish()?;
            }
            self.chain(&fixes);
            self.judge(judging, seq, &fixes, &mut writes);
            for at in self.overtaken.drain(..) {
                if let Some((_, fix)) = fixes.get_mut(at as usize) {
                    fix.marks = fix.marks.with(Marks::LATE);
                }
            }
            self.drop_repeated(&mut fixes);
            self.tools.metrics.fixes.inc_by(fixes.len() as u64);
            self.tools.store.push_fixes(self.index, fixes);
            let full = |touched: &Touched| {
                let resident = self.residents.get(touched.resident)?;
                resident.late.as_ref().is_some_and(|late| late.count >= LATE_MAX).then_some(resident.vehicle)
            };
            for vehicle in self.touched.iter().filter_map(full).collect::<Vec<_>>() {
                self.rejudge(vehicle, judging, seq, None);
            }
        }
        if let Some(reach) = reach {
            self.rejudge_from(reach, judging, seq);
        }
        if tick {
            for vehicle in std::mem::take(&mut self.waiting) {
                self.rejudge(vehicle, judging, seq, None);
            }
        }
        self.passed = seq;
        let jobs = std::mem::take(&mut self.jobs);
        self.tell(ToViews::Applied { source: self.index, seq, writes, jobs })
    }

    /// Judges everybody again who was judged beyond an event time.
    fn rejudge_from(&mut self, reach: Timestamp, judging: &Arc<Judging>, seq: u64) {
        if self.tools.has_states {
            let stored = self.patiently(|store| async move { store.vehicles_judged_to(reach).await });
            self.load(stored.into_iter().filter(|vehicle| lane_of(*vehicle, self.lanes) == self.index).collect());
        }
        let beyond = self.residents.iter().filter(|(_, resident)| resident.newest >= reach);
        for vehicle in beyond.map(|(_, resident)| resident.vehicle).collect::<Vec<_>>() {
            self.rejudge(vehicle, judging, seq, Some(reach));
        }
    }

    /// Has a vehicle judged again as of this envelope: from its earliest late fix on, or from `reach` to the end.
    fn rejudge(&mut self, vehicle: VehicleId, judging: &Arc<Judging>, seq: u64, reach: Option<Timestamp>) {
        self.waiting.remove(&vehicle);
        let Some(number) = self.residents.number(vehicle) else { return };
        let Some(resident) = self.residents.change(number) else { return };
        let newest = resident.newest;
        let late = resident.late();
        late.count = 0;
        let span = match (late.span.take(), reach) {
            (span, None) => span,
            (span, Some(reach)) => {
                Some(Span { from: span.map_or(reach, |span| span.from.min(reach)), to: Timestamp::MAX })
            }
        };
        let Some(span) = span else { return };
        self.tools.shared.rejudging.fetch_add(1, Ordering::Relaxed);
        let order = Order { seq, judging: judging.clone(), span, newest };
        if late.in_flight {
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
    fn collect(&mut self) -> Result<(), Gone> {
        let mut writes = Writes::default();
        while self.in_flight > 0
            && let Ok(outcome) = self.outcomes.try_recv()
        {
            self.take(outcome, &mut writes);
        }
        self.tell_writes(writes)
    }

    /// Waits until everybody has been judged again.
    fn finish(&mut self) -> Result<(), Gone> {
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
        let Outcome { vehicle, state, rows, known, anchors, void } = outcome;
        let Some(number) = self.residents.number(vehicle) else { return };
        let Some(resident) = self.residents.change(number) else { return };
        if let Some(state) = state {
            resident.state = state;
        }
        resident.segment_start.take_if(|(judged_to, _)| void.from <= *judged_to && *judged_to < void.to);
        let late = resident.late();
        late.void(void, anchors);
        late.known = known;
        late.in_flight = false;
        // A reader may have gone beyond the last envelope already.
        let changed = self.passed + 1;
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
                Some(Deferred::Rejudge(order)) => break order,
                Some(Deferred::Step { seq, judging, fix }) => {
                    self.deferred -= 1;
                    let context = context(resident.vehicle, &judging);
                    rules::step(&context, &mut resident.state, &fix, &mut self.facts);
                    let place = Place { metrics: &self.tools.metrics, judging: &judging, seq, changed };
                    write(&place, &fix, Some(late), self.facts.drain(..), writes);
                }
            }
        };
        self.start(number, order);
    }

    /// Brings the rule states of vehicles back from the store.
    fn load(&mut self, mut missing: Vec<VehicleId>) {
        missing.retain(|vehicle| self.residents.number(*vehicle).is_none());
        if missing.is_empty() {
            return;
        }
        missing.sort_unstable();
        missing.dedup();
        if self.tools.has_states {
            for row in self.patiently(|store| {
                let missing = missing.clone();
                async move { store.vehicle_states(&missing).await }
            }) {
                let (state, late) = memory::decode(&row.state).unwrap_or_else(|error| {
                    tracing::error!(vehicle = %row.vehicle, error = %model::Chain(&error), "rule state cannot be read; judging it from now on");
                    (State::default(), None)
                });
                let number = self.residents.insert(row.vehicle, state);
                if let Some(resident) = self.residents.get_mut(number) {
                    resident.newest = resident.newest.max(row.judged_to);
                    resident.late = late;
                }
            }
        }
        for vehicle in missing {
            if self.residents.number(vehicle).is_none() {
                self.residents.insert(vehicle, State::default());
            }
        }
        self.tell_residents();
    }

    /// Reads from the store until it answers.
    fn patiently<T, F: Future<Output = Result<T, StoreError>>>(&self, read: impl Fn(Store) -> F) -> T {
        let mut patience = Patience::new();
        loop {
            match self.tools.runtime.block_on(read(self.tools.store.clone())) {
                Ok(found) => return found,
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
    fn judge(&mut self, judging: &Arc<Judging>, seq: u64, fixes: &[Placed], writes: &mut Writes) {
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
                rules::step(&context, &mut resident.state, fix, &mut self.facts);
                if !self.facts.is_empty() {
                    write(&place, fix, resident.late.as_deref_mut(), self.facts.drain(..), writes);
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

    fn cut(&mut self) -> Result<(), Gone> {
        self.finish()?;
        self.tools.store.cut(self.index);
        let mut states = Vec::new();
        let (mut segment_states, mut void_states) = (Vec::new(), Vec::new());
        self.residents.cut(|resident| {
            let vehicle = resident.vehicle;
            segment_states.extend(resident.segment_start.take().map(|(judged_to, state)| (vehicle, judged_to, state)));
            if let Some(late) = &mut resident.late {
                let since = resident.state.open_since();
                late.known.retain(|known| known.started_at >= since);
                late.voids_before = std::mem::take(&mut late.voids);
                void_states.extend(late.voids_before.iter().map(|void| (vehicle, void.from, void.to)));
            }
            let state = memory::encode(&resident.state, resident.late.as_deref());
            states.push(VehicleState { vehicle, judged_to: resident.newest, state, last: None });
            resident.late.take_if(|late| late.is_void());
        });
        if self.residents.sweep() {
            self.tools.has_states = true;
            self.tell_residents();
        }
        let waiting = self.waiting.iter().copied().collect();
        self.tell(ToViews::LaneCut { states, segment_states, void_states, waiting })
    }
}

/// The views have stopped.
struct Gone;

fn context(vehicle: VehicleId, judging: &Judging) -> Context<'_> {
    Context { vehicle, zones: &judging.zones, rule_revision: judging.registry.rule_revision() }
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
        writes.facts.push(FactRow { fact, carrier, changed, case_state, as_of, superseded_by: None });
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
