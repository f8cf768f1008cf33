//! A flood of late data: many trucks hand in a day at once, while others go on reporting.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use journal::Batch;
use model::{Scope, Timestamp};

use crate::frames::{Batches, INTERVAL_S, T0, vehicle};
use crate::{Failed, Numbers, house, usage};

/// Fixes in a frame: what fits one without parts.
const IN_FRAME: i64 = 20;

/// `trucks` with a day to tell (500), `fixes` of each (2880), `live` vehicles that go on (10000).
pub(crate) async fn run(numbers: &Numbers) -> Result<(), Failed> {
    let trucks = u32::try_from(numbers.get("trucks", 500))?;
    let frames = numbers.get("fixes", 2880) / IN_FRAME;
    let live = u32::try_from(numbers.get("live", 10_000))?;
    let mut batches = Batches::new();
    let house = house(numbers).await?;
    let views = house.pipeline.views.clone();
    house.feed.send(batches.registry(0..trucks + live, 200))?;
    views.wait_applied(batches.seq()).await;
    let now = frames * IN_FRAME * INTERVAL_S;
    // Everybody has just reported: what comes now from before is late.
    house.feed.send(batches.live(0..trucks + live, now, 1))?;
    let made = made(&mut batches, trucks, live, frames, now);
    let before = (usage::rss_bytes(), usage::cpu_by_thread());
    let (feed, watched) = (house.feed.clone(), views.clone());
    let began = Instant::now();
    let mut waits = Vec::new();
    let mut peak = 0;
    let mut queries = Vec::new();
    let mut wrong = 0;
    for (number, (batch, seq)) in made.into_iter().enumerate() {
        let (feed, sent) = (feed.clone(), Instant::now());
        tokio::task::spawn_blocking(move || feed.send(batch)).await??;
        if let Some(seq) = seq {
            let watched = watched.clone();
            waits.push(tokio::spawn(async move {
                watched.wait_applied(seq).await;
                sent.elapsed()
            }));
        }
        peak = peak.max(usage::rss_bytes());
        if number % 20 == 19 {
            // What was sent up to here, exactly.
            let seq = batches.seq() + 1 - (2 * frames as u64 - number as u64);
            views.wait_applied(seq).await;
            let asked = Instant::now();
            let track = house
                .store
                .track(
                    Scope::All,
                    None,
                    vehicle(number as u32 % trucks),
                    Timestamp::from_secs(T0),
                    Timestamp::from_secs(T0 + now),
                    100_000,
                )
                .await?;
            queries.push(asked.elapsed());
            wrong += usize::from(track.len() as i64 != (number as i64 + 1) / 2 * IN_FRAME);
        }
    }
    views.wait_applied(batches.seq()).await;
    let took = began.elapsed();
    let mut latencies = Vec::new();
    for wait in waits {
        latencies.push(wait.await?);
    }
    let late = house.metrics.late.get();
    println!("{late} late fixes of {trucks} trucks beside {live} live ones in {:.2} s", took.as_secs_f64());
    println!("memory {} MiB before, {} MiB at most", before.0 >> 20, peak >> 20);
    tell("live frames until applied", latencies);
    tell("a truck's day meanwhile", queries);
    println!("{wrong} answers were wrong");
    tell_threads(&before.1, late);
    drop((house.feed, feed));
    house.pipeline.finish().await?;
    Ok(())
}

/// The batches of late frames, each followed by one of live ones, with the envelope to wait for.
fn made(batches: &mut Batches, trucks: u32, live: u32, frames: i64, now: i64) -> Vec<(Batch, Option<u64>)> {
    let mut made = Vec::new();
    for frame in 0..frames {
        let from = frame * IN_FRAME * INTERVAL_S;
        made.push((batches.late(0..trucks, from, IN_FRAME, now), None));
        let some = trucks + (frame as u32 * 100) % live;
        let round = frame * 100 / i64::from(live) + 1;
        let other = batches.live(some..(some + 100).min(trucks + live), now + round * INTERVAL_S, 1);
        made.push((other, Some(batches.seq())));
    }
    made
}

/// What each thread has used since.
fn tell_threads(before: &BTreeMap<String, f64>, late: u64) {
    for (name, seconds) in usage::cpu_by_thread() {
        let used = seconds - before.get(&name).copied().unwrap_or(0.0);
        if used > 0.0 {
            println!("{:>8.0} ns a late fix  {name}", used * 1e9 / late.max(1) as f64);
        }
    }
}

fn tell(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |per_cent: usize| times.get(times.len().saturating_sub(1) * per_cent / 100).copied().unwrap_or_default();
    println!("{what}: median {:.1?}, p99 {:.1?}, at most {:.1?}", at(50), at(99), at(100));
}
