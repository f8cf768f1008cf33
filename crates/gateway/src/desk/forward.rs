//! What a desk does on the link of a forwarding platform (转发平台).

use super::{Desk, Frame, Serving};
use crate::gateway::Shared;
use crate::handle::Handle;

impl Desk {
    /// Brings the link up if this is its platform's code; whether it is.
    pub(super) fn raise_link(&mut self, to: &Serving<'_>, code: &str) -> bool {
        let Some(link) = self.link.as_mut().filter(|link| !link.is_up) else { return false };
        // It may have changed since the connection began.
        let Some(forwarder) = to.shared.admission.forwarder(to.handle.peer.ip()) else { return false };
        link.forwarder = forwarder;
        let rises = link.may_rise(&to.shared.codes, Some(code));
        if rises {
            link.rise(&to.shared.links, to.handle, to.burst.received);
        }
        rises
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
        let generation = shared.online.bind(terminal, to.handle, header.edition, Some(id));
        // A revocation between the look-up and the binding found nobody to tell.
        if !shared.admission.forwards(id, terminal) {
            shared.online.unbind(terminal, generation);
            return None;
        }
        if self.sessions.open(terminal, generation, header) {
            // Commands that wait are offered to a new session only. Nobody may be listening.
            let _ = shared.authenticated.send(terminal);
        }
        shared.links.count(to.handle, self.sessions.open_count());
        let place = self.sessions.find_open(terminal)?;
        self.sessions.get_mut(place)?.is_forwarded = true;
        Some(place)
    }

    /// The registry changed: closes what the platform may no longer speak for. `false` when the connection is no link of
    /// that platform any more and has to end.
    pub(crate) fn recheck(&mut self, shared: &Shared, handle: &Handle) -> bool {
        let Some(link) = self.link.as_ref().filter(|link| link.is_up) else { return true };
        let id = link.forwarder.id;
        if shared.admission.forwarder(handle.peer.ip()) != Some(link.forwarder) {
            return false;
        }
        for place in self.sessions.forwarded() {
            let terminal = self.sessions.get_mut(place).map(|session| session.terminal);
            if terminal.is_some_and(|terminal| !shared.admission.forwards(id, terminal)) {
                self.end_session(shared, place);
            }
        }
        shared.links.count(handle, self.sessions.open_count());
        true
    }
}
