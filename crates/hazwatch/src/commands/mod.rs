//! The subcommands, one file each.

mod check_config;
mod decode;
mod demo;
mod import;
mod replay;
mod send;
mod serve;
mod simulate;
mod user;
mod verify;

use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::error::Failure;

/// Runs what was asked for.
pub(crate) fn run(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        Command::Serve(options) => runtime()?.block_on(serve::run(options)),
        Command::Demo(options) => runtime()?.block_on(demo::run(options)),
        Command::Simulate(options) => runtime()?.block_on(simulate::run(options)),
        Command::Decode(options) => decode::run(&options),
        Command::Import(options) => import::run(&options),
        Command::Send(options) => send::run(&options),
        Command::Replay(options) => runtime()?.block_on(replay::run(options)),
        Command::Verify(options) => verify::run(&options),
        Command::User(options) => runtime()?.block_on(user::run(options)),
        Command::CheckConfig(options) => check_config::run(&options),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::because("cannot start the runtime", error))
}

/// What a command prints is its result: it goes to standard output, and a closed pipe is no error.
pub(crate) fn say(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
