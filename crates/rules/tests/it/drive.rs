//! A small language for tests: zones and drives in 1e-6 degrees around one place, facts as lines of text.
//!
//! North 1,000 is 110.8 m, east 1,000 is 100.5 m; 4,500 north in 30 s is 60 km/h.

use std::collections::BTreeMap;

use model::{
    Change, ControlRecord, Coord, Direction, Fact, FactId, Fix, Geometry, LineString, Marks, MultiPolygon, Polygon,
    Position, RecordRef, Registry, TerminalId, Timestamp, VehicleId, Zone, ZoneId, ZoneKind, ZoneRule,
};
use rules::{Context, State, Zones, step};

/// When every drive starts.
pub(crate) const T0: Timestamp = Timestamp::from_secs(1_795_406_700);
const LON_E6: i32 = 103_800_000;
const LAT_E6: i32 = 25_500_000;

pub(crate) fn at(secs: i64) -> Timestamp {
    T0.plus_us(secs * 1_000_000)
}

pub(crate) fn coord(east_e6: i32, north_e6: i32) -> Coord {
    Coord { x: f64::from(LON_E6 + east_e6) / 1e6, y: f64::from(LAT_E6 + north_e6) / 1e6 }
}

/// A rectangle between two corners.
pub(crate) fn area(west: i32, south: i32, east: i32, north: i32) -> Geometry {
    let ring = [(west, south), (east, south), (east, north), (west, north)].map(|(e, n)| coord(e, n));
    Geometry::Polygon(MultiPolygon::new(vec![Polygon::new(LineString::from(ring.to_vec()), vec![])]))
}

pub(crate) fn circle(radius_m: f64) -> Geometry {
    Geometry::Circle { centre: coord(0, 0), radius_m }
}

/// A bridge from south to north, 30 m wide, at east 0.
pub(crate) fn bridge(north_e6: i32, direction: Direction) -> Geometry {
    Geometry::Corridor { axis: LineString::from(vec![coord(0, 0), coord(0, north_e6)]), half_width_m: 15.0, direction }
}

/// A zone that always binds, forbidden.
pub(crate) fn forbidden(id: u64, geometry: Geometry) -> Zone {
    Zone {
        id: ZoneId(id),
        revision: 1,
        name: format!("zone {id}"),
        kind: ZoneKind::Custom,
        geometry,
        rules: vec![ZoneRule::forbidden()],
        source_crs: "wgs84".into(),
        legal: model::LegalBasis::default(),
        place: String::new(),
        detour: String::new(),
        drafted_by: None,
        valid_from: Some(Timestamp::MIN),
        valid_to: None,
        recorded_at: Timestamp::default(),
    }
}

/// A zone that is only watched.
pub(crate) fn watched(id: u64, geometry: Geometry) -> Zone {
    Zone { rules: vec![], ..forbidden(id, geometry) }
}

/// A registry out of changes, each recorded at the given second of the drive.
pub(crate) fn registry(changes: Vec<(i64, Change)>) -> Registry {
    let mut registry = Registry::default();
    for (seq, (secs, change)) in (1..).zip(changes) {
        registry.apply(&ControlRecord { seq, recorded_at: at(secs), actor: "test".into(), change });
    }
    registry
}

pub(crate) fn zones(zones: Vec<Zone>) -> Zones {
    Zones::build(&registry(zones.into_iter().map(|zone| (0, Change::ZonePut(zone))).collect()))
}

/// A fix: second of the drive, east, north. It moves at 50 km/h, nobody knows where to: paths are straight.
pub(crate) type Leg = (i64, i32, i32);

pub(crate) fn fix(number: usize, (secs, east, north): Leg) -> Fix {
    Fix {
        terminal: TerminalId::from_wire(&[0x13]),
        time: at(secs),
        received: at(secs),
        source: RecordRef { position: Position { shard: 0, seq: 1 + number as u64 }, index: 0, item: 0 },
        alarm: 0,
        status: 3,
        lat_wire: (LAT_E6 + north) as u32,
        lon_wire: (LON_E6 + east) as u32,
        altitude_wire: 0,
        speed_dkmh: 500,
        direction_deg: 999,
        time_bcd: [0; 6],
        mileage_hm: None,
        items: Box::default(),
        marks: Marks::DIRECTION_RANGE,
    }
}

/// The same fix with its coordinates swapped on the wire.
pub(crate) fn swapped(fix: Fix) -> Fix {
    Fix { lat_wire: fix.lon_wire, lon_wire: fix.lat_wire, marks: fix.marks.with(Marks::SWAPPED), ..fix }
}

pub(crate) fn fixes(legs: &[Leg]) -> Vec<Fix> {
    legs.iter().enumerate().map(|(number, leg)| fix(number, *leg)).collect()
}

pub(crate) fn judge(zones: &Zones, state: &mut State, fixes: &[Fix]) -> Vec<Fact> {
    judge_by(&registry(vec![(0, Change::RuleRevision { revision: 1 })]), zones, state, fixes)
}

/// The same, by what was recorded.
pub(crate) fn judge_by(registry: &Registry, zones: &Zones, state: &mut State, fixes: &[Fix]) -> Vec<Fact> {
    let ctx = Context { vehicle: VehicleId(42), zones, registry };
    let mut facts = Vec::new();
    for fix in fixes {
        step(&ctx, state, fix, &mut facts);
    }
    facts
}

/// The facts about zones as they stand in the end, each as `kind zone/revision start..end confidence-class`, sorted.
pub(crate) fn outcome(facts: &[Fact]) -> Vec<String> {
    let last: BTreeMap<FactId, &Fact> = facts.iter().map(|fact| (fact.id, fact)).collect();
    let mut lines: Vec<String> = last.values().filter(|fact| fact.has_zone()).map(|fact| line(fact)).collect();
    lines.sort();
    lines
}

fn line(fact: &Fact) -> String {
    let seconds = |t: Timestamp| format!("{:.3}", t.since_us(T0) as f64 / 1e6);
    let class = match fact.confidence.0 {
        700.. => "high",
        300.. => "mid",
        _ => "low",
    };
    let end = fact.ended_at.map_or_else(|| "open".into(), seconds);
    format!("{} {}/{} {}..{end} {class}", fact.kind, fact.zone.0, fact.zone_revision, seconds(fact.started_at))
}
