//! Ack latency of good terminals alone, and beside many that are slow, half-open, talk nonsense or announce what never
//! comes. Both in the same server, one after the other, contenders in turns.

use std::time::Duration;

use crate::child::Child;
use crate::cli::{Cli, Contender, Manner, Neighbours};
use crate::client::{BEGIN, END, Outcome};
use crate::error::Failure;
use crate::ingest::Demand;
use crate::servers::{Ground, Ready};
use crate::table::{Bar, Row, Table};

const UNITS: [&str; 2] = ["ms p50", "ms p99"];
const CONTENDERS: [Contender; 2] = [Contender::Hazwatch, Contender::Bare];
const PATIENCE: Duration = Duration::from_secs(120);

/// The bench.
pub(crate) fn run(cli: &Cli, neighbours: Neighbours) -> Result<Table, Failure> {
    let ground = Ground::of(cli, &CONTENDERS)?;
    let bad = neighbours.bad.unwrap_or(cli.scaled(500, 5_000, 5_000));
    let good = Demand {
        manner: Manner::Paced,
        connections: neighbours.good,
        window: 1,
        rate: neighbours.rate,
        seconds: cli.seconds(),
    };
    let crowd = Demand { manner: Manner::Hostile, connections: bad, window: 1, rate: 0, seconds: 0 };
    let mut found: Vec<[Vec<Outcome>; 2]> = CONTENDERS.iter().map(|_| Default::default()).collect();
    for _ in 0..cli.rounds() {
        for (contender, [alone, beside]) in CONTENDERS.into_iter().zip(&mut found) {
            let folder = ground.folder()?;
            let running = ground.start(contender, folder.path())?;
            alone.push(paced(&good, &running.at, 0)?);
            let others = crowd.start(&running.at, 2 * good.connections, None)?;
            others.expect(BEGIN, PATIENCE)?;
            beside.push(paced(&good, &running.at, good.connections)?);
            others.stop()?;
            running.child.stop()?;
        }
    }
    let mut table = Table::new(format!(
        "fairness: {} good terminals, {} positions/s together, alone and beside {bad} that never read, stay half-open, send \
         garbage, drip or announce; {} s a turn, medians of {} rounds",
        good.connections,
        good.rate,
        cli.seconds(),
        cli.rounds()
    ));
    for (contender, outcomes) in CONTENDERS.into_iter().zip(&found) {
        for (outcomes, when) in outcomes.iter().zip(["alone", "beside the others"]) {
            for (at, unit) in UNITS.into_iter().enumerate() {
                let rounds = outcomes.iter().map(|outcome| outcome.latency_ms[at]).collect();
                table.rows.push(Row::new(format!("{}, {when}", contender.name()), unit, rounds));
            }
        }
    }
    let p99 = |contender: Contender, when: &str| table.median(&format!("{}, {when}", contender.name()), UNITS[1]);
    let ratio = |contender| p99(contender, "beside the others") / p99(contender, "alone").max(1e-9);
    let (own, bare) = (ratio(Contender::Hazwatch), ratio(Contender::Bare));
    table.bars.push(Bar::at_most("hazwatch, p99 beside the others / alone", own, 2.0));
    table.notes.push(format!("bare server, p99 beside the others / alone: {bare:.2}"));
    Ok(table)
}

fn paced(demand: &Demand, at: &Ready, first: u32) -> Result<Outcome, Failure> {
    let load: Child = demand.start(at, first, None)?;
    load.expect(BEGIN, PATIENCE)?;
    load.expect(END, PATIENCE + Duration::from_secs(demand.seconds))?;
    let line = load.line(PATIENCE)?;
    let outcome: Outcome = serde_json::from_str(&line).map_err(Failure::other("read the outcome of a load"))?;
    load.stop()?;
    if outcome.lost > 0 {
        return Err(Failure::Wrong(format!("{} positions of good terminals were never answered", outcome.lost)));
    }
    Ok(outcome)
}
