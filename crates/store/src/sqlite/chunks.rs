//! Chunks in SQL, and the statement that finds all pieces of a track. What bodies say is the business of
//! [`crate::chunk`] and [`crate::segment`].

use model::{DAY_US, Fix, Timestamp, VehicleId};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::value::{Fields, list, pairs, signed};
use super::{Db, ROWS_PER_STATEMENT};
use crate::chunk::cells::Extent;
use crate::segment::{BUCKETS, ROWS_PER_BUCKET, bucket, row};
use crate::{Outline, StoreError, StoredState, chunk};

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

fn state(f: &Fields<'_>) -> Result<Option<StoredState>, StoreError> {
    let at = f.maybe_time("state_time")?;
    let state: Option<Vec<u8>> = f.get("state")?;
    Ok(at.zip(state).map(|(judged_to, state)| StoredState { judged_to, state }))
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

/// Puts chunks in the place of others, in one transaction. States that became void since `void_mark` do not come back.
pub(crate) async fn exchange(db: &Db, gone: &[i64], chunks: &[NewChunk], void_mark: i64) -> Result<(), StoreError> {
    let failed = db.fail("compact segments");
    let mut tx = db.writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
    sqlx::query("DELETE FROM chunk WHERE id IN (SELECT value FROM json_each(?))")
        .bind(list(gone.iter().copied()))
        .execute(&mut *tx)
        .await
        .map_err(&failed)?;
    insert_chunks(&mut tx, chunks).await.map_err(&failed)?;
    sqlx::query(
        "UPDATE chunk SET state_time = NULL, state = NULL FROM \
         (SELECT vehicle, since, until FROM void_state WHERE id > ?) AS v \
         WHERE chunk.vehicle = v.vehicle AND chunk.state_time >= v.since AND chunk.state_time < v.until",
    )
    .bind(void_mark)
    .execute(&mut *tx)
    .await
    .map_err(&failed)?;
    tx.commit().await.map_err(&failed)
}

/// The segment rows and chunks of a vehicle that may hold fixes of [from, to), one statement and so one snapshot. The
/// values: vehicle, from, to, day of from, day of to, [`SPAN`], place of the bucket, rows of a bucket.
const PIECES: &str = "SELECT 0 AS is_chunk, r.id AS id, r.body AS body \
     FROM segment AS s CROSS JOIN segment_row AS r ON r.id BETWEEN s.id * ?6 + ?7 AND s.id * ?6 + ?7 + ?8 - 1 \
     WHERE s.start < ?3 AND s.stop >= ?2 AND r.start < ?3 AND r.stop >= ?2 \
     UNION ALL SELECT 1, c.id, c.body FROM chunk AS c \
     WHERE c.vehicle = ?1 AND c.day BETWEEN ?4 AND ?5 AND c.start < ?3 AND c.stop >= ?2";

/// [`PIECES`] for a vehicle and a time.
pub(crate) fn pieces(
    vehicle: VehicleId,
    from: Timestamp,
    to: Timestamp,
) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
    bound(PIECES, vehicle, from, to)
}

fn bound(
    statement: &'static str,
    vehicle: VehicleId,
    from: Timestamp,
    to: Timestamp,
) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
    sqlx::query(statement)
        .bind(signed(vehicle.0))
        .bind(from.0)
        .bind(to.0)
        .bind(from.china_day())
        .bind(to.china_day())
        .bind(BUCKETS * ROWS_PER_BUCKET)
        .bind(bucket(vehicle) * ROWS_PER_BUCKET)
        .bind(ROWS_PER_BUCKET)
}

/// As [`PIECES`], with the boxes of chunks in place of their bodies.
const OUTLINES: &str = "SELECT 0 AS is_chunk, r.id AS id, r.body AS body, r.start AS start, r.stop AS stop, \
     NULL AS west_e6, NULL AS south_e6, NULL AS east_e6, NULL AS north_e6 \
     FROM segment AS s CROSS JOIN segment_row AS r ON r.id BETWEEN s.id * ?6 + ?7 AND s.id * ?6 + ?7 + ?8 - 1 \
     WHERE s.start < ?3 AND s.stop >= ?2 AND r.start < ?3 AND r.stop >= ?2 \
     UNION ALL SELECT 1, c.id, NULL, c.start, c.stop, c.west_e6, c.south_e6, c.east_e6, c.north_e6 FROM chunk AS c \
     WHERE c.vehicle = ?1 AND c.day BETWEEN ?4 AND ?5 AND c.start < ?3 AND c.stop >= ?2";

/// Where the stored pieces of a vehicle's track in [from, to) lie; what is in no chunk yet is read for it.
pub(crate) async fn outlines(
    db: &Db,
    vehicle: VehicleId,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Outline>, StoreError> {
    let rows = bound(OUTLINES, vehicle, from, to).fetch_all(&db.readers).await.map_err(db.fail("read a track"))?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let f = Fields::of(row, "chunk");
        if f.get("is_chunk")? {
            let (start, stop) = (f.time("start")?, f.time("stop")?);
            found.extend(extent(&f)?.map(|extent| Outline { start, stop, extent }));
        } else {
            found.extend(Outline::of(&piece(row, vehicle)?));
        }
    }
    Ok(found)
}

/// Instants between which all stored fixes of a vehicle lie; `None` when nothing can be there.
pub(crate) async fn track_span(db: &Db, vehicle: VehicleId) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
    let row = sqlx::query(
        "SELECT (SELECT min(start) FROM segment) AS start, (SELECT max(stop) FROM segment) AS stop, \
         (SELECT min(day) FROM chunk WHERE vehicle = ?1) AS first, (SELECT max(day) FROM chunk WHERE vehicle = ?1) AS last",
    )
    .bind(signed(vehicle.0))
    .fetch_one(&db.readers)
    .await
    .map_err(db.fail("read a track"))?;
    let f = Fields::of(&row, "chunk");
    let segments = f.maybe_time("start")?.zip(f.maybe_time("stop")?);
    let days = f.maybe_int::<i64>("first")?.zip(f.maybe_int::<i64>("last")?);
    // Wherever days begin: a day before, and a day after.
    let days = days.map(|(first, last)| (Timestamp((first - 1) * DAY_US), Timestamp((last + 2) * DAY_US)));
    Ok(segments.into_iter().chain(days).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))))
}

fn extent(f: &Fields<'_>) -> Result<Option<Extent>, StoreError> {
    let Some(west_e6) = f.maybe_int("west_e6")? else { return Ok(None) };
    let (south_e6, east_e6, north_e6) = (f.int("south_e6")?, f.int("east_e6")?, f.int("north_e6")?);
    Ok(Some(Extent { west_e6, south_e6, east_e6, north_e6 }))
}

/// The vehicle's fixes in a row of [`pieces`].
pub(crate) fn piece(row: &SqliteRow, vehicle: VehicleId) -> Result<Vec<Fix>, StoreError> {
    let f = Fields::of(row, "chunk");
    let body: &[u8] = f.get("body")?;
    let id: i64 = f.get("id")?;
    if f.get("is_chunk")? {
        return unpack(body, || format!("chunk {id} of {vehicle}"));
    }
    let mut found = Vec::new();
    let outcome = row::read(body, Some(vehicle), |_, fixes| found.extend(fixes));
    outcome.map_err(|why| StoreError::corrupt(format!("row {id} of a segment"), why))?;
    Ok(found)
}
