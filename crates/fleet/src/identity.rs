//! Who a simulated terminal says it is: phone, plate, maker, edition; a function of (seed, vehicle index).

use jt808::{Authenticate, Edition, Phone, Register, Text};

use crate::error::FleetError;
use crate::options::Editions;
use crate::seed::{Purpose, Seed};

/// Vehicles of one fleet: the index is five digits of the phone.
pub const VEHICLES_MAX: u32 = 100_000;
/// Phones `1[3-9]SSSS#####`: so many seeds have phones of their own; larger seeds are folded onto these.
pub const SEEDS_APART: u64 = 70_000;
/// Letters and digits of a plate; I and O are not used (GA 36).
const PLATE_DIGITS: &[u8; 34] = b"0123456789ABCDEFGHJKLMNPQRSTUVWXYZ";
const PLATES: u64 = 34u64.pow(5);
/// Where the plates of seed 0 begin: 云D10000.
const PLATES_FROM: u64 = 34u64.pow(4);
/// GB/T 2260: Yunnan, and the last four digits of the districts and counties of Qujing.
const PROVINCE: u16 = 53;
const COUNTIES: [u16; 9] = [302, 303, 304, 322, 323, 324, 325, 326, 381];

/// A simulated terminal and the vehicle it is built into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Terminal phone (终端手机号), 11 digits as people write it.
    pub phone: Box<str>,
    /// Plate (车牌号码), like 云D1A2B3.
    pub plate: Box<str>,
    /// Plate colour (车牌颜色): 2, yellow.
    pub plate_colour: u8,
    /// Which edition it speaks.
    pub edition: Edition,
    /// GB/T 2260, last four digits (市县域ID).
    pub county: u16,
    wire_phone: Phone,
}

impl Identity {
    /// Vehicle `index` of the fleet `seed`. Different (seed, index) have different phones while seeds stay below
    /// [`SEEDS_APART`], and different plates while they are fewer than 454 apart.
    ///
    /// # Errors
    /// An index of [`VEHICLES_MAX`] or more, or a mix of editions that is all zero.
    pub fn new(seed: u64, index: u32, editions: Editions) -> Result<Self, FleetError> {
        if index >= VEHICLES_MAX {
            return Err(FleetError::Usage(format!(
                "a fleet has at most {VEHICLES_MAX} vehicles, asked for no. {index}"
            )));
        }
        let draws = Seed::of_vehicle(seed, index);
        let edition = editions
            .draw(draws)
            .ok_or_else(|| FleetError::Usage("the mix of editions is all zero: give one a weight".to_owned()))?;
        let block = fold(seed);
        let phone = format!("1{}{:04}{index:05}", 3 + block / 10_000, block % 10_000);
        let wire_phone = Phone::from_digits(&phone, edition).expect("11 digits fit every edition");
        let county = *COUNTIES
            .get(draws.bits(Purpose::Edition, 1) as usize % COUNTIES.len())
            .expect("the remainder is an index");
        let number = PLATES_FROM
            + (seed.wrapping_mul(u64::from(VEHICLES_MAX)).wrapping_add(u64::from(index))) % (PLATES - PLATES_FROM);
        Ok(Self { phone: phone.into(), plate: plate(number).into(), plate_colour: 2, edition, county, wire_phone })
    }

    /// The phone as the header of its edition carries it.
    #[must_use]
    pub fn wire_phone(&self) -> Phone {
        self.wire_phone
    }

    pub(crate) fn register(&self) -> Register {
        Register {
            layout: self.edition,
            province: PROVINCE,
            city: self.county,
            maker: Text::from("SIMHW"),
            model: Text::from("HW-SIM"),
            terminal_id: Text::from(self.phone.get(4..).unwrap_or_default()),
            plate_colour: self.plate_colour,
            plate: Text::from(&*self.plate),
        }
    }

    pub(crate) fn authenticate(&self, code: Text) -> Authenticate {
        let new = self.edition == Edition::V2019;
        Authenticate {
            code,
            imei: new.then(|| Text::from(format!("8600{}", self.phone).as_str())),
            software_version: new.then(|| Text::from("sim-1.0")),
        }
    }
}

/// Seeds below [`SEEDS_APART`] are themselves; larger ones are spread over the same blocks.
fn fold(seed: u64) -> u64 {
    if seed < SEEDS_APART { seed } else { Seed::of_vehicle(seed, 0).bits(Purpose::Edition, 2) % SEEDS_APART }
}

fn plate(mut number: u64) -> String {
    let mut digits = [b'0'; 5];
    for digit in digits.iter_mut().rev() {
        *digit = PLATE_DIGITS.get((number % 34) as usize).copied().unwrap_or(b'0');
        number /= 34;
    }
    format!("云D{}", String::from_utf8_lossy(&digits))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn seeds_and_indices_keep_apart() {
        let (mut phones, mut plates, mut count) = (BTreeSet::new(), BTreeSet::new(), 0);
        for seed in [0, 1, 2, 42, 453] {
            for index in (0..3_000).chain([VEHICLES_MAX - 1]) {
                let identity = Identity::new(seed, index, Editions::default()).expect("an identity");
                assert_eq!(identity.phone.len(), 11);
                assert_eq!(identity.plate.chars().count(), 7);
                phones.insert(identity.phone);
                plates.insert(identity.plate);
                count += 1;
            }
        }
        assert_eq!((phones.len(), plates.len()), (count, count));
        assert!(plates.contains("云D10000"));
        assert!(Identity::new(u64::MAX, 0, Editions::default()).is_ok());
        assert!(Identity::new(0, VEHICLES_MAX, Editions::default()).is_err());
    }

    #[test]
    fn the_mix_of_editions_is_honoured() {
        let only = Editions { v2011: 0, v2013: 0, v2019: 1 };
        let mixed: BTreeSet<_> =
            (0..100).map(|i| Identity::new(1, i, Editions::default()).expect("an identity").edition).collect();
        assert_eq!(mixed.len(), 3);
        assert!((0..100).all(|i| Identity::new(1, i, only).is_ok_and(|one| one.edition == Edition::V2019)));
        assert!(Identity::new(1, 0, Editions { v2011: 0, v2013: 0, v2019: 0 }).is_err());
    }
}
