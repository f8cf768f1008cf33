//! The handle: hot memory in front of the views database, and the users beside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::{Base, CarrierId, CommandId, Digest, EffectId, FactId, Fix, Hold, Scope, TerminalId, Timestamp, VehicleId};

use tokio::sync::Mutex;

use crate::compact::Compactor;
use crate::hot::{Hot, later};
use crate::sqlite::{self, Db, checkpoint, chunks, facts, last, live, views};
use crate::track::Gather;
use crate::users::{PasswordCost, Users};
use crate::{
    ChangeToken, Checkpoint, CommandRow, Effect, EffectState, FactCursor, FactFilter, FactRow, Forgotten, LastPosition,
    Outline, Page, Recovered, Settlement, Stats, StoreError, StoredState, Stranger, StrangerCursor, TrackFix,
    VehicleState, Writes, compact, digest, forget, pack, snapshot,
};

/// How a store is set up.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many lanes push fixes.
    pub lanes: usize,
    /// Compaction begins a round when so many checkpoints have brought fixes since the last one.
    pub segments_max: u64,
    /// Bytes in segments beyond which compaction goes before everything else; at twice as much checkpoints wait for
    /// it. A fix takes about 20 bytes there, the file needs the room of both.
    pub backlog_bytes_max: u64,
    /// `views.db` may not grow beyond this, bytes: what would not fit fails as on a full disk.
    pub database_bytes_max: Option<u64>,
    /// Connections that read at the same time.
    pub readers: u32,
    /// What a password hash costs.
    pub password_cost: PasswordCost,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lanes: 1,
            segments_max: 16,
            backlog_bytes_max: 4 << 30,
            database_bytes_max: None,
            readers: 4,
            password_cost: PasswordCost::OWASP,
        }
    }
}

/// After so many rows of strangers their table is cut to its size.
const STRANGERS_BETWEEN: usize = 1000;

/// The memory. Clones share everything.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    hot: Hot,
    db: Db,
    users: Users,
    compactor: Compactor,
    /// Rows of strangers that were written since the table was cut to its size.
    strangers: AtomicUsize,
    /// Checkpoints go one after the other.
    turn: Mutex<()>,
}

impl Inner {
    /// Where these vehicles were last, hot or stored.
    async fn last(&self, vehicles: &[VehicleId]) -> Result<Vec<Option<LastPosition>>, StoreError> {
        let hot = self.hot.last_positions(vehicles);
        let stored: BTreeMap<_, _> = last::positions(&self.db, vehicles).await?.into_iter().collect();
        Ok(vehicles.iter().zip(hot).map(|(v, hot)| later(hot, stored.get(v).copied())).collect())
    }
}

impl Store {
    /// Opens the two databases in the data folder `dir`, creates and migrates them as needed.
    ///
    /// # Errors
    /// `Io` when the folder cannot be used, `Corrupt` when a file is no database, `NewerSchema` and `ForeignSchema`
    /// when another binary wrote it, `Locked` when another process writes to it.
    pub async fn open(dir: &Path, lanes: usize) -> Result<Self, StoreError> {
        Self::open_with(dir, Options { lanes, ..Options::default() }).await
    }

    /// [`Store::open`] with everything set.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with(dir: &Path, options: Options) -> Result<Self, StoreError> {
        std::fs::create_dir_all(dir).map_err(|source| StoreError::Io { path: dir.to_owned(), source })?;
        let db = views::open(dir, &options).await?;
        let users = Users::open(dir, options.password_cost).await?;
        let hot = Hot::new(options.lanes);
        let compactor = Compactor::start(db.clone(), options).await?;
        let inner = Inner {
            dir: dir.to_owned(),
            hot,
            db,
            users,
            compactor,
            strangers: AtomicUsize::new(0),
            turn: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Puts fixes into the hot memory of a lane (counted modulo the lanes). Readers see them at once.
    pub fn push_fixes(&self, lane: usize, fixes: Vec<(VehicleId, Fix)>) {
        self.inner.hot.push(lane, fixes);
    }

    /// Sets the lane's fixes aside for the next checkpoint; readers still see them.
    pub fn cut(&self, lane: usize) {
        self.inner.hot.cut(lane);
    }

    /// Writes rows in one transaction; writing them again changes nothing. Of strangers the 100,000 that spoke last are
    /// kept (and up to a thousand more).
    ///
    /// # Errors
    /// When the database fails: then nothing was written.
    pub async fn write(&self, writes: Writes) -> Result<(), StoreError> {
        if writes.is_empty() {
            return Ok(());
        }
        views::write(&self.inner.db, &writes).await?;
        let before = self.inner.strangers.fetch_add(writes.strangers.len(), Ordering::Relaxed);
        if before + writes.strangers.len() >= STRANGERS_BETWEEN {
            self.inner.strangers.store(0, Ordering::Relaxed);
            sqlite::forget::strangers(&self.inner.db).await?;
        }
        Ok(())
    }

    /// Commits all fixes that were cut, with the states and the position, in one transaction; then drops them from
    /// hot memory. Compaction goes on beside it; only when its backlog is twice what [`Options`] allow, this waits.
    ///
    /// # Errors
    /// When the database fails: then nothing was written, and the next checkpoint takes the same fixes again.
    pub async fn checkpoint(&self, mut checkpoint: Checkpoint) -> Result<(), StoreError> {
        let inner = &self.inner;
        inner.compactor.wait_for_room().await;
        let _turn = inner.turn.lock().await;
        let cut = Arc::new(inner.hot.flushing());
        let (checkpoint, packed) = {
            let cut = Arc::clone(&cut);
            compact::blocking(move || {
                let packed = pack::pack(&cut.buffers, &mut checkpoint);
                (checkpoint, packed)
            })
            .await?
        };
        checkpoint::commit(&inner.db, &checkpoint, &packed.content, &packed.last).await?;
        // Only now: a reader that finds them gone from here finds them in the database.
        inner.hot.release(&cut);
        inner.compactor.committed(packed.content.bytes());
        Ok(())
    }

    /// Moves every live segment into chunks now, however few they are.
    ///
    /// # Errors
    /// When the database fails or holds damaged fixes; what was not moved stays readable.
    pub async fn compact(&self) -> Result<(), StoreError> {
        self.inner.compactor.compact().await
    }

    /// Waits until compaction has nothing to do any more for the checkpoints so far: what is not worth a chunk yet
    /// stays in segments.
    pub async fn settled(&self) {
        self.inner.compactor.settled().await;
    }

    /// What the last checkpoint left; `None` when there was none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recovery(&self) -> Result<Option<Recovered>, StoreError> {
        checkpoint::recovery(&self.inner.db).await
    }

    /// The kept states of these vehicles; vehicles without one are left out. In the order of the vehicles.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn vehicle_states(&self, vehicles: &[VehicleId]) -> Result<Vec<VehicleState>, StoreError> {
        let inner = &self.inner;
        let mut states = checkpoint::vehicle_states(&inner.db, vehicles).await?;
        let ids: Vec<_> = states.iter().map(|s| s.vehicle).collect();
        let last = inner.last(&ids).await?;
        states.iter_mut().zip(last).for_each(|(state, last)| state.last = last);
        Ok(states)
    }

    /// Takes back the facts that were judged as of envelopes after the last checkpoint (all of them, when there is
    /// none): for whoever goes on from there, and will find them again.
    ///
    /// # Errors
    /// When the database fails: then nothing changed.
    pub async fn rewind(&self) -> Result<(), StoreError> {
        views::rewind(&self.inner.db).await
    }

    /// The facts of a vehicle in their latest revisions that began at `from` or later, void ones included, by start.
    /// For who judges: without a scope.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn facts_of_vehicle(&self, vehicle: VehicleId, from: Timestamp) -> Result<Vec<FactRow>, StoreError> {
        facts::of_vehicle(&self.inner.db, vehicle, from).await
    }

    /// The fixes of a vehicle with `from` <= time < `to` in track order, each report once (the earliest in the
    /// journal). For who judges: without a scope.
    ///
    /// # Errors
    /// `Corrupt` when a piece is damaged; when the database fails.
    pub async fn fixes(&self, vehicle: VehicleId, from: Timestamp, to: Timestamp) -> Result<Vec<Fix>, StoreError> {
        let mut found = Gather::new(self.inner.hot.fixes(vehicle, from, to)?, usize::MAX);
        views::gather(&self.inner.db, vehicle, from, to, &mut found).await?;
        Ok(found.reports())
    }

    /// Instants between which all fixes of a vehicle lie; `None` when there are none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn track_span(&self, vehicle: VehicleId) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
        let hot = self.inner.hot.track_span(vehicle);
        let stored = chunks::track_span(&self.inner.db, vehicle).await?;
        Ok(hot.into_iter().chain(stored).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))))
    }

    /// Where the pieces of a vehicle's track with fixes of `from` <= time < `to` lie, in no order; pieces without a place
    /// are left out. Cheap for what lies in chunks. For who judges: without a scope.
    ///
    /// # Errors
    /// `Corrupt` when a piece is damaged; when the database fails.
    pub async fn outlines(
        &self,
        vehicle: VehicleId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Outline>, StoreError> {
        let hot = Outline::of(&self.inner.hot.fixes(vehicle, from, to)?);
        let mut found = chunks::outlines(&self.inner.db, vehicle, from, to).await?;
        found.extend(hot);
        Ok(found)
    }

    /// The rule states stored with segments and chunks, by the event time up to which they had judged: those from
    /// `from` on, and the newest `before` of those before it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rule_states(
        &self,
        vehicle: VehicleId,
        from: Timestamp,
        before: usize,
    ) -> Result<Vec<StoredState>, StoreError> {
        checkpoint::rule_states(&self.inner.db, vehicle, from, before).await
    }

    /// The vehicles whose kept state had judged up to `from` or beyond.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn vehicles_judged_to(&self, from: Timestamp) -> Result<Vec<VehicleId>, StoreError> {
        checkpoint::vehicles_judged_to(&self.inner.db, from).await
    }

    /// The newest rule state stored with a segment or chunk that had judged only up to an instant before `before`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rule_state_before(
        &self,
        vehicle: VehicleId,
        before: Timestamp,
    ) -> Result<Option<StoredState>, StoreError> {
        checkpoint::rule_state_before(&self.inner.db, vehicle, before).await
    }

    /// The track of a vehicle, `from` inclusive, `to` exclusive, in track order; `owner` is the vehicle's carrier.
    ///
    /// # Errors
    /// `NotFound` when the scope does not see the owner, `TooMany` beyond `limit` fixes, `Corrupt` when a chunk is
    /// damaged.
    pub async fn track(
        &self,
        scope: Scope,
        owner: Option<CarrierId>,
        vehicle: VehicleId,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<TrackFix>, StoreError> {
        if !scope.sees(owner) {
            return Err(StoreError::NotFound("vehicle"));
        }
        // Hot memory first: what a checkpoint moves meanwhile is then found twice, which is harmless.
        let mut found = Gather::new(self.inner.hot.fixes(vehicle, from, to)?, limit);
        views::gather(&self.inner.db, vehicle, from, to, &mut found).await?;
        found.finish()
    }

    /// Where vehicles were last, in the order asked; `None` when unknown or when the scope does not see the owner.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_positions(
        &self,
        scope: Scope,
        vehicles: &[(VehicleId, Option<CarrierId>)],
    ) -> Result<Vec<Option<LastPosition>>, StoreError> {
        let seen: Vec<_> = vehicles.iter().filter(|(_, owner)| scope.sees(*owner)).map(|(v, _)| *v).collect();
        let mut found = self.inner.last(&seen).await?.into_iter();
        Ok(vehicles.iter().map(|(_, owner)| if scope.sees(*owner) { found.next().flatten() } else { None }).collect())
    }

    /// A page of facts in their latest revisions, newest start first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn facts(
        &self,
        scope: Scope,
        filter: &FactFilter,
        after: Option<FactCursor>,
        limit: usize,
    ) -> Result<Page<FactRow, FactCursor>, StoreError> {
        facts::page(&self.inner.db, scope, filter, after, limit).await
    }

    /// All revisions of a fact, newest first.
    ///
    /// # Errors
    /// `NotFound` when there is none, or its latest revision is outside the scope.
    pub async fn fact(&self, scope: Scope, id: FactId) -> Result<Vec<FactRow>, StoreError> {
        facts::revisions(&self.inner.db, scope, id).await
    }

    /// Of these facts those that were found in the place of others, and whose, as pairs (before, after); over as many
    /// steps as there are, 64 at most. For who has been shown the facts, so without a scope.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replaced_by(&self, facts: &[FactId]) -> Result<Vec<(FactId, FactId)>, StoreError> {
        let (mut all, mut ids) = (Vec::new(), facts.to_vec());
        for _ in 0..64 {
            let pairs = facts::replaced_by(&self.inner.db, &ids).await?;
            ids = pairs.iter().map(|(before, _)| *before).collect();
            all.extend(pairs);
            if ids.is_empty() {
                break;
            }
        }
        Ok(all)
    }

    /// Of these facts those of which the cab was told: the terminal has acknowledged the text. For who has been shown the
    /// facts, so without a scope.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn told(&self, facts: &[FactId]) -> Result<Vec<FactId>, StoreError> {
        live::told(&self.inner.db, facts).await
    }

    /// Facts in their latest revisions that changed after the token, in order (changed, id).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn facts_changed_after(
        &self,
        scope: Scope,
        token: ChangeToken,
        limit: usize,
    ) -> Result<Vec<FactRow>, StoreError> {
        facts::changed_after(&self.inner.db, scope, token, limit).await
    }

    /// A page of strangers, newest first. They are nobody's: only [`Scope::All`] sees them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn strangers(
        &self,
        scope: Scope,
        after: Option<StrangerCursor>,
        limit: usize,
    ) -> Result<Page<Stranger, StrangerCursor>, StoreError> {
        live::strangers(&self.inner.db, scope, after, limit).await
    }

    /// One stranger.
    ///
    /// # Errors
    /// `NotFound` when it never spoke, or the scope is not everything.
    pub async fn stranger(&self, scope: Scope, terminal: TerminalId) -> Result<Stranger, StoreError> {
        live::stranger(&self.inner.db, scope, terminal).await
    }

    /// One command.
    ///
    /// # Errors
    /// `NotFound` when there is none, or it is outside the scope.
    pub async fn command(&self, scope: Scope, id: CommandId) -> Result<CommandRow, StoreError> {
        live::command(&self.inner.db, scope, id).await
    }

    /// The latest commands to a vehicle, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn commands(
        &self,
        scope: Scope,
        vehicle: VehicleId,
        limit: usize,
    ) -> Result<Vec<CommandRow>, StoreError> {
        live::commands(&self.inner.db, scope, vehicle, limit).await
    }

    /// All commands that are requested or sent, oldest first: for the dispatcher, so without a scope.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_commands(&self) -> Result<Vec<CommandRow>, StoreError> {
        live::open_commands(&self.inner.db).await
    }

    /// Effects that wait, oldest first: for the dispatcher, so without a scope.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pending_effects(&self, limit: usize) -> Result<Vec<Effect>, StoreError> {
        live::pending_effects(&self.inner.db, limit).await
    }

    /// Settles one effect; [`Writes::settlements`] settles many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn settle_effect(&self, settlement: Settlement) -> Result<(), StoreError> {
        self.write(Writes { settlements: vec![settlement], ..Writes::default() }).await
    }

    /// Where an effect stands; `None` when it is unknown.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn effect_state(&self, id: EffectId) -> Result<Option<EffectState>, StoreError> {
        live::effect_state(&self.inner.db, id).await
    }

    /// The canonical digest of all facts and fixes, whatever lies where. Ask when nothing is being written.
    ///
    /// # Errors
    /// When the database fails or holds damaged fixes.
    pub async fn digest(&self) -> Result<Digest, StoreError> {
        digest::compute(&self.inner.hot, &self.inner.db).await
    }

    /// Forgets what lies before a day in China (`before` is the first that is kept, see [`Timestamp::china_day`]): chunks
    /// whose fixes all are of earlier days and were received before it, unless a hold covers one of them; effects that
    /// were settled and commands that are done with. Facts stay. In slices, at the lowest priority; what becomes free in
    /// the file is used again, and given back when it is much. It takes minutes: `holds` is asked for each slice, so that
    /// a hold that is put meanwhile counts from the next slice on.
    ///
    /// # Errors
    /// When the database fails; what was forgotten until then stays so, and the next call goes on.
    pub async fn forget_before(
        &self,
        before: i32,
        holds: impl Fn() -> Vec<Hold> + Send + Sync,
    ) -> Result<Forgotten, StoreError> {
        forget::run(&self.inner.compactor, before, holds).await
    }

    /// Copies the views as they are at the last commit to the new file `into`: [`crate::snapshot`].
    ///
    /// # Errors
    /// As [`crate::snapshot`].
    pub async fn snapshot(&self, into: &Path) -> Result<Base, StoreError> {
        snapshot(&self.inner.dir, into).await
    }

    /// How much there is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stats(&self) -> Result<Stats, StoreError> {
        let fixes_hot = self.inner.hot.count() as u64;
        let segment_bytes = self.inner.compactor.backlog();
        Ok(Stats { fixes_hot, segment_bytes, ..views::stats(&self.inner.db).await? })
    }

    /// The users.
    #[must_use]
    pub fn users(&self) -> Users {
        self.inner.users.clone()
    }

    /// Closes the databases; later calls fail.
    pub async fn close(&self) {
        self.inner.compactor.close().await;
        self.inner.db.close().await;
        self.inner.users.close().await;
    }
}
