//! Those that keep tracks: our store as a library, and tables of rows as everybody makes them first.

use std::path::{Path, PathBuf};

use model::{Fix, Position, Scope, Timestamp, VehicleId};
use rusqlite::Connection;
use store::{Checkpoint, Options, Stats, Store};
use tokio::runtime::Runtime;

use crate::error::Failure;

/// Keeps tracks.
pub(super) trait Keep {
    /// Stores what arrived, durably.
    fn store(&mut self, arrived: Vec<(VehicleId, Fix)>) -> Result<(), Failure>;
    /// Does at once all that can be done for what is stored.
    fn settle(&mut self) -> Result<(), Failure>;
    /// Waits for what it does of itself in the background.
    fn rest(&mut self);
    /// Fixes of a truck from an instant (inclusive) to another (exclusive).
    fn read(&mut self, vehicle: VehicleId, from: Timestamp, to: Timestamp) -> Result<usize, Failure>;
    /// Forgets what it has read.
    fn reopen(&mut self) -> Result<(), Failure>;
}

/// Ours.
pub(super) struct Ours {
    runtime: Runtime,
    store: Store,
    folder: PathBuf,
    seq: u64,
}

impl Ours {
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        let runtime = Runtime::new().map_err(Failure::io("start the runtime"))?;
        let store = open(&runtime, folder)?;
        Ok(Self { runtime, store, folder: folder.to_owned(), seq: 0 })
    }

    pub(super) fn stats(&self) -> Result<Stats, Failure> {
        self.runtime.block_on(self.store.stats()).map_err(Failure::other("ask the store how much it holds"))
    }

    pub(super) fn close(self) {
        self.runtime.block_on(self.store.close());
    }
}

fn open(runtime: &Runtime, folder: &Path) -> Result<Store, Failure> {
    runtime.block_on(Store::open_with(folder, Options::default())).map_err(Failure::other("open the store"))
}

impl Keep for Ours {
    fn store(&mut self, arrived: Vec<(VehicleId, Fix)>) -> Result<(), Failure> {
        self.seq = arrived.last().map_or(self.seq, |(_, fix)| fix.source.position.seq);
        self.store.push_fixes(0, arrived);
        self.store.cut(0);
        let position = Position { shard: 0, seq: self.seq };
        let checkpoint = Checkpoint { position, ..Checkpoint::default() };
        self.runtime.block_on(self.store.checkpoint(checkpoint)).map_err(Failure::other("make a checkpoint"))
    }

    fn settle(&mut self) -> Result<(), Failure> {
        self.runtime.block_on(self.store.compact()).map_err(Failure::other("compact"))
    }

    fn rest(&mut self) {
        self.runtime.block_on(self.store.settled());
    }

    fn read(&mut self, vehicle: VehicleId, from: Timestamp, to: Timestamp) -> Result<usize, Failure> {
        let track = self.store.track(Scope::All, None, vehicle, from, to, usize::MAX);
        Ok(self.runtime.block_on(track).map_err(Failure::other("read a track"))?.len())
    }

    fn reopen(&mut self) -> Result<(), Failure> {
        self.runtime.block_on(self.store.close());
        self.store = open(&self.runtime, &self.folder)?;
        Ok(())
    }
}

/// How a table of rows has its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A table in the order of arrival, with an index on (vehicle, time).
    Index,
    /// A table that is itself in the order of (vehicle, time).
    Clustered,
}

/// A table of rows in SQLite, one transaction a batch.
pub(super) struct Rows {
    connection: Connection,
    path: PathBuf,
}

const COLUMNS: &str = "vehicle INTEGER NOT NULL, time INTEGER NOT NULL, received INTEGER NOT NULL, seq INTEGER NOT NULL, \
                       record INTEGER NOT NULL, body BLOB NOT NULL";

impl Rows {
    pub(super) fn open(folder: &Path, key: Key) -> Result<Self, Failure> {
        let path = folder.join("rows.db");
        let connection = connect(&path)?;
        let make = match key {
            Key::Index => format!("CREATE TABLE fixes ({COLUMNS}); CREATE INDEX by_vehicle ON fixes (vehicle, time);"),
            Key::Clustered => {
                format!("CREATE TABLE fixes ({COLUMNS}, PRIMARY KEY (vehicle, time, seq, record)) WITHOUT ROWID;")
            }
        };
        connection.execute_batch(&make).map_err(sqlite)?;
        Ok(Self { connection, path })
    }
}

fn connect(path: &Path) -> Result<Connection, Failure> {
    let connection = Connection::open(path).map_err(sqlite)?;
    // As our store has it: a log, synced by its checkpoints.
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;").map_err(sqlite)?;
    Ok(connection)
}

fn sqlite(error: rusqlite::Error) -> Failure {
    Failure::other("use a table of rows")(error)
}

/// The body as it was on the wire: 28 bytes and the items.
pub(super) fn body(fix: &Fix) -> Vec<u8> {
    [fix.base().as_slice(), &fix.items].concat()
}

impl Keep for Rows {
    fn store(&mut self, arrived: Vec<(VehicleId, Fix)>) -> Result<(), Failure> {
        let transaction = self.connection.transaction().map_err(sqlite)?;
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO fixes VALUES (?1, ?2, ?3, ?4, ?5, ?6)").map_err(sqlite)?;
            for (vehicle, fix) in &arrived {
                let (seq, record) = (fix.source.position.seq as i64, fix.source.index);
                let row = (vehicle.0 as i64, fix.time.0, fix.received.0, seq, record, body(fix));
                insert.execute(row).map_err(sqlite)?;
            }
        }
        transaction.commit().map_err(sqlite)
    }

    fn settle(&mut self) -> Result<(), Failure> {
        let checkpoint = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()));
        checkpoint.map_err(sqlite)
    }

    /// Its log is copied back by its commits.
    fn rest(&mut self) {}

    fn read(&mut self, vehicle: VehicleId, from: Timestamp, to: Timestamp) -> Result<usize, Failure> {
        let text = "SELECT time, received, seq, record, body FROM fixes \
                    WHERE vehicle = ?1 AND time >= ?2 AND time < ?3 ORDER BY time";
        let mut select = self.connection.prepare_cached(text).map_err(sqlite)?;
        let mut rows = select.query((vehicle.0 as i64, from.0, to.0)).map_err(sqlite)?;
        let (mut count, mut seen) = (0, 0_u64);
        while let Some(row) = rows.next().map_err(sqlite)? {
            // Every column is looked at, as whoever wants the track would.
            let numbers: [i64; 4] = [0, 1, 2, 3].map(|at| row.get(at).unwrap_or_default());
            let body = row.get_ref(4).and_then(|value| Ok(value.as_blob()?)).map_err(sqlite)?;
            seen = numbers.iter().fold(seen ^ body.len() as u64, |seen, number| seen.wrapping_add(*number as u64));
            count += 1;
        }
        std::hint::black_box(seen);
        Ok(count)
    }

    fn reopen(&mut self) -> Result<(), Failure> {
        self.connection = connect(&self.path)?;
        Ok(())
    }
}

/// Bytes of a database without its free pages.
pub(super) fn packed_bytes(path: &Path) -> Result<u64, Failure> {
    let connection = Connection::open(path).map_err(sqlite)?;
    connection
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")
        .map_err(sqlite)?;
    drop(connection);
    std::fs::metadata(path).map(|file| file.len()).map_err(Failure::io("measure a database"))
}
