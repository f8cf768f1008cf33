//! Figures, each beside its peer in the same run: decoding, durable ingest, ack latency, memory. It measures and checks
//! its own arithmetic; what the figures should be is in `--help` and printed beside them.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "tables on stdout are what this program is for")]

mod child;
mod cli;
mod client;
mod counted;
mod decode;
mod error;
mod fsync;
mod ingest;
mod latency;
mod memory;
mod peers;
mod process;
mod servers;
mod table;
mod terminal;

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
            eprintln!("{failure}");
            let mut cause = std::error::Error::source(&failure);
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), Failure> {
    let mut tables = Vec::new();
    match &cli.bench {
        Bench::Decode => tables.push(show(decode::run(cli)?)),
        Bench::Ingest(load) => tables.push(show(ingest::run(cli, load)?)),
        Bench::Latency(paced) => tables.push(show(latency::run(cli, paced)?)),
        Bench::Memory(crowd) => tables.push(show(memory::run(cli, crowd)?)),
        Bench::All => {
            tables.push(show(decode::run(cli)?));
            tables.push(show(ingest::run(cli, &cli::Load::default())?));
            tables.push(show(latency::run(cli, &cli::Paced::default())?));
            tables.push(show(memory::run(cli, &cli::Crowd::default())?));
        }
        Bench::Client(command) => return client::run(command),
        Bench::Serve(command) => return peers::serve(command),
    }
    table::write_json(cli.json.as_deref(), &tables)
}

/// Prints a table as soon as it is there: the next one may take minutes.
fn show(table: Table) -> Table {
    println!("{table}");
    table
}
