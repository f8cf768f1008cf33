//! Measures what storing costs: a fix into hot memory, a checkpoint, compaction behind it, a truck-day out of it.
//! `cargo run --release -p hazwatch-store --example storm -- [fixes per second, 0 as fast as it goes] [seconds] [vehicles]`

use std::time::{Duration, Instant};

use model::{Fix, Marks, Position, RecordRef, Scope, TerminalId, Timestamp, VehicleId};
use rustix::time::{ClockId, clock_gettime};
use store::{Checkpoint, Options, Store, VehicleState};

/// Fixes between two checkpoints at most, and how often there is one at least.
const CHECKPOINT_FIXES: usize = 500_000;
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);
const BATCH: usize = 1000;
const INTERVAL_S: i64 = 30;
const T0: i64 = 1_795_406_706;

fn vehicle(n: usize) -> VehicleId {
    VehicleId((n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn fix(vehicle: usize, round: i64, seq: u64) -> Fix {
    let time = Timestamp::from_secs(T0 + round * INTERVAL_S + vehicle as i64 % INTERVAL_S);
    let noise = (seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u32;
    let mileage = 10_000 + round as u32 * 5 + noise % 2;
    Fix {
        terminal: TerminalId::from_wire(&(13_912_340_000 + vehicle as u64).to_be_bytes()),
        time,
        received: time.plus_us(400_000 + i64::from(noise % 500) * 1000),
        source: RecordRef { position: Position { shard: 0, seq }, index: noise % 200, item: 0 },
        alarm: 0,
        status: 3,
        lat_wire: (30_000_000 + vehicle as i64 * 31 + round * 2200) as u32 % 89_000_000 + noise % 40,
        lon_wire: (110_000_000 + vehicle as i64 * 57 + round * 1500) as u32 % 179_000_000 + noise % 35,
        altitude_wire: 15 + (noise % 3) as u16,
        speed_dkmh: 600 + (noise % 40) as u16,
        direction_deg: (40 + noise % 9) as u16,
        time_bcd: [0x26, 0x11, 0x23, 0x12, 0x05, 0x06],
        mileage_hm: Some(mileage),
        items: [&[1, 4][..], &mileage.to_be_bytes(), &[0x30, 1, 20]].concat().into_boxed_slice(),
        marks: Marks::default(),
    }
}

fn cpu(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// What the process has in memory.
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// The checkpoint of so many vehicles, with states as long as the rules' are.
fn checkpoint(seq: u64, count: usize) -> Checkpoint {
    let state = |n| VehicleState { vehicle: vehicle(n), judged_to: Timestamp(0), state: vec![7; 150], last: None };
    let before = |n| (vehicle(n), Timestamp(0), vec![7; 150]);
    Checkpoint {
        position: Position { shard: 0, seq },
        states: (0..count).map(state).collect(),
        segment_states: (0..count).map(before).collect(),
        ..Checkpoint::default()
    }
}

#[allow(clippy::print_stdout)]
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let mut next = |default| numbers.next().unwrap_or(Ok(default));
    let (rate, seconds, vehicles) = (next(0)?, next(10)?, next(10_000)?);
    let dir = tempfile::tempdir()?;
    let store = Store::open_with(dir.path(), Options::default()).await?;
    let before = resident_bytes();
    store.push_fixes(0, (0..vehicles).map(|n| (vehicle(n), fix(n, 0, n as u64 / 50))).collect());
    println!(
        "hot memory of one fix a vehicle: {} bytes a vehicle",
        resident_bytes().saturating_sub(before) / vehicles as u64
    );
    let (begin, mut pushing, mut made) = (Instant::now(), Duration::ZERO, Duration::ZERO);
    let (mut total, mut since_cut, mut last_cut) = (vehicles, vehicles, Instant::now());
    let mut committing: Option<tokio::task::JoinHandle<Result<Duration, store::StoreError>>> = None;
    let mut waits: Vec<Duration> = Vec::new();
    while begin.elapsed() < Duration::from_secs(seconds as u64) {
        let start = cpu(ClockId::ThreadCPUTime);
        let fixes: Vec<_> = (total..total + BATCH)
            .map(|n| (vehicle(n % vehicles), fix(n % vehicles, (n / vehicles) as i64, (n / 50) as u64)))
            .collect();
        let between = cpu(ClockId::ThreadCPUTime);
        store.push_fixes(0, fixes);
        made += between.saturating_sub(start);
        pushing += cpu(ClockId::ThreadCPUTime).saturating_sub(between);
        total += BATCH;
        since_cut += BATCH;
        let is_free = committing.as_ref().is_none_or(tokio::task::JoinHandle::is_finished);
        let is_due = since_cut >= CHECKPOINT_FIXES || last_cut.elapsed() > CHECKPOINT_EVERY;
        if is_due && (is_free || since_cut >= 2 * CHECKPOINT_FIXES) {
            if let Some(task) = committing.take() {
                waits.push(task.await??);
            }
            store.cut(0);
            let (to, content) = (store.clone(), checkpoint(total as u64, vehicles.min(since_cut)));
            committing = Some(tokio::spawn(async move {
                let begin = Instant::now();
                to.checkpoint(content).await.map(|()| begin.elapsed())
            }));
            (since_cut, last_cut) = (0, Instant::now());
        }
        let ahead = Duration::from_secs_f64(total as f64 / rate.max(1) as f64);
        if rate > 0 && ahead > begin.elapsed() {
            tokio::time::sleep(ahead.saturating_sub(begin.elapsed())).await;
        }
    }
    if let Some(task) = committing.take() {
        waits.push(task.await??);
    }
    let took = begin.elapsed();
    let process = cpu(ClockId::ProcessCPUTime);
    let per_fix = |time: Duration| time.as_nanos() as f64 / total as f64;
    waits.sort_unstable();
    println!("{total} fixes of {vehicles} vehicles in {took:.1?}: {:.0} fixes/s", total as f64 / took.as_secs_f64());
    println!("push                {:8.0} ns CPU a fix", per_fix(pushing));
    println!(
        "all else but making {:8.0} ns CPU a fix (checkpoints, log, compaction so far)",
        per_fix(process - made - pushing)
    );
    println!("checkpoints {}, median {:.0?}, longest {:.0?}", waits.len(), waits.get(waits.len() / 2), waits.last());
    rest(&store, vehicles).await?;
    store.close().await;
    Ok(())
}

/// What lies on disk, what compaction makes of it, and a track out of that.
#[allow(clippy::print_stdout)]
async fn rest(store: &Store, vehicles: usize) -> Result<(), store::StoreError> {
    let stats = store.stats().await?;
    println!(
        "in segments {:.1} bytes a fix, {} segments",
        stats.segment_bytes as f64 / stats.fixes_segments.max(1) as f64,
        stats.segments
    );
    println!("database {} MiB", stats.database_bytes >> 20);
    let begin = Instant::now();
    store.compact().await?;
    let stats = store.stats().await?;
    println!(
        "compacted in {:.1?}: {:.2} bytes a fix in chunks",
        begin.elapsed(),
        stats.chunk_bytes as f64 / stats.fixes_chunks.max(1) as f64
    );
    let begin = Instant::now();
    for n in 0..100 {
        let found =
            store.track(Scope::All, None, vehicle(n * 37 % vehicles), Timestamp::MIN, Timestamp::MAX, 100_000).await?;
        assert!(!found.is_empty(), "a track is there");
    }
    println!("one track: {:.1?}", begin.elapsed() / 100);
    Ok(())
}
