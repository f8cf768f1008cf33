//! Whether the journal takes more. While it does not, connections are left unread and stand in line here; then they go
//! on in the order in which they came. So what cannot be kept stays in the sockets of those who sent it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use journal::Journal;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::handle::Handle;

/// Connections that go on before others get a turn, and the gate may shut again.
const AT_ONCE: usize = 64;

#[derive(Default)]
pub(crate) struct Gate {
    shut: AtomicBool,
    failed: AtomicBool,
    line: Mutex<VecDeque<Arc<Handle>>>,
    shutting: Notify,
}

impl Gate {
    /// Whether frames may be read.
    pub(crate) fn is_open(&self) -> bool {
        !self.shut.load(Ordering::Acquire)
    }

    /// Whether the journal can keep nothing at present, and nobody knows for how long.
    pub(crate) fn is_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// The journal takes nothing more at present.
    pub(crate) fn shut(&self) {
        let _line = self.line.lock();
        if !self.shut.swap(true, Ordering::AcqRel) {
            self.shutting.notify_one();
        }
    }

    /// Stands in line, to be woken when it is worth another try. `false` when it is at once.
    pub(crate) fn park(&self, handle: &Arc<Handle>) -> bool {
        let mut line = self.line.lock();
        if self.is_open() {
            return false;
        }
        if handle.park() {
            line.push_back(handle.clone());
        }
        true
    }

    /// Opens the gate whenever the journal takes more again. For ever.
    pub(crate) async fn keep(&self, journal: &Journal) {
        loop {
            self.shutting.notified().await;
            journal.room().await;
            if journal.failure().is_some() {
                self.failed.store(true, Ordering::Release);
                // So that they see how long they will wait.
                self.line.lock().iter().for_each(|handle| handle.wake());
                journal.working().await;
                self.failed.store(false, Ordering::Release);
            }
            self.open().await;
        }
    }

    async fn open(&self) {
        {
            let _line = self.line.lock();
            self.shut.store(false, Ordering::Release);
        }
        while self.is_open() {
            let first: Vec<_> = {
                let mut line = self.line.lock();
                let count = line.len().min(AT_ONCE);
                line.drain(..count).collect()
            };
            if first.is_empty() {
                return;
            }
            first.iter().for_each(|handle| handle.unpark());
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_shut_gate_makes_a_line_and_nobody_stands_in_it_twice() {
        let gate = Gate::default();
        let handle = Arc::new(Handle::new(1, ([127, 0, 0, 1], 1).into()));
        assert!(!gate.park(&handle));
        gate.shut();
        assert!(!gate.is_open() && gate.park(&handle) && gate.park(&handle));
        assert_eq!(gate.line.lock().len(), 1);
    }
}
