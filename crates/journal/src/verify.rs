//! Offline verification: walks both chains, changes nothing, names the first broken record.

use std::path::Path;

use model::Timestamp;

use crate::disk::Disk;
use crate::envelope::{Envelope, EnvelopeError};
use crate::hash::GENESIS;
use crate::scan::{EndError, Place, Scan, ScanError};
use crate::segment::{Broken, OpenError, Stream, io_error, list};
use crate::{change_codec, hash::Hash};

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The first frame envelope that is there: 1, unless retention took what was before.
    pub first_frame_envelope: u64,
    /// Frame envelopes.
    pub frame_envelopes: u64,
    /// Frame records, ticks included.
    pub frame_records: u64,
    /// Control records.
    pub control_records: u64,
    /// Bytes after the last whole envelope: a torn tail, never acknowledged, cut at the next start.
    pub torn_bytes: u64,
    /// Hash of the last frame envelope: publish it, or compare it with one that was published.
    pub frames_head: String,
    /// Hash of the last control envelope.
    pub control_head: String,
    /// Starts of the process that wrote it.
    pub writers: u64,
}

/// Why a verification did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It could not be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A record is broken.
    #[error("first broken record: {0}")]
    Broken(Broken),
}

/// Walks both chains. Without a head from outside to compare with, it proves consistency only: that nothing in the
/// middle was changed, not that nothing was rewritten from some point to the end.
///
/// # Errors
/// With the first broken record, or when the folder cannot be read.
pub fn verify(disk: &dyn Disk, journal: &Path) -> Result<Report, VerifyError> {
    let control = Walk::run(disk, journal, Stream::Control)?;
    let frames = Walk::run(disk, journal, Stream::Frames)?;
    if frames.control_seq > control.control_seq {
        return Err(VerifyError::Broken(Broken {
            file: journal.join(Stream::Control.folder()).display().to_string(),
            offset: 0,
            seq: control.next_seq,
            record: None,
            reason: format!(
                "the control chain ends at record {}, but frames name record {}",
                control.control_seq, frames.control_seq
            ),
        }));
    }
    Ok(Report {
        first_frame_envelope: frames.first_seq,
        frame_envelopes: frames.envelopes,
        frame_records: frames.records,
        control_records: control.records,
        torn_bytes: frames.torn_bytes + control.torn_bytes,
        frames_head: hex::encode(frames.hash),
        control_head: hex::encode(control.hash),
        writers: frames.writers,
    })
}

struct Walk {
    stream: Stream,
    first_seq: u64,
    next_seq: u64,
    hash: Hash,
    writer: Vec<u8>,
    next_writer_seq: u64,
    received: Timestamp,
    control_seq: u64,
    envelopes: u64,
    records: u64,
    writers: u64,
    torn_bytes: u64,
}

impl Walk {
    fn run(disk: &dyn Disk, journal: &Path, stream: Stream) -> Result<Self, VerifyError> {
        let folder = journal.join(stream.folder());
        let segments = list(disk, &folder).map_err(|e| io_error("list", &folder, e))?;
        let mut walk = Self {
            stream,
            first_seq: 1,
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
        };
        let count = segments.len();
        for (index, (first, path)) in segments.into_iter().enumerate() {
            walk.segment(disk, &path, first, index == 0, index + 1 == count)?;
        }
        Ok(walk)
    }

    fn segment(
        &mut self,
        disk: &dyn Disk,
        path: &Path,
        first: u64,
        is_first: bool,
        is_last: bool,
    ) -> Result<(), VerifyError> {
        let file = disk.open_read(path).map_err(|e| io_error("open", path, e))?;
        let mut scan = Scan::open(&*file, path).map_err(|e| io_error("read", path, e))?;
        let header = scan.header.filter(|h| h.first_seq == first && h.stream == self.stream.number());
        let Some(header) = header else {
            return Err(VerifyError::Broken(scan.no_header(first)));
        };
        if is_first {
            // Retention takes whole segments from the front; the chain is checked from the first that is there.
            (self.first_seq, self.next_seq) = (first, first);
            (self.hash, self.writer) = (header.previous, header.writer.to_vec());
        } else if first != self.next_seq {
            let reason = format!("a segment is missing: envelopes {} to {}", self.next_seq, first - 1);
            return Err(VerifyError::Broken(scan.broken(self.next_seq, reason)));
        }
        // Where the good part of the last segment ends is decided as a start would decide it.
        let end = if is_last {
            let mut scan = Scan::open(&*file, path).map_err(|e| io_error("read", path, e))?;
            match scan.find_end() {
                Ok(end) => Some(end.offset),
                Err(EndError::Io(e)) => return Err(io_error("read", path, e).into()),
                // Something before the end is broken: the walk below finds the first such thing.
                Err(EndError::Broken(_)) => None,
            }
        } else {
            None
        };
        while end != Some(scan.offset()) {
            let (offset, seq) = (scan.offset(), scan.next_seq());
            match scan.next_prelude().and_then(|place| place.map(|place| Ok((place, scan.read(place)?))).transpose()) {
                Ok(Some((place, envelope))) => self.envelope(&scan, place, &envelope)?,
                Ok(None) => break,
                Err(ScanError::Io(e)) => return Err(io_error("read", path, e).into()),
                Err(ScanError::Envelope(error)) => {
                    let record = if let EnvelopeError::Record { index, .. } = error { Some(index) } else { None };
                    return Err(VerifyError::Broken(Broken { offset, record, ..scan.broken(seq, error.to_string()) }));
                }
            }
        }
        self.torn_bytes += end.map_or(0, |end| scan.length() - end);
        Ok(())
    }

    fn envelope(&mut self, scan: &Scan<'_>, place: Place, envelope: &Envelope) -> Result<(), VerifyError> {
        let broken = |record: Option<u32>, reason: String| {
            let found = scan.broken(place.prelude.seq, reason);
            VerifyError::Broken(Broken { offset: place.offset, record, ..found })
        };
        let header = &envelope.header;
        if header.previous[..] != self.hash[..] {
            let reason = "it does not continue the envelope before it: one of the two was changed".to_owned();
            return Err(broken(None, reason));
        }
        if header.stream != i32::from(self.stream.number()) {
            return Err(broken(None, "it belongs to the other chain".into()));
        }
        self.writer(header).map_err(|reason| broken(None, reason))?;
        if header.control_seq < self.control_seq {
            return Err(broken(None, "control goes backwards".into()));
        }
        for (index, record) in envelope.records.iter().enumerate() {
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
        self.hash = envelope.hash;
        self.next_seq = place.prelude.seq + 1;
        self.envelopes += 1;
        self.records += envelope.records.len() as u64;
        Ok(())
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
