//! The committer: the one thread that writes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use model::{ControlRecord, Position, Timestamp};

use crate::envelope::EnvelopeWriter;
use crate::hash::Hash;
use crate::landing::{AppendError, Committed, Submission};
use crate::options::{CommitStats, Options};
use crate::proto::journal as pb;
use crate::queue::Queue;
use crate::record::{Batch, Kind, Record};
use crate::segment::{ChainEnd, Stream};
use crate::writer::Watermark;

/// One chain with the writer that continues it.
pub(crate) struct ChainWriter {
    pub end: ChainEnd,
    pub writer: [u8; 16],
    pub writer_seq: u64,
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
        self.writer_seq += 1;
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
    pub last_tick: Option<Instant>,
    pub buffer: BytesMut,
    pub options: Options,
}

impl Committer {
    pub(crate) fn run(&mut self) {
        loop {
            let Some(mut submissions) = self.gather() else { return };
            let started = Instant::now();
            if crate::sabotage::is_active("answer-before-commit") {
                let position = Position { shard: 0, seq: self.frames.end.head.next_seq };
                for submission in &mut submissions {
                    submission.land(Ok(Committed { position, received: self.options.clock.now() }));
                }
                self.queue.flush();
                std::thread::sleep(Duration::from_millis(20));
            }
            match self.commit(&mut submissions) {
                Ok(batch) => {
                    self.report(started, &batch);
                    self.land(submissions, &batch);
                    if self.feed.send(batch).is_err() {
                        self.fail(&AppendError::Failed("nobody reads the feed any more".into()), Vec::new());
                    }
                }
                Err(error) => self.fail(&error, submissions),
            }
        }
    }

    /// Answers come before the feed, whose reader may lag.
    fn land(&self, submissions: Vec<Submission>, batch: &Batch) {
        self.watermark.0.store(batch.position.seq, Ordering::Release);
        let weight = submissions.iter().map(|submission| submission.weight).sum();
        for mut submission in submissions {
            let received = if submission.control.is_empty() { batch.received } else { self.control.end.head.received };
            submission.land(Ok(Committed { position: batch.position, received }));
        }
        self.queue.flush();
        self.queue.release(weight);
    }

    fn report(&self, started: Instant, batch: &Batch) {
        if let Some(on_commit) = &self.options.on_commit {
            on_commit(CommitStats { records: batch.records.len(), bytes: self.buffer.len(), took: started.elapsed() });
        }
    }

    /// Waits for something to do; `None` ends the thread.
    fn gather(&self) -> Option<Vec<Submission>> {
        if self.queue.failure().is_some() {
            self.queue.closed();
            return None;
        }
        self.queue.take(self.options.batch_bytes_max, || self.until_tick())
    }

    /// By a clock that cannot be set back: ticks are never further apart than they should be.
    fn until_tick(&self) -> Duration {
        self.last_tick.map_or(Duration::ZERO, |at| self.options.tick.saturating_sub(at.elapsed()))
    }

    fn commit(&mut self, submissions: &mut [Submission]) -> Result<Batch, AppendError> {
        let now = self.options.clock.now();
        self.commit_control(submissions, now)?;
        let mut records = Vec::with_capacity(submissions.iter().map(|s| s.records.len()).sum::<usize>() + 1);
        for submission in submissions.iter_mut() {
            records.append(&mut submission.records);
        }
        if self.until_tick().is_zero() {
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
        let mut lost = submissions;
        lost.extend(self.queue.fail(error.clone()));
        let weight = lost.iter().map(|submission| submission.weight).sum();
        for mut submission in lost {
            submission.land(Err(error.clone()));
        }
        self.queue.flush();
        self.queue.release(weight);
    }
}

/// After a failed write or fsync nobody knows what is on disk; the handle is never used again.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unknown(error: io::Error) -> AppendError {
    AppendError::Unknown(error.to_string())
}
