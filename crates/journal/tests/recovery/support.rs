//! A journal on a simulated disk, with a clock that tests set, and ears for what it says.
#![allow(dead_code, reason = "each test file takes what it needs")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use bytes::Bytes;
use journal::sim::SimDisk;
use journal::{AppendError, Batch, Clock, Committed, Journal, Kind, Landing, Options, Reader, Record, State};
use model::{Change, ControlRecord, TerminalId, Timestamp};
use parking_lot::Mutex;

pub(crate) fn folder() -> PathBuf {
    PathBuf::from("/data/journal")
}

/// Both clocks of a machine, in microseconds: what it shows, and what nobody sets.
pub(crate) struct TestClock {
    shown: AtomicI64,
    elapsed: AtomicI64,
}

impl TestClock {
    pub(crate) fn advance_s(&self, seconds: i64) {
        self.set_back_s(-seconds);
        self.elapsed.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    /// Somebody sets the clock.
    pub(crate) fn set_back_s(&self, seconds: i64) {
        self.shown.fetch_sub(seconds * 1_000_000, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.shown.load(Ordering::Relaxed))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.elapsed.load(Ordering::Relaxed) as u64)
    }
}

pub(crate) struct House {
    pub(crate) disk: SimDisk,
    pub(crate) journal: Journal,
    pub(crate) clock: Arc<TestClock>,
    feed: Receiver<Batch>,
    told: Arc<Mutex<Vec<State>>>,
}

impl House {
    pub(crate) fn open(disk: &SimDisk) -> Self {
        Self::open_with(disk, |_| {})
    }

    pub(crate) fn open_with(disk: &SimDisk, change: impl FnOnce(&mut Options)) -> Self {
        let clock = TestClock { shown: AtomicI64::new(1_795_400_000_000_000), elapsed: AtomicI64::new(0) };
        let clock = Arc::new(clock);
        let told = Arc::new(Mutex::new(Vec::new()));
        let ear = told.clone();
        let mut options = Options {
            disk: Arc::new(disk.clone()),
            clock: clock.clone(),
            retry_first: Duration::from_millis(1),
            retry_max: Duration::from_millis(4),
            feed_depth: 100_000,
            on_state: Some(Box::new(move |state| ear.lock().push(state.clone()))),
            ..Options::new(folder())
        };
        change(&mut options);
        let (journal, feed, _) = Journal::open(options).expect("opens");
        Self { disk: disk.clone(), journal, clock, feed, told }
    }

    pub(crate) async fn submit(&self, record: Record) -> Result<Committed, AppendError> {
        self.journal.submit(vec![record]).await?.await
    }

    pub(crate) async fn append(&self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            self.submit(frame(number)).await.expect("durable");
        }
    }

    pub(crate) async fn control(&self, seq: u64) -> Result<Committed, AppendError> {
        self.journal.submit_control(vec![setting(seq)]).await?.await
    }

    pub(crate) fn told(&self) -> Vec<State> {
        self.told.lock().clone()
    }

    /// Drops the reading end of the feed.
    pub(crate) fn drop_feed(self) -> (Journal, Arc<Mutex<Vec<State>>>) {
        (self.journal, self.told)
    }

    /// What the feed gave, and the disk.
    pub(crate) fn close(self) -> (Vec<Batch>, SimDisk) {
        self.journal.close();
        (self.feed.iter().collect(), self.disk)
    }
}

pub(crate) fn frame(number: u32) -> Record {
    let terminal = TerminalId::from_wire(&[0x13]);
    Record::uplink(Timestamp::from_secs(1_795_400_000), terminal, 1, Bytes::from(number.to_string()))
}

pub(crate) fn setting(seq: u64) -> ControlRecord {
    let change = Change::SettingPut { key: "k".into(), value: seq.to_string() };
    ControlRecord { seq, recorded_at: Timestamp(0), actor: "t".into(), change }
}

pub(crate) fn read_all(disk: &SimDisk) -> Vec<Batch> {
    let mut reader = Reader::open(Arc::new(disk.clone()), &folder(), 0, u64::MAX, 0).expect("readable");
    let mut batches = Vec::new();
    while let Some(batch) = reader.next_batch().expect("whole") {
        batches.push(batch);
    }
    batches
}

pub(crate) fn frames(batches: &[Batch]) -> Vec<u32> {
    let records = batches.iter().flat_map(|b| &b.records).filter(|r| r.kind == Kind::Uplink);
    records.map(|r| String::from_utf8_lossy(&r.raw).parse().expect("number")).collect()
}

pub(crate) fn tells_the_same(disk: &SimDisk, live: &[Batch], name: &str) {
    assert_eq!(read_all(disk), live, "{name}: the feed and the disk tell different stories");
}

/// Waits for something that happens on another thread; only a broken promise waits for long.
pub(crate) async fn eventually(condition: impl Fn() -> bool) {
    let patience = std::time::Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(std::time::Instant::now() < patience, "it does not happen");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Writes down what landings are told, in order.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<String>>>);

struct Ear(Heard, &'static str);

impl Landing for Ear {
    fn landed(self: Arc<Self>, outcome: Result<Committed, AppendError>) {
        let said = outcome.map_or_else(|error| error.to_string(), |_| "ok".into());
        self.0.note(&format!("{} {said}", self.1));
    }
}

impl Heard {
    pub(crate) fn landing(&self, name: &'static str) -> Arc<dyn Landing> {
        Arc::new(Ear(self.clone(), name))
    }

    pub(crate) fn note(&self, what: &str) {
        self.0.lock().push(what.to_owned());
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}
