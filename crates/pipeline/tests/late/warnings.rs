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

/// Received so many seconds after it was taken.
fn after(delay_s: i64, spot: &Spot) -> Record {
    Record { received: Timestamp::from_secs(T0 + spot.second + delay_s), ..live(spot) }
}

async fn house(data: &tempfile::TempDir, setup: Setup) -> House {
    let mut house = House::start(&SimDisk::default(), data.path(), setup, 0).await;
    house.control(admit(1..=1)).await;
    house.control(vec![zone(2, 1, -100_000, 103.80, 300.0)]).await;
    house
}

async fn told(house: &House) -> u64 {
    house.store.stats().await.expect("stats").effects_pending
}

const APPROACH: [(i64, i32); 3] = [(0, 22_000), (30, 17_000), (60, 12_000)];

#[test]
fn a_driver_is_told_once_whatever_servers_go_through() {
    for idle in [Duration::ZERO, Duration::MAX] {
        block_on(async {
            let setup = Setup { lanes: 1, idle, checkpoint_every: Duration::MAX };
            let data = tempfile::tempdir().expect("folder");
            let mut house = house(&data, setup).await;
            for (number, (second, before_e6)) in APPROACH.into_iter().enumerate() {
                assert_eq!(told(&house).await, u64::from(number > 1), "the second within two minutes tells");
                house.frames(vec![after(1, &spot(second, before_e6))]).await;
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
        let spots = APPROACH.map(|(second, before_e6)| spot(second, before_e6));
        house.frames(vec![batch(&spots[..2])]).await;
        assert_eq!(told(&house).await, 0, "sent in afterwards");
        house.frames(spots.iter().map(|spot| after(300, spot)).collect()).await;
        house.frames(vec![after(301, &Spot { second: 90, ..spot(90, 60_000) })]).await;
        house.frames(spots.iter().map(|spot| after(310, &Spot { second: spot.second + 1, ..*spot })).collect()).await;
        house.checkpoint().await;
        assert_eq!(told(&house).await, 0, "received later than two minutes after, or out of order");
        house.stop().await;
    });
}
