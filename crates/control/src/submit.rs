//! Submitting changes: one serialised path, commits grouped by the journal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use journal::{AppendError, Journal};
use model::{BoxFuture, Change, ControlError, ControlPort, ControlRecord, Principal, Receipt, Registry, Timestamp};
use tokio::sync::Mutex;

use crate::validate::validate;

/// How long a submitter waits for the lanes.
const APPLY_MAX: Duration = Duration::from_secs(10);

/// Where the registry that is in force can be seen, and waited for.
pub trait Head: Send + Sync {
    /// The registry in force.
    fn registry(&self) -> Arc<Registry>;

    /// Returns when every lane has passed the frame envelope.
    fn applied(&self, seq: u64) -> BoxFuture<'_, ()>;

    /// Returns when the views reflect everything that is durable now; not if the views have stopped.
    fn caught_up(&self) -> BoxFuture<'_, ()>;

    /// Now, and never before what the journal has recorded.
    fn now(&self) -> Timestamp;
}

/// Reads the registry at the very end of the control chain; blocks. An error is for people.
pub type AtEnd = Arc<dyn Fn() -> Result<Registry, String> + Send + Sync>;

/// The control room.
pub struct Control {
    journal: Journal,
    head: Arc<dyn Head>,
    at_end: AtEnd,
    /// What will be in force when everything that was submitted is: what the next change is validated against.
    tentative: Mutex<Registry>,
    /// Something that was submitted may not be in the chain: it is read again before the next change.
    unsure: AtomicBool,
}

impl Control {
    /// With the registry at the very end of the control chain, read once now and again after each failure.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub fn new(journal: Journal, head: Arc<dyn Head>, at_end: AtEnd) -> Result<Self, String> {
        let tentative = Mutex::new(at_end()?);
        Ok(Self { journal, head, at_end, tentative, unsure: AtomicBool::new(false) })
    }

    /// After a failure nobody knows which of the last changes are in the chain, until it is read.
    async fn make_sure(&self, tentative: &mut Registry) -> Result<(), ControlError> {
        if !self.unsure.load(Ordering::Acquire) {
            return Ok(());
        }
        let unavailable = |message| ControlError::Unavailable { message, unknown: false };
        if let Some(failure) = self.journal.failure() {
            return Err(unavailable(failure.to_string()));
        }
        // Before it is read: a failure while it is read makes it unsure again.
        self.unsure.store(false, Ordering::Release);
        let at_end = self.at_end.clone();
        let read = tokio::task::spawn_blocking(move || at_end()).await.unwrap_or_else(|error| Err(error.to_string()));
        *tentative = read.map_err(|message| {
            self.unsure.store(true, Ordering::Release);
            unavailable(message)
        })?;
        Ok(())
    }

    /// As [`ControlPort::submit`], with changes that are made from the registry as it will be: so that two
    /// submitters who see the same thing missing do not both make it.
    ///
    /// # Errors
    /// As [`ControlPort::submit`], and whatever `make` refuses.
    pub async fn submit_with(
        &self,
        actor: &str,
        make: impl FnOnce(&Registry) -> Result<Vec<Change>, ControlError>,
    ) -> Result<Receipt, ControlError> {
        let mut tentative = self.tentative.lock().await;
        self.make_sure(&mut tentative).await?;
        let changes = make(&tentative)?;
        if changes.is_empty() {
            return Ok(Receipt { control_seq: tentative.seq(), applied: true });
        }
        let mut next = tentative.clone();
        let now = self.head.now().max(next.recorded_at());
        let mut records = Vec::with_capacity(changes.len());
        for change in changes {
            validate(&change, &next, actor)?;
            let record = ControlRecord { seq: next.seq() + 1, recorded_at: now, actor: actor.to_owned(), change };
            next.apply(&record);
            records.push(record);
        }
        let control_seq = next.seq();
        let ticket = self.journal.submit_control(records).await.map_err(|e| unavailable(&e))?;
        // From here on, whoever asked may go away before the outcome is known.
        let doubt = Doubt { unsure: &self.unsure };
        *tentative = next;
        drop(tentative);
        // Should this fail, so does what others have built on it: the journal takes no record behind a gap.
        let committed = ticket.await.map_err(|e| unavailable(&e))?;
        doubt.settle();
        let applied = tokio::time::timeout(APPLY_MAX, self.head.applied(committed.position.seq)).await.is_ok();
        Ok(Receipt { control_seq, applied })
    }
}

/// A submission whose outcome is not known: dropped like that, it leaves the end of the chain in doubt.
struct Doubt<'a> {
    unsure: &'a AtomicBool,
}

impl Doubt<'_> {
    /// It is in the chain.
    fn settle(self) {
        std::mem::forget(self);
    }
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        self.unsure.store(true, Ordering::Release);
    }
}

fn unavailable(error: &AppendError) -> ControlError {
    if matches!(error, AppendError::TooLarge { .. }) {
        return ControlError::Invalid { field: "changes".to_owned(), message: error.to_string() };
    }
    ControlError::Unavailable { message: error.to_string(), unknown: matches!(error, AppendError::Unknown(_)) }
}

impl ControlPort for Control {
    fn submit<'a>(&'a self, who: &'a Principal, changes: Vec<Change>) -> BoxFuture<'a, Result<Receipt, ControlError>> {
        Box::pin(self.submit_with(&who.name, |_| Ok(changes)))
    }

    fn registry(&self) -> Arc<Registry> {
        self.head.registry()
    }
}
