//! Users, sessions and secrets in SQL.

use std::path::Path;

use model::{Role, Timestamp};
use sqlx::sqlite::{SqliteRow, SqliteSynchronous};

use super::value::{Fields, signed};
use super::{APP, Db, Kind, migrate};
use crate::{StoreError, UserRow};

/// A user with the hash.
pub(crate) struct StoredUser {
    pub(crate) user: UserRow,
    pub(crate) hash: String,
}

pub(crate) async fn open(dir: &Path) -> Result<Db, StoreError> {
    let synchronous = SqliteSynchronous::Full;
    let (migrations, checked) = (migrate::APP, &[][..]);
    let kind = Kind { synchronous, readers: 2, migrations, checked, is_kept: false, bytes_max: None };
    Db::open(dir.join(APP), kind).await
}

fn read_user(row: &SqliteRow) -> Result<UserRow, StoreError> {
    let f = Fields::of(row, "user");
    Ok(UserRow {
        name: f.get("name")?,
        role: f.known("role", Role::from_number)?,
        carrier: f.carrier()?,
        disabled: f.get("disabled")?,
        created: f.time("created")?,
    })
}

pub(crate) async fn user(db: &Db, name: &str) -> Result<Option<StoredUser>, StoreError> {
    let row = sqlx::query("SELECT name, hash, role, carrier, disabled, created FROM user WHERE name = ?")
        .bind(name)
        .fetch_optional(&db.readers)
        .await
        .map_err(db.fail("read a user"))?;
    row.map(|row| Ok(StoredUser { user: read_user(&row)?, hash: Fields::of(&row, "user").get("hash")? })).transpose()
}

pub(crate) async fn users(db: &Db) -> Result<Vec<UserRow>, StoreError> {
    let rows = sqlx::query("SELECT name, role, carrier, disabled, created FROM user ORDER BY name")
        .fetch_all(&db.readers)
        .await
        .map_err(db.fail("read users"))?;
    rows.iter().map(read_user).collect()
}

/// Whether the name was free.
pub(crate) async fn insert_user(db: &Db, stored: &StoredUser) -> Result<bool, StoreError> {
    let user = &stored.user;
    let done = sqlx::query(
        "INSERT INTO user (name, hash, role, carrier, disabled, created) VALUES (?, ?, ?, ?, ?, ?) \
         ON CONFLICT (name) DO NOTHING",
    )
    .bind(&user.name)
    .bind(&stored.hash)
    .bind(user.role as i64)
    .bind(user.carrier.map(|c| signed(c.0)))
    .bind(user.disabled)
    .bind(user.created.0)
    .execute(&db.writer)
    .await
    .map_err(db.fail("create a user"))?;
    Ok(done.rows_affected() == 1)
}

pub(crate) async fn set_hash(db: &Db, name: &str, hash: &str) -> Result<(), StoreError> {
    let failed = db.fail("change a user");
    let mut tx = db.writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
    let changed = sqlx::query("UPDATE user SET hash = ? WHERE name = ?").bind(hash).bind(name).execute(&mut *tx).await;
    if changed.map_err(&failed)?.rows_affected() == 0 {
        return Err(StoreError::NotFound("user"));
    }
    sqlx::query("DELETE FROM session WHERE user = ?").bind(name).execute(&mut *tx).await.map_err(&failed)?;
    tx.commit().await.map_err(&failed)
}

pub(crate) async fn set_disabled(db: &Db, name: &str, disabled: bool) -> Result<(), StoreError> {
    let failed = db.fail("change a user");
    let mut tx = db.writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
    let changed = sqlx::query("UPDATE user SET disabled = ? WHERE name = ?").bind(disabled).bind(name);
    if changed.execute(&mut *tx).await.map_err(&failed)?.rows_affected() == 0 {
        return Err(StoreError::NotFound("user"));
    }
    sqlx::query("DELETE FROM session WHERE user = ? AND ?")
        .bind(name)
        .bind(disabled)
        .execute(&mut *tx)
        .await
        .map_err(&failed)?;
    tx.commit().await.map_err(&failed)
}

/// Begins a session if the user still is as they were read, and forgets sessions that are over.
pub(crate) async fn insert_session(
    db: &Db,
    token_hash: &[u8],
    stored: &StoredUser,
    now: Timestamp,
    expires: Timestamp,
) -> Result<bool, StoreError> {
    let failed = db.fail("begin a session");
    let mut tx = db.writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
    sqlx::query("DELETE FROM session WHERE expires <= ?").bind(now.0).execute(&mut *tx).await.map_err(&failed)?;
    let done = sqlx::query(
        "INSERT INTO session (token_hash, user, created, expires) \
         SELECT ?, name, ?, ? FROM user WHERE name = ? AND hash = ? AND disabled = 0",
    )
    .bind(token_hash)
    .bind(now.0)
    .bind(expires.0)
    .bind(&stored.user.name)
    .bind(&stored.hash)
    .execute(&mut *tx)
    .await
    .map_err(&failed)?;
    tx.commit().await.map_err(&failed)?;
    Ok(done.rows_affected() == 1)
}

/// The user of a session that holds at `now`.
pub(crate) async fn session_user(db: &Db, token_hash: &[u8], now: Timestamp) -> Result<Option<UserRow>, StoreError> {
    let row = sqlx::query(
        "SELECT u.name, u.role, u.carrier, u.disabled, u.created FROM session AS s JOIN user AS u ON u.name = s.user \
         WHERE s.token_hash = ? AND s.expires > ? AND u.disabled = 0",
    )
    .bind(token_hash)
    .bind(now.0)
    .fetch_optional(&db.readers)
    .await
    .map_err(db.fail("read a session"))?;
    row.as_ref().map(read_user).transpose()
}

pub(crate) async fn delete_session(db: &Db, token_hash: &[u8]) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM session WHERE token_hash = ?")
        .bind(token_hash)
        .execute(&db.writer)
        .await
        .map(drop)
        .map_err(db.fail("end a session"))
}

/// The secret of that name; `fresh` becomes it when there is none.
pub(crate) async fn secret(db: &Db, name: &str, fresh: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    let failed = db.fail("read a secret");
    let mut tx = db.writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
    sqlx::query("INSERT INTO secret (name, body) VALUES (?, ?) ON CONFLICT (name) DO NOTHING")
        .bind(name)
        .bind(fresh)
        .execute(&mut *tx)
        .await
        .map_err(&failed)?;
    let row = sqlx::query("SELECT body FROM secret WHERE name = ?").bind(name).fetch_one(&mut *tx).await;
    let secret = Fields::of(&row.map_err(&failed)?, "secret").get("body")?;
    tx.commit().await.map_err(&failed)?;
    Ok(secret)
}
