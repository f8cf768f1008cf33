//! What a zone must be before it is recorded, and who may release it.

use geofence::{Point, Shape, ShapeError};
use model::{ControlError, Corridor, Direction, Geometry, LineString, Registry, Zone, ZoneId, check_rules};

use crate::validate::{DETAIL_MAX, NAME_MAX, invalid, text};

/// Setting: `true` when a zone needs a second person.
pub(crate) const TWO_PERSON: &str = "zones.two_person";
/// Most corridors of one zone.
const CORRIDORS_MAX: usize = 1_000;
/// Most drafts that wait at a time.
const DRAFTS_MAX: usize = 10_000;

/// A revision that is to be in force.
pub(crate) fn put(zone: &Zone, registry: &Registry, actor: &str) -> Result<(), ControlError> {
    check(zone, registry)?;
    release(zone, registry, actor)
}

/// With two-person release only a draft goes into force, as it was drafted, and not by whoever drafted it.
fn release(zone: &Zone, registry: &Registry, actor: &str) -> Result<(), ControlError> {
    if registry.setting(TWO_PERSON) != Some("true") {
        return Ok(());
    }
    let Some(draft) = registry.records().draft(zone.id) else {
        return Err(ControlError::Conflict(format!("zone {} needs a draft and a second person", zone.id)));
    };
    if draft.drafted_by.as_deref() == Some(actor) {
        return Err(ControlError::Conflict(format!("{actor} drafted zone {}: a second person releases it", zone.id)));
    }
    let as_drafted = Zone { revision: zone.revision, recorded_at: zone.recorded_at, ..Zone::clone(draft) };
    if as_drafted != *zone {
        return Err(ControlError::Conflict(format!("zone {} is not as it was drafted", zone.id)));
    }
    Ok(())
}

pub(crate) fn draft(zone: &Zone, registry: &Registry) -> Result<(), ControlError> {
    let drafts = registry.records();
    if drafts.draft(zone.id).is_none() && drafts.drafts(None).count() >= DRAFTS_MAX {
        return Err(ControlError::Conflict(format!("there are {DRAFTS_MAX} drafts: release or drop some first")));
    }
    check(zone, registry)
}

pub(crate) fn drop_draft(id: ZoneId, registry: &Registry) -> Result<(), ControlError> {
    let known = registry.records().draft(id);
    known.map(|_| ()).ok_or_else(|| ControlError::NotFound(format!("no draft of zone {id}")))
}

pub(crate) fn void(id: ZoneId, revision: u32, reason: &str, registry: &Registry) -> Result<(), ControlError> {
    text("reason", reason, 1, DETAIL_MAX)?;
    if registry.zone_at_revision(id, revision).is_none() {
        return Err(ControlError::NotFound(format!("no revision {revision} of zone {id}")));
    }
    match registry.zone_void(id, revision) {
        Some(_) => Err(ControlError::Conflict(format!("revision {revision} of zone {id} is void already"))),
        None => Ok(()),
    }
}

fn check(zone: &Zone, registry: &Registry) -> Result<(), ControlError> {
    text("name", &zone.name, 1, NAME_MAX)?;
    let legal = &zone.legal;
    for (field, value) in [
        ("legal_basis.title", &legal.title),
        ("legal_basis.issuer", &legal.issuer),
        ("legal_basis.number", &legal.number),
        ("legal_basis.url", &legal.url),
        ("place", &zone.place),
        ("detour", &zone.detour),
    ] {
        text(field, value, 0, DETAIL_MAX)?;
    }
    let next = registry.zone_revision(zone.id) + 1;
    if zone.revision != next {
        return Err(ControlError::Conflict(format!(
            "zone {} is at revision {}: somebody else changed it meanwhile",
            zone.id,
            next - 1
        )));
    }
    if let (Some(from), Some(to)) = (zone.valid_from, zone.valid_to)
        && from >= to
    {
        return Err(invalid("valid_to", format!("must be after valid_from ({from})")));
    }
    check_rules(&zone.rules).map_err(|fault| invalid(&fault.field, fault.message))?;
    shape(&zone.geometry).map_err(|error| invalid("geometry", error.to_string()))
}

/// Whether a geometry has a shape.
fn shape(geometry: &Geometry) -> Result<(), ShapeError> {
    match geometry {
        Geometry::Polygon(polygons) => Shape::polygon(polygons).map(drop),
        Geometry::Circle { centre, radius_m } => Shape::circle(Point::new(centre.x, centre.y), *radius_m).map(drop),
        Geometry::Corridor { axis, half_width_m, direction } => corridor(axis, *half_width_m, *direction),
        Geometry::Corridors(list) if list.is_empty() => Err(ShapeError::Empty),
        Geometry::Corridors(list) if list.len() > CORRIDORS_MAX => {
            Err(ShapeError::TooManyVertices { count: list.iter().map(|c| c.axis.0.len()).sum() })
        }
        Geometry::Corridors(list) => list
            .iter()
            .try_for_each(|Corridor { axis, half_width_m, direction }| corridor(axis, *half_width_m, *direction)),
    }
}

fn corridor(axis: &LineString, half_width_m: f64, direction: Direction) -> Result<(), ShapeError> {
    let direction = match direction {
        Direction::Both => geofence::Direction::Both,
        Direction::Forward => geofence::Direction::Forward,
        Direction::Backward => geofence::Direction::Backward,
    };
    Shape::corridor(axis, half_width_m, direction).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::validate;
    use model::{Ask, Change, ControlRecord, Coord, LegalBasis, Timestamp, ZoneKind, ZoneRule};

    fn zone(revision: u32) -> Zone {
        Zone {
            id: ZoneId(1),
            revision,
            name: "桥".into(),
            kind: ZoneKind::VeryLargeBridge,
            geometry: Geometry::Circle { centre: Coord { x: 103.8, y: 25.5 }, radius_m: 100.0 },
            rules: vec![ZoneRule::forbidden()],
            source_crs: "wgs84".into(),
            legal: LegalBasis::default(),
            place: String::new(),
            detour: String::new(),
            drafted_by: None,
            valid_from: None,
            valid_to: None,
            recorded_at: Timestamp::default(),
        }
    }

    fn submit(registry: &mut Registry, actor: &str, change: Change) -> Result<(), String> {
        validate(&change, registry, actor).map_err(|error| error.to_string())?;
        let seq = registry.seq() + 1;
        registry.apply(&ControlRecord { seq, recorded_at: Timestamp(9), actor: actor.into(), change });
        Ok(())
    }

    fn refused(outcome: Result<(), String>, part: &str) {
        let error = outcome.expect_err(part);
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn a_second_person_releases_what_was_drafted() {
        let r = &mut Registry::default();
        let drafted = |by: &str| Zone { drafted_by: Some(by.into()), ..zone(1) };
        submit(r, "li", Change::SettingPut { key: TWO_PERSON.into(), value: "true".into() }).expect("set");
        refused(submit(r, "li", Change::ZonePut(zone(1))), "needs a draft");
        submit(r, "li", Change::ZoneDraft(zone(1))).expect("drafted");
        refused(submit(r, "li", Change::ZonePut(drafted("li"))), "li drafted");
        let other = Zone { name: "another".into(), ..drafted("li") };
        refused(submit(r, "wang", Change::ZonePut(other)), "not as it was drafted");
        refused(submit(r, "wang", Change::ZonePut(zone(1))), "not as it was drafted");
        submit(r, "wang", Change::ZonePut(drafted("li"))).expect("released");
        assert_eq!(r.zone(ZoneId(1)).and_then(|zone| zone.drafted_by.clone()).as_deref(), Some("li"));
        refused(submit(r, "li", Change::ZoneDraftDrop { id: ZoneId(1) }), "no draft");
    }

    #[test]
    fn a_wrong_revision_is_void_once() {
        let r = &mut Registry::default();
        let void = |revision, reason: &str| Change::ZoneVoid { id: ZoneId(1), revision, reason: reason.into() };
        submit(r, "li", Change::ZonePut(zone(1))).expect("put");
        refused(submit(r, "li", void(2, "错桥")), "no revision 2");
        refused(submit(r, "li", void(1, "")), "reason");
        submit(r, "li", void(1, "错桥")).expect("void");
        refused(submit(r, "li", void(1, "错桥")), "void already");
        submit(r, "li", Change::ZonePut(zone(2))).expect("the next number");
    }

    #[test]
    fn zones_that_make_no_sense_are_refused() {
        let r = &mut Registry::default();
        let rules = vec![ZoneRule::always(1, Ask::NoStopping { after_s: 0 })];
        refused(submit(r, "li", Change::ZonePut(Zone { rules, ..zone(1) })), "rules[0].after_s");
        let nothing = Geometry::Corridors(Vec::new());
        refused(submit(r, "li", Change::ZoneDraft(Zone { geometry: nothing, ..zone(1) })), "geometry");
        refused(submit(r, "li", Change::ZonePut(zone(2))), "at revision 0");
    }
}
