//! Forgets what the system has read of some files, so that the next read comes from the disk.

use std::fs::File;
use std::path::Path;

use rustix::fs::{Advice, fadvise};

use crate::error::Failure;

/// How the cache was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    /// All of the system's (`/proc/sys/vm/drop_caches`).
    Whole,
    /// That of the folder's files (`POSIX_FADV_DONTNEED`).
    Files,
}

impl Dropped {
    pub(super) const fn how(self) -> &'static str {
        match self {
            Self::Whole => "page cache dropped by drop_caches before each read",
            Self::Files => "page cache of the files dropped by fadvise before each read",
        }
    }
}

/// Drops what is cached of all files in a folder. Dirty pages are written first.
pub(super) fn drop_cache(folder: &Path) -> Result<Dropped, Failure> {
    let cannot = || Failure::io(format!("drop the page cache of {}", folder.display()));
    for entry in std::fs::read_dir(folder).map_err(cannot())? {
        let path = entry.map_err(cannot())?.path();
        if path.is_file() {
            let file = File::open(&path).map_err(cannot())?;
            file.sync_all().map_err(cannot())?;
            fadvise(&file, 0, None, Advice::DontNeed).map_err(|error| cannot()(error.into()))?;
        }
    }
    Ok(if std::fs::write("/proc/sys/vm/drop_caches", "1").is_ok() { Dropped::Whole } else { Dropped::Files })
}
