//! One server on paper disks: journal, pipeline and store, and the ways in which it ends.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use journal::sim::{Fault, Op, SimDisk};
use journal::{AppendError, Clock, Journal, Record};
use model::{Change, ControlRecord, Digest, Timestamp};
use parking_lot::Mutex;
use pipeline::{Handle, Metrics, Options};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use store::Store;

use crate::fleet::{Fate, T0};

const FOLDER: &str = "/journal";
/// The journal ticks when the script says so.
const TICK: Duration = Duration::from_secs(1_000_000);

/// A clock that goes when it is told to.
#[derive(Clone, Default)]
pub(crate) struct PaperClock(Arc<Mutex<Duration>>);

impl PaperClock {
    pub(crate) fn pass(&self, time: Duration) {
        *self.0.lock() += time;
    }
}

impl Clock for PaperClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(T0 + 1_000_000).plus_us(self.0.lock().as_micros() as i64)
    }

    fn elapsed(&self) -> Duration {
        *self.0.lock()
    }
}

/// A journal whose ticks are asked for: its own clock stands still between them.
#[derive(Clone)]
struct Ticking {
    clock: PaperClock,
    ticks: Arc<Mutex<u32>>,
}

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn elapsed(&self) -> Duration {
        TICK * *self.ticks.lock()
    }
}

/// How a server is started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) lanes: usize,
    /// Vehicles leave memory after this long.
    pub(crate) idle: Duration,
}

pub(crate) struct World {
    pub(crate) disk: SimDisk,
    pub(crate) clock: PaperClock,
    ticks: Arc<Mutex<u32>>,
    pub(crate) journal: Journal,
    pub(crate) pipeline: Handle,
    pub(crate) store: Store,
    /// The folder of the views, and what it was at the last checkpoint.
    pub(crate) folder: tempfile::TempDir,
    pub(crate) committed: Option<tempfile::TempDir>,
    pub(crate) control_seq: u64,
}

/// What is left when a server has ended.
pub(crate) struct Rest {
    pub(crate) disk: SimDisk,
    pub(crate) clock: PaperClock,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) committed: Option<tempfile::TempDir>,
}

fn options(disk: &SimDisk, setup: Setup) -> Options {
    Options {
        disk: Arc::new(disk.clone()),
        lanes: setup.lanes,
        checkpoint_every: Duration::MAX,
        checkpoint_fixes_max: usize::MAX,
        idle: setup.idle,
        ..Options::new(FOLDER.into())
    }
}

fn metrics() -> Metrics {
    Metrics::register(&prometheus::Registry::new()).expect("fresh")
}

async fn open_store(folder: &Path, lanes: usize) -> Store {
    // Compaction is a step of the script.
    let options = store::Options { lanes, segments_max: u64::MAX, readers: 2, ..store::Options::default() };
    Store::open_with(folder, options).await.expect("store")
}

/// A copy of the views while nothing writes: what a process that ends leaves.
pub(crate) fn copy(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("folder");
    for file in std::fs::read_dir(folder).expect("readable") {
        let path: PathBuf = file.expect("readable").path();
        let name = path.file_name().expect("a name").to_owned();
        // The index of the log is made anew from the log.
        if path.is_file() && !name.to_string_lossy().ends_with("-shm") {
            std::fs::copy(&path, copy.path().join(name)).expect("copied");
        }
    }
    copy
}

/// Makes every insert into a table fail, as a database does that cannot write; `None`: no more.
async fn refuse(folder: &Path, table: Option<&str>) {
    let options = SqliteConnectOptions::new().filename(folder.join("views.db")).busy_timeout(Duration::from_secs(10));
    let mut connection = SqliteConnection::connect_with(&options).await.expect("opens");
    let statement = match table {
        Some(table) => {
            format!("CREATE TRIGGER refuse BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'refused'); END")
        }
        None => "DROP TRIGGER IF EXISTS refuse".to_owned(),
    };
    sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.expect("takes it");
    connection.close().await.expect("closes");
}

/// The digest of a clean rebuild from nothing but the journal.
pub(crate) async fn rebuilt(disk: &SimDisk) -> Digest {
    let folder = tempfile::tempdir().expect("folder");
    let store = open_store(folder.path(), 1).await;
    let setup = Setup { lanes: 1, idle: Duration::MAX };
    pipeline::catch_up(options(disk, setup), store.clone(), metrics()).await.expect("caught up");
    let digest = store.digest().await.expect("digest");
    store.close().await;
    digest
}

impl World {
    pub(crate) async fn start(rest: Rest, setup: Setup) -> Self {
        let Rest { disk, clock, folder, committed } = rest;
        let ticks = Arc::new(Mutex::new(1));
        let ticking = Ticking { clock: clock.clone(), ticks: ticks.clone() };
        let (journal, feed, found) = Journal::open(journal::Options {
            disk: Arc::new(disk.clone()),
            clock: Arc::new(ticking),
            tick: TICK,
            low_bytes: 0,
            stop_bytes: 0,
            retry_first: Duration::from_millis(1),
            retry_max: Duration::from_millis(4),
            ..journal::Options::new(FOLDER.into())
        })
        .expect("the journal opens");
        let store = open_store(folder.path(), setup.lanes).await;
        let feed = Some((feed, found.position));
        let pipeline = pipeline::start(options(&disk, setup), store.clone(), feed, metrics()).await.expect("starts");
        let control_seq = found.control_seq;
        let world = Self { disk, clock, ticks, journal, pipeline, store, folder, committed, control_seq };
        // The first tick comes by itself.
        assert!(world.pipeline.views.wait_applied(found.position.seq + 1).await);
        world
    }

    pub(crate) async fn fresh(setup: Setup) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        Self::start(Rest { disk: SimDisk::default(), clock: PaperClock::default(), folder, committed: None }, setup)
            .await
    }

    /// Time passes, and the next envelope carries a tick.
    pub(crate) fn pass(&self, time: Duration) {
        self.clock.pass(time);
        *self.ticks.lock() += 1;
    }

    /// Hands records in as one submission, waits for the answer, and then until the views have them.
    pub(crate) async fn submit(&self, records: Vec<Record>) -> Fate {
        let outcome = match self.journal.submit(records).await {
            Ok(ticket) => ticket.await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(committed) => {
                assert!(self.pipeline.views.wait_applied(committed.position.seq).await);
                Fate::Landed
            }
            Err(AppendError::Unknown(_)) => Fate::Perhaps,
            Err(_) => Fate::Nowhere,
        }
    }

    pub(crate) async fn control(&mut self, changes: Vec<Change>) {
        let first = self.control_seq + 1;
        self.control_seq += changes.len() as u64;
        let records = changes.into_iter().zip(first..).map(|(change, seq)| ControlRecord {
            seq,
            recorded_at: Timestamp(0),
            actor: "t".into(),
            change,
        });
        let ticket = self.journal.submit_control(records.collect()).await.expect("queued");
        let committed = ticket.await.expect("durable");
        assert!(self.pipeline.views.wait_applied(committed.position.seq).await);
    }

    /// A checkpoint at the last envelope or at an empty one after it, and a copy of what it left.
    pub(crate) async fn checkpoint(&mut self) {
        let before = self.pipeline.views.applied();
        self.pipeline.views.ask_checkpoint();
        assert_eq!(self.submit(Vec::new()).await, Fate::Landed);
        assert!(self.pipeline.views.wait_checkpointed(before).await);
        self.committed = Some(copy(self.folder.path()));
    }

    /// One call fails while these records are handed in; then the disk is well again, and so is the journal.
    pub(crate) async fn submit_through(&self, fault: Fault, records: Vec<Record>) -> Fate {
        self.disk.inject(fault);
        let fate = self.submit(records).await;
        self.disk.heal();
        self.journal.working().await;
        fate
    }

    /// The disk is full while these records are handed in.
    pub(crate) async fn submit_when_full(&self, room: u64, records: Vec<Record>) -> Fate {
        let used: usize = self.disk.files().iter().map(|(_, len)| len).sum();
        self.disk.set_capacity(Some(used as u64 + room));
        let fate = self.submit(records).await;
        self.disk.set_capacity(None);
        self.journal.working().await;
        fate
    }

    /// The views cannot be written while these records are handed in and take effect in the journal.
    pub(crate) async fn submit_while_views_refuse(&self, table: &str, records: Vec<Record>) -> Fate {
        refuse(self.folder.path(), Some(table)).await;
        self.journal.submit(records).await.expect("queued").await.expect("nothing is wrong with the journal");
        self.pipeline.views.ask_checkpoint();
        tokio::time::sleep(Duration::from_millis(60)).await;
        Fate::Landed
    }

    /// They can be written again; returns when everything is.
    pub(crate) async fn views_relent(&self) {
        refuse(self.folder.path(), None).await;
        assert_eq!(self.submit(Vec::new()).await, Fate::Landed);
        self.pipeline.views.ask_checkpoint();
        assert!(self.pipeline.views.wait_checkpointed(self.pipeline.views.applied()).await);
    }

    async fn end(self) -> Option<tempfile::TempDir> {
        let Self { journal, pipeline, store, committed, .. } = self;
        tokio::task::spawn_blocking(move || journal.close()).await.expect("closes");
        pipeline.finish().await.expect("finishes");
        store.close().await;
        committed
    }

    /// An orderly stop.
    pub(crate) async fn stop(self) -> Rest {
        let (disk, clock) = (self.disk.clone(), self.clock.clone());
        let Self { journal, pipeline, store, folder, committed, .. } = self;
        tokio::task::spawn_blocking(move || journal.close()).await.expect("closes");
        pipeline.finish().await.expect("finishes");
        store.close().await;
        Rest { disk, clock, folder, committed }
    }

    /// The process is killed: the system still has all that was written.
    pub(crate) async fn kill(self) -> Rest {
        let (disk, clock, folder) = (self.disk.copy(), self.clock.clone(), copy(self.folder.path()));
        for folder in [folder.path(), self.folder.path()] {
            refuse(folder, None).await;
        }
        let committed = self.end().await;
        Rest { disk, clock, folder, committed }
    }

    /// Power fails while `records` wait for the disk. The views are as they were, or as the last checkpoint left them.
    pub(crate) async fn power_cut(self, records: Vec<Record>, seed: u64, roll_back: bool) -> Rest {
        let (clock, folder) = (self.clock.clone(), copy(self.folder.path()));
        self.disk.hold(Op::Sync);
        let ticket = self.journal.submit(records).await.expect("queued");
        while self.disk.held() == 0 {
            tokio::time::sleep(Duration::from_micros(50)).await;
        }
        let disk = self.disk.power_cut_by_chance(seed);
        // What the old process does from here on nobody will ever see.
        self.disk.let_go();
        let _ = ticket.await;
        let committed = self.end().await;
        match committed {
            Some(committed) if roll_back => {
                let folder = copy(committed.path());
                Rest { disk, clock, folder, committed: Some(committed) }
            }
            committed => Rest { disk, clock, folder, committed },
        }
    }
}
