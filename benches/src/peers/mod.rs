//! Those that the figures are held against, and naive ways to do the same. Servers among them run in a process of
//! their own.

mod bare;
pub(crate) mod byte_loop;
pub(crate) mod crate_jt808;
mod door;
mod null_disk;

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::child::end_with_parent;
use crate::cli::{Contender, Serve};
use crate::error::Failure;

/// Serves until the parent is gone.
pub(crate) fn serve(command: &Serve) -> Result<(), Failure> {
    end_with_parent();
    rlimit::increase_nofile_limit(u64::MAX).map_err(Failure::io("raise the limit on open files"))?;
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::io("start the runtime"))?;
    runtime.block_on(async {
        // The backlog is the one of our door.
        let listener = gateway::listen(SocketAddr::from(([127, 0, 0, 1], 0))).map_err(Failure::io("listen"))?;
        announce(&listener)?;
        match command.contender {
            Contender::Bare | Contender::Hazwatch => bare::serve(listener, bare::Keep::Nothing).await,
            Contender::BareBuffers => bare::serve(listener, bare::Keep::Buffers).await,
            Contender::FsyncEach => bare::serve(listener, bare::Keep::frames(&command.data)?).await,
            Contender::NullJournal => door::serve(listener, door::null_journal()).await,
            Contender::DoorJournal => door::serve(listener, door::journal(&command.data)).await,
        }
    })
}

fn announce(listener: &TcpListener) -> Result<(), Failure> {
    let at = listener.local_addr().map_err(Failure::io("listen"))?;
    println!("{}", serde_json::json!({ "jt808": at }));
    Ok(())
}
