//! A copy of the journal, made beside a writer that goes on writing.
//!
//! Files here are only appended to, replaced whole or removed, so a copy that is made in the right order is what a
//! power cut would have left, also when it is broken off at any point, over an earlier backup too: first it is noted
//! how far seals and then frames reach; control goes first (frames must not name a control record that the copy lacks),
//! then everything else, then frames and at last seals, both no further than was noted (seals must not vouch for what
//! the copy lacks). A tail that was caught in the middle of a write is torn, and opening the copy cuts it. What an
//! earlier backup has already is not copied again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The folders whose order matters.
const CONTROL: &str = "control";
const FRAMES: &str = "frames";
const SEALS: &str = "seals";
/// How much of the beginning and of the end tells whether two files of one length are the same.
const SAMPLE_BYTES: u64 = 4096;
/// How often a folder is listed again when a file was replaced between listing and opening.
const TRIES: usize = 5;

/// What a backup did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files that were copied, or copied on.
    pub files: u64,
    /// Bytes that were copied.
    pub bytes: u64,
    /// Files that were there already.
    pub kept: u64,
    /// Files that the journal has no more (retention, recompression).
    pub removed: u64,
}

/// What could not be copied.
#[derive(Debug, thiserror::Error)]
#[error("cannot copy {}", path.display())]
pub struct CopyError {
    /// Which file or folder.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> CopyError {
    let path = path.to_path_buf();
    move |source| CopyError { path, source }
}

/// Copies the journal in folder `from` to folder `to`, which may hold an earlier copy of the same journal. Durable
/// when it returns. Blocks; the writer of `from` may go on.
///
/// # Errors
/// When a file cannot be read or written; what was copied until then stays, and the next try goes on from it.
pub fn copy(from: &Path, to: &Path) -> Result<Copied, CopyError> {
    let mut copied = Copied::default();
    let mut noted = Noted::new();
    note(&from.join(SEALS), &mut noted)?;
    note(&from.join(FRAMES), &mut noted)?;
    fs::create_dir_all(to).map_err(at(to))?;
    let others: Vec<String> =
        names(from, true)?.into_iter().filter(|name| ![CONTROL, FRAMES, SEALS].contains(&name.as_str())).collect();
    let order = std::iter::once(CONTROL).chain(others.iter().map(String::as_str)).chain([FRAMES, SEALS]);
    for folder in order.filter(|folder| from.join(folder).is_dir()) {
        let limits = [FRAMES, SEALS].contains(&folder).then_some(&noted);
        copy_folder(&from.join(folder), &to.join(folder), limits, &mut copied)?;
    }
    copy_files(from, to, None, &mut copied)?;
    sync_folder(to)?;
    Ok(copied)
}

/// How long files were when it began.
type Noted = BTreeMap<PathBuf, u64>;

fn note(folder: &Path, noted: &mut Noted) -> Result<(), CopyError> {
    if !folder.is_dir() {
        return Ok(());
    }
    for name in names(folder, true)? {
        note(&folder.join(name), noted)?;
    }
    for name in names(folder, false)? {
        let path = folder.join(name);
        match fs::metadata(&path) {
            Ok(metadata) => drop(noted.insert(path, metadata.len())),
            // Removed since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at(&path)(error)),
        }
    }
    Ok(())
}

/// A folder with all that is in it.
fn copy_folder(from: &Path, to: &Path, limits: Option<&Noted>, copied: &mut Copied) -> Result<(), CopyError> {
    fs::create_dir_all(to).map_err(at(to))?;
    for name in names(from, true)? {
        copy_folder(&from.join(&name), &to.join(&name), limits, copied)?;
    }
    copy_files(from, to, limits, copied)
}

fn copy_files(from: &Path, to: &Path, limits: Option<&Noted>, copied: &mut Copied) -> Result<(), CopyError> {
    let mut tries = 0;
    let listed = loop {
        let mut listed = names(from, false)?;
        // What came after the noting is for the next backup.
        listed.retain(|name| limits.is_none_or(|noted| noted.contains_key(&from.join(name))));
        match copy_listed(from, to, &listed, limits, copied) {
            Ok(()) => break listed,
            // Replaced or removed since it was listed.
            Err(error) if error.source.kind() == io::ErrorKind::NotFound && tries < TRIES => tries += 1,
            Err(error) => return Err(error),
        }
    };
    for name in names(to, false)?.difference(&listed) {
        let gone = to.join(name);
        fs::remove_file(&gone).map_err(at(&gone))?;
        copied.removed += 1;
    }
    sync_folder(to)
}

fn copy_listed(
    from: &Path,
    to: &Path,
    names: &BTreeSet<String>,
    limits: Option<&Noted>,
    copied: &mut Copied,
) -> Result<(), CopyError> {
    for name in names {
        let path = from.join(name);
        let limit = limits.and_then(|noted| noted.get(&path)).copied().unwrap_or(u64::MAX);
        match copy_file(&path, &to.join(name), limit)? {
            0 => copied.kept += 1,
            bytes => {
                copied.files += 1;
                copied.bytes += bytes;
            }
        }
    }
    Ok(())
}

/// The names of folders, or of files, in a folder. Files that are being made (`.new`) are left out.
fn names(folder: &Path, folders: bool) -> Result<BTreeSet<String>, CopyError> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let entry = entry.map_err(at(folder))?;
        let is_folder = entry.file_type().map_err(at(folder))?.is_dir();
        let Ok(name) = entry.file_name().into_string() else { continue };
        if is_folder == folders && !name.ends_with(".new") {
            names.insert(name);
        }
    }
    Ok(names)
}

/// Brings the copy of a file up to date; returns how many bytes that took.
/// A file that is shorter than when it was noted is another one by now (packed): it is copied whole.
fn copy_file(from: &Path, to: &Path, limit: u64) -> Result<u64, CopyError> {
    let mut source = File::open(from).map_err(at(from))?;
    let length = source.metadata().map_err(at(from))?.len().min(limit);
    let there = match File::open(to) {
        Ok(file) => Some(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(at(to)(error)),
    };
    let had = match there {
        None => None,
        Some(mut file) => {
            let had = file.metadata().map_err(at(to))?.len();
            (had <= length && same_ends(&mut source, &mut file, had).map_err(at(to))?).then_some(had)
        }
    };
    match had {
        Some(had) if had == length => Ok(0),
        Some(had) => append(source, to, had, length),
        None => replace(source, to, length),
    }
}

/// Whether two files agree at the beginning and at the end of their first `length` bytes. What only grows and agrees
/// there is the same; the chains are checked by hash afterwards.
fn same_ends(a: &mut File, b: &mut File, length: u64) -> io::Result<bool> {
    for start in [0, length.saturating_sub(SAMPLE_BYTES)] {
        let count = SAMPLE_BYTES.min(length - start) as usize;
        let (mut left, mut right) = (vec![0; count], vec![0; count]);
        a.seek(SeekFrom::Start(start))?;
        a.read_exact(&mut left)?;
        b.seek(SeekFrom::Start(start))?;
        b.read_exact(&mut right)?;
        if left != right {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The file has grown since it was copied.
fn append(mut source: File, to: &Path, had: u64, length: u64) -> Result<u64, CopyError> {
    let mut target = fs::OpenOptions::new().append(true).open(to).map_err(at(to))?;
    source.seek(SeekFrom::Start(had)).map_err(at(to))?;
    let bytes = io::copy(&mut source.take(length - had), &mut target).map_err(at(to))?;
    target.sync_all().map_err(at(to))?;
    Ok(bytes)
}

/// A file that was not there, or is another one now: whole, or not at all.
fn replace(mut source: File, to: &Path, length: u64) -> Result<u64, CopyError> {
    source.rewind().map_err(at(to))?;
    let mut aside = to.to_path_buf();
    aside.as_mut_os_string().push(".new");
    let mut target = File::create(&aside).map_err(at(&aside))?;
    let bytes = io::copy(&mut source.take(length), &mut target).map_err(at(&aside))?;
    target.flush().and_then(|()| target.sync_all()).map_err(at(&aside))?;
    fs::rename(&aside, to).map_err(at(to))?;
    Ok(bytes)
}

fn sync_folder(folder: &Path) -> Result<(), CopyError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(at(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, bytes: &[u8]) {
        fs::create_dir_all(path.parent().expect("folder")).expect("folder");
        fs::write(path, bytes).expect("written");
    }

    #[test]
    fn a_second_backup_copies_what_is_new() {
        let dir = tempfile::tempdir().expect("folder");
        let (from, to) = (dir.path().join("a"), dir.path().join("b"));
        let long: Vec<u8> = (0..20_000u32).map(|i| (i % 251) as u8).collect();
        write(&from.join("frames/1.hwj"), &long);
        write(&from.join("frames/2.hwj.new"), b"unfinished");
        write(&from.join("control/1.hwj"), b"control");
        write(&from.join("blobs/ab/cdef"), b"blob");
        let first = copy(&from, &to).expect("copied");
        assert_eq!(first, Copied { files: 3, bytes: 20_011, kept: 0, removed: 0 });
        assert!(!to.join("frames/2.hwj.new").exists());

        write(&from.join("frames/1.hwj"), &[&long[..], b"more"].concat());
        write(&from.join("control/1.hwj"), b"another");
        write(&from.join("frames/9.hwj"), b"new");
        fs::remove_dir_all(from.join("blobs/ab")).expect("removed");
        fs::create_dir_all(from.join("blobs/ab")).expect("folder");
        let second = copy(&from, &to).expect("copied");
        assert_eq!(second, Copied { files: 3, bytes: 4 + 7 + 3, kept: 0, removed: 1 });
        assert_eq!(copy(&from, &to).expect("copied"), Copied { kept: 3, ..Copied::default() });
        assert_eq!(fs::read(to.join("frames/1.hwj")).expect("read"), [&long[..], b"more"].concat());
        assert_eq!(fs::read(to.join("control/1.hwj")).expect("read"), b"another");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let dir = tempfile::tempdir().expect("folder");
        let error = copy(&dir.path().join("none"), &dir.path().join("b")).expect_err("no journal");
        assert!(error.to_string().contains("none"), "{error}");
    }
}
