//! Rewriting closed segments in the packed form. Nothing that is hashed changes; the new file takes the place of the
//! old one in one step, after it was read back and compared, so a crash at any time leaves one whole segment.

use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use model::Timestamp;

use crate::decode::open_body;
use crate::disk::Disk;
use crate::index::{Beside, beside, mark};
use crate::look_back::first_received;
use crate::packed::{BLOCK_RAW, packed_header, write_block};
use crate::reader::{ReadError, hash_of, segments};
use crate::segment::{Stream, io_error};
use crate::source::{Segment, Stored};

/// What one call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recompressed {
    /// No segment is old enough and still plain.
    Nothing,
    /// The caller asked to stop; nothing changed.
    Stopped,
    /// One segment was rewritten.
    Packed {
        /// The sequence of its first envelope.
        first_seq: u64,
        /// Its envelopes.
        envelopes: u64,
        /// Its records.
        records: u64,
        /// Its length before.
        bytes_before: u64,
        /// Its length now.
        bytes_after: u64,
    },
}

/// Rewrites the oldest plain frame segment whose records were all received before `older_than`. The two newest
/// segments stay as they are, and so does one that is damaged or that its packed form would not give back: it is
/// stepped over, logged once, and marked. `go_on` is asked after each block (about 4 MiB): it may sleep to keep within
/// a budget, and stops the work with `false`.
///
/// # Errors
/// When the system does not let it read a segment (it then stays as it is) or write the new one.
pub fn recompress_next(
    disk: &dyn Disk,
    journal: &Path,
    older_than: Timestamp,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Recompressed, ReadError> {
    let segments = segments(disk, journal, Stream::Frames)?;
    for pair in segments.windows(2).take(segments.len().saturating_sub(2)) {
        let [(_, path), (_, next)] = pair else { continue };
        match first_received(disk, next) {
            Ok(Some(received)) if received < older_than => {}
            Ok(_) => break,
            // Nobody can say how old it is; what comes after it can tell for itself.
            Err(ReadError::Broken(_)) => continue,
            Err(error) => return Err(error),
        }
        if beside(disk, path)? == Beside::Mark {
            continue;
        }
        match pack(disk, path, go_on) {
            Ok(None) => {}
            Ok(Some(done)) => return Ok(done),
            Err(ReadError::Broken(broken)) => {
                let new = aside(path);
                disk.remove_file(&new).map_err(|e| io_error("remove", &new, e))?;
                mark(disk, path, &broken)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Recompressed::Nothing)
}

/// `None` when it is packed already.
fn pack(disk: &dyn Disk, path: &Path, go_on: &mut dyn FnMut() -> bool) -> Result<Option<Recompressed>, ReadError> {
    let segment = Segment::open(disk, path)?;
    if segment.is_packed { Ok(None) } else { rewrite(disk, segment, path, go_on).map(Some) }
}

fn aside(path: &Path) -> PathBuf {
    path.with_extension("pack")
}

fn rewrite(
    disk: &dyn Disk,
    segment: Segment,
    path: &Path,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Recompressed, ReadError> {
    let (first_seq, bytes_before) = (segment.header.first_seq, segment.length);
    let new = aside(path);
    let Some((envelopes, records)) = write(disk, segment, &new, go_on)? else {
        return stop(disk, &new);
    };
    if !compare(disk, path, &new, go_on)? {
        return stop(disk, &new);
    }
    let bytes_after = Segment::open(disk, &new)?.length;
    disk.rename(&new, path).map_err(|e| io_error("replace", path, e))?;
    Ok(Recompressed::Packed { first_seq, envelopes, records, bytes_before, bytes_after })
}

fn stop(disk: &dyn Disk, new: &Path) -> Result<Recompressed, ReadError> {
    disk.remove_file(new).map_err(|e| io_error("remove", new, e))?;
    Ok(Recompressed::Stopped)
}

/// Writes the packed form aside, durably; `None` when it was told to stop.
fn write(
    disk: &dyn Disk,
    segment: Segment,
    new: &Path,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Option<(u64, u64)>, ReadError> {
    let failed = |e| ReadError::from(io_error("write", new, e));
    let header = packed_header(&segment.header_bytes()?);
    let (start, end, mut previous) = (segment.start(), segment.length, segment.header.previous);
    let mut file = disk.create(new, &header).map_err(failed)?;
    let mut walk = segment.walk(start, end);
    let (mut bodies, mut raw, mut block_first) = (Vec::<Bytes>::new(), 0, start.first_seq);
    let (mut envelopes, mut records) = (0, 0);
    let mut before_block = previous;
    loop {
        let next = walk.next()?;
        if raw >= BLOCK_RAW || (next.is_none() && !bodies.is_empty()) {
            let mut out = BytesMut::new();
            write_block(block_first, before_block, &bodies, &mut out);
            file.append(&out).map_err(failed)?;
            bodies.clear();
            (raw, before_block) = (0, previous);
            if !go_on() {
                return Ok(None);
            }
        }
        let Some(stored) = next else { break };
        if bodies.is_empty() {
            block_first = stored.seq;
        }
        records += continues(&walk.segment, &stored, previous)?;
        previous = hash_of(&walk.segment, &stored)?;
        envelopes += 1;
        raw += stored.body.len();
        bodies.push(stored.body);
    }
    let mut out = BytesMut::new();
    write_block(walk.next_seq(), previous, &[], &mut out);
    file.append(&out).and_then(|()| file.sync()).map_err(failed)?;
    Ok(Some((envelopes, records)))
}

/// Packing leaves out what follows from the chain, so the chain is checked first. Gives the number of records.
fn continues(segment: &Segment, stored: &Stored, previous: [u8; 32]) -> Result<u64, ReadError> {
    let opened = open_body(&stored.body).map_err(|e| segment.damaged(stored.offset, stored.seq, &e))?;
    if opened.header.previous[..] == previous[..] {
        return Ok(u64::from(opened.header.count));
    }
    let reason = "it does not continue the envelope before it: one of the two was changed".to_owned();
    Err(ReadError::Broken(segment.broken(stored.offset, stored.seq, None, reason)))
}

/// Reads both forms from the disk and holds them against each other, hash by hash and byte by byte; `false` when it
/// was told to stop.
fn compare(disk: &dyn Disk, old: &Path, new: &Path, go_on: &mut dyn FnMut() -> bool) -> Result<bool, ReadError> {
    let open = |path| -> Result<_, ReadError> {
        let segment = Segment::open(disk, path)?;
        let (start, end) = (segment.start(), segment.length);
        Ok(segment.walk(start, end))
    };
    let (mut plain, mut packed) = (open(old)?, open(new)?);
    let mut block = 0;
    loop {
        let (left, right) = (plain.next()?, packed.next()?);
        let (left, right) = match (left, right) {
            (None, None) => return Ok(true),
            (Some(left), Some(right)) => (left, right),
            (left, right) => {
                let (offset, seq) = left.or(right).map_or((0, 0), |stored| (stored.offset, stored.seq));
                return Err(unlike(&packed.segment, offset, seq));
            }
        };
        let hash = hash_of(&plain.segment, &left)?;
        if left.body != right.body || right.hash.is_some_and(|packed| packed != hash) || left.seq != right.seq {
            return Err(unlike(&packed.segment, right.offset, right.seq));
        }
        if right.offset != block && !go_on() {
            return Ok(false);
        }
        block = right.offset;
    }
}

fn unlike(segment: &Segment, offset: u64, seq: u64) -> ReadError {
    let reason = "the packed form does not give back what the plain one holds; the plain one stays".to_owned();
    ReadError::Broken(segment.broken(offset, seq, None, reason))
}
