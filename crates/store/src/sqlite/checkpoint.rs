//! Checkpoints, vehicle states and last positions in SQL.

use model::{Marks, Position, RecordRef, Timestamp, VehicleId};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::chunks::{self, Block};
use super::value::{Fields, list, signed};
use super::{Db, ROWS_PER_STATEMENT};
use crate::{Checkpoint, LastPosition, Recovered, StoreError, StoredState, VehicleState};

const LAST: &str = "vehicle, time, shard, seq, idx, item, terminal, received, lon, lat, altitude_m, speed_dkmh, \
     direction_deg, alarm, status, mileage_hm, marks";

/// Commits everything or nothing; answers how many segments are live now. `blocks` say segment 0: the number is
/// given here.
pub(crate) async fn commit(
    db: &Db,
    checkpoint: &Checkpoint,
    mut blocks: Vec<Block>,
    last: &[(VehicleId, LastPosition)],
) -> Result<u64, StoreError> {
    let failed = db.fail("write a checkpoint");
    let mut tx = db.writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
    void_states(&mut tx, &checkpoint.void_states).await.map_err(&failed)?;
    if !blocks.is_empty() {
        let fixes: usize = blocks.iter().map(|b| b.fixes).sum();
        let segment: i64 = sqlx::query_scalar("INSERT INTO segment (fixes) VALUES (?) RETURNING id")
            .bind(signed(fixes as u64))
            .fetch_one(&mut *tx)
            .await
            .map_err(&failed)?;
        blocks.iter_mut().for_each(|b| b.segment = segment);
        chunks::insert_blocks(&mut tx, &blocks).await.map_err(&failed)?;
    }
    write_states(&mut tx, &checkpoint.states).await.map_err(&failed)?;
    write_last(&mut tx, last).await.map_err(&failed)?;
    write_blobs(&mut tx, &checkpoint.blobs).await.map_err(&failed)?;
    sqlx::query(
        "INSERT INTO checkpoint (one, shard, seq, control_seq) VALUES (1, ?, ?, ?) \
         ON CONFLICT (one) DO UPDATE SET shard = excluded.shard, seq = excluded.seq, \
         control_seq = excluded.control_seq",
    )
    .bind(i64::from(checkpoint.position.shard))
    .bind(signed(checkpoint.position.seq))
    .bind(signed(checkpoint.control_seq))
    .execute(&mut *tx)
    .await
    .map_err(&failed)?;
    let live: i64 = sqlx::query_scalar("SELECT count(*) FROM segment").fetch_one(&mut *tx).await.map_err(&failed)?;
    tx.commit().await.map_err(&failed)?;
    Ok(live as u64)
}

async fn void_states(connection: &mut SqliteConnection, void: &[(VehicleId, Timestamp)]) -> Result<(), sqlx::Error> {
    if void.is_empty() {
        return Ok(());
    }
    let pairs = super::value::pairs(void.iter().map(|(v, t)| (signed(v.0), t.0)));
    for statement in [
        "UPDATE chunk SET state_time = NULL, state = NULL FROM \
         (SELECT value ->> 0 AS vehicle, min(value ->> 1) AS since FROM json_each(?) GROUP BY 1) AS v \
         WHERE chunk.vehicle = v.vehicle AND chunk.state_time >= v.since",
        "UPDATE block SET state_time = NULL, state = NULL FROM \
         (SELECT value ->> 0 AS vehicle, min(value ->> 1) AS since FROM json_each(?) GROUP BY 1) AS v, segment AS s \
         WHERE block.segment = s.id AND block.vehicle = v.vehicle AND block.state_time >= v.since",
    ] {
        sqlx::query(statement).bind(&pairs).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn write_states(connection: &mut SqliteConnection, states: &[VehicleState]) -> Result<(), sqlx::Error> {
    for rows in states.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO vehicle_state (vehicle, judged_to, state) ");
        query.push_values(rows, |mut b, s| {
            b.push_bind(signed(s.vehicle.0)).push_bind(s.judged_to.0).push_bind(s.state.clone());
        });
        query.push(" ON CONFLICT (vehicle) DO UPDATE SET judged_to = excluded.judged_to, state = excluded.state");
        query.build().persistent(rows.len() == ROWS_PER_STATEMENT).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn write_last(connection: &mut SqliteConnection, last: &[(VehicleId, LastPosition)]) -> Result<(), sqlx::Error> {
    for rows in last.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new(format!("INSERT INTO last_position ({LAST}) "));
        query.push_values(rows, |mut b, (vehicle, p)| {
            b.push_bind(signed(vehicle.0))
                .push_bind(p.time.0)
                .push_bind(i64::from(p.source.position.shard))
                .push_bind(signed(p.source.position.seq))
                .push_bind(i64::from(p.source.index))
                .push_bind(i64::from(p.source.item))
                .push_bind(p.terminal.to_string())
                .push_bind(p.received.0)
                .push_bind(p.lon)
                .push_bind(p.lat)
                .push_bind(i64::from(p.altitude_m))
                .push_bind(i64::from(p.speed_dkmh))
                .push_bind(i64::from(p.direction_deg))
                .push_bind(i64::from(p.alarm))
                .push_bind(i64::from(p.status))
                .push_bind(p.mileage_hm.map(i64::from))
                .push_bind(i64::from(p.marks.0));
        });
        query.push(
            " ON CONFLICT (vehicle) DO UPDATE SET time = excluded.time, shard = excluded.shard, seq = excluded.seq, \
             idx = excluded.idx, item = excluded.item, terminal = excluded.terminal, received = excluded.received, \
             lon = excluded.lon, lat = excluded.lat, altitude_m = excluded.altitude_m, \
             speed_dkmh = excluded.speed_dkmh, direction_deg = excluded.direction_deg, alarm = excluded.alarm, \
             status = excluded.status, mileage_hm = excluded.mileage_hm, marks = excluded.marks \
             WHERE (excluded.time, excluded.shard, excluded.seq, excluded.idx, excluded.item) > \
             (last_position.time, last_position.shard, last_position.seq, last_position.idx, last_position.item)",
        );
        query.build().persistent(rows.len() == ROWS_PER_STATEMENT).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn write_blobs(connection: &mut SqliteConnection, blobs: &[(String, Vec<u8>)]) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM checkpoint_blob").execute(&mut *connection).await?;
    for (name, body) in blobs {
        sqlx::query("INSERT INTO checkpoint_blob (name, body) VALUES (?, ?)")
            .bind(name)
            .bind(body)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(crate) async fn recovery(db: &Db) -> Result<Option<Recovered>, StoreError> {
    let failed = db.fail("read the checkpoint");
    let mut tx = db.readers.begin().await.map_err(&failed)?;
    let row = sqlx::query("SELECT shard, seq, control_seq FROM checkpoint").fetch_optional(&mut *tx).await;
    let Some(row) = row.map_err(&failed)? else { return Ok(None) };
    let f = Fields::of(&row, "checkpoint");
    let rows = sqlx::query("SELECT name, body FROM checkpoint_blob ORDER BY name").fetch_all(&mut *tx).await;
    let blob = |row: &SqliteRow| {
        let f = Fields::of(row, "checkpoint_blob");
        Ok((f.get("name")?, f.get("body")?))
    };
    Ok(Some(Recovered {
        position: Position { shard: f.int("shard")?, seq: f.bits("seq")? },
        control_seq: f.bits("control_seq")?,
        blobs: rows.map_err(&failed)?.iter().map(blob).collect::<Result<_, StoreError>>()?,
    }))
}

pub(crate) async fn vehicle_states(db: &Db, vehicles: &[VehicleId]) -> Result<Vec<VehicleState>, StoreError> {
    let rows = sqlx::query(
        "SELECT s.vehicle, s.judged_to, s.state FROM json_each(?) AS k CROSS JOIN vehicle_state AS s \
         ON s.vehicle = k.value",
    )
    .bind(list(vehicles.iter().map(|v| signed(v.0))))
    .fetch_all(&db.readers)
    .await
    .map_err(db.fail("read vehicle states"))?;
    rows.iter()
        .map(|row| {
            let f = Fields::of(row, "vehicle_state");
            Ok(VehicleState {
                vehicle: f.vehicle()?,
                judged_to: f.time("judged_to")?,
                state: f.get("state")?,
                last: None,
            })
        })
        .collect()
}

pub(crate) async fn last_positions(
    db: &Db,
    vehicles: &[VehicleId],
) -> Result<Vec<(VehicleId, LastPosition)>, StoreError> {
    let rows = sqlx::query("SELECT p.* FROM json_each(?) AS k CROSS JOIN last_position AS p ON p.vehicle = k.value")
        .bind(list(vehicles.iter().map(|v| signed(v.0))))
        .fetch_all(&db.readers)
        .await
        .map_err(db.fail("read last positions"))?;
    rows.iter().map(read_last).collect()
}

fn read_last(row: &SqliteRow) -> Result<(VehicleId, LastPosition), StoreError> {
    let f = Fields::of(row, "last_position");
    let position = Position { shard: f.int("shard")?, seq: f.bits("seq")? };
    let last = LastPosition {
        terminal: f.terminal()?,
        time: f.time("time")?,
        received: f.time("received")?,
        source: RecordRef { position, index: f.int("idx")?, item: f.int("item")? },
        lon: f.get("lon")?,
        lat: f.get("lat")?,
        altitude_m: f.int("altitude_m")?,
        speed_dkmh: f.int("speed_dkmh")?,
        direction_deg: f.int("direction_deg")?,
        alarm: f.int("alarm")?,
        status: f.int("status")?,
        mileage_hm: f.maybe_int("mileage_hm")?,
        marks: Marks(f.int("marks")?),
    };
    Ok((f.vehicle()?, last))
}

pub(crate) async fn rule_state_before(
    db: &Db,
    vehicle: VehicleId,
    before: Timestamp,
) -> Result<Option<StoredState>, StoreError> {
    let row = sqlx::query(
        "SELECT state_time, state FROM (\
         SELECT b.state_time, b.state FROM segment AS s CROSS JOIN block AS b \
         ON b.segment = s.id AND b.vehicle = ?1 WHERE b.state_time < ?2 \
         UNION ALL SELECT * FROM (SELECT state_time, state FROM chunk WHERE vehicle = ?1 AND state_time < ?2 \
         ORDER BY day DESC, start DESC, n DESC LIMIT 1)) ORDER BY state_time DESC LIMIT 1",
    )
    .bind(signed(vehicle.0))
    .bind(before.0)
    .fetch_optional(&db.readers)
    .await
    .map_err(db.fail("read a rule state"))?;
    row.map(|row| {
        let f = Fields::of(&row, "chunk");
        Ok(StoredState { judged_to: f.time("state_time")?, state: f.get("state")? })
    })
    .transpose()
}
