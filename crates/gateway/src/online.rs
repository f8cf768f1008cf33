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

use crate::Admission;
use crate::handle::{Forget, Handle, Lost};

const SHARDS: usize = 16;

/// By what right a connection speaks for a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// It showed the terminal's code of that epoch.
    Code { epoch: u32 },
    /// It is a link of that platform.
    Platform(ForwarderId),
}

impl Right {
    /// Whether the registry still gives it.
    pub(crate) fn holds(self, terminal: TerminalId, admission: &dyn Admission) -> bool {
        match self {
            Self::Code { epoch } => admission.epoch(terminal) == Some(epoch),
            Self::Platform(id) => admission.forwards(id, terminal),
        }
    }

    const fn is_direct(self) -> bool {
        matches!(self, Self::Code { .. })
    }
}

struct Binding {
    generation: u64,
    edition: Edition,
    handle: Arc<Handle>,
    right: Right,
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
    pub(crate) fn bind(&self, terminal: TerminalId, handle: &Arc<Handle>, edition: Edition, right: Right) -> u64 {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed);
        let mut shard = self.shard(terminal).lock();
        let bindings = shard.entry(terminal).or_default();
        if bindings.is_empty() {
            self.gauge.inc();
        }
        bindings.retain(|old| {
            let is_same = old.handle.id == handle.id;
            let is_over = is_same || (right.is_direct() && old.right.is_direct());
            if is_over && !is_same {
                old.handle.forget(Forget { terminal, generation: old.generation, why: Lost::Superseded });
            }
            !is_over
        });
        bindings.push(Binding { generation, edition, handle: handle.clone(), right });
        generation
    }

    /// Ends a binding, unless a newer one took its place.
    pub(crate) fn unbind(&self, terminal: TerminalId, generation: u64) {
        self.take(terminal, generation);
    }

    /// Takes a binding out, and tells whose it was.
    fn take(&self, terminal: TerminalId, generation: u64) -> Option<Arc<Handle>> {
        let mut shard = self.shard(terminal).lock();
        let bindings = shard.get_mut(&terminal)?;
        let at = bindings.iter().position(|binding| binding.generation == generation)?;
        let taken = bindings.remove(at);
        if bindings.is_empty() {
            shard.remove(&terminal);
            self.gauge.dec();
        }
        Some(taken.handle)
    }

    /// Ends whatever bindings there are and tells their connections.
    pub(crate) fn revoke(&self, terminal: TerminalId) {
        let Some(bindings) = self.shard(terminal).lock().remove(&terminal) else { return };
        self.gauge.dec();
        for old in bindings {
            old.handle.forget(Forget { terminal, generation: old.generation, why: Lost::Revoked });
        }
    }

    /// The registry changed: ends the bindings whose right it no longer gives, and tells their connections. The registry
    /// is asked without a lock held.
    pub(crate) fn recheck(&self, holds: impl Fn(TerminalId, Right) -> bool) {
        for shard in &self.shards {
            let all: Vec<_> = {
                let shard = shard.lock();
                let bindings =
                    shard.iter().flat_map(|(terminal, bindings)| bindings.iter().map(|one| (*terminal, one)));
                bindings.map(|(terminal, one)| (terminal, one.generation, one.right)).collect()
            };
            for (terminal, generation, _) in all.into_iter().filter(|(terminal, _, right)| !holds(*terminal, *right)) {
                if let Some(handle) = self.take(terminal, generation) {
                    handle.forget(Forget { terminal, generation, why: Lost::Revoked });
                }
            }
        }
    }

    /// The connection that commands for a terminal go to, and the edition that it speaks: the direct one before the
    /// newest of a platform.
    pub(crate) fn find(&self, terminal: TerminalId) -> Option<(Arc<Handle>, Edition)> {
        let shard = self.shard(terminal).lock();
        let bindings = shard.get(&terminal)?;
        let best = bindings.iter().find(|binding| binding.right.is_direct()).or(bindings.last())?;
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

    const CODE: Right = Right::Code { epoch: 0 };
    const PLATFORM: Right = Right::Platform(ForwarderId(7));

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
        let first = online.bind(terminal, &old, Edition::V2013, CODE);
        let again = online.bind(terminal, &old, Edition::V2013, CODE);
        assert!(told(&old).is_empty(), "a connection does not supersede itself");
        let moved = online.bind(terminal, &new, Edition::V2019, CODE);
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
        let bind = |at: usize, right: Right| online.bind(terminal, &handles[at], Edition::V2013, right);
        let one = bind(0, PLATFORM);
        assert_eq!(found(), Some(1));
        let direct = bind(1, CODE);
        let two = bind(2, PLATFORM);
        assert_eq!((found(), online.count(), online.gauge.get()), (Some(2), 1, 1), "the direct one is preferred");
        let newer = bind(3, CODE);
        assert_eq!(told(&handles[1]).len(), 1, "only a direct one takes a direct one's place");
        assert!([0, 2, 3].iter().all(|at| told(&handles[*at]).is_empty()));
        online.unbind(terminal, direct);
        online.unbind(terminal, newer);
        assert_eq!(found(), Some(3), "the newest of the platforms");
        online.unbind(terminal, two);
        assert_eq!(found(), Some(1));
        let again = bind(0, PLATFORM);
        online.unbind(terminal, one);
        assert_eq!((found(), online.count()), (Some(1), 1), "an old number ends nothing");
        bind(1, CODE);
        online.revoke(terminal);
        assert_eq!(told(&handles[0]), [Forget { terminal, generation: again, why: Lost::Revoked }]);
        assert_eq!((told(&handles[1]).len(), online.gauge.get(), online.list()), (1, 0, vec![]));
    }

    #[test]
    fn what_the_registry_no_longer_gives_ends_and_nothing_else() {
        let online = Online::new(IntGauge::new("online", "terminals").expect("gauge"));
        let (direct, link) = (handle(1), handle(2));
        let terminals: Vec<_> = (0..40).map(|n| TerminalId::from_wire(&[n])).collect();
        let bound: Vec<_> = terminals
            .iter()
            .map(|terminal| {
                [(&direct, CODE), (&link, PLATFORM)]
                    .map(|(at, right)| online.bind(*terminal, at, Edition::V2013, right))
            })
            .collect();
        // Of the first terminal the code, of the second its place on the list, of the third both.
        online.recheck(|terminal, right| {
            let at = terminals.iter().position(|one| *one == terminal);
            !matches!((at, right), (Some(0 | 2), Right::Code { epoch: 0 }) | (Some(1 | 2), Right::Platform(_)))
        });
        for (handle, kind, ended) in [(&direct, 0, [0, 2]), (&link, 1, [1, 2])] {
            let mut told = told(handle);
            told.sort_by_key(|forget| forget.generation);
            let forget =
                |at: usize| Forget { terminal: terminals[at], generation: bound[at][kind], why: Lost::Revoked };
            assert_eq!(told, ended.map(forget));
        }
        let at = |at: usize| online.find(terminals[at]).map(|(handle, _)| handle.id);
        assert_eq!([at(0), at(1), at(2), at(3)], [Some(2), Some(1), None, Some(1)]);
        assert_eq!((online.count(), online.gauge.get()), (39, 39));
    }
}
