//! Terminals that authenticate and then say nothing.

use std::sync::Arc;

use jt808::Text;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{BEGIN, Outcome};
use crate::cli::Client;
use crate::error::Failure;
use crate::terminal::{self, Terminal};

/// Terminals that authenticate at a time.
const AT_ONCE: usize = 256;

/// The codes that the terminals got in a run before: one a line, in the order of the terminals.
fn codes(command: &Client) -> Vec<Text> {
    let read = command.codes.as_deref().and_then(|path| std::fs::read_to_string(path).ok());
    read.unwrap_or_default().lines().map(Text::from).collect()
}

fn keep_codes(command: &Client, terminals: &mut [Terminal]) -> Result<(), Failure> {
    let Some(path) = &command.codes else { return Ok(()) };
    terminals.sort_by_key(|terminal| terminal.index);
    let lines: String = terminals.iter().map(|terminal| terminal.code.decode() + "\n").collect();
    std::fs::write(path, lines).map_err(Failure::io("keep the codes"))
}

/// All terminals of a load, authenticated.
pub(super) async fn connect_all(command: &Client) -> Result<Vec<Terminal>, Failure> {
    let codes = codes(command);
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut joining = JoinSet::new();
    for nth in 0..command.connections {
        let (room, to, index) = (room.clone(), command.to, command.first + nth);
        let code = codes.get(nth as usize).cloned();
        joining.spawn(async move {
            let _permit = room.acquire_owned().await.map_err(Failure::other("wait for a turn"))?;
            terminal::connect(to, index, code).await
        });
    }
    let mut terminals = Vec::with_capacity(command.connections as usize);
    while let Some(joined) = joining.join_next().await {
        terminals.push(joined.map_err(Failure::other("authenticate"))??);
    }
    keep_codes(command, &mut terminals)?;
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
