//! One connection, as a hand-written future: tens of thousands of them wait at a time, so an idle one holds its
//! socket, its sessions and no buffer.
//!
//! A turn takes the steps below in order, until none of them moves: mail, submission to the journal, answers that
//! became durable, writing, reading. Submissions, tickets and answers form one queue, so answers leave in the order of
//! their frames. Deadlines are looked at by a sweeper that all connections share.

use std::cell::RefCell;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use journal::{AppendError, Ticket};
use jt808::{Deframer, FLAG};
use model::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::burst::{Burst, Pending, Waiting};
use crate::desk::Desk;
use crate::gateway::Shared;
use crate::handle::{Handle, Lost, NEVER_MS, Order};
use crate::metrics::Outcome;
use crate::outbox::{self, Outbox, Written};
use crate::phase::{End, Phase};

/// Bytes that one read takes at most, into a buffer that all connections of a thread share.
const READ_MAX: usize = 64 * 1024;
/// Bytes read for each frame that the windows have room for: about what a location report with many items takes, so
/// that hardly more is read than may be served.
const READ_PER_FRAME: usize = 128;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_MAX]);
}

/// Records on their way into the journal's queue, and the answers that follow.
struct Submission {
    queued: BoxFuture<'static, Result<Ticket, AppendError>>,
    waiting: Waiting,
}

pub(crate) struct Connection {
    stream: TcpStream,
    handle: Arc<Handle>,
    shared: Arc<Shared>,
    deframer: Deframer,
    desk: Desk,
    phase: Phase,
    /// Bytes that were read before a window was full.
    backlog: Vec<u8>,
    submission: Option<Box<Submission>>,
    outbox: Outbox,
    /// When something was last read.
    read_ms: u64,
    /// When there was last something new to write, or the socket took some of it.
    progress_ms: u64,
    window_was_full: bool,
}

impl Future for Connection {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            match this.turn(cx) {
                Ok(true) => {}
                Ok(false) => {
                    this.handle.set_due(this.due().0);
                    return Poll::Pending;
                }
                Err(end) => {
                    this.shared.metrics.closed.with_label_values(&[end.name()]).inc();
                    tracing::debug!(peer = %this.handle.peer, reason = end.name(), "connection closed");
                    return Poll::Ready(());
                }
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.handle.close();
        self.desk.close(&self.shared);
        self.shared.table.leave(&self.handle);
        self.shared.metrics.connections.dec();
    }
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, handle: Arc<Handle>, shared: Arc<Shared>) -> Self {
        shared.metrics.connections.inc();
        let now_ms = shared.now_ms();
        Self {
            stream,
            handle,
            deframer: Deframer::new(),
            desk: Desk::new(now_ms),
            phase: Phase::Open,
            backlog: Vec::new(),
            submission: None,
            outbox: Outbox::default(),
            read_ms: now_ms,
            progress_ms: now_ms,
            window_was_full: false,
            shared,
        }
    }

    /// One round of all steps; whether any of them moved. `Err` ends the connection.
    fn turn(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        self.take_mail(cx)?;
        self.check_deadline()?;
        let mut moved = self.poll_submission(cx);
        moved |= self.poll_answers(cx);
        moved |= self.poll_write(cx)?;
        moved |= self.serve_backlog();
        moved |= self.poll_read(cx)?;
        moved |= self.poll_close(cx)?;
        Ok(moved)
    }

    /// Whether anything that was read is not answered yet, apart from what the socket has to take.
    fn owes(&self) -> bool {
        self.submission.is_some() || self.outbox.waits()
    }

    fn drain(&mut self, end: End) {
        if self.phase == Phase::Open {
            self.phase = Phase::Draining(end);
            self.backlog = Vec::new();
        }
    }

    fn take_mail(&mut self, cx: &Context<'_>) -> Result<(), End> {
        let window = self.desk.window_left(&self.shared.limits);
        let wants_commands = self.phase == Phase::Open && self.submission.is_none() && window > 0;
        let mail = self.handle.take(cx, wants_commands);
        match (mail.order, self.phase) {
            (Order::Serve, _) => {}
            (Order::Drain, Phase::Failed(_)) => return Err(End::JournalFailed),
            (Order::Drain, _) => self.drain(End::Shutdown),
            (Order::Abort, _) => return Err(End::Aborted),
        }
        for forget in mail.forget {
            if self.desk.forget(forget, self.shared.now_ms()) {
                self.drain(match forget.why {
                    Lost::Superseded => End::Superseded,
                    Lost::Revoked => End::Revoked,
                });
            }
        }
        if !mail.commands.is_empty() {
            let mut burst = self.begin_burst();
            mail.commands.iter().for_each(|downlink| self.desk.command(downlink, &mut burst));
            self.submit(burst);
        }
        Ok(())
    }

    /// When the connection is due, and why. While the journal works on what a terminal sent, there is no deadline:
    /// that is not the terminal's fault. A stranger's is fixed, and only stops the reading.
    fn due(&self) -> (u64, End) {
        let limits = &self.shared.limits;
        match self.phase {
            Phase::Lingering(end, since_ms) => (after_ms(since_ms, limits.linger), end),
            Phase::Failed(since_ms) => (after_ms(since_ms, limits.journal_failed_grace), End::JournalFailed),
            _ if self.outbox.writes() => (after_ms(self.progress_ms, limits.write_timeout), End::WriteTimeout),
            Phase::Draining(end) => (NEVER_MS, end),
            Phase::Open => {
                let last_ms = if self.owes() { NEVER_MS } else { self.read_ms.max(self.progress_ms) };
                let idle = (after_ms(last_ms, limits.idle_timeout), End::Idle);
                let strange = after_ms(self.desk.strange_since_ms, limits.unauthenticated_timeout);
                if self.desk.is_strange() && strange < idle.0 { (strange, End::Unauthenticated) } else { idle }
            }
        }
    }

    fn check_deadline(&mut self) -> Result<(), End> {
        let (due_ms, end) = self.due();
        // Milliseconds are rounded down: only the next one is surely late enough.
        if self.shared.now_ms() <= due_ms {
            return Ok(());
        }
        match end {
            End::Idle | End::Unauthenticated if self.phase == Phase::Open => {
                self.drain(end);
                Ok(())
            }
            _ => Err(end),
        }
    }

    fn begin_burst(&self) -> Burst {
        Burst::new(self.shared.clock.now(), Instant::now())
    }

    /// Hands a burst to the journal. The journal makes this wait when too much waits for the disk; nothing is read
    /// until it took the burst.
    fn submit(&mut self, burst: Burst) {
        if burst.is_empty() {
            return;
        }
        let (records, waiting) = burst.into_parts(&self.handle);
        let shared = self.shared.clone();
        let queued = Box::pin(async move { shared.journal.submit(records).await });
        self.submission = Some(Box::new(Submission { queued, waiting }));
    }

    fn poll_submission(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(submission) = &mut self.submission else { return false };
        let Poll::Ready(queued) = submission.queued.as_mut().poll(cx) else { return false };
        match (queued, self.submission.take()) {
            (Ok(ticket), Some(submission)) => {
                self.outbox.push(Pending { ticket: Some(ticket), waiting: submission.waiting });
            }
            (_, submission) => {
                self.submission = submission;
                self.fail();
            }
        }
        true
    }

    fn poll_answers(&mut self, cx: &mut Context<'_>) -> bool {
        let Ok(moved) = self.outbox.poll_answers(&self.shared, cx) else {
            self.fail();
            return true;
        };
        if moved {
            self.progress_ms = self.shared.now_ms();
        }
        moved
    }

    /// The journal cannot keep what was read.
    fn fail(&mut self) {
        self.outbox.fail(&self.shared);
        if let Some(submission) = self.submission.take() {
            submission.waiting.answers.for_each(|answer| outbox::count(&self.shared, &answer, Outcome::Failed));
        }
        self.backlog = Vec::new();
        self.phase = match self.phase {
            Phase::Open => Phase::Failed(self.shared.now_ms()),
            _ => Phase::Draining(End::JournalFailed),
        };
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let Self { outbox, stream, desk, shared, .. } = self;
        let written = outbox.poll_write(stream, desk, shared, cx).map_err(|_| End::Socket)?;
        if matches!(written, Written::Some | Written::All) {
            self.progress_ms = self.shared.now_ms();
        }
        Ok(matches!(written, Written::All))
    }

    /// Whether more may be read, as far as the journal and the windows are concerned.
    fn has_room(&mut self) -> bool {
        if self.phase != Phase::Open || self.submission.is_some() {
            return false;
        }
        let full = self.desk.window_left(&self.shared.limits) == 0;
        if full && !self.window_was_full {
            self.shared.metrics.windows_full.inc();
        }
        self.window_was_full = full;
        !full
    }

    fn serve_backlog(&mut self) -> bool {
        if self.backlog.is_empty() || !self.has_room() {
            return false;
        }
        let backlog = mem::take(&mut self.backlog);
        self.cut(&backlog);
        true
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        if !self.backlog.is_empty() || !self.has_room() {
            return Ok(false);
        }
        let wanted = self.desk.window_left(&self.shared.limits).saturating_mul(READ_PER_FRAME);
        BUFFER.with_borrow_mut(|buffer| {
            let limit = wanted.min(buffer.len());
            let mut read = ReadBuf::new(&mut buffer[..limit]);
            match Pin::new(&mut self.stream).poll_read(cx, &mut read) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(_)) => return Err(End::Socket),
                Poll::Ready(Ok(())) => {}
            }
            self.read_ms = self.shared.now_ms();
            if read.filled().is_empty() {
                self.finish_reading();
            } else {
                self.cut(read.filled());
            }
            Ok(true)
        })
    }

    /// The peer closed its side: whatever is whole by now is served.
    fn finish_reading(&mut self) {
        let mut burst = self.begin_burst();
        let Self { deframer, desk, shared, handle, .. } = self;
        deframer.finish(|piece| desk.serve(shared, handle, &piece, &mut burst));
        self.submit(burst);
        self.drain(End::Peer);
    }

    /// Cuts bytes into frames and serves them, as many as the windows have room for; keeps the other bytes. (What the
    /// deframer held back may come out at once, and overrun a window by a few frames.)
    fn cut(&mut self, bytes: &[u8]) {
        let mut burst = self.begin_burst();
        let mut rest = bytes;
        let mut garbage = false;
        let Self { deframer, desk, shared, handle, .. } = self;
        let garbage_before = deframer.garbage_bytes();
        while !rest.is_empty() && !garbage {
            let room = desk.window_left(&shared.limits);
            if room == 0 {
                self.backlog = rest.to_vec();
                break;
            }
            let (slice, after) = rest.split_at(flags_end(rest, room));
            garbage = deframer.push(slice, |piece| desk.serve(shared, handle, &piece, &mut burst)).is_err();
            rest = after;
        }
        shared.metrics.garbage_bytes.inc_by(deframer.garbage_bytes() - garbage_before);
        self.submit(burst);
        if garbage {
            self.drain(End::Garbage);
        }
    }

    /// Closes once all is answered.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let done = !self.owes() && !self.outbox.writes();
        match self.phase {
            Phase::Draining(End::Peer) if done => Err(End::Peer),
            Phase::Draining(end) if done => {
                match Pin::new(&mut self.stream).poll_shutdown(cx) {
                    Poll::Ready(Ok(())) => self.phase = Phase::Lingering(end, self.shared.now_ms()),
                    Poll::Ready(Err(_)) => return Err(end),
                    Poll::Pending => return Ok(false),
                }
                Ok(true)
            }
            Phase::Lingering(end, _) => self.discard(cx, end),
            _ => Ok(false),
        }
    }

    /// Reads what still comes and throws it away: closing over unread bytes would reset the connection and take the
    /// last answers with it.
    fn discard(&mut self, cx: &mut Context<'_>, end: End) -> Result<bool, End> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut read = ReadBuf::new(buffer);
            match Pin::new(&mut self.stream).poll_read(cx, &mut read) {
                Poll::Pending => Ok(false),
                Poll::Ready(Ok(())) if !read.filled().is_empty() => Ok(true),
                Poll::Ready(_) => Err(end),
            }
        })
    }
}

fn after_ms(since_ms: u64, timeout: Duration) -> u64 {
    since_ms.saturating_add(u64::try_from(timeout.as_millis()).unwrap_or(NEVER_MS))
}

/// Where the n-th flag byte ends, or all bytes do: at most n frames end before.
fn flags_end(bytes: &[u8], n: usize) -> usize {
    memchr::memchr_iter(FLAG, bytes).nth(n.saturating_sub(1)).map_or(bytes.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_small() {
        let size = size_of::<Connection>();
        println!("a connection's future: {size} bytes");
        assert!(size <= 448, "{size}");
    }

    #[test]
    fn slices_end_behind_a_flag() {
        for (bytes, n, end) in [(&b"~ab~~cd~"[..], 1, 1), (b"~ab~~cd~", 2, 4), (b"~ab~~cd~", 9, 8), (b"ab", 1, 2)] {
            assert_eq!(flags_end(bytes, n), end);
        }
    }
}
