//! A server on a paper disk, and what it says stands.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use journal::sim::SimDisk;
use journal::{Journal, Record};
use model::{Change, ControlRecord, Digest, FactKind, Measures, Scope, Timestamp};
use pipeline::{Handle, Metrics, Options};
use store::{FactFilter, FactRow, Store};

use crate::plan::{ALARMS, Dice, RECEIVED};

const FOLDER: &str = "/journal";

/// What must not depend on the order of arrival: vehicle, kind, zone, its revision, start, end, confidence, measures.
pub(crate) type Said = (u64, u16, u64, u32, Timestamp, Option<Timestamp>, u16, Vec<i64>);
pub(crate) type Facts = BTreeSet<Said>;

#[derive(Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) lanes: usize,
    pub(crate) idle: Duration,
    pub(crate) checkpoint_every: Duration,
}

impl Setup {
    pub(crate) fn any(dice: &mut Dice) -> Self {
        let idle = [Duration::ZERO, Duration::MAX][dice.roll(2)];
        let checkpoint_every = [Duration::ZERO, Duration::MAX][dice.roll(2)];
        Self { lanes: 1 + dice.roll(3), idle, checkpoint_every }
    }
}

pub(crate) struct House {
    pub(crate) disk: SimDisk,
    pub(crate) journal: Journal,
    pub(crate) pipeline: Handle,
    pub(crate) store: Store,
    pub(crate) metrics: Metrics,
    pub(crate) control_seq: u64,
}

fn options(disk: &SimDisk, setup: Setup) -> Options {
    Options {
        disk: Arc::new(disk.clone()),
        lanes: setup.lanes,
        idle: setup.idle,
        checkpoint_every: setup.checkpoint_every,
        ..Options::new(FOLDER.into())
    }
}

fn metrics() -> Metrics {
    Metrics::register(&prometheus::Registry::new()).expect("fresh")
}

pub(crate) async fn rebuilt(disk: &SimDisk, lanes: usize) -> Digest {
    let data = tempfile::tempdir().expect("folder");
    let store = Store::open(data.path(), lanes).await.expect("store");
    let setup = Setup { lanes, idle: Duration::MAX, checkpoint_every: Duration::MAX };
    pipeline::catch_up(options(disk, setup), store.clone(), metrics()).await.expect("caught up");
    let digest = store.digest().await.expect("digest");
    store.close().await;
    digest
}

impl House {
    pub(crate) async fn start(disk: &SimDisk, data: &Path, setup: Setup, control_seq: u64) -> Self {
        // It ticks when the test says so.
        let tick = Duration::from_secs(1_000_000);
        let journal_options =
            journal::Options { disk: Arc::new(disk.clone()), tick, ..journal::Options::new(FOLDER.into()) };
        let (journal, feed, found) = Journal::open(journal_options).expect("opens");
        let store_options = store::Options { lanes: setup.lanes, readers: 3, ..store::Options::default() };
        let store = Store::open_with(data, store_options).await.expect("store");
        let metrics = metrics();
        let feed = Some((feed, found.position));
        let pipeline =
            pipeline::start(options(disk, setup), store.clone(), feed, metrics.clone()).await.expect("starts");
        Self { disk: disk.clone(), journal, pipeline, store, metrics, control_seq }
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

    pub(crate) async fn frames(&self, records: Vec<Record>) {
        let committed = self.journal.submit(records).await.expect("queued").await.expect("durable");
        assert!(self.pipeline.views.wait_applied(committed.position.seq).await);
    }

    pub(crate) async fn tick(&self) {
        self.frames(vec![Record::tick(RECEIVED)]).await;
    }

    /// Returns when everything up to here is in a checkpoint: whoever was being judged again is done.
    pub(crate) async fn checkpoint(&self) {
        let before = self.pipeline.views.applied();
        self.pipeline.views.ask_checkpoint();
        self.frames(Vec::new()).await;
        assert!(self.pipeline.views.wait_checkpointed(before).await);
    }

    pub(crate) async fn rows(&self, void: bool) -> Vec<FactRow> {
        let mut rows = Vec::new();
        for violations in [false, true] {
            let filter = FactFilter { violations, void, ..FactFilter::default() };
            rows.extend(self.store.facts(Scope::All, &filter, None, 100_000).await.expect("facts").items);
        }
        for kind in ALARMS.map(FactKind::alarm) {
            let filter = FactFilter { violations: true, kind: Some(kind), void, ..FactFilter::default() };
            rows.extend(self.store.facts(Scope::All, &filter, None, 100_000).await.expect("facts").items);
        }
        rows
    }

    pub(crate) async fn facts(&self) -> Facts {
        self.rows(false).await.iter().map(said).collect()
    }

    pub(crate) async fn stop(self) -> SimDisk {
        let Self { disk, journal, pipeline, store, .. } = self;
        tokio::task::spawn_blocking(move || journal.close()).await.expect("closes");
        pipeline.finish().await.expect("finishes");
        store.close().await;
        disk
    }
}

fn said(row: &FactRow) -> Said {
    let fact = &row.fact;
    let Measures { fixes_inside, length_m, speed_max_dkmh, .. } = fact.measures;
    let Measures { start_lon_e7, start_lat_e7, end_lon_e7, end_lat_e7, depth_max_m, .. } = fact.measures;
    let counts = [fixes_inside, length_m, speed_max_dkmh, depth_max_m].map(i64::from);
    let places = [start_lon_e7, start_lat_e7, end_lon_e7, end_lat_e7].map(i64::from);
    let measures = counts.into_iter().chain(places).collect();
    let (zone, revision) = (fact.zone.0, fact.zone_revision);
    (fact.vehicle.0, fact.kind.number(), zone, revision, fact.started_at, fact.ended_at, fact.confidence.0, measures)
}
