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

    /// Whether an envelope of this chain follows at or after `offset`: then what is broken before it is no torn tail.
    /// Frames hold bytes that strangers choose, so a follower must name a writer that they cannot guess: one of
    /// `writers`, as itself or as its predecessor.
    pub(crate) fn is_followed(&self, mut offset: u64, writers: &[&[u8]]) -> io::Result<bool> {
        let mut bytes = vec![0; WINDOW];
        while offset < self.length {
            let read = self.file.read_at(&mut bytes, offset)?;
            let chunk = &bytes[..read];
            for at in (0..read.saturating_sub(PRELUDE - 1)).filter(|at| chunk[*at..].starts_with(&MAGIC)) {
                let Ok(prelude) = Prelude::read(&chunk[at..]) else { continue };
                let place = Place { offset: offset + at as u64, prelude };
                if prelude.seq >= self.next_seq && place.end() <= self.length && self.belongs(place, writers) {
                    return Ok(true);
                }
            }
            if read < PRELUDE {
                break;
            }
            offset += (read - PRELUDE + 1) as u64;
        }
        Ok(false)
    }

    fn belongs(&self, place: Place, writers: &[&[u8]]) -> bool {
        let Ok(envelope) = self.read(place) else { return false };
        let (writer, predecessor) = (&envelope.header.writer[..], &envelope.header.predecessor[..]);
        writers.is_empty() || writers.iter().any(|known| *known == writer || *known == predecessor)
    }

    /// Reads on to the end, checking every envelope only as far as it is needed to find where the good part ends.
    /// The last whole envelope comes with it.
    pub(crate) fn find_end(&mut self) -> Result<End, EndError> {
        let (mut before, mut last): (Option<Place>, Option<Place>) = (None, None);
        let torn = loop {
            match self.next_prelude() {
                Ok(Some(place)) => (before, last) = (last, Some(place)),
                Ok(None) => break None,
                Err(ScanError::Envelope(error)) => break Some(error),
                Err(ScanError::Io(error)) => return Err(error.into()),
            }
        };
        let last = last.map(|place| (place, self.read(place)));
        match (last, torn) {
            (None, torn) => self.end_at(None, self.offset, torn),
            (Some((_, Ok(envelope))), torn) => self.end_at(Some(envelope), self.offset, torn),
            (Some((_, Err(ScanError::Io(error)))), _) => Err(error.into()),
            // One batch is in flight at a time: what lies before a torn envelope was durable, so it is broken.
            (Some((place, Err(ScanError::Envelope(error)))), Some(_)) => Err(self.broken_at(place, &error).into()),
            (Some((place, Err(ScanError::Envelope(error)))), None) if !error.is_torn() => {
                Err(self.broken_at(place, &error).into())
            }
            (Some((place, Err(ScanError::Envelope(_)))), None) => {
                self.next_seq = place.prelude.seq;
                let envelope = match before.map(|before| (before, self.read(before))) {
                    None => None,
                    Some((_, Ok(envelope))) => Some(envelope),
                    Some((_, Err(ScanError::Io(error)))) => return Err(error.into()),
                    Some((before, Err(ScanError::Envelope(error)))) => {
                        return Err(self.broken_at(before, &error).into());
                    }
                };
                Ok(End { last: envelope, offset: place.offset })
            }
        }
    }

    /// What stands after `offset` is nothing, or a torn tail, or the chain is broken there.
    fn end_at(&self, last: Option<Envelope>, offset: u64, torn: Option<EnvelopeError>) -> Result<End, EndError> {
        // A prelude that is whole with a body beyond the end of the file is a write that was cut short: nothing can
        // follow it.
        if let Some(error) = torn.filter(|error| *error != EnvelopeError::Cut) {
            let header_writer = self.header.map(|header| header.writer).unwrap_or_default();
            let mut writers: Vec<&[u8]> = Vec::new();
            if header_writer != [0; 16] {
                writers.push(&header_writer);
            }
            writers.extend(last.as_ref().map(|envelope| &envelope.header.writer[..]));
            if self.is_followed(offset, &writers)? {
                return Err(self.broken(0, error.to_string()).into());
            }
        }
        Ok(End { last, offset })
    }

    fn broken_at(&self, place: Place, error: &EnvelopeError) -> Broken {
        let record = if let EnvelopeError::Record { index, .. } = error { Some(*index) } else { None };
        Broken { offset: place.offset, record, ..self.broken(place.prelude.seq, error.to_string()) }
    }
}

/// Where the good part of a segment ends.
pub(crate) struct End {
    /// The last whole envelope.
    pub last: Option<Envelope>,
    /// The first byte after it.
    pub offset: u64,
}

/// Why the end of a segment cannot be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Broken(#[from] Broken),
}
