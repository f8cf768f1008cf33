//! `hazwatch verify`: walks chains, seals, heads and blobs of a folder that no server is using, or checks a proof.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use journal::{DataLock, Disk, LockError, RealDisk, Stream};

use super::{proof, say};
use crate::cli::Verify;
use crate::error::Failure;
use crate::house::JOURNAL;

pub(super) fn run(options: &Verify) -> Result<ExitCode, Failure> {
    let trust = proof::trust(options)?;
    if let Some(file) = &options.proof {
        return proof::run(file, &trust);
    }
    let folder = journal_of(&options.data)?;
    let _lock = lock(&options.data)?;
    let unsound = |error| Failure::plain(format!("the journal is not sound: {error}"));
    let report = journal::verify_with(&RealDisk, &folder, &trust).map_err(unsound)?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let blobs = journal::verify_blobs(&disk, &folder).map_err(unsound)?;
    say(&report.to_string());
    if blobs > 0 {
        say(&format!("{blobs} blobs are what their names say"));
    }
    if options.gives_trust() && !report.is_anchored() {
        return Err(Failure::plain("no seal is signed by a key that you gave, and no head that you gave is there"));
    }
    match &options.against {
        None => Ok(ExitCode::SUCCESS),
        Some(other) => compare(&folder, &journal_of(other)?),
    }
}

fn journal_of(data: &Path) -> Result<std::path::PathBuf, Failure> {
    let folder = data.join(JOURNAL);
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(Failure::Usage(format!("there is no journal in {}", data.display())))
}

/// A server that goes on writing would look like damage. A copy that nobody can write to needs no lock.
fn lock(data: &Path) -> Result<Option<DataLock>, Failure> {
    match DataLock::acquire(data) {
        Ok(lock) => Ok(Some(lock)),
        Err(error @ LockError::Held { .. }) => Err(Failure::because("cannot verify", error)),
        Err(LockError::Io { .. }) => Ok(None),
    }
}

/// Where two copies part; exit code 1 when they do.
fn compare(one: &Path, other: &Path) -> Result<ExitCode, Failure> {
    let mut parted = false;
    for (name, stream) in [("frames", Stream::Frames), ("control", Stream::Control)] {
        let parting = journal::compare((&RealDisk, one), (&RealDisk, other), stream)
            .map_err(|error| Failure::because("cannot compare the copies", error))?;
        say(&format!("{name}: {parting}"));
        parted |= !matches!(parting, journal::Parting::Same { .. });
    }
    Ok(if parted { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
