//! The journal against a file system that can lose power, flip bits and fail to sync.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use bytes::Bytes;
use journal::sim::SimDisk;
use journal::{AppendError, Batch, Journal, Kind, Options, Reader, Record, verify};
use model::{Change, ControlRecord, TerminalId, Timestamp};

fn folder() -> PathBuf {
    PathBuf::from("/data/journal")
}

fn open(disk: &SimDisk) -> (Journal, Receiver<Batch>) {
    let options = Options { disk: Arc::new(disk.clone()), ..Options::new(folder()) };
    let (journal, feed, _) = Journal::open(options).expect("opens");
    (journal, feed)
}

fn frame(number: u32) -> Record {
    let terminal = TerminalId::from_wire(&[0x13]);
    Record::uplink(Timestamp::from_secs(1_795_400_000), terminal, 1, Bytes::from(number.to_string()))
}

fn setting(seq: u64) -> ControlRecord {
    let change = Change::SettingPut { key: "k".into(), value: seq.to_string() };
    ControlRecord { seq, recorded_at: Timestamp(0), actor: "t".into(), change }
}

fn read_all(disk: &SimDisk) -> Vec<Batch> {
    let mut reader = Reader::open(Arc::new(disk.clone()), &folder(), 0, u64::MAX, 0).expect("readable");
    let mut batches = Vec::new();
    while let Some(batch) = reader.next_batch().expect("whole") {
        batches.push(batch);
    }
    batches
}

fn frames(batches: &[Batch]) -> Vec<u32> {
    let records = batches.iter().flat_map(|b| &b.records).filter(|r| r.kind == Kind::Uplink);
    records.map(|r| String::from_utf8_lossy(&r.raw).parse().expect("number")).collect()
}

async fn append(journal: &Journal, numbers: std::ops::Range<u32>) {
    for number in numbers {
        journal.submit(vec![frame(number)]).await.expect("queued").await.expect("durable");
    }
}

#[tokio::test]
async fn the_feed_and_the_reader_tell_the_same_story() {
    let disk = SimDisk::default();
    let (journal, feed) = open(&disk);
    append(&journal, 0..5).await;
    let control = journal.submit_control(vec![setting(1), setting(2)]).await.expect("queued").await.expect("durable");
    append(&journal, 5..9).await;
    journal.close();
    let live: Vec<Batch> = feed.iter().collect();
    assert_eq!(live, read_all(&disk));
    assert_eq!(frames(&live), (0..9).collect::<Vec<_>>());
    let bringing = live.iter().find(|batch| !batch.control.is_empty()).expect("control took effect");
    assert_eq!((bringing.position, bringing.control_seq, bringing.control.len()), (control.position, 2, 2));
    let report = verify(&disk, &folder()).expect("sound");
    assert_eq!((report.control_records, report.torn_bytes, report.writers), (2, 0, 1));
}

#[tokio::test]
async fn each_start_is_a_new_writer_of_the_same_chain() {
    let disk = SimDisk::default();
    for round in 0..4 {
        let (journal, feed) = open(&disk);
        append(&journal, round * 3..round * 3 + 3).await;
        journal.close();
        drop(feed);
    }
    assert_eq!(frames(&read_all(&disk)), (0..12).collect::<Vec<_>>());
    verify(&disk, &folder()).expect("sound");
}

/// What was acknowledged is there after a power cut, whatever part of the rest is.
#[tokio::test]
async fn acknowledged_records_survive_a_power_cut() {
    for keep in [0, 1, 250, 500, 999, 1000] {
        let disk = SimDisk::default();
        let (journal, _feed) = open(&disk);
        append(&journal, 0..20).await;
        journal.submit_control(vec![setting(1)]).await.expect("queued").await.expect("durable");
        let unanswered = journal.submit(vec![frame(20)]).await.expect("queued");
        let after = disk.power_cut(keep);
        drop(unanswered);
        journal.close();
        let (reopened, feed) = open(&after);
        append(&reopened, 30..31).await;
        reopened.close();
        drop(feed);
        let kept = frames(&read_all(&after));
        assert!(kept.starts_with(&(0..20).collect::<Vec<_>>()), "keep {keep}: acknowledged frames are lost: {kept:?}");
        assert_eq!(kept.last(), Some(&30), "keep {keep}");
        let report = verify(&after, &folder()).expect("sound");
        assert_eq!(report.control_records, 1, "keep {keep}: an acknowledged control record is lost");
    }
}

/// The saboteur of the test above: it must go red when the fsync is left out.
#[cfg(feature = "sabotage")]
#[test]
fn acknowledged_records_survive_a_power_cut_sees_a_skipped_fsync() {
    let mut proof = std::process::Command::new(std::env::current_exe().expect("own path"));
    proof.args(["--exact", "acknowledged_records_survive_a_power_cut"]).env("HAZWATCH_SABOTEUR", "skip-fsync");
    let outcome = proof.output().expect("runs");
    assert!(!outcome.status.success(), "the saboteur was not seen");
    let said = String::from_utf8_lossy(&outcome.stdout);
    assert!(said.contains("are lost") || said.contains("is lost"), "it failed for another reason: {said}");
}

#[tokio::test]
async fn what_fits_no_envelope_is_refused_and_harms_nothing() {
    let disk = SimDisk::default();
    let (journal, _feed) = open(&disk);
    let large = ControlRecord {
        change: Change::SettingPut { key: "k".into(), value: "x".repeat(journal::SUBMISSION_BYTES_MAX) },
        ..setting(1)
    };
    let refused = journal.submit_control(vec![large]).await;
    assert!(matches!(refused, Err(AppendError::TooLarge { .. })), "{refused:?}");
    journal.submit_control(vec![setting(1)]).await.expect("queued").await.expect("durable");
    journal.close();
}

#[tokio::test]
async fn a_failed_fsync_answers_nobody_and_is_not_retried() {
    let disk = SimDisk::default();
    let (journal, _feed) = open(&disk);
    append(&journal, 0..3).await;
    disk.fail_sync_after(0);
    let outcome = journal.submit(vec![frame(3)]).await.expect("queued").await;
    assert!(matches!(outcome, Err(AppendError::Unknown(_))), "{outcome:?}");
    assert!(journal.submit(vec![frame(4)]).await.is_err());
    assert!(journal.failure().is_some());
    let (reopened, _feed) = open(&disk.power_cut(0));
    reopened.close();
}

#[tokio::test]
async fn verify_names_the_first_broken_record() {
    let disk = SimDisk::default();
    let (journal, _feed) = open(&disk);
    append(&journal, 0..10).await;
    journal.submit_control(vec![setting(1)]).await.expect("queued").await.expect("durable");
    append(&journal, 10..12).await;
    journal.close();
    verify(&disk, &folder()).expect("sound");
    let mut named = 0;
    for (path, length) in disk.files() {
        for offset in (0..length).step_by(7) {
            disk.flip(&path, offset, 0x10);
            match verify(&disk, &folder()) {
                Err(journal::VerifyError::Broken(broken)) => {
                    assert!(broken.offset <= offset as u64, "{broken}");
                    named += usize::from(broken.record.is_some());
                }
                Ok(report) => assert!(report.torn_bytes > 0, "{path:?} byte {offset} passed"),
                Err(error) => panic!("{error}"),
            }
            disk.flip(&path, offset, 0x10);
        }
    }
    assert!(named > 10, "records are named: {named}");
    verify(&disk, &folder()).expect("sound again");
}

#[tokio::test]
async fn a_broken_middle_stops_the_start_and_cuts_nothing() {
    let disk = SimDisk::default();
    let (journal, _feed) = open(&disk);
    append(&journal, 0..10).await;
    journal.close();
    let path = folder().join("frames").join("00000000000000000001.hwj");
    let before = disk.files();
    disk.flip(&path, 80 + 9, 0xff);
    let options = Options { disk: Arc::new(disk.clone()), ..Options::new(folder()) };
    let refused = Journal::open(options).err().expect("refused").to_string();
    assert!(refused.contains("damaged"), "{refused}");
    assert_eq!(before, disk.files());
}

#[tokio::test]
async fn a_missing_segment_is_named() {
    let disk = SimDisk::default();
    let day = 86_400;
    for n in 0..3 {
        let clock = Arc::new(FixedClock(Timestamp::from_secs(1_795_400_000 + n * day)));
        let options = Options { disk: Arc::new(disk.clone()), clock, ..Options::new(folder()) };
        let (journal, _feed, _) = Journal::open(options).expect("opens");
        append(&journal, 0..2).await;
        journal.close();
    }
    let frames: Vec<PathBuf> = disk.files().into_iter().map(|(p, _)| p).filter(|p| p.starts_with(folder())).collect();
    assert_eq!(frames.len(), 3, "one segment a day");
    disk.remove(&frames[1]);
    let error = verify(&disk, Path::new("/data/journal")).expect_err("missing").to_string();
    assert!(error.contains("missing"), "{error}");
}

struct FixedClock(Timestamp);

impl journal::Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

fn refused(disk: &SimDisk) -> String {
    let options = Options { disk: Arc::new(disk.clone()), ..Options::new(folder()) };
    Journal::open(options).err().expect("refused").to_string()
}

fn first_segment(stream: &str) -> PathBuf {
    folder().join(stream).join("00000000000000000001.hwj")
}

/// Where the envelopes of a segment begin.
fn offsets(content: &[u8]) -> Vec<usize> {
    (0..content.len()).filter(|at| content[*at..].starts_with(b"HWEV")).collect()
}

async fn ten_frames() -> SimDisk {
    let disk = SimDisk::default();
    let (journal, _feed) = open(&disk);
    append(&journal, 0..10).await;
    journal.close();
    disk
}

#[tokio::test]
async fn a_control_record_that_frames_name_is_never_cut() {
    let disk = SimDisk::default();
    let (journal, _feed) = open(&disk);
    for seq in 1..=2 {
        journal.submit_control(vec![setting(seq)]).await.expect("queued").await.expect("durable");
    }
    journal.close();
    let path = first_segment("control");
    let before = disk.content(&path);
    disk.flip(&path, before.len() - 3, 1);
    assert!(refused(&disk).contains("frames name record 2"), "{}", refused(&disk));
    assert_eq!(disk.content(&path).len(), before.len(), "nothing was cut");
    verify(&disk, &folder()).expect_err("seen");
}

#[tokio::test]
async fn a_removed_envelope_is_seen() {
    let disk = ten_frames().await;
    let path = first_segment("frames");
    let content = disk.content(&path);
    let starts = offsets(&content);
    let (from, to) = (starts[starts.len() - 2], starts[starts.len() - 1]);
    disk.set_content(&path, [&content[..from], &content[to..]].concat());
    verify(&disk, &folder()).expect_err("one is missing");
    refused(&disk);
}

#[tokio::test]
async fn only_the_last_envelope_can_be_a_torn_tail() {
    let disk = ten_frames().await;
    let path = first_segment("frames");
    let content = disk.content(&path);
    let starts = offsets(&content);
    let last = starts[starts.len() - 1];
    let mut damaged = content[..last + 40].to_vec();
    damaged[last - 3] ^= 1;
    disk.set_content(&path, damaged);
    refused(&disk);
    verify(&disk, &folder()).expect_err("the one before it was durable");
}

#[tokio::test]
async fn bytes_that_strangers_choose_do_not_pass_for_an_envelope() {
    let disk = ten_frames().await;
    let path = first_segment("frames");
    let content = disk.content(&path);
    // A good envelope of another journal with a high number, inside a frame whose write is cut short.
    let foreign = {
        let other = ten_frames().await.content(&path);
        let starts = offsets(&other);
        other[starts[starts.len() - 1]..].to_vec()
    };
    let (journal, _feed) = open(&disk);
    let hostile = Record { raw: Bytes::from([vec![0; 64], foreign].concat()), ..frame(11) };
    journal.submit(vec![frame(10), hostile]).await.expect("queued").await.expect("durable");
    journal.close();
    let mut torn = disk.content(&path);
    let start = offsets(&torn).into_iter().find(|at| *at >= content.len()).expect("new envelope");
    torn[start + 2] ^= 0xff;
    disk.set_content(&path, torn);
    let (journal, _feed) = open(&disk);
    append(&journal, 20..21).await;
    journal.close();
    verify(&disk, &folder()).expect("repaired");
}
