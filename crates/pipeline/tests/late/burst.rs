//! A burst: 500 trucks hand in six hours each at once, while others go on.

use std::time::{Duration, Instant};

use journal::sim::SimDisk;

use crate::house::{House, Setup};
use crate::plan::{Spot, admit, batch, live, zone};

const TRUCKS: u16 = 500;
const OTHERS: u16 = 100;
const FIXES: i64 = 6 * 360;
const SETUP: Setup = Setup { lanes: 1, idle: Duration::MAX, checkpoint_every: Duration::from_secs(5) };

fn spot(truck: u16, n: i64) -> Spot {
    let along = (n % 200 - 100).abs() as i32;
    let lat_e6 = 25_500_000 + i32::from(truck % 50) * 40;
    let direction_deg = if n % 200 < 100 { 270 } else { 90 };
    Spot { truck, second: n * 10, lon_e6: 103_795_000 + along * 300, lat_e6, speed_dkmh: 108, direction_deg, alarm: 0 }
}

/// How long reports of the others take until the views have them, milliseconds: the middle and the 99th of a hundred.
async fn others(house: &House, next: &mut i64, until: impl Fn() -> bool) -> (f64, f64, usize) {
    let mut delays = Vec::new();
    while !until() || delays.len() < 100 {
        *next += 1;
        let truck = TRUCKS + 1 + (*next % i64::from(OTHERS)) as u16;
        let began = Instant::now();
        house.frames(vec![live(&spot(truck, 10 * FIXES + *next))]).await;
        delays.push(began.elapsed().as_secs_f64() * 1e3);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    delays.sort_by(f64::total_cmp);
    (delays[delays.len() / 2], delays[delays.len() * 99 / 100], delays.len())
}

#[test]
#[ignore = "a measurement: cargo test --release -p hazwatch-pipeline --test late -- --ignored --nocapture burst"]
fn burst_of_late_data_beside_live_vehicles() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let data = tempfile::tempdir().expect("folder");
        let mut house = House::start(&SimDisk::default(), data.path(), SETUP, 0).await;
        house.control(admit(1..=TRUCKS + OTHERS)).await;
        let zones = (0..20_u32).map(|n| zone(u64::from(n) + 1, 1, -1000, 103.79 + f64::from(n) * 0.003, 150.0));
        house.control(zones.collect()).await;
        house.frames((1..=TRUCKS).map(|truck| live(&spot(truck, FIXES))).collect()).await;
        let mut next = 0;
        let calm = others(&house, &mut next, || true).await;
        let all: Vec<Vec<Spot>> = (1..=TRUCKS).map(|t| (0..FIXES).map(|n| spot(t, n)).collect()).collect();
        for part in 0..FIXES as usize / 24 {
            house.frames(all.iter().map(|spots| batch(&spots[part * 24..(part + 1) * 24])).collect()).await;
        }
        house.checkpoint().await;
        let done = house.metrics.rejudged_fixes.get();
        house.frames(all.iter().map(|spots| live(&spots[0])).collect()).await;
        // Everything once more, from a zone that is recorded late: all of it is stepped over.
        house.tick().await;
        house.tick().await;
        house.control(vec![zone(100, 1, -1000, 103.8, 20_000.0)]).await;
        let began = Instant::now();
        let want = done + u64::from(TRUCKS) * FIXES as u64;
        let metrics = house.metrics.clone();
        let took = std::sync::Mutex::new(None);
        let busy = others(&house, &mut next, || {
            let over = metrics.rejudged_fixes.get() >= want;
            if over {
                took.lock().expect("not poisoned").get_or_insert_with(|| began.elapsed());
            }
            over
        })
        .await;
        let took = took.into_inner().expect("not poisoned").expect("done").as_secs_f64();
        let fixes = metrics.rejudged_fixes.get() - done;
        eprintln!("burst: {fixes} fixes judged again in {took:.2} s, {:.0} a second and lane", fixes as f64 / took);
        eprintln!("others, calm: p50 {:.2} ms, p99 {:.2} ms of {}", calm.0, calm.1, calm.2);
        eprintln!("others, beside it: p50 {:.2} ms, p99 {:.2} ms of {}", busy.0, busy.1, busy.2);
        house.stop().await;
    });
}
