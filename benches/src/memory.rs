//! Server memory for each idle authenticated connection: resident memory before and after, divided.
//!
//! The server knows its terminals from a run before, and they their codes, so that the figure is the connection's and not the registry's; what
//! registering costs is told beside it.

use std::path::Path;
use std::time::Duration;

use crate::child::Child;
use crate::cli::{Cli, Contender, Crowd, Manner};
use crate::client::BEGIN;
use crate::error::Failure;
use crate::ingest::{Demand, connections};
use crate::process::resident_bytes;
use crate::servers::{Ground, Running};
use crate::table::{Bar, Row, Table};

const EACH: &str = "B/connection";
/// Load processes: each has its own limit on open files.
const LOADS: u32 = 2;
const CONNECTED_WITHIN: Duration = Duration::from_secs(120);
/// What is done in the background after a change settles within.
const SETTLE: Duration = Duration::from_secs(3);

/// The bench.
pub(crate) fn run(cli: &Cli, crowd: &Crowd) -> Result<Table, Failure> {
    let connections = connections(cli, crowd.connections);
    let contenders = [Contender::Hazwatch, Contender::Bare, Contender::BareBuffers];
    let ground = Ground::of(cli, &contenders)?;
    let (mut fresh, mut known) = (Vec::new(), [const { Vec::new() }; 3]);
    let mut whole_mib = Vec::new();
    for _ in 0..cli.rounds().min(3) {
        for (contender, each) in contenders.into_iter().zip(&mut known) {
            let folder = ground.folder()?;
            if contender == Contender::Hazwatch {
                fresh.push(grown(&ground, contender, folder.path(), connections)?.0);
            }
            let (bytes, whole) = grown(&ground, contender, folder.path(), connections)?;
            each.push(bytes);
            if contender == Contender::Hazwatch {
                whole_mib.push(whole as f64 / f64::from(1 << 20));
            }
        }
    }
    let mut table = Table::new(format!(
        "memory: {connections} idle authenticated connections, resident memory of the server, medians of {} rounds",
        whole_mib.len()
    ));
    for (contender, each) in contenders.into_iter().zip(known) {
        table.rows.push(Row::new(contender.name(), EACH, each));
    }
    table.rows.push(Row::new("hazwatch, terminals new to it", EACH, fresh));
    table.rows.push(Row::new("hazwatch, whole process", "MiB", whole_mib));
    let own = table.median(Contender::Hazwatch.name(), EACH);
    table.bars.push(Bar::at_most("hazwatch, B/connection", own, 1_536.0));
    Ok(table)
}

/// Bytes that the server grew by for each connection, and what it has with all of them.
fn grown(ground: &Ground, contender: Contender, folder: &Path, connections: u32) -> Result<(f64, u64), Failure> {
    let running = ground.start(contender, folder)?;
    std::thread::sleep(SETTLE);
    let before = resident_bytes(running.child.pid())?;
    let loads = crowd(&running, folder, connections)?;
    std::thread::sleep(SETTLE);
    let after = resident_bytes(running.child.pid())?;
    for load in loads {
        load.stop()?;
    }
    running.child.stop()?;
    Ok((after.saturating_sub(before) as f64 / f64::from(connections), after))
}

fn crowd(running: &Running, folder: &Path, connections: u32) -> Result<Vec<Child>, Failure> {
    let share = connections.div_ceil(LOADS);
    let mut loads = Vec::new();
    for first in (0..connections).step_by(share.max(1) as usize) {
        let connections = share.min(connections - first);
        let demand = Demand { manner: Manner::Idle, connections, window: 1, rate: 0, seconds: 0 };
        let codes = folder.join(format!("codes-{first}"));
        loads.push(demand.start(&running.at, first, Some(&codes))?);
    }
    for load in &loads {
        load.expect(BEGIN, CONNECTED_WITHIN)?;
    }
    Ok(loads)
}
