//! What a desk does on the link of a forwarding platform (转发平台).

use super::{Desk, Frame, Serving};
use crate::gateway::Shared;
use crate::handle::Handle;
use crate::links::Link;
use crate::online::Right;

/// The link of a connection from a platform's address: up, if the address is enough.
pub(super) fn link(shared: &Shared, handle: &Handle) -> Option<Box<Link>> {
    let mut link = Box::new(Link::new(shared.admission.forwarder(handle.peer.ip())?));
    rise(&mut link, shared, handle, None);
    Some(link)
}

/// Brings a link up if it may; whether it is up then.
fn rise(link: &mut Link, shared: &Shared, handle: &Handle, shown: Option<&str>) -> bool {
    if !link.may_rise(&shared.codes, shown) {
        return false;
    }
    link.rise(&shared.links, handle, shared.clock.now());
    // A change of the registry between the look-up and the rise found nobody to tell.
    if shared.admission.forwarder(handle.peer.ip()) != Some(link.forwarder) {
        link.fall(&shared.links, handle);
    }
    link.is_up
}

impl Desk {
    /// Brings the link up if this is its platform's code; whether it is.
    pub(super) fn raise_link(&mut self, to: &Serving<'_>, code: &str) -> bool {
        let Some(link) = self.link.as_mut().filter(|link| !link.is_up) else { return false };
        // It may have changed since the connection began.
        let Some(forwarder) = to.shared.admission.forwarder(to.handle.peer.ip()) else { return false };
        link.forwarder = forwarder;
        rise(link, to.shared, to.handle, Some(code))
    }

    /// Opens a session for a terminal that the platform may speak for, if its link is up.
    pub(super) fn open_forwarded(&mut self, frame: &Frame<'_, '_>, to: &Serving<'_>) -> Option<u32> {
        let (shared, terminal) = (to.shared, frame.terminal);
        let id = self.link.as_ref().filter(|link| link.is_up)?.forwarder.id;
        let is_known = self.sessions.find(terminal).is_some();
        let has_room = is_known || self.sessions.len() < shared.limits.terminals_per_forwarder_max;
        if !frame.piece.frame.check_ok || !has_room || !shared.admission.forwards(id, terminal) {
            return None;
        }
        let header = frame.piece.frame.header;
        let right = Right::Platform(id);
        let generation = shared.online.bind(terminal, to.handle, header.edition, right);
        // A revocation between the look-up and the binding found nobody to tell.
        if !right.holds(terminal, &*shared.admission) {
            shared.online.unbind(terminal, generation);
            return None;
        }
        if self.sessions.open(terminal, generation, header) {
            // Commands that wait are offered to a new session only. Nobody may be listening.
            let _ = shared.authenticated.send(terminal);
        }
        self.count_link(shared, to.handle);
        let place = self.sessions.find_open(terminal)?;
        self.sessions.get_mut(place)?.is_forwarded = true;
        Some(place)
    }

    /// The registry changed: whether a link that is up is still one of its platform. If not, the connection has to end.
    pub(crate) fn is_still_a_link(&self, shared: &Shared, handle: &Handle) -> bool {
        let Some(link) = self.link.as_ref().filter(|link| link.is_up) else { return true };
        shared.admission.forwarder(handle.peer.ip()) == Some(link.forwarder)
    }

    /// Tells how many terminals speak through the link, if there is one.
    pub(super) fn count_link(&self, shared: &Shared, handle: &Handle) {
        if self.link.is_some() {
            shared.links.count(handle, self.sessions.open_count());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::testing::{Turning, gateway};
    use std::sync::Arc;

    #[test]
    fn a_link_that_the_registry_takes_back_while_it_rises_stays_down() {
        let shared = gateway(Arc::new(Turning::default()), Limits::default()).shared;
        let link = link(&shared, &Handle::new(1, ([127, 0, 0, 1], 1).into())).expect("a platform's address");
        assert!(!link.is_up && shared.links.list().is_empty());
    }
}
