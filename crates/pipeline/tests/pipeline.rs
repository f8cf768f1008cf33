//! The pipeline on a journal: live views equal rebuilt ones, a restart continues, nothing is doubled.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use journal::sim::SimDisk;
use journal::{Journal, Record};
use jt808::{
    AssemblyLimits, BatchKind, BatchLocation, BcdTime, Deframer, Edition, Header, ItemValue, LocationReport, Message,
    Phone, encode, encode_parts,
};
use model::{
    Change, ControlRecord, Coord, Geometry, Marks, Scope, TerminalId, Timestamp, Vehicle, VehicleId, Zone, ZoneId,
    ZoneKind, ZoneRule,
};
use pipeline::{Handle, Metrics, Options};
use store::{FactFilter, Store};

const T0: i64 = 1_795_400_000;
const FOLDER: &str = "/journal";

struct House {
    disk: SimDisk,
    journal: Journal,
    pipeline: Handle,
    store: Store,
}

fn options(disk: &SimDisk, lanes: usize) -> Options {
    // Checkpoints as often as they can be had, so that many fall into the middle.
    let checkpoint_every = Duration::ZERO;
    Options { disk: Arc::new(disk.clone()), lanes, checkpoint_every, ..Options::new(FOLDER.into()) }
}

fn metrics() -> Metrics {
    Metrics::register(&prometheus::Registry::new()).expect("fresh")
}

async fn start(disk: &SimDisk, data: &Path, lanes: usize) -> House {
    start_with(disk, data, options(disk, lanes)).await
}

async fn start_with(disk: &SimDisk, data: &Path, options: Options) -> House {
    let journal_options = journal::Options { disk: Arc::new(disk.clone()), ..journal::Options::new(FOLDER.into()) };
    let (journal, feed, found) = Journal::open(journal_options).expect("opens");
    let store = Store::open(data, options.lanes).await.expect("store");
    let feed = Some((feed, found.position));
    let pipeline = pipeline::start(options, store.clone(), feed, metrics()).await.expect("starts");
    House { disk: disk.clone(), journal, pipeline, store }
}

impl House {
    async fn control(&self, first: u64, changes: Vec<Change>) {
        let records = changes.into_iter().zip(first..).map(|(change, seq)| ControlRecord {
            seq,
            recorded_at: Timestamp(0),
            actor: "t".into(),
            change,
        });
        let ticket = self.journal.submit_control(records.collect()).await.expect("queued");
        ticket.await.expect("durable");
    }

    async fn frames(&self, records: Vec<Record>) {
        let committed = self.journal.submit(records).await.expect("queued").await.expect("durable");
        assert!(self.pipeline.views.wait_applied(committed.position.seq).await);
    }

    async fn stop(self) -> SimDisk {
        let journal = self.journal.clone();
        tokio::task::spawn_blocking(move || journal.close()).await.expect("closes");
        self.pipeline.finish().await.expect("finishes");
        self.disk
    }
}

fn terminal(number: u8) -> TerminalId {
    TerminalId::from_wire(&[0x13, number])
}

fn report(second: i64, lon_e6: i32) -> LocationReport {
    let mut report = LocationReport {
        status: 0b11,
        speed_dkmh: 600,
        time_bcd: BcdTime::from_utc_s(T0 + second).expect("in range").to_bytes(),
        items: vec![ItemValue::Mileage(77).to_item()],
        ..LocationReport::default()
    };
    report.set_position(25_500_000, lon_e6);
    report
}

fn frame(number: u8, message: &Message) -> Record {
    let digits = terminal(number).to_string();
    let phone = Phone::from_digits(&digits, Edition::V2013).expect("phone");
    let mut wire = Vec::new();
    encode(&Header::new(message.id(), Edition::V2013, phone, 7), message, &mut wire).expect("encodes");
    Record::uplink(Timestamp::from_secs(T0 + 100_000), terminal(number), 1, Bytes::from(wire))
}

fn admit(number: u8) -> Vec<Change> {
    let vehicle = VehicleId(u64::from(number));
    let put = Change::TerminalPut {
        terminal: terminal(number),
        maker: String::new(),
        model: String::new(),
        device: String::new(),
    };
    vec![
        Change::VehiclePut(Vehicle { id: vehicle, plate: None, carrier: None, ..Vehicle::default() }),
        put,
        Change::Bind { terminal: terminal(number), vehicle, from: Timestamp::MIN },
    ]
}

fn bridge() -> Change {
    Change::ZonePut(Zone {
        id: ZoneId(1),
        revision: 1,
        name: "bridge".into(),
        kind: ZoneKind::WaterSource1,
        geometry: Geometry::Circle { centre: Coord { x: 103.8, y: 25.5 }, radius_m: 400.0 },
        rules: vec![ZoneRule::forbidden()],
        source_crs: "wgs84".into(),
        legal: model::LegalBasis::default(),
        place: String::new(),
        detour: String::new(),
        drafted_by: None,
        valid_from: Some(Timestamp::from_secs(T0 - 1000)),
        valid_to: None,
        recorded_at: Timestamp(0),
    })
}

/// Two trucks through the zone, in the given lanes; a restart in the middle when asked for. When they are evicted,
/// they leave memory as soon as the store has their state, which is before nearly every fix.
async fn drive(lanes: usize, restart: bool, evict: bool) -> (SimDisk, tempfile::TempDir) {
    let data = tempfile::tempdir().expect("folder");
    let disk = SimDisk::default();
    let idle = if evict { Duration::ZERO } else { Duration::MAX };
    let mut house = start_with(&disk, data.path(), Options { idle, ..options(&disk, lanes) }).await;
    house.control(1, [admit(1), admit(2), vec![bridge()]].concat()).await;
    for step in 0..40 {
        for number in [1, 2] {
            let message = Message::Location(report(i64::from(step) * 10, 103_790_000 + step * 500));
            let record = frame(number, &message);
            // Every fifth comes twice, as after a lost answer.
            let records = if step % 5 == 0 { vec![record.clone(), record] } else { vec![record] };
            house.frames(records).await;
            if evict {
                let seq = house.pipeline.views.applied();
                assert!(house.pipeline.views.wait_checkpointed(seq).await);
            }
        }
        if restart && step == 20 {
            let disk = house.stop().await;
            house = start(&disk, data.path(), lanes).await;
        }
    }
    let disk = house.stop().await;
    (disk, data)
}

async fn digest_of(disk: &SimDisk, data: &Path) -> model::Digest {
    let store = Store::open(data, 1).await.expect("store");
    pipeline::catch_up(options(disk, 1), store.clone(), metrics()).await.expect("caught up");
    store.digest().await.expect("digest")
}

#[tokio::test(flavor = "multi_thread")]
async fn live_views_equal_rebuilt_ones() {
    for (lanes, restart, evict) in
        [(1, false, false), (1, true, false), (3, true, false), (1, false, true), (2, true, true)]
    {
        let (disk, data) = drive(lanes, restart, evict).await;
        let live = digest_of(&disk, data.path()).await;
        let rebuilt = tempfile::tempdir().expect("folder");
        assert_eq!(live, digest_of(&disk, rebuilt.path()).await, "lanes {lanes}, restart {restart}, evict {evict}");

        let store = Store::open(data.path(), 1).await.expect("store");
        for number in [1, 2] {
            let track = store
                .track(Scope::All, None, VehicleId(number), Timestamp::from_secs(T0), Timestamp::MAX, 1000)
                .await
                .expect("track");
            assert_eq!(track.len(), 40, "every position once");
        }
        let filter = FactFilter { violations: true, ..FactFilter::default() };
        let facts = store.facts(Scope::All, &filter, None, 10).await.expect("facts").items;
        assert_eq!(facts.len(), 2);
        assert!(facts.iter().all(|row| row.fact.ended_at.is_some()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn views_that_are_lost_are_made_again_and_continued() {
    let (disk, data) = drive(1, false, false).await;
    let before = digest_of(&disk, data.path()).await;
    let fresh = tempfile::tempdir().expect("folder");
    let house = start(&disk, fresh.path(), 2).await;
    house.frames(vec![frame(1, &Message::Location(report(5000, 103_900_000)))]).await;
    let disk = house.stop().await;
    let after = digest_of(&disk, fresh.path()).await;
    assert_ne!(before, after);
    assert_eq!(after, digest_of(&disk, data.path()).await, "the old views catch up to the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn late_and_broken_reports_keep_their_place() {
    let data = tempfile::tempdir().expect("folder");
    let house = start(&SimDisk::default(), data.path(), 1).await;
    house.control(1, admit(1)).await;
    let batch = |seconds: &[i64]| {
        let reports = seconds.iter().map(|s| report(*s, 103_790_000 + *s as i32)).collect();
        Message::BatchLocation(BatchLocation::new(BatchKind::BlindArea, reports))
    };
    house.frames(vec![frame(1, &Message::Location(report(100, 103_790_100)))]).await;
    house.frames(vec![frame(1, &batch(&[10, 30, 20, 100]))]).await;
    let mut broken = frame(1, &Message::Location(report(50, 103_790_050)));
    let mut wire = broken.raw.to_vec();
    let at = wire.len() - 2;
    wire[at] ^= 1;
    broken.raw = wire.into();
    house.frames(vec![broken]).await;
    let (from, to) = (Timestamp::from_secs(T0), Timestamp::from_secs(T0 + 1000));
    let track = house.store.track(Scope::All, None, VehicleId(1), from, to, 100).await.expect("track");
    let seconds: Vec<_> = track.iter().map(|fix| fix.fix.time.secs() - T0).collect();
    assert_eq!(seconds, [10, 20, 30, 100], "in event time; the wrong check code is not judged");
    assert_eq!(track[1].fix.source.item, 2, "the place in the batch is kept");
    let disk = house.stop().await;
    let rebuilt = tempfile::tempdir().expect("folder");
    assert_eq!(digest_of(&disk, data.path()).await, digest_of(&disk, rebuilt.path()).await);
}

/// The first part of a batch report of two fixes, with the first of them whole in it.
fn first_part(number: u8, seconds: [i64; 2]) -> Record {
    let phone = Phone::from_digits(&terminal(number).to_string(), Edition::V2013).expect("phone");
    let reports = seconds.iter().map(|second| report(*second, 103_790_000)).collect();
    let message = Message::BatchLocation(BatchLocation::new(BatchKind::BlindArea, reports));
    let header = Header::new(message.id(), Edition::V2013, phone, seconds[0] as u16);
    let (mut whole, mut body, mut cut) = (Vec::new(), Vec::new(), Vec::new());
    encode(&header, &message, &mut whole).expect("encodes");
    Deframer::new().push(&whole, |piece| body.extend_from_slice(piece.frame.body)).expect("a frame");
    encode_parts(&header, &body, 50, &mut cut).expect("encodes");
    let mut parts = Vec::new();
    Deframer::new().push(&cut, |piece| parts.push(Bytes::copy_from_slice(piece.wire))).expect("frames");
    assert_eq!(parts.len(), 2);
    Record::uplink(Timestamp::from_secs(T0), terminal(number), 1, parts.swap_remove(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_salvaged_counts_from_its_part_though_it_came_live_meanwhile() {
    for idle in [Duration::MAX, Duration::ZERO] {
        let data = tempfile::tempdir().expect("folder");
        let disk = SimDisk::default();
        let house = start_with(&disk, data.path(), Options { idle, ..options(&disk, 1) }).await;
        house.control(1, admit(1)).await;
        let live = frame(1, &Message::Location(report(0, 103_790_000)));
        house.frames(vec![first_part(1, [0, 10]), live]).await;
        for _ in 0..2 {
            // At the second one the vehicle has not changed, and leaves memory if it may not be idle.
            house.frames(Vec::new()).await;
            assert!(house.pipeline.views.wait_checkpointed(house.pipeline.views.applied()).await);
        }
        // As many as may be open: the first is given up.
        let open_max = AssemblyLimits::default().open_max as i64;
        house.frames((1..=open_max).map(|at| first_part(1, [100 * at, 100 * at + 10])).collect()).await;
        let (from, to) = (Timestamp::from_secs(T0), Timestamp::MAX);
        let track = house.store.track(Scope::All, None, VehicleId(1), from, to, 10).await.expect("track");
        let fixes: Vec<_> = track.iter().map(|t| (t.fix.time.secs() - T0, t.fix.marks, t.sources.len())).collect();
        assert_eq!(fixes, [(0, Marks::BATCH.with(Marks::BACKFILL), 1)], "as in the part, with {idle:?} to be idle");
        house.stop().await;
    }
}

/// Ten trucks hand in hours at once, in order and out of it; an eleventh goes on reporting.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_late_data_is_taken_in_pieces() {
    const FIXES_MAX: usize = 200;
    const FRAMES: i64 = 30;
    let (disk, data) = (SimDisk::default(), tempfile::tempdir().expect("folder"));
    let house = start_with(&disk, data.path(), Options { checkpoint_fixes_max: FIXES_MAX, ..options(&disk, 2) }).await;
    house.control(1, (1..=11).flat_map(admit).chain([bridge()]).collect()).await;
    let last = FRAMES * 200;
    let newest = (1..=11).map(|number| frame(number, &Message::Location(report(last, 103_790_000)))).collect();
    house.frames(newest).await;
    let mut hot = 0;
    for round in 0..FRAMES {
        let late = |number: u8| {
            // 7 and 30 have no divisor in common: every frame comes once, on odd trucks in a strange order.
            let at = if number.is_multiple_of(2) { round } else { round * 7 % FRAMES };
            let reports =
                (0..20).map(|i| report((at * 20 + i) * 10, 103_790_000 + (at * 20 + i) as i32 * 50)).collect();
            frame(number, &Message::BatchLocation(BatchLocation::new(BatchKind::BlindArea, reports)))
        };
        let mut records: Vec<Record> = (1..=10).map(late).collect();
        records.push(frame(11, &Message::Location(report(last + 10 + round, 103_790_000))));
        house.frames(records).await;
        hot = hot.max(house.store.stats().await.expect("stats").fixes_hot);
        let live = house.store.track(Scope::All, None, VehicleId(11), Timestamp::from_secs(T0), Timestamp::MAX, 1000);
        assert_eq!(live.await.expect("track").len() as i64, round + 2, "nobody waits for the late ones");
    }
    assert!(hot <= 5 * FIXES_MAX as u64, "{hot} fixes were in memory");
    let even = house.store.track(Scope::All, None, VehicleId(2), Timestamp::from_secs(T0), Timestamp::MAX, 10_000);
    assert_eq!(even.await.expect("track").len() as i64, FRAMES * 20 + 1);
    let disk = house.stop().await;
    let rebuilt = tempfile::tempdir().expect("folder");
    assert_eq!(digest_of(&disk, data.path()).await, digest_of(&disk, rebuilt.path()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn views_of_another_journal_are_refused() {
    let (disk, data) = drive(1, false, false).await;
    let (other, other_data) = drive(1, false, false).await;
    for journal in [other, SimDisk::default()] {
        let store = Store::open(data.path(), 1).await.expect("store");
        let outcome = pipeline::catch_up(options(&journal, 1), store, metrics()).await;
        assert!(matches!(outcome, Err(pipeline::PipelineError::NotThisJournal { .. })), "{outcome:?}");
    }
    digest_of(&disk, data.path()).await;
    drop(other_data);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_stops_says_so() {
    let (disk, _data) = drive(1, false, false).await;
    // The last segment: the test's frames are received on another day than the first ticks.
    let files = disk.files();
    let (path, _) = files.iter().rfind(|(path, _)| path.to_string_lossy().contains("frames")).expect("frames");
    disk.flip(path, 2000, 0xff);
    let fresh = tempfile::tempdir().expect("folder");
    let store = Store::open(fresh.path(), 1).await.expect("store");
    match pipeline::start(options(&disk, 1), store, None, metrics()).await {
        Err(_) => {}
        Ok(handle) => {
            assert!(!handle.views.wait_applied(1_000_000).await, "it waited for what never comes");
            handle.finish().await.expect_err("it says why");
        }
    }
}
