//! Reading the journal back: batches in the order in which they took effect, or backwards from the newest.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{ControlRecord, Position, Timestamp};

use crate::decode::{hash_body, open_body, read_record};
use crate::disk::Disk;
use crate::hash::{EnvelopeHash, Hash};
use crate::proto::journal as pb;
use crate::record::{Batch, Record};
use crate::segment::{Broken, OpenError, Stream, io_error, list};
use crate::source::{Segment, Stored, Walk, to_open_error};
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
    walk: Option<Walk>,
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
        let next_seq = after + 1;
        let segments = segments_from(&*disk, journal, Stream::Frames, next_seq)?;
        let mut control = if control_after == u64::MAX { Vec::new() } else { read_control(&*disk, journal)? };
        control.retain(|record| record.seq > control_after);
        Ok(Self {
            disk,
            segments: segments.into_iter(),
            walk: None,
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
        while self.next_seq <= self.until {
            if let Some(walk) = &mut self.walk
                && let Some(stored) = walk.next()?
            {
                if stored.seq != self.next_seq {
                    return Err(ReadError::Gone { asked: self.next_seq, first: stored.seq });
                }
                let decoded = decode(&walk.segment, &stored)?;
                return Ok(Some(self.batch(decoded)));
            }
            let Some((_, path)) = self.segments.next() else { return Ok(None) };
            self.walk = Some(walk_from(&*self.disk, &path, self.next_seq, self.segments.len() == 0)?);
        }
        Ok(None)
    }

    fn batch(&mut self, decoded: Decoded) -> Batch {
        self.next_seq += 1;
        let mut batch = decoded.into_batch();
        while let Some(record) = self.control.next_if(|record| record.seq <= batch.control_seq) {
            batch.control.push(record);
        }
        batch
    }
}

/// The segments that hold what comes from `seq` on.
fn segments_from(disk: &dyn Disk, journal: &Path, stream: Stream, seq: u64) -> Result<Vec<(u64, PathBuf)>, ReadError> {
    let mut segments = segments(disk, journal, stream)?;
    if let Some((first, _)) = segments.first().filter(|(first, _)| *first > seq) {
        return Err(ReadError::Gone { asked: seq, first: *first });
    }
    let keep = segments.partition_point(|(first, _)| *first <= seq).saturating_sub(1);
    segments.drain(..keep);
    Ok(segments)
}

/// The segments of a chain.
pub(crate) fn segments(disk: &dyn Disk, journal: &Path, stream: Stream) -> Result<Vec<(u64, PathBuf)>, OpenError> {
    let folder = journal.join(stream.folder());
    list(disk, &folder).map_err(|e| io_error("list", &folder, e))
}

/// A walk through a segment that stands before `seq`, if that is in it.
pub(crate) fn walk_from(disk: &dyn Disk, path: &Path, seq: u64, is_last: bool) -> Result<Walk, ReadError> {
    let segment = Segment::open(disk, path)?;
    let end = segment.end(is_last)?;
    let start = segment.start();
    let mut walk = segment.walk(start, end);
    walk.skip_to(seq)?;
    Ok(walk)
}

/// An envelope with its records.
pub(crate) struct Decoded {
    pub seq: u64,
    pub header: pb::Header,
    pub records: Vec<Record>,
    pub hash: Hash,
}

impl Decoded {
    pub(crate) fn into_batch(self) -> Batch {
        Batch {
            position: Position { shard: 0, seq: self.seq },
            hash: self.hash,
            control_seq: self.header.control_seq,
            control: Vec::new(),
            received: Timestamp(self.header.first_received_us),
            records: self.records,
        }
    }
}

pub(crate) fn decode(segment: &Segment, stored: &Stored) -> Result<Decoded, ReadError> {
    let decoded = (|| {
        let mut opened = open_body(&stored.body)?;
        let mut records = Vec::with_capacity(opened.header.count.min(65_536) as usize);
        let hash = if let Some(hash) = stored.hash {
            opened.for_each(|index, piece| {
                records.push(read_record(index, piece)?);
                Ok(())
            })?;
            hash
        } else {
            let mut hash = EnvelopeHash::new(opened.algorithm, &opened.header_bytes);
            opened.for_each(|index, piece| {
                hash.record(&piece);
                records.push(read_record(index, piece)?);
                Ok(())
            })?;
            hash.finish()
        };
        Ok(Decoded { seq: stored.seq, header: opened.header, records, hash })
    })();
    decoded.map_err(|error| segment.damaged(stored.offset, stored.seq, &error))
}

/// The hash of one frame envelope; `None` when the journal does not hold it.
///
/// # Errors
/// When it cannot be read.
#[expect(clippy::needless_pass_by_value, reason = "as the other readers take it")]
pub fn envelope_hash(disk: Arc<dyn Disk>, journal: &Path, seq: u64) -> Result<Option<[u8; 32]>, ReadError> {
    stored_hash(&*disk, journal, Stream::Frames, seq)
}

/// The hash of one envelope of a chain; `None` when the journal does not hold it.
pub(crate) fn stored_hash(
    disk: &dyn Disk,
    journal: &Path,
    stream: Stream,
    seq: u64,
) -> Result<Option<Hash>, ReadError> {
    let Some((walk, stored)) = find(disk, journal, stream, seq)? else { return Ok(None) };
    hash_of(&walk.segment, &stored).map(Some)
}

pub(crate) fn hash_of(segment: &Segment, stored: &Stored) -> Result<Hash, ReadError> {
    let hash = stored.hash.map_or_else(|| hash_body(&stored.body), Ok);
    hash.map_err(|error| segment.damaged(stored.offset, stored.seq, &error))
}

/// One envelope of a chain, and the walk that stands behind it; `None` when the journal does not hold it.
pub(crate) fn find(
    disk: &dyn Disk,
    journal: &Path,
    stream: Stream,
    seq: u64,
) -> Result<Option<(Walk, Stored)>, ReadError> {
    let segments = match segments_from(disk, journal, stream, seq) {
        Ok(segments) => segments,
        Err(ReadError::Gone { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some((_, path)) = segments.first().filter(|_| seq > 0) else { return Ok(None) };
    let mut walk = walk_from(disk, path, seq, segments.len() == 1)?;
    let stored = walk.next()?.filter(|stored| stored.seq == seq);
    Ok(stored.map(|stored| (walk, stored)))
}

/// The whole control chain. It is small, and never deleted.
///
/// # Errors
/// When it cannot be read.
pub fn read_control(disk: &dyn Disk, journal: &Path) -> Result<Vec<ControlRecord>, OpenError> {
    let segments = segments(disk, journal, Stream::Control)?;
    let count = segments.len();
    let mut records = Vec::new();
    for (index, (first, path)) in segments.into_iter().enumerate() {
        let mut walk = walk_from(disk, &path, first, index + 1 == count).map_err(to_open_error)?;
        while let Some(stored) = walk.next().map_err(to_open_error)? {
            for record in decode(&walk.segment, &stored).map_err(to_open_error)?.records {
                records.push(change_codec::decode(record.raw, record.received)?);
            }
        }
    }
    Ok(records)
}
