//! The half of a connection that its task shares with the journal and the flushers: who is on the line, and what they
//! are owed. The task reads; the journal says what is durable; a flusher answers.
//!
//! Whoever answers encodes under the lock and writes without it, and looks again before it leaves: so there is one
//! writer at a time, nobody waits for another's system call, and what becomes durable meanwhile is not forgotten. An
//! answer to a registration that is decided while another writes is left to that one, behind what it did not get rid of.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use journal::{AppendError, Committed, Landing};
use parking_lot::{Mutex, MutexGuard};
use tokio::net::TcpStream;

use crate::Limits;
use crate::desk::Desk;
use crate::flush::{Owed, Pass};
use crate::gateway::Shared;
use crate::handle::{Handle, NEVER_MS};
use crate::metrics::Meter;
use crate::outbox::Outbox;
use crate::phase::{End, Phase, after_ms};

pub(crate) struct Line {
    pub(crate) shared: Arc<Shared>,
    pub(crate) handle: Arc<Handle>,
    /// Submissions that are durable and that nobody has looked at.
    landed: AtomicU32,
    /// The journal lost a submission; it stays lost whatever comes after it.
    lost: AtomicBool,
    /// Whether a flusher will look.
    queued: AtomicBool,
    pub(crate) state: Mutex<State>,
}

/// What task and flusher share.
pub(crate) struct State {
    /// `None` once the connection has ended.
    pub(crate) stream: Option<Arc<TcpStream>>,
    pub(crate) desk: Desk,
    pub(crate) outbox: Outbox,
    pub(crate) phase: Phase,
    /// When something was last read.
    pub(crate) read_ms: u64,
    /// When there was last something new to write, or the socket took some of it.
    pub(crate) progress_ms: u64,
    /// The task stands in line at the gate.
    pub(crate) parked: bool,
    /// Since when it knows that the journal can keep nothing, ms. Nothing was lost on this line.
    pub(crate) unread_since_ms: u64,
    /// Until when strangers over their budget are not read, ms.
    pub(crate) paused_until_ms: Option<u64>,
    /// The task waits for room in the windows, or until answers that it left to another writer are on their way.
    pub(crate) stalled: bool,
    /// The task waits for the socket to take more.
    pub(crate) blocked: bool,
    /// The socket failed.
    pub(crate) broken: bool,
    /// Somebody writes at this moment.
    pub(crate) writing: bool,
}

impl Line {
    pub(crate) fn new(stream: Arc<TcpStream>, handle: Arc<Handle>, shared: Arc<Shared>) -> Self {
        let now_ms = shared.now_ms();
        let state = State {
            stream: Some(stream),
            desk: Desk::new(&shared, &handle, now_ms),
            outbox: Outbox::default(),
            phase: Phase::Open,
            read_ms: now_ms,
            progress_ms: now_ms,
            parked: false,
            unread_since_ms: NEVER_MS,
            paused_until_ms: None,
            stalled: false,
            blocked: false,
            broken: false,
            writing: false,
        };
        Self {
            shared,
            handle,
            landed: AtomicU32::new(0),
            lost: AtomicBool::new(false),
            queued: AtomicBool::new(false),
            state: Mutex::new(state),
        }
    }

    /// Answers what is durable and writes as much as the socket takes.
    pub(crate) fn answer(&self, pass: &mut Pass<'_>) {
        let mut state = self.state.lock();
        while !state.writing && !state.blocked {
            self.collect(&mut state, pass);
            let stream = state.stream.clone().filter(|_| !pass.out.is_empty());
            let Some(stream) = stream else { break };
            state.writing = true;
            let written = MutexGuard::unlocked(&mut state, || write(&stream, &pass.out));
            state.writing = false;
            match written {
                Ok(0) => {}
                Ok(_) => state.progress_ms = self.shared.now_ms(),
                Err(_) => state.broken = true,
            }
            let rest = pass.out.get(written.unwrap_or(0)..).unwrap_or_default();
            if !rest.is_empty() {
                state.outbox.keep(rest);
                state.blocked = true;
            }
            pass.out.clear();
        }
        pass.out.clear();
        self.handle.set_due(state.next_ms(&self.shared.limits));
        if state.wants_its_task() {
            drop(state);
            self.handle.wake();
        }
    }

    /// Encodes what has become durable; gives the rest up if the journal lost some of it.
    fn collect(&self, state: &mut State, pass: &mut Pass<'_>) {
        // Looked at before the count: what landed before the loss is counted.
        let lost = self.lost.load(Ordering::Acquire);
        let State { outbox, desk, .. } = state;
        outbox.landed(self.landed.swap(0, Ordering::AcqRel));
        outbox.encode(desk, &self.shared, &mut pass.meter, &mut pass.out);
        desk.ask(self.shared.now_us(), &mut pass.out);
        if !pass.out.is_empty() {
            state.progress_ms = self.shared.now_ms();
        }
        if lost {
            state.fail(self.shared.now_ms(), &mut pass.meter);
        }
    }

    /// The journal cannot keep what was read here.
    pub(crate) fn fail(&self) {
        self.lost.store(true, Ordering::Release);
        self.shared.gate.shut();
        let mut meter = Meter::new(&self.shared.metrics);
        self.state.lock().fail(self.shared.now_ms(), &mut meter);
    }
}

/// Writes until the socket takes no more; how much it took.
fn write(stream: &TcpStream, bytes: &[u8]) -> std::io::Result<usize> {
    let mut taken = 0;
    while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
        match stream.try_write(rest) {
            Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
            Ok(count) => taken += count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(taken)
}

impl Landing for Line {
    /// Only counts, and queues the line for a flusher: the committer waits.
    fn landed(self: Arc<Self>, outcome: Result<Committed, AppendError>) {
        if outcome.is_err() {
            self.lost.store(true, Ordering::Release);
            self.shared.gate.shut();
        } else if !self.lost.load(Ordering::Relaxed) {
            self.landed.fetch_add(1, Ordering::Release);
        }
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.shared.flush.push(self.handle.id, self.clone());
        }
    }
}

impl Owed for Line {
    fn answer(&self, pass: &mut Pass<'_>) {
        // Before looking: what lands from now on queues the line again.
        self.queued.swap(false, Ordering::AcqRel);
        Self::answer(self, pass);
    }
}

impl State {
    /// Whether anything that was read is not answered yet, apart from what the socket has to take.
    pub(crate) fn owes(&self) -> bool {
        self.outbox.waits()
    }

    /// Whether there is something to do that a flusher cannot.
    fn wants_its_task(&self) -> bool {
        self.stalled || self.blocked || self.broken || self.phase != Phase::Open || self.outbox.asks()
    }

    /// Stands in line at the gate while the journal takes nothing more; whether it does.
    pub(crate) fn parks(&mut self, line: &Line, now_ms: u64) -> bool {
        let gate = &line.shared.gate;
        self.parked = !gate.is_open() && gate.park(&line.handle);
        let is_unread = self.parked && gate.is_failed();
        self.unread_since_ms = if is_unread { self.unread_since_ms.min(now_ms) } else { NEVER_MS };
        self.parked
    }

    /// Whether nothing is owed any more, not even to the socket.
    pub(crate) fn is_done(&self) -> bool {
        !self.owes() && !self.outbox.writes() && !self.writing
    }

    pub(crate) fn drain(&mut self, end: End) {
        if self.phase == Phase::Open {
            self.phase = Phase::Draining(end);
        }
    }

    fn fail(&mut self, now_ms: u64, meter: &mut Meter<'_>) {
        self.outbox.give_up(meter);
        self.phase = match self.phase {
            Phase::Open => Phase::Failed(now_ms),
            Phase::Draining(_) => Phase::Draining(End::JournalFailed),
            ended => ended,
        };
    }

    /// When the task should look even if nothing happens.
    pub(crate) fn next_ms(&self, limits: &Limits) -> u64 {
        self.due(limits).0.min(self.paused_until_ms.unwrap_or(NEVER_MS)).min(self.ask_due_ms())
    }

    /// When packets that did not arrive are to be asked for; that waits until all that did arrive is answered, and then
    /// follows the answers.
    pub(crate) fn ask_due_ms(&self) -> u64 {
        if self.phase == Phase::Open && !self.owes() { self.desk.ask_due_ms() } else { NEVER_MS }
    }

    /// When the connection is due, and why. While the journal works on what a terminal sent, or takes nothing more,
    /// there is no deadline: that is not the terminal's fault. A stranger's is fixed, and only stops the reading.
    pub(crate) fn due(&self, limits: &Limits) -> (u64, End) {
        match self.phase {
            Phase::Lingering(end, since_ms) => (after_ms(since_ms, limits.linger), end),
            Phase::Failed(since_ms) => (after_ms(since_ms, limits.journal_failed_grace), End::JournalFailed),
            _ if self.outbox.writes() => (after_ms(self.progress_ms, limits.write_timeout), End::WriteTimeout),
            _ if self.unread_since_ms != NEVER_MS => {
                (after_ms(self.unread_since_ms, limits.journal_failed_grace), End::JournalFailed)
            }
            Phase::Draining(end) => (NEVER_MS, end),
            Phase::Open if self.parked => (NEVER_MS, End::Idle),
            Phase::Open => {
                let last_ms = if self.owes() { NEVER_MS } else { self.read_ms.max(self.progress_ms) };
                let idle = (after_ms(last_ms, limits.idle_timeout), End::Idle);
                let strange = after_ms(self.desk.strange_since_ms, limits.unauthenticated_timeout);
                if self.desk.is_strange() && strange < idle.0 { (strange, End::Unauthenticated) } else { idle }
            }
        }
    }
}
