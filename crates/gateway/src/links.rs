//! Links: connections of forwarding platforms (转发平台), each of which speaks for many terminals. Their rise and fall is
//! one event each, however many terminals they carry.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use model::{ForwarderId, Timestamp};
use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::handle::Handle;
use crate::{AuthCodes, Forwarder};

/// Events that were not yet fetched by a receiver, before it misses the oldest.
const EVENTS_KEPT: usize = 1_024;

/// A link came up or went down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkEvent {
    /// Whose it is.
    pub forwarder: ForwarderId,
    /// From where.
    pub peer: SocketAddr,
    /// Whether it is up now.
    pub up: bool,
    /// The terminals that spoke through it when it went down.
    pub terminals: usize,
}

/// A link that is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenLink {
    /// Whose it is.
    pub forwarder: ForwarderId,
    /// From where.
    pub peer: SocketAddr,
    /// Since when.
    pub since: Timestamp,
    /// The terminals that speak through it.
    pub terminals: usize,
}

/// All links that are up, by the number of their connection.
pub(crate) struct Links {
    up: Mutex<BTreeMap<u64, OpenLink>>,
    events: broadcast::Sender<LinkEvent>,
}

impl Default for Links {
    fn default() -> Self {
        Self { up: Mutex::default(), events: broadcast::Sender::new(EVENTS_KEPT) }
    }
}

impl Links {
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<LinkEvent> {
        self.events.subscribe()
    }

    pub(crate) fn list(&self) -> Vec<OpenLink> {
        self.up.lock().values().copied().collect()
    }

    /// Whether the connection of that number is one.
    pub(crate) fn is_up(&self, number: u64) -> bool {
        self.up.lock().contains_key(&number)
    }

    fn rise(&self, handle: &Handle, forwarder: ForwarderId, since: Timestamp) {
        self.up.lock().insert(handle.id, OpenLink { forwarder, peer: handle.peer, since, terminals: 0 });
        self.tell(LinkEvent { forwarder, peer: handle.peer, up: true, terminals: 0 });
    }

    fn fall(&self, handle: &Handle) {
        let Some(link) = self.up.lock().remove(&handle.id) else { return };
        self.tell(LinkEvent { forwarder: link.forwarder, peer: link.peer, up: false, terminals: link.terminals });
    }

    pub(crate) fn count(&self, handle: &Handle, terminals: usize) {
        if let Some(link) = self.up.lock().get_mut(&handle.id) {
            link.terminals = terminals;
        }
    }

    fn tell(&self, event: LinkEvent) {
        tracing::info!(forwarder = %event.forwarder, peer = %event.peer, up = event.up, terminals = event.terminals, "link");
        // Nobody may be listening.
        let _ = self.events.send(event);
    }
}

/// What a connection from a forwarding platform's address holds.
pub(crate) struct Link {
    pub(crate) forwarder: Forwarder,
    pub(crate) is_up: bool,
}

impl Link {
    /// One that is down until it has shown its code, if it needs one.
    pub(crate) fn new(forwarder: Forwarder) -> Self {
        Self { forwarder, is_up: false }
    }

    /// Whether it may come up by its address, or by the code that it shows.
    pub(crate) fn may_rise(&self, codes: &AuthCodes, shown: Option<&str>) -> bool {
        match (self.is_up, self.forwarder.code_epoch, shown) {
            (true, ..) => false,
            (false, None, _) => true,
            (false, Some(epoch), Some(shown)) => codes.verify_forwarder(self.forwarder.id, epoch, shown),
            (false, Some(_), None) => false,
        }
    }

    pub(crate) fn rise(&mut self, links: &Links, handle: &Handle, now: Timestamp) {
        self.is_up = true;
        links.rise(handle, self.forwarder.id, now);
    }

    /// Takes it down; nothing happens when it was not up.
    pub(crate) fn fall(&mut self, links: &Links, handle: &Handle) {
        if std::mem::take(&mut self.is_up) {
            links.fall(handle);
        }
    }
}
