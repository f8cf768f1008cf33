//! Blocks of segments and chunks in SQL. What their bodies say is the business of [`crate::chunk`].
//!
//! A segment is one row a vehicle, not one blob with an index beside it: cutting one block out of a blob by `substr`
//! makes the engine walk all of the blob before it (74 us in 849 KiB, for each segment), while a whole track out of
//! two segments takes 117 us from rows (example `checkpoint_cost`). And what lies in one transaction cannot disagree
//! with an index in memory.

use model::{Fix, Timestamp, VehicleId};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::value::{Fields, list, pairs, signed};
use super::{Db, ROWS_PER_STATEMENT};
use crate::chunk::cells::Extent;
use crate::{StoreError, StoredState, chunk};

/// The fixes of one vehicle in one segment, or a piece of them.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) segment: i64,
    pub(crate) vehicle: VehicleId,
    pub(crate) n: i64,
    pub(crate) start: Timestamp,
    pub(crate) stop: Timestamp,
    pub(crate) fixes: usize,
    pub(crate) state: Option<StoredState>,
    pub(crate) body: Vec<u8>,
}

/// What is known about a chunk without reading it.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) id: i64,
    pub(crate) vehicle: VehicleId,
    pub(crate) day: i32,
    pub(crate) start: Timestamp,
    pub(crate) n: i64,
    pub(crate) stop: Timestamp,
    pub(crate) fixes: usize,
}

/// A chunk to be stored.
#[derive(Clone, Debug)]
pub(crate) struct NewChunk {
    pub(crate) vehicle: VehicleId,
    pub(crate) day: i32,
    pub(crate) start: Timestamp,
    pub(crate) n: i64,
    pub(crate) stop: Timestamp,
    pub(crate) fixes: usize,
    pub(crate) extent: Option<Extent>,
    pub(crate) cells: Vec<u8>,
    pub(crate) state: Option<StoredState>,
    pub(crate) body: Vec<u8>,
}

/// Reads a body; an error names the row.
pub(crate) fn unpack(body: &[u8], name: impl FnOnce() -> String) -> Result<Vec<Fix>, StoreError> {
    chunk::decode(body).map_err(|why| StoreError::corrupt(name(), why))
}

impl Block {
    pub(crate) fn unpack(&self) -> Result<Vec<Fix>, StoreError> {
        unpack(&self.body, || format!("block {} of {} in segment {}", self.n, self.vehicle, self.segment))
    }
}

fn state(f: &Fields<'_>) -> Result<Option<StoredState>, StoreError> {
    let at = f.maybe_time("state_time")?;
    let state: Option<Vec<u8>> = f.get("state")?;
    Ok(at.zip(state).map(|(judged_to, state)| StoredState { judged_to, state }))
}

fn read_block(row: &SqliteRow) -> Result<Block, StoreError> {
    let f = Fields::of(row, "block");
    Ok(Block {
        segment: f.get("segment")?,
        vehicle: f.vehicle()?,
        n: f.get("n")?,
        start: f.time("start")?,
        stop: f.time("stop")?,
        fixes: f.int("fixes")?,
        state: state(&f)?,
        body: f.get("body")?,
    })
}

/// Appends blocks to segments.
pub(crate) async fn insert_blocks(connection: &mut SqliteConnection, blocks: &[Block]) -> Result<(), sqlx::Error> {
    for rows in blocks.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO block (segment, vehicle, n, start, stop, fixes, state_time, state, body) ",
        );
        query.push_values(rows, |mut b, block| {
            b.push_bind(block.segment)
                .push_bind(signed(block.vehicle.0))
                .push_bind(block.n)
                .push_bind(block.start.0)
                .push_bind(block.stop.0)
                .push_bind(signed(block.fixes as u64))
                .push_bind(block.state.as_ref().map(|s| s.judged_to.0))
                .push_bind(block.state.as_ref().map(|s| s.state.clone()))
                .push_bind(block.body.clone());
        });
        query.build().persistent(rows.len() == ROWS_PER_STATEMENT).execute(&mut *connection).await?;
    }
    Ok(())
}

pub(crate) async fn insert_chunks(connection: &mut SqliteConnection, chunks: &[NewChunk]) -> Result<(), sqlx::Error> {
    for rows in chunks.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO chunk (vehicle, day, start, n, stop, fixes, west_e6, south_e6, east_e6, north_e6, cells, \
             state_time, state, format, body) ",
        );
        query.push_values(rows, |mut b, c| {
            b.push_bind(signed(c.vehicle.0))
                .push_bind(c.day)
                .push_bind(c.start.0)
                .push_bind(c.n)
                .push_bind(c.stop.0)
                .push_bind(signed(c.fixes as u64))
                .push_bind(c.extent.map(|e| e.west_e6))
                .push_bind(c.extent.map(|e| e.south_e6))
                .push_bind(c.extent.map(|e| e.east_e6))
                .push_bind(c.extent.map(|e| e.north_e6))
                .push_bind(c.cells.clone())
                .push_bind(c.state.as_ref().map(|s| s.judged_to.0))
                .push_bind(c.state.as_ref().map(|s| s.state.clone()))
                .push_bind(i64::from(chunk::VERSION))
                .push_bind(c.body.clone());
        });
        query.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Live segments, oldest first.
pub(crate) async fn segments(db: &Db) -> Result<Vec<i64>, StoreError> {
    let rows = sqlx::query("SELECT id FROM segment ORDER BY id").fetch_all(&db.readers).await;
    let rows = rows.map_err(db.fail("read segments"))?;
    rows.iter().map(|row| Fields::of(row, "segment").get("id")).collect()
}

/// Vehicles with blocks in segments up to `last`, with their first and last such segment, in the order of storage.
pub(crate) async fn vehicles_up_to(db: &Db, last: i64) -> Result<Vec<(VehicleId, i64, i64)>, StoreError> {
    let rows = sqlx::query(
        "SELECT vehicle, min(segment) AS first, max(segment) AS last FROM block WHERE segment <= ? GROUP BY vehicle \
         ORDER BY vehicle",
    )
    .bind(last)
    .fetch_all(&db.readers)
    .await
    .map_err(db.fail("read segments"))?;
    rows.iter()
        .map(|row| {
            let f = Fields::of(row, "block");
            Ok((f.vehicle()?, f.get("first")?, f.get("last")?))
        })
        .collect()
}

/// The blocks of these vehicles in segments up to `last`.
pub(crate) async fn blocks_up_to(db: &Db, last: i64, vehicles: &[VehicleId]) -> Result<Vec<Block>, StoreError> {
    let rows = sqlx::query(
        "SELECT b.* FROM segment AS s CROSS JOIN json_each(?1) AS v CROSS JOIN block AS b \
         ON b.segment = s.id AND b.vehicle = v.value WHERE s.id <= ?2 ORDER BY b.vehicle, b.segment, b.n",
    )
    .bind(list(vehicles.iter().map(|v| signed(v.0))))
    .bind(last)
    .fetch_all(&db.readers)
    .await
    .map_err(db.fail("read segments"))?;
    rows.iter().map(read_block).collect()
}

/// What chunks there are on these days of these vehicles, in the order (vehicle as stored, day, start, n).
pub(crate) async fn heads(db: &Db, days: &[(VehicleId, i32)]) -> Result<Vec<Head>, StoreError> {
    let rows = sqlx::query(
        "SELECT c.id, c.vehicle, c.day, c.start, c.n, c.stop, c.fixes FROM json_each(?) AS k CROSS JOIN chunk AS c \
         ON c.vehicle = k.value ->> 0 AND c.day = k.value ->> 1 ORDER BY c.vehicle, c.day, c.start, c.n",
    )
    .bind(pairs(days.iter().map(|(v, d)| (signed(v.0), i64::from(*d)))))
    .fetch_all(&db.readers)
    .await
    .map_err(db.fail("read chunks"))?;
    rows.iter()
        .map(|row| {
            let f = Fields::of(row, "chunk");
            Ok(Head {
                id: f.get("id")?,
                vehicle: f.vehicle()?,
                day: f.get("day")?,
                start: f.time("start")?,
                n: f.get("n")?,
                stop: f.time("stop")?,
                fixes: f.int("fixes")?,
            })
        })
        .collect()
}

/// The bodies of these chunks, with their states.
pub(crate) async fn bodies(db: &Db, ids: &[i64]) -> Result<Vec<(i64, Option<StoredState>, Vec<u8>)>, StoreError> {
    let rows = sqlx::query(
        "SELECT c.id, c.state_time, c.state, c.body FROM json_each(?) AS k CROSS JOIN chunk AS c ON c.id = k.value",
    )
    .bind(list(ids.iter().copied()))
    .fetch_all(&db.readers)
    .await
    .map_err(db.fail("read chunks"))?;
    rows.iter()
        .map(|row| {
            let f = Fields::of(row, "chunk");
            Ok((f.get("id")?, state(&f)?, f.get("body")?))
        })
        .collect()
}

/// One step of a compaction, one transaction: these vehicles' blocks go, what was made of them comes.
pub(crate) struct Exchange<'a> {
    /// Blocks in segments up to this one go.
    pub(crate) last: i64,
    pub(crate) vehicles: &'a [VehicleId],
    pub(crate) blocks: &'a [Block],
    pub(crate) chunks_gone: &'a [i64],
    pub(crate) chunks: &'a [NewChunk],
}

pub(crate) async fn exchange(db: &Db, step: &Exchange<'_>) -> Result<(), StoreError> {
    let failed = db.fail("compact segments");
    let mut tx = db.writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
    sqlx::query(
        "DELETE FROM block WHERE (segment, vehicle) IN \
         (SELECT s.id, v.value FROM segment AS s CROSS JOIN json_each(?1) AS v WHERE s.id <= ?2)",
    )
    .bind(list(step.vehicles.iter().map(|v| signed(v.0))))
    .bind(step.last)
    .execute(&mut *tx)
    .await
    .map_err(&failed)?;
    insert_blocks(&mut tx, step.blocks).await.map_err(&failed)?;
    sqlx::query("DELETE FROM chunk WHERE id IN (SELECT value FROM json_each(?))")
        .bind(list(step.chunks_gone.iter().copied()))
        .execute(&mut *tx)
        .await
        .map_err(&failed)?;
    insert_chunks(&mut tx, step.chunks).await.map_err(&failed)?;
    tx.commit().await.map_err(&failed)
}

/// Forgets segments up to `last` that have no blocks any more, and counts what is left in `last`.
pub(crate) async fn drop_empty_segments(db: &Db, last: i64) -> Result<(), StoreError> {
    let failed = db.fail("compact segments");
    let mut tx = db.writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
    for statement in [
        "DELETE FROM segment WHERE id <= ? AND NOT EXISTS (SELECT 1 FROM block WHERE block.segment = segment.id)",
        "UPDATE segment SET fixes = (SELECT sum(fixes) FROM block WHERE block.segment = segment.id) WHERE id <= ?",
    ] {
        sqlx::query(statement).bind(last).execute(&mut *tx).await.map_err(&failed)?;
    }
    tx.commit().await.map_err(&failed)
}

/// The blocks and chunks of a vehicle that may hold fixes of [from, to), one statement and so one snapshot. The
/// fields are (name for errors, body).
pub(crate) const PIECES: &str = "SELECT 'segment' AS place, b.segment AS id, b.n AS n, b.body AS body \
     FROM segment AS s CROSS JOIN block AS b ON b.segment = s.id AND b.vehicle = ?1 \
     WHERE b.start < ?3 AND b.stop >= ?2 \
     UNION ALL SELECT 'chunk', c.id, c.n, c.body FROM chunk AS c \
     WHERE c.vehicle = ?1 AND c.day BETWEEN ?4 AND ?5 AND c.start < ?3 AND c.stop >= ?2";

/// Unpacks a row of [`PIECES`].
pub(crate) fn piece(row: &SqliteRow, vehicle: VehicleId) -> Result<Vec<Fix>, StoreError> {
    let f = Fields::of(row, "chunk");
    let body: &[u8] = f.get("body")?;
    unpack(body, || {
        let place: String = row.try_get("place").unwrap_or_default();
        let id: i64 = row.try_get("id").unwrap_or_default();
        let n: i64 = row.try_get("n").unwrap_or_default();
        format!("{place} {id}.{n} of {vehicle}")
    })
}
