//! Retention: whole files go from the front, never what is held, young, or not covered by a base; what stays is a
//! sound chain that opens and goes on.

#[path = "recovery/support.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use journal::sim::SimDisk;
use journal::{Keep, Reader, Why, plan, sweep, verify};
use model::{DAY_US, Timestamp};
use support::{House, folder};

/// The instant that the clock of the tests shows first.
const START: Timestamp = Timestamp(1_795_400_000_000_000);

fn day(n: i64) -> Timestamp {
    START.plus_us(n * DAY_US)
}

/// Six days with five frames each; a file a day. A frame is received when the day before was the last that the journal
/// knew, so each file begins with the day before it.
async fn six_days() -> SimDisk {
    let disk = SimDisk::default();
    let house = House::open(&disk);
    for n in 0..6 {
        house.append(n * 5..n * 5 + 5).await;
        house.clock.advance_s(86_400);
    }
    house.close().1
}

#[tokio::test]
async fn what_may_go_goes_from_the_front() {
    let disk = six_days().await;
    let all = Keep { from: day(100), base: u64::MAX, held_late: Duration::ZERO, ..Keep::default() };
    let hours_late = |hours: u64| Duration::from_secs(hours * 3600);
    let cases = [
        ("old enough", Keep { from: day(3), ..all.clone() }, 3, Why::Young),
        ("the newest stays", all.clone(), 5, Why::Young),
        ("no base", Keep { base: 0, ..all.clone() }, 0, Why::NoBase),
        (
            "a hold in the middle",
            Keep { holds: vec![(day(2).plus_us(5), day(2).plus_us(6))], ..all.clone() },
            3,
            Why::Held { from: day(2).plus_us(5), to: day(2).plus_us(6) },
        ),
        ("a hold before all", Keep { holds: vec![(day(-9), day(-8))], ..all.clone() }, 5, Why::Young),
        (
            "a hold before all of which the first file may report",
            Keep { holds: vec![(day(-9), day(-8))], held_late: hours_late(8 * 24 + 1), ..all.clone() },
            0,
            Why::Held { from: day(-9), to: day(-8) },
        ),
        (
            "late reports come up to a time",
            Keep { holds: vec![(day(-9), day(-8))], held_late: hours_late(8 * 24), ..all.clone() },
            5,
            Why::Young,
        ),
        (
            "a month where nobody says otherwise",
            Keep { holds: vec![(day(-29), day(-29).plus_us(1))], held_late: Keep::default().held_late, ..all.clone() },
            0,
            Why::Held { from: day(-29), to: day(-29).plus_us(1) },
        ),
        (
            "what came before a hold is not about it",
            Keep { holds: vec![(day(3).plus_us(5), day(9))], held_late: hours_late(24), ..all.clone() },
            4,
            Why::Held { from: day(3).plus_us(5), to: day(9) },
        ),
    ];
    for (name, keep, count, why) in cases {
        let plan = plan(&disk, &folder(), &keep).expect(name);
        assert_eq!((plan.remove.len(), plan.stays.map(|(_, why)| why)), (count, Some(why)), "{name}: {plan:?}");
    }
    // A base covers the first two files, not the third.
    let two = plan(&disk, &folder(), &Keep { from: day(3), ..all.clone() }).expect("plan");
    let base = two.remove[1].last_seq;
    let by_base = plan(&disk, &folder(), &Keep { base, ..all.clone() }).expect("plan");
    assert_eq!(by_base.remove, two.remove[..2]);
    assert_eq!(by_base.stays.map(|(_, why)| why), Some(Why::NoBase));
}

#[tokio::test]
async fn what_stays_is_a_chain_that_goes_on() {
    let disk = six_days().await;
    let keep = Keep { from: day(4), base: u64::MAX, ..Keep::default() };
    let going = plan(&disk, &folder(), &keep).expect("plan");
    let last = going.remove.last().expect("some").last_seq;
    sweep(&disk, &going).expect("removed");
    sweep(&disk, &going).expect("removed already");
    let report = verify(&disk, &folder()).expect("sound");
    assert_eq!(report.first_frame_envelope, last + 1);
    assert!(
        Reader::open(Arc::new(disk.clone()), &folder(), 0, u64::MAX, 0).is_err(),
        "what is gone is not silently skipped"
    );
    let house = House::open(&disk);
    house.append(100..105).await;
    let (_, disk) = house.close();
    verify(&disk, &folder()).expect("sound");
}
