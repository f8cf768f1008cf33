//! Retention in SQL: days of tracks, effects and commands that are done with, and strangers beyond a number.

use model::{Timestamp, VehicleId};

use super::Db;
use super::value::{Fields, list, signed};
use crate::StoreError;

/// Strangers that are kept; those that were silent longest go.
const STRANGERS_MAX: i64 = 100_000;
/// Rows in one transaction.
const ROWS: i64 = 500;

/// A chunk of a day that may go.
pub(crate) struct Old {
    pub(crate) id: i64,
    pub(crate) vehicle: VehicleId,
    pub(crate) day: i32,
    pub(crate) body: Vec<u8>,
}

/// Some chunks of days before `before`, after `after`, in the order (day, vehicle as stored, id).
pub(crate) async fn chunks_before(
    db: &Db,
    before: i32,
    after: (i32, i64, i64),
    limit: i64,
) -> Result<Vec<Old>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, vehicle, day, body FROM chunk WHERE day < ? AND (day, vehicle, id) > (?, ?, ?) \
         ORDER BY day, vehicle, id LIMIT ?",
    )
    .bind(before)
    .bind(after.0)
    .bind(after.1)
    .bind(after.2)
    .bind(limit)
    .fetch_all(&db.readers)
    .await
    .map_err(db.fail("read old tracks"))?;
    rows.iter()
        .map(|row| {
            let f = Fields::of(row, "chunk");
            Ok(Old { id: f.get("id")?, vehicle: f.vehicle()?, day: f.get("day")?, body: f.get("body")? })
        })
        .collect()
}

/// Where [`chunks_before`] goes on.
pub(crate) const fn cursor(old: &Old) -> (i32, i64, i64) {
    (old.day, signed(old.vehicle.0), old.id)
}

pub(crate) async fn delete_chunks(db: &Db, ids: &[i64]) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM chunk WHERE id IN (SELECT value FROM json_each(?))")
        .bind(list(ids.iter().copied()))
        .execute(&db.writer)
        .await
        .map(drop)
        .map_err(db.fail("forget old tracks"))
}

/// Forgets some effects that were raised before, and settled; answers how many.
pub(crate) async fn settled_effects(db: &Db, before: Timestamp) -> Result<u64, StoreError> {
    let failed = db.fail("forget old effects");
    let mut tx = db.writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
    let ids: Vec<Vec<u8>> = sqlx::query_scalar(
        "DELETE FROM effect WHERE id IN (SELECT e.id FROM effect AS e JOIN settlement AS s ON s.id = e.id \
         WHERE e.raised_at < ? ORDER BY e.raised_at LIMIT ?) RETURNING id",
    )
    .bind(before.0)
    .bind(ROWS)
    .fetch_all(&mut *tx)
    .await
    .map_err(&failed)?;
    let mut query = sqlx::QueryBuilder::<sqlx::Sqlite>::new("DELETE FROM settlement WHERE id IN (");
    let mut values = query.separated(", ");
    ids.iter().for_each(|id| {
        values.push_bind(id.clone());
    });
    query.push(")");
    query.build().execute(&mut *tx).await.map_err(&failed)?;
    tx.commit().await.map_err(&failed)?;
    Ok(ids.len() as u64)
}

/// Forgets some commands that were requested before, and are done with; answers how many.
pub(crate) async fn closed_commands(db: &Db, before: Timestamp) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM command WHERE id IN (SELECT id FROM command WHERE state > 2 AND requested_at < ? LIMIT ?)",
    )
    .bind(before.0)
    .bind(ROWS)
    .execute(&db.writer)
    .await
    .map_err(db.fail("forget old commands"))?;
    Ok(done.rows_affected())
}

/// Forgets strangers beyond [`STRANGERS_MAX`].
pub(crate) async fn strangers(db: &Db) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM stranger WHERE terminal IN \
         (SELECT terminal FROM stranger ORDER BY last_seen DESC, terminal DESC LIMIT -1 OFFSET ?)",
    )
    .bind(STRANGERS_MAX)
    .execute(&db.writer)
    .await
    .map(drop)
    .map_err(db.fail("forget strangers"))
}
