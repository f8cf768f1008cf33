//! The connections that are open, and how many from each address.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::Limits;
use crate::handle::{Handle, Order};

/// Why a connection is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// As many as there may be.
    Full,
    /// As many as there may be from that address.
    AddressFull,
}

impl Refused {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::AddressFull => "address_full",
        }
    }
}

#[derive(Default)]
struct State {
    last_id: u64,
    open: BTreeMap<u64, Arc<Handle>>,
    /// Those of UDP: one speaks for all its terminals, and has no place among the connections.
    doors: BTreeMap<u64, Arc<Handle>>,
    by_address: BTreeMap<IpAddr, usize>,
}

#[derive(Default)]
pub(crate) struct Table(Mutex<State>);

impl Table {
    /// Takes a connection in, if the limits let it.
    pub(crate) fn enter(&self, peer: SocketAddr, limits: &Limits) -> Result<Arc<Handle>, Refused> {
        let mut state = self.0.lock();
        if state.open.len() >= limits.connections_max {
            return Err(Refused::Full);
        }
        let address = peer.ip().to_canonical();
        let there = state.by_address.get(&address).copied().unwrap_or(0);
        if there >= limits.connections_per_address_max {
            return Err(Refused::AddressFull);
        }
        state.by_address.insert(address, there + 1);
        state.last_id += 1;
        let handle = Arc::new(Handle::new(state.last_id, SocketAddr::new(address, peer.port())));
        state.open.insert(handle.id, handle.clone());
        Ok(handle)
    }

    /// A number like those of the connections, for somebody who needs no place.
    pub(crate) fn number(&self) -> u64 {
        let mut state = self.0.lock();
        state.last_id += 1;
        state.last_id
    }

    /// Takes in the door of a UDP socket.
    pub(crate) fn open_door(&self, local: SocketAddr) -> Arc<Handle> {
        let handle = Arc::new(Handle::new(self.number(), local));
        self.0.lock().doors.insert(handle.id, handle.clone());
        handle
    }

    pub(crate) fn leave(&self, handle: &Handle) {
        let mut state = self.0.lock();
        state.doors.remove(&handle.id);
        if state.open.remove(&handle.id).is_none() {
            return;
        }
        let address = handle.peer.ip();
        match state.by_address.get_mut(&address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                state.by_address.remove(&address);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().open.len()
    }

    pub(crate) fn sweep(&self, now_ms: u64) {
        self.0.lock().open.values().for_each(|handle| handle.wake_if_due(now_ms));
    }

    /// The registry changed: tells those whose address is `denied` to go, and has those that forward and the doors of UDP
    /// look whom they still may hear. The registry is asked without a lock held.
    pub(crate) fn recheck(&self, denied: impl Fn(IpAddr) -> bool, forwards: impl Fn(u64) -> bool) {
        let (open, doors): (Vec<_>, Vec<_>) = {
            let state = self.0.lock();
            (state.open.values().cloned().collect(), state.doors.values().cloned().collect())
        };
        for handle in open {
            let is_denied = denied(handle.peer.ip());
            if is_denied || forwards(handle.id) {
                handle.recheck(is_denied);
            }
        }
        doors.iter().for_each(|door| door.recheck(false));
    }

    pub(crate) fn order_all(&self, order: Order) {
        self.0.lock().open.values().for_each(|handle| handle.order(order));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_address_and_forgets_who_left() {
        let limits = Limits { connections_max: 3, connections_per_address_max: 2, ..Limits::default() };
        let table = Table::default();
        let enter = |peer: &str| table.enter(peer.parse().expect("address"), &limits);
        let one = enter("10.0.0.1:1").expect("room");
        let two = enter("[::ffff:10.0.0.1]:2").expect("room");
        assert_eq!(enter("10.0.0.1:3").err(), Some(Refused::AddressFull));
        let three = enter("10.0.0.2:1").expect("room");
        assert_eq!(enter("10.0.0.3:1").err(), Some(Refused::Full));
        for handle in [&one, &one, &two, &three] {
            table.leave(handle);
        }
        assert_eq!(table.len(), 0);
        assert!(table.0.lock().by_address.is_empty());
        assert!(enter("10.0.0.1:1").expect("room").id > three.id, "numbers are not used twice");
    }
}
