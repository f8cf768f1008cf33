//! Warnings in the cab: made once by live fixes, never by late ones, the same by every way to the same journal.

use std::time::Duration;

use journal::Record;
use journal::sim::SimDisk;
use model::Timestamp;

use crate::block_on;
use crate::house::{House, Setup, rebuilt};
use crate::plan::{Spot, T0, admit, batch, live, zone};

/// On the way to a circle of 300 m around 103.80, from the west, at 60 km/h.
fn spot(second: i64, before_e6: i32) -> Spot {
    Spot {
        truck: 1,
        second,
        lon_e6: 103_800_000 - before_e6,
        lat_e6: 25_500_000,
        speed_dkmh: 600,
        direction_deg: 90,
        alarm: 0,
    }
}

fn now_s() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs() as i64
}

/// The way there, the last report so many seconds ago.
fn way(ago_s: i64) -> [Spot; 3] {
    APPROACH.map(|(second, before_e6)| spot(now_s() - T0 - ago_s - 60 + second, before_e6))
}

/// Received now: the journal holds to its own clock.
fn now(record: Record) -> Record {
    Record { received: Timestamp::from_secs(now_s()), ..record }
}

async fn house(data: &tempfile::TempDir, setup: Setup) -> House {
    let mut house = House::start(&SimDisk::default(), data.path(), setup, 0).await;
    house.control(admit(1..=1)).await;
    house.control(vec![zone(2, 1, -100_000, 103.80, 300.0)]).await;
    house
}

async fn told(house: &House) -> usize {
    let told = house.store.pending_effects(100).await.expect("effects");
    assert!(told.iter().all(|effect| effect.text.starts_with("前方约1.")), "{told:?}");
    told.len()
}

const APPROACH: [(i64, i32); 3] = [(0, 22_000), (30, 17_000), (60, 12_000)];

#[test]
fn a_driver_is_told_once_whatever_servers_go_through() {
    for idle in [Duration::ZERO, Duration::MAX] {
        block_on(async {
            let setup = Setup { lanes: 1, idle, checkpoint_every: Duration::MAX };
            let data = tempfile::tempdir().expect("folder");
            let mut house = house(&data, setup).await;
            for (number, spot) in way(0).iter().enumerate() {
                assert_eq!(told(&house).await, usize::from(number > 1), "the second within two minutes tells");
                house.frames(vec![now(live(spot))]).await;
                house.checkpoint().await;
                let control_seq = house.control_seq;
                let disk = house.stop().await;
                house = House::start(&disk, data.path(), setup, control_seq).await;
            }
            assert_eq!(told(&house).await, 1);
            let live = house.store.digest().await.expect("digest");
            assert_eq!(live, rebuilt(&house.stop().await, 2).await);
        });
    }
}

#[test]
fn nobody_is_told_by_what_comes_late() {
    block_on(async {
        let setup = Setup { lanes: 1, idle: Duration::MAX, checkpoint_every: Duration::MAX };
        let data = tempfile::tempdir().expect("folder");
        let house = house(&data, setup).await;
        house.frames(vec![now(batch(&way(3000)))]).await;
        assert_eq!(told(&house).await, 0, "sent in afterwards");
        house.frames(way(1000).iter().map(live).map(now).collect()).await;
        assert_eq!(told(&house).await, 0, "received more than two minutes after");
        let late = way(75);
        let newest = Spot { second: late[2].second + 5, direction_deg: 270, ..spot(0, 60_000) };
        house.frames(vec![now(live(&newest))]).await;
        house.frames(late.iter().map(live).map(now).collect()).await;
        house.checkpoint().await;
        assert_eq!(told(&house).await, 0, "overtaken by a later one");
        house.frames(way(0).iter().map(live).map(now).collect()).await;
        assert_eq!(told(&house).await, 1, "all that was missing");
        house.stop().await;
    });
}
