//! Measures a checkpoint: all of it, and where blocks go (one row a vehicle, against one blob a segment).
//! `cargo run --release -p hazwatch-store --example checkpoint_cost`

use std::time::Instant;

use model::{CarrierId, Fix, Marks, Position, RecordRef, Scope, TerminalId, Timestamp, VehicleId};
use sqlx::{ConnectOptions, Connection, Row, sqlite::SqliteConnectOptions, sqlite::SqliteJournalMode};
use store::{Checkpoint, Options, Store};

const VEHICLES: u64 = 10_000;
const FIXES: i64 = 5;

fn fix(vehicle: u64, second: i64) -> Fix {
    let time = Timestamp::from_secs(1_795_406_706 + second);
    Fix {
        terminal: TerminalId::from_wire(&(13_912_340_000 + vehicle).to_be_bytes()),
        time,
        received: time.plus_us(700_000),
        source: RecordRef { position: Position { shard: 0, seq: second as u64 * 300 + vehicle }, index: 0, item: 0 },
        alarm: 0,
        status: 3,
        lat_wire: (32_050_000 + second * 70) as u32,
        lon_wire: (118_790_000 + second * 50) as u32,
        altitude_wire: 15,
        speed_dkmh: 600,
        direction_deg: 90,
        time_bcd: [0x26, 0x11, 0x23, 0x12, 0x05, 0x06],
        mileage_hm: None,
        items: Box::default(),
        marks: Marks::default(),
    }
}

#[allow(clippy::print_stdout)]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let options = Options { lanes: 1, segments_max: 12, ..Options::default() };
    let store = Store::open_with(dir.path(), options).await?;
    for round in 0..24_i64 {
        let fixes = (0..FIXES).flat_map(|n| {
            (0..VEHICLES).map(move |v| (VehicleId(v * 0x9e37_79b9_7f4a_7c15), fix(v, round * 60 + n * 10)))
        });
        store.push_fixes(0, fixes.collect());
        store.cut(0);
        let begin = Instant::now();
        store
            .checkpoint(Checkpoint { position: Position { shard: 0, seq: round as u64 }, ..Checkpoint::default() })
            .await?;
        let took = begin.elapsed();
        let stats = store.stats().await?;
        println!("checkpoint {round:2}: {took:8.1?}, {} segments, {} chunks", stats.segments, stats.chunks);
    }
    let begin = Instant::now();
    for v in 0..200 {
        let vehicle = VehicleId(v * 37 * 0x9e37_79b9_7f4a_7c15);
        store.track(Scope::All, None::<CarrierId>, vehicle, Timestamp::MIN, Timestamp::MAX, 1000).await?;
    }
    println!("one track out of segments and chunks: {:?}", begin.elapsed() / 200);
    store.close().await;
    one_blob(dir.path()).await
}

/// The other way: one blob for the whole segment, blocks cut out of it by `substr`.
#[allow(clippy::print_stdout)]
async fn one_blob(dir: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    let block = store::chunk::encode(&(0..FIXES).map(|n| fix(1, n * 10)).collect::<Vec<_>>());
    let blob = block.repeat(VEHICLES as usize);
    let options = SqliteConnectOptions::new().filename(dir.join("blob.db")).create_if_missing(true);
    let mut db = options.journal_mode(SqliteJournalMode::Wal).connect().await?;
    sqlx::query("CREATE TABLE segment (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT").execute(&mut db).await?;
    let begin = Instant::now();
    sqlx::query("INSERT INTO segment (body) VALUES (?)").bind(&blob).execute(&mut db).await?;
    println!("one blob of {} KiB: written in {:?}", blob.len() / 1024, begin.elapsed());
    let begin = Instant::now();
    for v in 0..200_i64 {
        let at = v * 37 * block.len() as i64 + 1;
        let row = sqlx::query("SELECT substr(body, ?, ?) FROM segment WHERE id = 1").bind(at).bind(block.len() as i64);
        let row = row.fetch_one(&mut db).await?;
        assert_eq!(row.try_get::<&[u8], _>(0)?, block);
    }
    println!("one block out of one blob: {:?}", begin.elapsed() / 200);
    db.close().await?;
    Ok(())
}
