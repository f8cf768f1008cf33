//! The views database as a whole: one transaction for writes, tracks, sizes.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::TryStreamExt;
use model::{Fix, Timestamp, VehicleId};
use sqlx::sqlite::SqliteSynchronous;
use sqlx::{Row, SqliteConnection};

use super::value::{Fields, signed};
use super::{Db, Kind, VIEWS, checkpoint, chunks, facts, live, migrate, segments};
use crate::track::Gather;
use crate::{FactRow, Options, Stats, StoreError, Writes};

/// A commit is not on disk before the log is copied back: what a power cut takes away comes again from the journal.
pub(crate) async fn open(dir: &Path, options: &Options) -> Result<Db, StoreError> {
    let kind = Kind {
        synchronous: SqliteSynchronous::Normal,
        readers: options.readers,
        migrations: migrate::VIEWS,
        checked: &["checkpoint", "checkpoint_blob", "segment", "vehicle_state", "last_position"],
        is_kept: true,
        bytes_max: options.database_bytes_max,
    };
    Db::open(dir.join(VIEWS), kind).await
}

/// Settlements go before effects: an effect that is known to be settled never waits, not even for a moment.
pub(crate) async fn write(db: &Db, writes: &Writes) -> Result<(), StoreError> {
    let failed = db.fail("write");
    let mut tx = db.writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
    facts::write(&mut tx, &writes.facts).await.map_err(&failed)?;
    live::write_settlements(&mut tx, &writes.settlements).await.map_err(&failed)?;
    live::write_effects(&mut tx, &writes.effects).await.map_err(&failed)?;
    live::write_strangers(&mut tx, &writes.strangers).await.map_err(&failed)?;
    live::write_commands(&mut tx, &writes.commands).await.map_err(&failed)?;
    tx.commit().await.map_err(&failed)
}

/// Takes back the facts that are ahead of the checkpoint.
pub(crate) async fn rewind(db: &Db) -> Result<(), StoreError> {
    let failed = db.fail("take back what is ahead of the checkpoint");
    let mut tx = db.writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
    let recovered = checkpoint::read(&mut tx).await.map_err(&failed)??;
    facts::rewind(&mut tx, recovered.map_or(0, |recovered| recovered.position.seq)).await.map_err(&failed)?;
    tx.commit().await.map_err(&failed)
}

/// Adds the stored fixes of a vehicle with `from` <= time < `to`.
pub(crate) async fn gather(
    db: &Db,
    vehicle: VehicleId,
    from: Timestamp,
    to: Timestamp,
    into: &mut Gather,
) -> Result<(), StoreError> {
    let failed = db.fail("read a track");
    let mut rows = chunks::pieces(vehicle, from, to).fetch(&db.readers);
    while let Some(row) = rows.try_next().await.map_err(&failed)? {
        let fixes = chunks::piece(&row, vehicle)?;
        into.add(fixes.into_iter().filter(|f| f.time >= from && f.time < to))?;
    }
    Ok(())
}

/// A read transaction over everything stored: what the digest walks.
pub(crate) struct Snapshot<'a> {
    db: &'a Db,
    tx: sqlx::Transaction<'static, sqlx::Sqlite>,
}

impl<'a> Snapshot<'a> {
    pub(crate) async fn open(db: &'a Db) -> Result<Self, StoreError> {
        let tx = db.readers.begin().await.map_err(db.fail("read the views"))?;
        Ok(Self { db, tx })
    }

    fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }

    pub(crate) async fn facts(
        &mut self,
        after: Option<(model::FactId, u32)>,
        limit: i64,
    ) -> Result<Vec<FactRow>, StoreError> {
        let db = self.db;
        facts::walk(self.connection(), after, limit).await.map_err(db.fail("read facts"))?
    }

    /// All vehicles that have chunks, in no order.
    pub(crate) async fn vehicles(&mut self) -> Result<Vec<VehicleId>, StoreError> {
        let db = self.db;
        let rows = sqlx::query("SELECT DISTINCT vehicle FROM chunk").fetch_all(self.connection()).await;
        let rows = rows.map_err(db.fail("read tracks"))?;
        rows.iter().map(|row| Fields::of(row, "chunk").vehicle()).collect()
    }

    /// The buckets that have rows in segments.
    pub(crate) async fn buckets(&mut self) -> Result<Vec<i64>, StoreError> {
        let db = self.db;
        segments::buckets(self.connection(), i64::MAX).await.map_err(db.fail("read tracks"))
    }

    /// All fixes of one bucket in segments, by vehicle.
    pub(crate) async fn bucket(&mut self, bucket: i64) -> Result<BTreeMap<VehicleId, Vec<Fix>>, StoreError> {
        let db = self.db;
        segments::bucket_fixes(self.connection(), db, bucket).await
    }

    /// The days on which a vehicle has chunks.
    pub(crate) async fn chunk_days(&mut self, vehicle: VehicleId) -> Result<Vec<i32>, StoreError> {
        let db = self.db;
        let rows = sqlx::query("SELECT DISTINCT day FROM chunk WHERE vehicle = ? ORDER BY day")
            .bind(signed(vehicle.0))
            .fetch_all(self.connection())
            .await
            .map_err(db.fail("read tracks"))?;
        rows.iter().map(|row| Fields::of(row, "chunk").get("day")).collect()
    }

    /// The fixes of a vehicle in chunks of one day.
    pub(crate) async fn chunks_of(&mut self, vehicle: VehicleId, day: i32) -> Result<Vec<Fix>, StoreError> {
        let db = self.db;
        let query = "SELECT 1 AS is_chunk, id, body FROM chunk WHERE vehicle = ? AND day = ?";
        let rows = sqlx::query(query)
            .bind(signed(vehicle.0))
            .bind(day)
            .fetch_all(self.connection())
            .await
            .map_err(db.fail("read tracks"))?;
        rows.iter().try_fold(Vec::new(), |mut all, row| {
            all.extend(chunks::piece(row, vehicle)?);
            Ok(all)
        })
    }
}

/// Sizes; hot memory is not counted here.
pub(crate) async fn stats(db: &Db) -> Result<Stats, StoreError> {
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM fact) AS facts, (SELECT count(*) FROM pending) AS effects_pending, \
         (SELECT count(*) FROM stranger) AS strangers, (SELECT count(*) FROM command) AS commands, \
         (SELECT coalesce(sum(fixes), 0) FROM segment_row) AS fixes_segments, \
         (SELECT coalesce(sum(fixes), 0) FROM chunk) AS fixes_chunks, (SELECT count(*) FROM segment) AS segments, \
         (SELECT count(*) FROM chunk) AS chunks, (SELECT coalesce(sum(length(body)), 0) FROM chunk) AS chunk_bytes, \
         (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size) AS database_bytes",
    )
    .fetch_one(&db.readers)
    .await
    .map_err(db.fail("read sizes"))?;
    let number = |column: &str| row.try_get::<i64, _>(column).map(|n| n as u64).map_err(db.fail("read sizes"));
    Ok(Stats {
        facts: number("facts")?,
        effects_pending: number("effects_pending")?,
        strangers: number("strangers")?,
        commands: number("commands")?,
        fixes_hot: 0,
        segment_bytes: 0,
        fixes_segments: number("fixes_segments")?,
        fixes_chunks: number("fixes_chunks")?,
        segments: number("segments")?,
        chunks: number("chunks")?,
        chunk_bytes: number("chunk_bytes")?,
        database_bytes: number("database_bytes")?,
    })
}
