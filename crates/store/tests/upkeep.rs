//! Upkeep: copies beside a running store, retention, bounds, a disk that is full, damage, late data in bulk.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{T0, at, commit, fix, fresh, open};
use model::{Fix, Hold, HoldId, Scope, TerminalId, Timestamp, VehicleId};
use store::{
    Checkpoint, Options, PasswordCost, Store, StoreError, Stranger, VehicleState, Writes, copy_users, snapshot,
};

const DAY_S: i64 = 86_400;

async fn count(store: &Store, vehicle: VehicleId) -> usize {
    let found = store.track(Scope::All, None, vehicle, Timestamp::MIN, Timestamp::MAX, 1_000_000).await.unwrap();
    found.iter().map(|t| t.sources.len()).sum()
}

fn head() -> (String, Vec<u8>) {
    ("journal_head".to_owned(), vec![9; 32])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_taken_beside_writers_and_opens_as_a_store() {
    let (dir, store) = fresh(2).await;
    let copies = tempfile::tempdir().unwrap();
    let early = snapshot(dir.path(), &copies.path().join("early")).await;
    assert!(matches!(early, Err(StoreError::Refused(_))), "{early:?}");
    let writing = tokio::spawn({
        let store = store.clone();
        async move {
            for n in 1..=60_u64 {
                store.push_fixes(0, (0..50).map(|i| (VehicleId(i), fix(i, n as i64 * 30, n))).collect());
                store.cut(0);
                store.checkpoint(Checkpoint { blobs: vec![head()], ..at(n) }).await.unwrap();
            }
        }
    });
    let mut bases = Vec::new();
    while bases.len() < 5 {
        let into = copies.path().join(format!("base-{}", bases.len()));
        match snapshot(dir.path(), &into).await {
            Ok(base) => bases.push((into, base)),
            Err(StoreError::Refused(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    writing.await.unwrap();
    assert!(matches!(snapshot(dir.path(), &bases[0].0).await, Err(StoreError::Exists(_))));
    for (file, base) in bases {
        let bytes = std::fs::read(&file).unwrap();
        assert_eq!(bytes.len() as u64, base.bytes);
        assert_eq!(base.head, [9; 32]);
        let restored = tempfile::tempdir().unwrap();
        std::fs::rename(&file, restored.path().join("views.db")).unwrap();
        let copy = open(restored.path(), 2).await;
        assert_eq!(copy.recovery().await.unwrap().unwrap().position, base.position);
        assert_eq!(count(&copy, VehicleId(7)).await as u64, base.position.seq, "as many fixes as checkpoints");
        copy.compact().await.unwrap();
        copy.close().await;
    }
    assert_eq!(std::fs::read_dir(copies.path()).unwrap().count(), 0, "nothing is left half made");
}

#[tokio::test]
async fn users_are_copied_for_their_owner_alone() {
    let (dir, store) = fresh(16).await;
    store.users().ensure_admin(Some("correct horse battery"), Timestamp(1)).await.unwrap();
    let secret = store.users().secret("jwt", 32).await.unwrap();
    let restored = tempfile::tempdir().unwrap();
    let into = restored.path().join("app.db");
    let copied = copy_users(dir.path(), &into).await.unwrap();
    let meta = std::fs::metadata(&into).unwrap();
    assert_eq!(meta.len(), copied.bytes);
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o777, 0o600);
    let copy = open(restored.path(), 16).await;
    assert_eq!(copy.users().secret("jwt", 32).await.unwrap(), secret);
    let session = copy.users().login("admin", "correct horse battery", Timestamp(2)).await.unwrap();
    assert!(session.is_some());
}

#[tokio::test]
async fn old_days_are_forgotten_unless_they_are_held_or_came_lately() {
    let (_dir, store) = fresh(16).await;
    let vehicles = [VehicleId(1), VehicleId(2), VehicleId(3)];
    let mut fixes = Vec::new();
    for vehicle in vehicles {
        for day in 0..5 {
            fixes.extend((0..20).map(|n| (vehicle, fix(vehicle.0, day * DAY_S + n, 1))));
        }
    }
    // Received on the last day, about the first.
    let mut late = fix(3, 500, 1);
    late.received = Timestamp::from_secs(T0 + 4 * DAY_S);
    fixes.push((VehicleId(3), late));
    commit(&store, fixes, 1).await;
    store.compact().await.unwrap();
    let day = |n: i64| Timestamp::from_secs(T0 + n * DAY_S).china_day();
    let hold = Hold {
        id: HoldId(1),
        vehicle: Some(VehicleId(2)),
        from: Timestamp::from_secs(T0 + DAY_S),
        to: Timestamp::from_secs(T0 + DAY_S + 5),
        reason: "accident".to_owned(),
    };
    let forgotten = store.forget_before(day(3), || vec![hold.clone()]).await.unwrap();
    assert_eq!(forgotten.chunks, 3 + 2 + 2);
    let mut left = Vec::new();
    for vehicle in vehicles {
        left.push(count(&store, vehicle).await);
    }
    assert_eq!(left, [40, 60, 61], "two days each; the day held; the day that grew late");
    let forgotten = store.forget_before(day(3), Vec::new).await.unwrap();
    assert_eq!(forgotten.chunks, 1, "the hold was released");
}

/// Chunks of more than one slice; the hold is put while the second is looked at.
#[tokio::test]
async fn a_hold_that_is_put_while_days_are_forgotten_counts() {
    let (_dir, store) = fresh(16).await;
    let vehicles = (1..=100).map(VehicleId);
    let fixes = vehicles.clone().map(|vehicle| (vehicle, fix(vehicle.0, 0, 1))).collect();
    commit(&store, fixes, 1).await;
    store.compact().await.unwrap();
    let all = Hold { id: HoldId(1), vehicle: None, from: Timestamp::MIN, to: Timestamp::MAX, reason: String::new() };
    for (asked_before, left) in [(0, 100), (1, 100), (2, 36), (2, 0)] {
        let asked = AtomicUsize::new(0);
        let holds =
            || if asked.fetch_add(1, Ordering::Relaxed) < asked_before { Vec::new() } else { vec![all.clone()] };
        let before = Timestamp::from_secs(T0 + DAY_S).china_day();
        store.forget_before(before, holds).await.unwrap();
        let mut kept = 0;
        for vehicle in vehicles.clone() {
            kept += count(&store, vehicle).await;
        }
        assert_eq!(kept, left, "held after it was asked {asked_before} times");
    }
}

#[tokio::test]
async fn strangers_are_bounded_and_first_seen_stays() {
    let (_dir, store) = fresh(16).await;
    let stranger = |n: u64, first: i64, seq| Stranger {
        terminal: TerminalId::from_wire(&n.to_be_bytes()),
        plate: None,
        maker: String::new(),
        model: String::new(),
        device: String::new(),
        peer: String::new(),
        first_seen: Timestamp(first),
        last_seen: Timestamp(first + seq as i64),
        frames: 1,
        seq,
    };
    for n in 0..103_u64 {
        let strangers = (n * 1000..(n + 1) * 1000).map(|n| stranger(n, 10 + n as i64, 1)).collect();
        store.write(Writes { strangers, ..Writes::default() }).await.unwrap();
    }
    assert_eq!(store.stats().await.unwrap().strangers, 100_000);
    let oldest = TerminalId::from_wire(&2999_u64.to_be_bytes());
    assert!(matches!(store.stranger(Scope::All, oldest).await, Err(StoreError::NotFound(_))));
    store.write(Writes { strangers: vec![stranger(5000, 999_999, 2)], ..Writes::default() }).await.unwrap();
    let again = store.stranger(Scope::All, TerminalId::from_wire(&5000_u64.to_be_bytes())).await.unwrap();
    assert_eq!((again.first_seen, again.seq), (Timestamp(5010), 2));
}

#[tokio::test]
async fn a_full_disk_fails_clearly_and_is_survived() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        database_bytes_max: Some(2 << 20),
        segments_max: 1000,
        password_cost: PasswordCost::TEST,
        ..Options::default()
    };
    let store = Store::open_with(dir.path(), options).await.unwrap();
    let state =
        |seq: u64| VehicleState { vehicle: VehicleId(seq), judged_to: Timestamp(1), state: vec![1], last: None };
    let mut seq = 0;
    let failed = loop {
        seq += 1;
        store.push_fixes(
            0,
            (0..3000).map(|n| (VehicleId(n % 50), fix(n % 50, seq as i64 * 3000 + n as i64, seq))).collect(),
        );
        store.cut(0);
        match store.checkpoint(Checkpoint { states: vec![state(seq)], ..at(seq) }).await {
            Ok(()) => assert!(seq < 100, "it fills up"),
            Err(error) => break error,
        }
    };
    assert!(
        matches!(&failed, StoreError::Io { path, source }
            if path.ends_with("views.db") && source.kind() == std::io::ErrorKind::StorageFull),
        "{failed:?}"
    );
    let recovered = store.recovery().await.unwrap().unwrap();
    assert_eq!(recovered.position.seq, seq - 1, "nothing of it was written");
    assert!(store.vehicle_states(&[VehicleId(seq)]).await.unwrap().is_empty());
    let all: usize = seq as usize * 60;
    assert_eq!(count(&store, VehicleId(3)).await, all, "memory still has what the disk has not");
    store.close().await;

    // Space returns; what was in memory comes again from the journal.
    let store = open(dir.path(), 1000).await;
    store.push_fixes(
        0,
        (0..3000).map(|n| (VehicleId(n % 50), fix(n % 50, seq as i64 * 3000 + n as i64, seq))).collect(),
    );
    store.cut(0);
    store.checkpoint(at(seq)).await.unwrap();
    assert_eq!(count(&store, VehicleId(3)).await, all);
}

#[tokio::test]
async fn a_checkpoint_that_failed_is_taken_again_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        database_bytes_max: Some(2 << 20),
        segments_max: 1000,
        password_cost: PasswordCost::TEST,
        ..Options::default()
    };
    let store = Store::open_with(dir.path(), options).await.unwrap();
    let mut seq = 0;
    loop {
        seq += 1;
        store.push_fixes(
            0,
            (0..3000).map(|n| (VehicleId(n % 5), fix(n % 5, seq as i64 * 3000 + n as i64, seq))).collect(),
        );
        store.cut(0);
        if store.checkpoint(at(seq)).await.is_err() {
            break;
        }
    }
    // Chunks are a third of segments; the next ones find the room that these leave.
    while store.checkpoint(at(seq)).await.is_err() {
        store.compact().await.unwrap();
    }
    assert_eq!(count(&store, VehicleId(3)).await, seq as usize * 600);
    assert_eq!(store.recovery().await.unwrap().unwrap().position.seq, seq);
}

fn flip(file: &Path, at: usize) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[at..at + 64].iter_mut().for_each(|b| *b ^= 0x5a);
    std::fs::write(file, bytes).unwrap();
}

/// Whatever page is damaged: the file is refused, or a read of everything is, and the error says what helps.
#[tokio::test]
async fn damage_to_the_views_is_found_and_the_remedy_is_named() {
    let (dir, store) = fresh(16).await;
    for n in 0..3 {
        store.push_fixes(
            0,
            (0..4000).map(|i| (VehicleId(i % 40), fix(i % 40, n * 4000 + i as i64, n as u64))).collect(),
        );
        store.cut(0);
        let states = (0..200).map(|v| VehicleState {
            vehicle: VehicleId(v),
            judged_to: Timestamp(0),
            state: vec![3; 90],
            last: None,
        });
        store.checkpoint(Checkpoint { states: states.collect(), ..at(n as u64) }).await.unwrap();
        if n == 1 {
            store.compact().await.unwrap();
        }
    }
    let whole = store.digest().await.unwrap();
    store.close().await;
    let file = dir.path().join("views.db");
    let good = std::fs::read(&file).unwrap();
    let mut found = 0;
    for page in (0..good.len() / 8192).step_by(5) {
        flip(&file, page * 8192 + if page == 0 { 100 } else { 0 });
        let all = async {
            let store = Store::open(dir.path(), 1).await?;
            let digest = store.digest().await;
            store.close().await;
            digest
        };
        match all.await {
            Ok(digest) => assert_eq!(digest, whole, "page {page}: what is read is right"),
            Err(StoreError::Corrupt { why, .. }) => {
                assert!(why.contains("delete views.db"), "{why}");
                found += 1;
            }
            Err(error) => assert!(matches!(error, StoreError::Engine { .. }), "page {page}: {error:?}"),
        }
        for rest in ["views.db-wal", "views.db-shm"] {
            let _ = std::fs::remove_file(dir.path().join(rest));
        }
        std::fs::write(&file, &good).unwrap();
    }
    assert!(found >= 5, "{found} found; the others are indexes, and tables that are empty or not asked");
}

/// Five hundred trucks send a day at once, while readers ask and newer fixes come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_day_of_many_trucks_is_cut_into_the_days_that_are_there() {
    const TRUCKS: u64 = 500;
    const A_DAY: i64 = 48;
    let (_dir, store) = fresh(3).await;
    let report = |v: u64, n: i64| (VehicleId(v), fix(v, n * 1800, n as u64));
    let mut seq = 0;
    let mut put = async |fixes: Vec<(VehicleId, Fix)>| {
        seq += 1;
        commit(&store, fixes, seq).await;
    };
    // The first and the third day in time, the day between late.
    for n in (0..A_DAY).chain(2 * A_DAY..3 * A_DAY).collect::<Vec<_>>().chunks(12) {
        put((0..TRUCKS).flat_map(|v| n.iter().map(move |n| report(v, *n))).collect()).await;
    }
    store.compact().await.unwrap();
    let is_right = async |least: i64| {
        for v in [0, 250, TRUCKS - 1] {
            let found = count(&store, VehicleId(v)).await as i64;
            assert!((least..=3 * A_DAY + 10).contains(&found), "{found} of {least}");
        }
    };
    for part in 0..5_u64 {
        let trucks = part * TRUCKS / 5..(part + 1) * TRUCKS / 5;
        let mut fixes: Vec<_> = trucks.flat_map(|v| (A_DAY..2 * A_DAY).map(move |n| report(v, n))).collect();
        fixes.extend((0..TRUCKS).map(|v| report(v, 3 * A_DAY + part as i64)));
        put(fixes).await;
        is_right(2 * A_DAY + part as i64 + 1).await;
    }
    let compacting = tokio::spawn({
        let store = store.clone();
        async move { store.compact().await.unwrap() }
    });
    while !compacting.is_finished() {
        is_right(3 * A_DAY + 5).await;
    }
    compacting.await.unwrap();
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.fixes_segments, stats.segment_bytes), (0, 0));
    assert_eq!(stats.fixes_chunks as i64, TRUCKS as i64 * (3 * A_DAY + 5));
}

/// A long reader lets the log grow by what is written meanwhile; afterwards it is short again.
#[tokio::test]
async fn the_log_shrinks_when_the_reader_is_gone() {
    use sqlx::{Connection, SqliteConnection};
    let (dir, store) = fresh(1000).await;
    let url = format!("sqlite://{}", dir.path().join("views.db").display());
    let mut reader = SqliteConnection::connect(&url).await.unwrap();
    let mut tx = reader.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM checkpoint").fetch_one(&mut *tx).await.unwrap();
    let log = || std::fs::metadata(dir.path().join("views.db-wal")).map_or(0, |m| m.len());
    let mut seq = 0;
    let mut write = async |mib: u64| {
        for _ in 0..mib {
            seq += 1;
            let noise = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes().repeat(128);
            let states = (0..1024).map(|v| VehicleState {
                vehicle: VehicleId(v),
                judged_to: Timestamp(0),
                state: noise(v + seq),
                last: None,
            });
            store.checkpoint(Checkpoint { states: states.collect(), ..at(seq) }).await.unwrap();
        }
    };
    write(300).await;
    assert!(log() > 256 << 20, "{}", log());
    tx.rollback().await.unwrap();
    let mut rounds = 0;
    while log() > 80 << 20 {
        write(1).await;
        store.settled().await;
        rounds += 1;
        assert!(rounds < 500, "{} bytes of log", log());
    }
}
