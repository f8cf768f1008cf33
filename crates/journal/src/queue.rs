//! What waits for the disk: bounded in bytes, shared by those who submit and the one thread that commits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

use crate::landing::{AppendError, Submission};

/// Told when all landings of a commit were called.
pub(crate) type OnFlush = Arc<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct State {
    waiting: VecDeque<Submission>,
    waiting_bytes: usize,
    /// Of what waits and of what is being committed.
    bytes: usize,
    closing: bool,
    failed: Option<AppendError>,
}

/// The queue.
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    changed: Notify,
    bytes_max: usize,
    on_flush: Mutex<Vec<OnFlush>>,
}

/// Why a submission was not taken; its landing is not told.
pub(crate) enum NotTaken {
    /// It comes back.
    Full(Submission),
    Failed(AppendError),
}

impl Queue {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            state: Mutex::default(),
            wake: Condvar::new(),
            changed: Notify::new(),
            bytes_max: bytes_max.max(1),
            on_flush: Mutex::default(),
        }
    }

    /// Takes a submission while there is room; the last one may go beyond the bound, by less than
    /// [`crate::SUBMISSION_BYTES_MAX`], so that nothing is too large to be ever taken.
    pub(crate) fn push(&self, submission: Submission) -> Result<(), NotTaken> {
        let mut state = self.state.lock();
        if let Some(error) = state.failed.clone().or_else(|| state.closing.then_some(AppendError::Closed)) {
            drop(state);
            submission.withdraw();
            return Err(NotTaken::Failed(error));
        }
        if state.bytes >= self.bytes_max {
            return Err(NotTaken::Full(submission));
        }
        state.bytes += submission.weight;
        state.waiting_bytes += submission.weight;
        state.waiting.push_back(submission);
        let first = state.waiting.len() == 1;
        drop(state);
        if first {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Resolves when half of the room is free, or when there will be none. Not as soon as there is any: else all who
    /// wait would come for each place that becomes free.
    pub(crate) async fn room(&self) {
        let is_over = |state: &State| state.failed.is_some() || state.closing || state.bytes <= self.bytes_max / 2;
        self.until(is_over).await;
    }

    /// Resolves when submissions are taken, or never will be again.
    pub(crate) async fn working(&self) {
        self.until(|state| state.failed.is_none() || state.closing).await;
    }

    async fn until(&self, condition: impl Fn(&State) -> bool) {
        loop {
            // Listening begins before looking, so that no change is missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if condition(&self.state.lock()) {
                return;
            }
            changed.await;
        }
    }

    /// Waits for something to do until `patience` is over. Up to `bytes_max` of what waits (but at least one), or
    /// nothing when it is time for a tick; `None` when closed and empty.
    pub(crate) fn take(&self, bytes_max: usize, patience: impl Fn() -> Duration) -> Option<VecDeque<Submission>> {
        let mut state = self.state.lock();
        while state.waiting.is_empty() {
            let left = patience();
            if state.closing {
                return None;
            }
            if left.is_zero() {
                return Some(VecDeque::new());
            }
            self.wake.wait_for(&mut state, left);
        }
        if state.waiting_bytes <= bytes_max {
            // The usual case, and those who submit wait for this lock.
            state.waiting_bytes = 0;
            return Some(std::mem::take(&mut state.waiting));
        }
        let mut bytes = 0;
        let mut taken = VecDeque::new();
        while let Some(next) = state.waiting.front() {
            if bytes > 0 && bytes + next.weight > bytes_max {
                break;
            }
            bytes += next.weight;
            taken.extend(state.waiting.pop_front());
        }
        state.waiting_bytes -= bytes;
        Some(taken)
    }

    /// Gives the room of committed submissions free.
    pub(crate) fn release(&self, bytes: usize) {
        let mut state = self.state.lock();
        let before = state.bytes;
        state.bytes = before.saturating_sub(bytes);
        let crossed = before > self.bytes_max / 2 && state.bytes <= self.bytes_max / 2;
        drop(state);
        if crossed {
            self.changed.notify_waiters();
        }
    }

    /// Refuses submissions from now on; what waits comes back.
    pub(crate) fn fail(&self, error: AppendError) -> VecDeque<Submission> {
        let mut state = self.state.lock();
        state.failed = Some(error);
        state.waiting_bytes = 0;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.changed.notify_waiters();
        waiting
    }

    pub(crate) fn close(&self) {
        self.state.lock().closing = true;
        self.wake.notify_one();
        self.changed.notify_waiters();
    }

    /// Takes submissions again.
    pub(crate) fn work_again(&self) {
        self.state.lock().failed = None;
        self.changed.notify_waiters();
    }

    /// Waits until it is closed, or this long; says whether it is closed.
    pub(crate) fn pause(&self, patience: Option<Duration>) -> bool {
        let until = patience.map(|patience| Instant::now() + patience);
        let mut state = self.state.lock();
        while !state.closing {
            match until {
                None => self.wake.wait(&mut state),
                Some(until) => {
                    if self.wake.wait_until(&mut state, until).timed_out() {
                        break;
                    }
                }
            }
        }
        state.closing
    }

    pub(crate) fn failure(&self) -> Option<AppendError> {
        self.state.lock().failed.clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.state.lock().waiting.len()
    }

    pub(crate) fn on_flush(&self, f: OnFlush) {
        self.on_flush.lock().push(f);
    }

    pub(crate) fn flush(&self) {
        // Copied out, so that one of them may add another.
        let all = self.on_flush.lock().clone();
        for f in all {
            f();
        }
    }
}
