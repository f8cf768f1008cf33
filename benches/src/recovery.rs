//! How soon the server is ready again after kill -9 under load, and how fast views are made anew from the journal alone.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::cli::{Cli, Contender, Load, Manner};
use crate::client::{BEGIN, END, Outcome};
use crate::counted;
use crate::error::Failure;
use crate::ingest::{Demand, connections};
use crate::servers::Ground;
use crate::table::{Bar, Row, Table};

const READY_S: &str = "s";
const PER_S: &str = "frames/s";
const PATIENCE: Duration = Duration::from_secs(120);
const AGAIN: &str = "ready after kill -9 under load";
const VIEWS: [&str; 3] = ["views.db", "views.db-wal", "views.db-shm"];

/// What one round found.
struct Round {
    ready_s: f64,
    frames_per_s: f64,
    frames: u64,
}

/// The bench.
pub(crate) fn run(cli: &Cli, load: &Load) -> Result<Table, Failure> {
    let ground = Ground::of(cli, &[Contender::Hazwatch])?;
    let connections = connections(cli, load.connections);
    let window = load.window.unwrap_or(16);
    let demand = Demand { manner: Manner::Full, connections, window, rate: 0, seconds: cli.seconds() };
    let rounds = (0..cli.rounds()).map(|_| round(&ground, &demand)).collect::<Result<Vec<_>, _>>()?;
    let mut table = Table::new(format!(
        "recovery: {connections} connections, {window} unanswered frame(s) each for {} s, then kill -9; medians of {} rounds, on {}",
        cli.seconds(),
        cli.rounds(),
        ground.file_system()
    ));
    table.rows.push(Row::new(AGAIN, READY_S, rounds.iter().map(|round| round.ready_s).collect()));
    table.rows.push(Row::new("replay", PER_S, rounds.iter().map(|round| round.frames_per_s).collect()));
    table.bars.push(Bar::at_most("ready after kill -9, s", table.median(AGAIN, READY_S), 10.0));
    table.bars.push(Bar::at_least("replay, frames/s", table.median("replay", PER_S), 300_000.0));
    let frames: Vec<String> = rounds.iter().map(|round| round.frames.to_string()).collect();
    table.notes.push(format!(
        "replay: the server starts without its views; its time to be ready, less that with whole views; {} frames in the journals",
        frames.join(" ")
    ));
    Ok(table)
}

fn round(ground: &Ground, demand: &Demand) -> Result<Round, Failure> {
    let folder = ground.folder()?;
    let running = ground.start(Contender::Hazwatch, folder.path())?;
    // It would go on for much longer: the kill comes while it talks.
    let load = Demand { seconds: 10 * demand.seconds, ..*demand }.start_doomed(&running.at)?;
    load.expect(BEGIN, PATIENCE)?;
    std::thread::sleep(Duration::from_secs(demand.seconds));
    running.child.kill()?;
    drop(load);
    let ready_s = timed_start(ground, folder.path())?;

    // A second load that ends well says exactly how many frames a journal holds, so that the replay can be counted.
    let fresh = ground.folder()?;
    let running = ground.start(Contender::Hazwatch, fresh.path())?;
    let load = demand.start(&running.at, 0, None)?;
    load.expect(BEGIN, PATIENCE)?;
    load.expect(END, PATIENCE + Duration::from_secs(demand.seconds))?;
    let line = load.line(PATIENCE)?;
    let outcome: Outcome = serde_json::from_str(&line).map_err(Failure::other("read the outcome of a load"))?;
    load.stop()?;
    running.child.stop()?;
    let whole_s = timed_start(ground, fresh.path())?;
    for name in VIEWS {
        // The log and its index are there only after a kill.
        let _ = std::fs::remove_file(fresh.path().join("data").join(name));
    }
    let at = Instant::now();
    let running = ground.start(Contender::Hazwatch, fresh.path())?;
    let rebuilt_s = at.elapsed().as_secs_f64();
    if let Some(http) = running.at.http {
        counted::check(counted::positions(http, demand.connections)?, &outcome)?;
    }
    running.child.stop()?;
    // Each terminal registers and authenticates once.
    let frames = outcome.acked + 2 * u64::from(demand.connections);
    Ok(Round { ready_s, frames_per_s: frames as f64 / (rebuilt_s - whole_s).max(1e-3), frames })
}

/// Starts the server, and stops it again; how long it took to be ready.
fn timed_start(ground: &Ground, folder: &Path) -> Result<f64, Failure> {
    let at = Instant::now();
    let running = ground.start(Contender::Hazwatch, folder)?;
    let took = at.elapsed().as_secs_f64();
    running.child.stop()?;
    Ok(took)
}
