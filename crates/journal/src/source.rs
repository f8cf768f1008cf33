//! One segment file of either form, read as a row of envelopes: forwards in large pieces, or backwards run by run.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};

use crate::disk::{Disk, DiskFile};
use crate::envelope::{EnvelopeError, PRELUDE, Prelude};
use crate::hash::Hash;
use crate::packed::{self, BLOCK_PRELUDE, BlockPrelude};
use crate::reader::ReadError;
use crate::scan::{EndError, Scan};
use crate::segment::{Broken, OpenError, SEGMENT_HEADER, SegmentHeader, io_error};

/// How much of a plain segment is read at once, and how long its runs are.
pub(crate) const PIECE: usize = 1 << 20;

/// An envelope as it is stored, unpacked.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub seq: u64,
    /// Where it (or its block) begins in the file.
    pub offset: u64,
    pub body: Bytes,
    /// Known when it was unpacked: it was needed for that.
    pub hash: Option<Hash>,
}

/// A row of envelopes that is read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub offset: u64,
    pub first_seq: u64,
}

/// A segment file that is being read. The file may grow meanwhile; only what was there at the start is read.
pub(crate) struct Segment {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    pub header: SegmentHeader,
    pub is_packed: bool,
    pub length: u64,
}

impl Segment {
    /// Opens a file and reads its header.
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> Result<Self, ReadError> {
        let failed = |e| ReadError::from(io_error("read", path, e));
        let file = disk.open_read(path).map_err(|e| io_error("open", path, e))?;
        let length = file.len().map_err(failed)?;
        let mut bytes = [0; SEGMENT_HEADER];
        let read = file.read_at(&mut bytes, 0).map_err(failed)?;
        let found = if read == SEGMENT_HEADER {
            let plain = SegmentHeader::decode(&bytes).map(|header| (header, false));
            plain.or_else(|| packed::decode_header(&bytes).map(|header| (header, true)))
        } else {
            None
        };
        let Some((header, is_packed)) = found else {
            let reason = "the header of the segment is damaged".into();
            return Err(ReadError::Broken(broken_at(path, 0, first_seq(path), None, reason)));
        };
        Ok(Self { file, path: path.to_path_buf(), header, is_packed, length })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The 80 bytes at the beginning.
    pub(crate) fn header_bytes(&self) -> Result<[u8; SEGMENT_HEADER], ReadError> {
        let mut bytes = [0; SEGMENT_HEADER];
        self.file.read_at(&mut bytes, 0).map_err(|e| io_error("read", &self.path, e))?;
        Ok(bytes)
    }

    /// Where the good part ends: of the last segment of a chain as a start would decide it, of others at the end of
    /// the file.
    pub(crate) fn end(&self, is_last: bool) -> Result<u64, ReadError> {
        if !is_last || self.is_packed {
            return Ok(self.length);
        }
        let failed = |e| ReadError::from(io_error("read", &self.path, e));
        let mut scan = Scan::open(&*self.file, &self.path).map_err(failed)?;
        match scan.find_end() {
            Ok(end) => Ok(end.offset.min(self.length)),
            Err(EndError::Io(error)) => Err(failed(error)),
            Err(EndError::Broken(broken)) => Err(ReadError::Broken(broken)),
        }
    }

    pub(crate) fn broken(&self, offset: u64, seq: u64, record: Option<u32>, reason: String) -> Broken {
        broken_at(&self.path, offset, seq, record, reason)
    }

    /// What is wrong with an envelope, as an error that names it.
    pub(crate) fn damaged(&self, offset: u64, seq: u64, error: &EnvelopeError) -> ReadError {
        let record = if let EnvelopeError::Record { index, .. } = error { Some(*index) } else { None };
        ReadError::Broken(self.broken(offset, seq, record, error.to_string()))
    }

    /// The first run.
    pub(crate) const fn start(&self) -> Run {
        Run { offset: SEGMENT_HEADER as u64, first_seq: self.header.first_seq }
    }

    /// Walks on from a run, up to `end`.
    pub(crate) fn walk(self, from: Run, end: u64) -> Walk {
        let (offset, next_seq) = (from.offset, from.first_seq);
        Walk { segment: self, offset, next_seq, end, piece: Bytes::new(), piece_at: 0, ready: VecDeque::new() }
    }
}

/// The sequence that a file's name promises.
fn first_seq(path: &Path) -> u64 {
    path.file_stem().and_then(|name| name.to_str()?.parse().ok()).unwrap_or(0)
}

fn broken_at(path: &Path, offset: u64, seq: u64, record: Option<u32>, reason: String) -> Broken {
    Broken { file: path.display().to_string(), offset, seq, record, reason }
}

/// A place in a segment that moves forwards.
pub(crate) struct Walk {
    pub segment: Segment,
    offset: u64,
    next_seq: u64,
    end: u64,
    piece: Bytes,
    piece_at: u64,
    /// Unpacked, not yet given.
    ready: VecDeque<Stored>,
}

impl Walk {
    /// Where the next envelope is; of a packed segment, where the next block is.
    pub(crate) const fn here(&self) -> Run {
        Run { offset: self.offset, first_seq: self.next_seq }
    }

    /// Back to a place that [`Walk::here`] gave.
    pub(crate) fn go_back(&mut self, to: Run) {
        (self.offset, self.next_seq) = (to.offset, to.first_seq);
        self.ready.clear();
    }

    pub(crate) const fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The next envelope; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Stored>, ReadError> {
        loop {
            if let Some(stored) = self.ready.pop_front() {
                self.next_seq = stored.seq + 1;
                return Ok(Some(stored));
            }
            if self.offset >= self.end {
                return Ok(None);
            }
            if !self.segment.is_packed {
                return self.next_plain().map(Some);
            }
            let (block, start) = self.block()?;
            if block.count == 0 {
                self.offset = self.end;
            } else {
                self.unpack(&block, start)?;
            }
        }
    }

    /// Moves on until the next envelope is `seq`, or the end.
    pub(crate) fn skip_to(&mut self, seq: u64) -> Result<(), ReadError> {
        while self.next_seq < seq && (self.offset < self.end || !self.ready.is_empty()) {
            if self.ready.pop_front().is_some() {
                self.next_seq += 1;
            } else if !self.segment.is_packed {
                let prelude = self.prelude()?;
                self.offset += PRELUDE as u64 + u64::from(prelude.stored);
                self.next_seq += 1;
            } else {
                let (block, start) = self.block()?;
                if block.count == 0 {
                    self.offset = self.end;
                } else if block.first_seq + u64::from(block.count) <= seq {
                    self.offset = start + u64::from(block.stored);
                    self.next_seq = block.first_seq + u64::from(block.count);
                } else {
                    self.unpack(&block, start)?;
                }
            }
        }
        Ok(())
    }

    /// The runs from here on, each with the received time of its first envelope, us; the walk ends.
    pub(crate) fn runs(&mut self) -> Result<Vec<(Run, i64)>, ReadError> {
        let mut runs: Vec<(Run, i64)> = Vec::new();
        while self.offset < self.end {
            let run = Run { offset: self.offset, first_seq: self.next_seq };
            if self.segment.is_packed {
                let (block, start) = self.block()?;
                if block.count > 0 {
                    runs.push((run, block.received_us));
                }
                self.offset = start + u64::from(block.stored);
                self.next_seq = block.first_seq + u64::from(block.count);
                continue;
            }
            if runs.last().is_none_or(|(last, _)| self.offset - last.offset >= PIECE as u64) {
                let stored = self.next_plain()?;
                runs.push((run, self.received_us(&stored)?));
            } else {
                self.skip_to(run.first_seq + 1)?;
            }
        }
        Ok(runs)
    }

    fn received_us(&self, stored: &Stored) -> Result<i64, ReadError> {
        let opened = crate::decode::open_body(&stored.body);
        let opened = opened.map_err(|error| self.segment.damaged(stored.offset, stored.seq, &error))?;
        Ok(opened.header.first_received_us)
    }

    fn next_plain(&mut self) -> Result<Stored, ReadError> {
        let (seq, offset) = (self.next_seq, self.offset);
        let prelude = self.prelude()?;
        let length = PRELUDE + prelude.stored as usize;
        let bytes = self.bytes(offset, length)?.slice(PRELUDE..);
        if prelude.codec != 0 {
            return Err(self.segment.damaged(offset, seq, &EnvelopeError::Codec(prelude.codec)));
        }
        self.offset += length as u64;
        self.next_seq += 1;
        Ok(Stored { seq, offset, body: bytes, hash: None })
    }

    fn prelude(&mut self) -> Result<Prelude, ReadError> {
        let (seq, offset) = (self.next_seq, self.offset);
        let room = (self.end - offset).min(PRELUDE as u64) as usize;
        let bytes = self.bytes(offset, room)?;
        let prelude = Prelude::read(&bytes).and_then(|prelude| {
            let ends = offset + PRELUDE as u64 + u64::from(prelude.stored);
            let error = if prelude.seq != seq { Some(EnvelopeError::Prelude) } else { None };
            error.or((ends > self.end).then_some(EnvelopeError::Cut)).map_or(Ok(prelude), Err)
        });
        prelude.map_err(|error| self.segment.damaged(offset, seq, &error))
    }

    /// The block that begins here, and where its content does.
    fn block(&mut self) -> Result<(BlockPrelude, u64), ReadError> {
        let offset = self.offset;
        let room = (self.end - offset).min(BLOCK_PRELUDE as u64) as usize;
        let bytes = self.bytes(offset, room)?;
        let start = offset + BLOCK_PRELUDE as u64;
        let block = BlockPrelude::read(&bytes).filter(|block| block.first_seq == self.next_seq);
        let reason = match block {
            None => "no packed block begins here",
            Some(block) if start + u64::from(block.stored) > self.end => "the file ends inside the packed block",
            Some(block) if block.count == 0 && start + u64::from(block.stored) != self.end => {
                "there are bytes after the last packed block"
            }
            Some(block) if block.count > 0 && start + u64::from(block.stored) == self.end => {
                "the packed segment is not whole"
            }
            Some(block) => return Ok((block, start)),
        };
        Err(ReadError::Broken(self.segment.broken(offset, self.next_seq, None, reason.into())))
    }

    fn unpack(&mut self, block: &BlockPrelude, start: u64) -> Result<(), ReadError> {
        let stored = self.bytes(start, block.stored as usize)?;
        let offset = self.offset;
        let envelopes = block
            .unpack(&stored)
            .map_err(|reason| ReadError::Broken(self.segment.broken(offset, block.first_seq, None, reason)))?;
        let number = |(seq, unpacked): (u64, packed::Unpacked)| Stored {
            seq,
            offset,
            body: unpacked.body,
            hash: Some(unpacked.hash),
        };
        self.ready.extend((block.first_seq..).zip(envelopes).map(number));
        self.offset = start + u64::from(block.stored);
        Ok(())
    }

    /// Bytes of the file, through the piece that is at hand. The caller has looked that they are within the end.
    fn bytes(&mut self, offset: u64, length: usize) -> Result<Bytes, ReadError> {
        let inside = |at: u64, piece: &Bytes| {
            let skip = usize::try_from(offset.checked_sub(at)?).ok()?;
            (skip + length <= piece.len()).then(|| piece.slice(skip..skip + length))
        };
        if let Some(bytes) = inside(self.piece_at, &self.piece) {
            return Ok(bytes);
        }
        let room = usize::try_from(self.end - offset).unwrap_or(usize::MAX);
        let mut buffer = BytesMut::zeroed(length.max(PIECE).min(room));
        let read = self.segment.file.read_at(&mut buffer, offset);
        let read = read.map_err(|e| io_error("read", &self.segment.path, e))?;
        if read < length {
            let error = io::Error::from(io::ErrorKind::UnexpectedEof);
            return Err(io_error("read", &self.segment.path, error).into());
        }
        buffer.truncate(read);
        (self.piece, self.piece_at) = (buffer.freeze(), offset);
        Ok(self.piece.slice(..length))
    }
}

/// Reads single runs of a segment, newest first.
pub(crate) struct Backwards(Walk);

impl Backwards {
    pub(crate) const fn new(walk: Walk) -> Self {
        Self(walk)
    }

    /// The envelopes of a run up to the one before `before`, newest first.
    pub(crate) fn run(&mut self, run: Run, before: u64) -> Result<Vec<Stored>, ReadError> {
        let walk = &mut self.0;
        walk.go_back(run);
        let mut stored = Vec::new();
        while walk.next_seq < before
            && let Some(envelope) = walk.next()?
        {
            stored.push(envelope);
        }
        stored.reverse();
        Ok(stored)
    }

    pub(crate) const fn segment(&self) -> &Segment {
        &self.0.segment
    }
}

/// An error of reading as one of opening, for those who give no other.
pub(crate) fn to_open_error(error: ReadError) -> OpenError {
    match error {
        ReadError::Open(error) => error,
        ReadError::Broken(broken) => OpenError::Broken(broken),
        ReadError::Control(error) => OpenError::Control(error),
        ReadError::Gone { asked, first } => OpenError::Broken(Broken {
            file: String::new(),
            offset: 0,
            seq: asked,
            record: None,
            reason: format!("the journal begins at {first}"),
        }),
    }
}
