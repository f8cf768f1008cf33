//! Checkpoints and vehicle states in SQL.

use model::{Position, Timestamp, VehicleId};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::segments::{self, Content};
use super::value::{Fields, list, signed};
use super::{Db, ROWS_PER_STATEMENT, facts, last};
use crate::{Checkpoint, LastPosition, Recovered, StoreError, StoredState, VehicleState};

/// Commits everything or nothing.
pub(crate) async fn commit(
    db: &Db,
    checkpoint: &Checkpoint,
    segment: &Content,
    last: &[(VehicleId, LastPosition)],
) -> Result<(), StoreError> {
    let failed = db.fail("write a checkpoint");
    let mut tx = db.writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
    void_states(&mut tx, &checkpoint.void_states).await.map_err(&failed)?;
    segments::append(&mut tx, segment).await.map_err(&failed)?;
    write_states(&mut tx, &checkpoint.states).await.map_err(&failed)?;
    last::write(&mut tx, last).await.map_err(&failed)?;
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
    facts::settle_past(&mut tx, checkpoint.position.seq).await.map_err(&failed)?;
    tx.commit().await.map_err(&failed)
}

async fn void_states(
    connection: &mut SqliteConnection,
    void: &[(VehicleId, Timestamp, Timestamp)],
) -> Result<(), sqlx::Error> {
    if void.is_empty() {
        return Ok(());
    }
    segments::void(connection, void).await?;
    sqlx::query(
        "UPDATE chunk SET state_time = NULL, state = NULL FROM \
         (SELECT value ->> 0 AS vehicle, value ->> 1 AS since, value ->> 2 AS until FROM json_each(?)) AS v \
         WHERE chunk.vehicle = v.vehicle AND chunk.state_time >= v.since AND chunk.state_time < v.until",
    )
    .bind(super::value::triples(void.iter().map(|(v, t, u)| (signed(v.0), t.0, u.0))))
    .execute(connection)
    .await
    .map(drop)
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
    read(&mut tx).await.map_err(&failed)?
}

/// Reads the checkpoint.
pub(crate) async fn read(
    connection: &mut SqliteConnection,
) -> Result<Result<Option<Recovered>, StoreError>, sqlx::Error> {
    let row = sqlx::query("SELECT shard, seq, control_seq FROM checkpoint").fetch_optional(&mut *connection).await?;
    let Some(row) = row else { return Ok(Ok(None)) };
    let rows = sqlx::query("SELECT name, body FROM checkpoint_blob ORDER BY name").fetch_all(connection).await?;
    Ok(recovered(&row, &rows).map(Some))
}

fn recovered(row: &SqliteRow, blobs: &[SqliteRow]) -> Result<Recovered, StoreError> {
    let f = Fields::of(row, "checkpoint");
    let blob = |row: &SqliteRow| {
        let f = Fields::of(row, "checkpoint_blob");
        Ok((f.get("name")?, f.get("body")?))
    };
    Ok(Recovered {
        position: Position { shard: f.int("shard")?, seq: f.bits("seq")? },
        control_seq: f.bits("control_seq")?,
        blobs: blobs.iter().map(blob).collect::<Result<_, StoreError>>()?,
    })
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

/// The states of a vehicle in segments and chunks, by the event time up to which they had judged: those from `from`
/// on, and the newest `before` of those before it.
pub(crate) async fn rule_states(
    db: &Db,
    vehicle: VehicleId,
    from: Timestamp,
    before: usize,
) -> Result<Vec<StoredState>, StoreError> {
    let failed = db.fail("read rule states");
    let mut tx = db.readers.begin().await.map_err(&failed)?;
    let mut states = segments::states_of(&mut tx, db, vehicle).await?;
    for query in [
        "SELECT state_time, state FROM chunk WHERE vehicle = ?1 AND state_time < ?2 \
         ORDER BY day DESC, start DESC, n DESC LIMIT ?3",
        "SELECT state_time, state FROM chunk WHERE vehicle = ?1 AND state_time >= ?2 LIMIT 1000000",
    ] {
        let rows = sqlx::query(query).bind(signed(vehicle.0)).bind(from.0).bind(signed(before as u64));
        for row in rows.fetch_all(&mut *tx).await.map_err(&failed)? {
            let f = Fields::of(&row, "chunk");
            states.push(StoredState { judged_to: f.time("state_time")?, state: f.get("state")? });
        }
    }
    states.sort_by_key(|state| state.judged_to);
    let excess = states.partition_point(|state| state.judged_to < from).saturating_sub(before);
    states.drain(..excess);
    Ok(states)
}

pub(crate) async fn vehicles_judged_to(db: &Db, from: Timestamp) -> Result<Vec<VehicleId>, StoreError> {
    let rows = sqlx::query("SELECT vehicle FROM vehicle_state WHERE judged_to >= ? ORDER BY vehicle")
        .bind(from.0)
        .fetch_all(&db.readers)
        .await
        .map_err(db.fail("read vehicle states"))?;
    rows.iter().map(|row| Fields::of(row, "vehicle_state").vehicle()).collect()
}

pub(crate) async fn rule_state_before(
    db: &Db,
    vehicle: VehicleId,
    before: Timestamp,
) -> Result<Option<StoredState>, StoreError> {
    let failed = db.fail("read a rule state");
    let mut tx = db.readers.begin().await.map_err(&failed)?;
    let mut states = segments::states_of(&mut tx, db, vehicle).await?;
    let row = sqlx::query(
        "SELECT state_time, state FROM chunk WHERE vehicle = ? AND state_time < ? \
         ORDER BY day DESC, start DESC, n DESC LIMIT 1",
    )
    .bind(signed(vehicle.0))
    .bind(before.0)
    .fetch_optional(&mut *tx)
    .await
    .map_err(&failed)?;
    if let Some(row) = row {
        let f = Fields::of(&row, "chunk");
        states.push(StoredState { judged_to: f.time("state_time")?, state: f.get("state")? });
    }
    Ok(states.into_iter().filter(|s| s.judged_to < before).max_by_key(|s| s.judged_to))
}
