//! The load, in a process of its own, so that its processor time is not the server's. What it prints is a conversation
//! with the parent: `begin` and `end` around the measured time, then one line of JSON.

mod drives;
mod full;
mod hostile;
mod idle;
mod paced;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::child::end_with_parent;
use crate::cli::{Client, Manner};
use crate::error::Failure;

pub(crate) const BEGIN: &str = "begin";
pub(crate) const END: &str = "end";
/// Time under load before anything is measured.
const WARM_UP: Duration = Duration::from_secs(1);
/// How long ago the fix times of all loads begin.
pub(crate) const AGE: Duration = Duration::from_hours(30 * 24);

/// The second at which the fix times of a load begin.
fn begin_s() -> i64 {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    now_s.saturating_sub(AGE.as_secs()) as i64
}

/// What a load came to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Positions acknowledged a second, within the measured time.
    pub(crate) acked_per_s: f64,
    /// Positions acknowledged from beginning to end.
    pub(crate) acked: u64,
    /// Positions sent and not acknowledged in the end.
    pub(crate) lost: u64,
    /// Positions that waited in the client because too many before them were unanswered; paced only.
    pub(crate) held_back: u64,
    /// From due (paced) or sent (full) to the answer, ms: p50, p99, p99.9.
    pub(crate) latency_ms: [f64; 3],
    /// The slowest tenths of a second: when each began, s, and its slowest answer, ms; paced only.
    pub(crate) slowest: Vec<(f64, f64)>,
}

/// The load process.
pub(crate) fn run(command: &Client) -> Result<(), Failure> {
    end_with_parent();
    rlimit::increase_nofile_limit(u64::MAX).map_err(Failure::io("raise the limit on open files"))?;
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::io("start the runtime"))?;
    let outcome = runtime.block_on(async {
        match command.manner {
            Manner::Full => full::run(command).await,
            Manner::Paced => paced::run(command).await,
            Manner::Idle => idle::run(command).await,
            Manner::Hostile => hostile::run(command).await,
        }
    })?;
    println!("{}", serde_json::to_string(&outcome).map_err(Failure::other("write the outcome"))?);
    // Whoever measures decides when the connections close.
    std::thread::park();
    Ok(())
}
