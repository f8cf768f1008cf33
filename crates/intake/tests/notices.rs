//! The restrictions of seven real notices: all of them can be said, come back as they were, and hold when they should.

use intake::{Crs, read_zone, read_zones, write_zone};
use model::{Calendar, Goods, Load, LoadState, Subject, Timestamp, Tri, VehicleId, Zone, ZoneId};
use serde_json::Value;

const NOTICES: &str = include_str!("notices.geojson");

fn zones() -> Vec<Zone> {
    let drafts = read_zones(NOTICES.as_bytes(), Crs::Wgs84).expect("every notice can be said");
    (1..).zip(drafts).map(|(id, draft)| draft.into_zone(ZoneId(id), 1)).collect()
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

#[test]
fn they_come_back_as_they_were_written() {
    let source: Value = serde_json::from_str(NOTICES).unwrap();
    let features = source.pointer("/features").and_then(Value::as_array).unwrap();
    assert_eq!(features.len(), 7);
    for (zone, feature) in zones().iter().zip(features) {
        let written = write_zone(zone, Crs::Wgs84);
        let again = read_zone(&written, Crs::Wgs84).expect("as written");
        assert!(again.says_the_same_as(zone), "{}", zone.name);
        for key in ["rules", "half_width_m", "direction", "place", "legal_basis", "name", "kind"] {
            assert_eq!(written["properties"][key], feature["properties"][key], "{}: {key}", zone.name);
        }
        assert_eq!(written["geometry"], feature["geometry"], "{}", zone.name);
    }
}

#[test]
fn they_are_in_force_when_they_say() {
    let zones = zones();
    let calendar = Calendar::default();
    for (zone, time, rules) in [
        (0, "2020-09-30T23:59:59+08:00", &[][..]),
        (0, "2020-10-08T23:59:59+08:00", &[1]),
        (0, "2020-10-09T00:00:00+08:00", &[]),
        (1, "2025-09-30T15:00:00+08:00", &[1]),
        (1, "2025-10-03T12:00:00+08:00", &[]),
        (1, "2025-10-08T23:59:59+08:00", &[1]),
        (2, "2026-11-23T05:59:59+08:00", &[1]),
        (2, "2026-11-23T06:00:00+08:00", &[]),
        (3, "2026-11-23T00:00:00+08:00", &[1, 2]),
        (4, "2026-11-23T19:00:00+08:00", &[1]),
        (4, "2026-11-23T18:59:59+08:00", &[]),
        (5, "2026-11-23T12:00:00+08:00", &[1]),
        (6, "2026-11-23T12:00:00+08:00", &[1]),
    ] {
        let time = at(time);
        let now = zones[zone].rules.iter().filter(|rule| rule.when.in_force(time, &calendar));
        assert_eq!(now.map(|rule| rule.number).collect::<Vec<_>>(), rules, "{} at {time}", zones[zone].name);
    }
    assert!(zones[5].binds_at(at("2027-10-31T23:59:59+08:00")) && !zones[5].binds_at(at("2027-11-01T00:00:00+08:00")));
    assert!(zones[5].is_forbidden() && !zones[4].is_forbidden());
}

#[test]
fn exemptions_know_their_goods_and_hours() {
    let zones = zones();
    let goods = |un: &str| Goods { un: un.parse().ok(), ..Goods::default() };
    let load = |state, goods: Vec<Goods>| Load {
        vehicle: VehicleId(1),
        from: Timestamp(0),
        state,
        goods,
        source: String::new(),
    };
    let petrol = load(LoadState::Loaded, vec![goods("UN1203")]);
    let oxygen = load(LoadState::Loaded, vec![goods("UN1073")]);
    let empty = load(LoadState::Empty, Vec::new());
    let exempt = |zone: &Zone, load: Option<&Load>, time: &str| {
        let subject = Subject { vehicle: VehicleId(1), carrier: None, load, scope: &[] };
        let holds = |exemption: &model::Exemption| {
            let when = exemption.when.in_force(at(time), &Calendar::default());
            if when { exemption.whom.holds(&subject) } else { Tri::No }
        };
        zone.rules[0].exemptions.iter().filter(|exemption| exemption.purpose != "服务区补给").map(holds).max()
    };
    let (peak, off_peak) = ("2020-10-04T12:00:00+08:00", "2020-10-04T22:00:00+08:00");
    assert_eq!(exempt(&zones[0], Some(&petrol), off_peak), Some(Tri::Yes));
    assert_eq!(exempt(&zones[0], Some(&petrol), peak), Some(Tri::No));
    assert_eq!(exempt(&zones[0], Some(&petrol), "2020-10-02T22:00:00+08:00"), Some(Tri::No));
    assert_eq!(exempt(&zones[0], Some(&oxygen), peak), Some(Tri::Yes));
    assert_eq!(exempt(&zones[0], None, peak), Some(Tri::Unknown));
    let by_state = |load: Option<&Load>| {
        let subject = Subject { vehicle: VehicleId(1), carrier: None, load, scope: &[] };
        zones[2].rules[0].exemptions[1].whom.holds(&subject)
    };
    assert_eq!([Some(&empty), Some(&petrol), None].map(by_state), [Tri::Yes, Tri::No, Tri::Unknown]);
    assert!(zones[0].rules[0].no_permits_for.is_some());
}

/// What is taken in is judged: a notice that restricts a road in sections as well.
#[test]
fn they_are_judged() {
    let mut registry = model::Registry::default();
    for (seq, zone) in (1..).zip(zones()) {
        let change = model::Change::ZonePut(zone);
        registry.apply(&model::ControlRecord { seq, recorded_at: Timestamp(0), actor: String::new(), change });
    }
    let zones = rules::Zones::build(&registry);
    assert_eq!(zones.broken(), []);
    assert_eq!(zones.len(), 7);
}
