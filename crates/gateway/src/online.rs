//! Which connection speaks for which terminal. The newest authenticated one wins.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jt808::Edition;
use model::TerminalId;
use parking_lot::Mutex;
use prometheus::IntGauge;

use crate::handle::{Forget, Handle, Lost};

const SHARDS: usize = 16;

struct Binding {
    generation: u64,
    edition: Edition,
    handle: Arc<Handle>,
}

/// The table, in shards with a lock each. Ordered maps: they shrink, and list themselves in order.
pub(crate) struct Online {
    shards: [Mutex<BTreeMap<TerminalId, Binding>>; SHARDS],
    generation: AtomicU64,
    gauge: IntGauge,
}

impl Online {
    pub(crate) fn new(gauge: IntGauge) -> Self {
        Self { shards: Default::default(), generation: AtomicU64::new(1), gauge }
    }

    fn shard(&self, terminal: TerminalId) -> &Mutex<BTreeMap<TerminalId, Binding>> {
        // The last digits of a phone are those that differ.
        &self.shards[(terminal.value() % SHARDS as u128) as usize]
    }

    /// Binds a terminal to a connection and tells the one that held it. Returns the number of this binding.
    pub(crate) fn bind(&self, terminal: TerminalId, handle: &Arc<Handle>, edition: Edition) -> u64 {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed);
        let binding = Binding { generation, edition, handle: handle.clone() };
        match self.shard(terminal).lock().insert(terminal, binding) {
            None => self.gauge.inc(),
            Some(old) if old.handle.id == handle.id => {}
            Some(old) => {
                old.handle.forget(Forget { terminal, generation: old.generation, why: Lost::Superseded });
            }
        }
        generation
    }

    /// Ends a binding, unless a newer one took its place.
    pub(crate) fn unbind(&self, terminal: TerminalId, generation: u64) {
        let mut shard = self.shard(terminal).lock();
        if shard.get(&terminal).is_some_and(|binding| binding.generation == generation) {
            shard.remove(&terminal);
            self.gauge.dec();
        }
    }

    /// Ends whatever binding there is and tells its connection.
    pub(crate) fn revoke(&self, terminal: TerminalId) {
        if let Some(old) = self.shard(terminal).lock().remove(&terminal) {
            self.gauge.dec();
            old.handle.forget(Forget { terminal, generation: old.generation, why: Lost::Revoked });
        }
    }

    /// The connection of a terminal, and the edition that it speaks.
    pub(crate) fn find(&self, terminal: TerminalId) -> Option<(Arc<Handle>, Edition)> {
        let shard = self.shard(terminal).lock();
        shard.get(&terminal).map(|binding| (binding.handle.clone(), binding.edition))
    }

    pub(crate) fn contains(&self, terminal: TerminalId) -> bool {
        self.shard(terminal).lock().contains_key(&terminal)
    }

    pub(crate) fn count(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    pub(crate) fn list(&self) -> Vec<TerminalId> {
        let mut all: Vec<_> =
            self.shards.iter().flat_map(|shard| shard.lock().keys().copied().collect::<Vec<_>>()).collect();
        all.sort_unstable();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Waker};

    fn handle(id: u64) -> Arc<Handle> {
        Arc::new(Handle::new(id, ([127, 0, 0, 1], 1).into()))
    }

    fn told(handle: &Handle) -> Vec<Forget> {
        handle.take(&Context::from_waker(Waker::noop()), true).forget
    }

    #[test]
    fn the_newest_binding_wins_and_stale_ends_change_nothing() {
        let online = Online::new(IntGauge::new("online", "terminals").expect("gauge"));
        let terminal = TerminalId::from_wire(&[0x13]);
        let (old, new) = (handle(1), handle(2));
        let first = online.bind(terminal, &old, Edition::V2013);
        let again = online.bind(terminal, &old, Edition::V2013);
        assert!(told(&old).is_empty(), "a connection does not supersede itself");
        let moved = online.bind(terminal, &new, Edition::V2019);
        assert_eq!(told(&old), [Forget { terminal, generation: again, why: Lost::Superseded }]);
        for stale in [first, again] {
            online.unbind(terminal, stale);
        }
        assert_eq!(online.find(terminal).map(|(handle, edition)| (handle.id, edition)), Some((2, Edition::V2019)));
        assert_eq!((online.count(), online.gauge.get()), (1, 1));
        online.revoke(terminal);
        assert_eq!(told(&new), [Forget { terminal, generation: moved, why: Lost::Revoked }]);
        online.unbind(terminal, moved);
        assert_eq!((online.count(), online.gauge.get(), online.list()), (0, 0, vec![]));
    }
}
