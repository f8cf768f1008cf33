//! Copies of the databases beside a running server, from this process or another: a base for replays, and the backup.
//!
//! The engine copies within one read transaction, so a copy is the database as it was at one commit; the server goes on
//! meanwhile, only its log grows by what it writes. Facts in a copy may be ahead of its checkpoint: writing them again
//! changes nothing. A copy appears under its name when it is whole, checked and on disk. To restore one, put it into an
//! empty data folder under the name of the original (`views.db`, `app.db`).

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use model::{Base, Digest};
use sha2::{Digest as _, Sha256};

use crate::compact::blocking;
use crate::sqlite::{APP, VIEWS, copy};
use crate::{Recovered, StoreError};

/// Under which name a checkpoint keeps the hash of the envelope at its position.
const HEAD_BLOB: &str = "journal_head";

/// A copy that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// SHA-256 of the file.
    pub sha256: Digest,
    /// Its length, bytes.
    pub bytes: u64,
}

/// Copies `dir/views.db` to the new file `into`, and says where in the journal it stands: the checkpoint that it holds.
///
/// # Errors
/// `Exists` when there is such a file, `Refused` when the views have no checkpoint yet, `Corrupt` when the copy is no
/// good, `Io` and `Engine` when it cannot be made.
pub async fn snapshot(dir: &Path, into: &Path) -> Result<Base, StoreError> {
    let partial = begin(into)?;
    let outcome = async {
        let recovered = copy::views(&dir.join(VIEWS), &partial).await?;
        let Recovered { position, control_seq, blobs } =
            recovered.ok_or(StoreError::Refused("the views have no checkpoint yet"))?;
        let head = blobs.into_iter().find(|(name, _)| name == HEAD_BLOB).and_then(|(_, head)| head.try_into().ok());
        let head = head.ok_or(StoreError::Refused("the checkpoint does not say which envelope it stands at"))?;
        let Copied { sha256, bytes } = settle(&partial, into).await?;
        Ok(Base { position, head, sha256: sha256.0, bytes, control_seq })
    };
    finish(outcome.await, &partial)
}

/// Copies the users, sessions and secrets of `dir/app.db` to the new file `into`, which only its owner may read.
///
/// # Errors
/// `Exists` when there is such a file, `Corrupt` when the copy is no good, `Io` and `Engine` when it cannot be made.
pub async fn copy_users(dir: &Path, into: &Path) -> Result<Copied, StoreError> {
    let partial = begin(into)?;
    let outcome = async {
        copy::users(&dir.join(APP), &partial).await?;
        settle(&partial, into).await
    };
    finish(outcome.await, &partial)
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> StoreError + '_ {
    move |source| StoreError::Io { path: path.to_owned(), source }
}

/// Makes an empty file beside `into` that only its owner may read: what is copied has secrets, or where trucks were.
fn begin(into: &Path) -> Result<PathBuf, StoreError> {
    if into.try_exists().map_err(io(into))? {
        return Err(StoreError::Exists("a file of that name"));
    }
    let mut partial = into.to_owned().into_os_string();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&partial).map_err(io(&partial))?;
    Ok(partial)
}

fn finish<T>(outcome: Result<T, StoreError>, partial: &Path) -> Result<T, StoreError> {
    if outcome.is_err() {
        let _ = std::fs::remove_file(partial);
    }
    outcome
}

/// Hashes the copy, puts it on disk and gives it its name.
async fn settle(partial: &Path, into: &Path) -> Result<Copied, StoreError> {
    let (partial, into) = (partial.to_owned(), into.to_owned());
    blocking(move || {
        let mut file = File::open(&partial).map_err(io(&partial))?;
        let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 20]);
        loop {
            let read = file.read(&mut buffer).map_err(io(&partial))?;
            if read == 0 {
                break;
            }
            hash.update(buffer.get(..read).unwrap_or_default());
            bytes += read as u64;
        }
        file.sync_all().map_err(io(&partial))?;
        std::fs::rename(&partial, &into).map_err(io(&into))?;
        let folder = into.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io(&into))?;
        Ok(Copied { sha256: Digest(hash.finalize().into()), bytes })
    })
    .await?
}
