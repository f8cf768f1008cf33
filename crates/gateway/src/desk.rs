//! The terminals on one connection: who they are, what they may, and how many of their frames are unanswered.
//!
//! One connection may speak for several terminals (a forwarder). Each frame belongs to the terminal in its header, and
//! only what an authenticated terminal sends is its word; the rest comes from strangers.

use std::sync::Arc;

use journal::Kind;
use jt808::{GeneralResult, Header, Piece};
use model::TerminalId;

use crate::Limits;
use crate::answer::{Answer, Charge, Reply};
use crate::burst::Burst;
use crate::gateway::Shared;
use crate::handle::{Downlink, Forget, Handle};
use crate::metrics::Outcome;
use crate::request::Request;

/// Our serial and their unanswered frames.
#[derive(Debug, Default)]
struct Tally {
    next_serial: u16,
    unanswered: usize,
}

impl Tally {
    /// The serial of the next frame that we send (消息流水号: each direction counts for itself, from 0, and wraps).
    fn serial(&mut self) -> u16 {
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        serial
    }
}

#[derive(Debug)]
struct Session {
    terminal: TerminalId,
    /// Which binding in the table of all gateways' terminals this is.
    generation: u64,
    /// The last good header: the dialect in which commands are sent.
    dialect: Header,
    tally: Tally,
    /// A closed session only waits for its last answers.
    open: bool,
}

/// The terminals on one connection.
pub(crate) struct Desk {
    sessions: Vec<Session>,
    strangers: Tally,
    unanswered: usize,
    /// Since when no terminal is authenticated here, ms since the gateway began; without meaning while one is.
    pub(crate) strange_since_ms: u64,
}

impl Desk {
    pub(crate) fn new(now_ms: u64) -> Self {
        Self { sessions: Vec::new(), strangers: Tally::default(), unanswered: 0, strange_since_ms: now_ms }
    }

    pub(crate) fn is_strange(&self) -> bool {
        !self.sessions.iter().any(|session| session.open)
    }

    /// How many frames may be read before a window is full, whoever sends them.
    pub(crate) fn window_left(&self, limits: &Limits) -> usize {
        let tallies = self.sessions.iter().map(|session| session.tally.unanswered);
        let most = tallies.fold(self.strangers.unanswered, usize::max);
        let connection = limits.window_per_connection.saturating_sub(self.unanswered);
        connection.min(limits.window_per_terminal.saturating_sub(most))
    }

    fn open_session(&mut self, terminal: TerminalId) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.open && session.terminal == terminal)
    }

    /// Takes one frame: decides whose it is and what is answered, and puts both into the burst.
    pub(crate) fn serve(&mut self, shared: &Shared, handle: &Arc<Handle>, piece: &Piece<'_>, burst: &mut Burst) {
        let header = &piece.frame.header;
        let terminal = TerminalId::from_wire(header.phone.bytes());
        let request = Request::read(&piece.frame);
        let Some(session) = self.open_session(terminal) else {
            return self.serve_stranger(shared, handle, piece, request, burst);
        };
        if piece.frame.check_ok {
            session.dialect = *header;
        }
        let mut ends = false;
        let reply = match request {
            Request::Register(registration) => Reply::Register(registration),
            Request::Time => Reply::Time,
            Request::Acknowledgement => Reply::Nothing,
            Request::Report(result) => Reply::General(result),
            Request::Unregister => {
                ends = true;
                Reply::General(GeneralResult::Success)
            }
            Request::Authenticate(code) => {
                ends = !self.authenticate(shared, handle, header, &code);
                Reply::General(if ends { GeneralResult::Failure } else { GeneralResult::Success })
            }
        };
        self.push(Kind::Uplink, Charge::Session(terminal), piece, reply, burst);
        if ends {
            self.end_session(shared, terminal);
        }
    }

    fn serve_stranger(
        &mut self,
        shared: &Shared,
        handle: &Arc<Handle>,
        piece: &Piece<'_>,
        request: Request,
        burst: &mut Burst,
    ) {
        let header = &piece.frame.header;
        if let Request::Authenticate(code) = &request
            && self.authenticate(shared, handle, header, code)
        {
            let charge = Charge::Session(TerminalId::from_wire(header.phone.bytes()));
            return self.push(Kind::Stranger, charge, piece, Reply::General(GeneralResult::Success), burst);
        }
        if !shared.budget.take(piece.wire.len(), burst.read_at) {
            shared.metrics.strangers_dropped.inc();
            return shared.metrics.frame(header.id, Outcome::Dropped);
        }
        let reply = match request {
            Request::Register(registration) => Reply::Register(registration),
            Request::Acknowledgement => Reply::Nothing,
            Request::Report(GeneralResult::MessageError) => Reply::General(GeneralResult::MessageError),
            _ => Reply::General(GeneralResult::Failure),
        };
        self.push(Kind::Stranger, Charge::Strangers, piece, reply, burst);
    }

    fn push(&mut self, kind: Kind, charge: Charge, piece: &Piece<'_>, reply: Reply, burst: &mut Burst) {
        let header = &piece.frame.header;
        self.unanswered += 1;
        let silent = matches!(reply, Reply::Nothing);
        let serial = match self.tally(charge) {
            Some(tally) => {
                tally.unanswered += 1;
                if silent { 0 } else { tally.serial() }
            }
            None => 0,
        };
        let terminal = TerminalId::from_wire(header.phone.bytes());
        burst.push(kind, terminal, piece.wire, Answer { to: *header, serial, charge, reply });
    }

    fn tally(&mut self, charge: Charge) -> Option<&mut Tally> {
        match charge {
            Charge::Session(terminal) => {
                self.sessions.iter_mut().find(|session| session.terminal == terminal).map(|session| &mut session.tally)
            }
            Charge::Strangers => Some(&mut self.strangers),
            Charge::Connection => None,
        }
    }

    /// Opens a session for a terminal that shows its code.
    fn authenticate(&mut self, shared: &Shared, handle: &Arc<Handle>, header: &Header, code: &str) -> bool {
        let terminal = TerminalId::from_wire(header.phone.bytes());
        let Some(epoch) = shared.admission.epoch(terminal) else { return false };
        if !shared.codes.verify(terminal, epoch, code) {
            return false;
        }
        let known = self.sessions.iter().position(|session| session.terminal == terminal);
        if known.is_none() && self.sessions.len() >= shared.limits.terminals_per_connection_max {
            return false;
        }
        let generation = shared.online.bind(terminal, handle, header.edition);
        // A revocation between the look-up and the binding found nobody to tell.
        if shared.admission.epoch(terminal) != Some(epoch) {
            shared.online.unbind(terminal, generation);
            return false;
        }
        let is_new = known.and_then(|at| self.sessions.get(at)).is_none_or(|session| !session.open);
        match known.and_then(|at| self.sessions.get_mut(at)) {
            Some(session) => {
                session.generation = generation;
                session.dialect = *header;
                if !session.open {
                    session.open = true;
                    session.tally.next_serial = 0;
                }
            }
            None => self.open(terminal, generation, *header),
        }
        if is_new {
            // Commands that wait are offered to a new session only. Nobody may be listening.
            let _ = shared.authenticated.send(terminal);
        }
        true
    }

    fn open(&mut self, terminal: TerminalId, generation: u64, dialect: Header) {
        if self.sessions.is_empty() {
            // Nearly every connection speaks for one terminal.
            self.sessions.reserve_exact(1);
        }
        self.sessions.push(Session { terminal, generation, dialect, tally: Tally::default(), open: true });
    }

    fn end_session(&mut self, shared: &Shared, terminal: TerminalId) {
        let Some(session) = self.open_session(terminal) else { return };
        session.open = false;
        shared.online.unbind(terminal, session.generation);
        self.closed_one(shared.now_ms());
    }

    /// A binding of this connection ended. Returns whether it held a terminal and now holds none.
    pub(crate) fn forget(&mut self, forget: Forget, now_ms: u64) -> bool {
        let Some(session) = self.open_session(forget.terminal) else { return false };
        if session.generation != forget.generation {
            return false;
        }
        session.open = false;
        self.closed_one(now_ms);
        self.is_strange()
    }

    fn closed_one(&mut self, now_ms: u64) {
        if self.is_strange() {
            self.strange_since_ms = now_ms;
        }
        self.drop_answered();
    }

    /// Drops sessions that are closed and answered.
    fn drop_answered(&mut self) {
        self.sessions.retain(|session| session.open || session.tally.unanswered > 0);
        if self.sessions.len() * 4 < self.sessions.capacity() {
            self.sessions.shrink_to_fit();
        }
    }

    /// Puts a command into the burst, in the dialect of its terminal. One for a terminal that is no longer here is
    /// dropped: it was never journalled, so it counts as not sent.
    pub(crate) fn command(&mut self, downlink: &Downlink, burst: &mut Burst) {
        let Some(session) = self.open_session(downlink.terminal) else { return };
        let serial = session.tally.serial();
        let to = session.dialect;
        let mut wire = Vec::new();
        if let Err(error) = jt808::encode_frame(&to.reply(downlink.id, serial), &downlink.body, &mut wire) {
            tracing::error!(%error, command = %downlink.command, "a command cannot be encoded");
            return;
        }
        self.unanswered += 1;
        let reply = Reply::Command(wire.clone().into());
        let answer = Answer { to, serial, charge: Charge::Connection, reply };
        burst.push_command(downlink.terminal, downlink.command, &wire, answer);
    }

    /// A frame was answered: the windows have room for another one.
    pub(crate) fn release(&mut self, charge: Charge) {
        self.unanswered = self.unanswered.saturating_sub(1);
        let Some(tally) = self.tally(charge) else { return };
        tally.unanswered = tally.unanswered.saturating_sub(1);
        if tally.unanswered == 0 && self.sessions.iter().any(|session| !session.open) {
            self.drop_answered();
        }
    }

    /// The connection is gone.
    pub(crate) fn close(&mut self, shared: &Shared) {
        for session in self.sessions.drain(..).filter(|session| session.open) {
            shared.online.unbind(session.terminal, session.generation);
        }
    }
}
