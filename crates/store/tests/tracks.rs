//! Tracks: what is read and digested must not depend on where it lies.
#![allow(clippy::unwrap_used)]

mod common;

use common::{T0, at, commit, fix, fresh, open};
use model::{CarrierId, Digest, Fix, Marks, Scope, Timestamp, VehicleId};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use store::{Checkpoint, LastPosition, Store, StoreError, StoredState, TrackFix, VehicleState, Writes};

const V: VehicleId = VehicleId(0xf000_0000_0000_0001);
const W: VehicleId = VehicleId(2);

async fn track(store: &Store, vehicle: VehicleId, from: i64, to: i64) -> Result<Vec<TrackFix>, StoreError> {
    let at = |seconds| Timestamp::from_secs(T0 + seconds);
    store.track(Scope::All, None, vehicle, at(from), at(to), 100_000).await
}

/// Two days of two vehicles, with fixes that came twice, a terminal that repeats with more items, and undated ones.
fn sample() -> Vec<(VehicleId, Fix)> {
    let mut all = Vec::new();
    let mut seq = 0;
    let mut next = || {
        seq += 1;
        seq
    };
    for n in 0..3000_i64 {
        for (vehicle, number) in [(V, 1), (W, 2)] {
            let fix = fix(number, n * 30, next());
            if n % 50 == 0 {
                let mut again = fix.clone();
                again.source.position.seq = next();
                again.marks = Marks::BACKFILL;
                all.push((vehicle, again));
            }
            if n % 70 == 0 {
                let mut richer = fix.clone();
                richer.source.position.seq = next();
                richer.items = [&fix.items[..], &[0x30, 1, 20]].concat().into_boxed_slice();
                all.push((vehicle, richer));
            }
            all.push((vehicle, fix));
        }
    }
    for n in 0..1500_u32 {
        let mut undated = fix(1, i64::from(n), next());
        undated.time = Timestamp::UNDATED;
        undated.time_bcd = [0xff; 6];
        undated.marks = Marks::UNDATED;
        all.push((V, undated.clone()));
        if n % 10 == 0 {
            undated.source.position.seq = next();
            all.push((V, undated));
        }
    }
    all
}

struct Layout {
    name: &'static str,
    shuffled: bool,
    pieces: usize,
    segments_max: u64,
    compacted: bool,
    cut_last: bool,
}

const LAYOUTS: [Layout; 6] = [
    Layout { name: "hot", shuffled: false, pieces: 1, segments_max: 99, compacted: false, cut_last: false },
    Layout { name: "one segment", shuffled: false, pieces: 1, segments_max: 99, compacted: false, cut_last: true },
    Layout { name: "segments", shuffled: false, pieces: 40, segments_max: 99, compacted: false, cut_last: true },
    Layout { name: "chunks", shuffled: false, pieces: 40, segments_max: 4, compacted: true, cut_last: true },
    Layout { name: "late chunks", shuffled: true, pieces: 60, segments_max: 5, compacted: true, cut_last: true },
    Layout { name: "a bit of all", shuffled: true, pieces: 50, segments_max: 7, compacted: false, cut_last: false },
];

async fn lay(store: &Store, mut fixes: Vec<(VehicleId, Fix)>, layout: &Layout) {
    if layout.shuffled {
        fixes.shuffle(&mut ChaCha8Rng::seed_from_u64(7));
    }
    let size = fixes.len().div_ceil(layout.pieces);
    let pieces: Vec<Vec<_>> = fixes.chunks(size).map(<[_]>::to_vec).collect();
    let count = pieces.len();
    for (n, piece) in pieces.into_iter().enumerate() {
        store.push_fixes(n, piece);
        if n + 1 < count || layout.cut_last {
            store.cut(n);
            store.checkpoint(at(n as u64)).await.unwrap();
        }
    }
    if layout.compacted {
        store.compact().await.unwrap();
    }
}

async fn digest_of(fixes: Vec<(VehicleId, Fix)>, layout: &Layout) -> (Digest, Vec<TrackFix>, Vec<TrackFix>) {
    let (_dir, store) = fresh(layout.segments_max).await;
    store.write(Writes { facts: vec![common::fact(1, None, 0, 1)], ..Writes::default() }).await.unwrap();
    lay(&store, fixes, layout).await;
    let whole = track(&store, V, -100, 200_000).await.unwrap();
    let undated = store.track(Scope::All, None, V, Timestamp::UNDATED, Timestamp(1), 100_000).await.unwrap();
    let stats = store.stats().await.unwrap();
    if layout.compacted {
        assert_eq!((stats.segments, stats.fixes_segments), (0, 0), "{}", layout.name);
        assert!(stats.chunks >= 6 && stats.fixes_chunks >= 7500, "{}: {stats:?}", layout.name);
    }
    (store.digest().await.unwrap(), whole, undated)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_digest_and_the_tracks_do_not_depend_on_the_layout() {
    let mut first = None;
    for layout in &LAYOUTS {
        let found = digest_of(sample(), layout).await;
        assert_eq!((found.1.len(), found.2.len()), (3000, 1500), "{}", layout.name);
        let first = first.get_or_insert_with(|| found.clone());
        assert!(*first == found, "{}", layout.name);
    }
    for change in 0..3 {
        let mut fixes = sample();
        let victim = &mut fixes[2001].1;
        match change {
            0 => victim.speed_dkmh += 1,
            1 => victim.received = victim.received.plus_us(1000),
            _ => victim.source.position.seq += 100_000,
        }
        let found = digest_of(fixes, &LAYOUTS[3]).await;
        assert_ne!(first.as_ref().unwrap().0, found.0, "change {change}");
    }
    let mut fixes = sample();
    fixes.remove(2001);
    assert_ne!(first.as_ref().unwrap().0, digest_of(fixes, &LAYOUTS[1]).await.0, "one less");
}

#[tokio::test]
async fn what_came_twice_is_one_fix_and_the_richer_body_wins() {
    let (_dir, store) = fresh(99).await;
    let plain = fix(1, 0, 5);
    let mut again = plain.clone();
    again.source.position.seq = 3;
    let mut richer = plain.clone();
    richer.source.position.seq = 9;
    richer.items = [&plain.items[..], &[0x30, 1, 20]].concat().into_boxed_slice();
    let mut other = plain.clone();
    other.terminal = fix(2, 0, 0).terminal;
    other.source.position.seq = 1;
    commit(&store, vec![(V, plain.clone()), (V, richer.clone())], 1).await;
    store.push_fixes(1, vec![(V, again.clone()), (V, other.clone())]);
    let found = track(&store, V, 0, 1).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].fix, richer);
    let sources: Vec<u64> = found[0].sources.iter().map(|s| s.source.position.seq).collect();
    assert_eq!(sources, [1, 3, 9], "one for each distinct report, the earliest of equal ones");
    assert_eq!(found[0].sources[1].received, again.received);
}

#[tokio::test]
async fn a_track_has_bounds_and_an_owner() {
    let (_dir, store) = fresh(99).await;
    commit(&store, (0..10).map(|n| (V, fix(1, n, n as u64))).collect(), 1).await;
    let times: Vec<i64> = track(&store, V, 2, 5).await.unwrap().iter().map(|t| t.fix.time.secs() - T0).collect();
    assert_eq!(times, [2, 3, 4], "from inclusive, to exclusive");
    let (own, other) = (CarrierId(1), CarrierId(2));
    let ask = |scope, owner, limit| store.track(scope, owner, V, Timestamp::MIN, Timestamp::MAX, limit);
    assert_eq!(ask(Scope::Carrier(own), Some(own), 10).await.unwrap().len(), 10);
    for owner in [None, Some(other)] {
        assert!(matches!(ask(Scope::Carrier(own), owner, 10).await, Err(StoreError::NotFound(_))));
    }
    assert!(matches!(ask(Scope::All, None, 9).await, Err(StoreError::TooMany { limit: 9 })));
    store.compact().await.unwrap();
    assert!(matches!(ask(Scope::All, None, 9).await, Err(StoreError::TooMany { limit: 9 })));
    assert_eq!(ask(Scope::All, None, 10).await.unwrap().len(), 10);
}

#[tokio::test]
async fn last_positions_survive_late_fixes_checkpoints_and_restarts() {
    let (dir, store) = fresh(99).await;
    let owner = CarrierId(1);
    let ask = async |store: &Store, scope| store.last_positions(scope, &[(V, Some(owner)), (W, None)]).await.unwrap();
    assert_eq!(ask(&store, Scope::All).await, [None, None]);
    let newest = fix(1, 100, 1);
    let mut unplaced = fix(1, 200, 2);
    unplaced.marks = Marks::NO_POSITION;
    store.push_fixes(0, vec![(V, newest.clone()), (V, unplaced), (W, fix(2, 7, 3))]);
    let want = LastPosition::of(&newest);
    assert_eq!(ask(&store, Scope::All).await[0], want);
    store.cut(0);
    store.push_fixes(1, vec![(V, fix(1, 50, 9))]);
    store.checkpoint(at(1)).await.unwrap();
    assert_eq!(ask(&store, Scope::All).await[0], want, "a late fix is not the last");
    store.cut(1);
    store.checkpoint(at(2)).await.unwrap();
    let own = ask(&store, Scope::Carrier(owner)).await;
    assert!(own[0] == want && own[1].is_none(), "the other is nobody's to see");
    store.close().await;
    let store = open(dir.path(), 99).await;
    assert_eq!(ask(&store, Scope::All).await[0], want);
}

#[tokio::test]
async fn a_checkpoint_is_all_or_nothing_and_the_last_one_comes_back() {
    let (dir, store) = fresh(99).await;
    assert_eq!(store.recovery().await.unwrap(), None);
    let state =
        |judged_to, byte| VehicleState { vehicle: V, judged_to: Timestamp(judged_to), state: vec![byte], last: None };
    store.push_fixes(0, vec![(V, fix(1, 0, 1))]);
    store.cut(0);
    let blobs = vec![("assemblies".to_owned(), vec![1, 2]), ("gone".to_owned(), vec![])];
    store.checkpoint(Checkpoint { states: vec![state(5, 1)], blobs, ..at(10) }).await.unwrap();

    // Two blobs of one name cannot be: everything else of this checkpoint must fall with them.
    store.push_fixes(0, vec![(V, fix(1, 1, 2))]);
    store.cut(0);
    let twice = vec![("assemblies".to_owned(), vec![3]), ("assemblies".to_owned(), vec![4])];
    let failed = store.checkpoint(Checkpoint { states: vec![state(9, 2)], blobs: twice, ..at(20) }).await;
    assert!(matches!(failed, Err(StoreError::Engine { .. })), "{failed:?}");
    let read = async |store: &Store| (store.recovery().await.unwrap(), store.vehicle_states(&[V, W]).await.unwrap());
    let (recovered, states) = read(&store).await;
    let recovered = recovered.unwrap();
    assert_eq!((recovered.position.seq, recovered.control_seq, recovered.blobs.len()), (10, 5, 2));
    assert_eq!((states.len(), states[0].judged_to, &states[0].state), (1, Timestamp(5), &vec![1]));
    assert_eq!(track(&store, V, 0, 9).await.unwrap().len(), 2, "what was cut is still readable");

    // A checkpoint that nobody waited for either is there or is not.
    drop(store.checkpoint(Checkpoint { states: vec![state(9, 2)], ..at(20) }));
    assert_eq!(read(&store).await.0.unwrap().position.seq, 10);

    let blobs = vec![("assemblies".to_owned(), vec![9])];
    store.checkpoint(Checkpoint { states: vec![state(9, 2)], blobs: blobs.clone(), ..at(20) }).await.unwrap();
    store.close().await;
    let store = open(dir.path(), 99).await;
    let (recovered, states) = read(&store).await;
    let recovered = recovered.unwrap();
    assert_eq!((recovered.position.seq, recovered.blobs), (20, blobs));
    assert_eq!(states[0].judged_to, Timestamp(9));
    assert_eq!(states[0].last, LastPosition::of(&fix(1, 1, 2)));
    assert_eq!(track(&store, V, 0, 9).await.unwrap().len(), 2, "the next checkpoint took both");
}

#[tokio::test]
async fn rule_states_stay_with_the_fixes_and_can_be_voided() {
    let (_dir, store) = fresh(99).await;
    let second = |s: i64| Timestamp::from_secs(T0 + s);
    for n in 0..5_i64 {
        store.push_fixes(0, (0..100).map(|i| (V, fix(1, n * 100 + i, 1))).collect());
        store.cut(0);
        let segment_states = vec![(V, second(n * 100 - 1), vec![n as u8]), (W, second(0), vec![99])];
        store.checkpoint(Checkpoint { segment_states, ..at(n as u64) }).await.unwrap();
    }
    let before = async |s: i64| store.rule_state_before(V, second(s)).await.unwrap();
    let state = |n: i64| Some(StoredState { judged_to: second(n * 100 - 1), state: vec![n as u8] });
    assert_eq!(before(-1).await, None);
    assert_eq!(before(0).await, state(0));
    assert_eq!(before(199).await, state(1), "judged to just that instant is too far");
    assert_eq!(before(200).await, state(2));
    assert_eq!(store.rule_state_before(W, Timestamp::MAX).await.unwrap(), None, "no fixes, no state");

    store.compact().await.unwrap();
    assert_eq!(before(450).await, state(0), "one state a chunk");
    store.checkpoint(Checkpoint { void_states: vec![(V, second(50), Timestamp::MAX)], ..at(9) }).await.unwrap();
    assert_eq!(before(450).await, state(0), "voided from an instant on");
    store
        .checkpoint(Checkpoint {
            void_states: vec![(V, second(-1), Timestamp::MAX), (W, second(0), Timestamp::MAX)],
            ..at(9)
        })
        .await
        .unwrap();
    assert_eq!(before(450).await, None);
}

#[tokio::test]
async fn few_fixes_are_carried_until_they_are_worth_a_chunk() {
    let (_dir, store) = fresh(2).await;
    for n in 0..40_i64 {
        let mut fixes: Vec<_> = (0..10).map(|i| (V, fix(1, n * 10 + i, n as u64))).collect();
        if n == 0 {
            fixes.push((W, fix(2, 0, 0)));
        }
        commit(&store, fixes, n as u64).await;
        store.settled().await;
    }
    let stats = store.stats().await.unwrap();
    assert!(stats.segments <= 4 && stats.segment_bytes > 0, "{stats:?}");
    assert!(stats.chunks >= 2, "the idle one and the busy one: {stats:?}");
    assert_eq!(stats.fixes_chunks + stats.fixes_segments, 401);
    assert_eq!(track(&store, V, 0, 1000).await.unwrap().len(), 400);
    assert_eq!(track(&store, W, 0, 1000).await.unwrap().len(), 1);
}

/// Readers hammer while lanes push, checkpoints commit and compaction moves: what was once pushed is always there,
/// once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_reader_ever_misses_or_doubles_a_fix() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};
    const ROUNDS: i64 = 120;
    let (_dir, store) = fresh(3).await;
    let pushed = Arc::new(AtomicI64::new(0));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (store, pushed) = (store.clone(), Arc::clone(&pushed));
            tokio::spawn(async move {
                loop {
                    let before = pushed.load(Ordering::Acquire);
                    let found = track(&store, V, 0, 1_000_000).await.unwrap();
                    let times: Vec<i64> = found.iter().map(|t| t.fix.time.secs() - T0).collect();
                    let want: Vec<i64> = (0..times.len() as i64).collect();
                    assert!(times == want && times.len() as i64 >= before, "{} of {before}", times.len());
                    let last = store.last_positions(Scope::All, &[(V, None)]).await.unwrap()[0];
                    assert!(before == 0 || last.unwrap().time.secs() - T0 >= before - 1);
                    if before == ROUNDS * 20 {
                        break;
                    }
                }
            })
        })
        .collect();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for round in 0..ROUNDS {
        for n in round * 20..(round + 1) * 20 {
            store.push_fixes(0, vec![(V, fix(1, n, n as u64))]);
            pushed.store(n + 1, Ordering::Release);
        }
        if rng.random_bool(0.7) {
            store.cut(0);
            store.checkpoint(at(round as u64)).await.unwrap();
        }
        if rng.random_bool(0.1) {
            store.compact().await.unwrap();
        }
        if rng.random_bool(0.1) {
            store.settled().await;
        }
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test]
async fn outlines_hold_every_fix_wherever_it_lies() {
    let (_dir, store) = fresh(99).await;
    assert_eq!(store.track_span(V).await.unwrap(), None);
    let fixes: Vec<(VehicleId, Fix)> =
        sample().into_iter().map(|(v, fix)| (v, Fix { marks: Marks::default(), ..fix })).collect();
    let parts: Vec<_> = fixes.chunks(fixes.len() / 3 + 1).map(<[_]>::to_vec).collect();
    commit(&store, parts[0].clone(), 1).await;
    store.compact().await.unwrap();
    commit(&store, parts[1].clone(), 2).await;
    store.push_fixes(0, parts[2].clone());
    let outlines = store.outlines(V, Timestamp::MIN, Timestamp::MAX).await.unwrap();
    let (first, last) = store.track_span(V).await.unwrap().unwrap();
    let e6 = |degrees: f64| (degrees * 1e6).round() as i32;
    for (_, fix) in fixes.iter().filter(|(vehicle, _)| *vehicle == V) {
        let (lon_e6, lat_e6) = (e6(fix.lon()), e6(fix.lat()));
        let holds = outlines.iter().any(|outline| {
            let extent = outline.extent;
            (outline.start..=outline.stop).contains(&fix.time)
                && (extent.west_e6..=extent.east_e6).contains(&lon_e6)
                && (extent.south_e6..=extent.north_e6).contains(&lat_e6)
        });
        assert!(holds && first <= fix.time && fix.time <= last, "{fix:?}");
    }
    assert!(outlines.len() > 3, "the boxes are of pieces");
    let early = store.outlines(V, Timestamp::MIN, Timestamp::from_secs(T0 + 600)).await.unwrap();
    assert!(early.len() < outlines.len());
}
