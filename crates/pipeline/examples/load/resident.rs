//! What a known vehicle costs in memory: the registry, its rule state, its fixes between two checkpoints; and whether
//! it is given back when vehicles fall silent.

use std::ops::Range;
use std::time::Instant;

use crate::frames::{Batches, INTERVAL_S};
use crate::{Failed, House, Numbers, house, usage};

/// Frames in an envelope.
const ENVELOPE: usize = 4000;

struct Run {
    house: House,
    batches: Batches,
    empty: u64,
    vehicles: u32,
}

/// `vehicles` (400000), `rounds` of a fix each (10), `busy` vehicles that stay when the others fall silent (40000).
pub(crate) async fn run(numbers: &Numbers) -> Result<(), Failed> {
    let vehicles = u32::try_from(numbers.get("vehicles", 400_000))?;
    let rounds = numbers.get("rounds", 10);
    let busy = u32::try_from(numbers.get("busy", i64::from(vehicles / 10)))?;
    let house = house(numbers).await?;
    let mut run = Run { house, batches: Batches::new(), empty: usage::rss_bytes(), vehicles };
    for from in (0..vehicles).step_by(10_000) {
        let registry = run.batches.registry(from..(from + 10_000).min(vehicles), if from == 0 { 200 } else { 0 });
        run.send(registry).await?;
    }
    run.settle().await?;
    run.tell("registry alone");
    let mut second = 0;
    for round in 0..rounds {
        run.round(0..vehicles, second).await?;
        second += INTERVAL_S;
        run.tell(&format!("round {}", round + 1));
    }
    run.settle().await?;
    run.tell("after a checkpoint");
    while run.house.metrics.resident_vehicles.get() > i64::from(busy) && second < 10_000 {
        run.round(0..busy, second).await?;
        second += INTERVAL_S;
        run.settle().await?;
    }
    run.tell("others silent");
    let late = run.house.metrics.late.get();
    run.round(0..vehicles, second).await?;
    run.settle().await?;
    run.tell("all back");
    println!("{} fixes, {late} of them late", run.house.metrics.fixes.get());
    drop(run.house.feed);
    run.house.pipeline.finish().await?;
    Ok(())
}

impl Run {
    async fn send(&mut self, batch: journal::Batch) -> Result<(), Failed> {
        let feed = self.house.feed.clone();
        tokio::task::spawn_blocking(move || feed.send(batch)).await??;
        Ok(())
    }

    async fn round(&mut self, trucks: Range<u32>, second: i64) -> Result<(), Failed> {
        for from in trucks.clone().step_by(ENVELOPE) {
            let batch = self.batches.live(from..(from + ENVELOPE as u32).min(trucks.end), second, 1);
            self.send(batch).await?;
        }
        self.house.pipeline.views.wait_applied(self.batches.seq()).await;
        Ok(())
    }

    /// A checkpoint with everything.
    async fn settle(&mut self) -> Result<(), Failed> {
        let seq = self.batches.seq();
        let views = self.house.pipeline.views.clone();
        let began = Instant::now();
        while views.checkpointed() < seq && began.elapsed().as_secs() < 120 {
            views.ask_checkpoint();
            let tick = self.batches.tick(0);
            self.send(tick).await?;
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        Ok(())
    }

    fn tell(&self, when: &str) {
        let rss = usage::rss_bytes();
        let resident = self.house.metrics.resident_vehicles.get();
        let each = rss.saturating_sub(self.empty) as f64 / f64::from(self.vehicles);
        println!("{when:>20}: {:>6} MiB, {each:>6.0} bytes a known vehicle, {resident} resident", rss >> 20);
    }
}
