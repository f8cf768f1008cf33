//! The lock of a data folder: one process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Held as long as the folder is in use; released when dropped, or by the system when the process ends.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else uses it.
    #[error("the data folder {folder} is in use by process {holder}; stop it, or give another --data")]
    Held {
        /// The folder.
        folder: PathBuf,
        /// The process that holds it, as it wrote itself down.
        holder: String,
    },
    /// It cannot be made or opened.
    #[error("the data folder {folder} cannot be used")]
    Io {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl DataLock {
    /// Takes the folder, making it when needed.
    ///
    /// # Errors
    /// When another process holds it, or it cannot be made.
    pub fn acquire(folder: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { folder: folder.to_path_buf(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let path = folder.join("lock");
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim().chars().take(32).collect();
                return Err(LockError::Held { folder: folder.to_path_buf(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_user() {
        let folder = tempfile::tempdir().expect("tempdir");
        let first = DataLock::acquire(folder.path()).expect("free");
        let refused = DataLock::acquire(folder.path()).expect_err("held").to_string();
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        drop(first);
        DataLock::acquire(folder.path()).expect("free again");
    }
}
