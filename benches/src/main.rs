//! Figures, each beside its peer in the same run: decoding, durable ingest, ack latency, fairness, memory, tracks at rest,
//! judging again, recovery; and a long run under mixed load. It measures and checks its own arithmetic; what the figures
//! should be is in `--help` and printed beside them.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "tables on stdout are what this program is for")]

mod child;
mod cli;
mod client;
mod counted;
mod decode;
mod error;
mod fairness;
mod fsync;
mod http;
mod ingest;
mod judgement;
mod late;
mod latency;
mod memory;
mod peers;
mod process;
mod recovery;
mod servers;
mod soak;
mod table;
mod terminal;
mod tracks;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Bench, Cli};
use crate::error::Failure;
use crate::table::Table;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            told(&failure);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), Failure> {
    let mut tables = Vec::new();
    match &cli.bench {
        Bench::Decode => tables.push(show(decode::run(cli)?)),
        Bench::Ingest(load) => tables.extend(ingest::run(cli, load, show)?),
        Bench::Latency(paced) => tables.push(show(latency::run(cli, paced)?)),
        Bench::Fairness(neighbours) => tables.push(show(fairness::run(cli, *neighbours)?)),
        Bench::Memory(crowd) => tables.push(show(memory::run(cli, crowd)?)),
        Bench::Storage => tables.push(show(tracks::storage(cli)?)),
        Bench::Read => tables.push(show(tracks::read(cli)?)),
        Bench::Growth => tables.push(show(tracks::growth(cli)?)),
        Bench::Judgement => tables.extend(judgement::run(cli, show)?),
        Bench::Late => tables.push(show(late::run(cli)?)),
        Bench::Recovery(load) => tables.push(show(recovery::run(cli, load)?)),
        Bench::All => tables = all(cli)?,
        Bench::Soak(options) => return soak::run(cli, options),
        Bench::Client(command) => return client::run(command),
        Bench::Serve(command) => return peers::serve(command),
    }
    table::write_json(cli.json.as_deref(), &tables)
}

/// Every bench; one that fails is told and leaves the others alone.
fn all(cli: &Cli) -> Result<Vec<Table>, Failure> {
    type One = (&'static str, fn(&Cli) -> Result<Vec<Table>, Failure>);
    let benches: [One; 11] = [
        ("decode", |cli| decode::run(cli).map(one)),
        ("ingest", |cli| ingest::run(cli, &cli::Load::default(), show)),
        ("latency", |cli| latency::run(cli, &cli::Paced::default()).map(one)),
        ("fairness", |cli| fairness::run(cli, cli::Neighbours::default()).map(one)),
        ("memory", |cli| memory::run(cli, &cli::Crowd::default()).map(one)),
        ("storage", |cli| tracks::storage(cli).map(one)),
        ("read", |cli| tracks::read(cli).map(one)),
        ("growth", |cli| tracks::growth(cli).map(one)),
        ("judgement", |cli| judgement::run(cli, show)),
        ("late", |cli| late::run(cli).map(one)),
        ("recovery", |cli| recovery::run(cli, &cli::Load::default()).map(one)),
    ];
    let (mut tables, mut failed) = (Vec::new(), Vec::new());
    for (name, bench) in benches {
        match bench(cli) {
            Ok(found) => tables.extend(found),
            Err(failure) => {
                told(&failure);
                failed.push(name);
            }
        }
    }
    println!("{}", table::summary(&tables));
    if failed.is_empty() {
        return Ok(tables);
    }
    table::write_json(cli.json.as_deref(), &tables)?;
    Err(Failure::Wrong(format!("without figures: {}", failed.join(", "))))
}

fn one(table: Table) -> Vec<Table> {
    vec![show(table)]
}

/// A failure with what led to it.
fn told(failure: &Failure) {
    eprintln!("{failure}");
    let mut cause = std::error::Error::source(failure);
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
}

/// Prints a table as soon as it is there: the next one may take minutes.
fn show(table: Table) -> Table {
    println!("{table}");
    table
}
