//! How fast views are made anew from a journal on disk, store and all.

use std::sync::Arc;
use std::time::Instant;

use journal::{Journal, RealDisk};
use pipeline::{Metrics, Options};
use store::Store;

use crate::frames::{Batches, INTERVAL_S};
use crate::{Failed, Numbers, usage};

/// `vehicles` (10000), `rounds` (100), `envelope` frames (1000).
pub(crate) async fn run(numbers: &Numbers) -> Result<(), Failed> {
    let vehicles = u32::try_from(numbers.get("vehicles", 10_000))?;
    let envelope = numbers.get("envelope", 1000) as usize;
    let folder = tempfile::tempdir()?;
    let (journal, feed, _) = Journal::open(journal::Options::new(folder.path().join("journal")))?;
    // Nobody makes views of it yet.
    let drain = std::thread::spawn(move || feed.into_iter().count());
    let mut batches = Batches::new();
    let registry = batches.registry(0..vehicles, 200);
    for control in registry.control.chunks(3000) {
        journal.submit_control(control.to_vec()).await?.await?;
    }
    let mut frames = 0;
    for round in 0..numbers.get("rounds", 100) {
        for from in (0..vehicles).step_by(envelope) {
            let batch = batches.live(from..(from + envelope as u32).min(vehicles), round * INTERVAL_S, 1);
            frames += batch.records.len();
            journal.submit(batch.records).await?.await?;
        }
    }
    tokio::task::spawn_blocking(move || journal.close()).await?;
    let _ = drain.join();
    let store = Store::open(&folder.path().join("views"), 1).await?;
    let metrics = Metrics::register(&prometheus::Registry::new())?;
    let options = Options { disk: Arc::new(RealDisk), ..Options::new(folder.path().join("journal")) };
    let before = usage::cpu();
    let began = Instant::now();
    pipeline::catch_up(options, store, metrics.clone()).await?;
    let took = began.elapsed().as_secs_f64();
    println!("{frames} frames in {took:.2} s: {:.0} a second, {} fixes", frames as f64 / took, metrics.fixes.get());
    println!("{:.0} ns of processor a frame, in all threads", (usage::cpu() - before) * 1e9 / frames as f64);
    Ok(())
}
