//! The journal on real file systems that are too small: filled up, refused, freed, and working again. Needs the right
//! to mount (root, or a user namespace); where that is missing the tests say so and pass.
#![allow(clippy::print_stderr, reason = "a test that does not run says why")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use journal::{AppendError, Journal, Kind, Options, Reader, RealDisk, Record, verify};
use model::{TerminalId, Timestamp};

const MOUNTED_AT: &str = "HAZWATCH_SMALL_DISK";

/// Runs one of the ignored tests below within a mount namespace of its own, with a file system that `mount` (a shell
/// script with `$1` for a folder) puts there.
fn within(mount: &str, test: &str) {
    let dir = tempfile::tempdir().expect("folder");
    let point = dir.path().join("disk");
    std::fs::create_dir(&point).expect("folder");
    let own = std::env::current_exe().expect("own path");
    let script = format!("{{ {mount}; }} >/dev/null || exit 77; exec \"$2\" --exact {test} --ignored --nocapture");
    let mut why = "there is no unshare(1)".to_owned();
    for rights in [&["--mount"][..], &["--map-root-user", "--mount"]] {
        let mut command = Command::new("unshare");
        command.args(rights).args(["sh", "-c", &script, "sh"]).arg(&point).arg(&own).env(MOUNTED_AT, &point);
        let Ok(outcome) = command.output() else { break };
        why = String::from_utf8_lossy(&outcome.stdout).into_owned() + &String::from_utf8_lossy(&outcome.stderr);
        if why.contains("1 passed") {
            return;
        }
        assert!(!why.contains("1 failed"), "{why}");
    }
    eprintln!("skipped {test}: this machine does not let us mount: {}", why.trim());
}

const TMPFS: &str = "mount -t tmpfs -o size=2m none \"$1\"";
const EXT4: &str = "truncate -s 4M \"$1.img\" && mkfs.ext4 -q -m 0 \"$1.img\" && mount -o loop \"$1.img\" \"$1\"";

#[test]
fn a_full_tmpfs() {
    within(TMPFS, "fills_up_and_recovers");
    within(TMPFS, "leaves_a_reserve");
}

#[test]
fn a_full_ext4() {
    within(EXT4, "fills_up_and_recovers");
    within(EXT4, "leaves_a_reserve");
}

struct House {
    folder: PathBuf,
    journal: Journal,
    durable: Vec<u64>,
    next: u64,
}

impl House {
    fn open(low_bytes: u64, stop_bytes: u64) -> Self {
        let folder = mounted_at().join("journal");
        let retry = Duration::from_millis(10);
        let options =
            Options { low_bytes, stop_bytes, retry_first: retry, retry_max: retry, ..Options::new(folder.clone()) };
        let (journal, feed, _) = Journal::open(options).expect("opens");
        std::thread::spawn(move || feed.iter().count());
        Self { folder, journal, durable: Vec::new(), next: 0 }
    }

    async fn submit(&mut self) -> Result<(), AppendError> {
        let mut raw = vec![b'x'; 10_000];
        raw[..8].copy_from_slice(&self.next.to_be_bytes());
        self.next += 1;
        let record = Record::uplink(Timestamp(0), TerminalId::from_wire(&[0x13]), 1, raw.into());
        self.journal.submit(vec![record]).await?.await?;
        self.durable.push(self.next - 1);
        Ok(())
    }

    async fn until_refused(&mut self) -> AppendError {
        loop {
            if let Err(error) = self.submit().await {
                return error;
            }
        }
    }

    /// What was answered is there, once and in order.
    fn close(self) {
        self.journal.close();
        verify(&RealDisk, &self.folder).expect("sound");
        let mut reader = Reader::open(Arc::new(RealDisk), &self.folder, 0, u64::MAX, 0).expect("readable");
        let mut there = Vec::new();
        while let Some(batch) = reader.next_batch().expect("whole") {
            let uplinks = batch.records.iter().filter(|record| record.kind == Kind::Uplink);
            there.extend(uplinks.filter_map(|record| Some(u64::from_be_bytes(*record.raw.first_chunk()?))));
        }
        assert_eq!(there, self.durable);
    }
}

fn mounted_at() -> PathBuf {
    std::env::var_os(MOUNTED_AT).expect("started by the tests above").into()
}

fn ballast(path: &Path, bytes: usize) {
    std::fs::write(path, vec![1; bytes]).expect("fits");
}

#[tokio::test]
#[ignore = "started by the tests above, on a disk of its own"]
async fn fills_up_and_recovers() {
    let filler = mounted_at().join("filler");
    ballast(&filler, 800_000);
    let mut house = House::open(0, 0);
    let refused = house.until_refused().await;
    assert!(matches!(refused, AppendError::Failed(_)), "{refused}");
    let before = house.durable.len();
    assert!(before > 20, "{before}");
    std::fs::remove_file(&filler).expect("removed");
    house.journal.working().await;
    for _ in 0..20 {
        house.submit().await.expect("room");
    }
    house.close();
}

#[tokio::test]
#[ignore = "started by the tests above, on a disk of its own"]
async fn leaves_a_reserve() {
    let filler = mounted_at().join("filler");
    ballast(&filler, 500_000);
    let mut house = House::open(800_000, 400_000);
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    let mut refused = None;
    while refused.is_none() && std::time::Instant::now() < deadline {
        refused = house.submit().await.err();
        // The free space is asked for once a second.
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    assert!(refused.expect("in time").to_string().contains("free"), "refused for the reserve");
    let views = mounted_at().join("views");
    ballast(&views, 100_000);
    std::fs::remove_file(&views).expect("removed");
    std::fs::remove_file(&filler).expect("removed");
    house.journal.working().await;
    house.submit().await.expect("room");
    house.close();
}
