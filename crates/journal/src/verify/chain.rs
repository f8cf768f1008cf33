//! One chain from its first segment to its end: every checksum, every hash, every link.

use std::path::Path;

use model::Timestamp;

use super::VerifyError;
use crate::change_codec;
use crate::disk::Disk;
use crate::hash::{Algorithm, GENESIS, Hash};
use crate::reader::{Decoded, ReadError, decode, segments};
use crate::segment::{Broken, Stream};
use crate::source::{Segment, Stored, Walk};

/// Where a chain stands while it is walked, and what was counted.
pub(super) struct Chain<'a> {
    stream: Stream,
    /// Told of every envelope: sequence, hash.
    visit: &'a mut dyn FnMut(u64, Hash) -> Result<(), VerifyError>,
    pub first_seq: u64,
    /// Hash of the envelope before the first that is there.
    pub before: Hash,
    pub next_seq: u64,
    pub hash: Hash,
    writer: Vec<u8>,
    next_writer_seq: u64,
    received: Timestamp,
    pub control_seq: u64,
    pub envelopes: u64,
    pub records: u64,
    pub writers: u64,
    pub torn_bytes: u64,
    pub packed_segments: u64,
    algorithm: Option<Algorithm>,
}

fn failed(error: ReadError) -> VerifyError {
    match error {
        ReadError::Broken(broken) => VerifyError::Broken(broken),
        error => VerifyError::Open(crate::source::to_open_error(error)),
    }
}

impl<'a> Chain<'a> {
    pub(super) fn walk(
        disk: &dyn Disk,
        journal: &Path,
        stream: Stream,
        visit: &'a mut dyn FnMut(u64, Hash) -> Result<(), VerifyError>,
    ) -> Result<Self, VerifyError> {
        let segments = segments(disk, journal, stream)?;
        let mut chain = Self {
            stream,
            visit,
            first_seq: 1,
            before: GENESIS,
            next_seq: 1,
            hash: GENESIS,
            writer: Vec::new(),
            next_writer_seq: 0,
            received: Timestamp::MIN,
            control_seq: 0,
            envelopes: 0,
            records: 0,
            writers: 0,
            torn_bytes: 0,
            packed_segments: 0,
            algorithm: None,
        };
        let count = segments.len();
        for (index, (first, path)) in segments.into_iter().enumerate() {
            chain.segment(disk, &path, first, index == 0, index + 1 == count)?;
        }
        Ok(chain)
    }

    fn segment(
        &mut self,
        disk: &dyn Disk,
        path: &Path,
        first: u64,
        is_first: bool,
        is_last: bool,
    ) -> Result<(), VerifyError> {
        let segment = Segment::open(disk, path).map_err(failed)?;
        let header = segment.header;
        if header.first_seq != first || header.stream != self.stream.number() {
            let reason = "the header of the segment names another place".to_owned();
            return Err(VerifyError::Broken(segment.broken(0, first, None, reason)));
        }
        if is_first {
            // Retention takes whole segments from the front; the chain is checked from the first that is there.
            (self.first_seq, self.next_seq, self.before) = (first, first, header.previous);
            (self.hash, self.writer) = (header.previous, header.writer.to_vec());
        } else if first != self.next_seq {
            let reason = format!("a segment is missing: envelopes {} to {}", self.next_seq, first.wrapping_sub(1));
            return Err(VerifyError::Broken(segment.broken(0, self.next_seq, None, reason)));
        } else if header.previous != self.hash {
            let reason = "the segment does not continue the one before it: one of the two was changed".to_owned();
            return Err(VerifyError::Broken(segment.broken(0, first, None, reason)));
        }
        // Where the good part of the last segment ends is decided as a start would decide it. When something before
        // the end is broken, the walk below finds the first such thing.
        let end = match segment.end(is_last) {
            Ok(end) => end,
            Err(ReadError::Broken(_)) => segment.length,
            Err(error) => return Err(failed(error)),
        };
        self.torn_bytes += segment.length - end;
        self.packed_segments += u64::from(segment.is_packed);
        self.algorithm = None;
        let start = segment.start();
        let mut walk = segment.walk(start, end);
        while let Some(stored) = walk.next().map_err(failed)? {
            let decoded = decode(&walk.segment, &stored).map_err(failed)?;
            self.envelope(&walk, &stored, &decoded)?;
        }
        Ok(())
    }

    fn envelope(&mut self, walk: &Walk, stored: &Stored, decoded: &Decoded) -> Result<(), VerifyError> {
        let broken = |record: Option<u32>, reason: String| {
            VerifyError::Broken(walk.segment.broken(stored.offset, stored.seq, record, reason))
        };
        let header = &decoded.header;
        if header.previous[..] != self.hash[..] {
            let reason = "it does not continue the envelope before it: one of the two was changed".to_owned();
            return Err(broken(None, reason));
        }
        if header.stream != i32::from(self.stream.number()) {
            return Err(broken(None, "it belongs to the other chain".into()));
        }
        let algorithm = Algorithm::from_pb(header.algorithm);
        if self.algorithm.is_some() && self.algorithm != algorithm {
            return Err(broken(None, "another hash function within one segment".into()));
        }
        self.algorithm = algorithm;
        self.writer(header).map_err(|reason| broken(None, reason))?;
        if header.control_seq < self.control_seq {
            return Err(broken(None, "control goes backwards".into()));
        }
        for (index, record) in decoded.records.iter().enumerate() {
            let index = Some(index as u32);
            if record.received < self.received {
                return Err(broken(index, "received before the record before it".into()));
            }
            self.received = record.received;
            if self.stream == Stream::Control {
                let control = change_codec::decode(record.raw.clone(), record.received);
                let control = control.map_err(|e| broken(index, e.to_string()))?;
                if control.seq != self.control_seq + 1 {
                    return Err(broken(index, format!("control record {} is missing", self.control_seq + 1)));
                }
                self.control_seq = control.seq;
            }
        }
        self.control_seq = header.control_seq;
        self.hash = decoded.hash;
        self.next_seq = stored.seq + 1;
        self.envelopes += 1;
        self.records += decoded.records.len() as u64;
        (self.visit)(stored.seq, decoded.hash)
    }

    fn writer(&mut self, header: &crate::proto::journal::Header) -> Result<(), String> {
        if header.writer_seq == 0 {
            if !self.writer.iter().all(|b| *b == 0) && header.predecessor[..] != self.writer[..] {
                return Err("its writer names another predecessor: a fork, as after a restored backup".into());
            }
            self.writers += 1;
        } else if header.writer[..] != self.writer[..]
            || (self.envelopes > 0 && header.writer_seq != self.next_writer_seq)
        {
            return Err(format!("number {} of its writer is missing", self.next_writer_seq));
        }
        self.writer = header.writer.to_vec();
        self.next_writer_seq = header.writer_seq + 1;
        Ok(())
    }
}

/// The control chain ends before what the frames name.
pub(super) fn control_is_cut(journal: &Path, control: &Chain<'_>, frames: &Chain<'_>) -> Option<Broken> {
    (frames.control_seq > control.control_seq).then(|| Broken {
        file: journal.join(Stream::Control.folder()).display().to_string(),
        offset: 0,
        seq: control.next_seq,
        record: None,
        reason: format!(
            "the control chain ends at record {}, but frames name record {}",
            control.control_seq, frames.control_seq
        ),
    })
}
