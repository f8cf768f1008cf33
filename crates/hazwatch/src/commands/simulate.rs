//! `hazwatch simulate`: a fleet against any server.

use std::process::ExitCode;

use fleet::{Manners, Options};

use super::say;
use crate::cli::Simulate;
use crate::error::Failure;

pub(super) async fn run(options: Simulate) -> Result<ExitCode, Failure> {
    let _ = rlimit::increase_nofile_limit(65_536);
    let usual = Options::new(options.to.clone(), options.vehicles);
    let manners = Manners { window: options.window, ..usual.manners };
    let fleet = Options {
        interval: options.interval,
        duration: Some(options.duration),
        seed: options.seed,
        ledger: options.ledger,
        manners,
        ..usual
    };
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    let report = fleet::simulate(fleet, stop)
        .await
        .map_err(|error| Failure::because(format!("cannot drive a fleet against {}", options.to), error))?;
    say(&report.to_string());
    Ok(if report.lost == 0 && report.acked > 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
