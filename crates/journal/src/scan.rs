//! Reading one segment file: from prelude to prelude, and bodies on demand.

use std::io;
use std::path::Path;

use bytes::BytesMut;

use crate::disk::DiskFile;
use crate::envelope::{self, Envelope, EnvelopeError, MAGIC, PRELUDE, Prelude};
use crate::segment::{Broken, SEGMENT_HEADER, SegmentHeader};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ScanError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
}

/// Where an envelope lies in its file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub offset: u64,
    pub prelude: Prelude,
}

impl Place {
    pub(crate) const fn end(&self) -> u64 {
        self.offset + PRELUDE as u64 + self.prelude.stored as u64
    }
}

/// A segment file that is being read. The file may grow meanwhile; only what was there at the start is read.
pub(crate) struct Scan<'a> {
    file: &'a dyn DiskFile,
    name: String,
    length: u64,
    offset: u64,
    next_seq: u64,
    pub header: Option<SegmentHeader>,
    window: BytesMut,
    window_start: u64,
}

/// How much is read ahead while walking.
const WINDOW: usize = 1 << 20;

impl<'a> Scan<'a> {
    pub(crate) fn open(file: &'a dyn DiskFile, path: &Path) -> io::Result<Self> {
        let mut bytes = [0; SEGMENT_HEADER];
        let read = file.read_at(&mut bytes, 0)?;
        let header = if read == SEGMENT_HEADER { SegmentHeader::decode(&bytes) } else { None };
        Ok(Self {
            file,
            name: path.display().to_string(),
            length: file.len()?,
            offset: SEGMENT_HEADER as u64,
            next_seq: header.map_or(0, |h| h.first_seq),
            header,
            window: BytesMut::new(),
            window_start: 0,
        })
    }

    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    pub(crate) const fn next_seq(&self) -> u64 {
        self.next_seq
    }

    pub(crate) fn broken(&self, seq: u64, reason: String) -> Broken {
        let seq = if seq == 0 { self.next_seq } else { seq };
        Broken { file: self.name.clone(), offset: self.offset, seq, record: None, reason }
    }

    pub(crate) fn no_header(&self, seq: u64) -> Broken {
        Broken { offset: 0, ..self.broken(seq, "the header of the segment is damaged".into()) }
    }

    /// The next envelope's place, `None` at a clean end.
    pub(crate) fn next_prelude(&mut self) -> Result<Option<Place>, ScanError> {
        if self.offset >= self.length {
            return Ok(None);
        }
        let mut bytes = [0; PRELUDE];
        let read = self.read_window(&mut bytes, self.offset)?;
        let prelude = Prelude::read(&bytes[..read])?;
        let place = Place { offset: self.offset, prelude };
        if prelude.seq != self.next_seq {
            return Err(EnvelopeError::Prelude.into());
        }
        if place.end() > self.length {
            return Err(EnvelopeError::Cut.into());
        }
        self.offset = place.end();
        self.next_seq += 1;
        Ok(Some(place))
    }

    /// Reads through a window, because preludes of small envelopes lie close together.
    fn read_window(&mut self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        let inside = |start: u64, len: usize| {
            offset.checked_sub(start).filter(|skip| skip + out.len() as u64 <= len as u64).map(|skip| skip as usize)
        };
        if inside(self.window_start, self.window.len()).is_none() {
            let want = WINDOW.min((self.length - offset.min(self.length)) as usize);
            self.window.resize(want, 0);
            let read = self.file.read_at(&mut self.window, offset)?;
            self.window.truncate(read);
            self.window_start = offset;
        }
        match inside(self.window_start, self.window.len()) {
            Some(skip) => {
                out.copy_from_slice(&self.window[skip..skip + out.len()]);
                Ok(out.len())
            }
            None => self.file.read_at(out, offset),
        }
    }

    /// Reads and checks an envelope.
    pub(crate) fn read(&self, place: Place) -> Result<Envelope, ScanError> {
        let mut body = BytesMut::zeroed(place.prelude.stored as usize);
        if self.file.read_at(&mut body, place.offset + PRELUDE as u64)? < body.len() {
            return Err(EnvelopeError::Cut.into());
        }
        Ok(envelope::read_body(place.prelude, &body.freeze())?)
    }

    /// The envelope before `place`, found by walking from the start.
    pub(crate) fn place_before(&self, place: Place) -> io::Result<Option<Place>> {
        let mut offset = SEGMENT_HEADER as u64;
        let mut before = None;
        while offset < place.offset {
            let mut bytes = [0; PRELUDE];
            let read = self.file.read_at(&mut bytes, offset)?;
            let Ok(prelude) = Prelude::read(&bytes[..read]) else { break };
            let found = Place { offset, prelude };
            offset = found.end();
            before = Some(found);
        }
        Ok(before)
    }

    /// Whether a believable envelope begins anywhere at or after `offset`: then what is broken before it is no torn
    /// tail.
    pub(crate) fn has_envelope_after(&self, mut offset: u64) -> io::Result<bool> {
        let mut bytes = vec![0; WINDOW];
        while offset < self.length {
            let read = self.file.read_at(&mut bytes, offset)?;
            let chunk = &bytes[..read];
            for at in (0..read.saturating_sub(PRELUDE - 1)).filter(|at| chunk[*at..].starts_with(&MAGIC)) {
                if Prelude::read(&chunk[at..]).is_ok_and(|prelude| prelude.seq >= self.next_seq) {
                    let place =
                        Prelude::read(&chunk[at..]).map(|prelude| Place { offset: offset + at as u64, prelude });
                    if place.is_ok_and(|place| place.end() <= self.length && self.read(place).is_ok()) {
                        return Ok(true);
                    }
                }
            }
            if read < PRELUDE {
                break;
            }
            offset += (read - PRELUDE + 1) as u64;
        }
        Ok(false)
    }
}
