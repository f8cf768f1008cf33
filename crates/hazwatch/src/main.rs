//! The house: the binary. Command line, configuration, wiring and shutdown; no business logic.

mod admission;
mod cli;
mod client;
mod commands;
mod config;
mod custody;
mod display;
mod error;
mod gauges;
mod house;
mod housekeeping;
mod journal;
mod links;
mod log;
mod memory;
mod ports;
mod scheduling;
mod truth;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    if matches!(cli.command, cli::Command::Serve(_) | cli::Command::Demo(_)) {
        memory::keep_few_arenas();
    }
    match commands::run(cli) {
        Ok(code) => code,
        Err(error) => error.report(),
    }
}
