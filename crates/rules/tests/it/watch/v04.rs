//! V04: four hours by day, two by night, and what ends a drive.

use model::{Change, DriverId, DriverOn, Fix, Registry, VehicleId};

use super::{drive, said, said_by};
use crate::drive::{at as instant, registry};

// The drives start at 12:05 in China.
const HOUR: i64 = 3600;
const EVENING: i64 = 9 * HOUR + 55 * 60;

#[test]
fn four_hours_without_a_rest() {
    assert_eq!(said(&drive(0, 4 * HOUR + 120, 60, 60, 0)), ["V04 0..open"]);
    assert!(said(&drive(0, 4 * HOUR, 60, 60, 0)).is_empty(), "not yet");
    let with_stop = |stop_s: i64| -> Vec<Fix> {
        let mut fixes = drive(0, 5 * HOUR, 60, 60, 0);
        for fix in &mut fixes {
            if (instant(2 * HOUR)..=instant(2 * HOUR + stop_s)).contains(&fix.time) {
                fix.speed_dkmh = 0;
            }
        }
        fixes
    };
    assert_eq!(said(&with_stop(15 * 60)), ["V04 0..open"], "too short a stop");
    assert!(said(&with_stop(21 * 60)).is_empty());
    let mut late_stop = drive(0, 5 * HOUR, 60, 60, 0);
    late_stop.iter_mut().filter(|fix| fix.time >= instant(4 * HOUR + 1800)).for_each(|fix| fix.speed_dkmh = 0);
    assert_eq!(said(&late_stop), [format!("V04 0..{}", 4 * HOUR + 1800)]);
}

#[test]
fn a_silence_ends_a_drive_when_a_rest_finds_room_in_it() {
    let silent = |from: i64, to: i64| -> Vec<Fix> {
        let mut fixes = drive(0, 5 * HOUR, 60, 60, 0);
        fixes.retain(|fix| !(instant(from)..instant(to)).contains(&fix.time));
        fixes
    };
    let v04 = |fixes: &[Fix]| said(fixes).into_iter().filter(|line| line.starts_with("V04")).count();
    assert_eq!(v04(&silent(HOUR, HOUR + 1200)), 1, "five minutes faster, but no rest of twenty");
    assert_eq!(v04(&silent(HOUR, HOUR + 2 * HOUR)), 0);
}

#[test]
fn two_hours_by_night() {
    let night = |from: i64, to: i64| said(&drive(from, to, 60, 60, 0));
    let begins = EVENING;
    assert_eq!(night(begins - HOUR, begins + 2 * HOUR + 120), [format!("V04-night {begins}..open")]);
    assert!(night(begins - HOUR, begins + 2 * HOUR).is_empty());
    let morning = begins + 8 * HOUR;
    assert_eq!(night(morning - 150 * 60, morning + HOUR), [format!("V04-night {}..{morning}", morning - 150 * 60)]);
    assert!(night(morning - 100 * 60, morning + HOUR).is_empty());
}

#[test]
fn another_driver_begins_anew() {
    let on = |driver: u64, from: i64| {
        let (vehicle, driver) = (VehicleId(42), Some(DriverId(driver)));
        (0, Change::DriverOn(DriverOn { vehicle, driver, from: instant(from) }))
    };
    let fixes = drive(0, 5 * HOUR, 60, 60, 0);
    let by = |changes| -> Vec<String> { said_by(&registry(changes), &fixes) };
    assert!(by(vec![on(1, -60), on(2, 2 * HOUR)]).is_empty());
    assert_eq!(by(vec![on(1, -60), on(1, 2 * HOUR)]), ["V04 0..open"], "the same one");
    assert_eq!(by(vec![on(2, 2 * HOUR)]), ["V04 0..open"], "nobody has said who drove before");
    assert_eq!(by(vec![on(1, -60), on(2, 1800)]), ["V04 1800..open"]);
    assert_eq!(said_by(&Registry::default(), &fixes), ["V04 0..open"]);
}

#[test]
fn thresholds_are_records() {
    let set = |key: &str, value: &str| (-60, Change::SettingPut { key: key.into(), value: value.into() });
    let short = registry(vec![set("rules.V04.drive_min", "12"), set("rules.V04.rest_min", "5")]);
    assert_eq!(said_by(&short, &drive(0, 1200, 50, 60, 0)), ["V04 0..open"]);
}
