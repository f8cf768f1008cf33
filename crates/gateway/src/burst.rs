//! What one read brought: records for one submission to the journal, and the answers that wait for it.

use std::time::Instant;

use bytes::Bytes;
use journal::{Kind, Record, Ticket};
use model::{CommandId, TerminalId, Timestamp};

use crate::answer::Answer;
use crate::handle::Handle;

struct Draft {
    kind: Kind,
    terminal: TerminalId,
    command: Option<CommandId>,
    /// Where its bytes end; they begin where those of the one before end.
    end: usize,
}

/// Frames on their way to the journal.
pub(crate) struct Burst {
    pub(crate) received: Timestamp,
    pub(crate) read_at: Instant,
    /// The wire bytes of all frames, in one allocation that their records share.
    raw: Vec<u8>,
    drafts: Vec<Draft>,
    answers: Vec<Answer>,
}

impl Burst {
    pub(crate) fn new(received: Timestamp, read_at: Instant) -> Self {
        Self { received, read_at, raw: Vec::new(), drafts: Vec::new(), answers: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.drafts.is_empty()
    }

    /// A frame and what is answered to it.
    pub(crate) fn push(&mut self, kind: Kind, terminal: TerminalId, wire: &[u8], answer: Answer) {
        self.raw.extend_from_slice(wire);
        self.drafts.push(Draft { kind, terminal, command: None, end: self.raw.len() });
        self.answers.push(answer);
    }

    /// A command, whose bytes are what leaves.
    pub(crate) fn push_command(&mut self, terminal: TerminalId, command: CommandId, wire: &[u8], answer: Answer) {
        self.push(Kind::Command, terminal, wire, answer);
        if let Some(draft) = self.drafts.last_mut() {
            draft.command = Some(command);
        }
    }

    /// The records for the journal, and the answers.
    pub(crate) fn into_parts(self, handle: &Handle) -> (Vec<Record>, Waiting) {
        let raw = Bytes::from(self.raw);
        let mut start = 0;
        let records = self.drafts.into_iter().map(|draft| {
            let peer = if draft.kind == Kind::Stranger { handle.peer.to_string() } else { String::new() };
            let record = Record {
                received: self.received,
                kind: draft.kind,
                terminal: Some(draft.terminal),
                connection: handle.id,
                raw: raw.slice(start..draft.end),
                command: draft.command,
                peer,
                forwarder: None,
            };
            start = draft.end;
            record
        });
        (records.collect(), Waiting { read_at: self.read_at, answers: self.answers.into_iter() })
    }
}

/// Answers whose frames are not durable yet.
pub(crate) struct Waiting {
    pub(crate) read_at: Instant,
    pub(crate) answers: std::vec::IntoIter<Answer>,
}

/// Answers with the ticket that they wait for.
pub(crate) struct Pending {
    /// `None` once it resolved.
    pub(crate) ticket: Option<Ticket>,
    pub(crate) waiting: Waiting,
}
