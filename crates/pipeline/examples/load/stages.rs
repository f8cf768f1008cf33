//! Processor time of each stage for one position, at full speed.

use std::time::Instant;

use crate::frames::{Batches, INTERVAL_S};
use crate::{Failed, Numbers, house, usage};

/// `vehicles` (10000), `rounds` (100), `each` unanswered frames of a truck (1), `envelope` frames (4000), `zones`.
pub(crate) async fn run(numbers: &Numbers) -> Result<(), Failed> {
    let vehicles = u32::try_from(numbers.get("vehicles", 10_000))?;
    let (rounds, each) = (numbers.get("rounds", 100), numbers.get("each", 1));
    let of_envelope = u32::try_from(numbers.get("envelope", 4000) / each)?;
    let mut batches = Batches::new();
    let registry = batches.registry(0..vehicles, u32::try_from(numbers.get("zones", 200))?);
    let mut made = Vec::new();
    for round in 0..rounds / each {
        for from in (0..vehicles).step_by(of_envelope as usize) {
            let trucks = from..(from + of_envelope).min(vehicles);
            made.push(batches.live(trucks, round * each * INTERVAL_S, each));
        }
    }
    let frames: usize = made.iter().map(|batch| batch.records.len()).sum();
    let house = house(numbers).await?;
    let views = house.pipeline.views.clone();
    house.feed.send(registry)?;
    views.wait_applied(1).await;
    let before = usage::cpu_by_thread();
    let began = Instant::now();
    let feed = house.feed.clone();
    tokio::task::spawn_blocking(move || made.into_iter().try_for_each(|batch| feed.send(batch))).await??;
    views.wait_applied(batches.seq()).await;
    let applied = began.elapsed();
    let after = usage::cpu_by_thread();
    drop(house.feed);
    house.pipeline.finish().await?;
    let finished = began.elapsed();
    println!(
        "{frames} frames of {vehicles} vehicles, applied in {:.2} s, in a checkpoint after {:.2} s",
        applied.as_secs_f64(),
        finished.as_secs_f64()
    );
    println!("{:.0} frames/s to the checkpoint", frames as f64 / finished.as_secs_f64());
    for (name, seconds) in after {
        let used = seconds - before.get(&name).copied().unwrap_or(0.0);
        if used > 0.0 {
            println!("{:>8.0} ns a frame  {name}", used * 1e9 / frames as f64);
        }
    }
    let facts = house.metrics.fixes.get();
    let digest = house.store.digest().await?;
    println!(
        "{facts} fixes, {} late, {} repeated, digest {digest}",
        house.metrics.late.get(),
        house.metrics.duplicates.get()
    );
    Ok(())
}
