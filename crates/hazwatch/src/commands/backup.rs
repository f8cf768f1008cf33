//! `hazwatch backup`: a copy of a data folder, made beside the server that is using it.
//!
//! The views are copied before the journal, so that the journal of the copy reflects them; secrets and users come
//! with SQLite's own copying. What is there from an earlier backup is not copied again.

use std::path::Path;
use std::process::ExitCode;

use journal::RealDisk;
use model::Base;
use serde::{Deserialize, Serialize};
use store::StoreError;

use super::say;
use crate::cli::Backup;
use crate::error::Failure;
use crate::house::{BASES, JOURNAL};

/// What makes a folder a backup.
pub(super) const MANIFEST: &str = "backup.json";
const VIEWS: &str = "views.db";
const VIEWS_COPY: &str = "views.db.copy";
const USERS: &str = "app.db";
const USERS_COPY: &str = "app.db.copy";

/// What a backup says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// Version of this form: 1.
    pub format: u32,
    /// When it was finished, RFC 3339.
    pub made_at: String,
    /// The last frame envelope of the copy, and its hash.
    pub frames: u64,
    pub frames_head: String,
    /// Control records in the copy.
    pub control_records: u64,
    pub control_head: String,
    /// The frame envelope that the copied views reflect; 0: there are none, and they will be made anew.
    pub views: u64,
}

pub(super) async fn run(options: Backup) -> Result<ExitCode, Failure> {
    let (data, into) = (&options.data, &options.into);
    let from = data.join(JOURNAL);
    if !from.is_dir() {
        return Err(Failure::Usage(format!("there is no journal in {}", data.display())));
    }
    check_target(into)?;
    std::fs::create_dir_all(into)
        .map_err(|error| Failure::because(format!("cannot make {}", into.display()), error))?;
    // From here on it is a backup, if an unfinished one: the next try may go on from it.
    let unfinished = into.join(MANIFEST);
    if !unfinished.exists() {
        write(&unfinished, b"{}")?;
    }
    let views = copy_views(data, into).await?;
    copy_users(data, into).await?;
    // A base that the copied journal names must be in the copy.
    let bases = data.join(BASES);
    if bases.is_dir() {
        journal::copy(&bases, &into.join(BASES)).map_err(|error| Failure::because("cannot copy the bases", error))?;
    }
    let copied = tokio::task::spawn_blocking({
        let (from, to) = (from, into.join(JOURNAL));
        move || journal::copy(&from, &to)
    });
    let copied = copied.await.map_err(|error| Failure::because("copying broke off", error))?;
    let copied = copied.map_err(|error| Failure::because("cannot copy the journal", error))?;
    let manifest = check(into, views.as_ref())?;
    // Only now: broken off before, the databases of the backup before are still there, and older than its journal.
    match views {
        Some(_) => rename(&into.join(VIEWS_COPY), &into.join(VIEWS))?,
        None => remove(&into.join(VIEWS))?,
    }
    rename(&into.join(USERS_COPY), &into.join(USERS))?;
    let json = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
    write(&unfinished, &json)?;
    say(&format!(
        "copied {} files with {} bytes, {} were there already, {} are gone",
        copied.files, copied.bytes, copied.kept, copied.removed
    ));
    say(&format!(
        "sound: frames up to envelope {} ({}), {} control records ({})",
        manifest.frames, manifest.frames_head, manifest.control_records, manifest.control_head
    ));
    Ok(ExitCode::SUCCESS)
}

/// A backup goes into a new folder, or over an older backup: never over anything else.
fn check_target(into: &Path) -> Result<(), Failure> {
    let is_empty = match std::fs::read_dir(into) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(Failure::because(format!("cannot read {}", into.display()), error)),
    };
    if is_empty || into.join(MANIFEST).exists() {
        return Ok(());
    }
    Err(Failure::Usage(format!("{} is not empty and holds no backup", into.display())))
}

async fn copy_views(data: &Path, into: &Path) -> Result<Option<Base>, Failure> {
    let aside = into.join(VIEWS_COPY);
    remove(&aside)?;
    match store::snapshot(data, &aside).await {
        Ok(base) => Ok(Some(base)),
        // No checkpoint yet: there is nothing that could not be made anew.
        Err(StoreError::Refused(_)) => Ok(None),
        Err(error) => Err(Failure::because("cannot copy the views", error)),
    }
}

async fn copy_users(data: &Path, into: &Path) -> Result<(), Failure> {
    let aside = into.join(USERS_COPY);
    remove(&aside)?;
    let copied = store::copy_users(data, &aside).await;
    copied.map(|_| ()).map_err(|error| Failure::because("cannot copy the users", error))
}

/// Walks the chains of the copy; its views must be of its journal.
fn check(into: &Path, views: Option<&Base>) -> Result<Manifest, Failure> {
    let folder = into.join(JOURNAL);
    let report = journal::verify(&RealDisk, &folder)
        .map_err(|error| Failure::because("the copy is not sound; was the original?", error))?;
    let frames = (report.first_frame_envelope + report.frame_envelopes).saturating_sub(1);
    if let Some(base) = views {
        let seq = base.position.seq;
        let hash = journal::envelope_hash(std::sync::Arc::new(RealDisk), &folder, seq)
            .map_err(|error| Failure::because("cannot read the copy", error))?;
        if seq > 0 && hash != Some(base.head) {
            return Err(Failure::plain(format!("the copied views are not of this journal (envelope {seq})")));
        }
    }
    Ok(Manifest {
        format: 1,
        made_at: journal::system_clock().now().to_string(),
        frames,
        frames_head: report.frames_head,
        control_records: report.control_records,
        control_head: report.control_head,
        views: views.map_or(0, |base| base.position.seq),
    })
}

fn remove(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::because(format!("cannot remove {}", path.display()), error))
        }
        _ => Ok(()),
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::rename(from, to).map_err(|error| Failure::because(format!("cannot write {}", to.display()), error))
}

/// Whole or not at all, and durable.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut aside = path.to_path_buf();
    aside.as_mut_os_string().push(".copy");
    std::fs::write(&aside, bytes)
        .and_then(|()| std::fs::File::open(&aside)?.sync_all())
        .map_err(|error| Failure::because(format!("cannot write {}", aside.display()), error))?;
    rename(&aside, path)
}
