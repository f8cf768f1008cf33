//! Files that the journal names by their hash: media, attachments, originals of what was imported (decision D1). They
//! are part of the truth: whoever refers to one in a record puts it here first.
//!
//! `blobs/ab/cdef...` holds the bytes whose SHA-256 is `abcdef...`; nothing else is stored, so that any copy can be
//! checked by itself.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::disk::Disk;

/// Longest blob, bytes.
pub const BLOB_BYTES_MAX: usize = 256 << 20;
/// Under the journal's folder.
const FOLDER: &str = "blobs";
/// Under that: what has no name yet.
const INCOMING: &str = "incoming";

/// The SHA-256 of a blob, which is its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(pub [u8; 32]);

impl BlobId {
    /// The name of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A text that is no name of a blob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the 64 hex digits of a SHA-256: {0:?}")]
pub struct BlobIdError(String);

impl FromStr for BlobId {
    type Err = BlobIdError;

    fn from_str(text: &str) -> Result<Self, BlobIdError> {
        let refused = || BlobIdError(text.chars().take(80).collect());
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(refused());
        }
        let mut id = [0; 32];
        for (byte, pair) in id.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| refused())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| refused())?;
        }
        Ok(Self(id))
    }
}

/// What is wrong with a blob, or with getting at it.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// More than is taken.
    #[error("{bytes} bytes are too many for a blob ({BLOB_BYTES_MAX} fit)")]
    TooLarge {
        /// How many they are.
        bytes: usize,
    },
    /// The bytes under this name are others.
    #[error("the file of blob {0} is damaged")]
    Damaged(BlobId),
    /// The system refuses.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BlobError {
    let path = path.to_path_buf();
    move |source| BlobError::Io { what, path, source }
}

/// The blobs of a journal. Clones share the folder.
#[derive(Clone)]
pub struct Blobs {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
}

impl Blobs {
    /// Those of the journal in a folder (`DIR/journal`).
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, journal: &Path) -> Self {
        Self { disk, folder: journal.join(FOLDER) }
    }

    fn path(&self, id: BlobId) -> PathBuf {
        let name = id.to_string();
        let (shelf, rest) = name.split_at(2);
        self.folder.join(shelf).join(rest)
    }

    /// Keeps bytes, durably when it returns; keeping them again changes nothing. Blocks.
    ///
    /// # Errors
    /// When they are too many, or the disk refuses; then nothing is visible under the name.
    pub fn put(&self, bytes: &[u8]) -> Result<BlobId, BlobError> {
        if bytes.len() > BLOB_BYTES_MAX {
            return Err(BlobError::TooLarge { bytes: bytes.len() });
        }
        let id = BlobId::of(bytes);
        // What is there is believed only when it is whole: a bad disk is repaired by whoever brings the bytes again.
        if matches!(self.get(id), Ok(Some(_))) {
            return Ok(id);
        }
        let path = self.path(id);
        let shelf = path.parent().unwrap_or(&self.folder);
        self.disk.make_folder(shelf).map_err(failed("make", shelf))?;
        self.disk.create(&path, bytes).map_err(failed("write", &path))?;
        Ok(id)
    }

    /// Keeps what a reader gives, up to `max` bytes, without holding it in memory; durable when it returns. Blocks.
    ///
    /// # Errors
    /// When it is too much, cannot be read, or the disk refuses; then nothing is visible.
    pub fn put_from(&self, content: &mut dyn io::Read, max: usize) -> Result<BlobId, BlobError> {
        let mut name = [0; 16];
        let incoming = self.folder.join(INCOMING);
        getrandom::fill(&mut name).map_err(|e| failed("name a file in", &incoming)(io::Error::other(e)))?;
        self.disk.make_folder(&incoming).map_err(failed("make", &incoming))?;
        let part = incoming.join(hex::encode(name));
        let kept = self.receive(content, max.min(BLOB_BYTES_MAX), &part);
        if kept.is_err() {
            // It has no name yet; if this fails too, `remove_unfinished` does it.
            let _ = self.disk.remove_file(&part);
        }
        kept
    }

    fn receive(&self, content: &mut dyn io::Read, max: usize, part: &Path) -> Result<BlobId, BlobError> {
        let mut file = self.disk.create(part, &[]).map_err(failed("write", part))?;
        let (mut hasher, mut piece, mut bytes) = (Sha256::new(), vec![0; 1 << 20], 0);
        loop {
            let read = match content.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed("read what goes into", part)(error)),
            };
            bytes += read;
            if bytes > max {
                return Err(BlobError::TooLarge { bytes });
            }
            hasher.update(&piece[..read]);
            file.append(&piece[..read]).map_err(failed("write", part))?;
        }
        file.sync().map_err(failed("write", part))?;
        let id = BlobId(hasher.finalize().into());
        let path = self.path(id);
        let shelf = path.parent().unwrap_or(&self.folder);
        self.disk.make_folder(shelf).map_err(failed("make", shelf))?;
        self.disk.rename(part, &path).map_err(failed("name", &path))?;
        Ok(id)
    }

    /// Removes what interrupted writes left behind; call it at the start, before anything is put.
    ///
    /// # Errors
    /// The system's.
    pub fn remove_unfinished(&self) -> Result<(), BlobError> {
        let incoming = self.folder.join(INCOMING);
        for name in self.disk.list(&incoming).map_err(failed("list", &incoming))? {
            let path = incoming.join(name);
            self.disk.remove_file(&path).map_err(failed("remove", &path))?;
        }
        Ok(())
    }

    /// The bytes under a name, checked; `None` when there are none. Blocks.
    ///
    /// # Errors
    /// When the disk refuses, or the bytes are damaged.
    pub fn get(&self, id: BlobId) -> Result<Option<Vec<u8>>, BlobError> {
        let path = self.path(id);
        let file = match self.disk.open_read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open", &path)(error)),
        };
        let length = usize::try_from(file.len().map_err(failed("read", &path))?).unwrap_or(usize::MAX);
        if length > BLOB_BYTES_MAX {
            return Err(BlobError::Damaged(id));
        }
        let mut bytes = vec![0; length];
        let read = file.read_at(&mut bytes, 0).map_err(failed("read", &path))?;
        bytes.truncate(read);
        if BlobId::of(&bytes) == id { Ok(Some(bytes)) } else { Err(BlobError::Damaged(id)) }
    }

    /// Removes a blob; one that is not there is removed already.
    ///
    /// # Errors
    /// The system's.
    pub fn remove(&self, id: BlobId) -> Result<(), BlobError> {
        let path = self.path(id);
        self.disk.remove_file(&path).map_err(failed("remove", &path))
    }

    /// The names of all blobs, ascending; other files are ignored.
    ///
    /// # Errors
    /// The system's.
    pub fn list(&self) -> Result<Vec<BlobId>, BlobError> {
        let mut ids = Vec::new();
        for shelf in (0..=u8::MAX).map(|byte| format!("{byte:02x}")) {
            let folder = self.folder.join(&shelf);
            let names = self.disk.list(&folder).map_err(failed("list", &folder))?;
            ids.extend(names.iter().filter_map(|rest| format!("{shelf}{rest}").parse::<BlobId>().ok()));
        }
        Ok(ids)
    }

    /// Reads all blobs and counts them.
    ///
    /// # Errors
    /// The first damaged one, or the system's.
    pub fn verify(&self) -> Result<u64, BlobError> {
        let mut count = 0;
        for id in self.list()? {
            count += u64::from(self.get(id)?.is_some());
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::SimDisk;

    fn blobs(disk: &SimDisk) -> Blobs {
        Blobs::new(Arc::new(disk.clone()), Path::new("/data/journal"))
    }

    #[test]
    fn bytes_are_kept_under_their_hash() {
        let disk = SimDisk::default();
        let blobs = blobs(&disk);
        let id = blobs.put(b"a photo").expect("kept");
        assert_eq!(blobs.put(b"a photo").expect("kept again"), id);
        assert_eq!(id.to_string().parse(), Ok(id));
        let other = blobs.put(b"").expect("kept");
        assert_eq!(other.to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(blobs.get(id).expect("read").as_deref(), Some(&b"a photo"[..]));
        assert_eq!(blobs.list().expect("listed").len(), 2);
        assert_eq!(blobs.verify().expect("sound"), 2);
        blobs.remove(id).expect("removed");
        blobs.remove(id).expect("removed already");
        assert!(blobs.get(id).expect("read").is_none());
        for bad in ["", "e3", &"g".repeat(64), &"é".repeat(32)] {
            assert!(bad.parse::<BlobId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn streams_are_kept_under_their_hash_and_never_seen_in_part() {
        let disk = SimDisk::default();
        let blobs = blobs(&disk);
        let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n >> 3) as u8).collect();
        let id = blobs.put_from(&mut &content[..], usize::MAX).expect("kept");
        assert_eq!(id, BlobId::of(&content));
        assert_eq!(blobs.put_from(&mut &content[..], usize::MAX).expect("kept again"), id);
        let after = Blobs::new(Arc::new(disk.power_cut(0)), Path::new("/data/journal"));
        assert_eq!(after.get(id).expect("read"), Some(content.clone()));
        let refused = blobs.put_from(&mut &content[1..], 2_000_000);
        assert!(matches!(refused, Err(BlobError::TooLarge { .. })));
        disk.fail_sync_after(0);
        assert!(blobs.put_from(&mut &content[2..], usize::MAX).is_err());
        assert_eq!(blobs.list().expect("listed"), [id]);
        disk.set_content(&blobs.folder.join(INCOMING).join("left"), vec![1]);
        blobs.remove_unfinished().expect("removed");
        assert_eq!(disk.files().len(), 1);
    }

    #[test]
    fn what_was_put_outlives_a_power_cut_and_damage_is_seen() {
        let disk = SimDisk::default();
        let id = blobs(&disk).put(b"a film").expect("kept");
        let disk = disk.power_cut(0);
        let blobs = blobs(&disk);
        assert!(blobs.get(id).expect("read").is_some());
        let path = blobs.path(id);
        disk.flip(&path, 2, 1);
        assert!(matches!(blobs.get(id), Err(BlobError::Damaged(damaged)) if damaged == id));
        assert!(blobs.verify().is_err());
        assert_eq!(blobs.put(b"a film").expect("repaired"), id);
        assert!(blobs.get(id).expect("read").is_some());
    }
}
