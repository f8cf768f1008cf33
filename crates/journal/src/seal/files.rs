//! Seals on disk: one file a day, appended to, synced with every seal.
//!
//! ```text
//! 0  8  "HWSEAL01"     8  8  number of the first seal, as in the file name
//! then for each seal: length (4), CRC32C (4), hazwatch.journal.v1.Signed
//! ```

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{KeyId, Seal, Signed};
use crate::disk::Disk;
use crate::segment::{Broken, OpenError, Stream, io_error};

pub(super) const HEADER: usize = 16;
const MAGIC: &[u8; 8] = b"HWSEAL01";
/// A seal is some 400 bytes; longer ones are not believed.
const SEAL_BYTES_MAX: usize = 64 << 10;
/// A day has 1,440 of them; larger files are not read.
const FILE_BYTES_MAX: u64 = 256 << 20;

pub(super) fn folder(journal: &Path) -> PathBuf {
    journal.join("seals")
}

/// One file with the seals that are in it.
pub(crate) struct SealFile {
    pub seals: Vec<Seal>,
    /// Where the good part ends.
    pub end: u64,
    /// Bytes after it.
    pub torn: u64,
}

pub(super) fn header(first: u64) -> [u8; HEADER] {
    let mut out = [0; HEADER];
    out[..8].copy_from_slice(MAGIC);
    out[8..].copy_from_slice(&first.to_le_bytes());
    out
}

pub(super) fn entry(seal: &Seal) -> Vec<u8> {
    let bytes = seal.signed.encode();
    let mut out = Vec::with_capacity(8 + bytes.len());
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    out.extend_from_slice(&bytes);
    out
}

/// The files of seals with the number of their first, ascending.
pub(crate) fn seal_files(disk: &dyn Disk, journal: &Path) -> Result<Vec<(u64, PathBuf)>, OpenError> {
    let folder = folder(journal);
    let names = disk.list(&folder).map_err(|e| io_error("list", &folder, e))?;
    let parse = |name: String| name.strip_suffix(".hws")?.parse().ok().map(|first| (first, folder.join(&name)));
    Ok(names.into_iter().filter_map(parse).collect())
}

impl SealFile {
    pub(super) fn path(journal: &Path, first: u64) -> PathBuf {
        folder(journal).join(format!("{first:020}.hws"))
    }

    /// Reads a file. Of the last one, what a write that was cut short left behind is passed over.
    pub(crate) fn read(disk: &dyn Disk, first: u64, path: &Path, is_last: bool) -> Result<Self, OpenError> {
        let failed = |e| io_error("read", path, e);
        let broken = |offset: u64, seq: u64, reason: &str| {
            let (file, reason) = (path.display().to_string(), reason.to_owned());
            OpenError::Broken(Broken { file, offset, seq, record: None, reason })
        };
        let file = disk.open_read(path).map_err(|e| io_error("open", path, e))?;
        let length = file.len().map_err(failed)?;
        if length > FILE_BYTES_MAX {
            return Err(broken(0, first, "the file of seals is larger than any can be"));
        }
        let mut bytes = vec![0; length as usize];
        let read = file.read_at(&mut bytes, 0).map_err(failed)?;
        bytes.truncate(read);
        let bytes = Bytes::from(bytes);
        if bytes.get(..HEADER) != Some(&header(first)[..]) {
            return Err(broken(0, first, "the header of the file of seals is damaged"));
        }
        let mut seals: Vec<Seal> = Vec::new();
        let mut at = HEADER;
        while at < bytes.len() {
            let number = first + seals.len() as u64;
            match take(&bytes, at) {
                Taken::Whole(seal, end) if seal.number == number => {
                    seals.push(*seal);
                    at = end;
                }
                Taken::Torn if is_last => break,
                Taken::Whole(..) | Taken::Torn | Taken::Damaged => {
                    return Err(broken(at as u64, number, "the seal is damaged"));
                }
            }
        }
        Ok(Self { seals, end: at as u64, torn: (bytes.len() - at) as u64 })
    }
}

/// The key of the first seal in a file, without reading the rest; `None` when there is none, or it cannot be read.
pub(crate) fn first_key(disk: &dyn Disk, path: &Path) -> Option<KeyId> {
    let file = disk.open_read(path).ok()?;
    let mut bytes = vec![0; 4 << 10];
    let read = file.read_at(&mut bytes, 0).ok()?;
    bytes.truncate(read);
    match take(&Bytes::from(bytes), HEADER) {
        Taken::Whole(seal, _) => Some(seal.key),
        Taken::Torn | Taken::Damaged => None,
    }
}

/// The last frame envelope that a seal covers; 0 when there is no seal.
///
/// # Errors
/// When the newest seals cannot be read.
pub fn sealed_frames(disk: &dyn Disk, journal: &Path) -> Result<u64, OpenError> {
    let files = seal_files(disk, journal)?;
    for (index, (first, path)) in files.iter().enumerate().rev() {
        let file = SealFile::read(disk, *first, path, index + 1 == files.len())?;
        if let Some(chain) = file.seals.last().and_then(|seal| seal.chain(Stream::Frames)) {
            return Ok(chain.end_seq().saturating_sub(1));
        }
    }
    Ok(0)
}

enum Taken {
    Whole(Box<Seal>, usize),
    /// As a write that was cut short leaves it: nothing follows.
    Torn,
    Damaged,
}

fn take(bytes: &Bytes, at: usize) -> Taken {
    let rest = bytes.get(at..).unwrap_or_default();
    let number = |at: usize| rest.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b));
    let length = number(0) as usize;
    if rest.len() < 8 || rest.iter().all(|byte| *byte == 0) {
        return Taken::Torn;
    }
    if length == 0 || length > SEAL_BYTES_MAX {
        return Taken::Damaged;
    }
    let Some(content) = rest.get(8..8 + length) else { return Taken::Torn };
    let end = at + 8 + length;
    if crc32c::crc32c(content) != number(4) {
        return if end == bytes.len() { Taken::Torn } else { Taken::Damaged };
    }
    match Signed::decode(bytes.slice(at + 8..end)).and_then(Seal::parse) {
        Some(seal) => Taken::Whole(Box::new(seal), end),
        None => Taken::Damaged,
    }
}
