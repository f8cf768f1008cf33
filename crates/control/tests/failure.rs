//! Changes while the journal fails: what is in the chain afterwards is what the next change builds on, whatever its
//! submitter was told.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use control::{Control, Head};
use journal::sim::{Fault, Op, SimDisk};
use journal::{Batch, Journal, Options};
use model::{BoxFuture, Carrier, CarrierId, Change, ControlError, ControlPort, Principal, Registry, Timestamp};
use parking_lot::Mutex;

fn folder() -> PathBuf {
    PathBuf::from("/data/journal")
}

/// The registry as the lanes would have it: what came through the feed.
struct Lanes {
    registry: Mutex<Arc<Registry>>,
    feed: Mutex<Receiver<Batch>>,
}

impl Lanes {
    fn drain(&self) {
        let feed = self.feed.lock();
        while let Ok(batch) = feed.try_recv() {
            let mut registry = Registry::clone(&self.registry.lock());
            batch.control.iter().for_each(|record| registry.apply(record));
            *self.registry.lock() = Arc::new(registry);
        }
    }
}

impl Head for Lanes {
    fn registry(&self) -> Arc<Registry> {
        self.drain();
        self.registry.lock().clone()
    }

    fn applied(&self, _: u64) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn caught_up(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_795_400_000).max(self.registry().recorded_at())
    }
}

fn at_end(disk: &SimDisk) -> Result<Registry, String> {
    let mut registry = Registry::default();
    let records = journal::read_control(disk, &folder()).map_err(|error| error.to_string())?;
    records.iter().for_each(|record| registry.apply(record));
    Ok(registry)
}

struct House {
    disk: SimDisk,
    journal: Journal,
    control: Control,
}

impl House {
    fn open() -> Self {
        let disk = SimDisk::default();
        let options = Options {
            disk: Arc::new(disk.clone()),
            retry_first: Duration::from_millis(1),
            retry_max: Duration::from_millis(4),
            feed_depth: 1000,
            tick: Duration::from_secs(1000),
            ..Options::new(folder())
        };
        let (journal, feed, _) = Journal::open(options).expect("opens");
        let lanes = Lanes { registry: Mutex::default(), feed: Mutex::new(feed) };
        let read = disk.clone();
        let control = Control::new(journal.clone(), Arc::new(lanes), Arc::new(move || at_end(&read))).expect("a chain");
        Self { disk, journal, control }
    }

    async fn put(&self, id: u64) -> Result<u64, ControlError> {
        let carrier = Change::CarrierPut(Carrier { id: CarrierId(id), name: format!("carrier {id}") });
        self.control.submit(&Principal::system(), vec![carrier]).await.map(|receipt| receipt.control_seq)
    }

    async fn working(&self) {
        for _ in 0..10_000 {
            if self.journal.failure().is_none() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        unreachable!("the journal does not recover");
    }

    fn carriers(&self) -> Vec<u64> {
        at_end(&self.disk).expect("readable").carriers().map(|carrier| carrier.id.0).collect()
    }
}

/// The sync that fails: that of the control chain, or that of the frames that would bring it into force.
#[tokio::test]
async fn what_failed_is_built_on_only_if_it_is_in_the_chain() {
    for (fault, stands) in [
        (Fault::once(Op::Append, ErrorKind::StorageFull), false),
        (Fault::once(Op::Sync, ErrorKind::Other), false),
        (Fault { after: 1, ..Fault::once(Op::Sync, ErrorKind::Other) }, true),
        (Fault { after: 1, ..Fault::once(Op::Append, ErrorKind::StorageFull) }, true),
    ] {
        let house = House::open();
        assert_eq!(house.put(1).await, Ok(1));
        house.disk.inject(fault);
        let told = house.put(2).await;
        assert!(matches!(told, Err(ControlError::Unavailable { .. })), "{told:?}");
        house.working().await;
        let next = house.put(3).await;
        assert_eq!(next, Ok(if stands { 3 } else { 2 }), "{fault:?}");
        assert_eq!(house.carriers(), if stands { vec![1, 2, 3] } else { vec![1, 3] });
        house.journal.close();
        journal::verify(&house.disk, Path::new("/data/journal")).expect("sound");
    }
}

/// While it is down, changes are refused at once, and refused changes leave nothing behind.
#[tokio::test]
async fn a_journal_that_stays_down_refuses() {
    let house = House::open();
    assert_eq!(house.put(1).await, Ok(1));
    house.disk.make_read_only();
    for id in [2, 3] {
        let told = house.put(id).await;
        assert!(matches!(told, Err(ControlError::Unavailable { .. })), "{told:?}");
    }
    house.disk.heal();
    house.working().await;
    assert_eq!(house.put(4).await, Ok(2));
    assert_eq!(house.carriers(), [1, 4]);
}

/// Whoever asked for a change may go away before it is known what became of it.
#[tokio::test]
async fn a_submitter_that_goes_away_leaves_nothing_half_known() {
    let house = House::open();
    assert_eq!(house.put(1).await, Ok(1));
    house.disk.hold(Op::Sync);
    let waited = tokio::time::timeout(Duration::from_millis(50), house.put(2)).await;
    assert!(waited.is_err(), "it waits for the disk");
    house.disk.inject(Fault::once(Op::Sync, ErrorKind::Other));
    house.disk.let_go();
    // Its record is in the chain or not, and the next change goes by what is there.
    let next = loop {
        house.working().await;
        match house.put(3).await {
            Ok(seq) => break seq,
            Err(ControlError::Unavailable { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    };
    let there = house.carriers();
    assert!(there == [1, 3] || there == [1, 2, 3], "{there:?}");
    assert_eq!(next, there.len() as u64);
}
