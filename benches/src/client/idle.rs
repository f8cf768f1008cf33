//! Terminals that authenticate and then say nothing.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{BEGIN, Outcome};
use crate::cli::Client;
use crate::error::Failure;
use crate::terminal::{self, Terminal};

/// Terminals that authenticate at a time.
const AT_ONCE: usize = 256;

/// All terminals of a load, authenticated.
pub(super) async fn connect_all(command: &Client) -> Result<Vec<Terminal>, Failure> {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut joining = JoinSet::new();
    for nth in 0..command.connections {
        let (room, to, index) = (room.clone(), command.to, command.first + nth);
        joining.spawn(async move {
            let _permit = room.acquire_owned().await.map_err(Failure::other("wait for a turn"))?;
            terminal::connect(to, index).await
        });
    }
    let mut terminals = Vec::with_capacity(command.connections as usize);
    while let Some(joined) = joining.join_next().await {
        terminals.push(joined.map_err(Failure::other("authenticate"))??);
    }
    Ok(terminals)
}

/// Keeps them until the parent closes our input.
pub(super) async fn run(command: &Client) -> Result<Outcome, Failure> {
    let terminals = connect_all(command).await?;
    println!("{BEGIN}");
    std::future::pending::<()>().await;
    drop(terminals);
    Ok(Outcome::default())
}
