//! Late data: whatever the order, delay and duplication in which fixes, zones and bindings arrive, and whatever servers go
//! through meanwhile, the facts that stand in the end are those that arrival in order gives; and a replay gives the
//! same views, revisions included.
//!
//! `HAZWATCH_LATE_RUNS=10000 cargo test -p hazwatch-pipeline --test late` makes more runs, `HAZWATCH_LATE_RUN=7` one.

#![allow(clippy::print_stderr, reason = "a run that failed, and what was measured, is told to whoever runs the tests")]

mod burst;
mod cases;
mod house;
mod plan;
mod warnings;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use house::{Facts, House, Setup, rebuilt};
use journal::sim::SimDisk;
use model::FactKind;
use plan::{Arrival, Dice, Plan};

/// Runs that every run of the tests makes.
const RUNS: u64 = 200;
/// So many orders of arrival of each plan.
const ORDERS: u64 = 25;
/// Plans at the same time.
const SIDE_BY_SIDE: usize = 4;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// Everything in order, at once, by one lane, with the zones first.
async fn in_order(plan: &Plan) -> Facts {
    let data = tempfile::tempdir().expect("folder");
    let calm = Setup { lanes: 1, idle: Duration::MAX, checkpoint_every: Duration::MAX };
    let mut house = House::start(&SimDisk::default(), data.path(), calm, 0).await;
    house.control(plan.registry()).await;
    house.control(plan.zones()).await;
    house.control(plan.bindings()).await;
    house.control(plan.duties()).await;
    house.frames(plan.frames_in_order()).await;
    house.tick().await;
    house.checkpoint().await;
    let facts = house.facts().await;
    house.stop().await;
    facts
}

async fn arrive(run: u64, plan: &Plan, expected: &Facts) {
    let mut dice = Dice::new(run ^ 0x00c0_ffee);
    let data = tempfile::tempdir().expect("folder");
    let mut house = House::start(&SimDisk::default(), data.path(), Setup::any(&mut dice), 0).await;
    house.control(plan.registry()).await;
    for arrival in plan.arrivals(&mut dice) {
        match arrival {
            Arrival::Frames(frames) => house.frames(frames).await,
            Arrival::Control(change) => house.control(vec![*change]).await,
            Arrival::Tick => house.tick().await,
            Arrival::Restart => {
                let control_seq = house.control_seq;
                let disk = house.stop().await;
                house = House::start(&disk, data.path(), Setup::any(&mut dice), control_seq).await;
            }
            Arrival::Checkpoint => house.checkpoint().await,
            Arrival::Compact => house.store.compact().await.expect("compacts"),
        }
    }
    house.tick().await;
    house.checkpoint().await;
    let facts = house.facts().await;
    assert_eq!(facts, *expected, "run {run}");
    let live = house.store.digest().await.expect("digest");
    let disk = house.stop().await;
    if run.is_multiple_of(4) {
        assert_eq!(live, rebuilt(&disk, 1 + run as usize % 3).await, "run {run}: a replay gives other views");
    }
}

/// One plan in some of its orders of arrival.
fn orders(runs: std::ops::Range<u64>) {
    let seed = runs.start / ORDERS;
    let plan = Plan::new(seed);
    let expected = block_on(in_order(&plan));
    assert!(expected.len() > 40, "plan {seed} has only {} facts", expected.len());
    for kind in [FactKind::V01, FactKind::V04, FactKind::V04_NIGHT, FactKind::V12, FactKind::V24, FactKind::alarm(5)] {
        assert!(expected.iter().any(|said| said.1 == kind.number()), "plan {seed} has no {kind}");
    }
    for run in runs {
        let outcome = catch_unwind(AssertUnwindSafe(|| block_on(arrive(run, &plan, &expected))));
        outcome.unwrap_or_else(|why| {
            eprintln!("run {run} failed; again: HAZWATCH_LATE_RUN={run} cargo test -p hazwatch-pipeline --test late");
            std::panic::resume_unwind(why)
        });
    }
}

#[test]
fn whatever_the_order_of_arrival_the_facts_are_the_same() {
    if let Some(run) = number("HAZWATCH_LATE_RUN") {
        orders(run..run + 1);
        return;
    }
    let runs = number("HAZWATCH_LATE_RUNS").unwrap_or(RUNS);
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    let first = next.fetch_add(ORDERS, Ordering::Relaxed);
                    if first >= runs {
                        return;
                    }
                    orders(first..runs.min(first + ORDERS));
                }
            });
        }
    });
}
