//! Warnings before a forbidden zone: when a driver is told, and when not.

use model::{
    Change, Direction, Fix, Marks, OnDays, Permit, PermitId, PermitKind, Registry, Schedule, Timestamp, VehicleId,
    Weekly, Zone, ZoneId, ZoneRule,
};
use rules::{Approaches, Context, Zones};

use crate::drive::{T0, area, at, bridge, fix, forbidden, registry};

/// A fix: second, east, north, km/h, degrees.
type Go = (i64, i32, i32, u16, u16);

fn go((secs, east, north, kmh, direction_deg): Go) -> Fix {
    let marks = Marks::default();
    Fix { speed_dkmh: kmh * 10, direction_deg, marks, ..fix(secs as usize, (secs, east, north)) }
}

/// Seconds at which the driver is told, and of which zone; kept and taken up again between any two fixes.
fn told_by(registry: &Registry, fixes: &[Go]) -> Vec<(i64, u64)> {
    let zones = Zones::build(registry);
    let ctx = Context { vehicle: VehicleId(42), zones: &zones, registry };
    let mut approaches = Approaches::default();
    let mut told = Vec::new();
    for one in fixes {
        approaches = Approaches::from_list(approaches.list().to_vec());
        let warning = approaches.step(&ctx, &go(*one));
        told.extend(warning.map(|warning| (one.0, warning.zone.0)));
    }
    told
}

/// A square of a kilometre that begins at north 0.
fn square() -> Zone {
    forbidden(1, area(-5_000, 0, 5_000, 9_000))
}

fn told(zone: Zone, more: Vec<(i64, Change)>, fixes: &[Go]) -> Vec<(i64, u64)> {
    told_by(&registry(std::iter::once((0, Change::ZonePut(zone))).chain(more).collect()), fixes)
}

/// To the north at 60 km/h, 4,500 in 30 s.
fn north(from: i32, first_s: i64, fixes: usize) -> Vec<Go> {
    (0..fixes).map(|n| (first_s + 30 * n as i64, 0, from + 4_500 * n as i32, 60, 0)).collect()
}

#[test]
fn who_heads_for_it_is_told_once() {
    // It is reached in 180, 150, 120, 90, … seconds, and crossed.
    assert_eq!(told(square(), vec![], &north(-27_100, 0, 10)), [(120, 1)], "at the second fix within two minutes");
    assert_eq!(told(square(), vec![], &north(-3_000, 0, 4)), [(0, 1)], "there is no time for a second fix");
    assert!(told(square(), vec![], &north(-27_100, 0, 2)).is_empty(), "it is far");
    let passes: Vec<Go> = north(-27_100, 0, 10).iter().map(|(s, _, n, v, d)| (*s, 6_000, *n, *v, *d)).collect();
    assert!(told(square(), vec![], &passes).is_empty(), "beside it");
    let leaves: Vec<Go> = (0..6).map(|n| (30 * i64::from(n), 0, 4_000 - 4_500 * n, 60, 180)).collect();
    assert!(told(square(), vec![], &leaves).is_empty(), "out of it");
}

#[test]
fn a_bend_tells_nobody() {
    let bend = [(0, 0, -17_000, 60, 0), (30, 1_000, -13_000, 60, 90), (60, 5_500, -13_000, 60, 90)];
    assert!(told(square(), vec![], &bend).is_empty());
    let stands = [(0, 0, -17_000, 60, 0), (30, 0, -12_500, 5, 0), (60, 0, -12_500, 0, 0), (90, 0, -12_500, 60, 0)];
    assert!(told(square(), vec![], &stands).is_empty(), "the second glance is not the next one");
}

#[test]
fn who_lingers_is_not_told_again_and_who_comes_back_is() {
    let wavers: Vec<Go> = (0..60).map(|n| (30 * n, 0, -12_000, 60, if n % 4 < 2 { 0 } else { 180 })).collect();
    assert_eq!(told(square(), vec![], &wavers), [(30, 1)]);
    let back = [north(-17_000, 0, 3), north(-17_000, 3600, 3)].concat();
    assert_eq!(told(square(), vec![], &back), [(30, 1), (3630, 1)]);
    let setting = |value: &str| Change::SettingPut { key: "rules.approach.again_s".into(), value: value.into() };
    assert_eq!(told(square(), vec![(0, setting("7200"))], &back), [(30, 1)]);
    let inside_first = [north(-100, 0, 2), vec![(60, 0, 12_000, 60, 0), (90, 0, 12_000, 60, 180)]].concat();
    let turns = [inside_first, vec![(120, 0, 11_000, 60, 180), (150, 0, 10_000, 60, 180)]].concat();
    assert_eq!(told(square(), vec![], &turns), [(0, 1)], "who was inside knows it");
}

#[test]
fn what_does_not_bind_on_arrival_warns_nobody() {
    let comes = north(-17_000, 0, 4);
    let slot = |from, to| {
        let permit = Permit {
            id: PermitId(1),
            number: "1".into(),
            issuer: "支队".into(),
            kind: PermitKind::Pass,
            vehicles: vec![VehicleId(42)],
            zones: vec![ZoneId(1)],
            slots: vec![(at(from), at(to))],
            route: None,
            recorded_at: T0,
            revoked: None,
        };
        (-10, Change::PermitPut(permit))
    };
    assert!(told(square(), vec![slot(60, 300)], &comes).is_empty(), "he may");
    assert_eq!(told(square(), vec![slot(0, 60)], &comes), [(30, 1)], "no more when he is there");
    let minute = |secs: i64| (at(secs).since_us(Timestamp::china_day_start(T0.china_day())) / 60_000_000) as u16;
    let window = |from: u16, to: u16| {
        let weekly = vec![Weekly { days: 127, on: OnDays::Any, from_min: from, to_min: to }];
        let when = Schedule { weekly, ..Schedule::default() };
        Zone { rules: vec![ZoneRule { when, ..ZoneRule::forbidden() }], ..square() }
    };
    assert_eq!(told(window(minute(60), minute(600)), vec![], &comes), [(30, 1)], "it begins before he is there");
    assert!(told(window(minute(600), minute(900)), vec![], &comes).is_empty(), "it begins later");
    let ended = Zone { valid_to: Some(at(60)), ..square() };
    assert!(told(ended, vec![], &comes).is_empty(), "it is over");
    let open = Zone { rules: vec![], ..square() };
    assert!(told(open, vec![], &comes).is_empty(), "nothing is forbidden");
    let off = Change::SettingPut { key: "rules.approach.lead_s".into(), value: "0".into() };
    assert!(told(square(), vec![(-10, off)], &comes).is_empty(), "nobody wants it");
}

#[test]
fn a_bridge_is_ahead_of_who_drives_on_to_it_not_of_who_passes_beneath() {
    let along = north(-17_000, 0, 4);
    let beneath: Vec<Go> = (0..6).map(|n| (30 * i64::from(n), -15_000 + 5_000 * n, 2_000, 60, 90)).collect();
    for (direction, is_told) in [(Direction::Both, true), (Direction::Forward, true), (Direction::Backward, false)] {
        let bridge = forbidden(1, bridge(4_000, direction));
        assert_eq!(!told(bridge.clone(), vec![], &along).is_empty(), is_told, "{direction:?}");
        assert!(told(bridge, vec![], &beneath).is_empty(), "{direction:?}");
    }
}

#[test]
fn of_two_the_nearer_is_told_first() {
    let far = Change::ZonePut(forbidden(2, area(-5_000, 4_000, 5_000, 9_000)));
    assert_eq!(told(square(), vec![(0, far)], &north(-17_000, 0, 2)), [(30, 1)]);
    let far = Change::ZonePut(forbidden(2, area(-5_000, 4_000, 5_000, 9_000)));
    assert_eq!(told(square(), vec![(0, far)], &north(-17_000, 0, 3)), [(30, 1), (60, 2)]);
}
