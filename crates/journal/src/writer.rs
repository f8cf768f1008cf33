//! Appending: one thread a shard, one batch in flight, group commit without a timer.
//!
//! Whoever has something to say queues it and gets a [`Ticket`]. The committer takes all that is queued, writes it as
//! one envelope a chain (control first, so that a frame envelope never names a control record that could be lost),
//! makes it durable, and only then resolves the tickets. While it waits for the disk the next batch gathers.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use model::{ControlRecord, Position, Timestamp};
use parking_lot::{Condvar, Mutex};
use tokio::sync::{Semaphore, oneshot};

use crate::disk::{Disk, RealDisk};
use crate::envelope::EnvelopeWriter;
use crate::hash::Hash;
use crate::proto::journal as pb;
use crate::record::{Batch, Kind, Record};
use crate::segment::{Broken, ChainEnd, OpenError, Stream};
use crate::{change_codec, reader};

/// Where the journal takes its time from.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// The clock of the machine.
#[must_use]
pub fn system_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// What a commit cost, for metrics.
#[derive(Clone, Copy, Debug)]
pub struct CommitStats {
    /// Records in it.
    pub records: usize,
    /// Bytes written.
    pub bytes: usize,
    /// From taking the batch to its being durable.
    pub took: Duration,
}

/// How a journal is opened.
pub struct Options {
    /// The folder (`DIR/journal`).
    pub folder: PathBuf,
    /// The file system.
    pub disk: Arc<dyn Disk>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// How many bytes may wait for the disk before submitters wait themselves.
    pub queue_bytes_max: u32,
    /// How many bytes go into one envelope at most (more waits for the next).
    pub batch_bytes_max: usize,
    /// How many batches the reader of the feed may lag before commits stop.
    pub feed_depth: usize,
    /// A tick is written when none was for this long.
    pub tick: Duration,
    /// Told of each commit.
    pub on_commit: Option<Box<dyn Fn(CommitStats) + Send>>,
}

impl Options {
    /// The usual ones for a folder on the machine's own disk.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            disk: Arc::new(RealDisk),
            clock: system_clock(),
            queue_bytes_max: 32 << 20,
            batch_bytes_max: 8 << 20,
            feed_depth: 64,
            tick: Duration::from_secs(5),
            on_commit: None,
        }
    }
}

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

/// Resolves when what was submitted is durable, in the order of submission.
#[derive(Debug)]
pub struct Ticket(oneshot::Receiver<Result<Committed, AppendError>>);

impl Future for Ticket {
    type Output = Result<Committed, AppendError>;

    fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0).poll(cx).map(|outcome| outcome.unwrap_or(Err(AppendError::Closed)))
    }
}

/// The sequence of the last durable frame envelope.
#[derive(Clone, Debug, Default)]
pub struct Watermark(Arc<AtomicU64>);

impl Watermark {
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

struct Submission {
    records: Vec<Record>,
    /// Control records with their bytes.
    control: Vec<(ControlRecord, Bytes)>,
    weight: u32,
    done: oneshot::Sender<Result<Committed, AppendError>>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Submission>,
    closing: bool,
    failed: Option<AppendError>,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    room: Semaphore,
    queue_bytes_max: u32,
    watermark: Watermark,
}

/// The journal, as seen by those who append to it.
#[derive(Clone)]
pub struct Journal {
    shared: Arc<Shared>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// What is handed in at once stays in one envelope, and an envelope has a bound ([`crate::envelope::BODY_MAX`]).
pub const SUBMISSION_BYTES_MAX: usize = 32 << 20;
/// Bytes that a record needs beside its raw bytes, for the bound on the queue.
const RECORD_OVERHEAD: usize = 128;

impl Journal {
    /// Opens the journal in a folder, cuts torn tails, and starts its committer. The feed gives every batch that is
    /// committed from now on, in order; it must be read, or commits stop.
    ///
    /// # Errors
    /// When the folder cannot be used, or is damaged before its end.
    pub fn open(options: Options) -> Result<(Self, Receiver<Batch>, Recovered), OpenError> {
        let mut control = ChainEnd::open(options.disk.clone(), &options.folder, Stream::Control)?;
        let mut frames = ChainEnd::open(options.disk.clone(), &options.folder, Stream::Frames)?;
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
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
            room: Semaphore::new(options.queue_bytes_max as usize),
            queue_bytes_max: options.queue_bytes_max,
            watermark: Watermark(Arc::new(AtomicU64::new(recovered.position.seq))),
        });
        let (feed, batches) = sync_channel(options.feed_depth);
        let mut writer = [0; 16];
        getrandom::fill(&mut writer)
            .map_err(|e| crate::segment::io_error("name a writer for", &options.folder, io::Error::other(e)))?;
        let mut committer = Committer {
            shared: shared.clone(),
            feed,
            frames: ChainWriter { end: frames, writer, writer_seq: 0 },
            control: ChainWriter { end: control, writer, writer_seq: 0 },
            pending,
            last_tick: None,
            buffer: BytesMut::new(),
            options,
        };
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || committer.run())
            .map_err(|e| crate::segment::io_error("start the committer of", std::path::Path::new("journal"), e))?;
        Ok((Self { shared, thread: Arc::new(Mutex::new(Some(thread))) }, batches, recovered))
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
        let raw = records.iter().map(|r| r.raw.len()).chain(control.iter().map(|(_, raw)| raw.len()));
        let bytes: usize = raw.map(|length| length + RECORD_OVERHEAD).sum();
        if bytes > SUBMISSION_BYTES_MAX {
            return Err(AppendError::TooLarge { bytes });
        }
        let weight = u32::try_from(bytes).unwrap_or(u32::MAX).clamp(1, self.shared.queue_bytes_max);
        let permit = self.shared.room.acquire_many(weight).await.map_err(|_| AppendError::Closed)?;
        permit.forget();
        let (done, ticket) = oneshot::channel();
        let mut queue = self.shared.queue.lock();
        let refusal = queue.failed.clone().or(queue.closing.then_some(AppendError::Closed));
        if let Some(error) = refusal {
            drop(queue);
            self.shared.room.add_permits(weight as usize);
            return Err(error);
        }
        queue.waiting.push_back(Submission { records, control, weight, done });
        drop(queue);
        self.shared.wake.notify_one();
        Ok(Ticket(ticket))
    }

    /// How far the journal is durable.
    #[must_use]
    pub fn watermark(&self) -> Watermark {
        self.shared.watermark.clone()
    }

    /// How many submissions wait for the disk.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.shared.queue.lock().waiting.len()
    }

    /// Why nothing can be appended any more, if so.
    #[must_use]
    pub fn failure(&self) -> Option<AppendError> {
        self.shared.queue.lock().failed.clone()
    }

    /// Commits what is queued and stops. The feed ends.
    pub fn close(&self) {
        self.shared.queue.lock().closing = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

/// One chain with the writer that continues it.
struct ChainWriter {
    end: ChainEnd,
    writer: [u8; 16],
    writer_seq: u64,
}

impl ChainWriter {
    fn header(&self, stream: Stream, control_seq: u64, first_received: Timestamp, count: usize) -> pb::Header {
        let head = &self.end.head;
        let first = self.writer_seq == 0 && head.next_seq > 1;
        pb::Header {
            format: 1,
            stream: i32::from(stream.number()),
            shard: 0,
            writer: Bytes::copy_from_slice(&self.writer),
            writer_seq: self.writer_seq,
            previous: Bytes::copy_from_slice(&head.hash),
            algorithm: pb::Algorithm::Sha256 as i32,
            control_seq,
            first_received_us: first_received.0,
            count: count as u32,
            predecessor: if first { Bytes::copy_from_slice(&head.writer) } else { Bytes::new() },
        }
    }

    fn advance(&mut self, hash: Hash, control_seq: u64, received: Timestamp) {
        self.end.head.next_seq += 1;
        self.end.head.hash = hash;
        self.end.head.writer = self.writer;
        self.end.head.control_seq = control_seq;
        self.end.head.received = received;
        self.writer_seq += 1;
    }
}

struct Committer {
    shared: Arc<Shared>,
    feed: SyncSender<Batch>,
    frames: ChainWriter,
    control: ChainWriter,
    /// Control records that are durable but not yet brought into force by a frame envelope.
    pending: Vec<ControlRecord>,
    last_tick: Option<Instant>,
    buffer: BytesMut,
    options: Options,
}

impl Committer {
    fn run(&mut self) {
        loop {
            let Some(mut submissions) = self.gather() else { return };
            let started = Instant::now();
            if crate::sabotage::is_active("answer-before-commit") {
                let position = Position { shard: 0, seq: self.frames.end.head.next_seq };
                for submission in &mut submissions {
                    let (done, _) = oneshot::channel();
                    let early = std::mem::replace(&mut submission.done, done);
                    let _ = early.send(Ok(Committed { position, received: self.options.clock.now() }));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            match self.commit(&mut submissions) {
                Ok(batch) => {
                    self.report(started, &batch);
                    self.shared.watermark.0.store(batch.position.seq, Ordering::Release);
                    for submission in submissions {
                        let received =
                            if submission.control.is_empty() { batch.received } else { self.control.end.head.received };
                        self.shared.room.add_permits(submission.weight as usize);
                        let _ = submission.done.send(Ok(Committed { position: batch.position, received }));
                    }
                    if self.feed.send(batch).is_err() {
                        self.fail(&AppendError::Failed("nobody reads the feed any more".into()), Vec::new());
                    }
                }
                Err(error) => self.fail(&error, submissions),
            }
        }
    }

    fn report(&self, started: Instant, batch: &Batch) {
        if let Some(on_commit) = &self.options.on_commit {
            on_commit(CommitStats { records: batch.records.len(), bytes: self.buffer.len(), took: started.elapsed() });
        }
    }

    /// Waits for something to do; `None` ends the thread.
    fn gather(&self) -> Option<Vec<Submission>> {
        let mut queue = self.shared.queue.lock();
        loop {
            if queue.failed.is_some() && queue.closing {
                return None;
            }
            if queue.failed.is_none() && (!queue.waiting.is_empty() || self.tick_is_due()) {
                break;
            }
            if queue.closing {
                return None;
            }
            let since = self.last_tick.map_or(self.options.tick, |at| at.elapsed());
            self.shared.wake.wait_for(&mut queue, self.options.tick.saturating_sub(since));
        }
        let mut bytes = 0;
        let mut taken = Vec::new();
        while let Some(next) = queue.waiting.front() {
            if bytes > 0 && bytes + next.weight as usize > self.options.batch_bytes_max {
                break;
            }
            bytes += next.weight as usize;
            taken.extend(queue.waiting.pop_front());
        }
        Some(taken)
    }

    /// By a clock that cannot be set back: ticks are never further apart than they should be.
    fn tick_is_due(&self) -> bool {
        self.last_tick.is_none_or(|at| at.elapsed() >= self.options.tick)
    }

    fn commit(&mut self, submissions: &mut [Submission]) -> Result<Batch, AppendError> {
        let now = self.options.clock.now();
        self.commit_control(submissions, now)?;
        let mut records = Vec::with_capacity(submissions.iter().map(|s| s.records.len()).sum::<usize>() + 1);
        for submission in submissions.iter_mut() {
            records.append(&mut submission.records);
        }
        if self.tick_is_due() {
            records.push(Record::tick(now));
            self.last_tick = Some(Instant::now());
        }
        let mut received = self.frames.end.head.received;
        for record in &mut records {
            received = received.max(record.received);
            record.received = received;
        }
        received = received.max(now);
        self.commit_frames(records, received)
    }

    fn commit_control(&mut self, submissions: &[Submission], now: Timestamp) -> Result<(), AppendError> {
        let mut records: Vec<(ControlRecord, Bytes)> = Vec::new();
        for submission in submissions.iter() {
            records.extend(submission.control.iter().cloned());
        }
        let Some((last, _)) = records.last() else { return Ok(()) };
        let (last_seq, head_seq) = (last.seq, self.control.end.head.control_seq);
        if records.iter().zip(head_seq + 1..).any(|((record, _), expected)| record.seq != expected) {
            return Err(AppendError::Failed(format!("control records do not continue {head_seq}")));
        }
        let recorded_at = self.control.end.head.received.max(now);
        let header = self.control.header(Stream::Control, last_seq, recorded_at, records.len());
        self.buffer.clear();
        let mut writer = EnvelopeWriter::begin(&mut self.buffer, self.control.end.head.next_seq, &header);
        for (_, raw) in &records {
            writer.record(&Record { kind: Kind::Control, raw: raw.clone(), ..Record::tick(recorded_at) });
        }
        let hash = writer.finish();
        self.control.end.append(&self.buffer, recorded_at.china_day()).map_err(unknown)?;
        self.control.advance(hash, last_seq, recorded_at);
        self.pending.extend(records.into_iter().map(|(record, _)| ControlRecord { recorded_at, ..record }));
        Ok(())
    }

    fn commit_frames(&mut self, records: Vec<Record>, received: Timestamp) -> Result<Batch, AppendError> {
        let control_seq = self.control.end.head.control_seq;
        let first = records.first().map_or(received, |r| r.received);
        let header = self.frames.header(Stream::Frames, control_seq, first, records.len());
        let seq = self.frames.end.head.next_seq;
        self.buffer.clear();
        let mut writer = EnvelopeWriter::begin(&mut self.buffer, seq, &header);
        for record in &records {
            writer.record(record);
        }
        let hash = writer.finish();
        self.frames.end.append(&self.buffer, received.china_day()).map_err(unknown)?;
        let last = records.last().map_or(first, |r| r.received);
        self.frames.advance(hash, control_seq, last);
        Ok(Batch {
            position: Position { shard: 0, seq },
            hash,
            control_seq,
            control: std::mem::take(&mut self.pending),
            received: first,
            records,
        })
    }

    fn fail(&self, error: &AppendError, submissions: Vec<Submission>) {
        tracing::error!(%error, "the journal failed: nothing is answered any more");
        let mut queue = self.shared.queue.lock();
        let waiting: Vec<_> = queue.waiting.drain(..).collect();
        queue.failed = Some(error.clone());
        drop(queue);
        self.shared.room.close();
        for submission in submissions.into_iter().chain(waiting) {
            let _ = submission.done.send(Err(error.clone()));
        }
    }
}

/// After a failed write or fsync nobody knows what is on disk; the handle is never used again.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unknown(error: io::Error) -> AppendError {
    AppendError::Unknown(error.to_string())
}
