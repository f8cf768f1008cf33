//! Starting, catching up and stopping.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use journal::{Batch, Disk, ReadError, Reader, RealDisk};
use model::{LivePosition, Registry, Scope};
use parking_lot::{Mutex, RwLock};
use store::{Store, StoreError};
use tokio::sync::{mpsc, watch};

use crate::commands::Commands;
use crate::dispatch::{Dispatcher, build_zones};
use crate::lane::{Judging, Lane, ToLane};
use crate::metrics::Metrics;
use crate::strangers::Strangers;
use crate::views::{Live, Pending, Shared, ToViews, Writer};

/// How the pipeline runs.
#[derive(Clone)]
pub struct Options {
    /// The folder of the journal.
    pub journal: PathBuf,
    /// The file system that it lies on.
    pub disk: Arc<dyn Disk>,
    /// How many lanes judge side by side.
    pub lanes: usize,
    /// A checkpoint is made when the last one is this old (views do not depend on where it falls).
    pub checkpoint_every: Duration,
    /// A checkpoint is made when this many fixes are in memory.
    pub checkpoint_fixes_max: usize,
}

impl Options {
    /// The usual ones for a journal on the machine's own disk.
    #[must_use]
    pub fn new(journal: PathBuf) -> Self {
        Self {
            journal,
            disk: Arc::new(RealDisk),
            lanes: 1,
            checkpoint_every: Duration::from_secs(5),
            checkpoint_fixes_max: 500_000,
        }
    }
}

/// Why the pipeline cannot run.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The store refuses.
    #[error("the views cannot be used")]
    Store(#[from] StoreError),
    /// The journal cannot be read.
    #[error("the journal cannot be read")]
    Journal(#[from] ReadError),
    /// A thread cannot be started.
    #[error("a thread cannot be started")]
    Thread(#[from] std::io::Error),
    /// It stopped before it was done.
    #[error("the pipeline stopped before the end of the journal")]
    Stopped,
}

/// What readers may know of the pipeline.
#[derive(Clone)]
pub struct Views {
    shared: Arc<Shared>,
    applied: watch::Receiver<u64>,
}

impl Views {
    /// The registry that is in force at the head of the pipeline.
    #[must_use]
    pub fn registry(&self) -> Arc<Registry> {
        self.shared.registry.read().clone()
    }

    /// The last envelope that all views reflect.
    #[must_use]
    pub fn applied(&self) -> u64 {
        *self.applied.borrow()
    }

    /// The last envelope that a committed checkpoint holds.
    #[must_use]
    pub fn checkpointed(&self) -> u64 {
        *self.shared.checkpointed.borrow()
    }

    /// Returns when all views reflect the envelope; `false` when the pipeline has stopped before.
    pub async fn wait_applied(&self, seq: u64) -> bool {
        self.applied.clone().wait_for(|applied| *applied >= seq).await.is_ok()
    }

    /// Told of every envelope that the views have taken in.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.shared.applied.subscribe()
    }

    /// Moves when an effect or a command was written.
    #[must_use]
    pub fn watch_work(&self) -> watch::Receiver<u64> {
        self.shared.work.subscribe()
    }

    /// Live positions since `cursor` (0: from now on), and the next cursor. Lossy.
    #[must_use]
    pub fn positions(&self, cursor: u64) -> (Vec<LivePosition>, u64) {
        self.shared.live.since(cursor)
    }
}

/// A pipeline that runs.
pub struct Handle {
    /// What readers may know of it.
    pub views: Views,
    dispatcher: JoinHandle<Result<(), PipelineError>>,
    lanes: Vec<JoinHandle<()>>,
    writer: tokio::task::JoinHandle<()>,
}

impl Handle {
    /// Waits until the feed has ended and everything is in a checkpoint.
    ///
    /// # Errors
    /// When it stopped before.
    pub async fn finish(self) -> Result<(), PipelineError> {
        let joined = tokio::task::spawn_blocking(move || {
            let outcome = self.dispatcher.join();
            for lane in self.lanes {
                let _ = lane.join();
            }
            outcome
        });
        let outcome = joined.await.ok().and_then(Result::ok).unwrap_or(Err(PipelineError::Stopped));
        let _ = self.writer.await;
        outcome
    }
}

/// Starts the pipeline: from the last checkpoint through the journal, then on with the feed. Without a feed it ends
/// at the end of the journal. Must be called in a runtime.
///
/// # Errors
/// When the checkpoint or the journal cannot be read.
pub async fn start(
    options: Options,
    store: Store,
    feed: Option<Receiver<Batch>>,
    metrics: Metrics,
) -> Result<Handle, PipelineError> {
    let recovered = store.recovery().await?.unwrap_or_default();
    let mut registry = Registry::default();
    for record in journal::read_control(&*options.disk, &options.journal).map_err(ReadError::from)? {
        if record.seq <= recovered.control_seq {
            registry.apply(&record);
        }
    }
    let after = recovered.position.seq;
    let reader = Reader::open(options.disk.clone(), &options.journal, after, recovered.control_seq)?;
    let mut commands = Commands::default();
    commands.load(store.open_commands().await?);
    let mut strangers = Strangers::default();
    strangers.load(store.strangers(Scope::All, None, 1000).await?.items);

    let (applied, applied_seen) = watch::channel(after);
    let shared = Arc::new(Shared {
        live: Live::default(),
        registry: RwLock::new(Arc::new(registry.clone())),
        checkpointed: watch::Sender::new(after),
        applied,
        work: watch::Sender::new(0),
        cut: Mutex::new(after),
    });
    let (to_views, views_input) = mpsc::channel(256);
    let lanes = options.lanes.max(1);
    let runtime = tokio::runtime::Handle::current();
    let (senders, lane_threads) = start_lanes(lanes, &store, &runtime, &metrics, &shared, &to_views)?;
    let writer = Writer {
        store,
        metrics: metrics.clone(),
        shared: shared.clone(),
        passed: vec![after; lanes + 1],
        pending: Pending::default(),
    };
    let writer = tokio::spawn(writer.run(views_input));
    let judging = Arc::new(Judging { registry: Arc::new(registry.clone()), zones: Arc::new(build_zones(&registry)) });
    let dispatcher = Dispatcher {
        lanes: senders,
        views: to_views,
        shared: shared.clone(),
        metrics,
        registry,
        judging,
        commands,
        strangers,
        checkpoint_every: options.checkpoint_every,
        checkpoint_fixes_max: options.checkpoint_fixes_max,
        last_seq: after,
        fixes_since_cut: 0,
        last_cut: Instant::now(),
        is_live: false,
        held_back: Vec::new(),
        overtaken: Vec::new(),
        live_fixes: 0,
    };
    let dispatcher = std::thread::Builder::new()
        .name("dispatch".into())
        .spawn(move || dispatch(dispatcher, reader, feed, &runtime))?;
    let views = Views { shared, applied: applied_seen };
    Ok(Handle { views, dispatcher, lanes: lane_threads, writer })
}

type Lanes = (Vec<SyncSender<ToLane>>, Vec<JoinHandle<()>>);

fn start_lanes(
    lanes: usize,
    store: &Store,
    runtime: &tokio::runtime::Handle,
    metrics: &Metrics,
    shared: &Arc<Shared>,
    to_views: &mpsc::Sender<ToViews>,
) -> Result<Lanes, PipelineError> {
    let mut started = Lanes::default();
    for index in 0..lanes {
        let (sender, input) = sync_channel(16);
        let lane = Lane::new(index, store.clone(), runtime.clone(), metrics.clone(), shared.clone(), to_views.clone());
        started.1.push(std::thread::Builder::new().name(format!("lane-{index}")).spawn(move || lane.run(&input))?);
        started.0.push(sender);
    }
    Ok(started)
}

fn dispatch(
    mut dispatcher: Dispatcher,
    mut reader: Reader,
    feed: Option<Receiver<Batch>>,
    runtime: &tokio::runtime::Handle,
) -> Result<(), PipelineError> {
    let stopped = |_| PipelineError::Stopped;
    while let Some(batch) = reader.next_batch()? {
        dispatcher.take(&batch).map_err(stopped)?;
        if dispatcher.cut_is_due() {
            dispatcher.cut().map_err(stopped)?;
        }
    }
    drop(reader);
    dispatcher.is_live = true;
    for batch in feed.into_iter().flatten() {
        dispatcher.take(&batch).map_err(stopped)?;
        if dispatcher.cut_is_due() {
            dispatcher.cut().map_err(stopped)?;
        }
    }
    let shared = dispatcher.shared.clone();
    let wait = |seq: u64| {
        let mut checkpointed = shared.checkpointed.subscribe();
        runtime.block_on(async { checkpointed.wait_for(|done| *done >= seq).await.is_ok() })
    };
    let under_way = *shared.cut.lock();
    if !wait(under_way) {
        return Err(PipelineError::Stopped);
    }
    if dispatcher.last_seq > under_way {
        dispatcher.cut().map_err(stopped)?;
        if !wait(dispatcher.last_seq) {
            return Err(PipelineError::Stopped);
        }
    }
    Ok(())
}

/// Brings the views of a folder to the end of its journal, without a server: the recovery that a start would do.
///
/// # Errors
/// When the checkpoint or the journal cannot be read.
pub async fn catch_up(options: Options, store: Store, metrics: Metrics) -> Result<u64, PipelineError> {
    let handle = start(options, store, None, metrics).await?;
    let views = handle.views.clone();
    handle.finish().await?;
    Ok(views.applied())
}
