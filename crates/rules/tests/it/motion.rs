//! Motion between fixes: bends, stands, outliers, turns about; what a straight line from fix to fix gets wrong.

use model::{Direction, Fix, Marks, Measures};
use rules::State;

use crate::drive::{Leg, area, bridge, circle, fix, forbidden, judge, outcome, watched, zones};

/// A fix with a speed in km/h and a direction: second, east, north, speed, direction.
type Moving = (i64, i32, i32, u16, u16);

fn moving(legs: &[Moving]) -> Vec<Fix> {
    let one = |(number, &(secs, east, north, speed_kmh, direction_deg)): (usize, &Moving)| Fix {
        speed_dkmh: speed_kmh * 10,
        direction_deg,
        marks: Marks::default(),
        ..fix(number, (secs, east, north) as Leg)
    };
    legs.iter().enumerate().map(one).collect()
}

fn check(zone: model::Zone, cases: &[(&str, &[Moving], &[&str])]) {
    let zones = zones(vec![zone]);
    for (name, drive, expect) in cases {
        let got = outcome(&judge(&zones, &mut State::default(), &moving(drive)));
        assert_eq!(got, *expect, "{name}");
    }
}

/// A quarter turn to the right of 200 m radius: from (0, 0) northwards to (200 m, 200 m) eastwards. Its arc is 59 m
/// from the chord. On the arc the zone lasts from 20.6 to 26.9.
#[test]
fn a_bend_is_no_chord() {
    let drive: &[Moving] =
        &[(0, 0, -1_000, 38, 0), (10, 0, 0, 38, 0), (40, 1_990, 1_805, 38, 90), (50, 3_000, 1_805, 38, 90)];
    check(watched(1, area(300, 900, 900, 1_400)), &[("on the arc", drive, &["visit 1/1 20.192..27.270 high"])]);
    check(watched(1, area(850, 500, 1_250, 900)), &[("beside the arc, on the chord", drive, &[])]);
}

/// A zone whose edge is at north 0, and a truck that stands at north -100: 11 m outside.
#[test]
fn who_stands_outside_never_entered() {
    let wander = [-100, 120, 90, -20, 200, -140, -300, -90, 40, -150, 300, -110, -200, -120, -80];
    let mut drive: Vec<Moving> = vec![(0, 0, -3_000, 40, 0)];
    drive.extend((1..).zip(wander).map(|(k, north)| (60 * k, 0, north, 0, 0)));
    drive.push((960, 0, -1_000, 30, 180));
    check(forbidden(1, area(-5_000, 0, 5_000, 9_000)), &[("wandering", &drive, &[])]);
}

/// The same at north 300, 33 m inside, with single jumps by 200 m.
#[test]
fn who_stands_inside_never_left() {
    let wander = [300, 320, 250, -1_500, 290, 380, 2_100, 280, -20, 330, 250, 310, 1_400];
    let mut drive: Vec<Moving> = vec![(0, 0, -3_000, 40, 0)];
    drive.extend((1..).zip(wander).map(|(k, north)| (60 * k, 0, north, 0, 0)));
    let zones = zones(vec![forbidden(1, area(-5_000, 0, 5_000, 9_000))]);
    let facts = judge(&zones, &mut State::default(), &moving(&drive));
    let stated: Vec<_> = facts.iter().map(|fact| (fact.kind.to_string(), fact.ended_at.is_some())).collect();
    assert_eq!(stated, [("visit".to_string(), false), ("V06".to_string(), false)]);
}

#[test]
fn a_jump_that_the_next_fix_undoes_is_none() {
    let straight: &[Moving] =
        &[(0, 0, 0, 60, 0), (10, 0, 1_500, 60, 0), (20, 2_000, 3_000, 60, 0), (30, 0, 4_500, 60, 0)];
    check(watched(1, area(1_000, 2_000, 3_000, 4_000)), &[("an outlier", straight, &[])]);
    let detour: &[Moving] =
        &[(0, 0, 0, 60, 0), (30, 0, 2_000, 60, 90), (60, 4_000, 3_000, 60, 90), (90, 8_000, 3_000, 60, 90)];
    let got = outcome(&judge(&zones(vec![watched(1, circle(100.0))]), &mut State::default(), &moving(detour)));
    assert_eq!(got.len(), 1, "{got:?}");
}

/// It stops 55 m before a zone, and what tells so first is off by 150 m; the same when it starts again.
#[test]
fn who_stops_where_a_jump_led_did_not_stop_there() {
    let zone = || forbidden(1, area(-5_000, 0, 5_000, 9_000));
    let stopping: &[Moving] =
        &[(0, 0, -4_500, 40, 0), (60, 0, 850, 0, 0), (120, 0, -500, 0, 0), (180, 0, -510, 0, 0), (240, 0, -490, 0, 0)];
    let reflected: &[Moving] =
        &[(0, 0, -4_500, 40, 0), (60, 0, -50, 0, 0), (120, 0, -500, 0, 0), (180, 0, -510, 0, 0), (240, 0, -490, 0, 0)];
    let starting: &[Moving] =
        &[(0, 0, -500, 0, 180), (60, 0, -510, 0, 180), (120, 300, 800, 30, 180), (180, 0, -6_600, 50, 180)];
    let before_starting: &[Moving] = &[
        (0, 0, -400, 0, 180),
        (60, 0, -390, 0, 180),
        (120, 0, -410, 0, 180),
        (180, 0, 1_400, 0, 180),
        (240, 0, -2_000, 40, 180),
        (300, 0, -8_000, 40, 180),
    ];
    let drives = [stopping, reflected, starting, before_starting];
    drives.iter().for_each(|drive| check(zone(), &[("no stop inside", drive, &[])]));
    let inside: &[Moving] =
        &[(0, 0, -4_500, 40, 0), (60, 0, 850, 0, 0), (120, 0, 855, 0, 0), (180, 0, -3_000, 40, 180)];
    let got = outcome(&judge(&zones(vec![zone()]), &mut State::default(), &moving(inside)));
    assert_eq!(got.len(), 2, "it did stop there: {got:?}");
}

/// 200 m of bridge, of which 100 m are driven there and back; a stop in between changes nothing.
#[test]
fn turning_about_on_a_bridge_is_travelling_it() {
    let about: &[Moving] = &[
        (0, 0, -1_000, 30, 0),
        (20, 0, 600, 20, 0),
        (40, 0, 800, 0, 0),
        (100, 0, 790, 0, 0),
        (130, 0, 500, 20, 180),
        (150, 0, -1_000, 40, 180),
    ];
    for (direction, violated) in [(Direction::Both, true), (Direction::Forward, true), (Direction::Backward, true)] {
        let zones = zones(vec![forbidden(1, bridge(1_800, direction))]);
        let got = outcome(&judge(&zones, &mut State::default(), &moving(about)));
        assert_eq!(got.len(), 1 + usize::from(violated), "{direction:?} {got:?}");
    }
}

#[test]
fn bounds_are_stated() {
    let zones = zones(vec![watched(1, area(-5_000, 0, 5_000, 1_800))]);
    let steady: &[Moving] = &[(0, 0, -1_500, 60, 0), (30, 0, 3_000, 60, 0), (60, 0, 7_500, 60, 0)];
    let braking: &[Moving] = &[(0, 0, -1_500, 60, 0), (60, 0, 900, 0, 0), (120, 0, 900, 0, 0), (150, 0, 3_000, 50, 0)];
    let found: &[Moving] = &[(0, 0, 900, 60, 0), (30, 0, 5_400, 60, 0)];
    let bounds = |drive: &[Moving]| {
        let facts = judge(&zones, &mut State::default(), &moving(drive));
        facts.last().map(|fact| (fact.measures.start_error_ms, fact.measures.end_error_ms)).expect("a visit")
    };
    let (start_ms, end_ms) = bounds(steady);
    assert!((300..2_000).contains(&start_ms) && (300..2_000).contains(&end_ms), "{start_ms} {end_ms}");
    assert!(bounds(braking).0 > 2 * start_ms, "nobody knows when it stopped");
    assert_eq!(bounds(found).0, Measures::ERROR_UNKNOWN, "it was inside before");
}
