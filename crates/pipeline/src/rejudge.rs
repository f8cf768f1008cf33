//! Judging a vehicle again, beside its lane: from a stored state before the earliest late fix, over the track as of an
//! envelope, until the state is one that was there before; then the facts of that window are compared.
//!
//! What comes out depends on what lies in the journal up to that envelope. Where it begins and whether it meets a
//! stored state is a matter of cost: a state says what the fixes up to its event time say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender};

use model::{Fact, FactId, Fix, Standing, Timestamp, VehicleId};
use rules::{Context, State};
use store::{CaseState, FactRow, Store, StoreError, StoredState};

use crate::again::Places;
use crate::compare::Compared;
use crate::memory::{Anchor, Known, Order, Span};
use crate::metrics::Metrics;
use crate::moved::Own;
use crate::views::{Patience, Shared};
use crate::windows::Windows;

/// Stored states before the earliest late fix that are looked at.
const STATES_BEFORE: usize = 8;

/// A vehicle to be judged again.
pub(crate) struct Job {
    pub(crate) vehicle: VehicleId,
    pub(crate) order: Order,
    /// As it was judged up to the order.
    pub(crate) state: State,
    pub(crate) anchors: Vec<Anchor>,
    /// Stored states in these spans do not hold.
    pub(crate) voids: Vec<Span>,
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) vehicle: VehicleId,
    /// `None`: there was nothing to judge.
    pub(crate) course: Option<Course>,
}

/// What was found on the way.
pub(crate) struct Course {
    /// `None`: the state that was there holds.
    pub(crate) state: Option<State>,
    pub(crate) rows: Vec<FactRow>,
    pub(crate) known: Vec<Known>,
    pub(crate) anchors: Vec<Anchor>,
    pub(crate) void: Span,
}

/// What is needed for it.
pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) metrics: Metrics,
    pub(crate) shared: Arc<Shared>,
}

impl Bench {
    /// Takes jobs until nobody sends any.
    pub(crate) fn run(self, jobs: &Receiver<Job>, outcomes: &Sender<Outcome>) {
        for job in jobs {
            let mut patience = Patience::new();
            let outcome = loop {
                match self.runtime.block_on(self.judge(&job)) {
                    Ok(outcome) => break outcome,
                    Err(error) => {
                        tracing::error!(vehicle = %job.vehicle, error = %model::Chain(&error), "cannot judge again; trying again");
                        self.metrics.store_errors.inc();
                        std::thread::sleep(patience.next());
                    }
                }
            };
            self.metrics.rejudged.inc_by(u64::from(outcome.course.is_some()));
            self.metrics.rejudging.set(self.shared.rejudging.load(Ordering::Relaxed) as i64);
            if outcomes.send(outcome).is_err() {
                return;
            }
        }
    }

    /// From where to where event times are judged otherwise; `None` when the vehicle was not near and nothing came late.
    async fn span(&self, job: &Job) -> Result<Option<Span>, StoreError> {
        let Order { late, reach, .. } = &job.order;
        let Some(reach) = reach else { return Ok(*late) };
        if reach.places != Places::Everywhere {
            let (from, to) = reach.window();
            if !reach.is_near(self.store.outlines(job.vehicle, from, to).await?) {
                self.metrics.spared.inc();
                return Ok(*late);
            }
        }
        let reached = Span { from: reach.from, to: reach.to };
        Ok(Some(late.map_or(reached, |late| Span::around(late, reached))))
    }

    async fn judge(&self, job: &Job) -> Result<Outcome, StoreError> {
        let vehicle = job.vehicle;
        let course = match self.span(job).await? {
            Some(span) => Some(self.course(job, span).await?),
            None => None,
        };
        Ok(Outcome { vehicle, course })
    }

    async fn course(&self, job: &Job, span: Span) -> Result<Course, StoreError> {
        let stored = self.store.rule_states(job.vehicle, span.from, STATES_BEFORE).await?;
        let holds = |at: Timestamp| !job.voids.iter().any(|void| void.from <= at && at < void.to);
        let (before, after): (Vec<_>, Vec<_>) =
            stored.into_iter().filter(|state| holds(state.judged_to)).partition(|state| state.judged_to < span.from);
        let (start, rows) = self.start(job, span, before).await?;
        let mut walk = Walk {
            vehicle: job.vehicle,
            order: &job.order,
            rows: &rows,
            span,
            state: start.state.clone(),
            found: start.open.iter().map(|fact| (fact.id, fact.clone())).collect(),
            anchor: None,
            met: None,
            before: after
                .into_iter()
                .map(|state| (state.judged_to, state.state))
                .chain(job.anchors.iter().map(|anchor| (anchor.judged_to, anchor.state.encode())))
                .filter(|(judged_to, _)| *judged_to >= span.to)
                .collect(),
            facts: Vec::new(),
            fixes: 0,
        };
        self.walk(&mut walk, start.judged_to).await?;
        self.metrics.rejudged_fixes.inc_by(walk.fixes);
        let Walk { state, found, anchor, met, .. } = walk;
        let registry = &job.order.judging.registry;
        let changed = Compared {
            vehicle: job.vehicle,
            carrier: registry.owner(job.vehicle),
            as_of: job.order.seq,
            received: job.order.received,
            start: &start.state,
            met: met.is_some().then_some(&state),
            found: &found,
            before: &rows,
        }
        .rows();
        let to = met.unwrap_or(Timestamp::MAX);
        let end = if met.is_some() { &job.state } else { &state };
        let known = known(&rows, &changed, end.open_since());
        let anchors = anchor.into_iter().chain([start]).filter(|anchor| anchor.judged_to > Timestamp::MIN);
        Ok(Course {
            rows: changed,
            known,
            anchors: anchors.collect(),
            void: Span { from: span.from, to },
            state: met.is_none().then_some(state),
        })
    }

    /// The latest place to begin at, with the facts from there on.
    async fn start(
        &self,
        job: &Job,
        span: Span,
        mut stored: Vec<StoredState>,
    ) -> Result<(Anchor, BTreeMap<FactId, FactRow>), StoreError> {
        let mut anchors: Vec<&Anchor> = job.anchors.iter().collect();
        anchors.retain(|anchor| anchor.judged_to < span.from);
        loop {
            let newest = stored.last().map_or(Timestamp::MIN, |stored| stored.judged_to);
            let (judged_to, state, open) = match anchors.pop_if(|anchor| anchor.judged_to >= newest) {
                Some(anchor) => (anchor.judged_to, anchor.state.clone(), Some(anchor.open.clone())),
                None => match stored.pop().map(|stored| (stored.judged_to, State::decode(&stored.state))) {
                    Some((judged_to, Ok(state))) => (judged_to, state, None),
                    // One of another version of the rules cannot be gone on from.
                    Some(_) => continue,
                    None => break,
                },
            };
            let rows = self.facts(job.vehicle, state.open_since()).await?;
            if !is_clear(&state, job.vehicle, &rows) {
                continue;
            }
            let stated = || {
                let open = state.open_facts(job.vehicle).filter(|(_, is_stated)| *is_stated);
                open.map(|(id, _)| still_open(rows.get(&id))).collect()
            };
            if let Some(open) = open.or_else(stated) {
                return Ok((Anchor { judged_to, state, open }, rows));
            }
        }
        let anchor = Anchor { judged_to: Timestamp::MIN, state: State::default(), open: Vec::new() };
        Ok((anchor, self.facts(job.vehicle, Timestamp::MIN).await?))
    }

    async fn facts(&self, vehicle: VehicleId, from: Timestamp) -> Result<BTreeMap<FactId, FactRow>, StoreError> {
        let rows = self.store.facts_of_vehicle(vehicle, from).await?;
        Ok(rows.into_iter().map(|row| (row.fact.id, row)).collect())
    }

    /// Steps over the track after `judged_to`, a window at a time.
    async fn walk(&self, walk: &mut Walk<'_>, judged_to: Timestamp) -> Result<(), StoreError> {
        let mut from = judged_to.plus_us(1);
        if judged_to == Timestamp::MIN {
            // From nothing: it may be years until there is a fix.
            let span = self.store.track_span(walk.vehicle).await?;
            from = span.map_or(Timestamp::MAX, |(first, _)| first);
        }
        let mut windows = Windows::new(from, walk.order.newest);
        let mut own = Own::new(&walk.order.judging.registry, walk.vehicle);
        let mut was_empty = false;
        while let Some((from, to)) = windows.next(was_empty) {
            let mut fixes = self.store.fixes(walk.vehicle, from, to).await?;
            fixes.retain(|fix| fix.is_judgeable() && fix.source.position.seq <= walk.order.seq && own.has(fix));
            was_empty = fixes.is_empty();
            moments(&mut fixes);
            if fixes.iter().any(|fix| walk.step(fix)) {
                return Ok(());
            }
        }
        walk.arrive();
        Ok(())
    }
}

/// Whether each fact was over in that state, open in it, or began later.
fn is_clear(state: &State, vehicle: VehicleId, rows: &BTreeMap<FactId, FactRow>) -> bool {
    let mut unclear = rows
        .values()
        .filter(|row| row.fact.standing != Standing::Void && state.may_begin_yet(row.fact.kind, row.fact.started_at));
    unclear.all(|row| state.open_facts(vehicle).any(|(id, _)| id == row.fact.id))
}

/// What was stated of a fact, while it lasts.
fn still_open(row: Option<&FactRow>) -> Option<Fact> {
    let holds = |row: &&FactRow| matches!(row.fact.standing, Standing::Stands | Standing::Excused);
    let row = row.filter(|row| holds(row) && row.fact.ended_at.is_none());
    row.map(|row| row.fact.clone())
}

/// Of reports of the same moment the one that came first is judged.
fn moments(fixes: &mut Vec<Fix>) {
    fixes.dedup_by(|next, kept| {
        let same = next.time == kept.time && next.base() == kept.base();
        if same && next.source < kept.source {
            std::mem::swap(next, kept);
        }
        same
    });
}

/// The facts that may be stated again and are not in their first revision as they were raised.
fn known(before: &BTreeMap<FactId, FactRow>, changed: &[FactRow], since: Timestamp) -> Vec<Known> {
    let mut latest: BTreeMap<FactId, &FactRow> = before.iter().map(|(id, row)| (*id, row)).collect();
    latest.extend(changed.iter().map(|row| (row.fact.id, row)));
    let special = latest.into_values().filter(|row| {
        let plain = row.fact.revision == 1 && row.case_state == CaseState::Raised;
        row.fact.started_at >= since && !(plain && row.fact.standing == Standing::Stands)
    });
    let known = |row: &FactRow| Known {
        id: row.fact.id,
        started_at: row.fact.started_at,
        revision: row.fact.revision,
        standing: row.fact.standing,
        case_state: row.case_state,
    };
    special.map(known).collect()
}

/// On the way through the track.
struct Walk<'a> {
    vehicle: VehicleId,
    order: &'a Order,
    /// What was found before.
    rows: &'a BTreeMap<FactId, FactRow>,
    span: Span,
    state: State,
    found: BTreeMap<FactId, Fact>,
    /// Where the last late fix was just judged.
    anchor: Option<Anchor>,
    /// Event time at which the state was one that was stored.
    met: Option<Timestamp>,
    /// What was stored before, from the last late fix on.
    before: BTreeMap<Timestamp, Vec<u8>>,
    facts: Vec<Fact>,
    fixes: u64,
}

impl Walk<'_> {
    /// Judges one fix; `true` when there is nothing more to do.
    fn step(&mut self, fix: &Fix) -> bool {
        if fix.time > self.state.judged_to() && fix.time > self.span.to {
            self.arrive();
            let judged_to = self.state.judged_to();
            let is_met = self.before.get(&judged_to).is_some_and(|stored| *stored == self.state.encode());
            if is_met && is_clear(&self.state, self.vehicle, self.rows) {
                self.met = Some(judged_to);
                return true;
            }
        }
        let judging = &self.order.judging;
        let context = Context { vehicle: self.vehicle, zones: &judging.zones, registry: &judging.registry };
        rules::step(&context, &mut self.state, fix, &mut self.facts);
        self.found.extend(self.facts.drain(..).map(|fact| (fact.id, fact)));
        self.fixes += 1;
        false
    }

    /// Behind the last late fix: the next late one will begin here.
    fn arrive(&mut self) {
        if self.anchor.is_some() {
            return;
        }
        let is_open = |id: &FactId| self.found.get(id).filter(|fact| fact.ended_at.is_none()).cloned();
        let open = self.state.open_facts(self.vehicle).filter(|(_, is_stated)| *is_stated);
        let open = open.filter_map(|(id, _)| is_open(&id)).collect();
        self.anchor = Some(Anchor { judged_to: self.state.judged_to(), state: self.state.clone(), open });
    }
}
