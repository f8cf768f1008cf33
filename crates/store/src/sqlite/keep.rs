//! Keeping the views database in order: its log is copied back, and free pages are given back.
//!
//! The log (WAL) grows with every commit until its pages are copied into the database and no reader looks at it any
//! more. The connection that writes never copies: that would hold up checkpoints and facts. The keeper does, beside
//! them; from [`LOG_TIDY`] on with the writer held for the short rest, so that the next write can begin the log anew; from
//! [`LOG_MAX`] on it also waits a little for readers. A reader that stays longer (a backup) makes the log as long as what
//! is written meanwhile, and no longer.

use std::time::Duration;

use sqlx::{Row, SqliteConnection};

use super::Db;
use crate::StoreError;

/// The log is left alone below this, bytes.
const LOG_MIN: u64 = 8 << 20;
/// The writer waits while the rest is copied from here on, bytes.
const LOG_TIDY: u64 = 32 << 20;
/// Readers are waited for from here on, bytes.
const LOG_MAX: u64 = 256 << 20;
/// How long.
const READERS_MS: u64 = 200;
/// Free pages are given back when they are more than this, and a quarter of the file.
const FREE_MIN: i64 = 8192;
/// Pages in one transaction: 4 ms.
const FREE_STEP: i64 = 512;
const FREE_PAUSE: Duration = Duration::from_millis(10);

/// Copies what the log holds as far as readers allow; answers how long the log is, bytes.
async fn copy(connection: &mut SqliteConnection, mode: &'static str) -> Result<u64, sqlx::Error> {
    let row = sqlx::query(mode).fetch_one(&mut *connection).await?;
    let pages: i64 = row.try_get(1)?;
    let page_bytes: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(connection).await?;
    Ok((pages.max(0) * page_bytes) as u64)
}

/// Copies the log back when it is long enough to be worth it.
pub(crate) async fn copy_log(db: &Db) -> Result<(), StoreError> {
    const PASSIVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";
    let failed = db.fail("copy the log");
    if db.log_bytes() < LOG_MIN {
        return Ok(());
    }
    let mut keeper = db.keeper.acquire().await.map_err(&failed)?;
    if copy(&mut keeper, PASSIVE).await.map_err(&failed)? < LOG_TIDY {
        return Ok(());
    }
    let mut writer = db.writer.acquire().await.map_err(&failed)?;
    if copy(&mut keeper, PASSIVE).await.map_err(&failed)? < LOG_MAX {
        return Ok(());
    }
    super::set_busy_timeout(&mut writer, Duration::from_millis(READERS_MS)).await.map_err(&failed)?;
    let copied = copy(&mut writer, "PRAGMA wal_checkpoint(TRUNCATE)").await;
    super::set_busy_timeout(&mut writer, super::BUSY).await.map_err(&failed)?;
    copied.map(drop).map_err(failed)
}

/// Gives some free pages back to the file system when there are many; answers whether that was so. What is free is
/// used again by later checkpoints, so a few may stay.
pub(crate) async fn give_back(db: &Db) -> Result<bool, StoreError> {
    let failed = db.fail("give pages back");
    let row = sqlx::query(
        "SELECT (SELECT freelist_count FROM pragma_freelist_count) AS free, \
         (SELECT page_count FROM pragma_page_count) AS pages, (SELECT auto_vacuum FROM pragma_auto_vacuum) AS mode",
    )
    .fetch_one(&db.readers)
    .await
    .map_err(&failed)?;
    let number = |name: &str| row.try_get::<i64, _>(name).map_err(&failed);
    let (free, pages) = (number("free")?, number("pages")?);
    if number("mode")? == 0 || free < FREE_MIN || free < pages / 4 {
        return Ok(false);
    }
    for _ in 0..(free / 2 / FREE_STEP) {
        let statement = "PRAGMA incremental_vacuum(512)";
        sqlx::query(statement).fetch_all(&db.writer).await.map_err(&failed)?;
        tokio::time::sleep(FREE_PAUSE).await;
    }
    Ok(true)
}
