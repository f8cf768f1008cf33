//! The SQLite engine: files, connections, migrations. All SQL of the house is in this folder.

pub(crate) mod app;
pub(crate) mod checkpoint;
pub(crate) mod chunks;
pub(crate) mod copy;
pub(crate) mod facts;
pub(crate) mod forget;
pub(crate) mod keep;
pub(crate) mod last;
pub(crate) mod live;
pub(crate) mod migrate;
pub(crate) mod segments;
pub(crate) mod value;
pub(crate) mod views;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection, SqlitePool};

use crate::StoreError;

/// SQLite takes 32,766 values in a statement; more rows than this in one gain nothing.
pub(crate) const ROWS_PER_STATEMENT: usize = 500;
/// The file of what was computed from the journal.
pub(crate) const VIEWS: &str = "views.db";
/// The file of what no journal can give back.
pub(crate) const APP: &str = "app.db";
/// How long a connection waits for another process before the database counts as locked.
pub(crate) const BUSY: Duration = Duration::from_secs(5);
/// A log that a burst made longer is cut back to this, bytes.
const LOG_MAX: &str = "67108864";

/// What the writer remembers of the file, KiB as SQLite counts them. A transaction that does not fit is written twice,
/// which costs less than memory that grows with the file until this is reached.
const WRITER_CACHE: &str = "-4096";
/// Of files that are made now: a chunk fits into one page, a row of a segment into few.
const PAGE_BYTES: u32 = 8192;

/// A database file and its connections.
#[derive(Clone)]
pub(crate) struct Db {
    path: PathBuf,
    /// The only connection that writes.
    pub(crate) writer: SqlitePool,
    pub(crate) readers: SqlitePool,
    /// Keeps the file in order, beside the writer.
    pub(crate) keeper: SqlitePool,
}

/// What the databases differ in.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) synchronous: SqliteSynchronous,
    pub(crate) readers: u32,
    pub(crate) migrations: &'static [migrate::Step],
    /// Whether somebody else copies the log back; otherwise each commit looks after it.
    pub(crate) is_kept: bool,
    /// Tables that are checked when the file is opened: small ones that everything hangs on. Tracks have checksums, and
    /// are checked when they are read.
    pub(crate) checked: &'static [&'static str],
    /// The file may not grow beyond this, bytes.
    pub(crate) bytes_max: Option<u64>,
}

impl Db {
    /// Opens the file, creates and migrates it as needed.
    pub(crate) async fn open(path: PathBuf, kind: Kind) -> Result<Self, StoreError> {
        let failed = |e| fail(&path, "open the database", e);
        let mut options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(kind.synchronous)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .pragma("journal_size_limit", LOG_MAX);
        if kind.is_kept {
            options = options.pragma("wal_autocheckpoint", "0");
        }
        // Only where the file is made: a file that exists keeps what it has.
        let making = options.clone().auto_vacuum(SqliteAutoVacuum::Incremental).page_size(PAGE_BYTES);
        let mut first = SqliteConnection::connect_with(&making).await.map_err(failed)?;
        migrate::run(&mut first, &path, kind.migrations).await?;
        for table in kind.checked {
            let statement = sqlx::AssertSqlSafe(format!("PRAGMA quick_check({table})"));
            let verdict: String = sqlx::query_scalar(statement).fetch_one(&mut first).await.map_err(failed)?;
            if verdict != "ok" {
                return Err(StoreError::corrupt(format!("table {table} of {}", path.display()), verdict));
            }
        }
        if let Some(bytes) = kind.bytes_max {
            let page: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut first).await.map_err(failed)?;
            options = options.pragma("max_page_count", (bytes / page.max(1) as u64).max(1).to_string());
        }
        first.close().await.map_err(failed)?;
        let writer =
            pool_of(1).connect_with(options.clone().pragma("cache_size", WRITER_CACHE)).await.map_err(failed)?;
        let keeper = pool_of(1).connect_lazy_with(options.clone());
        let read_only = options.read_only(true).create_if_missing(false);
        let readers = pool_of(kind.readers.max(1)).connect_with(read_only).await.map_err(failed)?;
        Ok(Self { path, writer, readers, keeper })
    }

    /// How long the log's file is, bytes.
    pub(crate) fn log_bytes(&self) -> u64 {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        std::fs::metadata(log).map_or(0, |m| m.len())
    }

    /// What an error of the engine means.
    pub(crate) fn fail(&self, doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError + '_ {
        move |error| fail(&self.path, doing, error)
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.keeper.close().await;
        self.writer.close().await;
    }
}

/// A pool that gives no connection away which still counts itself inside a transaction.
///
/// On a full or failing disk SQLite ends a transaction by itself, and the library does not notice: such a connection
/// would refuse to begin a transaction ever after, or keep one open, and with it what its readers see and the log.
fn pool_of(count: u32) -> SqlitePoolOptions {
    let options = SqlitePoolOptions::new().max_connections(count).idle_timeout(None).max_lifetime(None);
    options.before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
}

/// How long a connection waits for others from now on.
pub(crate) async fn set_busy_timeout(connection: &mut SqliteConnection, time: Duration) -> Result<(), sqlx::Error> {
    let statement = format!("PRAGMA busy_timeout = {}", time.as_millis());
    sqlx::query(sqlx::AssertSqlSafe(statement)).fetch_all(connection).await.map(drop)
}

/// Sorts errors of the engine by blame. The numbers are SQLite's primary result codes.
fn fail(path: &Path, doing: &'static str, error: sqlx::Error) -> StoreError {
    const BUSY: u32 = 5;
    const LOCKED: u32 = 6;
    const IOERR: u32 = 10;
    const CORRUPT: u32 = 11;
    const FULL: u32 = 13;
    const CANTOPEN: u32 = 14;
    const NOTADB: u32 = 26;
    let code = error.as_database_error().and_then(|e| e.code()).and_then(|c| c.parse::<u32>().ok());
    match code.map(|c| c & 0xff) {
        Some(BUSY | LOCKED) => StoreError::Locked { path: path.to_owned() },
        Some(CORRUPT | NOTADB) if path.ends_with(APP) => StoreError::corrupt_users(path.display().to_string(), error),
        Some(CORRUPT | NOTADB) => StoreError::corrupt(path.display().to_string(), error),
        Some(FULL) => {
            StoreError::Io { path: path.to_owned(), source: std::io::Error::new(ErrorKind::StorageFull, error) }
        }
        Some(CANTOPEN | IOERR) => StoreError::Io { path: path.to_owned(), source: std::io::Error::other(error) },
        _ => StoreError::Engine { doing, source: Box::new(error) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_transaction_that_the_engine_ended_by_itself_breaks_no_connection() {
        let folder = tempfile::tempdir().unwrap();
        let db = views::open(folder.path(), &crate::Options { readers: 1, ..crate::Options::default() }).await.unwrap();
        for pool in [&db.writer, &db.readers] {
            let mut tx = pool.begin().await.unwrap();
            // What SQLite does on its own when the disk is full.
            sqlx::query("ROLLBACK").execute(&mut *tx).await.unwrap();
            drop(tx);
            let tx = pool.begin_with("BEGIN DEFERRED").await.expect("a connection that works");
            tx.commit().await.unwrap();
        }
    }
}
