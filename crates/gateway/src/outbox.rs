//! What a connection owes its peer: answers that wait for the journal, for the registry, and for the socket, in the
//! order of their frames. Empty, it holds no heap memory.

use std::collections::VecDeque;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use journal::AppendError;
use model::{BoxFuture, TerminalId};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use crate::RegisterRefusal;
use crate::answer::{Answer, Charge, Reply};
use crate::burst::Pending;
use crate::desk::Desk;
use crate::gateway::Shared;
use crate::metrics::Outcome;

/// A registration that the registry is asked about.
struct Registering {
    answer: Answer,
    read_at: Instant,
    decided: BoxFuture<'static, Result<u32, RegisterRefusal>>,
}

/// How far writing came.
pub(crate) enum Written {
    /// There was nothing to write.
    Nothing,
    /// The socket took some, and has no room for the rest.
    Some,
    /// The socket has no room.
    Blocked,
    /// The socket took all of it.
    All,
}

#[derive(Default)]
pub(crate) struct Outbox {
    pending: VecDeque<Pending>,
    registering: Option<Box<Registering>>,
    /// Encoded, for the socket.
    bytes: Vec<u8>,
    /// How many of them the socket took.
    taken: usize,
    /// The frames that are answered when the socket has taken all, and when they were read.
    answers: Vec<(Charge, Instant)>,
}

impl Outbox {
    pub(crate) fn push(&mut self, pending: Pending) {
        self.pending.push_back(pending);
    }

    /// Whether answers wait for the journal or the registry.
    pub(crate) fn waits(&self) -> bool {
        self.registering.is_some() || !self.pending.is_empty()
    }

    /// Whether something waits for the socket.
    pub(crate) fn writes(&self) -> bool {
        !self.answers.is_empty()
    }

    /// Encodes the answers to all that became durable, once the socket took the ones before. Returns whether there
    /// was any.
    pub(crate) fn poll_answers(&mut self, shared: &Arc<Shared>, cx: &mut Context<'_>) -> Result<bool, AppendError> {
        if self.writes() {
            return Ok(false);
        }
        let mut moved = false;
        loop {
            if let Some(registering) = &mut self.registering {
                let Poll::Ready(decided) = registering.decided.as_mut().poll(cx) else { break };
                self.answer_registered(shared, decided);
            }
            let Some(front) = self.pending.front_mut() else { break };
            if let Some(ticket) = &mut front.ticket {
                let Poll::Ready(committed) = Pin::new(ticket).poll(cx) else { break };
                committed?;
                front.ticket = None;
            }
            moved = true;
            self.encode_front(shared);
        }
        if self.pending.is_empty() {
            self.pending = VecDeque::new();
        }
        Ok(moved)
    }

    /// Encodes the answers at the front, up to one that asks the registry first.
    fn encode_front(&mut self, shared: &Arc<Shared>) {
        let Some(front) = self.pending.front_mut() else { return };
        let (now, read_at) = (shared.clock.now(), front.waiting.read_at);
        for mut answer in front.waiting.answers.by_ref() {
            if let Reply::Register(registration) = &mut answer.reply {
                let (asked, registration) = (shared.clone(), mem::take(&mut **registration));
                let terminal = TerminalId::from_wire(answer.to.phone.bytes());
                let decided = Box::pin(async move { asked.admission.register(terminal, registration).await });
                self.registering = Some(Box::new(Registering { answer, read_at, decided }));
                return;
            }
            let outcome = answer.write(now, &mut self.bytes);
            count(shared, &answer, outcome);
            self.answers.push((answer.charge, read_at));
        }
        self.pending.pop_front();
    }

    fn answer_registered(&mut self, shared: &Shared, decided: Result<u32, RegisterRefusal>) {
        let Some(registering) = self.registering.take() else { return };
        let Registering { answer, read_at, .. } = *registering;
        let terminal = TerminalId::from_wire(answer.to.phone.bytes());
        let registered = decided.map(|epoch| shared.codes.code(terminal, epoch));
        let outcome = answer.write_registered(registered, &mut self.bytes);
        count(shared, &answer, outcome);
        self.answers.push((answer.charge, read_at));
    }

    /// Writes what is encoded, in one go if the socket takes it; then its frames are answered.
    pub(crate) fn poll_write(
        &mut self,
        stream: &mut TcpStream,
        desk: &mut Desk,
        shared: &Shared,
        cx: &mut Context<'_>,
    ) -> std::io::Result<Written> {
        if !self.writes() {
            return Ok(Written::Nothing);
        }
        let before = self.taken;
        while let Some(rest) = self.bytes.get(self.taken..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut *stream).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Err(std::io::ErrorKind::WriteZero.into()),
                Poll::Ready(count) => self.taken += count?,
                Poll::Pending if self.taken > before => return Ok(Written::Some),
                Poll::Pending => return Ok(Written::Blocked),
            }
        }
        (self.bytes, self.taken) = (Vec::new(), 0);
        let now = Instant::now();
        for (charge, read_at) in mem::take(&mut self.answers) {
            desk.release(charge);
            shared.metrics.ack_latency_s.observe(now.saturating_duration_since(read_at).as_secs_f64());
        }
        Ok(Written::All)
    }

    /// Gives up what is not durable. There is no answer to it, not even one of failure: some terminals drop a record
    /// that was refused.
    pub(crate) fn fail(&mut self, shared: &Shared) {
        let lost = mem::take(&mut self.pending).into_iter().flat_map(|pending| pending.waiting.answers);
        lost.for_each(|answer| count(shared, &answer, Outcome::Failed));
        if let Some(registering) = self.registering.take() {
            count(shared, &registering.answer, Outcome::Failed);
        }
    }
}

/// Counts a frame that was answered, or never will be.
pub(crate) fn count(shared: &Shared, answer: &Answer, outcome: Outcome) {
    match (&answer.reply, outcome) {
        (Reply::Command(_), Outcome::Failed) => {}
        (Reply::Command(_), _) => shared.metrics.commands.inc(),
        _ => shared.metrics.frame(answer.to.id, outcome),
    }
}
