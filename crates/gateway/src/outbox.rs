//! What a connection owes its peer: answers that wait for the journal, for the registry, and for the socket, in the
//! order of their frames. Empty, it holds no heap memory.

use std::mem;

use model::TerminalId;
use smallvec::SmallVec;

use crate::answer::{Answer, Charge, Reply};
use crate::desk::Desk;
use crate::gateway::Shared;
use crate::metrics::{Meter, Outcome};
use crate::{RegisterRefusal, Registration};

#[derive(Default)]
pub(crate) struct Outbox {
    /// Not yet encoded, in the order of their frames.
    answers: SmallVec<[Answer; 1]>,
    /// How many submissions at the front are durable.
    durable: u32,
    /// Encoded, for the socket.
    bytes: Vec<u8>,
}

impl Outbox {
    /// So many answers may come.
    pub(crate) fn reserve(&mut self, answers: usize) {
        self.answers.reserve(answers);
    }

    /// Queues an answer. It waits for the submission that [`Outbox::seal`] closes next.
    pub(crate) fn push(&mut self, answer: Answer) {
        self.answers.push(answer);
    }

    /// What was pushed since the last call is one submission to the journal.
    pub(crate) fn seal(&mut self) {
        if let Some(answer) = self.answers.last_mut() {
            answer.last = true;
        }
    }

    /// Whether answers wait for the journal or the registry.
    pub(crate) fn waits(&self) -> bool {
        !self.answers.is_empty()
    }

    /// Whether something waits for the socket.
    pub(crate) fn writes(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// That many more submissions are durable.
    pub(crate) fn landed(&mut self, submissions: u32) {
        self.durable += submissions;
    }

    /// Encodes the answers to all that is durable, up to one that asks the registry first, and gives their windows
    /// free. What the socket did not take before comes first.
    pub(crate) fn encode(&mut self, desk: &mut Desk, shared: &Shared, meter: &mut Meter<'_>, out: &mut Vec<u8>) {
        if !self.bytes.is_empty() {
            out.append(&mut mem::take(&mut self.bytes));
        }
        if self.durable == 0 {
            return;
        }
        let now_us = shared.now_us();
        let mut done = 0;
        for answer in &self.answers {
            if self.durable == 0 || matches!(answer.reply, Reply::Register(_)) {
                break;
            }
            let outcome = answer.write(|| shared.clock.now(), out);
            meter.answered(answer, outcome, now_us);
            desk.release(answer.charge);
            self.durable -= u32::from(answer.last);
            done += 1;
        }
        self.forget(done);
    }

    /// Drops answers at the front; the last one takes the heap memory with it.
    fn forget(&mut self, count: usize) {
        if count == self.answers.len() {
            self.answers = SmallVec::new();
        } else {
            self.answers.drain(..count);
        }
    }

    /// Whether the next answer asks the registry first.
    pub(crate) fn asks(&self) -> bool {
        self.durable > 0 && matches!(self.answers.first(), Some(Answer { reply: Reply::Register(_), .. }))
    }

    /// The registration that the registry is to be asked about; its answer stays at the front.
    pub(crate) fn registration(&mut self) -> Option<(TerminalId, Registration)> {
        if self.durable == 0 {
            return None;
        }
        let front = self.answers.first_mut()?;
        let Reply::Register(registration) = &mut front.reply else { return None };
        Some((TerminalId::from_wire(front.to.phone.bytes()), mem::take(&mut **registration)))
    }

    /// The registry has decided about the one at the front.
    pub(crate) fn registered(
        &mut self,
        decided: Result<u32, RegisterRefusal>,
        desk: &mut Desk,
        shared: &Shared,
        meter: &mut Meter<'_>,
    ) {
        let Some(answer) = self.answers.first().filter(|answer| matches!(answer.reply, Reply::Register(_))) else {
            return;
        };
        let terminal = TerminalId::from_wire(answer.to.phone.bytes());
        let registered = decided.map(|epoch| shared.codes.code(terminal, epoch));
        let outcome = answer.write_registered(registered, &mut self.bytes);
        meter.answered(answer, outcome, shared.now_us());
        desk.release(answer.charge);
        self.durable = self.durable.saturating_sub(u32::from(answer.last));
        self.forget(1);
    }

    /// What the socket did not take. What was encoded while it was written follows it.
    pub(crate) fn keep(&mut self, rest: &[u8]) {
        let later = mem::take(&mut self.bytes);
        self.bytes.reserve_exact(rest.len() + later.len());
        self.bytes.extend_from_slice(rest);
        self.bytes.extend_from_slice(&later);
    }

    /// Gives up what is not durable. There is no answer to it, not even one of failure: some terminals drop a record
    /// that was refused.
    pub(crate) fn give_up(&mut self, meter: &mut Meter<'_>) {
        self.durable = 0;
        for answer in mem::take(&mut self.answers) {
            if !matches!(answer.charge, Charge::Connection) {
                meter.frame(answer.to.id, Outcome::Failed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_socket_did_not_take_comes_before_what_was_decided_meanwhile() {
        for later in ["", "registered"] {
            // A registration is decided while somebody writes the answers before it.
            let mut outbox = Outbox { bytes: later.into(), ..Outbox::default() };
            outbox.keep(b"rest ");
            assert_eq!(outbox.bytes, format!("rest {later}").into_bytes());
        }
    }
}
