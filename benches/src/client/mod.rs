//! The load, in a process of its own, so that its processor time is not the server's. What it prints is a conversation
//! with the parent: `begin` and `end` around the measured time, then one line of JSON.

mod idle;
mod paced;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fleet::{RawOptions, Stats, run_raw};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::child::end_with_parent;
use crate::cli::{Client, Manner};
use crate::error::Failure;
use crate::terminal::SEED;

pub(crate) const BEGIN: &str = "begin";
pub(crate) const END: &str = "end";
/// How long all connections may take to come up.
const ONLINE_WITHIN: Duration = Duration::from_secs(60);
/// Time under load before anything is measured.
const WARM_UP: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(20);
const CONNECT_RATE: u32 = 1_000;

/// How long ago the fix times of all loads begin.
pub(crate) const AGE: Duration = Duration::from_hours(30 * 24);

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
            Manner::Full => full(command).await,
            Manner::Paced => paced::run(command).await,
            Manner::Idle => idle::run(command).await,
        }
    })?;
    println!("{}", serde_json::to_string(&outcome).map_err(Failure::other("write the outcome"))?);
    // Whoever measures decides when the connections close.
    std::thread::park();
    Ok(())
}

/// As fast as answers come: the fleet's load mode.
async fn full(command: &Client) -> Result<Outcome, Failure> {
    let mut options = RawOptions::new(command.to.to_string(), command.connections, command.window);
    options.seed = SEED;
    options.first_index = command.first;
    options.age = AGE;
    options.connect_rate = CONNECT_RATE;
    let stats = Arc::new(Stats::default());
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(run_raw(options, stats.clone(), async { drop(stopped.await) }));
    let deadline = Instant::now() + ONLINE_WITHIN;
    while stats.snapshot().online < u64::from(command.connections) {
        if Instant::now() > deadline || running.is_finished() {
            return Err(Failure::Child(format!(
                "{} of {} terminals online",
                stats.snapshot().online,
                command.connections
            )));
        }
        tokio::time::sleep(POLL).await;
    }
    tokio::time::sleep(WARM_UP).await;
    println!("{BEGIN}");
    let (before, began) = (stats.snapshot().acked, Instant::now());
    tokio::time::sleep(Duration::from_secs(command.seconds)).await;
    let (after, took) = (stats.snapshot().acked, began.elapsed());
    println!("{END}");
    // The run may have ended by itself only with an error, which it returns.
    let _ = stop.send(());
    let ended = running.await.map_err(Failure::other("run the load"))?;
    let report = ended.map_err(Failure::other("run the load"))?;
    let ms = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64() * 1e3;
    Ok(Outcome {
        acked_per_s: (after - before) as f64 / took.as_secs_f64(),
        acked: report.acked,
        lost: report.lost,
        held_back: 0,
        latency_ms: [ms(report.p50), ms(report.p99), ms(report.p999)],
        slowest: Vec::new(),
    })
}
