//! The subcommands, one file each.

mod backup;
mod case;
mod check_config;
mod decode;
mod demo;
mod import;
mod proof;
mod prove;
mod replay;
mod restore;
mod send;
mod serve;
mod simulate;
mod user;
mod verify;
mod zone;

use std::process::ExitCode;
use std::time::Duration;

use crate::cli::{Cli, Command};
use crate::error::Failure;
use crate::scheduling;

/// Runs what was asked for.
pub(crate) fn run(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        Command::Serve(options) => block_on(serve::run(options)),
        Command::Demo(options) => block_on(demo::run(options)),
        Command::Simulate(options) => block_on(simulate::run(options)),
        Command::Decode(options) => decode::run(&options),
        Command::Import(options) => import::run(&options),
        Command::Send(options) => send::run(&options),
        Command::Case(options) => case::run(&options),
        Command::Zone(options) => zone::run(&options),
        Command::Replay(options) => block_on(replay::run(options)),
        Command::Verify(options) => verify::run(&options),
        Command::Prove(options) => block_on(prove::run(options)),
        Command::Backup(options) => block_on(backup::run(options)),
        Command::Restore(options) => block_on(restore::run(options)),
        Command::User(options) => block_on(user::run(options)),
        Command::CheckConfig(options) => check_config::run(&options),
    }
}

/// Runs to the end, and does not wait for a thread that hangs on a disk.
fn block_on(command: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    scheduling::take_turns();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::because("cannot start the runtime", error))?;
    let outcome = runtime.block_on(command);
    runtime.shutdown_timeout(Duration::from_secs(2));
    outcome
}

/// What a command prints is its result: it goes to standard output, and a closed pipe is no error.
pub(crate) fn say(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
