//! Fixes of many trucks over many days, as a function of the seed: some trucks are driven, the others drive the same
//! ways at other hours and a little beside, so that no two tracks are alike and none costs minutes to make.

use fleet::{Beginning, Network, Truck};
use jt808::{BcdTime, Item, ItemValue};
use model::{Fix, Marks, Position, RecordRef, TerminalId, Timestamp, VehicleId};

use crate::error::Failure;
use crate::terminal::SEED;

/// 2026-11-09 00:00 GMT+8.
const BEGIN_S: i64 = 1_794_153_600;
pub(super) const DAY_S: i64 = 24 * 3_600;
/// Records of an envelope: what a commit under moderate load holds.
const RECORDS: u64 = 24;
/// A fix is received so long after it was taken, milliseconds: at least, and up to so much more.
const DELAY_MS: (i64, u64) = (350, 1_600);
/// How far beside its way another truck drives, 1e-6 degree.
const BESIDE_E6: u64 = 60;

/// What is to be stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traffic {
    /// Trucks.
    pub(super) vehicles: u32,
    /// Of them, trucks that are really driven.
    pub(super) driven: u32,
    /// Days.
    pub(super) days: u32,
    /// Seconds between two fixes.
    pub(super) interval_s: u32,
}

impl Traffic {
    /// Fixes of a truck.
    pub(super) const fn each(&self) -> u64 {
        self.days as u64 * DAY_S as u64 / self.interval_s as u64
    }
}

/// The drives, from which any fix of any truck is made.
pub(super) struct Fixes {
    pub(super) traffic: Traffic,
    drives: Vec<Vec<fleet::Fix>>,
}

impl Fixes {
    /// Drives the trucks, on all processors.
    pub(super) fn drive(traffic: Traffic) -> Result<Self, Failure> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from) as u32;
        let driven = traffic.driven.min(traffic.vehicles).max(1);
        let drives = std::thread::scope(|scope| {
            let share = |of| (0..driven).filter(move |index| index % threads == of);
            let working: Vec<_> = (0..threads)
                .map(|of| {
                    scope.spawn(move || share(of).map(|index| (index, drive(index, traffic))).collect::<Vec<_>>())
                })
                .collect();
            working.into_iter().filter_map(|thread| thread.join().ok()).flatten().collect::<Vec<_>>()
        });
        let mut sorted = drives;
        sorted.sort_by_key(|(index, _)| *index);
        let drives: Vec<_> = sorted.into_iter().filter_map(|(_, drive)| drive).collect();
        if drives.len() == driven as usize {
            Ok(Self { traffic, drives })
        } else {
            Err(Failure::Wrong("a truck cannot be driven".into()))
        }
    }

    /// Fix number `number` of a truck; `order` is how many fixes the journal holds before it.
    pub(super) fn fix(&self, vehicle: u32, number: u64, order: u64) -> (VehicleId, Fix) {
        let driven = self.drives.len() as u32;
        let (drive, turn) = (&self.drives[(vehicle % driven) as usize], u64::from(vehicle / driven));
        // Trucks that share a way are hours apart on it.
        let at = (number + turn * drive.len() as u64 * 7 / 19) % drive.len() as u64;
        let seen = &drive[at as usize];
        let dice = mix(u64::from(vehicle) << 40 | number);
        let beside = if turn == 0 { 0 } else { (dice % BESIDE_E6) as u32 };
        let time_s = BEGIN_S + (number * u64::from(self.traffic.interval_s)) as i64 + i64::from(vehicle % 7);
        let received_ms = time_s * 1_000 + DELAY_MS.0 + (dice >> 32) as i64 % DELAY_MS.1 as i64;
        let Item { raw, .. } = ItemValue::Mileage(seen.mileage_hm).to_item();
        let fix = Fix {
            terminal: TerminalId::from_wire(&u64::from(vehicle).to_be_bytes()),
            time: Timestamp::from_secs(time_s),
            received: Timestamp(received_ms * 1_000),
            source: RecordRef {
                position: Position { shard: 0, seq: 1 + order / RECORDS },
                index: (order % RECORDS) as u32,
                item: 0,
            },
            alarm: seen.alarm,
            status: seen.status,
            lat_wire: seen.lat_e6 + beside,
            lon_wire: seen.lon_e6 + beside / 2,
            altitude_wire: seen.altitude_m,
            speed_dkmh: seen.speed_dkmh,
            direction_deg: seen.direction_deg,
            time_bcd: BcdTime::from_utc_s(time_s).map_or([0; 6], BcdTime::to_bytes),
            mileage_hm: Some(seen.mileage_hm),
            items: [&[0x01, raw.len() as u8], raw.as_slice()].concat().into(),
            marks: Marks::default(),
        };
        (VehicleId(u64::from(vehicle) + 1), fix)
    }

    /// All fixes of these numbers, as they arrive: truck after truck, interval after interval.
    pub(super) fn arrivals(&self, numbers: std::ops::Range<u64>) -> impl Iterator<Item = (VehicleId, Fix)> + '_ {
        let vehicles = u64::from(self.traffic.vehicles);
        numbers.flat_map(move |number| {
            (0..self.traffic.vehicles)
                .map(move |vehicle| self.fix(vehicle, number, number * vehicles + u64::from(vehicle)))
        })
    }
}

/// The first instant of a day of the traffic, from 0.
pub(super) fn day(nth: u32) -> Timestamp {
    Timestamp::from_secs(BEGIN_S + i64::from(nth) * DAY_S)
}

/// Spreads a number over all bits (the finalizer of splitmix64).
pub(super) const fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

fn drive(index: u32, traffic: Traffic) -> Option<Vec<fleet::Fix>> {
    let network = Network::qujing();
    let mut truck = Truck::new(SEED, index, network, Beginning { epoch_s: BEGIN_S as u64, showcase: false })?;
    let seconds = (0..u64::from(traffic.days) * DAY_S as u64).step_by(traffic.interval_s as usize);
    Some(
        seconds
            .map(|second| {
                truck.advance_to(network, second);
                truck.fix(0)
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fix_is_a_function_of_its_number_and_no_two_tracks_are_alike() {
        let traffic = Traffic { vehicles: 6, driven: 2, days: 1, interval_s: 600 };
        let [a, b] = [0, 1].map(|_| Fixes::drive(traffic).expect("driven"));
        let all: Vec<_> = a.arrivals(0..traffic.each()).collect();
        assert_eq!(all.len(), 6 * 144);
        assert!(all.iter().zip(b.arrivals(0..traffic.each())).all(|(one, other)| *one == other));
        assert!(all.windows(2).all(|pair| pair[0].1.source < pair[1].1.source));
        let track = |vehicle: u64| -> Vec<_> {
            let of = all.iter().filter(move |(id, _)| id.0 == vehicle + 1);
            of.map(|(_, fix)| (fix.lat_wire, fix.lon_wire)).collect()
        };
        assert!((1..6).all(|other| track(0) != track(other)));
        assert!(all.iter().all(|(_, fix)| fix.received > fix.time && fix.is_judgeable()));
    }
}
