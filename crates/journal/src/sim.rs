//! A file system in memory that can lose power: what was not synced is lost, wholly or in part. For tests of the
//! journal and of what stands on it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::{Disk, DiskFile};

#[derive(Default)]
struct FileState {
    durable: Vec<u8>,
    cached: Vec<u8>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<PathBuf, FileState>,
    syncs: u64,
    fail_sync_at: Option<u64>,
}

/// The file system. Clones share it.
#[derive(Clone, Default)]
pub struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    /// Loses power: of what was not synced, each file keeps `keep` per mille of its bytes. Handles that are still
    /// open write into the void.
    #[must_use]
    pub fn power_cut(&self, keep_per_mille: usize) -> Self {
        let state = self.0.lock();
        let files = state
            .files
            .iter()
            .map(|(path, file)| {
                let lost = file.cached.len().saturating_sub(file.durable.len());
                let mut content = file.durable.clone();
                let kept = lost * keep_per_mille.min(1000) / 1000;
                content.extend_from_slice(&file.cached[file.durable.len()..file.durable.len() + kept]);
                (path.clone(), FileState { durable: content.clone(), cached: content })
            })
            .collect();
        Self(Arc::new(Mutex::new(State { files, ..State::default() })))
    }

    /// Makes the n-th sync from now on fail, and all after it.
    pub fn fail_sync_after(&self, syncs: u64) {
        let mut state = self.0.lock();
        state.fail_sync_at = Some(state.syncs + syncs);
    }

    /// Changes a stored byte, as a bad disk would.
    pub fn flip(&self, path: &Path, offset: usize, mask: u8) {
        let mut state = self.0.lock();
        if let Some(file) = state.files.get_mut(path) {
            for content in [&mut file.durable, &mut file.cached] {
                if let Some(byte) = content.get_mut(offset) {
                    *byte ^= mask;
                }
            }
        }
    }

    /// The content of a file.
    #[must_use]
    pub fn content(&self, path: &Path) -> Vec<u8> {
        self.0.lock().files.get(path).map(|file| file.cached.clone()).unwrap_or_default()
    }

    /// Puts another content into a file, as somebody with access to the disk would.
    pub fn set_content(&self, path: &Path, content: Vec<u8>) {
        self.0.lock().files.insert(path.to_path_buf(), FileState { durable: content.clone(), cached: content });
    }

    /// The files with their lengths.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, usize)> {
        self.0.lock().files.iter().map(|(path, file)| (path.clone(), file.cached.len())).collect()
    }

    /// Removes a file.
    pub fn remove(&self, path: &Path) {
        self.0.lock().files.remove(path);
    }
}

struct SimFile {
    disk: SimDisk,
    path: PathBuf,
}

fn gone() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

impl DiskFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk.0.lock().files.get_mut(&self.path).ok_or_else(gone)?.cached.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        state.syncs += 1;
        if state.fail_sync_at.is_some_and(|at| state.syncs > at) {
            return Err(io::Error::other("simulated fsync failure"));
        }
        let file = state.files.get_mut(&self.path).ok_or_else(gone)?;
        file.durable.clone_from(&file.cached);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.0.lock().files.get(&self.path).ok_or_else(gone)?.cached.len() as u64)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        let file = state.files.get_mut(&self.path).ok_or_else(gone)?;
        file.cached.truncate(length as usize);
        file.durable.clone_from(&file.cached);
        Ok(())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.0.lock();
        let content = &state.files.get(&self.path).ok_or_else(gone)?.cached;
        let rest = content.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

impl Disk for SimDisk {
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.0.lock();
        let inside = state.files.keys().filter(|path| path.parent() == Some(folder));
        Ok(inside.filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect())
    }

    fn make_folder(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create(&self, path: &Path, content: &[u8]) -> io::Result<Box<dyn DiskFile>> {
        let file = FileState { durable: content.to_vec(), cached: content.to_vec() };
        self.0.lock().files.insert(path.to_path_buf(), file);
        self.open_append(path)
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        if !self.0.lock().files.contains_key(path) {
            return Err(gone());
        }
        Ok(Box::new(SimFile { disk: self.clone(), path: path.to_path_buf() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        let file = state.files.remove(from).ok_or_else(gone)?;
        state.files.insert(to.to_path_buf(), file);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.0.lock().files.remove(path);
        Ok(())
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open_append(path)
    }
}
