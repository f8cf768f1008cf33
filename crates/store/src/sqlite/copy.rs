//! Copies of a database by the engine, within one read transaction.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use super::{BUSY, checkpoint, fail};
use crate::{Recovered, StoreError};

/// Copies the views; answers which checkpoint the copy holds.
pub(crate) async fn views(from: &Path, into: &Path) -> Result<Option<Recovered>, StoreError> {
    let mut copy = vacuum(from, into).await?;
    let recovered = checkpoint::read(&mut copy).await.map_err(|e| fail(into, "read the checkpoint of the copy", e))?;
    copy.close().await.map_err(|e| fail(into, "check the copy", e))?;
    recovered
}

/// Copies the users.
pub(crate) async fn users(from: &Path, into: &Path) -> Result<(), StoreError> {
    vacuum(from, into).await?.close().await.map_err(|e| fail(into, "check the copy", e))
}

/// Copies and checks; the connection is to the copy.
async fn vacuum(from: &Path, into: &Path) -> Result<SqliteConnection, StoreError> {
    let failed = |e| fail(from, "copy the database", e);
    let options = SqliteConnectOptions::new().filename(from).read_only(true).busy_timeout(BUSY);
    let mut original = SqliteConnection::connect_with(&options).await.map_err(failed)?;
    let name = into.to_str().ok_or(StoreError::Refused("the name of a copy must be readable text"))?;
    sqlx::query("VACUUM INTO ?").bind(name).execute(&mut original).await.map_err(failed)?;
    original.close().await.map_err(failed)?;
    let options = SqliteConnectOptions::new().filename(into).read_only(true);
    let failed = |e| fail(into, "check the copy", e);
    let mut copy = SqliteConnection::connect_with(&options).await.map_err(failed)?;
    let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut copy).await.map_err(failed)?;
    if verdict == "ok" { Ok(copy) } else { Err(StoreError::corrupt(into.display().to_string(), verdict)) }
}
