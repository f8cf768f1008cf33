//! The SQLite engine: files, connections, migrations. All SQL of the house is in this folder.

pub(crate) mod app;
pub(crate) mod checkpoint;
pub(crate) mod chunks;
pub(crate) mod facts;
pub(crate) mod live;
pub(crate) mod migrate;
pub(crate) mod value;
pub(crate) mod views;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection, SqlitePool};

use crate::StoreError;

/// SQLite takes 32,766 values in a statement; more rows than this in one gain nothing.
pub(crate) const ROWS_PER_STATEMENT: usize = 500;
/// How long a connection waits for another process before the database counts as locked.
const BUSY: Duration = Duration::from_secs(5);
/// A log that a burst made longer is cut back to this, bytes.
const LOG_MAX: &str = "67108864";

/// A database file and its connections.
#[derive(Clone)]
pub(crate) struct Db {
    path: PathBuf,
    /// The only connection that writes.
    pub(crate) writer: SqlitePool,
    pub(crate) readers: SqlitePool,
}

impl Db {
    /// Opens the file, creates and migrates it as needed.
    pub(crate) async fn open(
        path: PathBuf,
        synchronous: SqliteSynchronous,
        readers: u32,
        migrations: &[migrate::Step],
    ) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .pragma("journal_size_limit", LOG_MAX);
        let mut first =
            SqliteConnection::connect_with(&options).await.map_err(|e| fail(&path, "open the database", e))?;
        migrate::run(&mut first, &path, migrations).await?;
        first.close().await.map_err(|e| fail(&path, "open the database", e))?;
        let pool = |count: u32| SqlitePoolOptions::new().max_connections(count).idle_timeout(None).max_lifetime(None);
        let writer = pool(1).connect_with(options.clone()).await.map_err(|e| fail(&path, "open the database", e))?;
        let readers = pool(readers.max(1))
            .connect_with(options.read_only(true).create_if_missing(false))
            .await
            .map_err(|e| fail(&path, "open the database", e))?;
        Ok(Self { path, writer, readers })
    }

    /// What an error of the engine means.
    pub(crate) fn fail(&self, doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError + '_ {
        move |error| fail(&self.path, doing, error)
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Sorts errors of the engine by blame. The numbers are SQLite's primary result codes.
fn fail(path: &Path, doing: &'static str, error: sqlx::Error) -> StoreError {
    const BUSY: u32 = 5;
    const LOCKED: u32 = 6;
    const CORRUPT: u32 = 11;
    const CANTOPEN: u32 = 14;
    const NOTADB: u32 = 26;
    let code = error.as_database_error().and_then(|e| e.code()).and_then(|c| c.parse::<u32>().ok());
    match code.map(|c| c & 0xff) {
        Some(BUSY | LOCKED) => StoreError::Locked { path: path.to_owned() },
        Some(CORRUPT | NOTADB) => StoreError::corrupt(path.display().to_string(), error),
        Some(CANTOPEN) => StoreError::Io { path: path.to_owned(), source: std::io::Error::other(error) },
        _ => StoreError::Engine { doing, source: Box::new(error) },
    }
}
