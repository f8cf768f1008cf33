//! Who speaks on one connection, what they may, and how many of their frames are unanswered.
//!
//! One connection may speak for several terminals. Each frame belongs to the terminal in its header, and only what an
//! authenticated terminal sends is its word; the rest comes from strangers. On the link of a forwarding platform (转发平台)
//! a terminal needs no code of its own: the registry says for whom the platform speaks.

mod forward;
mod parts;

use std::sync::Arc;

use bytes::Bytes;
use journal::Record;
use jt808::{GeneralResult, Piece};
use model::TerminalId;

use crate::Limits;
use crate::answer::{Answer, Charge, Reply};
use crate::burst::Burst;
use crate::gateway::Shared;
use crate::handle::{Downlink, Forget, Handle};
use crate::links::Link;
use crate::metrics::Outcome;
use crate::online::Right;
use crate::outbox::Outbox;
use crate::request::Request;
use crate::sessions::{Sessions, Tally};

/// What serving a frame takes and fills.
pub(crate) struct Serving<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) handle: &'a Arc<Handle>,
    /// Gets the record.
    pub(crate) burst: Burst,
    /// Gets the answer.
    pub(crate) outbox: &'a mut Outbox,
}

/// One frame that is being served, and whose it is.
struct Frame<'a, 'b> {
    piece: &'a Piece<'b>,
    terminal: TerminalId,
}

/// The desk of one connection.
pub(crate) struct Desk {
    sessions: Sessions,
    strangers: Tally,
    /// On a forwarding platform's connection.
    link: Option<Box<Link>>,
    /// What the asking for missing packets takes.
    asking_bytes: u32,
    /// Unanswered frames of all.
    unanswered: u32,
    /// No terminal has more than these unanswered...
    most: u32,
    /// ... and maybe all have fewer.
    most_is_stale: bool,
    /// Since when no terminal is authenticated here, ms since the gateway began; without meaning while one is.
    pub(crate) strange_since_ms: u64,
    /// Whether a stranger was over the budget since this was last cleared.
    pub(crate) over_budget: bool,
}

impl Desk {
    pub(crate) fn new(shared: &Shared, handle: &Handle, now_ms: u64) -> Self {
        Self {
            link: forward::link(shared, handle),
            asking_bytes: 0,
            sessions: Sessions::default(),
            strangers: Tally::default(),
            unanswered: 0,
            most: 0,
            most_is_stale: false,
            strange_since_ms: now_ms,
            over_budget: false,
        }
    }

    pub(crate) fn is_strange(&self) -> bool {
        self.sessions.open_count() == 0 && !self.link.as_ref().is_some_and(|link| link.is_up)
    }

    /// How many frames may be read before a window is full, whoever sends them.
    pub(crate) fn window_left(&mut self, limits: &Limits) -> usize {
        let all = if self.link.is_some() { limits.window_per_forwarder } else { limits.window_per_connection };
        let connection = all.saturating_sub(self.unanswered as usize);
        // All terminals are looked at only when it may make a difference: a forwarder has thousands.
        if self.most_is_stale && self.most as usize > limits.window_per_terminal / 2 {
            self.most = self.strangers.unanswered.max(self.sessions.most_unanswered());
            self.most_is_stale = false;
        }
        connection.min(limits.window_per_terminal.saturating_sub(self.most as usize))
    }

    /// Takes one frame: decides whose it is and what is answered.
    pub(crate) fn serve(&mut self, piece: &Piece<'_>, to: &mut Serving<'_>) {
        let header = &piece.frame.header;
        let frame = Frame { piece, terminal: TerminalId::from_wire(header.phone.bytes()) };
        let request = Request::read(&piece.frame);
        let raised = matches!(&request, Request::Authenticate(code) if self.raise_link(to, code));
        let place = self.sessions.find_open(frame.terminal).or_else(|| self.open_forwarded(&frame, to));
        let Some(place) = place else {
            return self.serve_stranger(&frame, request, raised, to);
        };
        let Some(session) = self.sessions.get_mut(place) else { return };
        let is_forwarded = session.is_forwarded;
        if piece.frame.check_ok {
            session.dialect = *header;
            if header.is_part() {
                self.note_part(place, piece, to);
            }
        }
        // The platform answers for the code of a terminal that it speaks for.
        let (reply, ends) =
            request.answered(|code| is_forwarded || self.authenticate(to.shared, to.handle, &frame, code));
        let via = self.link.as_ref().filter(|_| is_forwarded).map(|link| link.forwarder.id);
        let record = Record::uplink(to.burst.received, frame.terminal, to.handle.id, Bytes::new()).through(via);
        self.push(record, Charge::Session(place), &frame, reply, to);
        if ends {
            self.end_session(to.shared, place);
            self.count_link(to.shared, to.handle);
        }
    }

    /// A frame of nobody that may speak; `raised`: it brought the link up, whatever its phone.
    fn serve_stranger(&mut self, frame: &Frame<'_, '_>, request: Request, raised: bool, to: &mut Serving<'_>) {
        if raised {
            let record = stranger(frame, to);
            return self.push(record, Charge::Strangers, frame, Reply::General(GeneralResult::Success), to);
        }
        if let Request::Authenticate(code) = &request
            && self.authenticate(to.shared, to.handle, frame, code)
            && let Some(place) = self.sessions.find_open(frame.terminal)
        {
            let record = stranger(frame, to);
            return self.push(record, Charge::Session(place), frame, Reply::General(GeneralResult::Success), to);
        }
        if !to.shared.budget.take(frame.piece.wire.len(), to.burst.read_at) {
            self.over_budget = true;
            to.shared.metrics.strangers_dropped.inc();
            return to.shared.metrics.frames(frame.piece.frame.header.id, Outcome::Dropped, 1);
        }
        let reply = match request {
            Request::Register(registration) => Reply::Register(registration),
            Request::Acknowledgement => Reply::Nothing,
            Request::Report(GeneralResult::MessageError) => Reply::General(GeneralResult::MessageError),
            _ => Reply::General(GeneralResult::Failure),
        };
        let record = stranger(frame, to);
        self.push(record, Charge::Strangers, frame, reply, to);
    }

    fn push(&mut self, record: Record, charge: Charge, frame: &Frame<'_, '_>, reply: Reply, to: &mut Serving<'_>) {
        self.unanswered += 1;
        let silent = matches!(reply, Reply::Nothing);
        let mut serial = 0;
        if let Some(tally) = self.tally(charge) {
            tally.unanswered += 1;
            if !silent {
                serial = tally.serial();
            }
            let unanswered = tally.unanswered;
            self.most = self.most.max(unanswered);
        }
        if to.burst.is_empty() {
            to.outbox.reserve(to.burst.frames_like(frame.piece.wire));
        }
        to.burst.push(record, frame.piece.wire);
        let read_us = to.burst.read_us;
        to.outbox.push(Answer { to: frame.piece.frame.header, serial, charge, reply, read_us, last: false });
    }

    fn tally(&mut self, charge: Charge) -> Option<&mut Tally> {
        match charge {
            Charge::Session(place) => self.sessions.get_mut(place).map(|session| &mut session.tally),
            Charge::Strangers => Some(&mut self.strangers),
            Charge::Connection => None,
        }
    }

    /// Opens a session for a terminal that shows its code.
    fn authenticate(&mut self, shared: &Shared, handle: &Arc<Handle>, frame: &Frame<'_, '_>, code: &str) -> bool {
        let terminal = frame.terminal;
        let Some(epoch) = shared.admission.epoch(terminal) else { return false };
        if !shared.codes.verify(terminal, epoch, code) {
            return false;
        }
        let is_known = self.sessions.find(terminal).is_some();
        let max = match self.link {
            Some(_) => shared.limits.terminals_per_forwarder_max,
            None => shared.limits.terminals_per_connection_max,
        };
        if !is_known && self.sessions.len() >= max {
            return false;
        }
        let header = frame.piece.frame.header;
        let right = Right::Code { epoch };
        let generation = shared.online.bind(terminal, handle, header.edition, right);
        // A revocation between the look-up and the binding found nobody to tell.
        if !right.holds(terminal, &*shared.admission) {
            shared.online.unbind(terminal, generation);
            return false;
        }
        if self.sessions.open(terminal, generation, header) {
            // Commands that wait are offered to a new session only. Nobody may be listening.
            let _ = shared.authenticated.send(terminal);
        }
        true
    }

    fn end_session(&mut self, shared: &Shared, place: u32) {
        let Some(session) = self.sessions.get_mut(place).filter(|session| session.is_open()) else { return };
        shared.online.unbind(session.terminal, session.generation);
        self.close_session(place, shared.now_ms());
    }

    /// A binding of this connection ended. Returns whether it held a terminal and now holds none.
    pub(crate) fn forget(&mut self, forget: Forget, shared: &Shared, handle: &Handle, now_ms: u64) -> bool {
        let Some(place) = self.sessions.find_open(forget.terminal) else { return false };
        if self.sessions.get_mut(place).is_none_or(|session| session.generation != forget.generation) {
            return false;
        }
        self.close_session(place, now_ms);
        self.count_link(shared, handle);
        self.is_strange()
    }

    fn close_session(&mut self, place: u32, now_ms: u64) {
        self.sessions.close(place);
        if self.is_strange() {
            self.strange_since_ms = now_ms;
        }
    }

    /// Puts a command into the burst, in the dialect of its terminal. One for a terminal that is no longer here is
    /// dropped: it was never journalled, so it counts as not sent.
    pub(crate) fn command(&mut self, downlink: &Downlink, to: &mut Serving<'_>) {
        let place = self.sessions.find_open(downlink.terminal);
        let Some(session) = place.and_then(|place| self.sessions.get_mut(place)) else { return };
        let serial = session.tally.serial();
        let header = session.dialect;
        let mut wire = Vec::new();
        if let Err(error) = jt808::encode_frame(&header.reply(downlink.id, serial), &downlink.body, &mut wire) {
            tracing::error!(%error, command = %downlink.command, "a command cannot be encoded");
            return;
        }
        self.unanswered += 1;
        let (received, read_us) = (to.burst.received, to.burst.read_us);
        let record = Record::command(received, downlink.terminal, to.handle.id, downlink.command, Bytes::new());
        to.burst.push(record, &wire);
        let reply = Reply::Command(wire.into());
        to.outbox.push(Answer { to: header, serial, charge: Charge::Connection, reply, read_us, last: false });
    }

    /// A frame was answered: the windows have room for another one.
    pub(crate) fn release(&mut self, charge: Charge) {
        self.unanswered = self.unanswered.saturating_sub(1);
        let Some(tally) = self.tally(charge) else { return };
        let before = tally.unanswered;
        tally.unanswered = before.saturating_sub(1);
        let is_done = before <= 1;
        self.most_is_stale |= before >= self.most;
        if let Charge::Session(place) = charge
            && is_done
        {
            self.sessions.vacate_if_done(place);
        }
        if self.unanswered == 0 {
            (self.most, self.most_is_stale) = (0, false);
        }
    }

    /// The connection is gone.
    pub(crate) fn close(&mut self, shared: &Shared, handle: &Handle) {
        if let Some(link) = &mut self.link {
            link.fall(&shared.links, handle);
        }
        let sessions = std::mem::take(&mut self.sessions);
        sessions.iter_open().for_each(|session| shared.online.unbind(session.terminal, session.generation));
    }
}

/// The record of a frame that is not the word of an authenticated terminal.
fn stranger(frame: &Frame<'_, '_>, to: &Serving<'_>) -> Record {
    let peer = to.handle.peer.to_string();
    Record::stranger(to.burst.received, Some(frame.terminal), to.handle.id, peer, Bytes::new())
}
