//! A pipeline that runs, as seen from outside: how far the views are, and its end.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use model::{LivePosition, Registry};
use parking_lot::RwLock;
use tokio::sync::watch;

use crate::run::PipelineError;
use crate::views::{Live, Shared};

/// What readers may know of the pipeline.
#[derive(Clone)]
pub struct Views {
    pub(crate) shared: Weak<Shared>,
    pub(crate) live: Arc<Live>,
    pub(crate) registry: Arc<RwLock<Arc<Registry>>>,
    pub(crate) applied: watch::Receiver<u64>,
    pub(crate) checkpointed: watch::Receiver<u64>,
    pub(crate) work: watch::Receiver<u64>,
}

impl Views {
    /// The registry that is in force at the head of the pipeline.
    #[must_use]
    pub fn registry(&self) -> Arc<Registry> {
        self.registry.read().clone()
    }

    /// The last envelope that all views reflect.
    #[must_use]
    pub fn applied(&self) -> u64 {
        *self.applied.borrow()
    }

    /// The last envelope that a committed checkpoint holds.
    #[must_use]
    pub fn checkpointed(&self) -> u64 {
        *self.checkpointed.borrow()
    }

    /// Asks for a checkpoint with everything that is applied by now, as soon as the one under way is done: for whoever
    /// is about to copy the views. [`Views::wait_checkpointed`] says when it is made.
    pub fn ask_checkpoint(&self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.asked.store(true, Ordering::Release);
        }
    }

    /// Returns when a committed checkpoint holds the envelope; `false` when the pipeline has stopped before.
    pub async fn wait_checkpointed(&self, seq: u64) -> bool {
        self.checkpointed.clone().wait_for(|done| *done >= seq).await.is_ok()
    }

    /// Whether all stages have stopped: nothing will be applied any more.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.applied.has_changed().is_err()
    }

    /// Returns when all views reflect the envelope; `false` when the pipeline has stopped before.
    pub async fn wait_applied(&self, seq: u64) -> bool {
        self.applied.clone().wait_for(|applied| *applied >= seq).await.is_ok()
    }

    /// Told of every envelope that the views take in from now on.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        let mut applied = self.applied.clone();
        applied.mark_unchanged();
        applied
    }

    /// Moves when an effect or a command was written.
    #[must_use]
    pub fn watch_work(&self) -> watch::Receiver<u64> {
        self.work.clone()
    }

    /// Live positions since `cursor` (0: from now on), and the next cursor. Lossy.
    #[must_use]
    pub fn positions(&self, cursor: u64) -> (Vec<LivePosition>, u64) {
        self.live.since(cursor)
    }
}

/// A pipeline that runs.
pub struct Handle {
    /// What readers may know of it.
    pub views: Views,
    pub(crate) dispatcher: JoinHandle<Result<(), PipelineError>>,
    pub(crate) lanes: Vec<JoinHandle<()>>,
    pub(crate) writer: tokio::task::JoinHandle<()>,
}

impl Handle {
    /// Waits until the feed has ended and everything is in a checkpoint.
    ///
    /// # Errors
    /// When it stopped before.
    pub async fn finish(self) -> Result<(), PipelineError> {
        let joined = tokio::task::spawn_blocking(move || {
            let outcome = self.dispatcher.join();
            for lane in self.lanes {
                let _ = lane.join();
            }
            outcome
        });
        let outcome = joined.await.ok().and_then(Result::ok).unwrap_or(Err(PipelineError::Stopped));
        let _ = self.writer.await;
        outcome
    }
}
