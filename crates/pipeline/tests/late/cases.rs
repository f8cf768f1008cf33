//! Single cases: what becomes of the facts when something comes late.

use std::time::Duration;

use journal::sim::SimDisk;
use model::{FactKind, Scope, Standing, VehicleId};
use store::FactRow;

use crate::block_on;
use crate::house::{House, Setup, rebuilt};
use crate::plan::{Spot, admit, batch, bind, live, zone};

const CALM: Setup = Setup { lanes: 1, idle: Duration::MAX, checkpoint_every: Duration::MAX };
/// Of the circle of 300 m around 103.80: 300 m are about 2,985 of these.
const MIDDLE_E6: i32 = 103_800_000;

fn spot(second: i64, offset_e6: i32) -> Spot {
    Spot {
        truck: 1,
        second,
        lon_e6: MIDDLE_E6 + offset_e6,
        lat_e6: 25_500_000,
        speed_dkmh: 600,
        direction_deg: 90,
        alarm: 0,
    }
}

async fn house(data: &tempfile::TempDir) -> House {
    let mut house = House::start(&SimDisk::default(), data.path(), CALM, 0).await;
    house.control(admit(1..=1)).await;
    house.control(vec![zone(2, 1, -100_000, 103.80, 300.0)]).await;
    house
}

async fn send(house: &House, spots: &[(i64, i32)]) {
    for (second, offset_e6) in spots {
        house.frames(vec![live(&spot(*second, *offset_e6))]).await;
    }
}

/// Violations by start, void ones included.
async fn violations(house: &House) -> Vec<FactRow> {
    house.checkpoint().await;
    let mut rows = house.rows(true).await;
    rows.retain(|row| row.fact.kind == FactKind::V06);
    rows.sort_by_key(|row| (row.fact.started_at, row.fact.id));
    rows
}

async fn ends_well(house: House) {
    let live = house.store.digest().await.expect("digest");
    let disk = house.stop().await;
    assert_eq!(live, rebuilt(&disk, 2).await);
}

#[test]
fn a_start_that_shifts_makes_another_fact_that_takes_the_place_of_the_first() {
    block_on(async {
        let data = tempfile::tempdir().expect("folder");
        let house = house(&data).await;
        send(&house, &[(0, -6000), (60, -2000), (120, 1000), (180, 6000), (240, 9000)]).await;
        let before = violations(&house).await;
        let [first] = &before[..] else { panic!("{before:?}") };
        assert!(!first.fact.detected_late && first.fact.ended_at.is_some());
        send(&house, &[(30, -5900)]).await;
        assert_eq!(violations(&house).await, before, "it waits for the tick");
        house.tick().await;
        let after = violations(&house).await;
        let [old, new] = &after[..] else { panic!("{after:?}") };
        assert_eq!((old.fact.id, old.fact.revision, old.fact.standing), (first.fact.id, 2, Standing::Void));
        assert_eq!(old.superseded_by, Some(new.fact.id));
        assert_eq!((new.fact.revision, new.fact.standing), (1, Standing::Stands));
        assert!(new.fact.detected_late && new.fact.started_at > old.fact.started_at);
        assert_eq!(new.fact.ended_at, first.fact.ended_at);
        let revisions = house.store.fact(Scope::All, first.fact.id).await.expect("is there");
        assert_eq!(revisions.len(), 2, "the old one stays readable");
        assert_eq!(house.metrics.late.get(), 1);
        ends_well(house).await;
    });
}

#[test]
fn an_end_that_shifts_makes_a_revision() {
    block_on(async {
        let data = tempfile::tempdir().expect("folder");
        let house = house(&data).await;
        send(&house, &[(0, -6000), (60, -2000), (120, 1000), (180, 6000), (240, 9000)]).await;
        let before = violations(&house).await;
        send(&house, &[(150, 1500)]).await;
        house.tick().await;
        let after = violations(&house).await;
        let [revised] = &after[..] else { panic!("{after:?}") };
        assert_eq!((revised.fact.id, revised.fact.revision), (before[0].fact.id, 2));
        assert!(revised.fact.ended_at > before[0].fact.ended_at && revised.fact.detected_late);
        ends_well(house).await;
    });
}

#[test]
fn a_fact_that_splits_lives_on_in_its_longest_part() {
    block_on(async {
        let data = tempfile::tempdir().expect("folder");
        let house = house(&data).await;
        send(&house, &[(0, -6000), (30, -2000), (60, -1000), (200, 1000), (230, 2000), (260, 6000), (290, 9000)]).await;
        assert_eq!(violations(&house).await.len(), 1);
        send(&house, &[(100, -6000), (120, -6500)]).await;
        house.tick().await;
        let after = violations(&house).await;
        let [first, second] = &after[..] else { panic!("{after:?}") };
        assert_eq!((first.fact.revision, second.fact.revision), (2, 1), "the start did not move");
        assert!(after.iter().all(|row| row.fact.standing == Standing::Stands));
        ends_well(house).await;
    });
}

#[test]
fn many_late_fixes_do_not_wait_for_the_tick() {
    block_on(async {
        let data = tempfile::tempdir().expect("folder");
        let house = house(&data).await;
        send(&house, &[(20_000, 50_000)]).await;
        let late: Vec<Spot> = (0..1024).map(|n| spot(n * 10, -6000 + n as i32 * 20)).collect();
        house.frames(late[..1000].chunks(20).map(batch).collect()).await;
        assert!(violations(&house).await.is_empty());
        house.frames(late[1000..].chunks(12).map(batch).collect()).await;
        let found = violations(&house).await;
        assert!(found.len() == 1 && found[0].fact.detected_late, "{found:?}");
        assert_eq!(house.store.stats().await.expect("stats").effects_pending, 0, "nobody is told hours later");
        ends_well(house).await;
    });
}

/// A clock that is a day ahead for one report: everything after it comes late, and costs a few steps each.
#[test]
fn a_report_from_tomorrow_blinds_nobody() {
    const REPORTS: i64 = 1000;
    block_on(async {
        let data = tempfile::tempdir().expect("folder");
        let house = house(&data).await;
        send(&house, &[(-10, -9000), (20 * 3600, -9000)]).await;
        let along = |n: i64| spot(n * 10, -9000 + n as i32 * 20);
        for n in 0..REPORTS {
            house.frames(vec![live(&along(n))]).await;
            house.tick().await;
        }
        let found = violations(&house).await;
        assert!(found.iter().any(|row| row.fact.ended_at.is_some() && row.fact.standing == Standing::Stands));
        let steps = house.metrics.rejudged_fixes.get();
        assert!(steps < 8 * REPORTS as u64, "{steps} steps for {REPORTS} reports");
        ends_well(house).await;
    });
}

#[test]
fn a_zone_that_is_recorded_late_holds_for_what_was_before() {
    block_on(async {
        let data = tempfile::tempdir().expect("folder");
        let mut house = house(&data).await;
        send(&house, &[(0, 20_000), (30, 24_000), (60, 26_000), (90, 30_000), (120, 34_000)]).await;
        assert!(violations(&house).await.is_empty());
        house.control(vec![zone(4, 1, -100, 103.825, 200.0)]).await;
        assert!(violations(&house).await.is_empty(), "another zone was recorded since the last tick");
        house.tick().await;
        let found = violations(&house).await;
        assert!(found.len() == 1 && !found[0].fact.detected_late && found[0].fact.zone.0 == 4, "{found:?}");
        assert_eq!(found[0].fact.vehicle, VehicleId(1));
        house.tick().await;
        house.control(vec![zone(4, 2, -100, 103.925, 200.0)]).await;
        assert_eq!(violations(&house).await[0].fact.standing, Standing::Void);
        ends_well(house).await;
    });
}

#[test]
fn zones_that_come_one_by_one_are_judged_together_and_only_who_was_near() {
    block_on(async {
        let data = tempfile::tempdir().expect("folder");
        let mut house = house(&data).await;
        house.control(admit(2..=2)).await;
        send(&house, &[(0, 20_000), (30, 24_000), (60, 26_000), (90, 30_000), (120, 34_000)]).await;
        let far = |second| Spot { truck: 2, lat_e6: 25_600_000, ..spot(second, 25_000) };
        house.frames(vec![live(&far(0)), live(&far(60))]).await;
        house.tick().await;
        house.tick().await;
        let judged = |house: &House| (house.metrics.rejudged.get(), house.metrics.spared.get());
        for id in 4..=20 {
            house.control(vec![zone(id, 1, -100, 103.825, 200.0)]).await;
        }
        house.checkpoint().await;
        assert_eq!(judged(&house), (1, 1), "the first one at once");
        assert_eq!(violations(&house).await.len(), 1);
        house.tick().await;
        assert_eq!(violations(&house).await.len(), 9, "half of them are forbidden");
        assert_eq!(judged(&house), (2, 2), "the others at the tick");
        ends_well(house).await;
    });
}

#[test]
fn a_binding_that_is_recorded_late_moves_fixes_and_their_facts() {
    block_on(async {
        let data = tempfile::tempdir().expect("folder");
        let mut house = house(&data).await;
        house.control(admit(2..=2)).await;
        send(&house, &[(0, -6000), (60, -2000), (120, 1000), (180, 6000), (240, 9000)]).await;
        let [before] = &violations(&house).await[..] else { panic!("no violation") };
        house.control(vec![bind(1, 2, -10)]).await;
        let after = violations(&house).await;
        let of = |vehicle| after.iter().find(|row| row.fact.vehicle == VehicleId(vehicle)).expect("is there");
        assert_eq!((of(1).fact.id, of(1).fact.standing), (before.fact.id, Standing::Void));
        assert_eq!((of(2).fact.started_at, of(2).fact.ended_at), (before.fact.started_at, before.fact.ended_at));
        assert_eq!((of(2).fact.standing, of(2).fact.detected_late), (Standing::Stands, false));
        let effects = house.store.stats().await.expect("stats").effects_pending;
        send(&house, &[(90, -1000), (300, 0), (330, 1000)]).await;
        house.tick().await;
        assert_eq!(violations(&house).await.len(), 3, "late and new fixes are judged with the others");
        assert_eq!(house.store.stats().await.expect("stats").effects_pending, effects, "nobody is told twice");
        house.control(vec![bind(1, 1, -20)]).await;
        let back = violations(&house).await;
        let standing = back.iter().filter(|row| row.fact.standing != Standing::Void).map(|row| row.fact.vehicle.0);
        assert_eq!(standing.collect::<Vec<_>>(), [1, 1]);
        ends_well(house).await;
    });
}
