//! Compaction: segments become chunks of one vehicle and one day, beside everything else.
//!
//! A thread of its own, the keeper, runs it in two ways. The calm way moves what is worth it, in steps of one bucket
//! ([`bucket`]) with a pause after each transaction, and lets a second thread of the lowest priority compute: it gets what
//! the machine has left. When more lies in segments than is allowed, the pressed way computes at the usual priority,
//! without pauses and down to the last fix, until that is no longer so. All SQL runs at the usual priority: a transaction
//! that nobody lets finish would hold up the others. A bucket is worked on in one way at a time.
//!
//! The keeper also copies the database's log back after checkpoints ([`keep`]).
//!
//! When it runs depends on the clock and the load; what comes out does not: the same fixes, each once.

mod bucket;
mod plan;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{Notify, RwLock, RwLockWriteGuard, watch};

use crate::sqlite::{Db, keep, segments};
use crate::{Options, StoreError};
use bucket::Aim;

/// Lowest priority that there is.
const NICE: i32 = 19;
/// Buckets that got nothing in so many rounds are done with: they leave for chunks however few they are.
const IDLE_ROUNDS: usize = 16;
/// After every transaction of the calm way.
const PAUSE: Duration = Duration::from_millis(5);
/// After a failure.
const RETRY: Duration = Duration::from_secs(5);
/// How long a checkpoint waits at most for a backlog that is twice what is allowed.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// With more voids than this, every segment but the newest is done away with, so that they can be forgotten.
const VOIDS_MAX: u64 = 10_000;

/// What the threads and the store share.
pub(crate) struct Shared {
    pub(crate) db: Db,
    options: Options,
    /// Bytes in segments.
    backlog: AtomicU64,
    /// The newest segments of the rounds before, oldest first.
    rounds: parking_lot::Mutex<VecDeque<i64>>,
    /// Buckets that somebody works on.
    busy: parking_lot::Mutex<BTreeSet<i64>>,
    released: Notify,
    /// Held for reading while chunks are rewritten, for writing while old ones are deleted.
    chunks: RwLock<()>,
    wake_calm: Notify,
    wake_keeper: Notify,
    /// The backlog has shrunk.
    shrunk: Notify,
    /// How often it has.
    moves: AtomicU64,
    stop: AtomicBool,
    /// To the thread of the lowest priority.
    calm_work: std::sync::mpsc::Sender<Work>,
    /// Checkpoints so far, and how many of them the calm way has dealt with.
    committed: AtomicU64,
    settled: watch::Sender<u64>,
}

type Work = Box<dyn FnOnce() + Send>;

/// How, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// When there is nothing else to do: what is worth it.
    Calm,
    /// Before everything else: all, until the backlog is small enough.
    Pressed,
    /// Because somebody waits for it: all.
    Asked,
}

/// A bucket in somebody's hands.
struct Held<'a> {
    shared: &'a Shared,
    bucket: i64,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.shared.busy.lock().remove(&self.bucket);
        self.shared.released.notify_waiters();
    }
}

impl Shared {
    fn new(db: Db, options: Options, backlog: u64, calm_work: std::sync::mpsc::Sender<Work>) -> Self {
        Self {
            calm_work,
            db,
            options,
            backlog: AtomicU64::new(backlog),
            rounds: parking_lot::Mutex::default(),
            busy: parking_lot::Mutex::default(),
            released: Notify::new(),
            chunks: RwLock::default(),
            wake_calm: Notify::new(),
            wake_keeper: Notify::new(),
            shrunk: Notify::new(),
            moves: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            committed: AtomicU64::new(1),
            settled: watch::Sender::new(0),
        }
    }

    fn is_pressed(&self) -> bool {
        self.backlog.load(Ordering::Relaxed) > self.options.backlog_bytes_max
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Lets others at the database, unless somebody waits.
    async fn pause(&self, kind: Round) {
        if kind == Round::Calm && !self.is_pressed() {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Counts what left segments and what came back.
    fn shrink(&self, gone: u64, back: u64) {
        let less = gone.saturating_sub(back);
        let _ = self.backlog.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| Some(now.saturating_sub(less)));
        self.moves.fetch_add(1, Ordering::Relaxed);
        self.shrunk.notify_waiters();
    }

    fn hold(&self, bucket: i64) -> Option<Held<'_>> {
        let is_free = self.busy.lock().insert(bucket);
        // Not before: dropping it releases the bucket.
        is_free.then(|| Held { shared: self, bucket })
    }

    /// Computes as the kind of round demands.
    async fn compute<T: Send + 'static>(
        &self,
        kind: Round,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        if kind != Round::Calm {
            return blocking(work).await;
        }
        let (done, result) = tokio::sync::oneshot::channel();
        let ended = |_| StoreError::Refused("the store is closing");
        self.calm_work.send(Box::new(move || drop(done.send(work())))).map_err(|_| ended(()))?;
        result.await.map_err(|_| ended(()))
    }

    /// Waits for the bucket where everything is to be done; passes it over where somebody else is at it.
    async fn take(&self, bucket: i64, kind: Round) -> Option<Held<'_>> {
        loop {
            let released = self.released.notified();
            match self.hold(bucket) {
                None if kind == Round::Asked => released.await,
                held => return held,
            }
        }
    }

    /// One round over all buckets.
    ///
    /// # Errors
    /// The first bucket's error; the others were compacted all the same.
    async fn round(&self, kind: Round) -> Result<(), StoreError> {
        let (Some(last), _) = segments::newest(&self.db, 0).await? else { return Ok(()) };
        let idle = {
            let rounds = self.rounds.lock();
            rounds.front().copied().filter(|_| rounds.len() == IDLE_ROUNDS).unwrap_or(0)
        };
        let whole = segments::void_count(&self.db).await? > VOIDS_MAX;
        let aim = Aim { last, idle, whole, kind };
        let mut outcome = Ok(());
        for bucket in segments::buckets_up_to(&self.db, last).await? {
            // Under pressure the pressed way takes over; without, it leaves the rest to the calm one.
            let is_over = (kind == Round::Pressed) != self.is_pressed() && kind != Round::Asked;
            if is_over || self.is_stopped() {
                return outcome;
            }
            let Some(held) = self.take(bucket, kind).await else { continue };
            if let Err(error) = self.bucket(bucket, aim).await {
                tracing::error!(bucket, error = %model::Chain(&error), "cannot compact");
                outcome = outcome.and(Err(error));
            }
            drop(held);
            if kind == Round::Pressed {
                keep::copy_log(&self.db).await?;
            } else {
                self.wake_keeper.notify_one();
            }
        }
        segments::drop_empty(&self.db, last).await?;
        let mut rounds = self.rounds.lock();
        rounds.push_back(last);
        let excess = rounds.len().saturating_sub(IDLE_ROUNDS);
        rounds.drain(..excess);
        outcome
    }

    async fn bucket(&self, bucket: i64, aim: Aim) -> Result<(), StoreError> {
        while Box::pin(bucket::step(self, bucket, aim)).await? && !self.is_stopped() {
            self.pause(aim.kind).await;
        }
        Ok(())
    }

    /// Whether enough segments have gathered for a round.
    async fn is_due(&self) -> Result<bool, StoreError> {
        let before = self.rounds.lock().back().copied().unwrap_or(0);
        let (_, fresh) = segments::newest(&self.db, before).await?;
        Ok(fresh >= self.options.segments_max.max(1) && !self.is_pressed())
    }

    async fn calm(&self) {
        while !self.is_stopped() {
            let committed = self.committed.load(Ordering::Acquire);
            let outcome = match self.is_due().await {
                Ok(true) => self.round(Round::Calm).await.map(|()| true),
                Ok(false) => keep::give_back(&self.db).await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(true) => self.pause(Round::Calm).await,
                Ok(false) => {
                    self.settled.send_replace(committed);
                    self.wake_calm.notified().await;
                }
                Err(error) => {
                    tracing::warn!(error = %model::Chain(&error), "compaction is put off");
                    self.settled.send_replace(committed);
                    self.rest(&self.wake_calm).await;
                }
            }
        }
    }

    async fn keeper(&self) {
        while !self.is_stopped() {
            // What is released from here on is not missed.
            let released = self.released.notified();
            let moves = self.moves.load(Ordering::Relaxed);
            let outcome = match keep::copy_log(&self.db).await {
                Ok(()) if self.is_pressed() => self.round(Round::Pressed).await,
                outcome => outcome,
            };
            match outcome {
                Ok(()) if self.is_pressed() && self.moves.load(Ordering::Relaxed) != moves => {}
                // Others hold all that is left: until they are done with it, or more comes.
                Ok(()) if self.is_pressed() => tokio::select! {
                    () = released => {}
                    () = self.wake_keeper.notified() => {}
                },
                Ok(()) => self.wake_keeper.notified().await,
                Err(error) => {
                    tracing::warn!(error = %model::Chain(&error), "the views database cannot be kept in order");
                    self.rest(&self.wake_keeper).await;
                }
            }
        }
    }

    /// After a failure: until the next try, or a stop.
    async fn rest(&self, wake: &Notify) {
        let stopped = async {
            while !self.is_stopped() {
                wake.notified().await;
            }
        };
        let _ = tokio::time::timeout(RETRY, stopped).await;
    }
}

/// The two threads; they end when this is dropped.
pub(crate) struct Compactor {
    shared: Arc<Shared>,
    threads: parking_lot::Mutex<Vec<JoinHandle<()>>>,
}

impl Compactor {
    pub(crate) async fn start(db: Db, options: Options) -> Result<Self, StoreError> {
        let backlog = segments::backlog(&db).await?;
        let (calm_work, calm_works) = std::sync::mpsc::channel::<Work>();
        let shared = Arc::new(Shared::new(db, options, backlog, calm_work));
        let compactor = Self { shared: Arc::clone(&shared), threads: parking_lot::Mutex::default() };
        compactor.spawn("store-compact", move || {
            lower_priority();
            calm_works.into_iter().for_each(|work| work());
        })?;
        let failed = |e| StoreError::Engine { doing: "start a thread of the store", source: Box::new(e) };
        // A runtime of its own, so that neither waits for the server's work nor the server for its.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(failed)?;
        compactor.spawn("store-keeper", move || {
            runtime.block_on(async { tokio::join!(shared.calm(), shared.keeper()) });
        })?;
        Ok(compactor)
    }

    fn spawn(&self, name: &'static str, work: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
        let failed = |e| StoreError::Engine { doing: "start a thread of the store", source: Box::new(e) };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(failed)?;
        self.threads.lock().push(thread);
        Ok(())
    }

    /// A checkpoint has put so many bytes into a segment.
    pub(crate) fn committed(&self, bytes: u64) {
        self.shared.backlog.fetch_add(bytes, Ordering::Relaxed);
        self.shared.committed.fetch_add(1, Ordering::Release);
        self.wake();
    }

    /// Bytes in segments.
    pub(crate) fn backlog(&self) -> u64 {
        self.shared.backlog.load(Ordering::Relaxed)
    }

    /// Waits while the backlog is twice what is allowed, but not for ever: what cannot be compacted holds up nobody.
    pub(crate) async fn wait_for_room(&self) {
        let most = self.shared.options.backlog_bytes_max.saturating_mul(2);
        let room = async {
            loop {
                let shrunk = self.shared.shrunk.notified();
                if self.backlog() <= most {
                    return;
                }
                shrunk.await;
            }
        };
        if tokio::time::timeout(WAIT_MAX, room).await.is_err() {
            tracing::warn!(bytes = self.backlog(), "compaction cannot keep up; going on without it");
        }
    }

    pub(crate) fn db(&self) -> &Db {
        &self.shared.db
    }

    /// No chunk is rewritten while the guard lives.
    pub(crate) async fn exclude_moves(&self) -> RwLockWriteGuard<'_, ()> {
        self.shared.chunks.write().await
    }

    /// Computes at the lowest priority.
    pub(crate) async fn compute_calmly<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        self.shared.compute(Round::Calm, work).await
    }

    /// Lets others at the database.
    pub(crate) async fn pause(&self) {
        self.shared.pause(Round::Calm).await;
    }

    /// Looks whether there is anything to do.
    pub(crate) fn wake(&self) {
        self.shared.wake_calm.notify_one();
        self.shared.wake_keeper.notify_one();
    }

    /// Moves everything into chunks.
    pub(crate) async fn compact(&self) -> Result<(), StoreError> {
        self.shared.round(Round::Asked).await
    }

    /// Waits until compaction has dealt with all checkpoints so far, or has put them off after a failure.
    pub(crate) async fn settled(&self) {
        let committed = self.shared.committed.load(Ordering::Acquire);
        let mut settled = self.shared.settled.subscribe();
        let _ = settled.wait_for(|settled| *settled >= committed).await;
    }

    fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Ends the keeper after the transaction that it is at; the other ends with the last handle to the store.
    pub(crate) async fn close(&self) {
        self.stop();
        let keeper = self.threads.lock().pop();
        let _ = blocking(move || keeper.map(JoinHandle::join).map(drop)).await;
    }
}

impl Drop for Compactor {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Lowers the priority of the calling thread, and of those that it starts. Elsewhere than on Linux that would be the
/// whole process.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "compaction runs at the usual priority");
    }
}

/// Runs work that computes off the threads that serve.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.map_err(|e| StoreError::Engine { doing: "finish a computation", source: Box::new(e) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::segment::bucket;
    use crate::{Checkpoint, Store};
    use model::{Fix, Marks, Position, RecordRef, TerminalId, Timestamp, VehicleId};

    fn fix(seconds: i64) -> Fix {
        let time = Timestamp::from_secs(seconds);
        Fix {
            terminal: TerminalId::from_wire(&[7]),
            time,
            received: time,
            source: RecordRef { position: Position { shard: 0, seq: 1 }, index: 0, item: 0 },
            alarm: 0,
            status: 3,
            lat_wire: 32_050_000,
            lon_wire: 118_790_000,
            altitude_wire: 15,
            speed_dkmh: 600,
            direction_deg: 0,
            time_bcd: [0; 6],
            mileage_hm: None,
            items: Box::default(),
            marks: Marks::default(),
        }
    }

    /// Counted are rounds, not time: none follows one that found nothing to do.
    #[tokio::test]
    async fn what_others_hold_is_waited_for_and_not_asked_for_again_and_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), 1).await.unwrap();
        store.push_fixes(0, (0..50).map(|n| (VehicleId(7), fix(n))).collect());
        store.cut(0);
        let position = Position { shard: 0, seq: 1 };
        store.checkpoint(Checkpoint { position, ..Checkpoint::default() }).await.unwrap();
        store.close().await;

        let options = Options { backlog_bytes_max: 0, ..Options::default() };
        let db = crate::sqlite::views::open(dir.path(), &options).await.unwrap();
        let backlog = segments::backlog(&db).await.unwrap();
        let (calm_work, _calm_works) = std::sync::mpsc::channel();
        let shared = Shared::new(db, options, backlog, calm_work);
        let held = shared.hold(bucket(VehicleId(7))).unwrap();
        let keeper = shared.keeper();
        tokio::pin!(keeper);
        let while_held = tokio::time::timeout(Duration::from_millis(300), &mut keeper).await;
        assert!(while_held.is_err() && shared.is_pressed());
        assert!(shared.rounds.lock().len() <= 1, "{:?}", shared.rounds.lock());
        drop(held);
        let moved = async {
            while shared.is_pressed() {
                shared.shrunk.notified().await;
            }
        };
        tokio::select! {
            () = &mut keeper => panic!("nobody stopped it"),
            () = moved => {}
        }
        assert_eq!(shared.backlog.load(Ordering::Relaxed), 0);
    }
}
