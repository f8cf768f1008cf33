//! The committer: the one thread that writes.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use model::{ControlRecord, Position, Timestamp};

use crate::envelope::EnvelopeWriter;
use crate::hash::Hash;
use crate::landing::{AppendError, Committed, Submission};
use crate::options::{CommitStats, Options, State};
use crate::proto::journal as pb;
use crate::queue::Queue;
use crate::received::Received;
use crate::record::{Batch, Kind, Record};
use crate::recover::{Trouble, no_reader};
use crate::segment::{ChainEnd, OpenError, Stream, Unwritten, io_error};
use crate::space::Space;
use crate::writer::Watermark;

/// One chain with the writer that continues it.
pub(crate) struct ChainWriter {
    pub end: ChainEnd,
    pub writer: [u8; 16],
    pub writer_seq: u64,
}

/// A name for a writer that nobody can guess.
pub(crate) fn new_writer() -> Result<[u8; 16], OpenError> {
    let mut writer = [0; 16];
    let named = getrandom::fill(&mut writer).map_err(io::Error::other);
    named.map_err(|e| io_error("name", Path::new("a writer"), e)).map(|()| writer)
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
            algorithm: self.end.algorithm.to_pb() as i32,
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
        self.end.head.algorithm = Some(self.end.algorithm);
        self.writer_seq += 1;
    }

    /// After a failure: the chain goes on in a new segment, by a new writer that names the one before it.
    pub(crate) fn recover(&mut self) -> Result<(), OpenError> {
        self.end.recover()?;
        self.writer = new_writer()?;
        self.writer_seq = 0;
        Ok(())
    }
}

/// Why a commit failed, and what that means for those who are in it.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub(crate) struct Failure {
    error: AppendError,
    /// Its control records are durable all the same, and come into force later.
    control_stands: bool,
}

impl Failure {
    fn new(cause: &Unwritten, control_stands: bool) -> Self {
        let error = match cause {
            Unwritten::Refused(e) => AppendError::Failed(e.to_string()),
            Unwritten::Unsynced(e) => AppendError::Unknown(e.to_string()),
        };
        Self { error, control_stands }
    }

    fn outcome(&self, submission: &Submission) -> AppendError {
        match &self.error {
            AppendError::Failed(text) if self.control_stands && !submission.control.is_empty() => {
                AppendError::Unknown(text.clone())
            }
            error => error.clone(),
        }
    }
}

pub(crate) struct Committer {
    pub queue: Arc<Queue>,
    pub watermark: Watermark,
    pub feed: SyncSender<Batch>,
    pub frames: ChainWriter,
    pub control: ChainWriter,
    /// Control records that are durable but not yet brought into force by a frame envelope.
    pub pending: Vec<ControlRecord>,
    /// By the clock that nobody sets.
    pub last_tick: Option<Duration>,
    pub received: Received,
    pub space: Space,
    pub trouble: Option<Trouble>,
    /// The state that was last reported.
    pub told: State,
    pub buffer: BytesMut,
    pub options: Options,
}

impl Committer {
    pub(crate) fn run(&mut self) {
        while self.recover() {
            if let Err(state) = self.look_at_space() {
                let error = AppendError::Failed(state.to_string());
                self.stop(state, VecDeque::new(), |_| error.clone());
                continue;
            }
            let taken = self.queue.take(self.options.batch_bytes_max, || self.until_tick());
            let Some(mut submissions) = taken else { return };
            let started = Instant::now();
            if crate::sabotage::is_active("answer-before-commit") {
                self.answer_early(&mut submissions);
            }
            match self.commit(&mut submissions) {
                Ok(batch) => {
                    self.report(started, &batch);
                    self.land(submissions, &batch);
                    if self.feed.send(batch).is_err() {
                        self.stop(no_reader(), VecDeque::new(), |_| AppendError::Closed);
                    }
                }
                Err(failure) => {
                    let state = State::Failed { error: failure.to_string(), attempts: 0 };
                    self.stop(state, submissions, |submission| failure.outcome(submission));
                }
            }
        }
    }

    fn answer_early(&self, submissions: &mut VecDeque<Submission>) {
        let position = Position { shard: 0, seq: self.frames.end.head.next_seq };
        for submission in submissions {
            submission.land(Ok(Committed { position, received: self.options.clock.now() }));
        }
        self.queue.flush();
        std::thread::sleep(Duration::from_millis(20));
    }

    /// Answers come before the feed, whose reader may lag.
    fn land(&self, submissions: VecDeque<Submission>, batch: &Batch) {
        self.watermark.set(batch.position.seq);
        let weight = submissions.iter().map(|submission| submission.weight).sum();
        for mut submission in submissions {
            let received = if submission.control.is_empty() { batch.received } else { self.control.end.head.received };
            submission.land(Ok(Committed { position: batch.position, received }));
        }
        self.queue.flush();
        self.queue.release(weight);
    }

    fn report(&mut self, started: Instant, batch: &Batch) {
        let bytes = self.buffer.len();
        self.space.wrote(bytes as u64);
        if let Some(on_commit) = &self.options.on_commit {
            let ahead_us = self.frames.end.head.received.0.saturating_sub(self.options.clock.now().0);
            let ahead = Duration::from_micros(u64::try_from(ahead_us).unwrap_or(0));
            on_commit(CommitStats { records: batch.records.len(), bytes, took: started.elapsed(), ahead });
        }
    }

    fn until_tick(&self) -> Duration {
        let now = self.options.clock.elapsed();
        self.last_tick.map_or(Duration::ZERO, |at| self.options.tick.saturating_sub(now.saturating_sub(at)))
    }

    pub(crate) fn commit(&mut self, submissions: &mut VecDeque<Submission>) -> Result<Batch, Failure> {
        let now = self.received.judge(self.options.clock.now(), self.options.clock.elapsed());
        let control_stands = self.commit_control(submissions, now.time).map_err(|e| Failure::new(&e, false))?;
        let mut records = Vec::with_capacity(submissions.iter().map(|s| s.records.len()).sum::<usize>() + 1);
        for submission in submissions.iter_mut() {
            records.append(&mut submission.records);
        }
        if self.until_tick().is_zero() {
            records.push(Record::tick(now.time));
            self.last_tick = Some(self.options.clock.elapsed());
        }
        let mut received = self.frames.end.head.received;
        // What was stamped while the clock was wrong may be committed when it is right again.
        let latest = now.latest();
        for record in &mut records {
            received = received.max(record.received.min(latest));
            record.received = received;
        }
        received = received.max(now.time);
        self.commit_frames(records, received).map_err(|e| Failure::new(&e, control_stands))
    }

    /// Refuses the submissions whose control records do not continue the stream; says whether any was written.
    fn commit_control(&mut self, submissions: &mut VecDeque<Submission>, now: Timestamp) -> Result<bool, Unwritten> {
        let mut last_seq = self.control.end.head.control_seq;
        let mut records: Vec<(ControlRecord, Bytes)> = Vec::new();
        for submission in submissions.iter_mut() {
            if submission.control.iter().zip(last_seq + 1..).all(|((record, _), expected)| record.seq == expected) {
                last_seq += submission.control.len() as u64;
                records.extend(submission.control.iter().cloned());
            } else {
                submission.refuse(AppendError::Failed(format!("control records do not continue {last_seq}")));
            }
        }
        if records.is_empty() {
            return Ok(false);
        }
        let recorded_at = self.control.end.head.received.max(now);
        let header = self.control.header(Stream::Control, last_seq, recorded_at, records.len());
        self.buffer.clear();
        let mut writer = EnvelopeWriter::begin(&mut self.buffer, self.control.end.head.next_seq, &header);
        for (_, raw) in &records {
            writer.record(&Record { kind: Kind::Control, raw: raw.clone(), ..Record::tick(recorded_at) });
        }
        let hash = writer.finish();
        self.control.end.append(&self.buffer, recorded_at.china_day())?;
        self.control.advance(hash, last_seq, recorded_at);
        self.pending.extend(records.into_iter().map(|(record, _)| ControlRecord { recorded_at, ..record }));
        Ok(true)
    }

    fn commit_frames(&mut self, records: Vec<Record>, received: Timestamp) -> Result<Batch, Unwritten> {
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
        self.frames.end.append(&self.buffer, received.china_day())?;
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

    /// Reports when the disk fills up.
    fn look_at_space(&mut self) -> Result<(), State> {
        match self.space.look(&self.options) {
            Some(free_bytes) if free_bytes < self.options.stop_bytes => Err(State::SpaceOut { free_bytes }),
            Some(free_bytes) if free_bytes < self.options.low_bytes => {
                if !matches!(self.told, State::SpaceLow { .. }) {
                    tracing::warn!(free_bytes, "the disk is filling up");
                    self.tell(&State::SpaceLow { free_bytes });
                }
                Ok(())
            }
            Some(_) => {
                self.tell(&State::Working);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Drop for Committer {
    /// Should the thread die, nobody is left waiting.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.queue.fail(AppendError::Failed("the committer died".into()));
        }
    }
}
