//! The few things that the journal asks of a file system, as a trait, so that tests can pull the plug.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A file that is appended to and read at offsets.
pub trait DiskFile: Send + Sync {
    /// Appends all bytes at the end. After an error the end is undefined until [`DiskFile::truncate`].
    ///
    /// # Errors
    /// The system's.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns when all that was appended is on stable storage. An error is final for this handle.
    ///
    /// # Errors
    /// The system's.
    fn sync(&mut self) -> io::Result<()>;

    /// Length, bytes.
    ///
    /// # Errors
    /// The system's.
    fn len(&self) -> io::Result<u64>;

    /// Whether there is nothing in it.
    ///
    /// # Errors
    /// The system's.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts the file to `length` bytes, durably.
    ///
    /// # Errors
    /// The system's.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Reads up to `buffer.len()` bytes at `offset`; fewer only at the end of the file.
    ///
    /// # Errors
    /// The system's.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Forgets what the system keeps of it in memory, where it can: reads come from the disk then. After a failed sync
    /// only they tell what is there.
    ///
    /// # Errors
    /// The system's.
    fn drop_cache(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file system.
pub trait Disk: Send + Sync {
    /// The names of the files in a folder, sorted; empty when there is no such folder.
    ///
    /// # Errors
    /// The system's.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Makes a folder and its parents, durably.
    ///
    /// # Errors
    /// The system's.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;

    /// Makes a file that did not exist, with this content, whole and durably (a crash leaves all of it or none).
    ///
    /// # Errors
    /// The system's.
    fn create(&self, path: &Path, content: &[u8]) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for appending and reading.
    ///
    /// # Errors
    /// The system's.
    fn open_append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name in the same folder, durably and as one step; a file of that name is replaced.
    ///
    /// # Errors
    /// The system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let _ = (from, to);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Removes a file, durably; one that is not there is removed already.
    ///
    /// # Errors
    /// The system's.
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let _ = path;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Opens a file for reading only.
    ///
    /// # Errors
    /// The system's.
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// How many bytes may still be written to the file system that holds a folder.
    ///
    /// # Errors
    /// The system's.
    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        let _ = folder;
        Ok(u64::MAX)
    }
}

/// The real one. Short writes and interrupted calls (EINTR) are gone on with here; callers see whole calls or errors.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

struct RealFile(File);

impl DiskFile for RealFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        io::Write::write_all(&mut self.0, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)?;
        self.0.sync_all()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.0.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    fn drop_cache(&mut self) -> io::Result<()> {
        Ok(rustix::fs::fadvise(&self.0, 0, None, rustix::fs::Advice::DontNeed)?)
    }
}

/// The chain's folder lies in the journal's, that in the data folder, and that in its parent.
const FOLDERS_SYNCED: usize = 3;

fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = RealFile(File::create(path)?);
    file.append(content)?;
    file.0.sync_all()
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

impl Disk for RealDisk {
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e),
        };
        let mut names = Vec::new();
        for entry in entries {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        // A new folder is durable when its entry is: in its parent, whose entry is in its own parent, and so on.
        for parent in folder.ancestors().skip(1).take(FOLDERS_SYNCED) {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            match sync_folder(parent) {
                // Somebody else's folder was there before us.
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => break,
                outcome => outcome?,
            }
        }
        Ok(())
    }

    fn create(&self, path: &Path, content: &[u8]) -> io::Result<Box<dyn DiskFile>> {
        let mut unfinished: PathBuf = path.to_path_buf();
        unfinished.set_extension("new");
        if let Err(error) = write_whole(&unfinished, content) {
            // On a full disk what is left of it takes room that the next attempt needs.
            let _ = std::fs::remove_file(&unfinished);
            return Err(error);
        }
        std::fs::rename(&unfinished, path)?;
        if let Some(parent) = path.parent() {
            sync_folder(parent)?;
        }
        self.open_append(path)
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(OpenOptions::new().read(true).append(true).open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)?;
        to.parent().map_or(Ok(()), sync_folder)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome.and_then(|()| path.parent().map_or(Ok(()), sync_folder)),
        }
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(File::open(path)?)))
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        let found = rustix::fs::statvfs(folder)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }
}
