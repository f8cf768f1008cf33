//! Judging again: many trucks at once, by a zone that is recorded late, beside trucks that go on reporting.
//!
//! One house with journal, pipeline and store on the disk that is measured. The trucks hand in hours of positions; then
//! turns alternate: the others report alone, and the others report while all trucks are judged again. What is counted is
//! fixes stepped over a second, until the last truck is done, and how long a report takes until the views have it.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use journal::{Journal, Record};
use jt808::{BatchKind, BatchLocation, BcdTime, Edition, Header, ItemValue, LocationReport, Message, Phone, encode};
use model::{
    Change, ControlRecord, Coord, Geometry, TerminalId, Timestamp, Vehicle, VehicleId, Zone, ZoneId, ZoneKind, ZoneRule,
};
use pipeline::{Handle, Metrics, Options};
use store::Store;

use crate::cli::Cli;
use crate::error::Failure;
use crate::fsync::Latencies;
use crate::servers::Ground;
use crate::table::{Bar, Row, Table};

/// Event time 0, seconds.
const T0: i64 = 1_795_000_000;
const OTHERS: u16 = 100;
const INTERVAL_S: i64 = 10;
/// Positions in a frame.
const IN_FRAME: usize = 24;
/// The others report so often, all together.
const PACE: Duration = Duration::from_millis(2);
const ZONES: u64 = 20;
const WIDE: u64 = 100;
const STEPPED: &str = "fixes/s";
const MS: &str = "ms";
const AGAIN: &str = "judged again";
const ALONE: &str = "live p99, alone";
const BESIDE: &str = "live p99, beside it";

struct House {
    journal: Journal,
    pipeline: Handle,
    metrics: Metrics,
    control_seq: u64,
    /// Of the next report of the others.
    next: i64,
    /// Revisions of the zone that is recorded late.
    revision: u32,
}

/// The bench.
pub(crate) fn run(cli: &Cli) -> Result<Table, Failure> {
    let ground = Ground::of(cli, &[])?;
    let (trucks, hours) = (cli.scaled(50, 500, 500), cli.scaled(1, 6, 6));
    let each = hours * 3600 / INTERVAL_S;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::io("start a runtime"))?;
    let (mut stepped, mut alone, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    runtime.block_on(async {
        let folder = ground.folder()?;
        let mut house = House::start(folder.path()).await?;
        house.fill(trucks, each).await?;
        for _ in 0..cli.rounds() {
            alone.push(house.others(trucks, each, Duration::from_secs(cli.seconds()), |_| true).await?);
            let (rate, p99_ms) = house.burst(trucks, each).await?;
            stepped.push(rate);
            beside.push(p99_ms);
        }
        house.stop().await
    })?;
    let mut table = Table::new(format!(
        "late: {trucks} trucks of {hours} h judged again by a zone that is recorded late, {OTHERS} others report {}/s; \
         medians of {} rounds, on {}",
        1000 / PACE.as_millis(),
        cli.rounds(),
        ground.file_system()
    ));
    table.rows.push(Row::new(AGAIN, STEPPED, stepped));
    table.rows.push(Row::new(ALONE, MS, alone));
    table.rows.push(Row::new(BESIDE, MS, beside));
    let ratio = table.median(BESIDE, MS) / table.median(ALONE, MS).max(1e-9);
    table.bars.push(Bar::at_least("judged again, fixes/s", table.median(AGAIN, STEPPED), 100_000.0));
    table.bars.push(Bar::at_most("live p99 beside it / alone", ratio, 1.2));
    Ok(table)
}

impl House {
    async fn start(folder: &Path) -> Result<Self, Failure> {
        let (at, data) = (folder.join("journal"), folder.join("data"));
        for made in [&at, &data] {
            std::fs::create_dir_all(made).map_err(Failure::io("make a folder"))?;
        }
        // It ticks when the bench says so.
        let options = journal::Options { tick: Duration::from_secs(1 << 20), ..journal::Options::new(at.clone()) };
        let (journal, feed, found) = Journal::open(options).map_err(Failure::other("open a journal"))?;
        let store = Store::open(&data, 1).await.map_err(Failure::other("open a store"))?;
        let metrics = Metrics::register(&prometheus::Registry::new()).map_err(Failure::other("name metrics"))?;
        let pipeline = pipeline::start(Options::new(at), store, Some((feed, found.position)), metrics.clone()).await;
        let pipeline = pipeline.map_err(Failure::other("start a pipeline"))?;
        Ok(Self { journal, pipeline, metrics, control_seq: 0, next: 0, revision: 0 })
    }

    /// The trucks hand in everything that they will be judged by.
    async fn fill(&mut self, trucks: u16, each: i64) -> Result<(), Failure> {
        self.control((1..=trucks + OTHERS).flat_map(admit).collect()).await?;
        let circles = (0..ZONES).map(|n| zone(n + 1, 1, 103.79 + n as f64 * 0.003, 150.0, vec![ZoneRule::forbidden()]));
        self.control(circles.collect()).await?;
        let spots: Vec<i64> = (0..each).collect();
        for part in spots.chunks(IN_FRAME) {
            let frames = (1..=trucks).map(|truck| frame(truck, part)).collect::<Result<_, _>>()?;
            self.send(frames).await?;
        }
        self.checkpoint().await
    }

    async fn control(&mut self, changes: Vec<Change>) -> Result<(), Failure> {
        let first = self.control_seq + 1;
        self.control_seq += changes.len() as u64;
        let (recorded_at, actor) = (Timestamp::from_secs(T0), "bench");
        let record = |(change, seq)| ControlRecord { seq, recorded_at, actor: actor.into(), change };
        let records = changes.into_iter().zip(first..).map(record).collect();
        let ticket = self.journal.submit_control(records).await.map_err(Failure::other("record"))?;
        let committed = ticket.await.map_err(Failure::other("record"))?;
        self.pipeline.views.wait_applied(committed.position.seq).await;
        Ok(())
    }

    async fn send(&self, records: Vec<Record>) -> Result<(), Failure> {
        let ticket = self.journal.submit(records).await.map_err(Failure::other("append"))?;
        let committed = ticket.await.map_err(Failure::other("append"))?;
        self.pipeline.views.wait_applied(committed.position.seq).await;
        Ok(())
    }

    async fn checkpoint(&self) -> Result<(), Failure> {
        let before = self.pipeline.views.applied();
        self.pipeline.views.ask_checkpoint();
        self.send(Vec::new()).await?;
        self.pipeline.views.wait_checkpointed(before).await;
        Ok(())
    }

    /// The others report at their pace until `until` says so, and for at least `least`: the 99th of a hundred delays.
    async fn others(
        &mut self,
        trucks: u16,
        each: i64,
        least: Duration,
        mut until: impl FnMut(&Metrics) -> bool,
    ) -> Result<f64, Failure> {
        let mut delays_us = Vec::new();
        let began = Instant::now();
        let mut due = began;
        while !until(&self.metrics) || began.elapsed() < least {
            self.next += 1;
            let truck = trucks + 1 + (self.next % i64::from(OTHERS)) as u16;
            let report = frame(truck, &[each + self.next])?;
            tokio::time::sleep_until(due.into()).await;
            // From when it was due: what waits behind a slow one is slow as well.
            self.send(vec![report]).await?;
            delays_us.push(due.elapsed().as_micros() as u32);
            due += PACE;
        }
        Ok(Latencies::of(delays_us).quantile_ms(0.99))
    }

    /// A wide zone is recorded late: fixes judged again a second, and the delay of the others meanwhile.
    async fn burst(&mut self, trucks: u16, each: i64) -> Result<(f64, f64), Failure> {
        // What is recorded after a quiet tick counts at once.
        for _ in 0..2 {
            self.send(vec![Record::tick(received(each))]).await?;
        }
        self.checkpoint().await?;
        self.revision += 1;
        let before = self.metrics.rejudged_fixes.get();
        let wanted = before + u64::from(trucks) * each as u64;
        let began = Instant::now();
        let visited = vec![zone(WIDE, self.revision, 103.8, 20_000.0, Vec::new())];
        self.control(visited).await?;
        let mut took = None;
        let over = |metrics: &Metrics| {
            let is_over = metrics.rejudged_fixes.get() >= wanted;
            took = took.or_else(|| is_over.then(|| (began.elapsed(), metrics.rejudged_fixes.get() - before)));
            is_over
        };
        let p99_ms = self.others(trucks, each, Duration::ZERO, over).await?;
        let Some((took, fixes)) = took else { return Err(Failure::Wrong("nothing was judged again".into())) };
        self.checkpoint().await?;
        Ok((fixes as f64 / took.as_secs_f64(), p99_ms))
    }

    async fn stop(self) -> Result<(), Failure> {
        let Self { journal, pipeline, .. } = self;
        let closed = tokio::task::spawn_blocking(move || journal.close()).await;
        closed.map_err(Failure::other("close a journal"))?;
        pipeline.finish().await.map_err(Failure::other("stop a pipeline"))
    }
}

fn received(each: i64) -> Timestamp {
    Timestamp::from_secs(T0 + each * INTERVAL_S)
}

fn terminal(truck: u16) -> TerminalId {
    let bcd = |two: u16| (two / 10 * 16 + two % 10) as u8;
    TerminalId::from_wire(&[0x13, bcd(truck / 100), bcd(truck % 100)])
}

fn admit(truck: u16) -> [Change; 3] {
    let (terminal, vehicle) = (terminal(truck), VehicleId(u64::from(truck)));
    let text = String::new;
    [
        Change::VehiclePut(Vehicle { id: vehicle, ..Vehicle::default() }),
        Change::TerminalPut { terminal, maker: text(), model: text(), device: text() },
        Change::Bind { terminal, vehicle, from: Timestamp::MIN },
    ]
}

fn zone(id: u64, revision: u32, lon: f64, radius_m: f64, rules: Vec<ZoneRule>) -> Change {
    Change::ZonePut(Zone {
        id: ZoneId(id),
        revision,
        name: "source".into(),
        kind: ZoneKind::WaterSource1,
        geometry: Geometry::Circle { centre: Coord { x: lon, y: 25.5 }, radius_m },
        rules,
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

/// To and fro on a road of 6 km.
fn report(truck: u16, n: i64) -> LocationReport {
    let along = (n % 200 - 100).abs() as i32;
    let time = BcdTime::from_utc_s(T0 + n * INTERVAL_S).map_or_else(Default::default, |time| time.to_bytes());
    let mut report = LocationReport {
        status: 0b11,
        speed_dkmh: 108,
        direction_deg: if n.rem_euclid(200) < 100 { 270 } else { 90 },
        time_bcd: time,
        items: vec![ItemValue::Mileage(n as u32).to_item()],
        ..LocationReport::default()
    };
    report.set_position(25_500_000 + i32::from(truck % 50) * 40, 103_795_000 + along * 300);
    report
}

/// One position live, or some in a batch.
fn frame(truck: u16, spots: &[i64]) -> Result<Record, Failure> {
    let mut reports: Vec<_> = spots.iter().map(|n| report(truck, *n)).collect();
    let message = match reports.pop() {
        Some(only) if reports.is_empty() => Message::Location(only),
        last => {
            reports.extend(last);
            Message::BatchLocation(BatchLocation::new(BatchKind::BlindArea, reports))
        }
    };
    let number = terminal(truck);
    let phone = Phone::from_digits(&number.to_string(), Edition::V2013).map_err(Failure::other("name a terminal"))?;
    let mut wire = Vec::new();
    encode(&Header::new(message.id(), Edition::V2013, phone, 7), &message, &mut wire)
        .map_err(Failure::other("encode a report"))?;
    let latest = spots.iter().max().copied().unwrap_or(0);
    Ok(Record::uplink(received(latest.max(0)), number, 1, Bytes::from(wire)))
}
