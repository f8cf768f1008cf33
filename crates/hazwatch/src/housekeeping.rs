//! What the house does beside the traffic, on a thread of its own with the lowest priority: indexes and packs closed
//! files of the journal, and removes what nobody has to keep any more (`custody`).

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ::journal::{Clock, RealDisk, Recompressed, index_next, recompress_next};
use model::{DAY_US, Timestamp};

use crate::custody::Custody;

/// How long between two looks at the folder.
const EVERY: Duration = Duration::from_secs(60);
/// How often it looks whether it should stop.
const PATIENCE: Duration = Duration::from_millis(200);
/// Of the time that packing takes, how much it rests: a busy machine has better things to do.
const REST: Duration = Duration::from_millis(20);
/// After an error.
const AGAIN: Duration = Duration::from_secs(600);

/// What the thread is given.
pub(crate) struct Chores {
    /// Where the journal lies.
    pub folder: PathBuf,
    /// Files are packed when they are so many days old.
    pub compress_after_days: u32,
    pub clock: Arc<dyn Clock>,
    pub custody: Custody,
}

/// The thread; it ends when this is dropped.
pub(crate) struct Housekeeping {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Housekeeping {
    /// Starts the thread.
    pub(crate) fn start(chores: Chores) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let thread = std::thread::Builder::new().name("housekeeping".into()).spawn(move || {
            lower_priority();
            while !stopping.load(Ordering::Acquire) {
                let pause = if chores.round(&stopping) { EVERY } else { AGAIN };
                wait(pause, &stopping);
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Housekeeping {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Chores {
    /// Everything that is due; whether all went well.
    fn round(&self, stop: &AtomicBool) -> bool {
        let packed = self.index(stop).and_then(|()| self.pack(stop));
        let removed = self.custody.round(self.clock.now(), stop);
        let outcomes = [("packing files of the journal", packed), ("retention", removed)];
        outcomes.into_iter().fold(true, |well, (what, outcome)| match outcome {
            Ok(()) => well,
            Err(error) => {
                tracing::warn!(error, what, "housekeeping is put off");
                false
            }
        })
    }

    fn index(&self, stop: &AtomicBool) -> Result<(), String> {
        while !stop.load(Ordering::Acquire) {
            match index_next(&RealDisk, &self.folder).map_err(|error| error.to_string())? {
                Some(first_seq) => tracing::info!(first_seq, "indexed a file of the journal"),
                None => return Ok(()),
            }
        }
        Ok(())
    }

    fn pack(&self, stop: &AtomicBool) -> Result<(), String> {
        let age_us = i64::from(self.compress_after_days) * DAY_US;
        loop {
            let older_than: Timestamp = self.clock.now().plus_us(-age_us);
            let mut go_on = || {
                std::thread::sleep(REST);
                !stop.load(Ordering::Acquire)
            };
            let packed = recompress_next(&RealDisk, &self.folder, older_than, &mut go_on);
            match packed.map_err(|error| error.to_string())? {
                Recompressed::Nothing | Recompressed::Stopped => return Ok(()),
                Recompressed::Packed { first_seq, records, bytes_before, bytes_after, .. } => {
                    tracing::info!(first_seq, records, bytes_before, bytes_after, "packed a file of the journal");
                }
            }
        }
    }
}

fn wait(pause: Duration, stop: &AtomicBool) {
    let began = Instant::now();
    while began.elapsed() < pause && !stop.load(Ordering::Acquire) {
        std::thread::sleep(PATIENCE);
    }
}

/// On Linux this is about the calling thread, elsewhere about the whole process.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        tracing::debug!(%error, "housekeeping runs at the usual priority");
    }
}
