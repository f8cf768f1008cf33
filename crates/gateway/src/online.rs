//! Which connections speak for which terminal. Of those that authenticated as it the newest wins; beside it, forwarding
//! platforms may speak for it, too, and none of these closes another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jt808::Edition;
use model::{ForwarderId, TerminalId};
use parking_lot::Mutex;
use prometheus::IntGauge;
use smallvec::SmallVec;

use crate::handle::{Forget, Handle, Lost};

const SHARDS: usize = 16;

struct Binding {
    generation: u64,
    edition: Edition,
    handle: Arc<Handle>,
    /// Through which platform; `None`: directly.
    via: Option<ForwarderId>,
}

/// Those of one terminal, oldest first; never empty.
type Bindings = SmallVec<[Binding; 1]>;

/// The table, in shards with a lock each. Ordered maps: they shrink, and list themselves in order.
pub(crate) struct Online {
    shards: [Mutex<BTreeMap<TerminalId, Bindings>>; SHARDS],
    generation: AtomicU64,
    gauge: IntGauge,
}

impl Online {
    pub(crate) fn new(gauge: IntGauge) -> Self {
        Self { shards: Default::default(), generation: AtomicU64::new(1), gauge }
    }

    fn shard(&self, terminal: TerminalId) -> &Mutex<BTreeMap<TerminalId, Bindings>> {
        // The last digits of a phone are those that differ.
        &self.shards[(terminal.value() % SHARDS as u128) as usize]
    }

    /// Binds a terminal to a connection, and tells the direct one that held it if this is direct, too. Returns the number
    /// of this binding.
    pub(crate) fn bind(
        &self,
        terminal: TerminalId,
        handle: &Arc<Handle>,
        edition: Edition,
        via: Option<ForwarderId>,
    ) -> u64 {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed);
        let mut shard = self.shard(terminal).lock();
        let bindings = shard.entry(terminal).or_default();
        if bindings.is_empty() {
            self.gauge.inc();
        }
        bindings.retain(|old| {
            let is_same = old.handle.id == handle.id;
            let is_over = is_same || (via.is_none() && old.via.is_none());
            if is_over && !is_same {
                old.handle.forget(Forget { terminal, generation: old.generation, why: Lost::Superseded });
            }
            !is_over
        });
        bindings.push(Binding { generation, edition, handle: handle.clone(), via });
        generation
    }

    /// Ends a binding, unless a newer one took its place.
    pub(crate) fn unbind(&self, terminal: TerminalId, generation: u64) {
        let mut shard = self.shard(terminal).lock();
        let Some(bindings) = shard.get_mut(&terminal) else { return };
        bindings.retain(|binding| binding.generation != generation);
        if bindings.is_empty() {
            shard.remove(&terminal);
            self.gauge.dec();
        }
    }

    /// Ends whatever bindings there are and tells their connections.
    pub(crate) fn revoke(&self, terminal: TerminalId) {
        let Some(bindings) = self.shard(terminal).lock().remove(&terminal) else { return };
        self.gauge.dec();
        for old in bindings {
            old.handle.forget(Forget { terminal, generation: old.generation, why: Lost::Revoked });
        }
    }

    /// The connection that commands for a terminal go to, and the edition that it speaks: the direct one before the
    /// newest of a platform.
    pub(crate) fn find(&self, terminal: TerminalId) -> Option<(Arc<Handle>, Edition)> {
        let shard = self.shard(terminal).lock();
        let bindings = shard.get(&terminal)?;
        let best = bindings.iter().find(|binding| binding.via.is_none()).or(bindings.last())?;
        Some((best.handle.clone(), best.edition))
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

    fn handle(id: u64) -> Arc<Handle> {
        Arc::new(Handle::new(id, ([127, 0, 0, 1], 1).into()))
    }

    fn told(handle: &Handle) -> Vec<Forget> {
        handle.take(true).forget
    }

    #[test]
    fn the_newest_binding_wins_and_stale_ends_change_nothing() {
        let online = Online::new(IntGauge::new("online", "terminals").expect("gauge"));
        let terminal = TerminalId::from_wire(&[0x13]);
        let (old, new) = (handle(1), handle(2));
        let first = online.bind(terminal, &old, Edition::V2013, None);
        let again = online.bind(terminal, &old, Edition::V2013, None);
        assert!(told(&old).is_empty(), "a connection does not supersede itself");
        let moved = online.bind(terminal, &new, Edition::V2019, None);
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

    #[test]
    fn platforms_speak_beside_the_terminal_itself() {
        let online = Online::new(IntGauge::new("online", "terminals").expect("gauge"));
        let terminal = TerminalId::from_wire(&[0x13]);
        let handles = [1, 2, 3, 4].map(handle);
        let found = || online.find(terminal).map(|(handle, _)| handle.id);
        let bind =
            |at: usize, via: Option<u64>| online.bind(terminal, &handles[at], Edition::V2013, via.map(ForwarderId));
        let one = bind(0, Some(7));
        assert_eq!(found(), Some(1));
        let direct = bind(1, None);
        let two = bind(2, Some(7));
        assert_eq!((found(), online.count(), online.gauge.get()), (Some(2), 1, 1), "the direct one is preferred");
        let newer = bind(3, None);
        assert_eq!(told(&handles[1]).len(), 1, "only a direct one takes a direct one's place");
        assert!([0, 2, 3].iter().all(|at| told(&handles[*at]).is_empty()));
        online.unbind(terminal, direct);
        online.unbind(terminal, newer);
        assert_eq!(found(), Some(3), "the newest of the platforms");
        online.unbind(terminal, two);
        assert_eq!(found(), Some(1));
        let again = bind(0, Some(7));
        online.unbind(terminal, one);
        assert_eq!((found(), online.count()), (Some(1), 1), "an old number ends nothing");
        bind(1, None);
        online.revoke(terminal);
        assert_eq!(told(&handles[0]), [Forget { terminal, generation: again, why: Lost::Revoked }]);
        assert_eq!((told(&handles[1]).len(), online.gauge.get(), online.list()), (1, 0, vec![]));
    }
}
