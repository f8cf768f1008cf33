//! Whether the journal takes more. While it does not, connections are left unread and stand in line here; then they go
//! on in the order in which they came. So what cannot be kept stays in the sockets of those who sent it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use journal::Journal;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::handle::Handle;

/// Connections that go on before others get a turn, and the gate may shut again.
const AT_ONCE: usize = 64;

/// Who waits, by the number of their place: whoever gives up leaves it, wherever it is.
#[derive(Default)]
struct Queue {
    last: u64,
    waiting: BTreeMap<u64, Arc<Handle>>,
}

#[derive(Default)]
pub(crate) struct Gate {
    shut: AtomicBool,
    failed: AtomicBool,
    line: Mutex<Queue>,
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
        if handle.park(line.last + 1) {
            line.last += 1;
            let place = line.last;
            line.waiting.insert(place, handle.clone());
        }
        true
    }

    /// Leaves the line: its connection has ended.
    pub(crate) fn leave(&self, handle: &Handle) {
        if let Some(place) = handle.place() {
            self.line.lock().waiting.remove(&place);
        }
    }

    /// Opens the gate whenever the journal takes more again. For ever.
    pub(crate) async fn keep(&self, journal: &Journal) {
        loop {
            self.shutting.notified().await;
            journal.room().await;
            if journal.failure().is_some() {
                self.failed.store(true, Ordering::Release);
                // So that they see how long they will wait.
                self.line.lock().waiting.values().for_each(|handle| handle.wake());
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
                std::iter::from_fn(|| line.waiting.pop_first()).map(|(_, handle)| handle).take(AT_ONCE).collect()
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
    use crate::connection::Connection;
    use crate::testing::{Nobody, gateway, sockets};
    use std::task::{Context, Waker};

    #[test]
    fn only_a_shut_gate_makes_a_line_and_nobody_stands_in_it_twice() {
        let gate = Gate::default();
        let handle = Arc::new(Handle::new(1, ([127, 0, 0, 1], 1).into()));
        assert!(!gate.park(&handle));
        gate.shut();
        assert!(!gate.is_open() && gate.park(&handle) && gate.park(&handle));
        assert_eq!(gate.line.lock().waiting.len(), 1);
    }

    #[tokio::test]
    async fn whoever_stays_goes_on_in_the_order_of_coming() {
        let gate = Gate::default();
        let handles: Vec<_> = (0..200).map(|id| Arc::new(Handle::new(id, ([127, 0, 0, 1], 1).into()))).collect();
        gate.shut();
        // The youngest came first, and every third gives up.
        assert!(handles.iter().rev().all(|handle| gate.park(handle)));
        handles.iter().step_by(3).for_each(|handle| gate.leave(handle));
        let ids: Vec<_> = gate.line.lock().waiting.values().map(|handle| handle.id).collect();
        assert_eq!(ids, (0..200).rev().filter(|id| id % 3 != 0).collect::<Vec<_>>());
        gate.open().await;
        assert!(gate.line.lock().waiting.is_empty());
        gate.shut();
        assert!(gate.park(&handles[1]), "it may stand in line again");
        assert_eq!(gate.line.lock().waiting.len(), 1);
    }

    #[tokio::test]
    async fn connections_that_end_leave_the_line() {
        let shared = gateway(Arc::new(Nobody), crate::Limits::default()).shared;
        shared.gate.shut();
        for _ in 0..3 {
            let (near, far) = sockets().await;
            let handle = shared.table.enter(far.local_addr().expect("bound"), &shared.limits).expect("room");
            let mut connection = Box::pin(Connection::new(near, handle, shared.clone()));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(connection.as_mut().poll(&mut cx).is_pending());
            assert_eq!(shared.gate.line.lock().waiting.len(), 1, "it stands in line");
        }
        assert!(shared.gate.line.lock().waiting.is_empty());
    }
}
