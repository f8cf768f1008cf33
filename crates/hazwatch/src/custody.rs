//! Custody: bases of the views, and what retention removes once a base stands behind it.
//!
//! A base is a copy of the views. It is taken before frames go, because nothing else could make those views again; and
//! before a program judges by other rules, because the facts of before stay as they were judged. Removing is a matter
//! of days and rare: once in thirty, so that a base, which is as large as the views, is not taken every day.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::journal::{Keep, RealDisk};
use control::Control;
use model::{Base, Change, ControlPort, DAY_US, Hold, Principal, Registry, Timestamp};
use sha2::{Digest, Sha256};
use store::{Store, StoreError};
use tokio::runtime::Handle;

use crate::error::Failure;

/// Days between two rounds of removing.
const DAYS_BETWEEN: i32 = 30;
/// Under which name the journal remembers the day of the last round.
const LAST_DAY: &str = "retention.day";
/// Under which name it remembers that a round has begun, and may have removed something without a base behind it.
const BEGUN: &str = "retention.begun";

/// What retention is given.
pub(crate) struct Custody {
    pub runtime: Handle,
    pub store: Store,
    pub control: Arc<Control>,
    /// Where the journal lies.
    pub journal: PathBuf,
    /// Where the bases lie.
    pub bases: PathBuf,
    pub frames_days: u32,
    pub tracks_days: u32,
}

impl Custody {
    /// Removes what may go, when it is time.
    pub(crate) fn round(&self, now: Timestamp, stop: &AtomicBool) -> Result<(), String> {
        let registry = ControlPort::registry(&*self.control);
        let today = now.china_day();
        let last = registry.setting(LAST_DAY).and_then(|day| day.parse::<i32>().ok());
        let is_begun = registry.setting(BEGUN) == Some("1");
        let is_due = last.is_none_or(|last| today - last >= DAYS_BETWEEN);
        if !(is_due || is_begun) || stop.load(Ordering::Acquire) {
            return Ok(());
        }
        let going = self.plan(self.frames_days, now, u64::MAX)?;
        // Nothing was received before the first frame, so nothing older is in the tracks.
        let is_young = going.remove.is_empty() && self.plan(self.tracks_days, now, u64::MAX)?.remove.is_empty();
        if is_young && !is_begun && registry.bases().next().is_none() {
            return Ok(());
        }
        if !is_begun {
            // Before anything is removed: should this round not come to its end, the next one takes the base.
            self.record(vec![setting(BEGUN, "1")])?;
        }
        let tracks_from = now.plus_us(-i64::from(self.tracks_days) * DAY_US).china_day();
        let control = self.control.clone();
        let holds = move || held(&ControlPort::registry(&*control));
        let forgotten = self.runtime.block_on(self.store.forget_before(tracks_from, holds));
        let forgotten = forgotten.map_err(|error| model::Chain(&error).to_string())?;
        let done = [setting(BEGUN, ""), setting(LAST_DAY, &today.to_string())];
        if going.remove.is_empty() && forgotten.chunks == 0 && !is_begun {
            return self.record(done.into());
        }
        let base = self
            .runtime
            .block_on(take_base(&self.store, &self.bases))
            .map_err(|error| model::Chain(&error).to_string())?;
        let [begun, day] = done;
        self.record(vec![Change::BaseTaken(base.clone()), begun, day])?;
        // What no seal covers stays: nobody could vouch for it any more.
        let sealed =
            ::journal::sealed_frames(&RealDisk, &self.journal).map_err(|error| model::Chain(&error).to_string())?;
        let plan = self.plan(self.frames_days, now, base.position.seq.min(sealed))?;
        ::journal::sweep(&RealDisk, &plan).map_err(|error| model::Chain(&error).to_string())?;
        self.keep_only(&base)?;
        let frames_to = plan.remove.last().map_or(0, |segment| segment.last_seq);
        tracing::info!(frames_to, chunks = forgotten.chunks, base = base.position.seq, "retention removed what may go");
        Ok(())
    }

    fn record(&self, changes: Vec<Change>) -> Result<(), String> {
        let recorded = self.runtime.block_on(self.control.submit(&Principal::system(), changes));
        recorded.map(|_| ()).map_err(|error| model::Chain(&error).to_string())
    }

    /// Which frames are older than so many days and may go, with the holds as they are now.
    fn plan(&self, days: u32, now: Timestamp, base: u64) -> Result<::journal::Plan, String> {
        let holds = held(&ControlPort::registry(&*self.control));
        let keep = Keep {
            from: now.plus_us(-i64::from(days) * DAY_US),
            base,
            holds: holds.iter().map(|hold| (hold.from, hold.to)).collect(),
            held_late: ::journal::HELD_LATE,
        };
        ::journal::plan(&RealDisk, &self.journal, &keep).map_err(|error| model::Chain(&error).to_string())
    }

    /// An older base helps nobody: what it could rebuild has lost its frames.
    fn keep_only(&self, base: &Base) -> Result<(), String> {
        let kept = path(&self.bases, base);
        for entry in std::fs::read_dir(&self.bases).map_err(|error| error.to_string())? {
            let file = entry.map_err(|error| error.to_string())?.path();
            if file != kept {
                std::fs::remove_file(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            }
        }
        Ok(())
    }
}

fn held(registry: &Registry) -> Vec<Hold> {
    registry.holds().map(|hold| Hold::clone(hold)).collect()
}

fn setting(key: &str, value: &str) -> Change {
    Change::SettingPut { key: key.to_owned(), value: value.to_owned() }
}

fn path(bases: &Path, base: &Base) -> PathBuf {
    bases.join(format!("{:020}.db", base.position.seq))
}

/// Sets the views aside as they are at their last checkpoint.
pub(crate) async fn take_base(store: &Store, bases: &Path) -> Result<Base, StoreError> {
    let io = |source| StoreError::Io { path: bases.to_owned(), source };
    std::fs::create_dir_all(bases).map_err(io)?;
    let aside = bases.join("base.new");
    match std::fs::remove_file(&aside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let base = store.snapshot(&aside).await?;
    std::fs::rename(&aside, path(bases, &base)).map_err(io)?;
    std::fs::File::open(bases).and_then(|folder| folder.sync_all()).map_err(io)?;
    Ok(base)
}

/// Puts the newest base that is there in the place of the views `into`; returns where it stands. `None` when no base
/// was ever taken.
pub(crate) fn start_from_base(registry: &Registry, bases: &Path, into: &Path) -> Result<Option<Base>, Failure> {
    let Some(base) = registry.bases().next_back() else { return Ok(None) };
    let file = path(bases, base);
    let cannot = |error| Failure::because(format!("cannot use the base {}", file.display()), error);
    if sha256(&file).map_err(cannot)? != base.sha256 {
        let message = format!("the base {} is not the one that was recorded: restore it", file.display());
        return Err(Failure::plain(message));
    }
    let mut aside = into.to_path_buf();
    aside.as_mut_os_string().push(".new");
    std::fs::copy(&file, &aside).and_then(|_| std::fs::File::open(&aside)?.sync_all()).map_err(cannot)?;
    std::fs::rename(&aside, into).map_err(cannot)?;
    Ok(Some(base.clone()))
}

fn sha256(file: &Path) -> std::io::Result<[u8; 32]> {
    let mut file = std::fs::File::open(file)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            read => hash.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{ControlRecord, Position};
    use store::Checkpoint;

    #[tokio::test]
    async fn views_begin_with_the_base_that_was_recorded_and_with_no_other() {
        let dir = tempfile::tempdir().expect("folder");
        let (data, bases, views) = (dir.path().join("data"), dir.path().join("bases"), dir.path().join("new.db"));
        let store = Store::open(&data, 1).await.expect("store");
        assert!(matches!(take_base(&store, &bases).await, Err(StoreError::Refused(_))), "there is no checkpoint");
        let checkpoint = Checkpoint {
            position: Position { shard: 0, seq: 42 },
            blobs: vec![("journal_head".to_owned(), vec![7; 32])],
            ..Checkpoint::default()
        };
        store.checkpoint(checkpoint).await.expect("checkpoint");
        let base = take_base(&store, &bases).await.expect("base");
        assert_eq!((base.position.seq, base.head), (42, [7; 32]));

        let mut registry = Registry::default();
        assert!(start_from_base(&registry, &bases, &views).expect("none").is_none());
        let change = Change::BaseTaken(base.clone());
        registry.apply(&ControlRecord { seq: 1, recorded_at: Timestamp(0), actor: String::new(), change });
        assert_eq!(start_from_base(&registry, &bases, &views).expect("restored"), Some(base.clone()));
        assert_eq!(std::fs::read(&views).expect("read"), std::fs::read(path(&bases, &base)).expect("read"));

        std::fs::remove_file(&views).expect("removed");
        let mut altered = std::fs::read(path(&bases, &base)).expect("read");
        altered[100] ^= 1;
        std::fs::write(path(&bases, &base), altered).expect("written");
        assert!(start_from_base(&registry, &bases, &views).is_err(), "another file than the recorded one");
        assert!(!views.exists());
    }
}
