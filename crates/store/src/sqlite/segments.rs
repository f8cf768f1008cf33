//! Segments in SQL: few rows of many vehicles, found by their number alone.
//!
//! One blob for a whole segment would be written faster still, but cutting a piece out of it makes the engine walk all
//! of the blob before it; one row a vehicle costs 3 us each. A bucket lies between: at most 1,024 rows a checkpoint,
//! and a reader unpacks one thousandth of the segment. And what lies in one transaction cannot disagree with an index
//! in memory.

use std::collections::BTreeMap;

use model::{Fix, Timestamp, VehicleId};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};

use super::Db;
use super::value::{Fields, list, signed, triples};
use crate::segment::row::{self, Row};
use crate::segment::{BUCKETS, ROWS_PER_BUCKET, bucket, row_id, segment_of};
use crate::{StoreError, StoredState};

/// Rows of up to 64 KiB: enough of them in a statement to make it cheap.
const ROWS_PER_STATEMENT: usize = 64;
/// Ids of one segment.
const SPAN: i64 = BUCKETS * ROWS_PER_BUCKET;

/// What a segment is made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    pub(crate) rows: Vec<Row>,
    /// By bucket, in its order.
    pub(crate) states: Vec<(i64, Vec<u8>)>,
}

impl Content {
    /// What it takes up, bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.rows.iter().map(|row| row.body.len() as u64).sum()
    }

    fn ends(&self) -> Option<(Timestamp, Timestamp)> {
        let start = self.rows.iter().map(|row| row.start).min()?;
        Some((start, self.rows.iter().map(|row| row.stop).max()?))
    }
}

/// Appends a segment; nothing when it is empty.
pub(crate) async fn append(connection: &mut SqliteConnection, content: &Content) -> Result<(), sqlx::Error> {
    let Some((start, stop)) = content.ends() else { return Ok(()) };
    let segment: i64 = sqlx::query_scalar("INSERT INTO segment (start, stop) VALUES (?, ?) RETURNING id")
        .bind(start.0)
        .bind(stop.0)
        .fetch_one(&mut *connection)
        .await?;
    insert(connection, segment, content).await
}

async fn insert(connection: &mut SqliteConnection, segment: i64, content: &Content) -> Result<(), sqlx::Error> {
    for rows in content.rows.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO segment_row (id, start, stop, fixes, body) ");
        query.push_values(rows, |mut b, row| {
            b.push_bind(row_id(segment, row.bucket, row.n))
                .push_bind(row.start.0)
                .push_bind(row.stop.0)
                .push_bind(signed(row.fixes as u64))
                .push_bind(row.body.clone());
        });
        query.build().persistent(rows.len() == ROWS_PER_STATEMENT).execute(&mut *connection).await?;
    }
    for rows in content.states.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO segment_state (id, body) ");
        query.push_values(rows, |mut b, (bucket, body)| {
            b.push_bind(row_id(segment, *bucket, 0)).push_bind(body.clone());
        });
        query.build().persistent(rows.len() == ROWS_PER_STATEMENT).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Remembers that states of these vehicles do not hold any more, for all segments that there are.
pub(crate) async fn void(
    connection: &mut SqliteConnection,
    void: &[(VehicleId, Timestamp, Timestamp)],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO void_state (vehicle, since, until, segment) \
         SELECT value ->> 0, value ->> 1, value ->> 2, (SELECT max(id) FROM segment) FROM json_each(?) \
         WHERE EXISTS (SELECT 1 FROM segment)",
    )
    .bind(triples(void.iter().map(|(v, t, u)| (signed(v.0), t.0, u.0))))
    .execute(connection)
    .await
    .map(drop)
}

/// A row, without its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowHead {
    pub(crate) id: i64,
    pub(crate) bytes: u64,
}

impl RowHead {
    pub(crate) const fn segment(&self) -> i64 {
        segment_of(self.id)
    }
}

/// The newest segment, and how many there are after `after`.
pub(crate) async fn newest(db: &Db, after: i64) -> Result<(Option<i64>, u64), StoreError> {
    let row = sqlx::query("SELECT max(id) AS newest, count(*) FILTER (WHERE id > ?) AS fresh FROM segment")
        .bind(after)
        .fetch_one(&db.readers)
        .await
        .map_err(db.fail("read segments"))?;
    let f = Fields::of(&row, "segment");
    Ok((f.get("newest")?, f.bits("fresh")?))
}

/// How much lies in segments, bytes.
pub(crate) async fn backlog(db: &Db) -> Result<u64, StoreError> {
    let bytes: i64 = sqlx::query_scalar("SELECT coalesce(sum(length(body)), 0) FROM segment_row")
        .fetch_one(&db.readers)
        .await
        .map_err(db.fail("read segments"))?;
    Ok(bytes as u64)
}

/// The buckets that have rows with lower ids than `end`.
pub(crate) async fn buckets(connection: &mut SqliteConnection, end: i64) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar("SELECT DISTINCT id / ?1 % ?2 AS bucket FROM segment_row WHERE id < ?3 ORDER BY bucket")
        .bind(ROWS_PER_BUCKET)
        .bind(BUCKETS)
        .bind(end)
        .fetch_all(connection)
        .await
}

/// The buckets that have rows in segments up to `last`.
pub(crate) async fn buckets_up_to(db: &Db, last: i64) -> Result<Vec<i64>, StoreError> {
    let failed = db.fail("read segments");
    let mut reader = db.readers.acquire().await.map_err(&failed)?;
    buckets(&mut reader, row_id(last + 1, 0, 0)).await.map_err(failed)
}

/// The rows of a bucket in segments up to `last`, oldest first.
pub(crate) async fn heads(db: &Db, bucket: i64, last: i64) -> Result<Vec<RowHead>, StoreError> {
    let rows = sqlx::query(
        "SELECT r.id, length(r.body) AS bytes FROM segment AS s CROSS JOIN segment_row AS r \
         ON r.id BETWEEN s.id * ?1 + ?2 AND s.id * ?1 + ?2 + ?3 - 1 WHERE s.id <= ?4 ORDER BY r.id",
    )
    .bind(SPAN)
    .bind(bucket * ROWS_PER_BUCKET)
    .bind(ROWS_PER_BUCKET)
    .bind(last)
    .fetch_all(&db.readers)
    .await
    .map_err(db.fail("read segments"))?;
    rows.iter()
        .map(|row| {
            let f = Fields::of(row, "segment_row");
            Ok(RowHead { id: f.get("id")?, bytes: f.bits("bytes")? })
        })
        .collect()
}

/// What was read of a bucket: bodies of rows, and the states of the same segments as far as they hold.
pub(crate) struct Picked {
    pub(crate) bodies: Vec<(i64, Vec<u8>)>,
    pub(crate) states: Vec<(VehicleId, StoredState)>,
    /// What became void behind this mark is not yet left out.
    pub(crate) void_mark: i64,
}

/// Reads rows and, for the first row of each segment among them, the states.
pub(crate) async fn pick(db: &Db, rows: &[RowHead]) -> Result<Picked, StoreError> {
    let failed = db.fail("read segments");
    let mut tx = db.readers.begin().await.map_err(&failed)?;
    let voids = voids(&mut tx, None).await.map_err(&failed)?;
    let void_mark = voids.iter().map(|v| v.id).max().unwrap_or(0);
    let ids = list(rows.iter().map(|row| row.id));
    let found = sqlx::query("SELECT r.id, r.body FROM json_each(?) AS k CROSS JOIN segment_row AS r ON r.id = k.value")
        .bind(&ids)
        .fetch_all(&mut *tx)
        .await
        .map_err(&failed)?;
    let read = |row: &SqliteRow| {
        let f = Fields::of(row, "segment_row");
        Ok((f.get("id")?, f.get("body")?))
    };
    let bodies = found.iter().map(read).collect::<Result<Vec<(i64, Vec<u8>)>, StoreError>>()?;
    let found =
        sqlx::query("SELECT s.id, s.body FROM json_each(?) AS k CROSS JOIN segment_state AS s ON s.id = k.value")
            .bind(&ids)
            .fetch_all(&mut *tx)
            .await
            .map_err(&failed)?;
    let mut states = Vec::new();
    for row in &found {
        states.extend(holding(row, &voids)?);
    }
    Ok(Picked { bodies, states, void_mark })
}

struct Void {
    id: i64,
    vehicle: VehicleId,
    since: Timestamp,
    until: Timestamp,
    segment: i64,
}

async fn voids(connection: &mut SqliteConnection, of: Option<VehicleId>) -> Result<Vec<Void>, sqlx::Error> {
    let query = match of {
        None => sqlx::query("SELECT id, vehicle, since, until, segment FROM void_state"),
        Some(vehicle) => sqlx::query("SELECT id, vehicle, since, until, segment FROM void_state WHERE vehicle = ?")
            .bind(signed(vehicle.0)),
    };
    let rows = query.fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(Void {
                id: row.try_get("id")?,
                vehicle: VehicleId(row.try_get::<i64, _>("vehicle")? as u64),
                since: Timestamp(row.try_get("since")?),
                until: Timestamp(row.try_get("until")?),
                segment: row.try_get("segment")?,
            })
        })
        .collect()
}

/// The states of a row of `segment_state` that hold.
fn holding(row: &SqliteRow, voids: &[Void]) -> Result<Vec<(VehicleId, StoredState)>, StoreError> {
    let f = Fields::of(row, "segment_state");
    let id: i64 = f.get("id")?;
    let states = row::read_states(f.get("body")?);
    let mut states = states.map_err(|why| StoreError::corrupt(format!("states of segment {}", segment_of(id)), why))?;
    let is_void = |vehicle: VehicleId, state: &StoredState| {
        let hit = |v: &Void| {
            let covers = v.since <= state.judged_to && state.judged_to < v.until;
            v.vehicle == vehicle && v.segment >= segment_of(id) && covers
        };
        voids.iter().any(hit)
    };
    states.retain(|(vehicle, state)| !is_void(*vehicle, state));
    Ok(states)
}

/// The states of one vehicle in segments.
pub(crate) async fn states_of(
    connection: &mut SqliteConnection,
    db: &Db,
    vehicle: VehicleId,
) -> Result<Vec<StoredState>, StoreError> {
    let failed = db.fail("read a rule state");
    let voids = voids(connection, Some(vehicle)).await.map_err(&failed)?;
    let rows =
        sqlx::query("SELECT t.id, t.body FROM segment AS s CROSS JOIN segment_state AS t ON t.id = s.id * ?1 + ?2")
            .bind(SPAN)
            .bind(bucket(vehicle) * ROWS_PER_BUCKET)
            .fetch_all(connection)
            .await
            .map_err(&failed)?;
    let mut states = Vec::new();
    for row in &rows {
        states.extend(holding(row, &voids)?.into_iter().filter(|(v, _)| *v == vehicle).map(|(_, s)| s));
    }
    Ok(states)
}

/// All fixes of one bucket, by vehicle.
pub(crate) async fn bucket_fixes(
    connection: &mut SqliteConnection,
    db: &Db,
    bucket: i64,
) -> Result<BTreeMap<VehicleId, Vec<Fix>>, StoreError> {
    let rows = sqlx::query(
        "SELECT r.id, r.body FROM segment AS s CROSS JOIN segment_row AS r \
         ON r.id BETWEEN s.id * ?1 + ?2 AND s.id * ?1 + ?2 + ?3 - 1",
    )
    .bind(SPAN)
    .bind(bucket * ROWS_PER_BUCKET)
    .bind(ROWS_PER_BUCKET)
    .fetch_all(connection)
    .await
    .map_err(db.fail("read segments"))?;
    let mut found: BTreeMap<VehicleId, Vec<Fix>> = BTreeMap::new();
    for row in &rows {
        let f = Fields::of(row, "segment_row");
        let id: i64 = f.get("id")?;
        let outcome = row::read(f.get("body")?, None, |v, fixes| found.entry(v).or_default().extend(fixes));
        outcome.map_err(|why| StoreError::corrupt(format!("row {id} of a segment"), why))?;
    }
    Ok(found)
}

/// Takes rows away and puts what stays into the segment `into`, in one transaction.
pub(crate) async fn replace(db: &Db, gone: &[i64], into: i64, content: &Content) -> Result<(), StoreError> {
    let failed = db.fail("compact segments");
    let mut tx = db.writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
    let ids = list(gone.iter().copied());
    for statement in [
        "DELETE FROM segment_row WHERE id IN (SELECT value FROM json_each(?))",
        "DELETE FROM segment_state WHERE id IN (SELECT value FROM json_each(?))",
    ] {
        sqlx::query(statement).bind(&ids).execute(&mut *tx).await.map_err(&failed)?;
    }
    if let Some((start, stop)) = content.ends() {
        insert(&mut tx, into, content).await.map_err(&failed)?;
        sqlx::query("UPDATE segment SET start = min(start, ?), stop = max(stop, ?) WHERE id = ?")
            .bind(start.0)
            .bind(stop.0)
            .bind(into)
            .execute(&mut *tx)
            .await
            .map_err(&failed)?;
    }
    tx.commit().await.map_err(&failed)
}

/// Forgets segments up to `last` that have no rows any more, and what was void before the oldest that has.
pub(crate) async fn drop_empty(db: &Db, last: i64) -> Result<(), StoreError> {
    let failed = db.fail("compact segments");
    let mut tx = db.writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
    sqlx::query(
        "DELETE FROM segment WHERE id <= ?1 AND NOT EXISTS \
         (SELECT 1 FROM segment_row AS r WHERE r.id BETWEEN segment.id * ?2 AND segment.id * ?2 + ?2 - 1)",
    )
    .bind(last)
    .bind(SPAN)
    .execute(&mut *tx)
    .await
    .map_err(&failed)?;
    sqlx::query("DELETE FROM void_state WHERE segment < coalesce((SELECT min(id) FROM segment), segment + 1)")
        .execute(&mut *tx)
        .await
        .map_err(&failed)?;
    tx.commit().await.map_err(&failed)
}

/// How many voids are remembered.
pub(crate) async fn void_count(db: &Db) -> Result<u64, StoreError> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM void_state")
        .fetch_one(&db.readers)
        .await
        .map_err(db.fail("read segments"))?;
    Ok(count as u64)
}
