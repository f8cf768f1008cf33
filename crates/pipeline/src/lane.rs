//! A lane: the vehicles whose number falls to it, each with its rule state, in journal order.
//!
//! Judgement is one loop: take the stored state, step it over the fixes that come after it. Live is the case in
//! which nothing is late. Late fixes wait for the next tick, or until there are [`LATE_MAX`] of them; then the vehicle
//! is judged again beside the lane (`rejudge`), as of that envelope: when that is follows from the journal alone. Its
//! own later fixes wait meanwhile, other vehicles go on.

mod late;
mod live;

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use model::{Fact, Fix, Marks, Registry, Timestamp, VehicleId};
use rules::{Approaches, State, Zones};
use store::{Store, StoreError, VehicleState, Writes};
use tokio::sync::mpsc::Sender;

use crate::again::Again;
use crate::dispatch::patiently;
use crate::memory::{self, LATE_MAX};
use crate::metrics::Metrics;
use crate::recent::Fingerprint;
use crate::rejudge::{Bench, Job, Outcome};
use crate::residents::Residents;
use crate::views::{Shared, ToViews};

/// How often it is looked whether a vehicle has been judged again, while nothing comes.
const LOOK: Duration = Duration::from_millis(1);
/// So many fixes and orders wait at most for their vehicles to be judged again; then the lane waits.
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
        /// What was recorded has these judged again.
        again: Option<Arc<Again>>,
    },
    /// Fixes that were another vehicle's until now. The batch that comes next has both judged again.
    Moved(Vec<Placed>),
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
    /// When the last envelope was received.
    received: Timestamp,
    /// Vehicles with late fixes since they were last judged again.
    waiting: BTreeSet<VehicleId>,
    /// Goes with the next message to the views.
    jobs: Vec<Job>,
    outcomes: Receiver<Outcome>,
    in_flight: usize,
    /// Fixes and orders that wait for vehicles to be judged again.
    deferred: usize,
    /// The sets of zones that were in force lately and may still be needed, the present one last.
    zones: Vec<Weak<Zones>>,
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
            received: Timestamp::MIN,
            waiting,
            jobs: Vec::new(),
            outcomes,
            in_flight: 0,
            deferred: 0,
            zones: Vec::new(),
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
                Ok(ToLane::Batch { judging, seq, received, fixes, tick, again }) => {
                    self.residents.advance(received);
                    self.received = received;
                    self.batch(&judging, seq, fixes, tick, again.as_deref())
                }
                Ok(ToLane::Moved(fixes)) => {
                    self.tools.metrics.moved.inc_by(fixes.len() as u64);
                    self.tools.store.push_fixes(self.index, fixes);
                    Ok(())
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
        again: Option<&Again>,
    ) -> Result<(), Gone> {
        // Before anything of this envelope: jobs may not be handed on ahead of its facts.
        self.bound_zones(judging)?;
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
        if let Some(again) = again {
            self.rejudge_all(again, judging, seq);
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
                let (state, late, approaches) = memory::decode(&row.state).unwrap_or_else(|error| {
                    tracing::error!(vehicle = %row.vehicle, error = %model::Chain(&error), "rule state cannot be read; judging it from now on");
                    (State::default(), None, Approaches::default())
                });
                let number = self.residents.insert(row.vehicle, state);
                if let Some(resident) = self.residents.get_mut(number) {
                    resident.newest = resident.newest.max(row.judged_to);
                    resident.late = late;
                    resident.approaches = approaches;
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
        patiently(&self.tools.runtime, &self.tools.metrics, || read(self.tools.store.clone()))
    }

    fn tell_residents(&self) {
        self.tools.metrics.resident_vehicles.set(i64::try_from(self.residents.len()).unwrap_or(i64::MAX));
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
            let state = memory::encode(&resident.state, resident.late.as_deref(), &resident.approaches);
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
