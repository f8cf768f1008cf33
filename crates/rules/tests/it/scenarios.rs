//! Scenarios: a drive through zones, and the facts that stand in the end.

use model::{Change, Direction, Geometry, Timestamp, Zone, ZoneId};
use rules::{State, Zones};

use crate::drive::{
    Leg, area, at, bridge, circle, fixes, forbidden, judge, outcome, registry, swapped, watched, zones,
};

struct Case {
    name: &'static str,
    drive: &'static [Leg],
    expect: &'static [&'static str],
}

fn check(zones: &Zones, cases: &[Case]) {
    for Case { name, drive, expect } in cases {
        let got = outcome(&judge(zones, &mut State::default(), &fixes(drive)));
        assert_eq!(got, *expect, "{name}");
    }
}

/// 200 m from south to north at east 0, 30 m wide.
fn a_bridge(direction: Direction) -> Geometry {
    bridge(1_800, direction)
}

/// A kilometre square, its southern edge at north 0.
fn an_area() -> Geometry {
    area(-5_000, 0, 5_000, 9_000)
}

/// A road that is restricted in two sections, as stake ranges are.
#[test]
fn sections() {
    let section = |from, to| model::Corridor {
        axis: model::LineString::from(vec![crate::drive::coord(0, from), crate::drive::coord(0, to)]),
        half_width_m: 15.0,
        direction: Direction::Both,
    };
    let geometry = Geometry::Corridors(vec![section(0, 1_800), section(4_500, 6_300)]);
    check(
        &zones(vec![forbidden(1, geometry)]),
        &[
            Case {
                name: "through both",
                drive: &[(0, 0, -1_500), (30, 0, 3_000), (60, 0, 7_500)],
                expect: &[
                    "V06 1/1 10.000..22.000 high",
                    "V06 1/1 40.000..52.000 high",
                    "visit 1/1 10.000..22.000 high",
                    "visit 1/1 40.000..52.000 high",
                ],
            },
            Case {
                name: "through the second, and off before the first",
                drive: &[(0, 0, 7_500), (30, 0, 3_000), (60, 4_500, 3_000)],
                expect: &["V06 1/1 8.000..20.000 high", "visit 1/1 8.000..20.000 high"],
            },
            Case {
                name: "beneath the second",
                drive: &[(0, -2_500, 5_400), (30, 2_500, 5_400)],
                expect: &["visit 1/1 14.105..15.895 high"],
            },
        ],
    );
}

#[test]
fn corridors() {
    check(
        &zones(vec![forbidden(1, a_bridge(Direction::Both))]),
        &[
            Case {
                name: "crossed between two reports 30 s apart at 60 km/h",
                drive: &[(0, 0, -1_500), (30, 0, 3_000)],
                expect: &["V06 1/1 10.000..22.000 high", "visit 1/1 10.000..22.000 high"],
            },
            Case {
                name: "the other way, with a fix on it",
                drive: &[(0, 0, 3_000), (15, 0, 750), (30, 0, -1_500)],
                expect: &["V06 1/1 8.000..20.000 high", "visit 1/1 8.000..20.000 high"],
            },
            Case {
                name: "still on it",
                drive: &[(0, 0, -1_500), (15, 0, 750)],
                expect: &["V06 1/1 10.000..open high", "visit 1/1 10.000..open high"],
            },
            Case {
                name: "a long gap is no confident crossing",
                drive: &[(0, 0, -1_500), (300, 0, 3_000)],
                expect: &["visit 1/1 100.000..220.000 mid"],
            },
            Case {
                name: "the road beneath, square to it",
                drive: &[(0, -2_500, 900), (30, 2_500, 900)],
                expect: &["visit 1/1 14.105..15.895 high"],
            },
            Case {
                name: "the road beneath, aslant, with a stop under the bridge",
                drive: &[(0, -2_000, -1_100), (30, 0, 900), (60, 20, 930), (90, 10, 910), (120, 2_000, 2_900)],
                expect: &["visit 1/1 27.762..92.098 high"],
            },
            Case {
                name: "the road beneath, aslant, turned about just behind it",
                drive: &[(0, -1_180, -1_440), (30, 320, 900), (60, -1_180, -1_440)],
                expect: &["visit 1/1 20.616..39.384 high"],
            },
            Case { name: "the road beside it", drive: &[(0, 400, -1_500), (30, 400, 3_000)], expect: &[] },
            Case {
                name: "turned back just after its beginning",
                drive: &[(0, 0, -1_500), (30, 0, 200), (60, 0, -1_500)],
                expect: &["visit 1/1 26.471..33.529 high"],
            },
        ],
    );
}

/// No fix for minutes: a tunnel of 5 km, and the roads around it.
#[test]
fn tunnels() {
    check(
        &zones(vec![forbidden(1, bridge(45_000, Direction::Both))]),
        &[
            Case {
                name: "in at one portal, out at the other, 400 s later",
                drive: &[(0, 0, -1_500), (400, 0, 48_500)],
                expect: &["V06 1/1 12.000..372.000 mid", "visit 1/1 12.000..372.000 mid"],
            },
            Case {
                name: "in at one portal, out at the other, after a jam of 20 minutes",
                drive: &[(0, 0, -1_500), (1_200, 0, 48_500)],
                expect: &["V06 1/1 36.000..1116.000 mid", "visit 1/1 36.000..1116.000 mid"],
            },
            Case {
                name: "aslant over the mountain",
                drive: &[(0, -9_000, -1_500), (400, 9_000, 48_500)],
                expect: &["visit 1/1 196.684..203.316 mid"],
            },
        ],
    );
}

#[test]
fn one_way_corridors() {
    let north = [(0, 0, -1_500), (30, 0, 3_000)];
    let south = [(0, 0, 3_000), (30, 0, -1_500)];
    for (direction, drive, violated) in [
        (Direction::Forward, north, true),
        (Direction::Forward, south, false),
        (Direction::Backward, north, false),
        (Direction::Backward, south, true),
        (Direction::Both, south, true),
    ] {
        let zones = zones(vec![forbidden(1, a_bridge(direction))]);
        let got = outcome(&judge(&zones, &mut State::default(), &fixes(&drive)));
        assert_eq!(got.len(), 1 + usize::from(violated), "{direction:?} {got:?}");
    }
}

/// 20 m is about 180 north, 60 m about 540.
#[test]
fn areas() {
    check(
        &zones(vec![forbidden(1, an_area())]),
        &[
            Case { name: "beside", drive: &[(0, 0, -2_000), (30, 3_000, -100), (60, 6_000, -2_000)], expect: &[] },
            Case {
                name: "one shallow fix",
                drive: &[(0, 0, -600), (30, 0, 80), (60, 0, -600)],
                expect: &["visit 1/1 26.471..33.529 high"],
            },
            Case {
                name: "one fix deeper than drift",
                drive: &[(0, 0, -600), (30, 0, 200), (60, 0, -600)],
                expect: &["V06 1/1 22.500..37.500 high", "visit 1/1 22.500..37.500 high"],
            },
            Case {
                name: "two shallow fixes",
                drive: &[(0, 0, -600), (30, 0, 80), (60, 100, 80), (90, 100, -600)],
                expect: &["V06 1/1 26.471..63.529 high", "visit 1/1 26.471..63.529 high"],
            },
            Case {
                name: "one shallow fix, reported twice in the same second",
                drive: &[(0, 0, -600), (30, 0, 80), (30, 1, 80), (60, 0, -600)],
                expect: &["visit 1/1 26.471..33.529 high"],
            },
            Case {
                name: "one shallow fix, entered nobody knows when",
                drive: &[(0, 0, -600), (600, 0, 80), (630, 0, -600)],
                expect: &["visit 1/1 529.412..603.529 mid"],
            },
            Case {
                name: "one deep fix",
                drive: &[(0, 0, -540), (30, 0, 540), (60, 0, -540)],
                expect: &["V06 1/1 15.000..45.000 high", "visit 1/1 15.000..45.000 high"],
            },
            Case {
                name: "a corner cut between two fixes",
                drive: &[(0, 4_000, -1_000), (30, 6_000, 3_000)],
                expect: &["V06 1/1 7.500..15.000 high", "visit 1/1 7.500..15.000 high"],
            },
            Case {
                name: "a corner grazed between two fixes",
                drive: &[(0, 4_000, -1_000), (30, 5_200, 200)],
                expect: &[],
            },
            Case {
                name: "a corner grazed less than 10 m deep",
                drive: &[(0, 3_850, -1_000), (30, 5_850, 1_000)],
                expect: &["visit 1/1 15.000..17.250 high"],
            },
            Case {
                name: "the corner cut with a gap of five minutes",
                drive: &[(0, 4_000, -1_000), (300, 6_000, 3_000)],
                expect: &["visit 1/1 75.000..150.000 mid"],
            },
            Case {
                name: "the corner cut with a gap of ten minutes",
                drive: &[(0, 4_000, -1_000), (600, 6_000, 3_000)],
                expect: &[],
            },
            Case {
                name: "first fix inside",
                drive: &[(0, 0, 4_500)],
                expect: &["V06 1/1 0.000..open high", "visit 1/1 0.000..open high"],
            },
        ],
    );
}

#[test]
fn only_forbidden_zones_are_violated() {
    let path = fixes(&[(0, 0, 4_500), (30, 0, 4_600)]);
    let got = outcome(&judge(&zones(vec![watched(1, an_area())]), &mut State::default(), &path));
    assert_eq!(got, ["visit 1/1 0.000..open high"]);
}

/// In a small area nothing is 50 m deep.
#[test]
fn small_areas_are_violated_too() {
    check(
        &zones(vec![forbidden(1, circle(40.0))]),
        &[
            Case {
                name: "one fix in the middle",
                drive: &[(0, 0, -2_000), (30, 0, 0), (60, 0, 2_000)],
                expect: &["V06 1/1 24.584..35.416 high", "visit 1/1 24.584..35.416 high"],
            },
            Case {
                name: "one fix at the rim",
                drive: &[(0, 0, -2_000), (30, 0, -300), (60, 0, -2_000)],
                expect: &["visit 1/1 28.922..31.078 high"],
            },
        ],
    );
}

/// No crossing of a circle of 12 m is 15 m deep, and no way along a bridge of 25 m is 30 m long.
#[test]
fn tiny_zones_are_violated_too() {
    check(
        &zones(vec![forbidden(1, circle(12.0))]),
        &[Case {
            name: "a tiny area",
            drive: &[(0, 0, -2_250), (30, 0, 2_250)],
            expect: &["V06 1/1 14.278..15.722 high", "visit 1/1 14.278..15.722 high"],
        }],
    );
    check(
        &zones(vec![forbidden(1, bridge(225, Direction::Both))]),
        &[Case {
            name: "a tiny bridge",
            drive: &[(0, 0, -2_250), (30, 0, 2_250)],
            expect: &["V06 1/1 15.000..16.500 high", "visit 1/1 15.000..16.500 high"],
        }],
    );
}

/// 10 m is about 90 north, 30 m about 271.
#[test]
fn leaving_is_confirmed() {
    check(
        &zones(vec![watched(1, an_area())]),
        &[
            Case {
                name: "parked at the edge, wandering",
                drive: &[
                    (0, 0, 20),
                    (60, 0, -60),
                    (120, 0, 40),
                    (180, 5, -100),
                    (240, 0, 10),
                    (300, 0, -20),
                    (360, 0, 5),
                ],
                expect: &["visit 1/1 0.000..open high"],
            },
            Case {
                name: "one fix near the edge does not confirm",
                drive: &[(0, 0, 100), (60, 0, -100)],
                expect: &["visit 1/1 0.000..open high"],
            },
            Case {
                name: "a second one does, and the first crossing counts",
                drive: &[(0, 0, 100), (60, 0, -100), (120, 0, -50)],
                expect: &["visit 1/1 0.000..30.000 high"],
            },
            Case {
                name: "a second report of the same second does not",
                drive: &[(0, 0, 100), (60, 0, -100), (60, 0, -101)],
                expect: &["visit 1/1 0.000..open high"],
            },
            Case {
                name: "one fix far outside does",
                drive: &[(0, 0, 100), (60, 0, -300)],
                expect: &["visit 1/1 0.000..15.000 high"],
            },
            Case {
                name: "29 m outside it does not",
                drive: &[(0, 0, 100), (60, 0, -262)],
                expect: &["visit 1/1 0.000..open high"],
            },
            Case {
                name: "who comes back after that begins a new visit",
                drive: &[(0, 0, 100), (60, 0, -300), (120, 0, 300)],
                expect: &["visit 1/1 0.000..15.000 high", "visit 1/1 90.000..open high"],
            },
        ],
    );
}

#[test]
fn gaps() {
    check(
        &zones(vec![watched(1, an_area())]),
        &[
            Case {
                name: "half an hour at the same place is a path",
                drive: &[(0, 0, 3_000), (1_800, 0, 3_010)],
                expect: &["visit 1/1 0.000..open high"],
            },
            Case {
                name: "a night at the same place: the visit goes on, less sure",
                drive: &[(0, 0, 3_000), (28_800, 0, 3_010), (28_830, 0, -1_500)],
                expect: &["visit 1/1 0.000..28820.022 mid"],
            },
            Case {
                name: "moved within the zone during a long gap: two visits",
                drive: &[(0, 0, 3_000), (2_000, 0, 6_000), (2_030, 0, 6_500)],
                expect: &["visit 1/1 0.000..0.000 mid", "visit 1/1 2000.000..open mid"],
            },
            Case {
                name: "gone after a long gap: ended where it was last seen",
                drive: &[(0, 0, 3_000), (30, 0, 3_100), (2_000, 0, -60_000)],
                expect: &["visit 1/1 0.000..30.000 mid"],
            },
            Case {
                name: "back inside before a long gap: ended at the last fix inside",
                drive: &[(0, 0, 100), (60, 0, -100), (120, 0, 100), (4_000, 0, -60_000)],
                expect: &["visit 1/1 0.000..120.000 mid"],
            },
            Case {
                name: "through it during a long gap: unknown",
                drive: &[(0, 0, -9_000), (2_000, 0, 18_000)],
                expect: &[],
            },
        ],
    );
}

/// 90,000 north is 10 km.
#[test]
fn jumps() {
    check(
        &zones(vec![forbidden(1, an_area())]),
        &[
            Case {
                name: "one wild fix inside is set aside",
                drive: &[(0, 0, -90_000), (30, 0, 4_500), (60, 0, -90_100)],
                expect: &[],
            },
            Case {
                name: "one wild fix outside does not end a visit",
                drive: &[(0, 0, 4_500), (30, 0, 90_000), (60, 0, 4_600)],
                expect: &["V06 1/1 0.000..open high", "visit 1/1 0.000..open high"],
            },
            Case {
                name: "the path of a jump crosses nothing",
                drive: &[(0, 0, -90_000), (30, 0, 90_000), (60, 0, 90_100)],
                expect: &[],
            },
            Case {
                name: "really elsewhere: left at the last fix, unsure",
                drive: &[(0, 0, 4_500), (30, 0, 4_600), (60, 0, 90_000), (90, 0, 90_100)],
                expect: &["V06 1/1 0.000..30.000 low", "visit 1/1 0.000..30.000 low"],
            },
            Case {
                name: "really here: entered at the first fix here, unsure",
                drive: &[(0, 0, -90_000), (30, 0, 4_500), (60, 0, 4_600), (90, 0, 4_700)],
                expect: &["V06 1/1 30.000..open low", "visit 1/1 30.000..open low"],
            },
            Case {
                name: "recovers: what comes after a jump is judged as ever",
                drive: &[(0, 0, 90_000), (30, 0, -3_000), (60, 0, -1_500), (90, 0, 1_500)],
                expect: &["V06 1/1 75.000..open high", "visit 1/1 75.000..open high"],
            },
            Case {
                name: "in and out at 200 km/h: judged, unsure",
                drive: &[(0, 0, -7_500), (30, 0, 7_500), (60, 0, -7_500)],
                expect: &["V06 1/1 15.000..45.000 low", "visit 1/1 15.000..45.000 low"],
            },
            Case {
                name: "faster than a truck: no confident crossing",
                drive: &[(0, 4_000, -4_000), (15, 6_000, 3_000), (45, 8_000, 3_000)],
                expect: &[],
            },
        ],
    );
}

#[test]
fn same_time_twice() {
    check(
        &zones(vec![watched(1, an_area())]),
        &[
            Case {
                name: "in and out within no time: nothing is divided by zero",
                drive: &[(0, 0, -100), (0, 0, 100), (0, 0, -100), (0, 0, -400)],
                expect: &["visit 1/1 0.000..0.000 high"],
            },
            Case { name: "far away in no time", drive: &[(0, 0, 90_000), (0, 0, 100), (0, 0, 90_001)], expect: &[] },
        ],
    );
}

#[test]
fn swapped_coordinates_are_judged_with_low_confidence() {
    let zones = zones(vec![forbidden(1, an_area())]);
    let inside: Vec<_> = fixes(&[(0, 0, 4_500), (30, 0, 4_600)]).into_iter().map(swapped).collect();
    let got = outcome(&judge(&zones, &mut State::default(), &inside));
    assert_eq!(got, ["V06 1/1 0.000..open low", "visit 1/1 0.000..open low"]);
    let mut crossing = fixes(&[(0, 4_000, -1_000), (30, 6_000, 3_000)]);
    crossing[1] = swapped(crossing[1].clone());
    assert!(judge(&zones, &mut State::default(), &crossing).is_empty(), "no confident crossing");
}

fn put(zone: Zone) -> Change {
    Change::ZonePut(zone)
}

fn from(secs: i64, zone: Zone) -> Zone {
    Zone { valid_from: Some(at(secs)), ..zone }
}

/// Name, control records, drive, facts.
type Governed<'a> = (&'a str, Vec<(i64, Change)>, &'a [Leg], &'a [&'a str]);

/// Boundaries of a revision are exact instants, whatever the fixes around them.
#[test]
fn revisions_govern_by_event_time() {
    let inside: &[Leg] = &[(0, 0, 4_500), (60, 0, 4_510), (120, 0, 4_500), (150, 0, -1_500)];
    let one = || watched(1, an_area());
    let two = |secs| Zone { revision: 2, ..from(secs, one()) };
    let delete = || Change::ZoneDelete { id: ZoneId(1) };
    let until = |secs| Zone { valid_to: Some(at(secs)), ..one() };
    let smaller = Zone { geometry: area(-5_000, 6_000, 5_000, 9_000), ..two(70) };
    let drives: Vec<Governed<'_>> = vec![
        (
            "a new revision while inside",
            vec![(0, put(one())), (70, put(two(70)))],
            inside,
            &["visit 1/1 0.000..70.000 high", "visit 1/2 70.000..142.500 high"],
        ),
        (
            "a new revision exactly at a fix",
            vec![(0, put(one())), (60, put(two(60)))],
            inside,
            &["visit 1/1 0.000..60.000 high", "visit 1/2 60.000..142.500 high"],
        ),
        (
            "a new revision that is elsewhere",
            vec![(0, put(one())), (70, put(smaller))],
            inside,
            &["visit 1/1 0.000..70.000 high"],
        ),
        ("withdrawn while inside", vec![(0, put(one())), (75, delete())], inside, &["visit 1/1 0.000..75.000 high"]),
        ("valid_to within a link", vec![(0, put(until(100)))], inside, &["visit 1/1 0.000..100.000 high"]),
        ("valid_to after the way out", vec![(0, put(until(145)))], inside, &["visit 1/1 0.000..142.500 high"]),
        ("valid_to before all", vec![(0, put(until(-5)))], inside, &[]),
        ("valid_from within a link", vec![(0, put(from(90, one())))], inside, &["visit 1/1 90.000..142.500 high"]),
        ("valid_from after the way out", vec![(0, put(from(144, one())))], inside, &[]),
        (
            "in force only between two fixes, while inside",
            vec![(0, put(Zone { valid_to: Some(at(110)), ..from(80, one()) }))],
            inside,
            &["visit 1/1 80.000..110.000 high"],
        ),
        (
            "valid_to within a crossing",
            vec![(0, put(Zone { valid_to: Some(at(16)), ..forbidden(1, a_bridge(Direction::Both)) }))],
            &[(0, 0, -1_500), (30, 0, 3_000)],
            &["V06 1/1 10.000..16.000 high", "visit 1/1 10.000..16.000 high"],
        ),
    ];
    for (name, changes, drive, expect) in drives {
        let zones = Zones::build(&registry(changes));
        assert_eq!(outcome(&judge(&zones, &mut State::default(), &fixes(drive))), expect, "{name}");
    }
}

/// The registry moved on between two fixes, and the stay's revision governs no more, or is gone.
#[test]
fn an_open_stay_survives_a_change_of_the_registry() {
    let path = fixes(&[(0, 0, 4_500), (60, 0, 4_510), (120, 0, 4_500)]);
    let before = zones(vec![watched(1, an_area())]);
    let withdrawn = registry(vec![(0, put(watched(1, an_area()))), (30, Change::ZoneDelete { id: ZoneId(1) })]);
    let replaced = registry(vec![
        (0, put(watched(1, an_area()))),
        (90, put(Zone { revision: 2, valid_from: Some(Timestamp::MIN), ..watched(1, an_area()) })),
    ]);
    for (name, after, expect) in [
        ("withdrawn in the past", Zones::build(&withdrawn), vec!["visit 1/1 0.000..30.000 high"]),
        (
            "replaced from the beginning",
            Zones::build(&replaced),
            vec!["visit 1/1 0.000..60.000 high", "visit 1/2 60.000..open high"],
        ),
        ("another registry", Zones::default(), vec!["visit 1/1 0.000..60.000 high"]),
    ] {
        let mut state = State::default();
        let mut facts = judge(&before, &mut state, &path[..2]);
        facts.extend(judge(&after, &mut state, &path[2..]));
        assert_eq!(outcome(&facts), expect, "{name}");
    }
}

/// A zone that was recorded late is not entered by driving off its edge.
#[test]
fn a_way_out_alone_is_no_stay() {
    let path = fixes(&[(0, 0, 0), (30, 0, -1_500)]);
    let mut state = State::default();
    judge(&Zones::default(), &mut state, &path[..1]);
    assert_eq!(judge(&zones(vec![watched(1, an_area())]), &mut state, &path[1..]), []);
    assert!(state.is_idle());
}
