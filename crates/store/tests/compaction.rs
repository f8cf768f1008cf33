//! Compaction beside everything else: cut off at any moment, under pressure, and while states become void.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{T0, at, fix, fresh, open};
use model::{Fix, Scope, Timestamp, VehicleId};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use store::{Checkpoint, Options, PasswordCost, Store};

const VEHICLES: u64 = 30;

/// Two days, out of order, some of it twice.
fn fixes(rng: &mut ChaCha8Rng) -> Vec<(VehicleId, Fix)> {
    let all = (0..VEHICLES).flat_map(|v| (0..400).map(move |n| (VehicleId(v), fix(v, n * 430, n as u64))));
    let mut all: Vec<_> = all.collect();
    all.extend_from_within(..2000);
    all.shuffle(rng);
    all
}

async fn count(store: &Store, vehicle: u64) -> usize {
    let all = store.track(Scope::All, None, VehicleId(vehicle), Timestamp::MIN, Timestamp::MAX, 10_000).await;
    all.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_off_at_any_moment_it_leaves_what_was_there() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (dir, mut store) = fresh(4).await;
    for (n, part) in fixes(&mut rng).chunks(700).enumerate() {
        store.push_fixes(0, part.to_vec());
        store.cut(0);
        store.checkpoint(at(n as u64)).await.unwrap();
    }
    let whole = store.digest().await.unwrap();
    let mut cut_off = 0;
    for _ in 0..40 {
        let some = Duration::from_micros(rng.random_range(100..30_000));
        cut_off += usize::from(tokio::time::timeout(some, store.compact()).await.is_err());
        if rng.random_bool(0.3) {
            // Neither closed nor waited for: the threads of the old one may still be at work.
            store = open(dir.path(), 4).await;
        }
        assert_eq!(store.digest().await.unwrap(), whole);
    }
    assert!(cut_off > 0);
    store.compact().await.unwrap();
    assert_eq!(store.digest().await.unwrap(), whole);
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.fixes_segments, stats.segments, stats.segment_bytes), (0, 0, 0));
    assert_eq!(stats.fixes_chunks, VEHICLES * 400, "each once");
    assert_eq!(count(&store, 7).await, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn under_pressure_the_backlog_stays_within_bounds() {
    const MOST: u64 = 100_000;
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        segments_max: 100_000,
        backlog_bytes_max: MOST,
        password_cost: PasswordCost::TEST,
        ..Options::default()
    };
    let store = Store::open_with(dir.path(), options).await.unwrap();
    let mut greatest = 0;
    for n in 0..30_i64 {
        let one = |v: u64, i: i64| (VehicleId(v), fix(v, (n * 50 + i) * 30, n as u64));
        store.push_fixes(0, (0..VEHICLES).flat_map(|v| (0..50).map(move |i| one(v, i))).collect());
        store.cut(0);
        store.checkpoint(at(n as u64)).await.unwrap();
        greatest = greatest.max(store.stats().await.unwrap().segment_bytes);
    }
    assert!((MOST..3 * MOST).contains(&greatest), "{greatest}");
    assert_eq!(count(&store, 5).await, 1500);
    while store.stats().await.unwrap().segment_bytes > MOST {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whatever compaction holds in its hands: a state that became void does not come back with it.
#[tokio::test(flavor = "multi_thread")]
async fn void_states_do_not_come_back() {
    let (_dir, store) = fresh(2).await;
    let second = |s: i64| Timestamp::from_secs(T0 + s);
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut since = [i64::MAX; VEHICLES as usize];
    for n in 0..60_i64 {
        store.push_fixes(
            0,
            (0..VEHICLES).flat_map(|v| (0..20).map(move |i| (VehicleId(v), fix(v, n * 20 + i, 1)))).collect(),
        );
        store.cut(0);
        let state = |v| (VehicleId(v), second(n * 20 - 1), vec![n as u8]);
        store
            .checkpoint(Checkpoint { segment_states: (0..VEHICLES).map(state).collect(), ..at(n as u64) })
            .await
            .unwrap();
        let compacting = tokio::spawn({
            let store = store.clone();
            let all = rng.random_bool(0.2);
            async move {
                if all {
                    store.compact().await.unwrap();
                }
            }
        });
        tokio::time::sleep(Duration::from_micros(rng.random_range(0..4000))).await;
        let (victim, from) = (rng.random_range(0..VEHICLES), rng.random_range(0..=n) * 20);
        store
            .checkpoint(Checkpoint {
                void_states: vec![(VehicleId(victim), second(from), Timestamp::MAX)],
                ..at(n as u64)
            })
            .await
            .unwrap();
        since[victim as usize] = n;
        compacting.await.unwrap();
        let left = store.rule_state_before(VehicleId(victim), Timestamp::MAX).await.unwrap();
        assert!(left.is_none_or(|state| state.judged_to < second(from)), "round {n}");
        if rng.random_bool(0.3) {
            store.settled().await;
            let left = store.rule_state_before(VehicleId(victim), Timestamp::MAX).await.unwrap();
            assert!(left.is_none_or(|state| state.judged_to < second(from)), "round {n}, settled");
        }
    }
    let newest = store.rule_state_before(VehicleId(0), Timestamp::MAX).await.unwrap();
    assert!(since[0] < 59 && newest.is_some_and(|state| state.judged_to > second(0)), "states that hold are kept");
}
