//! Reading the journal back: batches in the order in which they took effect.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{ControlRecord, Position, Timestamp};

use crate::disk::Disk;
use crate::envelope::Envelope;
use crate::record::Batch;
use crate::scan::{EndError, Place, Scan, ScanError};
use crate::segment::{Broken, OpenError, Stream, io_error, list};
use crate::{ChangeCodecError, change_codec};

/// Why reading stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refuses, or a segment is damaged.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A damaged envelope.
    #[error("the journal is damaged: {0}")]
    Broken(Broken),
    /// A control record that this version cannot read.
    #[error("the control chain cannot be read")]
    Control(#[from] ChangeCodecError),
    /// The asked place is not in the journal: retention took it, or the views are newer than the journal.
    #[error("the journal holds no envelope {asked}; it begins at {first}")]
    Gone {
        /// What was asked for.
        asked: u64,
        /// What is there.
        first: u64,
    },
}

/// Reads frame batches from a place on, up to what was there when it was opened.
pub struct Reader {
    disk: Arc<dyn Disk>,
    segments: std::vec::IntoIter<(u64, PathBuf)>,
    places: std::vec::IntoIter<Place>,
    open: Option<(Box<dyn crate::DiskFile>, PathBuf)>,
    control: std::iter::Peekable<std::vec::IntoIter<ControlRecord>>,
    next_seq: u64,
    /// The last envelope to read.
    until: u64,
}

impl Reader {
    /// From the envelope after `after` on, to `until` (or the end, when that comes before); of control, what comes
    /// after `control_after`. Of a journal that is written to, only what its opening found may be read: what comes
    /// later may be seen before it is durable.
    ///
    /// # Errors
    /// When the journal cannot be read, or no longer holds that place.
    pub fn open(
        disk: Arc<dyn Disk>,
        journal: &Path,
        after: u64,
        until: u64,
        control_after: u64,
    ) -> Result<Self, ReadError> {
        let folder = journal.join(Stream::Frames.folder());
        let mut segments = list(&*disk, &folder).map_err(|e| io_error("list", &folder, e))?;
        let next_seq = after + 1;
        if let Some((first, _)) = segments.first().filter(|(first, _)| *first > next_seq) {
            return Err(ReadError::Gone { asked: next_seq, first: *first });
        }
        let keep = segments.partition_point(|(first, _)| *first <= next_seq).saturating_sub(1);
        segments.drain(..keep);
        let mut control = read_control(&*disk, journal)?;
        control.retain(|record| record.seq > control_after);
        Ok(Self {
            disk,
            segments: segments.into_iter(),
            places: Vec::new().into_iter(),
            open: None,
            control: control.into_iter().peekable(),
            next_seq,
            until,
        })
    }

    /// The next batch; `None` at the end. A torn tail is the end.
    ///
    /// # Errors
    /// When an envelope is damaged.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, ReadError> {
        loop {
            if let Some(place) = self.places.next() {
                let envelope = self.read(place)?;
                return self.batch(envelope).map(Some);
            }
            let Some((_, path)) = self.segments.next() else { return Ok(None) };
            let file = self.disk.open_read(&path).map_err(|e| io_error("open", &path, e))?;
            let mut places = places(&*file, &path, self.segments.len() == 0)?;
            places.retain(|place| (self.next_seq..=self.until).contains(&place.prelude.seq));
            self.places = places.into_iter();
            self.open = Some((file, path));
        }
    }

    fn read(&self, place: Place) -> Result<Envelope, ReadError> {
        let (file, path) = self.open.as_ref().ok_or(ReadError::Gone { asked: place.prelude.seq, first: 0 })?;
        let scan = Scan::open(&**file, path).map_err(|e| io_error("read", path, e))?;
        scan.read(place).map_err(|e| read_error(e, path, place))
    }

    fn batch(&mut self, envelope: Envelope) -> Result<Batch, ReadError> {
        if envelope.seq != self.next_seq {
            return Err(ReadError::Gone { asked: self.next_seq, first: envelope.seq });
        }
        self.next_seq += 1;
        let control_seq = envelope.header.control_seq;
        let mut control = Vec::new();
        while let Some(record) = self.control.next_if(|record| record.seq <= control_seq) {
            control.push(record);
        }
        Ok(Batch {
            position: Position { shard: 0, seq: envelope.seq },
            hash: envelope.hash,
            control_seq,
            control,
            received: Timestamp(envelope.header.first_received_us),
            records: envelope.records,
        })
    }
}

fn read_error(error: ScanError, path: &Path, place: Place) -> ReadError {
    match error {
        ScanError::Io(e) => io_error("read", path, e).into(),
        ScanError::Envelope(e) => {
            let record = if let crate::EnvelopeError::Record { index, .. } = &e { Some(*index) } else { None };
            ReadError::Broken(Broken {
                file: path.display().to_string(),
                offset: place.offset,
                seq: place.prelude.seq,
                record,
                reason: e.to_string(),
            })
        }
    }
}

/// The envelopes of a segment. What a start would cut from the last one is not among them.
fn places(file: &dyn crate::DiskFile, path: &Path, is_last: bool) -> Result<Vec<Place>, ReadError> {
    let failed = |e| ReadError::from(io_error("read", path, e));
    let mut scan = Scan::open(file, path).map_err(failed)?;
    if scan.header.is_none() {
        return Err(ReadError::Broken(scan.no_header(0)));
    }
    let end = if is_last {
        let mut scan = Scan::open(file, path).map_err(failed)?;
        match scan.find_end() {
            Ok(end) => Some(end.offset),
            Err(EndError::Io(error)) => return Err(failed(error)),
            Err(EndError::Broken(broken)) => return Err(ReadError::Broken(broken)),
        }
    } else {
        None
    };
    let mut places = Vec::new();
    while end != Some(scan.offset()) {
        match scan.next_prelude() {
            Ok(Some(place)) => places.push(place),
            Ok(None) => break,
            Err(ScanError::Io(error)) => return Err(failed(error)),
            Err(ScanError::Envelope(error)) => return Err(ReadError::Broken(scan.broken(0, error.to_string()))),
        }
    }
    Ok(places)
}

/// The hash of one frame envelope; `None` when the journal does not hold it.
///
/// # Errors
/// When it cannot be read.
pub fn envelope_hash(disk: Arc<dyn Disk>, journal: &Path, seq: u64) -> Result<Option<[u8; 32]>, ReadError> {
    match Reader::open(disk, journal, seq.saturating_sub(1), seq, u64::MAX) {
        Ok(mut reader) => Ok(reader.next_batch()?.map(|batch| batch.hash)),
        Err(ReadError::Gone { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The whole control chain. It is small, and never deleted.
///
/// # Errors
/// When it cannot be read.
pub fn read_control(disk: &dyn Disk, journal: &Path) -> Result<Vec<ControlRecord>, OpenError> {
    let folder = journal.join(Stream::Control.folder());
    let segments = list(disk, &folder).map_err(|e| io_error("list", &folder, e))?;
    let count = segments.len();
    let mut records = Vec::new();
    for (index, (_, path)) in segments.into_iter().enumerate() {
        let file = disk.open_read(&path).map_err(|e| io_error("open", &path, e))?;
        let places = places(&*file, &path, index + 1 == count).map_err(to_open_error)?;
        let scan = Scan::open(&*file, &path).map_err(|e| io_error("read", &path, e))?;
        for place in places {
            let envelope = scan.read(place).map_err(|error| to_open_error(read_error(error, &path, place)))?;
            for record in envelope.records {
                records.push(change_codec::decode(record.raw, record.received)?);
            }
        }
    }
    Ok(records)
}

fn to_open_error(error: ReadError) -> OpenError {
    match error {
        ReadError::Open(error) => error,
        ReadError::Broken(broken) => OpenError::Broken(broken),
        ReadError::Control(error) => OpenError::Control(error),
        ReadError::Gone { asked, first } => OpenError::Broken(Broken {
            file: String::new(),
            offset: 0,
            seq: asked,
            record: None,
            reason: format!("it begins at {first}"),
        }),
    }
}

/// Walks frame envelopes backwards from the newest (or from before `before`), calling `visit` until it returns
/// `false` or the journal begins.
///
/// # Errors
/// When an envelope cannot be read.
pub fn scan_backwards(
    disk: &dyn Disk,
    journal: &Path,
    before: Option<u64>,
    mut visit: impl FnMut(Batch) -> bool,
) -> Result<(), ReadError> {
    let folder = journal.join(Stream::Frames.folder());
    let segments = list(disk, &folder).map_err(|e| io_error("list", &folder, e))?;
    let count = segments.len();
    for (index, (first, path)) in segments.into_iter().enumerate().rev() {
        if before.is_some_and(|before| first >= before) {
            continue;
        }
        let file = disk.open_read(&path).map_err(|e| io_error("open", &path, e))?;
        let places = places(&*file, &path, index + 1 == count)?;
        let scan = Scan::open(&*file, &path).map_err(|e| io_error("read", &path, e))?;
        for place in places.into_iter().rev().filter(|place| before.is_none_or(|before| place.prelude.seq < before)) {
            let envelope = scan.read(place).map_err(|e| read_error(e, &path, place))?;
            let batch = Batch {
                position: Position { shard: 0, seq: envelope.seq },
                hash: envelope.hash,
                control_seq: envelope.header.control_seq,
                control: Vec::new(),
                received: Timestamp(envelope.header.first_received_us),
                records: envelope.records,
            };
            if !visit(batch) {
                return Ok(());
            }
        }
    }
    Ok(())
}
