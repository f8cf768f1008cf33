//! The rules of zones: of each a case and a near miss, all judged again from every stored state.

use std::collections::BTreeMap;

use model::{
    Ask, CarrierId, Change, Exemption, Fact, FactId, FactKind, Filter, Fix, Goods, Load, LoadState, LoadStates, OnDays,
    Permit, PermitId, PermitKind, Registry, Schedule, Standing, Timestamp, VehicleId, Weekly, Zone, ZoneId, ZoneRule,
};
use rules::{State, Zones};

use crate::drive::{T0, area, at as second, forbidden, judge_by, registry};
use crate::watch::at;

const TRUCK: VehicleId = VehicleId(42);

/// Judges whole and cut everywhere, and says which violations stand: `kind start..end confidence standing`.
fn said_by(registry: &Registry, fixes: &[Fix]) -> Vec<String> {
    let zones = Zones::build(registry);
    let mut whole = State::default();
    let facts = judge_by(registry, &zones, &mut whole, fixes);
    let mut bytes = State::default().encode();
    let mut pieces = Vec::new();
    for one in fixes {
        let mut state = State::decode(&bytes).expect("own bytes");
        let before = state.clone();
        for fact in judge_by(registry, &zones, &mut state, std::slice::from_ref(one)) {
            // What judging again relies on.
            assert!(fact.started_at >= before.open_since(), "{fact:?}");
            let mut open = before.open_facts(TRUCK);
            assert!(
                open.any(|(id, _)| id == fact.id) || fact.started_at >= before.begins_from(fact.kind),
                "{fact:?} {before:?}"
            );
            pieces.push(fact);
        }
        bytes = state.encode();
    }
    assert_eq!((pieces, bytes), (facts.clone(), whole.encode()));
    let last: BTreeMap<FactId, &Fact> = facts.iter().map(|fact| (fact.id, fact)).collect();
    let mut lines: Vec<_> = last.values().filter(|fact| fact.kind != FactKind::VISIT).map(|fact| line(fact)).collect();
    lines.sort();
    lines
}

fn line(fact: &Fact) -> String {
    let seconds = |t: Timestamp| format!("{:.1}", t.since_us(T0) as f64 / 1e6);
    let end = fact.ended_at.map_or_else(|| "open".into(), seconds);
    let excused = if fact.standing == Standing::Excused { " excused" } else { "" };
    format!("{} {}..{end} {}{excused}", fact.kind, seconds(fact.started_at), fact.confidence.0)
}

/// A square kilometre with rules.
fn zone(rules: Vec<ZoneRule>) -> Change {
    Change::ZonePut(Zone { rules, ..forbidden(1, area(-5_000, 0, 5_000, 9_000)) })
}

fn said(rules: Vec<ZoneRule>, recorded: Vec<(i64, Change)>, fixes: &[Fix]) -> Vec<String> {
    let changes = std::iter::once((0, zone(rules))).chain(recorded);
    said_by(&registry(changes.collect()), fixes)
}

/// In at `from` - 13.3 s, to and fro inside, out at `to` + 13.3 s; `to - from` is a multiple of a minute.
fn trip(from: i64, to: i64) -> Vec<Fix> {
    let north = |secs: i64| if (secs - from) / 30 % 2 == 0 { 2_000 } else { 4_000 };
    let inside = (from..=to).step_by(30).map(|secs| (secs, 0, north(secs), 50, 0));
    let legs = std::iter::once((from - 30, 0, -2_500, 50, 0)).chain(inside);
    legs.chain([(to + 30, 0, -2_500, 50, 0), (to + 60, 0, -7_000, 50, 0)]).map(at).collect()
}

fn forbids() -> ZoneRule {
    ZoneRule::always(1, Ask::Forbidden { grace_s: 0 })
}

fn daily(from_min: u16, to_min: u16) -> Schedule {
    let weekly = Weekly { days: Weekly::DAILY, on: OnDays::Any, from_min, to_min };
    Schedule { spans: Vec::new(), weekly: vec![weekly] }
}

/// From 12:10 to 12:20, seconds 300 to 900.
fn at_noon(grace_s: u32) -> ZoneRule {
    ZoneRule { when: daily(730, 740), ..ZoneRule::always(1, Ask::Forbidden { grace_s }) }
}

#[test]
fn windows_begin_and_end_at_their_instants() {
    for (from, to, grace_s, expect) in [
        (60, 1_020, 0, &["V07 300.0..900.0 1000"][..]),
        (360, 480, 0, &["V07 346.7..493.3 1000"]),
        (60, 420, 0, &["V07 300.0..433.3 1000"]),
        (60, 240, 0, &[]),
        (960, 1_200, 0, &[]),
        (60, 420, 120, &["V07 300.0..433.3 1000"]),
        (60, 360, 120, &[]),
        (360, 420, 120, &["V07 346.7..433.3 1000"]),
    ] {
        assert_eq!(said(vec![at_noon(grace_s)], vec![], &trip(from, to)), expect, "{from}..{to} grace {grace_s}");
    }
}

#[test]
fn a_window_that_begins_between_two_reports_on_the_way_out_binds_who_comes_back() {
    let mut drive = trip(60, 240);
    // Just outside when it begins, not far enough to have left, and inside again.
    drive.truncate(drive.len() - 2);
    drive.extend(
        [(270, 0, 100), (295, 0, -50), (310, 0, -60), (340, 0, 2_000), (370, 0, 4_000)]
            .map(|(s, e, n)| at((s, e, n, 50, 0))),
    );
    let got = said(vec![at_noon(0)], vec![], &drive);
    assert_eq!(got.len(), 1, "{got:?}");
}

fn of_class(class: &str) -> Filter {
    Filter { divisions: vec![class.parse().expect("a class")], ..Filter::default() }
}

fn load(secs: i64, class: &str) -> Change {
    let goods = vec![Goods { division: class.parse().ok(), ..Goods::default() }];
    let (from, state, source) = (second(secs), LoadState::Loaded, String::new());
    Change::LoadPut(Load { vehicle: TRUCK, from, state, goods, source })
}

#[test]
fn who_is_bound_depends_on_the_load() {
    let rule = || vec![ZoneRule { whom: of_class("1"), ..forbids() }];
    let whole = "V06 46.7..433.3";
    for (recorded, expect) in [
        (vec![], vec![format!("{whole} 500")]),
        (vec![(0, load(-100, "1.1"))], vec![format!("{whole} 1000")]),
        (vec![(0, load(-100, "3"))], vec![]),
        // Recorded late it holds from its event time all the same.
        (vec![(0, load(-100, "3")), (9_000, load(200, "1"))], vec!["V06 200.0..433.3 1000".to_owned()]),
        (vec![(0, load(200, "3"))], vec!["V06 46.7..200.0 500".to_owned()]),
    ] {
        assert_eq!(said(rule(), recorded.clone(), &trip(60, 420)), expect, "{recorded:?}");
    }
}

fn permit(recorded_s: i64, from_s: i64, to_s: i64) -> (i64, Change) {
    let permit = Permit {
        id: PermitId(1),
        number: "云公交 1".into(),
        issuer: "支队".into(),
        kind: PermitKind::Pass,
        vehicles: vec![TRUCK],
        zones: vec![ZoneId(1)],
        slots: vec![(second(from_s), second(to_s))],
        route: None,
        recorded_at: T0,
        revoked: None,
    };
    (recorded_s, Change::PermitPut(permit))
}

#[test]
fn permits_allow_beforehand_and_excuse_afterwards() {
    let whole = "V06 46.7..433.3 1000";
    for (recorded, expect) in [
        (permit(0, 0, 1_000), &[][..]),
        (permit(5_000, 0, 1_000), &["V06 46.7..433.3 1000 excused"]),
        (permit(0, 0, 200), &["V06 200.0..433.3 1000"]),
        (permit(0, 600, 1_000), &[whole]),
        (permit(300, 0, 1_000), &["V06 46.7..300.0 1000 excused"]),
    ] {
        assert_eq!(said(vec![forbids()], vec![recorded.clone()], &trip(60, 420)), expect, "{recorded:?}");
    }
    let revoke = (100, Change::PermitRevoke { id: PermitId(1), reason: "作废".into() });
    let got = said(vec![forbids()], vec![permit(0, 0, 1_000), revoke], &trip(60, 420));
    assert_eq!(got, ["V06 100.0..433.3 1000"]);
    let suspended = ZoneRule { no_permits_for: Some(Filter::default()), ..forbids() };
    assert_eq!(said(vec![suspended], vec![permit(0, 0, 1_000)], &trip(60, 420)), [whole]);
}

#[test]
fn exemptions_let_off() {
    let exempt = |exemption| vec![ZoneRule { exemptions: vec![exemption], ..forbids() }];
    let whole = "V06 46.7..433.3 1000";
    let class_3 = Exemption { purpose: "民生物资".into(), whom: of_class("3"), ..Exemption::default() };
    let (fuel, toxic) = (vec![(0, load(-100, "3"))], vec![(0, load(-100, "6.1"))]);
    assert_eq!(said(exempt(class_3.clone()), fuel.clone(), &trip(60, 420)), [""; 0]);
    assert_eq!(said(exempt(class_3.clone()), toxic, &trip(60, 420)), [whole]);
    assert_eq!(said(exempt(class_3.clone()), vec![], &trip(60, 420)), ["V06 46.7..433.3 500"]);
    let by_day = Exemption { when: daily(0, 730), ..Exemption::default() };
    assert_eq!(said(exempt(by_day), vec![], &trip(60, 420)), ["V06 300.0..433.3 1000"]);
    let with_permit = Exemption { needs_permit: true, ..class_3 };
    assert_eq!(said(exempt(with_permit.clone()), fuel.clone(), &trip(60, 420)), [whole]);
    let both = fuel.into_iter().chain([permit(0, 0, 1_000)]).collect();
    assert_eq!(said(exempt(with_permit), both, &trip(60, 420)), [""; 0]);
}

#[test]
fn each_rule_makes_its_own_fact() {
    let others =
        ZoneRule { whom: Filter { carriers: vec![CarrierId(9)], ..Filter::default() }, ..ZoneRule::forbidden() };
    let empty = Filter { loads: LoadStates::default().with(LoadState::Empty), ..Filter::default() };
    let rules = vec![
        forbids(),
        ZoneRule { number: 7, ..forbids() },
        ZoneRule { number: 8, ..others },
        ZoneRule { number: 9, whom: empty, ..forbids() },
    ];
    let whole = "V06 46.7..433.3";
    assert_eq!(
        said(rules, vec![], &trip(60, 420)),
        [&format!("{whole} 1000"), &format!("{whole} 1000"), &format!("{whole} 500")].map(String::as_str)
    );
}

/// In at 46.7 s, at rest from `from` to `to` with a fix every 30 s, out.
fn stop(from: i64, to: i64) -> Vec<Fix> {
    let before = (60..from).step_by(30).map(|secs| (secs, 0, if secs % 60 == 0 { 2_000 } else { 4_000 }, 50, 0));
    let rest = (from..=to).step_by(30).map(|secs| (secs, 0, 2_000, 0, 0));
    let legs = std::iter::once((30, 0, -2_500, 50, 0)).chain(before).chain(rest);
    legs.chain([(to + 30, 0, -2_500, 50, 0), (to + 60, 0, -7_000, 50, 0)]).map(at).collect()
}

#[test]
fn stops() {
    let rule = |after_s| vec![ZoneRule::always(1, Ask::NoStopping { after_s })];
    assert_eq!(said(rule(120), vec![], &stop(120, 240)), ["V09 120.0..240.0 1000"]);
    assert_eq!(said(rule(121), vec![], &stop(120, 240)), [""; 0]);
    // The window begins while it stands, and ends before it leaves.
    let at_noon = |after_s| vec![ZoneRule { when: daily(730, 740), ..ZoneRule::always(1, Ask::NoParking { after_s }) }];
    assert_eq!(said(at_noon(600), vec![], &stop(120, 1_200)), ["V11 300.0..900.0 1000"]);
    assert_eq!(said(at_noon(601), vec![], &stop(120, 1_200)), [""; 0]);
    let still = &stop(120, 1_200)[..29];
    assert_eq!(said(at_noon(500), vec![], still), ["V11 300.0..open 1000"]);
}

#[test]
fn speed() {
    let limit = |day_kmh, night_kmh| vec![ZoneRule::always(1, Ask::SpeedLimit { day_kmh, night_kmh })];
    assert_eq!(said(limit(49, None), vec![], &trip(60, 120)), ["V03 60.0..120.0 1000"]);
    assert_eq!(said(limit(50, None), vec![], &trip(60, 120)), [""; 0]);
    assert_eq!(said(limit(60, Some(49)), vec![], &trip(60, 120)), [""; 0], "by day");
    // Ten hours later it is night.
    assert_eq!(said(limit(60, Some(49)), vec![], &trip(36_060, 36_120)), ["V03 36060.0..36120.0 1000"]);
    let long = (0, Change::SettingPut { key: "rules.V03.for_s".into(), value: "61".into() });
    assert_eq!(said(limit(49, None), vec![long], &trip(60, 120)), [""; 0]);
    // One slower fix between.
    let mut slower = trip(60, 120);
    slower[2].speed_dkmh = 490;
    assert_eq!(said(limit(49, None), vec![], &slower), [""; 0]);
}

/// In, out to the south at 60 km/h until `to`, a fix every 30 s, and back the same way.
fn outing(to: i64) -> Vec<Fix> {
    let south = |secs: i64| 4_500 - 150 * (secs.min(2 * to - secs)) as i32;
    (0..=2 * to).step_by(30).map(|secs| at((secs, 0, south(secs), 50, 0))).collect()
}

#[test]
fn leaving_what_may_not_be_left() {
    // The edge is crossed at 30 s; 500 m are 4,513 north, 30.1 s more.
    let rule =
        |for_s, whom| vec![ZoneRule { whom, ..ZoneRule::always(1, Ask::StayInside { tolerance_m: 500, for_s }) }];
    let all = Filter::default;
    let whole = said(rule(180, all()), vec![], &outing(180));
    assert_eq!(whole, ["V08 60.1..299.9 1000"]);
    assert_eq!(said(rule(180, all()), vec![], &outing(120)), [""; 0], "back too soon");
    assert_eq!(said(rule(0, all()), vec![], &outing(60)), [""; 0], "within the tolerance");
    assert_eq!(said(rule(60, all()), vec![], &outing(120)[..6]), ["V08 60.1..open 1000"]);
    let others = Filter { vehicles: vec![VehicleId(7)], ..all() };
    assert_eq!(said(rule(180, others), vec![], &outing(180)), [""; 0]);
    // Who never was inside has not left.
    assert_eq!(said(rule(180, all()), vec![], &outing(180)[2..10]), [""; 0]);
    // It is forbidden until 12:08.
    let window = ZoneRule { when: daily(0, 728), ..rule(60, all()).remove(0) };
    assert_eq!(said(vec![window], vec![], &outing(240)), ["V08 60.1..180.0 1000"]);
    // After a gap it is far away.
    let mut gap = outing(180);
    gap.truncate(1);
    gap.extend([(4_000, 0, -90_000, 50, 0), (4_030, 0, -94_500, 50, 0), (4_300, 0, -99_000, 50, 0)].map(at));
    let after_gap = said(rule(180, all()), vec![], &gap);
    assert_eq!(after_gap.iter().filter(|fact| fact.starts_with("V08")).count(), 1, "{after_gap:?}");
}
