//! Starting, catching up and stopping.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use journal::{Batch, Disk, ReadError, Reader, RealDisk};
use model::{Position, Registry, Scope, VehicleId};
use parking_lot::{Mutex, RwLock};
use store::{Store, StoreError};
use tokio::sync::{mpsc, watch};

use crate::again::Gathered;
use crate::assemblies::Assemblies;
use crate::assemblies_codec::AssembliesError;
use crate::bindings::Bindings;
use crate::commands::Commands;
use crate::dispatch::{Dispatcher, Stopped, build_zones, lane_of};
use crate::handle::{Handle, Views};
use crate::lane::{Judging, Lane, ToLane, Tools};
use crate::metrics::Metrics;
use crate::rejudge::Job;
use crate::residents::IDLE_US;
use crate::strangers::{STRANGERS_MAX, Strangers};
use crate::views::{AGAIN_BLOB, ASSEMBLIES_BLOB, HEAD_BLOB, Pending, Shared, WAITING_BLOB, Writer};

/// How often it is looked whether a checkpoint was asked for, while nothing comes.
const LOOK: Duration = Duration::from_millis(100);

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
    /// A vehicle without a fix for this long, in the time of the journal, leaves memory (views do not depend on it).
    pub idle: Duration,
}

impl From<Stopped> for PipelineError {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
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
            idle: Duration::from_micros(IDLE_US.unsigned_abs()),
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
    /// The checkpoint is damaged.
    #[error("the views cannot be continued; remove views.db to make them anew")]
    Assemblies(#[from] AssembliesError),
    /// The checkpoint is damaged.
    #[error("what waits to be judged again cannot be read; remove views.db to make the views anew")]
    Again(#[from] prost::DecodeError),
    /// A thread cannot be started.
    #[error("a thread cannot be started")]
    Thread(#[from] std::io::Error),
    /// The views are of another journal, or of more than there is.
    #[error(
        "the views were made from a journal that this one does not continue (envelope {seq}): a restored backup? \
         Remove views.db to make them anew"
    )]
    NotThisJournal {
        /// Where the views are.
        seq: u64,
    },
    /// It stopped before it was done.
    #[error("the pipeline stopped before the end of the journal")]
    Stopped,
}

/// What a journal that is being written gives: its batches from now on, and where it stood when it was opened.
pub type Feed = (Receiver<Batch>, Position);

/// Starts the pipeline: from the last checkpoint through the journal, then on with the feed. Without a feed it ends
/// at the end of the journal. Must be called in a runtime.
///
/// # Errors
/// When the checkpoint or the journal cannot be read, or the views are not of this journal.
pub async fn start(
    options: Options,
    store: Store,
    feed: Option<Feed>,
    metrics: Metrics,
) -> Result<Handle, PipelineError> {
    let recovered = store.recovery().await?.unwrap_or_default();
    let after = recovered.position.seq;
    let last_hash = check_same_journal(&options, &recovered, feed.as_ref().map(|(_, position)| *position))?;
    // Judging again compares with the facts that stood at that place in the journal.
    store.rewind().await?;
    let waiting = waiting(&recovered.blobs);
    let gathered = gathered(&recovered.blobs)?;
    let registry = registry_at(&options, recovered.control_seq)?;
    let until = feed.as_ref().map_or(u64::MAX, |(_, position)| position.seq);
    let reader = Reader::open(options.disk.clone(), &options.journal, after, until, recovered.control_seq)?;
    let Remembered { commands, strangers, assemblies } = remember(&store, recovered.blobs).await?;
    let (shared, views) = share(after, &registry);
    let (to_views, views_input) = mpsc::channel(256);
    let lanes = options.lanes.max(1);
    let runtime = tokio::runtime::Handle::current();
    let (senders, lane_threads, benches) = start_lanes(lanes, after, &waiting, || Tools {
        store: store.clone(),
        runtime: runtime.clone(),
        metrics: metrics.clone(),
        shared: shared.clone(),
        views: to_views.clone(),
        has_states: after > 0,
        idle_us: i64::try_from(options.idle.as_micros()).unwrap_or(i64::MAX),
    })?;
    let writer = Writer {
        store: store.clone(),
        metrics: metrics.clone(),
        shared: shared.clone(),
        passed: vec![after; lanes + 1],
        benches,
        pending: Pending::default(),
        committing: None,
    };
    let writer = tokio::spawn(writer.run(views_input));
    let zones = Arc::new(build_zones(&registry));
    let dispatcher = Dispatcher {
        store,
        runtime: runtime.clone(),
        lanes: senders,
        views: to_views,
        shared,
        metrics,
        judging: Arc::new(Judging { registry: Arc::new(registry.clone()), zones }),
        registry,
        bindings: Bindings::default(),
        assemblies,
        gathered,
        commands,
        strangers,
        checkpoint_every: options.checkpoint_every,
        checkpoint_fixes_max: options.checkpoint_fixes_max,
        last_seq: after,
        last_hash,
        fixes_since_cut: 0,
        last_cut: Instant::now(),
        is_live: false,
        held_back: Vec::new(),
        overtaken: Vec::new(),
        live_fixes: 0,
    };
    let feed = feed.map(|(feed, _)| feed);
    let dispatcher = spawn_dispatcher(dispatcher, reader, feed, runtime)?;
    Ok(Handle { views, dispatcher, lanes: lane_threads, writer })
}

fn spawn_dispatcher(
    dispatcher: Dispatcher,
    reader: Reader,
    feed: Option<Receiver<Batch>>,
    runtime: tokio::runtime::Handle,
) -> std::io::Result<JoinHandle<Result<(), PipelineError>>> {
    std::thread::Builder::new().name("dispatch".into()).spawn(move || {
        let outcome = dispatch(dispatcher, reader, feed, &runtime);
        if let Err(error) = &outcome {
            tracing::error!(reason = %model::Chain(error), "the views stop");
        }
        outcome
    })
}

/// What the dispatcher knew at the checkpoint.
struct Remembered {
    commands: Commands,
    strangers: Strangers,
    assemblies: Assemblies,
}

async fn remember(store: &Store, blobs: Vec<(String, Vec<u8>)>) -> Result<Remembered, PipelineError> {
    let mut commands = Commands::default();
    commands.load(store.open_commands().await?);
    let mut strangers = Strangers::default();
    load_strangers(&mut strangers, store).await?;
    let mut assemblies = Assemblies::default();
    if let Some((_, open)) = blobs.into_iter().find(|(name, _)| name == ASSEMBLIES_BLOB) {
        assemblies.restore(open)?;
    }
    Ok(Remembered { commands, strangers, assemblies })
}

/// As many as are listed, the newest first.
async fn load_strangers(strangers: &mut Strangers, store: &Store) -> Result<(), StoreError> {
    const PAGE: usize = 1000;
    let mut after = None;
    for _ in 0..STRANGERS_MAX / PAGE {
        let page = store.strangers(Scope::All, after, PAGE).await?;
        strangers.load(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(())
}

/// The hash of the envelope at which the views stand, when the journal has that very envelope there. Views that are
/// ahead, or of another journal, would pass over what is acknowledged from now on.
fn check_same_journal(
    options: &Options,
    recovered: &store::Recovered,
    head: Option<Position>,
) -> Result<[u8; 32], PipelineError> {
    let seq = recovered.position.seq;
    if seq == 0 {
        return Ok([0; 32]);
    }
    let not_this = PipelineError::NotThisJournal { seq };
    if head.is_some_and(|head| head.seq < seq) {
        return Err(not_this);
    }
    let kept = recovered.blobs.iter().find(|(name, _)| name == HEAD_BLOB).map(|(_, hash)| hash);
    match journal::envelope_hash(options.disk.clone(), &options.journal, seq)? {
        Some(hash) if kept.is_some_and(|kept| kept[..] == hash[..]) => Ok(hash),
        _ => Err(not_this),
    }
}

fn registry_at(options: &Options, control_seq: u64) -> Result<Registry, PipelineError> {
    let mut registry = Registry::default();
    for record in journal::read_control(&*options.disk, &options.journal).map_err(ReadError::from)? {
        if record.seq <= control_seq {
            registry.apply(&record);
        }
    }
    Ok(registry)
}

/// What the stages share, and what readers may know, at the place where the last checkpoint was.
fn share(after: u64, registry: &Registry) -> (Arc<Shared>, Views) {
    let shared = Arc::new(Shared {
        live: Arc::default(),
        registry: Arc::new(RwLock::new(Arc::new(registry.clone()))),
        checkpointed: watch::Sender::new(after),
        applied: watch::Sender::new(after),
        work: watch::Sender::new(0),
        cut: Mutex::new(after),
        asked: AtomicBool::new(false),
        rejudging: AtomicUsize::new(0),
    });
    let views = Views {
        shared: Arc::downgrade(&shared),
        live: shared.live.clone(),
        registry: shared.registry.clone(),
        applied: shared.applied.subscribe(),
        checkpointed: shared.checkpointed.subscribe(),
        work: shared.work.subscribe(),
    };
    (shared, views)
}

/// The vehicles with late fixes that waited at the checkpoint.
fn waiting(blobs: &[(String, Vec<u8>)]) -> Vec<VehicleId> {
    let bytes = blobs.iter().find(|(name, _)| name == WAITING_BLOB).map(|(_, bytes)| bytes.as_slice());
    let number = |bytes: &[u8]| bytes.try_into().ok().map(|bytes| VehicleId(u64::from_be_bytes(bytes)));
    bytes.unwrap_or_default().chunks_exact(8).filter_map(number).collect()
}

/// What was recorded of zones and waited for the next tick at the checkpoint.
fn gathered(blobs: &[(String, Vec<u8>)]) -> Result<Gathered, prost::DecodeError> {
    let bytes = blobs.iter().find(|(name, _)| name == AGAIN_BLOB).map(|(_, bytes)| bytes.as_slice());
    Gathered::decode(bytes.unwrap_or_default())
}

type Lanes = (Vec<SyncSender<ToLane>>, Vec<JoinHandle<()>>, Vec<Sender<Job>>);

fn start_lanes(
    lanes: usize,
    after: u64,
    waiting: &[VehicleId],
    tools: impl Fn() -> Tools,
) -> Result<Lanes, PipelineError> {
    let mut started = Lanes::default();
    for index in 0..lanes {
        let (sender, input) = sync_channel(16);
        let mine = waiting.iter().copied().filter(|vehicle| lane_of(*vehicle, lanes) == index).collect();
        let (bench, to_do) = channel();
        let lane = Lane::new(index, lanes, after, mine, tools(), to_do)?;
        started.2.push(bench);
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
    while let Some(batch) = reader.next_batch()? {
        take(&mut dispatcher, &batch, runtime)?;
    }
    drop(reader);
    dispatcher.is_live = true;
    if let Some(feed) = feed {
        follow(&mut dispatcher, &feed, runtime)?;
    }
    wait_checkpoint(&dispatcher, runtime)?;
    if dispatcher.last_seq > dispatcher.cut_seq() {
        dispatcher.cut()?;
        wait_checkpoint(&dispatcher, runtime)?;
    }
    Ok(())
}

/// Takes what is committed, until the journal closes; in between looks whether a checkpoint was asked for.
fn follow(
    dispatcher: &mut Dispatcher,
    feed: &Receiver<Batch>,
    runtime: &tokio::runtime::Handle,
) -> Result<(), Stopped> {
    loop {
        match feed.recv_timeout(LOOK) {
            Ok(batch) => take(dispatcher, &batch, runtime)?,
            Err(RecvTimeoutError::Timeout) if dispatcher.cut_is_due() => dispatcher.cut()?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

fn take(dispatcher: &mut Dispatcher, batch: &Batch, runtime: &tokio::runtime::Handle) -> Result<(), Stopped> {
    dispatcher.take(batch)?;
    if dispatcher.must_wait() {
        wait_checkpoint(dispatcher, runtime)?;
    }
    if dispatcher.cut_is_due() { dispatcher.cut() } else { Ok(()) }
}

/// Returns when the last checkpoint that was cut is committed.
fn wait_checkpoint(dispatcher: &Dispatcher, runtime: &tokio::runtime::Handle) -> Result<(), Stopped> {
    let seq = dispatcher.cut_seq();
    let mut checkpointed = dispatcher.shared.checkpointed.subscribe();
    runtime.block_on(async {
        tokio::select! {
            done = checkpointed.wait_for(|done| *done >= seq) => done.map(|_| ()).map_err(|_| Stopped),
            () = dispatcher.views.closed() => Err(Stopped),
        }
    })
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
