//! Who speaks over UDP: each terminal from one address at a time. The map shrinks: idle sessions end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jt808::{Frame, Header};
use model::TerminalId;
use prometheus::IntGauge;

use crate::asking::{self, Asking};
use crate::gateway::Shared;
use crate::online::Online;

pub(super) struct Session {
    pub(super) peer: SocketAddr,
    /// Its number in the journal.
    pub(super) connection: u64,
    /// The last good header: the dialect in which commands are sent.
    pub(super) dialect: Header,
    /// Which binding in the table of all terminals this is.
    generation: u64,
    next_serial: u16,
    unanswered: Arc<AtomicUsize>,
    seen_ms: u64,
    /// Long messages of which packets are missing.
    asking: Option<Box<Asking>>,
}

/// One frame in a terminal's window; dropped when it is answered, or never will be.
pub(super) struct Window(Arc<AtomicUsize>);

impl Drop for Window {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Session {
    /// The serial of the next frame that we send.
    pub(super) fn serial(&mut self) -> u16 {
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        serial
    }

    pub(super) fn window(&self) -> Window {
        self.unanswered.fetch_add(1, Ordering::AcqRel);
        Window(self.unanswered.clone())
    }

    /// Takes note of a frame of its own.
    pub(super) fn heard(&mut self, frame: &Frame<'_>, now_ms: u64, received_us: i64, shared: &Shared) {
        self.seen_ms = now_ms;
        if !frame.check_ok {
            return;
        }
        self.dialect = frame.header;
        if frame.header.is_part() {
            let asking = self.asking.get_or_insert_with(|| Box::new(Asking::new(shared.asking.clone())));
            if asking.note(frame, received_us) {
                shared.metrics.asking_left_alone.inc();
            }
        }
    }
}

/// The sessions, by terminal.
pub(super) struct Sessions {
    open: BTreeMap<TerminalId, Session>,
    gauge: IntGauge,
}

impl Sessions {
    pub(super) fn new(gauge: IntGauge) -> Self {
        Self { open: BTreeMap::new(), gauge }
    }

    /// The session of the terminal, if it is with this address.
    pub(super) fn find(&mut self, terminal: TerminalId, peer: SocketAddr) -> Option<&mut Session> {
        self.open.get_mut(&terminal).filter(|session| session.peer == peer)
    }

    /// The session of the terminal, wherever it is.
    pub(super) fn get_mut(&mut self, terminal: TerminalId) -> Option<&mut Session> {
        self.open.get_mut(&terminal)
    }

    /// Whether the terminal has as many unanswered frames as it may.
    pub(super) fn is_full(&self, terminal: TerminalId, window: usize) -> bool {
        self.open.get(&terminal).is_some_and(|session| session.unanswered.load(Ordering::Acquire) >= window)
    }

    /// Whether the terminal has a session, or may have one.
    pub(super) fn has_room(&self, terminal: TerminalId, max: usize) -> bool {
        self.open.len() < max || self.open.contains_key(&terminal)
    }

    /// Opens a session, or goes on with the one that the terminal has with this address. Returns whether it is new.
    pub(super) fn open(
        &mut self,
        terminal: TerminalId,
        peer: SocketAddr,
        generation: u64,
        dialect: Header,
        now_ms: u64,
        connection: impl FnOnce() -> u64,
    ) -> bool {
        if let Some(session) = self.find(terminal, peer) {
            session.generation = generation;
            return false;
        }
        let session = Session {
            peer,
            connection: connection(),
            dialect,
            generation,
            next_serial: 0,
            unanswered: Arc::default(),
            seen_ms: now_ms,
            asking: None,
        };
        self.open.insert(terminal, session);
        self.count();
        true
    }

    /// A binding was lost to a newer one, or to the registry.
    pub(super) fn forget(&mut self, terminal: TerminalId, generation: u64) {
        if self.open.get(&terminal).is_some_and(|session| session.generation == generation) {
            self.open.remove(&terminal);
            self.count();
        }
    }

    /// The terminal says good-bye.
    pub(super) fn end(&mut self, terminal: TerminalId, online: &Online) {
        if let Some(session) = self.open.remove(&terminal) {
            online.unbind(terminal, session.generation);
            self.count();
        }
    }

    /// Ends sessions that are silent for too long, while nothing is owed to them, and those from denied addresses.
    pub(super) fn expire(&mut self, shared: &Shared, now_ms: u64) {
        let idle_ms = u64::try_from(shared.limits.idle_timeout.as_millis()).unwrap_or(u64::MAX);
        self.open.retain(|terminal, session| {
            let is_idle = now_ms.saturating_sub(session.seen_ms) > idle_ms;
            let is_idle = is_idle && session.unanswered.load(Ordering::Acquire) == 0;
            let is_over = is_idle || shared.admission.is_denied(session.peer.ip());
            if is_over {
                shared.online.unbind(*terminal, session.generation);
            }
            !is_over
        });
        self.count();
    }

    /// The requests for missing packets that are due, with their addresses.
    pub(super) fn ask(&mut self, now_us: i64) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut requests = Vec::new();
        for session in self.open.values_mut() {
            let is_durable = session.unanswered.load(Ordering::Acquire) == 0;
            let Some(asking) = session.asking.as_mut().filter(|_| is_durable) else { continue };
            let missing = asking.ask(now_us);
            if asking.is_idle() {
                session.asking = None;
            }
            for missing in missing {
                let mut request = Vec::new();
                let (dialect, serial) = (session.dialect, session.serial());
                asking::write(&missing, &dialect, serial, &mut request);
                requests.push((session.peer, request));
            }
        }
        requests
    }

    /// Ends all.
    pub(super) fn close(&mut self, online: &Online) {
        for (terminal, session) in std::mem::take(&mut self.open) {
            online.unbind(terminal, session.generation);
        }
        self.count();
    }

    fn count(&self) {
        self.gauge.set(i64::try_from(self.open.len()).unwrap_or(i64::MAX));
    }
}
