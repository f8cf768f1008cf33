//! `hazwatch replay`: the views, made anew from the journal, must be the same.

use std::path::Path;
use std::process::ExitCode;

use journal::{DataLock, RealDisk};
use model::Digest;
use store::Store;

use super::say;
use crate::cli::Replay;
use crate::custody::start_from_base;
use crate::error::Failure;
use crate::house::{BASES, JOURNAL, registry_at_end};

const VIEWS: [&str; 2] = ["views.db", "views.db-wal"];

pub(super) async fn run(options: Replay) -> Result<ExitCode, Failure> {
    let journal = options.data.join(JOURNAL);
    if !journal.is_dir() {
        return Err(Failure::Usage(format!("there is no journal in {}", options.data.display())));
    }
    if options.into.join("views.db").exists() {
        return Err(Failure::Usage(format!("{} holds views already: give a new folder", options.into.display())));
    }
    let _lock = DataLock::acquire(&options.data).map_err(|error| Failure::because("cannot replay", error))?;
    let _into = DataLock::acquire(&options.into).map_err(|error| Failure::because("cannot replay", error))?;
    let (live, live_seq) = recovered_digest(&options.data, &journal).await?;
    say(&format!("views in {}: {live} at envelope {live_seq}", options.data.display()));
    if !options.whole {
        let registry = registry_at_end(&RealDisk, &journal).map_err(Failure::plain)?;
        let views = options.into.join("views.db");
        if let Some(base) = start_from_base(&registry, &options.data.join(BASES), &views)? {
            say(&format!("starts from the base at envelope {}: its hash is the recorded one", base.position.seq));
        }
    }
    let (rebuilt, rebuilt_seq) = digest(&options.into, &journal).await?;
    say(&format!("rebuilt in {}: {rebuilt} at envelope {rebuilt_seq}", options.into.display()));
    if (live, live_seq) == (rebuilt, rebuilt_seq) {
        say("equal");
        return Ok(ExitCode::SUCCESS);
    }
    say("DIFFERENT");
    Ok(ExitCode::from(1))
}

/// The digest of the views as they are, after their recovery is finished on a copy.
async fn recovered_digest(data: &Path, journal: &Path) -> Result<(Digest, u64), Failure> {
    let copy = tempfile::tempdir_in(data).map_err(|error| Failure::because("cannot copy the views", error))?;
    for name in VIEWS {
        let from = data.join(name);
        if from.exists() {
            std::fs::copy(&from, copy.path().join(name))
                .map_err(|error| Failure::because(format!("cannot copy {}", from.display()), error))?;
        }
    }
    digest(copy.path(), journal).await
}

async fn digest(folder: &Path, journal: &Path) -> Result<(Digest, u64), Failure> {
    let cannot = |error| Failure::because(format!("cannot use the views in {}", folder.display()), error);
    let store = Store::open(folder, 1).await.map_err(cannot)?;
    let metrics = pipeline::Metrics::register(&prometheus::Registry::new())
        .map_err(|error| Failure::because("cannot count", error))?;
    let options = pipeline::Options::new(journal.to_path_buf());
    let seq = pipeline::catch_up(options, store.clone(), metrics)
        .await
        .map_err(|error| Failure::because("cannot read the journal to its end", error))?;
    let digest = store.digest().await.map_err(cannot)?;
    Ok((digest, seq))
}
