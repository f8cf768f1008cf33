//! `hazwatch restore`: a data folder out of a backup.

use std::path::Path;
use std::process::ExitCode;

use journal::{DataLock, RealDisk};

use super::backup::{MANIFEST, Manifest};
use super::say;
use crate::cli::Restore;
use crate::error::Failure;
use crate::house::{BASES, JOURNAL};

/// Copied as they are. The views of a folder without them are made anew at the next start.
const DATABASES: [&str; 2] = ["app.db", "views.db"];

pub(super) async fn run(options: Restore) -> Result<ExitCode, Failure> {
    let (from, data) = (&options.from, &options.data);
    let manifest = read(from)?;
    if std::fs::read_dir(data).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::Usage(format!("{} is not empty: give a new folder", data.display())));
    }
    let _lock = DataLock::acquire(data).map_err(|error| Failure::because("cannot restore", error))?;
    journal::copy(&from.join(JOURNAL), &data.join(JOURNAL))
        .map_err(|error| Failure::because("cannot copy the journal", error))?;
    if from.join(BASES).is_dir() {
        journal::copy(&from.join(BASES), &data.join(BASES))
            .map_err(|error| Failure::because("cannot copy the bases", error))?;
    }
    for name in DATABASES {
        let source = from.join(name);
        if source.exists() {
            copy(&source, &data.join(name))?;
        }
    }
    let report = journal::verify(&RealDisk, &data.join(JOURNAL))
        .map_err(|error| Failure::because("what was restored is not sound", error))?;
    if report.frames_head != manifest.frames_head || report.control_head != manifest.control_head {
        say("A later backup was broken off: the journal goes on behind what backup.json says, and is sound.");
    }
    say(&format!(
        "restored what was backed up at {}: frames up to envelope {}, {} control records",
        manifest.made_at, manifest.frames, manifest.control_records
    ));
    say(&format!("head of frames:  {}\nhead of control: {}", report.frames_head, report.control_head));
    say("Frames that were answered after the backup are not in it, and their terminals will not send them again.");
    Ok(ExitCode::SUCCESS)
}

fn read(from: &Path) -> Result<Manifest, Failure> {
    let path = from.join(MANIFEST);
    let text = std::fs::read(&path)
        .map_err(|error| Failure::Usage(format!("{} is no backup ({MANIFEST}: {error})", from.display())))?;
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|_| Failure::Usage(format!("the backup in {} was not finished", from.display())))?;
    if manifest.format != 1 {
        return Err(Failure::plain(format!("the backup was made by a newer version (format {})", manifest.format)));
    }
    Ok(manifest)
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::copy(from, to)
        .and_then(|_| std::fs::File::open(to)?.sync_all())
        .map_err(|error| Failure::because(format!("cannot copy {}", from.display()), error))
}
