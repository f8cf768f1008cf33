//! The first stage: batches in journal order, split by lane.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use journal::{Batch, Kind, Record};
use model::{Fix, Position, RecordRef, Registry, TerminalId, Timestamp, VehicleId};
use rules::Zones;
use store::{Store, StoreError, Writes};
use tokio::sync::mpsc::Sender;

use crate::again::{Again, Anew, Gathered, changed_vehicles, changed_zones};
use crate::assemblies::Assemblies;
use crate::bindings::Bindings;
use crate::commands::Commands;
use crate::decode::{self, Answer, Found};
use crate::lane::{Judging, Placed, ToLane};
use crate::metrics::Metrics;
use crate::moved::Rebound;
use crate::strangers::Strangers;
use crate::views::{AGAIN_BLOB, ASSEMBLIES_BLOB, HEAD_BLOB, Patience, Shared, ToViews};
use crate::windows::Windows;

/// A checkpoint is put off for this long at most while vehicles are being judged again.
const POSTPONE_MAX: Duration = Duration::from_secs(30);

pub(crate) struct Dispatcher {
    pub store: Store,
    pub runtime: tokio::runtime::Handle,
    pub lanes: Vec<SyncSender<ToLane>>,
    pub views: Sender<ToViews>,
    pub shared: Arc<Shared>,
    pub metrics: Metrics,
    pub registry: Registry,
    pub judging: Arc<Judging>,
    pub bindings: Bindings,
    pub assemblies: Assemblies,
    pub gathered: Gathered,
    pub commands: Commands,
    pub strangers: Strangers,
    pub checkpoint_every: Duration,
    pub checkpoint_fixes_max: usize,
    pub last_seq: u64,
    /// Hash of the envelope at `last_seq`.
    pub last_hash: [u8; 32],
    pub fixes_since_cut: usize,
    pub last_cut: Instant,
    /// Whether what comes now was committed after the start, and not read back.
    pub is_live: bool,
    pub held_back: Vec<Placed>,
    pub overtaken: Vec<Placed>,
    pub live_fixes: u64,
}

/// The stages after have stopped.
pub(crate) struct Stopped;

impl Dispatcher {
    /// Takes one batch; those that were taken before are skipped.
    pub(crate) fn take(&mut self, batch: &Batch) -> Result<(), Stopped> {
        let seq = batch.position.seq;
        if seq <= self.last_seq {
            return Ok(());
        }
        let again = self.control(batch)?;
        self.last_seq = seq;
        self.last_hash = batch.hash;
        let tick = batch.records.iter().any(|record| record.kind == Kind::Tick);
        let (mut fixes, strangers) = self.records(batch);
        if self.is_live && journal::sabotage::is_active("swap-records") {
            self.swap_records(&mut fixes);
        }
        self.fixes_since_cut += fixes.len();
        let received = batch.records.last().map_or(batch.received, |record| record.received);
        for (lane, fixes) in self.lanes.iter().zip(split(fixes, self.lanes.len())) {
            let (judging, again) = (self.judging.clone(), again.clone());
            lane.send(ToLane::Batch { judging, seq, received, fixes, tick, again }).map_err(|_| Stopped)?;
        }
        let strangers = if strangers.is_empty() { Vec::new() } else { self.strangers.take(seq, &strangers) };
        let writes = Writes {
            commands: self.commands.take_changed(),
            settlements: self.commands.take_settlements(),
            strangers,
            ..Writes::default()
        };
        let source = self.lanes.len();
        self.views.blocking_send(ToViews::Applied { source, seq, writes, jobs: Vec::new() }).map_err(|_| Stopped)
    }

    /// Brings the batch's control records into force: from here on, in every lane. Returns what is judged otherwise.
    fn control(&mut self, batch: &Batch) -> Result<Option<Arc<Again>>, Stopped> {
        let (mut rebound, mut anew) = (Vec::new(), BTreeMap::new());
        if !batch.control.is_empty() {
            let before = self.judging.clone();
            for record in &batch.control {
                rebound.extend(Rebound::of(&record.change, &self.registry));
                self.registry.apply(record);
                self.commands.control(batch.position.seq, record, &self.registry);
            }
            let is_same =
                self.registry.zones_seq() == before.registry.zones_seq() && before.zones.roads().is_of(&self.registry);
            let zones = if is_same {
                before.zones.clone()
            } else {
                Arc::new(report_broken(before.zones.rebuild(&self.registry)))
            };
            for (id, from) in changed_zones(&batch.control, &self.registry) {
                self.gathered.add(id, from, &before.zones, &zones);
            }
            for (vehicle, from) in changed_vehicles(&batch.control, &before.registry, &self.registry) {
                let entry = anew.entry(vehicle).or_insert(Anew { vehicle, from, newest: Timestamp::MIN });
                entry.from = entry.from.min(from);
            }
            let registry = Arc::new(self.registry.clone());
            self.judging = Arc::new(Judging { registry: registry.clone(), zones });
            *self.shared.registry.write() = registry;
        }
        let tick = batch.records.iter().any(|record| record.kind == Kind::Tick);
        let again = Again { near: self.gathered.due(tick), vehicles: self.moves(&rebound, anew)? };
        Ok((again.near.is_some() || !again.vehicles.is_empty()).then(|| Arc::new(again)))
    }

    /// Gives vehicles the fixes that terminals, as is known now, sent for them. Rare: the lanes are waited for.
    fn moves(&mut self, rebound: &[Rebound], mut anew: BTreeMap<VehicleId, Anew>) -> Result<Vec<Anew>, Stopped> {
        if rebound.is_empty() {
            return Ok(anew.into_values().collect());
        }
        self.wait_applied()?;
        for rebound in rebound {
            for before in &rebound.before {
                let newest = self.move_fixes(rebound, *before)?;
                for (vehicle, newest) in [(*before, Timestamp::MIN), (rebound.vehicle, newest)] {
                    let from = rebound.from;
                    let entry = anew.entry(vehicle).or_insert(Anew { vehicle, from, newest });
                    (entry.from, entry.newest) = (entry.from.min(from), entry.newest.max(newest));
                }
            }
        }
        Ok(anew.into_values().collect())
    }

    /// Returns when all lanes have taken in what they were sent.
    fn wait_applied(&self) -> Result<(), Stopped> {
        let mut applied = self.shared.applied.subscribe();
        self.runtime.block_on(async {
            tokio::select! {
                done = applied.wait_for(|applied| *applied >= self.last_seq) => done.map(|_| ()).map_err(|_| Stopped),
                () = self.views.closed() => Err(Stopped),
            }
        })
    }

    /// Sends what a terminal gave one vehicle to the lane of the other; returns the event time of the last of it.
    fn move_fixes(&mut self, rebound: &Rebound, before: VehicleId) -> Result<Timestamp, Stopped> {
        let mut newest = Timestamp::MIN;
        let span = patiently(&self.runtime, &self.metrics, || self.store.track_span(before));
        let Some((first, last)) = span else { return Ok(newest) };
        let mut windows = Windows::new(rebound.from.max(first), last);
        let mut was_empty = false;
        while let Some((from, to)) = windows.next(was_empty) {
            let mut fixes = patiently(&self.runtime, &self.metrics, || self.store.fixes(before, from, to));
            was_empty = fixes.is_empty();
            fixes.retain(|fix| rebound.takes(fix, &self.registry));
            let times = fixes.iter().filter(|fix| fix.is_judgeable()).map(|fix| fix.time);
            newest = newest.max(times.max().unwrap_or(Timestamp::MIN));
            self.fixes_since_cut += fixes.len();
            let moved = fixes.into_iter().map(|fix| (rebound.vehicle, fix)).collect();
            if let Some(lane) = self.lanes.get(lane_of(rebound.vehicle, self.lanes.len())) {
                lane.send(ToLane::Moved(moved)).map_err(|_| Stopped)?;
            }
        }
        Ok(newest)
    }

    fn records<'a>(&mut self, batch: &'a Batch) -> (Vec<Placed>, Vec<(TerminalId, &'a Record)>) {
        let mut fixes = Vec::with_capacity(batch.records.len());
        let mut strangers = Vec::new();
        let seq = batch.position.seq;
        for (record, index) in batch.records.iter().zip(0..) {
            let source = RecordRef { position: batch.position, index, item: 0 };
            match (record.kind, record.terminal) {
                (Kind::Uplink, Some(terminal)) => self.uplink(record, terminal, source, &mut fixes),
                // An admitted terminal is a stranger only until it has shown its code.
                (Kind::Stranger, Some(terminal)) if !self.is_admitted(terminal) => strangers.push((terminal, record)),
                (Kind::Command, Some(_)) => self.command(seq, record),
                (Kind::Tick, _) => {
                    self.commands.tick(seq, record.received);
                    self.assemblies.expire(record.received);
                    self.salvage(&mut fixes);
                    self.metrics.assembly_bytes.set(i64::try_from(self.assemblies.bytes()).unwrap_or(i64::MAX));
                }
                _ => {}
            }
        }
        (fixes, strangers)
    }

    fn uplink(&mut self, record: &Record, terminal: TerminalId, source: RecordRef, fixes: &mut Vec<Placed>) {
        let (registry, metrics, bindings) = (&self.registry, &self.metrics, &mut self.bindings);
        let mut answers: Vec<Answer> = Vec::new();
        let mut found = Found {
            fix: |fix: Fix| place(registry, bindings, metrics, fix, fixes),
            answer: |answer| answers.push(answer),
        };
        decode::uplink(record, terminal, source, metrics, &mut self.assemblies, &mut found);
        for answer in answers {
            self.commands.answered(source.position.seq, terminal, answer, record.received);
        }
        self.salvage(fixes);
    }

    /// Counts the cut messages that were given up, and takes what is whole of them.
    fn salvage(&mut self, fixes: &mut Vec<Placed>) {
        if !self.assemblies.has_lost() {
            return;
        }
        for lost in self.assemblies.take_lost() {
            self.metrics.messages_given_up.with_label_values(&[lost.why]).inc();
            let Some(head) = lost.head else { continue };
            let (registry, metrics, bindings) = (&self.registry, &self.metrics, &mut self.bindings);
            decode::salvage(lost.terminal, &head, |fix| {
                metrics.salvaged.inc();
                place(registry, bindings, metrics, fix, fixes);
            });
        }
    }

    fn is_admitted(&self, terminal: TerminalId) -> bool {
        self.registry.terminal(terminal).is_some_and(|known| known.admitted)
    }

    fn command(&mut self, seq: u64, record: &Record) {
        let serial = decode::with_frame(&record.raw, |frame| frame.header.serial);
        if let (Some(id), Some(serial)) = (record.command, serial) {
            self.commands.sent(seq, id, serial, record.received);
        }
    }

    /// The saboteur: every third fix comes after the next one.
    fn swap_records(&mut self, fixes: &mut Vec<Placed>) {
        if fixes.is_empty() {
            return;
        }
        let late = std::mem::take(&mut self.overtaken);
        self.overtaken = std::mem::take(&mut self.held_back);
        fixes.retain(|entry| {
            self.live_fixes += 1;
            let hold = self.live_fixes.is_multiple_of(3);
            if hold {
                self.held_back.push(entry.clone());
            }
            !hold
        });
        fixes.extend(late);
    }

    /// Whether a checkpoint is due, there is something new for it, and none is under way.
    pub(crate) fn cut_is_due(&self) -> bool {
        let age = self.last_cut.elapsed();
        let due = age >= self.checkpoint_every || self.fixes_since_cut >= self.checkpoint_fixes_max;
        // The lanes wait at a cut for what is being judged again: better a little later than now.
        let may_wait = age < self.checkpoint_every.saturating_add(POSTPONE_MAX)
            && self.fixes_since_cut < self.checkpoint_fixes_max.saturating_mul(2)
            && self.shared.rejudging.load(Ordering::Relaxed) > 0;
        let due = due && !may_wait || self.shared.asked.load(Ordering::Acquire);
        due && self.last_seq > self.cut_seq() && !self.is_checkpointing()
    }

    /// Whether so many fixes are in memory that no more may come before the checkpoint under way is done.
    pub(crate) fn must_wait(&self) -> bool {
        self.fixes_since_cut >= self.checkpoint_fixes_max.saturating_mul(2) && self.is_checkpointing()
    }

    fn is_checkpointing(&self) -> bool {
        *self.shared.checkpointed.borrow() < self.cut_seq()
    }

    /// The envelope at which the last checkpoint was cut.
    pub(crate) fn cut_seq(&self) -> u64 {
        *self.shared.cut.lock()
    }

    /// Cuts a checkpoint at the last batch.
    pub(crate) fn cut(&mut self) -> Result<(), Stopped> {
        self.shared.asked.store(false, Ordering::Release);
        *self.shared.cut.lock() = self.last_seq;
        self.last_cut = Instant::now();
        self.fixes_since_cut = 0;
        for lane in &self.lanes {
            lane.send(ToLane::Cut).map_err(|_| Stopped)?;
        }
        let position = Position { shard: 0, seq: self.last_seq };
        let blobs = vec![
            (HEAD_BLOB.to_owned(), self.last_hash.to_vec()),
            (ASSEMBLIES_BLOB.to_owned(), self.assemblies.encode()),
            (AGAIN_BLOB.to_owned(), self.gathered.encode()),
        ];
        let cut = ToViews::Cut { position, control_seq: self.registry.seq(), blobs };
        self.views.blocking_send(cut).map_err(|_| Stopped)
    }
}

/// Reads from the store until it answers.
pub(crate) fn patiently<T, F: Future<Output = Result<T, StoreError>>>(
    runtime: &tokio::runtime::Handle,
    metrics: &Metrics,
    read: impl Fn() -> F,
) -> T {
    let mut patience = Patience::new();
    loop {
        match runtime.block_on(read()) {
            Ok(found) => return found,
            Err(error) => {
                tracing::error!(error = %model::Chain(&error), "cannot read the views; trying again");
                metrics.store_errors.inc();
                std::thread::sleep(patience.next());
            }
        }
    }
}

/// Puts a fix with the vehicle that it is about.
fn place(registry: &Registry, bindings: &mut Bindings, metrics: &Metrics, fix: Fix, fixes: &mut Vec<Placed>) {
    match bindings.vehicle_at(registry, fix.terminal, event_time(&fix)) {
        Some(vehicle) => fixes.push((vehicle, fix)),
        None => metrics.unbound.inc(),
    }
}

/// The event time by which a fix finds its vehicle; one without a time counts from its receipt.
const fn event_time(fix: &Fix) -> Timestamp {
    if fix.is_dated() { fix.time } else { fix.received }
}

/// The same vehicle always falls to the same lane.
pub(crate) fn lane_of(vehicle: VehicleId, lanes: usize) -> usize {
    let mixed = vehicle.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    (mixed % lanes as u64) as usize
}

/// The fixes by lane, in journal order.
fn split(fixes: Vec<Placed>, lanes: usize) -> Vec<Vec<Placed>> {
    if lanes == 1 {
        return vec![fixes];
    }
    let mut by_lane: Vec<Vec<Placed>> = (0..lanes).map(|_| Vec::with_capacity(fixes.len() / lanes)).collect();
    for placed in fixes {
        let lane = lane_of(placed.0, lanes);
        by_lane[lane].push(placed);
    }
    by_lane
}

pub(crate) fn build_zones(registry: &Registry) -> Zones {
    report_broken(Zones::build(registry))
}

fn report_broken(zones: Zones) -> Zones {
    for (id, revision, reason) in zones.broken() {
        tracing::error!(zone = %id, revision, reason, "a zone cannot be used");
    }
    zones
}
