//! What one record costs on the committer's thread, without a disk: `cargo run --release -p hazwatch-journal --example
//! commit_cost [RECORDS [PER_SUBMISSION [BATCH_BYTES]]]`. Prints CPU time of that thread per record, and of the whole process.
//! Repeat it under `perf record -g` to see the stages.
#![allow(clippy::print_stdout, reason = "an example talks to a terminal")]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use journal::{AppendError, Committed, Disk, DiskFile, Journal, Landing, Options, Record, Refused};
use model::{TerminalId, Timestamp};
use rustix::time::{ClockId, clock_gettime};

/// Takes all and keeps nothing.
struct Nothing;

impl DiskFile for Nothing {
    fn append(&mut self, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn truncate(&mut self, _length: u64) -> io::Result<()> {
        Ok(())
    }

    fn read_at(&self, _buffer: &mut [u8], _offset: u64) -> io::Result<usize> {
        Ok(0)
    }
}

impl Disk for Nothing {
    fn list(&self, _folder: &Path) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn make_folder(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create(&self, _path: &Path, _content: &[u8]) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Self))
    }

    fn open_append(&self, _path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Self))
    }

    fn open_read(&self, _path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Self))
    }
}

struct Counter(AtomicU64);

impl Landing for Counter {
    fn landed(self: Arc<Self>, outcome: Result<Committed, AppendError>) {
        self.0.fetch_add(u64::from(outcome.is_ok()), Ordering::Relaxed);
    }
}

fn cpu(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

/// A location report of 28 bytes and a mileage item, as most frames are.
fn submission(number: u64, records: usize) -> Vec<Record> {
    let raw = Bytes::from(vec![0x5a; 51 * records]);
    let record = |at: usize| {
        let terminal = TerminalId::from_wire(&[1, 0x39, 0x12, 0x34, 0x56, (number % 100) as u8]);
        Record::uplink(Timestamp(1_795_400_000_000_000), terminal, number, raw.slice(at * 51..(at + 1) * 51))
    };
    (0..records).map(record).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u64>());
    let records = args.next().transpose()?.unwrap_or(5_000_000);
    let per_submission = args.next().transpose()?.unwrap_or(8);
    let batch_bytes_max = args.next().transpose()?.unwrap_or(256 << 10) as usize;
    let committer_ns = Arc::new(AtomicU64::new(0));
    let commits = Arc::new(AtomicU64::new(0));
    let (spent, count) = (committer_ns.clone(), commits.clone());
    let options = Options {
        disk: Arc::new(Nothing),
        batch_bytes_max,
        on_commit: Some(Box::new(move |_| {
            spent.store(cpu(ClockId::ThreadCPUTime).as_nanos() as u64, Ordering::Relaxed);
            count.fetch_add(1, Ordering::Relaxed);
        })),
        ..Options::new(PathBuf::from("nowhere"))
    };
    let (journal, feed, _) = Journal::open(options)?;
    let reader = std::thread::Builder::new().name("reader".into()).spawn(move || feed.iter().count())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let landed = Arc::new(Counter(AtomicU64::new(0)));
    let submissions = records / per_submission;
    runtime.block_on(async {
        for number in 0..submissions {
            let mut waiting = submission(number, per_submission as usize);
            while let Err(refused) = journal.try_submit(waiting, landed.clone()) {
                let Refused::Full(back) = refused else { return };
                waiting = back;
                journal.room().await;
            }
        }
    });
    journal.close();
    let _ = reader.join();
    let done = landed.0.load(Ordering::Relaxed) * per_submission;
    println!("{done} records, {} commits", commits.load(Ordering::Relaxed));
    println!("committer: {} ns a record", committer_ns.load(Ordering::Relaxed) / done.max(1));
    println!("process:   {} ns a record", cpu(ClockId::ProcessCPUTime).as_nanos() / u128::from(done.max(1)));
    Ok(())
}
