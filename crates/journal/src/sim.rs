//! A file system in memory that can lose power, fail, fill up and stall. For tests of the journal and of what stands
//! on it.
//!
//! It keeps apart what a reader sees (the cache) and what a power cut leaves (the disk), and treats a failed sync as
//! Linux does: what was not on the disk is forgotten as if it had been written, and reads return it until the cache is
//! dropped.

mod faults;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::disk::{Disk, DiskFile};
pub use faults::{Fault, FaultPlan, Op};
use faults::{Faults, Mishap, mix};

#[derive(Clone, Default)]
struct FileState {
    /// What reads return.
    cached: Vec<u8>,
    /// What lies on the disk, up to `written`; beyond it nothing was written back.
    durable: Vec<u8>,
    written: usize,
    /// Whether a power cut may take the name.
    unnamed: bool,
}

impl FileState {
    fn whole(content: Vec<u8>) -> Self {
        Self { durable: content.clone(), written: content.len(), cached: content, unnamed: false }
    }

    fn write_back(&mut self) {
        self.durable.extend_from_slice(&self.cached[self.written..]);
        self.written = self.cached.len();
    }

    /// A failed sync: a part reaches the disk, the rest is forgotten there.
    fn lose(&mut self, done_per_mille: u16) {
        let done = self.written + (self.cached.len() - self.written) * usize::from(done_per_mille.min(1000)) / 1000;
        self.durable.extend_from_slice(&self.cached[self.written..done]);
        self.durable.resize(self.cached.len(), 0);
        self.written = self.cached.len();
    }

    fn truncate(&mut self, length: usize) {
        self.cached.truncate(length);
        self.durable.truncate(length);
        self.written = self.written.min(length);
        self.write_back();
    }
}

#[derive(Default)]
struct State {
    files: BTreeMap<PathBuf, FileState>,
    faults: Faults,
    capacity_bytes: Option<u64>,
    /// The kind of calls that must wait, and how many do.
    held: Option<Op>,
    waiting: usize,
}

impl State {
    fn free(&self) -> u64 {
        let used: usize = self.files.values().map(|file| file.cached.len()).sum();
        self.capacity_bytes.map_or(u64::MAX, |capacity| capacity.saturating_sub(used as u64))
    }

    fn file(&mut self, path: &Path) -> io::Result<&mut FileState> {
        self.files.get_mut(path).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn append(&mut self, path: &Path, bytes: &[u8], mishap: Option<Mishap>) -> io::Result<()> {
        let wanted = mishap.map_or(bytes.len(), |m| bytes.len() * usize::from(m.done_per_mille.min(1000)) / 1000);
        let fits = wanted.min(usize::try_from(self.free()).unwrap_or(usize::MAX));
        self.file(path)?.cached.extend_from_slice(&bytes[..fits]);
        match mishap {
            Some(mishap) => Err(mishap.error()),
            None if fits < bytes.len() => Err(io::ErrorKind::StorageFull.into()),
            None => Ok(()),
        }
    }

    fn create(&mut self, path: &Path, content: &[u8], mishap: Option<Mishap>) -> io::Result<()> {
        if (content.len() as u64) > self.free() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if mishap.is_none_or(|mishap| mishap.done_per_mille >= 1000) {
            let file = FileState { unnamed: mishap.is_some(), ..FileState::whole(content.to_vec()) };
            self.files.insert(path.to_path_buf(), file);
        }
        mishap.map_or(Ok(()), |mishap| Err(mishap.error()))
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    gate: Condvar,
}

/// The file system. Clones share it.
#[derive(Clone, Default)]
pub struct SimDisk(Arc<Shared>);

impl SimDisk {
    /// One on which things go wrong by chance; the same seed and the same calls give the same faults.
    #[must_use]
    pub fn with_faults(seed: u64, plan: FaultPlan) -> Self {
        let disk = Self::default();
        disk.restart_faults(seed, plan);
        disk
    }

    /// Things go wrong by chance from now on.
    pub fn restart_faults(&self, seed: u64, plan: FaultPlan) {
        let mut state = self.0.state.lock();
        state.faults = Faults::by_chance(seed, plan);
        state.capacity_bytes = plan.capacity_bytes;
    }

    /// One call goes wrong, or several.
    pub fn inject(&self, fault: Fault) {
        self.0.state.lock().faults.order(fault);
    }

    /// Makes the n-th sync from now on fail, and all after it.
    pub fn fail_sync_after(&self, syncs: u64) {
        self.inject(Fault::always(Op::Sync, io::ErrorKind::Other).after(syncs));
    }

    /// Refuses to write until healed, as after a remount by the system.
    pub fn make_read_only(&self) {
        self.0.state.lock().faults.make_read_only();
    }

    /// Limits the bytes that fit; `None` for no limit. What is there stays.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.0.state.lock().capacity_bytes = bytes;
    }

    /// Nothing goes wrong any more. What was lost stays lost, and the size stays limited.
    pub fn heal(&self) {
        self.0.state.lock().faults.heal();
    }

    /// How many calls of a kind there were.
    #[must_use]
    pub fn calls(&self, op: Op) -> u64 {
        self.0.state.lock().faults.calls(op)
    }

    /// Calls of this kind wait from now on, until [`SimDisk::let_go`].
    pub fn hold(&self, op: Op) {
        self.0.state.lock().held = Some(op);
    }

    /// Those who wait go on.
    pub fn let_go(&self) {
        self.0.state.lock().held = None;
        self.0.gate.notify_all();
    }

    /// How many calls wait.
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.state.lock().waiting
    }

    /// Loses power: of what was not synced, each file keeps the first `keep` per mille of its bytes. Handles that are
    /// still open write into the void.
    #[must_use]
    pub fn power_cut(&self, keep_per_mille: usize) -> Self {
        self.cut(|_, file| {
            let lost = file.cached.len() - file.written;
            let kept = lost * keep_per_mille.min(1000) / 1000;
            Some([&file.durable[..], &file.cached[file.written..file.written + kept]].concat())
        })
    }

    /// Loses power: of what was not synced, each sector is on the disk, or is zeros, or lies beyond the end, by
    /// chance; files whose names were not synced are there or not.
    #[must_use]
    pub fn power_cut_by_chance(&self, seed: u64) -> Self {
        const SECTOR: usize = 512;
        self.cut(|number, file| {
            let mut dice = mix(seed ^ (number as u64).rotate_left(32));
            let mut roll = |sides: usize| {
                dice = mix(dice);
                (dice % sides as u64) as usize
            };
            if file.unnamed && roll(2) == 0 {
                return None;
            }
            let length = file.written + roll(file.cached.len() - file.written + 1);
            let mut content = file.durable.clone();
            while content.len() < length {
                let end = (content.len() / SECTOR + 1) * SECTOR;
                let end = end.min(length);
                match roll(2) {
                    0 => content.extend_from_slice(&file.cached[content.len()..end]),
                    _ => content.resize(end, 0),
                }
            }
            Some(content)
        })
    }

    fn cut(&self, mut left: impl FnMut(usize, &FileState) -> Option<Vec<u8>>) -> Self {
        let state = self.0.state.lock();
        let mut files = BTreeMap::new();
        for (number, (path, file)) in state.files.iter().enumerate() {
            if let Some(content) = left(number, file) {
                files.insert(path.clone(), FileState::whole(content));
            }
        }
        let capacity_bytes = state.capacity_bytes;
        let state = Mutex::new(State { files, capacity_bytes, ..State::default() });
        Self(Arc::new(Shared { state, gate: Condvar::new() }))
    }

    /// Changes a stored byte, as a bad disk would.
    pub fn flip(&self, path: &Path, offset: usize, mask: u8) {
        let mut state = self.0.state.lock();
        if let Some(file) = state.files.get_mut(path) {
            for content in [&mut file.durable, &mut file.cached] {
                if let Some(byte) = content.get_mut(offset) {
                    *byte ^= mask;
                }
            }
        }
    }

    /// The content of a file, as a reader sees it.
    #[must_use]
    pub fn content(&self, path: &Path) -> Vec<u8> {
        self.0.state.lock().files.get(path).map(|file| file.cached.clone()).unwrap_or_default()
    }

    /// Puts another content into a file, as somebody with access to the disk would.
    pub fn set_content(&self, path: &Path, content: Vec<u8>) {
        self.0.state.lock().files.insert(path.to_path_buf(), FileState::whole(content));
    }

    /// The files with their lengths.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, usize)> {
        self.0.state.lock().files.iter().map(|(path, file)| (path.clone(), file.cached.len())).collect()
    }

    /// A copy of the disk as a reader sees it, as a backup would be.
    #[must_use]
    pub fn copy(&self) -> Self {
        self.cut(|_, file| Some(file.cached.clone()))
    }

    /// Removes a file.
    pub fn remove(&self, path: &Path) {
        self.0.state.lock().files.remove(path);
    }

    /// Begins a call: waits while its kind is held, and says whether it goes wrong.
    fn begin(&self, op: Op) -> (MutexGuard<'_, State>, Option<Mishap>) {
        let mut state = self.0.state.lock();
        while state.held == Some(op) {
            state.waiting += 1;
            self.0.gate.wait(&mut state);
            state.waiting -= 1;
        }
        let mishap = state.faults.call(op);
        (state, mishap)
    }

    /// Begins a call that does nothing when it goes wrong.
    fn begin_whole(&self, op: Op) -> io::Result<MutexGuard<'_, State>> {
        let (state, mishap) = self.begin(op);
        mishap.map_or(Ok(state), |mishap| Err(mishap.error()))
    }

    fn handle(&self, path: &Path) -> Box<dyn DiskFile> {
        Box::new(SimFile { disk: self.clone(), path: path.to_path_buf() })
    }
}

struct SimFile {
    disk: SimDisk,
    path: PathBuf,
}

impl DiskFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (mut state, mishap) = self.disk.begin(Op::Append);
        state.append(&self.path, bytes, mishap)
    }

    fn sync(&mut self) -> io::Result<()> {
        let (mut state, mishap) = self.disk.begin(Op::Sync);
        let file = state.file(&self.path)?;
        if let Some(mishap) = mishap {
            file.lose(mishap.done_per_mille);
            return Err(mishap.error());
        }
        file.write_back();
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.0.state.lock().file(&self.path)?.cached.len() as u64)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.disk.begin_whole(Op::Truncate)?.file(&self.path)?.truncate(length as usize);
        Ok(())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.begin_whole(Op::Read)?;
        let rest = state.file(&self.path)?.cached.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn drop_cache(&mut self) -> io::Result<()> {
        let mut state = self.disk.0.state.lock();
        let file = state.file(&self.path)?;
        let written = file.written;
        file.cached[..written].copy_from_slice(&file.durable);
        Ok(())
    }
}

impl Disk for SimDisk {
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.0.state.lock();
        let inside = state.files.keys().filter(|path| path.parent() == Some(folder));
        Ok(inside.filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect())
    }

    fn make_folder(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create(&self, path: &Path, content: &[u8]) -> io::Result<Box<dyn DiskFile>> {
        let (mut state, mishap) = self.begin(Op::Create);
        state.create(path, content, mishap)?;
        drop(state);
        Ok(self.handle(path))
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.begin_whole(Op::Open)?.file(path)?;
        Ok(self.handle(path))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open_append(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.begin_whole(Op::Rename)?;
        let file = state.file(from)?.clone();
        state.files.remove(from);
        state.files.insert(to.to_path_buf(), file);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.begin_whole(Op::Remove)?.files.remove(path);
        Ok(())
    }

    fn free_bytes(&self, _folder: &Path) -> io::Result<u64> {
        Ok(self.0.state.lock().free())
    }
}
