//! The task of one connection, as a hand-written future: tens of thousands of them wait at a time, so an idle one holds
//! its socket, its sessions and no buffer.
//!
//! A turn takes the steps below in order, until none of them moves: mail, records that the journal had no room for, a
//! registration that the registry decides, answers that need help, what was read before, reading, closing. The usual
//! answer is none of its business: a flusher writes it (see [`crate::line`]). Deadlines are looked at by a sweeper that
//! all connections share.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use journal::{Record, Refused};
use jt808::{Deframer, FLAG};
use model::BoxFuture;
use rustix::net::{RecvFlags, Shutdown};
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::RegisterRefusal;
use crate::burst::Burst;
use crate::desk::{Desk, Serving};
use crate::flush::Pass;
use crate::gateway::{Now, Shared};
use crate::handle::{Handle, Lost, Order};
use crate::line::{Line, State};
use crate::metrics::Meter;
use crate::phase::{End, Phase};

/// Bytes that one read takes at most, into a buffer that all connections of a thread share.
const READ_MAX: usize = 64 * 1024;
/// Bytes read for each frame that the windows have room for: about what a location report with many items takes, so
/// that hardly more is read than may be served.
const READ_PER_FRAME: usize = 128;
/// Bytes that a connection may have served before others get a turn.
const TURN_MAX: u32 = 64 * 1024;
/// How long strangers over their budget are not read.
const PAUSE_MS: u64 = 1_000;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_MAX]);
}

/// A registration that the registry is asked about.
struct Registering(BoxFuture<'static, Result<u32, RegisterRefusal>>);

/// Lies in a cell of tokio, which takes a multiple of 128 bytes: with more than 144 of these a connection takes 128 more.
pub(crate) struct Connection {
    line: Arc<Line>,
    stream: Arc<TcpStream>,
    deframer: Deframer,
    /// Bytes that were read before a window was full.
    backlog: Box<[u8]>,
    /// Records that the journal had no room for. Their answers are in the outbox.
    held: Box<[Record]>,
    /// Its answer is the next one in the outbox. In a box: few have one, for an instant.
    registering: Option<Box<Registering>>,
    /// Bytes served in this turn.
    served: u32,
    window_was_full: bool,
}

impl Future for Connection {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.line.handle.watch(cx);
        this.served = 0;
        loop {
            match this.turn(cx) {
                Ok(true) if this.served < TURN_MAX => {}
                Ok(true) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Ok(false) => return Poll::Pending,
                Err(end) => {
                    let Line { shared, handle, .. } = &*this.line;
                    shared.metrics.closed.with_label_values(&[end.name()]).inc();
                    tracing::debug!(peer = %handle.peer, reason = end.name(), "connection closed");
                    return Poll::Ready(());
                }
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Line { shared, handle, state, .. } = &*self.line;
        handle.close();
        {
            // The journal may keep the line for a while: nothing of weight stays on it.
            let mut state = state.lock();
            state.stream = None;
            state.outbox = Default::default();
            state.desk.close(shared, handle);
        }
        shared.gate.leave(handle);
        shared.table.leave(handle);
        shared.metrics.connections.dec();
    }
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, handle: Arc<Handle>, shared: Arc<Shared>) -> Self {
        shared.metrics.connections.inc();
        let stream = Arc::new(stream);
        Self {
            line: Arc::new(Line::new(stream.clone(), handle, shared)),
            stream,
            deframer: Deframer::new(),
            backlog: Box::default(),
            held: Box::default(),
            registering: None,
            served: 0,
            window_was_full: false,
        }
    }

    /// One round of all steps; whether any of them moved. `Err` ends the connection.
    fn turn(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let now = self.line.shared.now();
        self.take_mail(now)?;
        self.check_deadline(now)?;
        let mut moved = self.submit_held(now);
        moved |= self.poll_registration(cx);
        moved |= self.poll_answers(cx)?;
        moved |= self.serve_backlog(now);
        moved |= self.poll_read(cx, now)?;
        moved |= self.poll_close(cx, now)?;
        if !moved {
            let Line { shared, handle, state, .. } = &*self.line;
            handle.set_due(state.lock().next_ms(&shared.limits));
        }
        Ok(moved)
    }

    fn drain(&mut self, end: End) {
        self.line.state.lock().drain(end);
        self.backlog = Box::default();
    }

    fn take_mail(&mut self, now: Now) -> Result<(), End> {
        let Line { shared, handle, state, .. } = &*self.line;
        if !handle.has_mail() {
            return Ok(());
        }
        let mut state = state.lock();
        let is_free = self.held.is_empty() && shared.gate.is_open();
        let wants_commands = is_free && state.phase == Phase::Open && state.desk.window_left(&shared.limits) > 0;
        let mail = handle.take(wants_commands);
        match (mail.order, state.phase) {
            (Order::Serve, _) => {}
            (Order::Drain, Phase::Failed(_)) => return Err(End::JournalFailed),
            (Order::Drain, _) => state.drain(End::Shutdown),
            (Order::Deny, _) => return Err(End::Denied),
            (Order::Abort, _) => return Err(End::Aborted),
        }
        if mail.recheck && !state.desk.is_still_a_link(shared, handle) {
            state.drain(End::Revoked);
        }
        for forget in mail.forget {
            if state.desk.forget(forget, shared, handle, now.ms) {
                let end = match forget.why {
                    Lost::Superseded => End::Superseded,
                    Lost::Revoked => End::Revoked,
                };
                if matches!(state.phase, Phase::Failed(_)) {
                    // Nothing more will be answered here, and nobody speaks here any more.
                    return Err(end);
                }
                state.drain(end);
            }
        }
        drop(state);
        if !mail.commands.is_empty() {
            self.serve(now, |_, desk, to| mail.commands.iter().for_each(|downlink| desk.command(downlink, to)));
        }
        Ok(())
    }

    fn check_deadline(&mut self, now: Now) -> Result<(), End> {
        let Line { shared, handle, state, .. } = &*self.line;
        if !handle.is_due(now.ms) {
            return Ok(());
        }
        let mut state = state.lock();
        if state.ask_due_ms() < now.ms {
            drop(state);
            self.line.answer(&mut Pass::new(&shared.metrics));
            state = self.line.state.lock();
        }
        let (due_ms, end) = state.due(&shared.limits);
        // Milliseconds are rounded down: only the next one is surely late enough.
        if now.ms <= due_ms {
            return Ok(());
        }
        match end {
            End::Idle | End::Unauthenticated if state.phase == Phase::Open => {
                state.drain(end);
                Ok(())
            }
            _ => Err(end),
        }
    }

    /// Serves what `read` finds, and submits its frames to the journal as one.
    fn serve(&mut self, now: Now, read: impl FnOnce(&mut Deframer, &mut Desk, &mut Serving<'_>)) {
        let Line { shared, handle, state, .. } = &*self.line;
        let mut state = state.lock();
        let State { desk, outbox, paused_until_ms, .. } = &mut *state;
        let burst = Burst::new(shared.clock.now(), now.at, now.us);
        let mut serving = Serving { shared, handle, burst, outbox };
        read(&mut self.deframer, desk, &mut serving);
        let records = serving.burst.into_records();
        outbox.seal();
        if mem::take(&mut desk.over_budget) && desk.is_strange() {
            *paused_until_ms = Some(now.ms + PAUSE_MS);
        }
        drop(state);
        self.submit(records);
    }

    /// Hands records to the journal. When too much waits for the disk they are held, and nothing is read until it took
    /// them.
    fn submit(&mut self, records: Vec<Record>) {
        if records.is_empty() {
            return;
        }
        match self.line.shared.journal.try_submit(records, self.line.clone()) {
            Ok(()) => {}
            Err(Refused::Full(records)) => {
                self.held = records.into();
                self.line.shared.gate.shut();
            }
            Err(Refused::Failed(_)) => self.line.fail(),
        }
    }

    fn submit_held(&mut self, now: Now) -> bool {
        if self.held.is_empty() || self.line.state.lock().parks(&self.line, now.ms) {
            return false;
        }
        let records = mem::take(&mut self.held);
        self.submit(records.into_vec());
        true
    }

    fn poll_registration(&mut self, cx: &mut Context<'_>) -> bool {
        let Line { shared, state, .. } = &*self.line;
        if self.registering.is_none() {
            let Some((terminal, registration)) = state.lock().outbox.registration() else { return false };
            let asked = shared.clone();
            let decided = async move { asked.admission.register(terminal, registration).await };
            self.registering = Some(Box::new(Registering(Box::pin(decided))));
        }
        let Some(registering) = &mut self.registering else { return false };
        let Poll::Ready(decided) = registering.0.as_mut().poll(cx) else { return false };
        self.registering = None;
        {
            let State { outbox, desk, .. } = &mut *state.lock();
            outbox.registered(decided, desk, shared, &mut Meter::new(&shared.metrics));
        }
        // What was durable behind it has waited for it.
        self.line.answer(&mut Pass::new(&shared.metrics));
        true
    }

    /// Writes what no flusher can: what the socket did not take at once.
    fn poll_answers(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let mut moved = false;
        loop {
            {
                let state = self.line.state.lock();
                if state.broken {
                    return Err(End::Socket);
                }
                if !state.blocked {
                    return Ok(moved);
                }
            }
            match self.stream.poll_write_ready(cx) {
                Poll::Pending => return Ok(moved),
                Poll::Ready(ready) => ready.map_err(|_| End::Socket)?,
            }
            self.line.state.lock().blocked = false;
            self.line.answer(&mut Pass::new(&self.line.shared.metrics));
            moved = true;
        }
    }

    /// How many frames may be read now. `None`: none, and whoever can change that wakes this task.
    fn room(&mut self, now: Now) -> Option<usize> {
        let Line { shared, state, .. } = &*self.line;
        let mut state = state.lock();
        if state.phase != Phase::Open || !self.held.is_empty() {
            return None;
        }
        if state.outbox.writes() {
            state.stalled = true;
            return None;
        }
        if state.paused_until_ms.is_some_and(|until_ms| now.ms <= until_ms) {
            return None;
        }
        state.paused_until_ms = None;
        if state.parks(&self.line, now.ms) {
            return None;
        }
        let left = state.desk.window_left(&shared.limits);
        state.stalled = left == 0;
        if state.stalled && !self.window_was_full {
            shared.metrics.windows_full.inc();
        }
        self.window_was_full = state.stalled;
        (left > 0).then_some(left)
    }

    fn serve_backlog(&mut self, now: Now) -> bool {
        if self.backlog.is_empty() || self.room(now).is_none() {
            return false;
        }
        let backlog = mem::take(&mut self.backlog);
        self.cut(&backlog, now);
        true
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, now: Now) -> Result<bool, End> {
        if !self.backlog.is_empty() {
            return Ok(false);
        }
        let Some(room) = self.room(now) else { return Ok(false) };
        match self.stream.poll_read_ready(cx) {
            Poll::Pending => return Ok(false),
            Poll::Ready(ready) => ready.map_err(|_| End::Socket)?,
        }
        BUFFER.with_borrow_mut(|buffer| {
            let limit = room.saturating_mul(READ_PER_FRAME).min(buffer.len());
            match receive(&self.stream, &mut buffer[..limit]) {
                Ok(0) => self.finish_reading(now),
                Ok(count) => {
                    self.line.state.lock().read_ms = now.ms;
                    self.served += count as u32;
                    self.cut(&buffer[..count], now);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Err(End::Socket),
            }
            Ok(true)
        })
    }

    /// The peer closed its side: whatever is whole by now is served.
    fn finish_reading(&mut self, now: Now) {
        self.serve(now, |deframer, desk, to| deframer.finish(|piece| desk.serve(&piece, to)));
        self.drain(End::Peer);
    }

    /// Cuts bytes into frames and serves them, as many as the windows have room for; keeps the other bytes. (What the
    /// deframer held back may come out at once, and overrun a window by a few frames.)
    fn cut(&mut self, bytes: &[u8], now: Now) {
        let mut rest = bytes;
        let mut garbage = false;
        let garbage_before = self.deframer.garbage_bytes();
        self.serve(now, |deframer, desk, to| {
            to.burst.expect(bytes.len());
            while !rest.is_empty() && !garbage {
                let room = desk.window_left(&to.shared.limits);
                if room == 0 {
                    break;
                }
                let (slice, after) = rest.split_at(flags_end(rest, room));
                garbage = deframer.push(slice, |piece| desk.serve(&piece, to)).is_err();
                rest = after;
            }
        });
        let dropped = self.deframer.garbage_bytes() - garbage_before;
        if dropped > 0 {
            self.line.shared.metrics.garbage_bytes.inc_by(dropped);
        }
        self.backlog = rest.into();
        if garbage {
            self.drain(End::Garbage);
        }
    }

    /// Closes once all is answered.
    fn poll_close(&mut self, cx: &mut Context<'_>, now: Now) -> Result<bool, End> {
        let mut state = self.line.state.lock();
        match state.phase {
            Phase::Draining(End::Peer) if state.is_done() => Err(End::Peer),
            Phase::Draining(end) if state.is_done() => {
                rustix::net::shutdown(&*self.stream, Shutdown::Write).map_err(|_| end)?;
                state.phase = Phase::Lingering(end, now.ms);
                Ok(true)
            }
            Phase::Lingering(end, _) => {
                drop(state);
                self.discard(cx, end)
            }
            _ => Ok(false),
        }
    }

    /// Reads what still comes and throws it away: closing over unread bytes would reset the connection and take the
    /// last answers with it.
    fn discard(&mut self, cx: &mut Context<'_>, end: End) -> Result<bool, End> {
        match self.stream.poll_read_ready(cx) {
            Poll::Pending => return Ok(false),
            Poll::Ready(ready) => ready.map_err(|_| end)?,
        }
        BUFFER.with_borrow_mut(|buffer| match receive(&self.stream, buffer) {
            Ok(0) => Err(end),
            Ok(count) => {
                self.served += count as u32;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            Err(_) => Err(end),
        })
    }
}

/// Reads from a socket that was said to be readable.
fn receive(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut received = None;
    let tried = stream.try_io(Interest::READABLE, || {
        let (_, count) = rustix::net::recv(stream, &mut *buffer, RecvFlags::empty())?;
        received = Some(count);
        // Less than was asked for: the socket is empty. To say so here saves a system call that would find it out.
        if count > 0 && count < buffer.len() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
    });
    received.map_or_else(|| tried.map(|()| 0), Ok)
}

/// Where the n-th flag byte ends, or all bytes do: at most n frames end before.
fn flags_end(bytes: &[u8], n: usize) -> usize {
    memchr::memchr_iter(FLAG, bytes).nth(n.saturating_sub(1)).map_or(bytes.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Nobody, Woken, gateway, sockets};
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn answers_left_to_another_writer_arrive_and_the_reading_goes_on() {
        let shared = gateway(Arc::new(Nobody), crate::Limits::default()).shared;
        let (near, mut far) = sockets().await;
        near.writable().await.expect("open");
        let handle = shared.table.enter(far.local_addr().expect("bound"), &shared.limits).expect("room");
        let mut connection = Box::pin(Connection::new(near, handle, shared.clone()));
        let line = connection.line.clone();
        // A registration was decided while a flusher wrote.
        line.state.lock().writing = true;
        line.state.lock().outbox.keep(b"registered");
        let woken = Arc::new(Woken::default());
        let (waker, mut pass) = (woken.clone().into(), Pass::new(&shared.metrics));
        line.answer(&mut pass);
        assert!(connection.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let before = woken.count();
        line.state.lock().writing = false;
        line.answer(&mut pass);
        let mut came = [0; 10];
        far.read_exact(&mut came).await.expect("bytes");
        assert_eq!(&came, b"registered");
        assert!(woken.count() > before, "nobody else wakes a task that waits for this");
    }

    #[test]
    fn an_idle_connection_is_small() {
        let (task, line, handle) = (size_of::<Connection>(), size_of::<Line>(), size_of::<Handle>());
        println!("a connection: {task} bytes of its task, {line} shared, {handle} of its handle");
        assert!(task <= 144 && task + line + handle <= 600, "{task} + {line} + {handle}");
    }

    #[test]
    fn slices_end_behind_a_flag() {
        for (bytes, n, end) in [(&b"~ab~~cd~"[..], 1, 1), (b"~ab~~cd~", 2, 4), (b"~ab~~cd~", 9, 8), (b"ab", 1, 2)] {
            assert_eq!(flags_end(bytes, n), end);
        }
    }
}
