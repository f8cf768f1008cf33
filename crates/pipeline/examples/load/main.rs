//! Figures of the pipeline alone, without a socket: what a position costs in each stage, what a vehicle costs in
//! memory, and what a flood of late data does.
//!
//! `cargo run --release -p hazwatch-pipeline --example load -- stages|resident|late|replay [NAME=VALUE ...]`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to a terminal")]

mod frames;
mod late;
mod replay;
mod resident;
mod stages;
mod usage;

use std::collections::BTreeMap;

use journal::Batch;
use journal::sim::SimDisk;
use pipeline::{Handle, Metrics, Options};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use store::Store;

type Failed = Box<dyn std::error::Error>;

/// Numbers given as `name=value`.
pub(crate) struct Numbers(BTreeMap<String, i64>);

impl Numbers {
    fn get(&self, name: &str, otherwise: i64) -> i64 {
        self.0.get(name).copied().unwrap_or(otherwise)
    }
}

/// A pipeline with a real store, fed by hand instead of by a journal.
pub(crate) struct House {
    /// Where batches go in; as deep as the journal's feed.
    pub(crate) feed: SyncSender<Batch>,
    /// The pipeline.
    pub(crate) pipeline: Handle,
    /// Its views.
    pub(crate) store: Store,
    /// What it counts.
    pub(crate) metrics: Metrics,
    _folder: tempfile::TempDir,
}

/// Starts one on an empty folder.
///
/// # Errors
/// When the store or the pipeline cannot be started.
pub(crate) async fn house(numbers: &Numbers) -> Result<House, Failed> {
    let folder = tempfile::tempdir()?;
    let lanes = usize::try_from(numbers.get("lanes", 1))?;
    let store = Store::open(folder.path(), lanes).await?;
    let metrics = Metrics::register(&prometheus::Registry::new())?;
    let (feed, batches) = sync_channel(64);
    let options = Options { lanes, disk: Arc::new(SimDisk::default()), ..Options::new("/journal".into()) };
    let feed_from = Some((batches, model::Position::default()));
    let pipeline = pipeline::start(options, store.clone(), feed_from, metrics.clone()).await?;
    Ok(House { feed, pipeline, store, metrics, _folder: folder })
}

fn main() -> Result<(), Failed> {
    let mut words = std::env::args().skip(1);
    let what = words.next().unwrap_or_default();
    let mut numbers = BTreeMap::new();
    for word in words {
        let (name, value) = word.split_once('=').ok_or("arguments are name=value")?;
        numbers.insert(name.to_owned(), value.parse()?);
    }
    let numbers = Numbers(numbers);
    let runtime = tokio::runtime::Runtime::new()?;
    match what.as_str() {
        "stages" => runtime.block_on(stages::run(&numbers)),
        "resident" => runtime.block_on(resident::run(&numbers)),
        "replay" => runtime.block_on(replay::run(&numbers)),
        "late" => runtime.block_on(late::run(&numbers)),
        _ => Err("what to measure: stages, resident, late or replay".into()),
    }
}
