//! Segment files: one chain of one shard, cut by size and day, named by the sequence of their first envelope.
//!
//! ```text
//! 0  8  "HWSEG001"          16  8  sequence of the first envelope, LE     72  4  0
//! 8  1  stream (1, 2)       24 32  hash of the envelope before it         76  4  CRC32C of the 76 bytes before
//! 9  1  0                   56 16  its writer
//! 10 2  shard, LE           12  4  0
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::BytesMut;
use model::Timestamp;

use crate::disk::{Disk, DiskFile};
use crate::envelope::Envelope;
use crate::hash::{Algorithm, GENESIS, Hash};
use crate::scan::{EndError, Scan};

/// A segment is closed when it grows beyond this, or when the day (GMT+8) turns.
pub const SEGMENT_BYTES_MAX: u64 = 256 << 20;
pub(crate) const SEGMENT_HEADER: usize = 80;
const MAGIC: &[u8; 8] = b"HWSEG001";

/// The two chains of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// Frames and ticks.
    Frames,
    /// Control records.
    Control,
}

impl Stream {
    /// The folder under `DIR/journal`.
    #[must_use]
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Frames => "frames",
            Self::Control => "control",
        }
    }

    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Frames => 1,
            Self::Control => 2,
        }
    }
}

/// The first broken record of a chain, as found while reading.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file} at byte {offset}, envelope {seq}{}: {reason}", record.map_or_else(String::new, |r| format!(", record {r}")))]
pub struct Broken {
    /// The file.
    pub file: String,
    /// Where in it the envelope begins.
    pub offset: u64,
    /// The envelope's sequence.
    pub seq: u64,
    /// The record in it, when it can be told.
    pub record: Option<u32>,
    /// What is wrong.
    pub reason: String,
}

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system refuses.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A record before the end is damaged: nothing is cut away; `hazwatch verify` tells more.
    #[error("the journal is damaged before its end: {0}")]
    Broken(Broken),
    /// A control record that this version cannot read.
    #[error("the control chain cannot be read")]
    Control(#[from] crate::ChangeCodecError),
}

fn end_error(path: &Path, error: EndError) -> OpenError {
    match error {
        EndError::Io(error) => io_error("read", path, error),
        EndError::Broken(broken) => OpenError::Broken(broken),
    }
}

pub(crate) fn io_error(action: &'static str, path: &Path, source: io::Error) -> OpenError {
    OpenError::Io { action, path: path.to_path_buf(), source }
}

/// Where a chain stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub next_seq: u64,
    pub hash: Hash,
    pub writer: [u8; 16],
    pub control_seq: u64,
    pub received: Timestamp,
    /// Of the last envelope; `None` before the first.
    pub algorithm: Option<Algorithm>,
}

impl Head {
    const fn genesis() -> Self {
        Self { next_seq: 1, hash: GENESIS, writer: [0; 16], control_seq: 0, received: Timestamp::MIN, algorithm: None }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub stream: u8,
    pub first_seq: u64,
    pub previous: Hash,
    pub writer: [u8; 16],
}

impl SegmentHeader {
    fn encode(&self) -> [u8; SEGMENT_HEADER] {
        let mut out = [0; SEGMENT_HEADER];
        out[0..8].copy_from_slice(MAGIC);
        out[8] = self.stream;
        out[16..24].copy_from_slice(&self.first_seq.to_le_bytes());
        out[24..56].copy_from_slice(&self.previous);
        out[56..72].copy_from_slice(&self.writer);
        let crc = crc32c::crc32c(&out[..76]);
        out[76..80].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8; SEGMENT_HEADER]) -> Option<Self> {
        let crc = u32::from_le_bytes([bytes[76], bytes[77], bytes[78], bytes[79]]);
        if &bytes[0..8] != MAGIC || crc32c::crc32c(&bytes[..76]) != crc {
            return None;
        }
        Some(Self {
            stream: bytes[8],
            first_seq: u64::from_le_bytes(*bytes[16..].first_chunk()?),
            previous: *bytes[24..].first_chunk()?,
            writer: *bytes[56..].first_chunk()?,
        })
    }
}

pub(crate) fn file_name(first_seq: u64) -> String {
    format!("{first_seq:020}.hwj")
}

/// The segments of a chain with their first sequences, ascending.
pub(crate) fn list(disk: &dyn Disk, folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let names = disk.list(folder)?;
    let parse = |name: String| name.strip_suffix(".hwj")?.parse().ok().map(|seq| (seq, folder.join(&name)));
    Ok(names.into_iter().filter_map(parse).collect())
}

/// Why an envelope did not get into its chain.
#[derive(Debug)]
pub(crate) enum Unwritten {
    /// At least its last byte was not accepted: it is not there, and will not be found.
    Refused(io::Error),
    /// It was written but not synced: it may be found, or not.
    Unsynced(io::Error),
}

/// The end of a chain: the only place that is written to.
pub(crate) struct ChainEnd {
    disk: Arc<dyn Disk>,
    journal: PathBuf,
    folder: PathBuf,
    stream: Stream,
    /// The last segment; none before the first, and after a failure.
    file: Option<Box<dyn DiskFile>>,
    path: Option<PathBuf>,
    /// Of the last segment: what is known to be durable.
    length: u64,
    day: i32,
    /// For new envelopes.
    pub algorithm: Algorithm,
    pub head: Head,
    /// Whether an append failed, so that [`ChainEnd::recover`] comes before the next.
    pub broken: bool,
}

impl ChainEnd {
    /// Opens the chain and finds its end; changes nothing yet.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        journal: &Path,
        stream: Stream,
        algorithm: Algorithm,
    ) -> Result<Self, OpenError> {
        let folder = journal.join(stream.folder());
        disk.make_folder(&folder).map_err(|e| io_error("make", &folder, e))?;
        let segments = list(&*disk, &folder).map_err(|e| io_error("list", &folder, e))?;
        let mut end = Self {
            disk,
            journal: journal.to_path_buf(),
            folder,
            stream,
            file: None,
            path: None,
            length: 0,
            day: i32::MIN,
            algorithm,
            head: Head::genesis(),
            broken: false,
        };
        if let Some((_, path)) = segments.last() {
            let header = end.open_last(path)?;
            if let [.., (_, before), _] = segments.as_slice() {
                end.join(before, &header)?;
            }
        }
        Ok(end)
    }

    fn open_last(&mut self, path: &Path) -> Result<SegmentHeader, OpenError> {
        let mut file = self.disk.open_append(path).map_err(|e| io_error("open", path, e))?;
        // An envelope that was never synced may be whole in the system's memory and not on the disk: after a failed
        // sync it would stay so for ever. What the chain continues from is what the disk returns.
        file.sync().and_then(|()| file.drop_cache()).map_err(|e| io_error("sync", path, e))?;
        let mut scan = Scan::open(&*file, path).map_err(|e| io_error("read", path, e))?;
        let header = scan.header.filter(|header| header.stream == self.stream.number());
        let header = header.ok_or_else(|| OpenError::Broken(scan.no_header(0)))?;
        self.head.next_seq = header.first_seq;
        self.head.hash = header.previous;
        self.head.writer = header.writer;
        let found = scan.find_end().map_err(|e| end_error(path, e))?;
        if let Some(last) = &found.last {
            self.adopt(last);
        }
        self.length = found.offset;
        self.day = if self.head.received == Timestamp::MIN { i32::MIN } else { self.head.received.china_day() };
        self.file = Some(file);
        self.path = Some(path.to_path_buf());
        Ok(header)
    }

    fn adopt(&mut self, last: &Envelope) {
        self.head.next_seq = last.seq + 1;
        self.head.hash = last.hash;
        self.head.writer = last.header.writer.first_chunk().copied().unwrap_or_default();
        self.head.control_seq = last.header.control_seq;
        self.head.algorithm = Algorithm::from_pb(last.header.algorithm);
        self.head.received = last.records.last().map_or(Timestamp(last.header.first_received_us), |r| r.received);
    }

    /// Holds the last segment against the one before it. One that was begun but got no envelope says only where the
    /// chain stands; what was in force is in the one before it.
    fn join(&mut self, before: &Path, last: &SegmentHeader) -> Result<(), OpenError> {
        let file = self.disk.open_read(before).map_err(|e| io_error("open", before, e))?;
        let mut scan = Scan::open(&*file, before).map_err(|e| io_error("read", before, e))?;
        let found = scan.find_end().map_err(|e| end_error(before, e))?;
        let reached = found.last.as_ref().map(|envelope| (envelope.hash, envelope.seq + 1));
        if reached != Some((last.previous, last.first_seq)) {
            return Err(OpenError::Broken(scan.broken(last.first_seq, "the next segment does not continue it".into())));
        }
        if let Some(envelope) = found.last.filter(|_| self.head.received == Timestamp::MIN) {
            self.adopt(&envelope);
        }
        Ok(())
    }

    /// Cuts what follows the good part of the chain; returns how many bytes that were.
    pub(crate) fn cut_torn_tail(&mut self) -> Result<u64, OpenError> {
        let Some(file) = &mut self.file else { return Ok(0) };
        let length = file.len().map_err(|e| io_error("read", &self.folder, e))?;
        if length > self.length {
            file.truncate(self.length).map_err(|e| io_error("cut the torn tail in", &self.folder, e))?;
        }
        Ok(length.saturating_sub(self.length))
    }

    /// After a failed append: cuts what was in flight, because it is not known whether the disk has it although reads
    /// may return it; reads back what is known to be durable; and leaves that file for good, so that the next append
    /// begins a new segment. May be called again when it fails.
    pub(crate) fn recover(&mut self) -> Result<(), OpenError> {
        self.file = None;
        if let Some(path) = &self.path {
            let failed = |e| io_error("cut what was in flight from", path, e);
            let mut file = self.disk.open_append(path).map_err(failed)?;
            if file.len().map_err(failed)? > self.length {
                file.truncate(self.length).map_err(failed)?;
            }
        }
        let found = Self::open(self.disk.clone(), &self.journal, self.stream, self.algorithm)?;
        if found.head != self.head {
            return Err(OpenError::Broken(Broken {
                file: self.path.as_ref().unwrap_or(&self.folder).display().to_string(),
                offset: self.length,
                seq: self.head.next_seq - 1,
                record: None,
                reason: format!("after a failure the disk returns a chain that ends with {}", found.head.next_seq - 1),
            }));
        }
        self.broken = false;
        Ok(())
    }

    /// Appends the bytes of one envelope and makes them durable. The caller moves the head afterwards, or recovers.
    pub(crate) fn append(&mut self, bytes: &BytesMut, day: i32) -> Result<(), Unwritten> {
        let outcome = self.write(bytes, day);
        self.broken = outcome.is_err();
        outcome
    }

    fn write(&mut self, bytes: &BytesMut, day: i32) -> Result<(), Unwritten> {
        let other_algorithm = self.head.algorithm.is_some_and(|algorithm| algorithm != self.algorithm);
        let other_day = day != self.day && self.length > 0;
        if self.file.is_none() || self.length >= SEGMENT_BYTES_MAX || other_day || other_algorithm {
            self.rotate().map_err(Unwritten::Refused)?;
        }
        let file = self.file.as_mut().ok_or_else(|| Unwritten::Refused(io::Error::other("no segment")))?;
        file.append(bytes).map_err(Unwritten::Refused)?;
        if !crate::sabotage::is_active("skip-fsync") {
            file.sync().map_err(Unwritten::Unsynced)?;
        }
        self.day = day;
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let header = SegmentHeader {
            stream: self.stream.number(),
            first_seq: self.head.next_seq,
            previous: self.head.hash,
            writer: self.head.writer,
        };
        let path = self.folder.join(file_name(self.head.next_seq));
        // A file of this name holds no envelope: it was begun by somebody who failed before the first.
        self.file = Some(self.disk.create(&path, &header.encode())?);
        self.path = Some(path);
        self.length = SEGMENT_HEADER as u64;
        Ok(())
    }
}
