//! The handle: hot memory in front of the views database, and the users beside it.

use std::path::Path;
use std::sync::Arc;

use model::{CarrierId, CommandId, Digest, EffectId, FactId, Fix, Scope, TerminalId, Timestamp, VehicleId};

use crate::users::{PasswordCost, Users};
use crate::{
    ChangeToken, Checkpoint, CommandRow, Effect, FactCursor, FactFilter, FactRow, LastPosition, Page, Recovered,
    Settlement, Stats, StoreError, StoredState, Stranger, StrangerCursor, TrackFix, VehicleState, Writes,
};

/// How a store is set up.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many lanes push fixes.
    pub lanes: usize,
    /// Compaction runs after a checkpoint that leaves this many segments.
    pub segments_max: u64,
    /// Connections that read at the same time.
    pub readers: u32,
    /// What a password hash costs.
    pub password_cost: PasswordCost,
}

impl Default for Options {
    fn default() -> Self {
        Self { lanes: 1, segments_max: 16, readers: 4, password_cost: PasswordCost::OWASP }
    }
}

/// The memory. Clones share everything.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    users: Users,
}

fn later<T>() -> Result<T, StoreError> {
    Err(StoreError::Refused("the body follows in the next commit"))
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
        later()
    }

    /// Puts fixes into the hot memory of a lane (counted modulo the lanes). Readers see them at once.
    pub fn push_fixes(&self, lane: usize, fixes: Vec<(VehicleId, Fix)>) {
        drop((lane, fixes));
    }

    /// Sets the lane's fixes aside for the next checkpoint; readers still see them.
    pub fn cut(&self, lane: usize) {
        let _ = lane;
    }

    /// Writes rows in one transaction; writing them again changes nothing.
    ///
    /// # Errors
    /// When the database fails: then nothing was written.
    pub async fn write(&self, writes: Writes) -> Result<(), StoreError> {
        later()
    }

    /// Commits all fixes that were cut, with the states and the position, in one transaction; then drops them from
    /// hot memory, and compacts when enough segments have gathered. A failed compaction is logged, not returned: it
    /// runs again after the next checkpoint.
    ///
    /// # Errors
    /// When the database fails: then nothing was written, and the next checkpoint takes the same fixes again.
    pub async fn checkpoint(&self, checkpoint: Checkpoint) -> Result<(), StoreError> {
        later()
    }

    /// Moves every live segment into chunks now, however few they are.
    ///
    /// # Errors
    /// When the database fails or holds damaged fixes; what was not moved stays readable.
    pub async fn compact(&self) -> Result<(), StoreError> {
        later()
    }

    /// What the last checkpoint left; `None` when there was none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recovery(&self) -> Result<Option<Recovered>, StoreError> {
        later()
    }

    /// The kept states of these vehicles; vehicles without one are left out. In the order of the vehicles.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn vehicle_states(&self, vehicles: &[VehicleId]) -> Result<Vec<VehicleState>, StoreError> {
        later()
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
        later()
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
        later()
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
        later()
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
        later()
    }

    /// All revisions of a fact, newest first.
    ///
    /// # Errors
    /// `NotFound` when there is none, or its latest revision is outside the scope.
    pub async fn fact(&self, scope: Scope, id: FactId) -> Result<Vec<FactRow>, StoreError> {
        later()
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
        later()
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
        later()
    }

    /// One stranger.
    ///
    /// # Errors
    /// `NotFound` when it never spoke, or the scope is not everything.
    pub async fn stranger(&self, scope: Scope, terminal: TerminalId) -> Result<Stranger, StoreError> {
        later()
    }

    /// One command.
    ///
    /// # Errors
    /// `NotFound` when there is none, or it is outside the scope.
    pub async fn command(&self, scope: Scope, id: CommandId) -> Result<CommandRow, StoreError> {
        later()
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
        later()
    }

    /// All commands that are requested or sent, oldest first: for the dispatcher, so without a scope.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_commands(&self) -> Result<Vec<CommandRow>, StoreError> {
        later()
    }

    /// Effects that wait, oldest first: for the dispatcher, so without a scope.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pending_effects(&self, limit: usize) -> Result<Vec<Effect>, StoreError> {
        later()
    }

    /// Settles one effect; [`Writes::settlements`] settles many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn settle_effect(&self, settlement: Settlement) -> Result<(), StoreError> {
        self.write(Writes { settlements: vec![settlement], ..Writes::default() }).await
    }

    /// The canonical digest of all facts and fixes, whatever lies where. Ask when nothing is being written.
    ///
    /// # Errors
    /// When the database fails or holds damaged fixes.
    pub async fn digest(&self) -> Result<Digest, StoreError> {
        later()
    }

    /// How much there is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stats(&self) -> Result<Stats, StoreError> {
        later()
    }

    /// The users.
    #[must_use]
    pub fn users(&self) -> Users {
        self.inner.users.clone()
    }

    /// Closes the databases; later calls fail.
    pub async fn close(&self) {}
}
