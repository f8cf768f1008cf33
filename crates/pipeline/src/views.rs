//! The last stage: one task that writes to the store, and what readers may know of the pipeline.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::{Duration, Instant};

use model::{LivePosition, Position, Registry, Timestamp, VehicleId};
use parking_lot::{Mutex, RwLock};
use store::{Checkpoint, Store, VehicleState, Writes};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::metrics::Metrics;
use crate::rejudge::Job;

/// What the stages before send to the writing task.
pub(crate) enum ToViews {
    /// A source (a lane, or the dispatcher, counted after the lanes) has passed an envelope. The jobs are handed on
    /// when all of its writes up to here are done: judging again compares with them.
    Applied { source: usize, seq: u64, writes: Writes, jobs: Vec<Job> },
    /// A lane's part of the checkpoint.
    LaneCut {
        states: Vec<VehicleState>,
        segment_states: Vec<(VehicleId, Timestamp, Vec<u8>)>,
        void_states: Vec<(VehicleId, Timestamp, Timestamp)>,
        /// Vehicles with late fixes that wait to be judged.
        waiting: Vec<VehicleId>,
    },
    /// The dispatcher's part of the checkpoint; it comes before those of the lanes, or after.
    Cut { position: Position, control_seq: u64, blobs: Vec<(String, Vec<u8>)> },
}

/// Under which name a checkpoint keeps the hash of the envelope at its position.
pub(crate) const HEAD_BLOB: &str = "journal_head";
/// Under which name it keeps the messages of which parts are missing.
pub(crate) const ASSEMBLIES_BLOB: &str = "assemblies";
/// Under which name it keeps the vehicles with late fixes that wait to be judged, 8 bytes each.
pub(crate) const WAITING_BLOB: &str = "waiting";

/// Under which name it keeps what was recorded of zones and waits for the next tick.
pub(crate) const AGAIN_BLOB: &str = "again";

/// Live positions, lossy: the newest few thousand.
#[derive(Default)]
pub(crate) struct Live(Mutex<Ring>);

#[derive(Default)]
struct Ring {
    next: u64,
    positions: VecDeque<LivePosition>,
}

const RING: usize = 8192;

impl Live {
    pub(crate) fn push(&self, positions: Vec<LivePosition>) {
        if positions.is_empty() {
            return;
        }
        let mut ring = self.0.lock();
        ring.next += positions.len() as u64;
        ring.positions.extend(positions);
        let excess = ring.positions.len().saturating_sub(RING);
        ring.positions.drain(..excess);
    }

    pub(crate) fn since(&self, cursor: u64) -> (Vec<LivePosition>, u64) {
        let ring = self.0.lock();
        let next = ring.next + 1;
        if cursor == 0 {
            return (Vec::new(), next);
        }
        let behind = usize::try_from(next.saturating_sub(cursor)).unwrap_or(usize::MAX);
        let skip = ring.positions.len().saturating_sub(behind);
        (ring.positions.iter().skip(skip).cloned().collect(), next)
    }
}

/// What the stages share. Its senders live as long as a stage does: readers learn from them that all have stopped.
pub(crate) struct Shared {
    pub live: Arc<Live>,
    pub registry: Arc<RwLock<Arc<Registry>>>,
    /// Envelope of the last committed checkpoint; the dispatcher begins none while one is under way.
    pub checkpointed: watch::Sender<u64>,
    pub applied: watch::Sender<u64>,
    /// Moves when an effect or a command was written: the dispatcher of commands has something to look at.
    pub work: watch::Sender<u64>,
    /// Envelope at which the last checkpoint was cut; equal to `checkpointed` when none is under way.
    pub cut: Mutex<u64>,
    /// Somebody wants a checkpoint before the next one is due.
    pub asked: AtomicBool,
    /// Vehicles that are being judged again.
    pub rejudging: AtomicUsize,
}

pub(crate) struct Writer {
    pub store: Store,
    pub metrics: Metrics,
    pub shared: Arc<Shared>,
    /// How far each source is: the lanes, then the dispatcher.
    pub passed: Vec<u64>,
    /// Who judges again, by lane.
    pub benches: Vec<std::sync::mpsc::Sender<Job>>,
    pub pending: Pending,
    /// The checkpoint that is being committed, beside the facts that go on being written.
    pub committing: Option<JoinHandle<()>>,
}

/// A checkpoint that is being gathered.
#[derive(Default)]
pub(crate) struct Pending {
    checkpoint: Checkpoint,
    waiting: Vec<VehicleId>,
    lanes: usize,
    began: Option<Instant>,
    has_position: bool,
}

/// How many messages are taken at once, to write their rows in one transaction.
const DRAIN: usize = 256;

/// Waits between tries when the store refuses: doubled each time, up to a second.
pub(crate) struct Patience(Duration);

impl Patience {
    pub(crate) const fn new() -> Self {
        Self(Duration::from_millis(30))
    }

    /// How long to wait this time.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(Duration::from_secs(1));
        wait
    }
}

impl Writer {
    pub(crate) async fn run(mut self, mut input: mpsc::Receiver<ToViews>) {
        let mut messages = Vec::with_capacity(DRAIN);
        while input.recv_many(&mut messages, DRAIN).await > 0 {
            let mut writes = Writes::default();
            let mut passed = self.passed.clone();
            let mut cuts = Vec::new();
            let mut to_do = Vec::new();
            for message in messages.drain(..) {
                match message {
                    ToViews::Applied { source, seq, writes: more, jobs } => {
                        merge(&mut writes, more);
                        to_do.extend(jobs.into_iter().map(|job| (source, job)));
                        passed[source] = seq;
                    }
                    cut => cuts.push(cut),
                }
            }
            if !writes.is_empty() {
                let is_work = !writes.effects.is_empty() || !writes.commands.is_empty();
                self.write(writes).await;
                if is_work {
                    self.shared.work.send_modify(|count| *count += 1);
                }
            }
            for (source, job) in to_do {
                // It is gone only when the lane is.
                if let Some(bench) = self.benches.get(source) {
                    let _ = bench.send(job);
                }
            }
            self.passed = passed;
            self.publish();
            for cut in cuts {
                self.gather(cut);
            }
        }
        if let Some(committing) = self.committing.take() {
            let _ = committing.await;
        }
    }

    fn publish(&self) {
        let applied = self.passed.iter().copied().min().unwrap_or(0);
        self.metrics.applied_seq.set(i64::try_from(applied).unwrap_or(i64::MAX));
        self.shared.applied.send_if_modified(|current| {
            let moved = *current < applied;
            *current = applied.max(*current);
            moved
        });
    }

    async fn write(&self, writes: Writes) {
        let mut patience = Patience::new();
        while let Err(error) = self.store.write(writes.clone()).await {
            tracing::error!(error = %model::Chain(&error), "cannot write facts; trying again");
            self.metrics.store_errors.inc();
            tokio::time::sleep(patience.next()).await;
        }
    }

    fn gather(&mut self, cut: ToViews) {
        let pending = &mut self.pending;
        pending.began.get_or_insert_with(Instant::now);
        match cut {
            ToViews::LaneCut { states, segment_states, void_states, waiting } => {
                pending.checkpoint.void_states.extend(void_states);
                pending.waiting.extend(waiting);
                pending.checkpoint.states.extend(states);
                pending.checkpoint.segment_states.extend(segment_states);
                pending.lanes += 1;
            }
            ToViews::Cut { position, control_seq, blobs } => {
                pending.checkpoint.position = position;
                pending.checkpoint.control_seq = control_seq;
                pending.checkpoint.blobs = blobs;
                pending.has_position = true;
            }
            ToViews::Applied { .. } => {}
        }
        let lanes = self.passed.len() - 1;
        if pending.lanes == lanes && pending.has_position {
            let Pending { mut checkpoint, began, mut waiting, .. } = std::mem::take(pending);
            waiting.sort_unstable();
            let waiting = waiting.iter().flat_map(|vehicle| vehicle.0.to_be_bytes()).collect();
            checkpoint.blobs.push((WAITING_BLOB.to_owned(), waiting));
            // On its own: a checkpoint may compact for seconds, and facts and answers must not wait for that. The
            // dispatcher cuts no other one before this one is committed.
            let (store, metrics, shared) = (self.store.clone(), self.metrics.clone(), self.shared.clone());
            self.committing = Some(tokio::spawn(commit(store, metrics, shared, checkpoint, began)));
        }
    }
}

async fn commit(store: Store, metrics: Metrics, shared: Arc<Shared>, checkpoint: Checkpoint, began: Option<Instant>) {
    let seq = checkpoint.position.seq;
    let mut patience = Patience::new();
    while let Err(error) = store.checkpoint(checkpoint.clone()).await {
        tracing::error!(error = %model::Chain(&error), "cannot commit the checkpoint; trying again");
        metrics.store_errors.inc();
        tokio::time::sleep(patience.next()).await;
    }
    if let Some(began) = began {
        metrics.checkpoint_seconds.observe(began.elapsed().as_secs_f64());
    }
    metrics.checkpoint_seq.set(i64::try_from(seq).unwrap_or(i64::MAX));
    shared.checkpointed.send_replace(seq);
}

fn merge(into: &mut Writes, more: Writes) {
    into.facts.extend(more.facts);
    into.effects.extend(more.effects);
    into.settlements.extend(more.settlements);
    into.strangers.extend(more.strangers);
    into.commands.extend(more.commands);
}
