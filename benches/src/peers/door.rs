//! Our door and our journal without the rest of the house: nobody judges what is committed. Shows what the pipeline
//! costs, and with a null disk what the disk costs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gateway::{Admission, AuthCodes, Gateway, Limits, Metrics, RegisterRefusal, Registration};
use journal::{Journal, Options, system_clock};
use model::{BoxFuture, TerminalId};
use tokio::net::TcpListener;

use super::null_disk::NullDisk;
use crate::error::Failure;

/// A journal whose disk does nothing.
pub(crate) fn null_journal() -> Options {
    Options { disk: Arc::new(NullDisk), ..Options::new(PathBuf::from("nowhere")) }
}

/// A journal in this folder.
pub(crate) fn journal(folder: &Path) -> Options {
    Options::new(folder.join("journal"))
}

/// Whoever asks may speak.
struct Everybody;

impl Admission for Everybody {
    fn epoch(&self, _: TerminalId) -> Option<u32> {
        Some(0)
    }

    fn register<'a>(&'a self, _: TerminalId, _: Registration) -> BoxFuture<'a, Result<u32, RegisterRefusal>> {
        Box::pin(async { Ok(0) })
    }
}

/// Serves for ever.
pub(crate) async fn serve(listener: TcpListener, options: Options) -> Result<(), Failure> {
    let (journal, feed, _) = Journal::open(options).map_err(Failure::other("open the journal"))?;
    // Nobody judges, but the feed must be read, or commits would stop.
    std::thread::spawn(move || feed.iter().for_each(drop));
    let metrics = Metrics::new(&prometheus::Registry::new()).map_err(Failure::other("register metrics"))?;
    let codes = AuthCodes::new([7; 32]);
    let gateway = Gateway::new(journal, Arc::new(Everybody), codes, Limits::default(), metrics, system_clock());
    gateway.run(listener, std::future::pending()).await;
    Ok(())
}
