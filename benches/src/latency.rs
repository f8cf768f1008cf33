//! Ack latency at half of the load that the server can take, beside a server that keeps nothing, and beside what the
//! disk alone takes for a small append with fdatasync.

use std::time::Duration;

use crate::cli::{Cli, Contender, Manner, Paced, Rate};
use crate::error::Failure;
use crate::fsync;
use crate::ingest::{Demand, Turn, connections, turn};
use crate::servers::Ground;
use crate::table::{Bar, Row, Table};

const QUANTILES: [(f64, &str); 3] = [(0.5, "ms p50"), (0.99, "ms p99"), (0.999, "ms p99.9")];
/// What the server may add to five times the disk's own p99, ms.
const OWN_MS: f64 = 3.0;
const FSYNC_LOOP: &str = "fdatasync alone";

/// The bench.
pub(crate) fn run(cli: &Cli, paced: &Paced) -> Result<Table, Failure> {
    let contenders = &paced.only;
    let ground = Ground::of(cli, contenders)?;
    let seconds = cli.seconds();
    let connections = connections(cli, paced.connections);
    let full = Demand { manner: Manner::Full, connections, window: 1, rate: 0, seconds };
    let rate = match paced.rate {
        Rate::Fixed(rate) => rate,
        Rate::Half => (turn(&ground, Contender::Hazwatch, &full)?.outcome.acked_per_s / 2.0) as u32,
    };
    let demand = Demand { manner: Manner::Paced, rate, ..full };
    let (mut fsyncs, mut turns) = (Vec::new(), contenders.iter().map(|_| Vec::new()).collect::<Vec<_>>());
    for _ in 0..cli.rounds() {
        fsyncs.push(fsync::measure(ground.folder()?.path(), Duration::from_secs(seconds.min(5)))?);
        for (contender, turns) in contenders.iter().zip(&mut turns) {
            turns.push(turn(&ground, *contender, &demand)?);
        }
    }
    let mut table = Table::new(format!(
        "latency: {rate} positions/s from {connections} connections, {seconds} s a turn, medians of {} rounds, on {}; due -> answer",
        cli.rounds(),
        ground.file_system()
    ));
    for (contender, turns) in contenders.iter().zip(&turns) {
        rows(&mut table, *contender, turns);
    }
    for (part, unit) in QUANTILES {
        let rounds = fsyncs.iter().map(|latencies| latencies.quantile_ms(part)).collect();
        table.rows.push(Row::new(FSYNC_LOOP, unit, rounds));
    }
    let own = table.median(Contender::Hazwatch.name(), "ms p99");
    let bar = OWN_MS + 5.0 * table.median(FSYNC_LOOP, "ms p99");
    table.bars.push(Bar::at_most("hazwatch p99, ms (3 ms + 5 x the disk's p99)", own, bar));
    Ok(table)
}

fn rows(table: &mut Table, contender: Contender, turns: &[Turn]) {
    for (at, (_, unit)) in QUANTILES.into_iter().enumerate() {
        let rounds = turns.iter().filter_map(|turn| turn.outcome.latency_ms.get(at).copied()).collect();
        table.rows.push(Row::new(contender.name(), unit, rounds));
    }
    let held_back: u64 = turns.iter().map(|turn| turn.outcome.held_back).sum();
    let answered: Vec<String> = turns.iter().map(|turn| format!("{:.0}", turn.outcome.acked_per_s)).collect();
    let name = contender.name();
    let slowest = turns.last().map(|turn| turn.outcome.slowest.as_slice()).unwrap_or_default();
    let slowest: Vec<String> = slowest.iter().map(|(at_s, ms)| format!("{ms:.1} ms at {at_s} s")).collect();
    table.notes.push(format!(
        "{name}: answered {} a second; {held_back} not sent in time; slowest of the last turn: {}",
        answered.join(" "),
        slowest.join(", ")
    ));
}
