//! What those who append are told: where their records landed, or why nobody knows.

use std::sync::Arc;

use model::{ControlRecord, Position, Timestamp};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use bytes::Bytes;

use crate::record::Record;

/// What is handed in at once stays in one envelope, and an envelope has a bound ([`crate::envelope::BODY_MAX`]).
pub const SUBMISSION_BYTES_MAX: usize = 32 << 20;
/// Bytes that a record needs beside its raw bytes, for the bound on the queue.
const RECORD_OVERHEAD: usize = size_of::<Record>();
/// Bytes that a submission needs beside its records: itself, its landing, and what the allocator adds.
const SUBMISSION_OVERHEAD: usize = size_of::<Submission>() + 64;

/// Why something is not in the journal, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// It was not written.
    #[error("the journal cannot write: {0}")]
    Failed(String),
    /// It may or may not be on disk.
    #[error("nobody knows whether the journal wrote it: {0}")]
    Unknown(String),
    /// The journal is closing.
    #[error("the journal is closed")]
    Closed,
    /// More than fits one envelope.
    #[error("{bytes} bytes are too many for one commit ({SUBMISSION_BYTES_MAX} fit): hand it in in parts")]
    TooLarge {
        /// How many they are.
        bytes: usize,
    },
}

/// Where something was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The frame envelope that holds the records, or that brings the control records into force.
    pub position: Position,
    /// When it was received (records) or recorded (control).
    pub received: Timestamp,
}

/// Told what became of a submission.
///
/// Called once a submission, on the committer's thread, in the order of submission. It must not block: the next
/// commit waits for it.
pub trait Landing: Send + Sync {
    /// What became of it. [`AppendError::Unknown`] means that it may yet be found in the journal; nobody may be
    /// answered then.
    fn landed(self: Arc<Self>, outcome: Result<Committed, AppendError>);
}

/// Why something was not even queued.
#[derive(Debug)]
pub enum Refused {
    /// Too many bytes wait for the disk: here are the records again; wait with [`crate::Journal::room`].
    Full(Vec<Record>),
    /// It will not be written.
    Failed(AppendError),
}

/// Resolves when what was submitted is durable, in the order of submission.
#[derive(Debug)]
pub struct Ticket(oneshot::Receiver<Result<Committed, AppendError>>);

struct TicketLanding(Mutex<Option<oneshot::Sender<Result<Committed, AppendError>>>>);

impl Ticket {
    pub(crate) fn new() -> (Self, Arc<dyn Landing>) {
        let (done, outcome) = oneshot::channel();
        (Self(outcome), Arc::new(TicketLanding(Mutex::new(Some(done)))))
    }
}

impl Landing for TicketLanding {
    fn landed(self: Arc<Self>, outcome: Result<Committed, AppendError>) {
        if let Some(done) = self.0.lock().take() {
            // Whoever does not wait for it does not want to know.
            let _ = done.send(outcome);
        }
    }
}

impl Future for Ticket {
    type Output = Result<Committed, AppendError>;

    fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0).poll(cx).map(|outcome| outcome.unwrap_or(Err(AppendError::Closed)))
    }
}

/// What was handed in at once and waits for the disk.
pub(crate) struct Submission {
    pub records: Vec<Record>,
    /// Control records with their bytes.
    pub control: Vec<(ControlRecord, Bytes)>,
    /// Bytes that it holds of the queue.
    pub weight: usize,
    landing: Option<Arc<dyn Landing>>,
    refused: Option<AppendError>,
}

impl Submission {
    pub(crate) fn new(
        records: Vec<Record>,
        control: Vec<(ControlRecord, Bytes)>,
        landing: Arc<dyn Landing>,
    ) -> Result<Self, AppendError> {
        let raw = records.iter().map(|r| r.raw.len()).chain(control.iter().map(|(_, raw)| raw.len()));
        let bytes: usize = raw.map(|length| length + RECORD_OVERHEAD).sum();
        if bytes > SUBMISSION_BYTES_MAX {
            return Err(AppendError::TooLarge { bytes });
        }
        let weight = bytes + SUBMISSION_OVERHEAD;
        Ok(Self { records, control, weight, landing: Some(landing), refused: None })
    }

    /// Takes it back: its landing will not be told.
    pub(crate) fn withdraw(mut self) -> Vec<Record> {
        self.landing = None;
        std::mem::take(&mut self.records)
    }

    /// Takes no part in the commit; its landing is told why when its turn comes.
    pub(crate) fn refuse(&mut self, error: AppendError) {
        self.refused = Some(error);
    }

    /// Tells its landing, unless that was told before.
    pub(crate) fn land(&mut self, outcome: Result<Committed, AppendError>) {
        if let Some(landing) = self.landing.take() {
            landing.landed(self.refused.take().map_or(outcome, Err));
        }
    }
}

impl Drop for Submission {
    /// A committer that dies on the way leaves nobody waiting.
    fn drop(&mut self) {
        self.land(Err(AppendError::Unknown("the journal stopped in the middle of a commit".into())));
    }
}
