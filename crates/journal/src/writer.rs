//! Appending: one thread a shard, one batch in flight, group commit without a timer.
//!
//! Whoever has something to say queues it with a [`Landing`] (or gets a [`Ticket`]). The committer takes all that is
//! queued, writes it as one envelope a chain (control first, so that a frame envelope never names a control record that
//! could be lost), makes it durable, and only then tells the landings. While it waits for the disk the next batch
//! gathers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use bytes::{Bytes, BytesMut};
use model::{ControlRecord, Position};
use parking_lot::Mutex;

use crate::commit::{ChainWriter, Committer, new_writer};
use crate::landing::{AppendError, Landing, Refused, Submission, Ticket};
use crate::options::{Options, State};
use crate::queue::{NotTaken, Queue};
use crate::received::Received;
use crate::record::{Batch, Record};
use crate::segment::{Broken, ChainEnd, OpenError, Stream};
use crate::space::Space;
use crate::{change_codec, reader};

/// The sequence of the last durable frame envelope.
#[derive(Clone, Debug, Default)]
pub struct Watermark(Arc<AtomicU64>);

impl Watermark {
    pub(crate) fn set(&self, seq: u64) {
        self.0.store(seq, Ordering::Release);
    }

    /// It, now.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// What opening found.
#[derive(Clone, Copy, Debug)]
pub struct Recovered {
    /// The last frame envelope that was there.
    pub position: Position,
    /// The last control record that was there.
    pub control_seq: u64,
    /// Bytes of torn tails that were cut; they were never acknowledged.
    pub cut_bytes: u64,
}

/// The journal, as seen by those who append to it.
#[derive(Clone)]
pub struct Journal {
    queue: Arc<Queue>,
    watermark: Watermark,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Journal {
    /// Opens the journal in a folder, cuts torn tails, and starts its committer. The feed gives every batch that is
    /// committed from now on, in order; it must be read, or commits stop.
    ///
    /// # Errors
    /// When the folder cannot be used, or is damaged before its end.
    pub fn open(options: Options) -> Result<(Self, Receiver<Batch>, Recovered), OpenError> {
        let mut control = ChainEnd::open(options.disk.clone(), &options.folder, Stream::Control, options.algorithm)?;
        let mut frames = ChainEnd::open(options.disk.clone(), &options.folder, Stream::Frames, options.algorithm)?;
        let in_force = frames.head.control_seq;
        if control.head.control_seq < in_force {
            // Control is durable before a frame envelope names it: what is missing now was there, and answered.
            return Err(OpenError::Broken(Broken {
                file: options.folder.join(Stream::Control.folder()).display().to_string(),
                offset: 0,
                seq: control.head.next_seq,
                record: None,
                reason: format!("it ends at record {}, but frames name record {in_force}", control.head.control_seq),
            }));
        }
        let cut_bytes = control.cut_torn_tail()? + frames.cut_torn_tail()?;
        let mut pending = reader::read_control(&*options.disk, &options.folder)?;
        pending.retain(|record| record.seq > in_force);
        let recovered = Recovered {
            position: Position { shard: 0, seq: frames.head.next_seq - 1 },
            control_seq: control.head.control_seq,
            cut_bytes,
        };
        let queue = Arc::new(Queue::new(options.queue_bytes_max as usize));
        let watermark = Watermark(Arc::new(AtomicU64::new(recovered.position.seq)));
        let (feed, batches) = sync_channel(options.feed_depth);
        let writer = new_writer()?;
        let mut committer = Committer {
            queue: queue.clone(),
            watermark: watermark.clone(),
            feed,
            frames: ChainWriter { end: frames, writer, writer_seq: 0 },
            control: ChainWriter { end: control, writer, writer_seq: 0 },
            pending,
            last_tick: None,
            received: Received::default(),
            space: Space::default(),
            trouble: None,
            told: State::Working,
            buffer: BytesMut::new(),
            options,
        };
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || committer.run())
            .map_err(|e| crate::segment::io_error("start the committer of", std::path::Path::new("journal"), e))?;
        Ok((Self { queue, watermark, thread: Arc::new(Mutex::new(Some(thread))) }, batches, recovered))
    }

    /// Queues records without waiting; the landing is told what became of them. The records of one call stay together
    /// and in order. When they are refused the landing is not called.
    ///
    /// # Errors
    /// [`Refused::Full`] with the records when too many bytes wait for the disk, [`Refused::Failed`] when the journal
    /// has failed or is closing, or when they fit no envelope.
    pub fn try_submit(&self, records: Vec<Record>, landing: Arc<dyn Landing>) -> Result<(), Refused> {
        let submission = Submission::new(records, Vec::new(), landing).map_err(Refused::Failed)?;
        match self.queue.push(submission) {
            Ok(()) => Ok(()),
            Err(NotTaken::Full(submission)) => Err(Refused::Full(submission.withdraw())),
            Err(NotTaken::Failed(error)) => Err(Refused::Failed(error)),
        }
    }

    /// Resolves when there is room again, or the journal has failed or is closed: then [`Journal::try_submit`] is worth
    /// another call.
    pub async fn room(&self) {
        self.queue.room().await;
    }

    /// Resolves when the journal works (at once, or after it has recovered from a failure), or is closed.
    pub async fn working(&self) {
        self.queue.working().await;
    }

    /// Has `f` called, on the committer's thread, after all landings of each commit were called. It must not block, and
    /// is kept as long as the journal.
    pub fn on_flush(&self, f: Arc<dyn Fn() + Send + Sync>) {
        self.queue.on_flush(f);
    }

    /// Queues records; waits only while too many bytes wait for the disk. The records of one call stay together and
    /// in order.
    ///
    /// # Errors
    /// When the journal has failed or is closing.
    pub async fn submit(&self, records: Vec<Record>) -> Result<Ticket, AppendError> {
        self.queue(records, Vec::new()).await
    }

    /// Queues control records; their numbers must continue the stream. `recorded_at` is set by the commit and
    /// returned with the ticket.
    ///
    /// # Errors
    /// When the journal has failed or is closing.
    pub async fn submit_control(&self, records: Vec<ControlRecord>) -> Result<Ticket, AppendError> {
        let encoded = |record: ControlRecord| {
            let raw = change_codec::encode(record.seq, &record.actor, &record.change);
            (record, raw)
        };
        self.queue(Vec::new(), records.into_iter().map(encoded).collect()).await
    }

    async fn queue(&self, records: Vec<Record>, control: Vec<(ControlRecord, Bytes)>) -> Result<Ticket, AppendError> {
        let (ticket, landing) = Ticket::new();
        let mut submission = Submission::new(records, control, landing)?;
        loop {
            submission = match self.queue.push(submission) {
                Ok(()) => return Ok(ticket),
                Err(NotTaken::Full(back)) => back,
                Err(NotTaken::Failed(error)) => return Err(error),
            };
            self.queue.room().await;
        }
    }

    /// How far the journal is durable.
    #[must_use]
    pub fn watermark(&self) -> Watermark {
        self.watermark.clone()
    }

    /// How many submissions wait for the disk.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Why nothing can be appended at present, if so.
    #[must_use]
    pub fn failure(&self) -> Option<AppendError> {
        self.queue.failure()
    }

    /// Commits what is queued and stops. The feed ends.
    pub fn close(&self) {
        self.queue.close();
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}
