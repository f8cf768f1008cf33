//! The journal when the disk fails, fills up, stalls or goes read-only: nobody is answered wrongly, the feed sees each
//! committed batch once and nothing else, and no restart is needed.

#[path = "recovery/support.rs"]
mod support;

use std::io::ErrorKind;

use journal::sim::{Fault, FaultPlan, Op, SimDisk};
use journal::{AppendError, Refused, SUBMISSION_BYTES_MAX, State, verify};
use support::{Heard, House, folder, frame, frames, setting};

/// Every way in which one commit can fail, and what its submitter is told.
#[tokio::test]
async fn a_failed_commit_is_not_answered_and_the_next_one_works() {
    use ErrorKind::{Other, ReadOnlyFilesystem, StorageFull};
    let cases = [
        ("append, full", Fault::once(Op::Append, StorageFull), true),
        ("append, full after a part", Fault::once(Op::Append, StorageFull).partly(500), true),
        ("append, but for the last byte", Fault::once(Op::Append, Other).partly(999), true),
        ("append, read-only", Fault::once(Op::Append, ReadOnlyFilesystem), true),
        ("sync, lost", Fault::once(Op::Sync, Other), false),
        ("sync, lost in part", Fault::once(Op::Sync, Other).partly(500), false),
        ("sync, written all the same", Fault::once(Op::Sync, Other).partly(1000), false),
        ("sync, full", Fault::once(Op::Sync, StorageFull), false),
    ];
    for (name, fault, is_known) in cases {
        let house = House::open(&SimDisk::default());
        house.append(0..5).await;
        house.disk.inject(fault);
        let outcome = house.submit(frame(5)).await;
        match outcome {
            Err(AppendError::Failed(_)) => assert!(is_known, "{name}"),
            Err(AppendError::Unknown(_)) => assert!(!is_known, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
        house.journal.working().await;
        assert_eq!(house.journal.failure(), None, "{name}");
        house.append(6..10).await;
        let told = house.told();
        assert!(matches!(told.as_slice(), [State::Failed { .. }, State::Working]), "{name}: {told:?}");
        let (live, disk) = house.close();
        assert_eq!(frames(&live), [0, 1, 2, 3, 4, 6, 7, 8, 9], "{name}: what was in flight is cut");
        support::tells_the_same(&disk, &live, name);
        assert_eq!(verify(&disk, &folder()).expect(name).writers, 2, "{name}: a new writer goes on");
        // What was answered outlives a power cut after all this.
        support::tells_the_same(&disk.power_cut(0), &live, name);
    }
}

/// The same while the next segment is begun: at first, and when the day turns.
#[tokio::test]
async fn a_segment_that_cannot_be_begun_is_begun_later() {
    for done in [0, 1000] {
        for days in [0, 1] {
            let house = House::open(&SimDisk::default());
            if days > 0 {
                house.append(0..3).await;
                house.clock.advance_s(86_400);
            } else {
                // The tick of the start has made the first segment: take it away again.
                house.journal.submit(vec![]).await.expect("queued").await.expect("durable");
                house.clock.advance_s(86_400);
            }
            house.disk.inject(Fault { times: 3, ..Fault::once(Op::Create, ErrorKind::StorageFull).partly(done) });
            let outcome = house.submit(frame(8)).await;
            assert!(matches!(outcome, Err(AppendError::Failed(_))), "{outcome:?}");
            house.journal.working().await;
            house.append(9..10).await;
            let (live, disk) = house.close();
            let expected: &[u32] = if days > 0 { &[0, 1, 2, 9] } else { &[9] };
            assert_eq!(frames(&live), expected);
            support::tells_the_same(&disk, &live, "create");
            verify(&disk, &folder()).expect("sound");
        }
    }
}

/// Control is durable before the frame envelope that brings it into force. Should that one fail, the control record
/// stands: its submitter is told that nobody knows, and it comes into force when the journal works again.
#[tokio::test]
async fn control_that_stands_comes_into_force_after_recovery() {
    for (name, fault) in [
        ("frames not written", Fault::once(Op::Append, ErrorKind::StorageFull).after(1)),
        ("frames not synced", Fault::once(Op::Sync, ErrorKind::Other).after(1)),
    ] {
        let house = House::open(&SimDisk::default());
        house.control(1).await.expect("durable");
        house.append(0..2).await;
        house.disk.inject(fault);
        let outcome = house.control(2).await;
        assert!(matches!(outcome, Err(AppendError::Unknown(_))), "{name}: {outcome:?}");
        house.journal.working().await;
        // Said again under the same number it is refused, and harms nobody.
        let again = house.control(2).await;
        assert!(matches!(again, Err(AppendError::Failed(_))), "{name}: {again:?}");
        assert_eq!(house.journal.failure(), None);
        house.control(3).await.expect("the stream goes on behind it");
        let (live, disk) = house.close();
        let in_force: Vec<u64> = live.iter().flat_map(|batch| &batch.control).map(|record| record.seq).collect();
        assert_eq!(in_force, [1, 2, 3], "{name}");
        support::tells_the_same(&disk, &live, name);
        verify(&disk, &folder()).expect("sound");
    }
}

/// Control whose own write failed is cut: the same number is free again.
#[tokio::test]
async fn control_that_does_not_stand_is_cut() {
    for fault in [Fault::once(Op::Append, ErrorKind::Other).partly(300), Fault::once(Op::Sync, ErrorKind::Other)] {
        let house = House::open(&SimDisk::default());
        house.control(1).await.expect("durable");
        house.disk.inject(fault);
        house.control(2).await.expect_err("not written");
        house.journal.working().await;
        house.control(2).await.expect("the number is free");
        let (live, disk) = house.close();
        assert_eq!(live.iter().flat_map(|batch| &batch.control).count(), 2);
        support::tells_the_same(&disk, &live, "control");
        assert_eq!(verify(&disk, &folder()).expect("sound").control_records, 2);
    }
}

/// Frames beside control records that are refused or lost are not confused with them.
#[tokio::test]
async fn landings_are_told_in_the_order_of_submission() {
    let house = House::open(&SimDisk::default());
    house.append(0..1).await;
    house.disk.hold(Op::Sync);
    let heard = Heard::default();
    house.journal.try_submit(vec![frame(1)], heard.landing("held")).expect("room");
    support::eventually(|| house.disk.held() > 0).await;
    house.journal.try_submit(vec![frame(2)], heard.landing("first")).expect("room");
    let wrong = house.journal.submit_control(vec![setting(7)]).await.expect("queued");
    house.journal.try_submit(vec![frame(3)], heard.landing("second")).expect("room");
    let flushed = heard.clone();
    house.journal.on_flush(std::sync::Arc::new(move || flushed.note("flush")));
    house.disk.let_go();
    assert!(matches!(wrong.await, Err(AppendError::Failed(_))));
    house.append(4..5).await;
    assert_eq!(heard.names()[..5], ["held ok", "flush", "first ok", "second ok", "flush"]);
    let (live, _) = house.close();
    assert_eq!(frames(&live), [0, 1, 2, 3, 4]);
}

/// While the disk stays bad nothing is taken and it is tried again and again; then it goes on.
#[tokio::test]
async fn a_disk_that_stays_bad_is_tried_again() {
    let house = House::open(&SimDisk::default());
    house.append(0..2).await;
    house.disk.make_read_only();
    house.submit(frame(2)).await.expect_err("read-only");
    assert!(house.journal.failure().is_some());
    let refused = house.journal.try_submit(vec![frame(3)], Heard::default().landing("x"));
    assert!(matches!(refused, Err(Refused::Failed(AppendError::Failed(_)))), "{refused:?}");
    support::eventually(|| house.told().iter().any(|s| matches!(s, State::Failed { attempts: 3.., .. }))).await;
    house.disk.heal();
    house.journal.working().await;
    house.append(4..6).await;
    let (live, disk) = house.close();
    assert_eq!(frames(&live), [0, 1, 4, 5]);
    support::tells_the_same(&disk, &live, "read-only");
}

/// A failed sync on the way down, a restart before it recovered: reads return what the disk does not have.
#[tokio::test]
async fn a_start_does_not_trust_what_only_the_memory_of_the_system_holds() {
    let house = House::open(&SimDisk::default());
    house.append(0..3).await;
    house.disk.inject(Fault::once(Op::Sync, ErrorKind::Other));
    house.disk.inject(Fault::always(Op::Truncate, ErrorKind::Other));
    house.submit(frame(3)).await.expect_err("lost");
    let (_, disk) = house.close();
    disk.heal();
    let again = House::open(&disk);
    again.append(4..6).await;
    let (_, disk) = again.close();
    let after = disk.power_cut(0);
    assert_eq!(frames(&support::read_all(&after)), [0, 1, 2, 4, 5]);
    verify(&after, &folder()).expect("sound on the disk itself");
}

/// A disk that no longer has what it had synced cannot be recovered from: nothing is taken, nothing is cut.
#[tokio::test]
async fn what_was_durable_and_is_gone_is_not_papered_over() {
    let house = House::open(&SimDisk::default());
    house.append(0..3).await;
    let path = folder().join("frames").join("00000000000000000001.hwj");
    let length = house.disk.content(&path).len();
    house.disk.flip(&path, length - 3, 1);
    house.disk.inject(Fault::once(Op::Append, ErrorKind::Other));
    house.submit(frame(3)).await.expect_err("failed");
    support::eventually(|| house.told().iter().any(|s| matches!(s, State::Failed { attempts: 2.., .. }))).await;
    let told = format!("{:?}", house.told());
    assert!(told.contains("the disk returns a chain that ends with"), "{told}");
    assert_eq!(house.disk.content(&path).len(), length, "nothing was cut");
    house.disk.flip(&path, length - 3, 1);
    house.journal.working().await;
    house.close();
}

/// The disk fills up: refused while a reserve is left, and taken again when there is room.
#[tokio::test]
async fn a_disk_that_fills_up_is_left_a_reserve() {
    let disk = SimDisk::default();
    disk.set_capacity(Some(200_000));
    let house = House::open_with(&disk, |options| {
        (options.low_bytes, options.stop_bytes) = (100_000, 50_000);
    });
    let mut number = 0;
    let refused = loop {
        match house.submit(journal::Record { raw: vec![7; 1000].into(), ..frame(number) }).await {
            Ok(_) => number += 1,
            Err(error) => break error,
        }
        house.clock.advance_s(1);
    };
    assert!(matches!(&refused, AppendError::Failed(_)), "{refused:?}");
    let used: usize = disk.files().iter().map(|(_, length)| length).sum();
    assert!((140_000..=155_000).contains(&used), "{used}");
    let told = house.told();
    assert!(matches!(told.as_slice(), [State::SpaceLow { .. }, State::SpaceOut { .. }]), "{told:?}");
    disk.set_capacity(Some(400_000));
    house.journal.working().await;
    house.submit(frame(0)).await.expect("room");
    assert_eq!(house.told().last(), Some(&State::Working));
    let (live, disk) = house.close();
    support::tells_the_same(&disk, &live, "space");
}

/// Without a reserve the disk itself refuses, in the middle of an envelope.
#[tokio::test]
async fn a_disk_that_is_full_is_survived() {
    let disk = SimDisk::default();
    disk.set_capacity(Some(20_000));
    let house = House::open_with(&disk, |options| (options.low_bytes, options.stop_bytes) = (0, 0));
    let mut durable = Vec::new();
    for number in 0.. {
        match house.submit(frame(number)).await {
            Ok(_) => durable.push(number),
            Err(_) => break,
        }
    }
    disk.set_capacity(None);
    house.journal.working().await;
    house.append(9_000..9_001).await;
    durable.push(9_000);
    let (live, disk) = house.close();
    assert_eq!(frames(&live), durable);
    support::tells_the_same(&disk, &live, "full");
    verify(&disk, &folder()).expect("sound");
}

/// A sync that hangs: what waits is bounded, submitters are pushed back, and all goes on by itself.
#[tokio::test]
async fn a_stalled_disk_pushes_back_and_goes_on() {
    let house = House::open_with(&SimDisk::default(), |options| options.queue_bytes_max = 100_000);
    house.append(0..1).await;
    house.disk.hold(Op::Sync);
    let heard = Heard::default();
    let mut taken = 0_u32;
    let back = loop {
        match house.journal.try_submit(vec![frame(taken + 1)], heard.landing("f")) {
            Ok(()) => taken += 1,
            Err(Refused::Full(back)) => break back,
            Err(Refused::Failed(error)) => panic!("{error}"),
        }
    };
    assert_eq!(back, [frame(taken + 1)], "the records come back");
    assert!(taken as usize * 128 <= 100_000 + 2 * 128, "{taken} frames wait");
    let journal = house.journal.clone();
    let room = journal.room();
    tokio::pin!(room);
    assert!(futures_pending(room.as_mut()).await, "no room while it stalls");
    let waits = journal.submit(vec![frame(taken + 1)]);
    tokio::pin!(waits);
    assert!(futures_pending(waits.as_mut()).await, "whoever can wait waits");
    assert_eq!((heard.names().len(), house.journal.failure()), (0, None), "nobody is answered, nothing has failed");
    house.disk.let_go();
    room.await;
    waits.await.expect("queued").await.expect("durable");
    assert_eq!(heard.names().len(), taken as usize);
    let (live, _) = house.close();
    assert_eq!(frames(&live), (0..taken + 2).collect::<Vec<_>>());
}

async fn futures_pending<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

/// A submission as large as one may be is taken by a queue that is smaller, when it is empty.
#[tokio::test]
async fn nothing_is_too_large_for_an_empty_queue() {
    let house = House::open_with(&SimDisk::default(), |options| options.queue_bytes_max = 1);
    let large = journal::Record { raw: vec![0; SUBMISSION_BYTES_MAX - 1024].into(), ..frame(0) };
    house.submit(large).await.expect("durable");
    house.close();
}

/// Without its reader nothing takes effect, so nothing more is answered.
#[tokio::test]
async fn a_feed_that_nobody_reads_ends_it() {
    let (journal, told) = House::open(&SimDisk::default()).drop_feed();
    while journal.submit(vec![frame(0)]).await.is_ok() {
        tokio::task::yield_now().await;
    }
    support::eventually(|| matches!(told.lock().as_slice(), [State::Ended { .. }])).await;
    assert!(journal.failure().is_some());
    journal.close();
}

/// Whoever dies or closes leaves nobody waiting.
#[tokio::test]
async fn closing_while_it_has_failed_ends() {
    let house = House::open(&SimDisk::default());
    house.disk.make_read_only();
    house.submit(frame(0)).await.expect_err("read-only");
    house.journal.close();
    house.journal.working().await;
    house.journal.room().await;
    let refused = house.journal.submit(vec![frame(1)]).await;
    assert!(refused.is_err(), "{refused:?}");
}

/// Faults by chance, power cuts by chance, restarts: what was answered is there, once, in order, and the feed told the
/// same story as the disk.
#[tokio::test]
async fn whatever_happens_what_was_answered_is_there() {
    for seed in 0..20 {
        let plan = FaultPlan {
            append: 400,
            sync: 400,
            create: 2_000,
            truncate: 2_000,
            read: 300,
            streak_max: 3,
            ..FaultPlan::default()
        };
        let mut disk = SimDisk::default();
        let (mut answered, mut next) = (Vec::new(), 0);
        for round in 0..4_u64 {
            let house = House::open(&disk);
            house.disk.restart_faults(seed * 10 + round, plan);
            for number in next..next + 40 {
                if house.submit(frame(number)).await.is_ok() {
                    answered.push(number);
                } else {
                    house.journal.working().await;
                }
            }
            next += 40;
            let (live, after) = house.close();
            after.heal();
            let first = live.first().map_or(u64::MAX, |batch| batch.position.seq);
            let told = support::read_all(&after).into_iter().filter(|batch| batch.position.seq >= first);
            assert!(told.take(live.len()).eq(live.iter().cloned()), "seed {seed} round {round}: two stories");
            disk = after.power_cut_by_chance(seed * 10 + round);
            let there = frames(&support::read_all(&disk));
            let mut wanted = answered.iter();
            let mut waited = wanted.next();
            for number in &there {
                if Some(number) == waited {
                    waited = wanted.next();
                }
            }
            assert_eq!(waited, None, "seed {seed} round {round}: answered and lost");
            assert!(there.is_sorted_by(|a, b| a < b), "seed {seed}: doubled or out of order");
        }
        House::open(&disk).close();
        verify(&disk, &folder()).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}
