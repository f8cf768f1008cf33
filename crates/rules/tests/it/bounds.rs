//! What is bounded, what is filled in, and what is refused.

use model::{
    Change, ControlRecord, Direction, Fact, FactKind, Geometry, Marks, Measures, MultiPolygon, Polygon, Timestamp,
    Zone, ZoneId,
};
use rules::{RULES, State, StateError, Zones, limits};

use crate::drive::{area, at, bridge, circle, coord, fix, fixes, forbidden, judge, registry, watched, zones};

#[test]
fn a_fact_is_stated_when_certain_and_when_it_ends() {
    let zones = zones(vec![forbidden(1, area(-5_000, 0, 5_000, 9_000))]);
    let path = fixes(&[(0, 0, -600), (30, 0, 200), (60, 0, 250), (90, 0, 300), (120, 0, -600), (150, 0, -700)]);
    let facts = judge(&zones, &mut State::default(), &path);
    let stated: Vec<_> = facts.iter().map(|f| (f.kind.to_string(), f.ended_at.is_some())).collect();
    let expect = [("visit", false), ("V06", false), ("visit", true), ("V06", true)];
    assert_eq!(stated, expect.map(|(kind, ended)| (kind.to_string(), ended)));
    assert!(facts.iter().all(|f| f.revision == 1 && !f.detected_late && f.rule_revision == 1));
    assert_eq!(facts[0].id, facts[2].id);
}

#[test]
fn measures_and_evidence() {
    let zones = zones(vec![watched(1, area(-5_000, 0, 5_000, 9_000))]);
    let mut path = fixes(&[(0, 0, -600), (30, 0, 300), (60, 0, 900), (90, 0, -900), (120, 0, -1_800)]);
    path[2].speed_dkmh = 612;
    let facts = judge(&zones, &mut State::default(), &path);
    let fact = facts.last().expect("a visit");
    let expect = Measures {
        fixes_inside: 2,
        length_m: 199,
        speed_max_dkmh: 612,
        start_lon_e7: 1_038_000_000,
        start_lat_e7: 255_000_000,
        end_lon_e7: 1_038_000_000,
        end_lat_e7: 255_000_000,
        depth_max_m: 100,
        start_error_ms: 14_898,
        end_error_ms: 8_844,
    };
    assert_eq!(fact.measures, expect);
    let seqs: Vec<_> = fact.evidence.iter().map(|r| r.position.seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4], "before the entry, inside, after the exit");
}

#[test]
fn a_crossing_without_a_fix_has_the_mean_speed_and_a_wild_speed_field_is_not_believed() {
    let zones = zones(vec![watched(1, circle(100.0))]);
    let crossing = judge(&zones, &mut State::default(), &fixes(&[(0, 0, -2_250), (30, 0, 2_250)]));
    assert_eq!(crossing.last().map(|f| (f.measures.speed_max_dkmh, f.measures.length_m)), Some((598, 200)));
    let mut wild = fixes(&[(0, 0, -2_250), (30, 0, 0), (60, 0, 2_250)]);
    wild[1].speed_dkmh = 9_999;
    wild[1].marks = Marks::SPEED_RANGE;
    let facts = judge(&zones, &mut State::default(), &wild);
    assert_eq!(facts.last().map(|f| f.measures.speed_max_dkmh), Some(299));
}

#[test]
fn evidence_keeps_the_first_and_the_last() {
    let zones = zones(vec![watched(1, circle(500.0))]);
    let legs: Vec<_> = (0..100).map(|i| (i * 30, 0, i as i32 % 7)).chain([(3_030, 0, 6_000)]).collect();
    let facts = judge(&zones, &mut State::default(), &fixes(&legs));
    let seqs: Vec<_> = facts.last().expect("a visit").evidence.iter().map(|r| r.position.seq).collect();
    assert_eq!(seqs, (1..=16).chain(86..=101).collect::<Vec<_>>());
    assert_eq!(seqs.len(), Fact::EVIDENCE_MAX);
}

#[test]
fn open_stays_are_bounded_and_forbidden_zones_find_room() {
    let mut all: Vec<_> = (1..=100).map(|id| watched(id, circle(1_000.0))).collect();
    all.extend((101..=130).map(|id| forbidden(id, circle(1_000.0))));
    let zones = zones(all);
    let mut state = State::default();
    let facts = judge(&zones, &mut state, &fixes(&[(0, 0, 0), (30, 0, 10)]));
    let visits: Vec<_> = facts.iter().filter(|f| f.kind == FactKind::VISIT).map(|f| f.zone.0).collect();
    let room = (limits::OPEN_MAX - limits::OPEN_RESERVED) as u64;
    assert_eq!(visits, (1..=room).chain(101..101 + limits::OPEN_RESERVED as u64).collect::<Vec<_>>());
    assert_eq!(State::decode(&state.encode()), Ok(state));
}

#[test]
fn the_state_is_small_and_knows_how_far_it_came() {
    let mut state = State::default();
    assert_eq!((state.judged_to(), state.is_idle(), state.encode()), (Timestamp::MIN, true, vec![4]));
    let far = zones(vec![watched(1, circle(100.0))]);
    judge(&far, &mut state, &fixes(&[(0, 90_000, 0), (30, 90_100, 0)]));
    assert_eq!((state.judged_to(), state.is_idle()), (at(30), true));
    assert!(state.encode().len() <= 80, "{}", state.encode().len());
    judge(&far, &mut state, &[fix(9, (60, -90_000, 0))]);
    assert_eq!((state.judged_to(), state.is_idle()), (at(60), false), "a fix whose fate is open");
}

#[test]
fn fixes_that_cannot_be_judged_change_nothing() {
    let zones = zones(vec![watched(1, circle(100.0))]);
    for marks in [Marks::NO_POSITION, Marks::FUTURE, Marks::UNDATED, Marks::OFF_GLOBE, Marks::TOO_OLD] {
        let mut state = State::default();
        let odd = model::Fix { marks, ..fix(0, (0, 0, 0)) };
        assert!(judge(&zones, &mut state, &[odd]).is_empty());
        assert_eq!(state, State::default());
    }
}

#[test]
fn stored_bytes_that_are_no_state_are_refused() {
    let zones = zones(vec![watched(1, circle(100.0))]);
    let mut state = State::default();
    judge(&zones, &mut state, &fixes(&[(0, 0, 0), (30, 0, 10)]));
    let good = state.encode();
    assert_eq!(State::decode(&good), Ok(state));
    assert_eq!(State::decode(&[]), Err(StateError::Empty));
    assert_eq!(State::decode(&[9, 1, 2]), Err(StateError::Version(9)));
    assert!(matches!(State::decode(&good[..good.len() - 1]), Err(StateError::Message(_))));
    let mut longer = good;
    longer.extend([0xf8, 0x07, 0x01]);
    assert_eq!(State::decode(&longer), Err(StateError::Value("encoding")), "an unknown field");
}

#[test]
fn zones_list_what_cannot_be_built() {
    let bow_tie = [(0, 0), (1_000, 1_000), (1_000, 0), (0, 1_000)].map(|(e, n)| coord(e, n));
    let bow_tie = Geometry::Polygon(MultiPolygon::new(vec![Polygon::new(bow_tie.to_vec().into(), vec![])]));
    let registry = registry(vec![
        (0, Change::ZonePut(watched(2, bow_tie))),
        (0, Change::ZonePut(watched(1, circle(100.0)))),
        (0, Change::ZonePut(watched(3, circle(-1.0)))),
    ]);
    let zones = Zones::build(&registry);
    assert_eq!((zones.len(), zones.is_empty(), zones.seq()), (1, false, 3));
    assert_eq!(zones.zone(ZoneId(1), 1).map(|z| z.name.as_str()), Some("zone 1"));
    assert_eq!(zones.zone(ZoneId(1), 2), None);
    let broken: Vec<_> = zones.broken().iter().map(|(id, revision, _)| (id.0, *revision)).collect();
    assert_eq!(broken, [(2, 1), (3, 1)]);
    assert!(zones.broken()[0].2.contains("vertex"), "{:?}", zones.broken());
}

#[test]
fn a_rebuilt_index_is_the_same_index() {
    let mut registry =
        registry(vec![(0, Change::ZonePut(watched(1, circle(100.0)))), (0, Change::ZonePut(watched(2, circle(-1.0))))]);
    let first = Zones::build(&registry);
    let later = [Change::ZoneDelete { id: ZoneId(1) }, Change::ZonePut(watched(3, circle(50.0)))];
    for (seq, change) in (3..).zip(later) {
        registry.apply(&ControlRecord { seq, recorded_at: at(30), actor: "test".into(), change });
    }
    let path = fixes(&[(0, 0, 0), (60, 0, 0)]);
    let [fresh, reused] = [Zones::build(&registry), first.rebuild(&registry)].map(|zones| {
        let facts = judge(&zones, &mut State::default(), &path);
        (zones.seq(), zones.len(), zones.broken().to_vec(), facts)
    });
    assert_eq!(fresh, reused);
}

/// 200 m in 12 s, of which the zone binds for 6 s.
#[test]
fn only_the_way_within_the_span_is_measured() {
    let bridge = || watched(1, bridge(1_800, Direction::Both));
    let first_half = Zone { valid_to: Some(at(16)), ..bridge() };
    let second_half = Zone { valid_from: Some(at(16)), ..bridge() };
    for (zone, start_north, end_north) in [(first_half, 0, 900), (second_half, 900, 1_800)] {
        let facts = judge(&zones(vec![zone]), &mut State::default(), &fixes(&[(0, 0, -1_500), (30, 0, 3_000)]));
        let measures = facts.last().expect("a visit").measures;
        let ends = (255_000_000 + 10 * start_north, 255_000_000 + 10 * end_north);
        assert_eq!((measures.length_m, measures.start_lat_e7, measures.end_lat_e7), (100, ends.0, ends.1));
    }
}

/// The layout of `proto/hazwatch/rules/v1/state.proto` after a version byte: a change of it needs a new version.
#[test]
fn the_stored_layout_is_frozen() {
    let zones = zones(vec![forbidden(1, area(-5_000, 0, 5_000, 9_000))]);
    let mut state = State::default();
    judge(&zones, &mut state, &fixes(&[(0, 0, -600), (30, 0, 200), (60, 0, -100), (61, 0, 90_000)]));
    let hex: String = state.encode().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "040a1d0880f4a0b19b9d98031080f3fe6218f8e3a81820f4033a02100340e802121d08c0f8ddb19b9d98031080f3fe6218e0e3b31820f4033a02100440e8021aa101090100000000000000100118a08bb09f9b9d98032080fef4dd072880f797f3013080fef4dd073880f797f30140e80748e8075001580160d02268f40370a81178018001019a01100880c7beac9b9d980310e80718dcdb01a00101aa01021001aa01021002aa01021003d001cb66d80101f201240801100628a08bb09f9b9d98033080fef4dd073880f797f3014080c7beac9b9d98036801f80180c7beac9b9d980352480a1b08041080e6d2949b9d98031880fef4dd0720a09997f3016a0210010a29080e10c0f8ddb19b9d98031880fef4dd0720c0e585f40138c0f8ddb19b9d9803400148f4036a021004"
    );
}

/// What the console shows of the rules.
#[test]
fn rules_are_listed_by_kind() {
    assert!(RULES.is_sorted_by(|a, b| a.kind < b.kind));
    assert_eq!(
        RULES.iter().map(|rule| format!("{} {}", rule.kind, rule.level)).collect::<Vec<_>>(),
        ["visit 0", "V03 2", "V06 3", "V07 3", "V08 2", "V09 3", "V11 2"]
    );
}
