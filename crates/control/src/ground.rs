//! What permits, calendar, roads, drivers, loads and settings must be before they are recorded.

use std::collections::BTreeSet;

use model::{
    CalendarDay, ControlError, Driver, DriverOn, Load, Permit, PermitId, Region, Registry, Road, RoadLine, Stake,
    THRESHOLD_PREFIX, Threshold, Timestamp,
};

use crate::validate::{DETAIL_MAX, NAME_MAX, invalid, text};
use crate::zone::TWO_PERSON;

/// Vehicles, zones and slots of one permit.
const PERMIT_LIST_MAX: usize = 10_000;
/// Vertices of a route, and of all lines of one road.
const VERTICES_MAX: usize = 200_000;
/// Days of one record of the calendar.
const DAYS_MAX: usize = 4_000;
/// Years 2000 to 2099, days since 1970-01-01.
const CALENDAR_DAYS: std::ops::Range<i32> = 10_957..47_482;
/// Lines, stakes of a line, tunnels and service areas of one road.
const ROAD_LIST_MAX: usize = 10_000;
/// Kinds of goods in one load.
const GOODS_MAX: usize = 100;
const LIMIT_KMH: std::ops::RangeInclusive<u16> = 5..=200;

fn at_most(field: &str, count: usize, max: usize) -> Result<(), ControlError> {
    if count <= max { Ok(()) } else { Err(invalid(field, format!("{count} entries, at most {max} are taken"))) }
}

fn missing(what: impl std::fmt::Display) -> ControlError {
    ControlError::NotFound(format!("no {what}"))
}

/// Settings that judgement or control reads are checked; others are anybody's.
pub(crate) fn setting(key: &str, value: &str) -> Result<(), ControlError> {
    if key == TWO_PERSON && !matches!(value, "true" | "false") {
        return Err(invalid("value", "must be true or false"));
    }
    if key == Region::SETTING {
        return value.parse::<Region>().map(drop).map_err(|error| invalid("value", error.to_string()));
    }
    if key.starts_with(THRESHOLD_PREFIX) {
        let field = if Threshold::named(key).is_some() { "value" } else { "key" };
        return Threshold::read(key, value).map(drop).map_err(|error| invalid(field, error.to_string()));
    }
    Ok(())
}

pub(crate) fn permit(put: &Permit, registry: &Registry) -> Result<(), ControlError> {
    text("number", &put.number, 1, NAME_MAX)?;
    text("issuer", &put.issuer, 0, NAME_MAX)?;
    at_most("vehicles", put.vehicles.len(), PERMIT_LIST_MAX)?;
    at_most("zones", put.zones.len(), PERMIT_LIST_MAX)?;
    at_most("slots", put.slots.len(), PERMIT_LIST_MAX)?;
    if put.vehicles.is_empty() {
        return Err(invalid("vehicles", "must name a vehicle"));
    }
    if let Some(unknown) = put.vehicles.iter().find(|id| registry.vehicle(**id).is_none()) {
        return Err(missing(format_args!("vehicle {unknown}")));
    }
    if let Some(unknown) = put.zones.iter().find(|id| registry.zone_revision(**id) == 0) {
        return Err(missing(format_args!("zone {unknown}")));
    }
    if put.slots.is_empty() {
        return Err(invalid("slots", "must name a time"));
    }
    if let Some(i) = put.slots.iter().position(|(from, to)| from >= to) {
        return Err(invalid(&format!("slots[{i}].to"), "must be after from"));
    }
    put.route.as_ref().map_or(Ok(()), |route| line("route", route, 2))
}

pub(crate) fn revoke(id: PermitId, reason: &str, registry: &Registry) -> Result<(), ControlError> {
    text("reason", reason, 1, DETAIL_MAX)?;
    let known = registry.records().permit(id).ok_or_else(|| missing(format_args!("permit {id}")))?;
    match &known.revoked {
        Some((at, _)) => Err(ControlError::Conflict(format!("permit {id} was revoked at {at}"))),
        None => Ok(()),
    }
}

pub(crate) fn calendar(days: &[CalendarDay]) -> Result<(), ControlError> {
    at_most("days", days.len(), DAYS_MAX)?;
    let mut seen = BTreeSet::new();
    for (i, day) in days.iter().enumerate() {
        if !CALENDAR_DAYS.contains(&day.day) {
            return Err(invalid(&format!("days[{i}]"), "must be of the years 2000 to 2099"));
        }
        if !seen.insert(day.day) {
            return Err(invalid(&format!("days[{i}]"), "the day stands twice"));
        }
        text(&format!("days[{i}].name"), &day.name, 0, NAME_MAX)?;
    }
    Ok(())
}

fn line(field: &str, line: &model::LineString, least: usize) -> Result<(), ControlError> {
    at_most(field, line.0.len(), VERTICES_MAX)?;
    let on_globe = |c: &model::Coord| (-180.0..=180.0).contains(&c.x) && (-90.0..=90.0).contains(&c.y);
    if line.0.len() < least || !line.0.iter().all(on_globe) {
        return Err(invalid(field, format!("must have {least} or more vertices on the globe")));
    }
    Ok(())
}

pub(crate) fn road(put: &Road, registry: &Registry) -> Result<(), ControlError> {
    text("code", &put.code, 1, 20)?;
    text("name", &put.name, 0, NAME_MAX)?;
    if let Some(other) = registry.records().road_by_code(&put.code).filter(|other| other.id != put.id) {
        return Err(ControlError::Conflict(format!("road {} exists as {}", put.code, other.id)));
    }
    if put.limit_kmh.is_some_and(|kmh| !LIMIT_KMH.contains(&kmh)) {
        return Err(invalid("limit_kmh", format!("must be {} to {}", LIMIT_KMH.start(), LIMIT_KMH.end())));
    }
    for (field, count) in
        [("lines", put.lines.len()), ("tunnels", put.tunnels.len()), ("service_areas", put.service_areas.len())]
    {
        at_most(field, count, ROAD_LIST_MAX)?;
    }
    if put.lines.is_empty() {
        return Err(invalid("lines", "must have a line"));
    }
    at_most("lines", put.lines.iter().map(|road_line| road_line.line.0.len()).sum(), VERTICES_MAX)?;
    put.lines.iter().enumerate().try_for_each(|(i, road_line)| stakes(i, road_line))?;
    for (i, tunnel) in put.tunnels.iter().enumerate() {
        text(&format!("tunnels[{i}].name"), &tunnel.name, 0, NAME_MAX)?;
        if tunnel.from == tunnel.to || tunnel.from.max(tunnel.to) > Stake::MAX {
            return Err(invalid(&format!("tunnels[{i}]"), "must go from one stake to another"));
        }
    }
    for (i, area) in put.service_areas.iter().enumerate() {
        text(&format!("service_areas[{i}].name"), &area.name, 0, NAME_MAX)?;
    }
    Ok(())
}

/// Stakes ascend along their line, and run one way on it.
fn stakes(i: usize, road_line: &RoadLine) -> Result<(), ControlError> {
    line(&format!("lines[{i}]"), &road_line.line, 2)?;
    let stakes = &road_line.stakes;
    at_most(&format!("lines[{i}].stakes"), stakes.len(), ROAD_LIST_MAX)?;
    let ascending = stakes.is_sorted_by(|a, b| a.along_m < b.along_m);
    let one_way = stakes.is_sorted_by(|a, b| a.stake < b.stake) || stakes.is_sorted_by(|a, b| a.stake > b.stake);
    if !ascending || !one_way || stakes.iter().any(|s| s.stake > Stake::MAX) {
        return Err(invalid(&format!("lines[{i}].stakes"), "must ascend along the line, and run one way"));
    }
    Ok(())
}

pub(crate) fn driver(put: &Driver, registry: &Registry) -> Result<(), ControlError> {
    text("name", &put.name, 1, NAME_MAX)?;
    text("certificate", &put.certificate, 0, NAME_MAX)?;
    text("phone", &put.phone, 0, 40)?;
    match registry.records().driver_by_certificate(&put.certificate).filter(|other| other.id != put.id) {
        Some(other) => Err(ControlError::Conflict(format!("certificate {} belongs to {}", put.certificate, other.id))),
        None => Ok(()),
    }
}

/// An instant from which something holds: any that a track may have.
fn instant(field: &str, from: Timestamp) -> Result<(), ControlError> {
    let known = Timestamp::china_day_start(CALENDAR_DAYS.start)..Timestamp::china_day_start(CALENDAR_DAYS.end);
    if known.contains(&from) { Ok(()) } else { Err(invalid(field, "must be of the years 2000 to 2099")) }
}

pub(crate) fn driver_on(on: &DriverOn, registry: &Registry) -> Result<(), ControlError> {
    instant("from", on.from)?;
    registry.vehicle(on.vehicle).ok_or_else(|| missing(format_args!("vehicle {}", on.vehicle)))?;
    match on.driver.filter(|id| registry.records().driver(*id).is_none()) {
        Some(unknown) => Err(missing(format_args!("driver {unknown}"))),
        None => Ok(()),
    }
}

pub(crate) fn load(put: &Load, registry: &Registry) -> Result<(), ControlError> {
    instant("from", put.from)?;
    text("source", &put.source, 0, NAME_MAX)?;
    at_most("goods", put.goods.len(), GOODS_MAX)?;
    registry.vehicle(put.vehicle).ok_or_else(|| missing(format_args!("vehicle {}", put.vehicle)))?;
    for (i, goods) in put.goods.iter().enumerate() {
        text(&format!("goods[{i}].name"), &goods.name, 0, NAME_MAX)?;
        if goods.packing_group.is_some_and(|group| !(1..=3).contains(&group)) {
            return Err(invalid(&format!("goods[{i}].packing_group"), "must be 1, 2 or 3"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::validate;
    use model::{
        Change, ControlRecord, DayKind, Direction, Goods, LineString, LoadState, PermitKind, RoadClass, RoadId,
        StakeOnLine, Vehicle, VehicleId, ZoneId,
    };

    fn registry() -> Registry {
        let mut registry = Registry::default();
        let change = Change::VehiclePut(Vehicle { id: VehicleId(1), ..Vehicle::default() });
        registry.apply(&ControlRecord { seq: 1, recorded_at: Timestamp(0), actor: String::new(), change });
        registry
    }

    fn permit() -> Permit {
        Permit {
            id: PermitId(1),
            number: "7".into(),
            issuer: String::new(),
            kind: PermitKind::Pass,
            vehicles: vec![VehicleId(1)],
            zones: Vec::new(),
            slots: vec![(Timestamp(1), Timestamp(2))],
            route: None,
            recorded_at: Timestamp(0),
            revoked: None,
        }
    }

    fn road(stakes: &[(u32, u32)]) -> Road {
        let stakes = stakes.iter().map(|(along_m, stake)| StakeOnLine { along_m: *along_m, stake: Stake(*stake) });
        let line = LineString::from(vec![(103.8, 25.5), (103.9, 25.5)]);
        Road {
            id: RoadId(1),
            code: "G56".into(),
            name: String::new(),
            class: RoadClass::Expressway,
            lines: vec![RoadLine { line, stakes: stakes.collect(), direction: Direction::Both }],
            limit_kmh: None,
            tunnels: Vec::new(),
            service_areas: Vec::new(),
        }
    }

    fn load(vehicle: u64, group: Option<u8>) -> Change {
        let goods = vec![Goods { packing_group: group, ..Goods::default() }];
        let (vehicle, from) = (VehicleId(vehicle), Timestamp::from_secs(1_795_406_706));
        Change::LoadPut(Load { vehicle, from, state: LoadState::Loaded, goods, source: String::new() })
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let registry = registry();
        let set = |key: &str, value: &str| Change::SettingPut { key: key.into(), value: value.into() };
        let day = |day| CalendarDay { day, kind: DayKind::Holiday, name: String::new() };
        let cases: Vec<(Change, Option<&str>)> = vec![
            (set("rules.V01.limit_kmh", "70"), None),
            (set("rules.V01.limit_kmh", "7000"), Some("value: must be a whole number, 5 to 200")),
            (set("rules.V01.limit", "70"), Some("key: no threshold")),
            (set("zones.two_person", "yes"), Some("true or false")),
            (set("zones.region", "1,2,3"), Some("not a region")),
            (set("journal.sent_day", "anything"), None),
            (Change::PermitPut(permit()), None),
            (Change::PermitPut(Permit { vehicles: Vec::new(), ..permit() }), Some("vehicles")),
            (Change::PermitPut(Permit { vehicles: vec![VehicleId(9)], ..permit() }), Some("no vehicle")),
            (Change::PermitPut(Permit { zones: vec![ZoneId(9)], ..permit() }), Some("no zone")),
            (Change::PermitPut(Permit { slots: Vec::new(), ..permit() }), Some("slots")),
            (Change::PermitPut(Permit { slots: vec![(Timestamp(2), Timestamp(2))], ..permit() }), Some("slots[0].to")),
            (Change::PermitRevoke { id: PermitId(1), reason: "r".into() }, Some("no permit")),
            (Change::CalendarPut { days: vec![day(20_727), day(20_728)] }, None),
            (Change::CalendarPut { days: vec![day(20_727), day(20_727)] }, Some("stands twice")),
            (Change::CalendarPut { days: vec![day(0)] }, Some("2000 to 2099")),
            (Change::RoadPut(road(&[(0, 100), (900, 1000)])), None),
            (Change::RoadPut(road(&[(0, 1000), (900, 100)])), None),
            (Change::RoadPut(road(&[(0, 100), (900, 50), (950, 70)])), Some("lines[0].stakes")),
            (Change::RoadPut(road(&[(9, 100), (9, 150)])), Some("lines[0].stakes")),
            (Change::RoadPut(Road { lines: Vec::new(), ..road(&[]) }), Some("must have a line")),
            (Change::RoadPut(Road { limit_kmh: Some(0), ..road(&[]) }), Some("limit_kmh")),
            (load(1, Some(3)), None),
            (load(1, Some(4)), Some("goods[0].packing_group")),
            (load(2, None), Some("no vehicle")),
        ];
        for (change, expected) in cases {
            match (validate(&change, &registry, "li"), expected) {
                (Ok(()), None) => {}
                (Err(error), Some(part)) => assert!(error.to_string().contains(part), "{error}"),
                (outcome, _) => panic!("{change:?}: {outcome:?}"),
            }
        }
    }
}
