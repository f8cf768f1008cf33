//! Neighbours that nobody wants: slow, half-open and garbage connections, until the parent closes our input.

use std::sync::Arc;
use std::time::Duration;

use fleet::{Hostile, HostileOptions, HostileStats, run_hostile};

use super::{BEGIN, Outcome};
use crate::cli::Client;
use crate::error::Failure;
use crate::terminal::SEED;

const CONNECT_RATE: u32 = 1_000;
/// Of those that take long to authenticate not every one has to be there.
const MOST: f64 = 0.9;
const POLL: Duration = Duration::from_millis(50);
const GATHER_WITHIN: Duration = Duration::from_secs(60);

/// The crowd.
pub(super) async fn run(command: &Client) -> Result<Outcome, Failure> {
    let options = HostileOptions {
        to: command.to.to_string(),
        clients: command.connections,
        kinds: Hostile::ALL.to_vec(),
        seed: SEED,
        first_index: command.first,
        connect_rate: CONNECT_RATE,
        source_addresses: Vec::new(),
    };
    let stats = Arc::new(HostileStats::default());
    tokio::spawn(run_hostile(options, stats.clone(), std::future::pending()));
    let most = (f64::from(command.connections) * MOST) as u64;
    let gathered = async {
        while stats.opened() < most {
            tokio::time::sleep(POLL).await;
        }
    };
    let came = tokio::time::timeout(GATHER_WITHIN, gathered).await;
    came.map_err(|_| Failure::Child(format!("{} of {} came", stats.opened(), command.connections)))?;
    println!("{BEGIN}");
    std::future::pending().await
}
