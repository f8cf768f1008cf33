//! What holds for every drive: judging may stop and go on anywhere, and facts keep their shape.

use model::{Direction, Fact, Fix, Marks};
use proptest::prelude::*;
use rules::{State, Zones};

use crate::drive::{area, at, bridge, circle, fixes, forbidden, judge, swapped, watched, zones};

fn some_zones() -> Zones {
    let mut passing = forbidden(3, area(-2_000, -2_000, 2_000, 500));
    passing.valid_from = Some(at(100));
    passing.valid_to = Some(at(400));
    zones(vec![
        watched(1, circle(150.0)),
        forbidden(2, bridge(1_800, Direction::Forward)),
        passing,
        forbidden(4, area(-300, 0, 300, 3_000)),
    ])
}

/// Mostly a drive, with stops, long gaps, jumps, swapped fixes, wild speeds and repeated times.
fn drive() -> impl Strategy<Value = Vec<Fix>> {
    let gap_s = prop_oneof![1 => Just(0_i64), 12 => 1_i64..60, 2 => 60_i64..700, 1 => 700_i64..4_000];
    let move_e6 = prop_oneof![2 => -20_i32..20, 8 => -1_500_i32..1_500];
    let jump = prop_oneof![15 => Just(0_i32), 1 => Just(90_000_i32)];
    let leg = (gap_s, move_e6.clone(), move_e6, jump, 0_u8..20);
    prop::collection::vec(leg, 1..40).prop_map(|legs| {
        let (mut secs, mut east, mut north) = (0, 0, 0);
        let walk: Vec<_> = legs
            .iter()
            .map(|(gap_s, dx, dy, jump, _)| {
                secs += gap_s;
                east = (east + dx).clamp(-4_000, 4_000);
                north = (north + dy).clamp(-4_000, 4_000);
                (secs, east, north + jump)
            })
            .collect();
        let odd = |(mut fix, (.., oddity)): (Fix, &(i64, i32, i32, i32, u8))| match oddity {
            0 => swapped(fix),
            1 => {
                fix.speed_dkmh = 5_000;
                fix.marks = Marks::SPEED_RANGE;
                fix
            }
            _ => fix,
        };
        fixes(&walk).into_iter().zip(&legs).map(odd).collect()
    })
}

fn shape_is_sound(fact: &Fact) {
    assert!(fact.ended_at.is_none_or(|end| end >= fact.started_at), "{fact:?}");
    assert!(fact.confidence.0 <= 1000 && fact.evidence.len() <= Fact::EVIDENCE_MAX, "{fact:?}");
    assert!(!fact.evidence.is_empty(), "{fact:?}");
    let id = rules::fact_id(fact.kind, fact.vehicle, fact.zone, fact.zone_revision, fact.started_at);
    assert_eq!(fact.id, id);
}

/// The same drive with speeds and directions, some of them true to it: paths are curves.
fn moving(path: Vec<Fix>, fields: &[(u16, u16)]) -> Vec<Fix> {
    let ahead: Vec<(f64, f64)> = path
        .windows(2)
        .map(|pair| (pair[1].lon() - pair[0].lon(), pair[1].lat() - pair[0].lat()))
        .chain([(0.0, 1.0)])
        .collect();
    let fixes = path.into_iter().zip(ahead).zip(fields.iter().cycle());
    fixes
        .map(|((fix, (east, north)), &(speed_dkmh, direction_deg))| {
            let direction_deg = match direction_deg {
                360.. => (east.atan2(north).to_degrees().round() as i64).rem_euclid(360) as u16,
                _ => direction_deg,
            };
            let speed_dkmh = if fix.marks.has(Marks::SPEED_RANGE) { fix.speed_dkmh } else { speed_dkmh };
            Fix { speed_dkmh, direction_deg, ..fix }
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Where no zone is near, paths are not drawn. Within a zone over all of it they always are: of the others nothing
    /// differs.
    #[test]
    fn what_is_not_drawn_is_not_missed(
        path in drive(),
        fields in prop::collection::vec((prop_oneof![Just(0_u16), 20..900_u16], 0..600_u16), 1..40),
    ) {
        let path = moving(path, &fields);
        let few = || vec![
            watched(1, circle(150.0)),
            forbidden(2, bridge(1_800, Direction::Forward)),
            forbidden(3, area(-2_600, -2_600, -2_000, -2_300)),
        ];
        let all = few().into_iter().chain([watched(9, area(-2_000_000, -2_000_000, 2_000_000, 2_000_000))]).collect();
        let (mut state, mut drawn) = (State::default(), State::default());
        let facts = judge(&zones(few()), &mut state, &path);
        let mut expect = judge(&zones(all), &mut drawn, &path);
        expect.retain(|fact| fact.zone.0 != 9);
        prop_assert_eq!(facts, expect);
        prop_assert_eq!(state.judged_to(), drawn.judged_to());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn judging_may_stop_and_go_on_anywhere(path in drive(), cuts in prop::collection::vec(0_usize..40, 0..4)) {
        let zones = some_zones();
        let mut whole = State::default();
        let facts = judge(&zones, &mut whole, &path);
        facts.iter().for_each(shape_is_sound);

        let mut bytes = State::default().encode();
        let mut pieces = Vec::new();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(path.len())).chain([path.len()]).collect();
        cuts.sort_unstable();
        let mut done = 0;
        for cut in cuts {
            let mut state = State::decode(&bytes).expect("own bytes");
            pieces.extend(judge(&zones, &mut state, &path[done..cut]));
            (bytes, done) = (state.encode(), cut);
        }
        prop_assert_eq!(pieces, facts);
        prop_assert_eq!(bytes, whole.encode());
        prop_assert_eq!(whole.judged_to(), path.last().expect("a fix").time);
    }

    /// Each fact is stated at most once open and at most once ended, and never again after that.
    #[test]
    fn facts_progress(path in drive()) {
        let facts = judge(&some_zones(), &mut State::default(), &path);
        for (i, fact) in facts.iter().enumerate().filter(|(_, fact)| fact.ended_at.is_none()) {
            let open_again = facts[i + 1..].iter().find(|later| later.id == fact.id);
            prop_assert!(open_again.is_none_or(|later| later.ended_at.is_some()), "{:?}", open_again);
        }
    }

    #[test]
    fn any_bytes_decode_or_are_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Some(first) = bytes.first_mut() {
            *first = 3;
        }
        if let Ok(state) = State::decode(&bytes) {
            prop_assert_eq!(state.encode(), bytes);
        }
    }

    /// A stored state with one bit flipped is refused, or is a state that can be judged on.
    #[test]
    fn a_damaged_state_does_no_harm(path in drive(), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let zones = some_zones();
        let mut state = State::default();
        judge(&zones, &mut state, &path);
        let mut bytes = state.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(mut state) = State::decode(&bytes) {
            judge(&zones, &mut state, &path);
        }
    }
}
