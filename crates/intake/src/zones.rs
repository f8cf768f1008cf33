//! Zones as GeoJSON features: what a zone says in its properties, read strictly and written back the same.

use model::{Direction, Geometry, LegalBasis, Timestamp, Zone, ZoneId, ZoneKind, ZoneRule, check_rules};
use serde_json::{Map, Value, json};

use crate::fault::all_or_nothing;
use crate::geometry::{self, Each, Extents, Frame};
use crate::reader::{Reader, STRANGE_MAX};
use crate::{Crs, Fault, decode_text, rules};

/// Most features of one file.
pub const ZONES_MAX: usize = 10_000;
/// Longest name, in characters.
const NAME_MAX: usize = 200;
/// Longest text about a zone, in characters.
const TEXT_MAX: usize = 2_000;

/// Properties that a zone may have. The last three are the server's: they are written, and ignored when they come back.
const PROPERTIES: [&str; 15] = [
    "name",
    "kind",
    "rules",
    "half_width_m",
    "radius_m",
    "direction",
    "valid_from",
    "valid_to",
    "legal_basis",
    "place",
    "detour",
    "source_crs",
    "revision",
    "recorded_at",
    "drafted_by",
];

/// A zone as it is drawn: no revision yet, and an identity only when the feature names one.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneDraft {
    /// The feature's `id`: a revision of this zone.
    pub id: Option<ZoneId>,
    /// Its name; the Chinese term of its kind when the feature has none.
    pub name: String,
    /// What it is; `custom` when the feature does not say.
    pub kind: ZoneKind,
    /// Where it is, WGS-84, checked by the geofence.
    pub geometry: Geometry,
    /// What is asked there; empty for a zone that is only watched.
    pub rules: Vec<ZoneRule>,
    /// The system that it was drawn in.
    pub source_crs: Crs,
    /// The document behind it.
    pub legal: LegalBasis,
    /// The place as the document says it.
    pub place: String,
    /// The way around it.
    pub detour: String,
    /// From when it binds.
    pub valid_from: Option<Timestamp>,
    /// Until when it binds, exclusive.
    pub valid_to: Option<Timestamp>,
}

impl ZoneDraft {
    /// The zone under that identity and revision. Its `recorded_at` is the registry's to set.
    #[must_use]
    pub fn into_zone(self, id: ZoneId, revision: u32) -> Zone {
        Zone {
            id,
            revision,
            name: self.name,
            kind: self.kind,
            geometry: self.geometry,
            rules: self.rules,
            source_crs: self.source_crs.name().to_owned(),
            legal: self.legal,
            place: self.place,
            detour: self.detour,
            drafted_by: None,
            valid_from: self.valid_from,
            valid_to: self.valid_to,
            recorded_at: Timestamp::default(),
        }
    }

    /// Whether a recorded zone says the same, whatever its identity and revision.
    #[must_use]
    pub fn says_the_same_as(&self, zone: &Zone) -> bool {
        self.name == zone.name
            && self.kind == zone.kind
            && self.geometry == zone.geometry
            && self.rules == zone.rules
            && self.source_crs.name() == zone.source_crs
            && self.legal == zone.legal
            && self.place == zone.place
            && self.detour == zone.detour
            && (self.valid_from, self.valid_to) == (zone.valid_from, zone.valid_to)
    }
}

/// Reads a feature, its coordinates in the frame's system, where they must lie. With [`Crs::Wgs84`] the property `source_crs` is kept as it is, so that
/// a zone that was read can be written back.
///
/// # Errors
/// Everything that is wrong with it, each with its member or property.
pub fn read_zone(feature: &Value, frame: impl Into<Frame>) -> Result<ZoneDraft, Vec<Fault>> {
    let frame = frame.into();
    let object = feature.as_object().ok_or_else(|| vec![Fault::whole("a zone must be a GeoJSON Feature")])?;
    let mut faults = Vec::new();
    if object.get("type").and_then(Value::as_str) != Some("Feature") {
        faults.push(Fault::field("type", "must be \"Feature\""));
    }
    let known = ["type", "id", "geometry", "properties", "bbox"];
    let strange = object.keys().filter(|key| !known.contains(&key.as_str()));
    faults.extend(strange.take(STRANGE_MAX).map(|key| Fault::field(key, "unknown member")));
    let none = Map::new();
    let properties = match object.get("properties") {
        Some(Value::Object(properties)) => properties,
        Some(Value::Null) | None => &none,
        Some(_) => {
            faults.push(Fault::field("properties", "must be an object"));
            &none
        }
    };
    let id = object.get("id").filter(|id| !id.is_null());
    let parsed = id.and_then(Value::as_str).and_then(|text| text.parse().ok());
    if id.is_some() && parsed.is_none() {
        faults.push(Fault::field("id", "must be the id of a zone (z_...), or absent for a new one"));
    }
    let mut reader = Reader::new("properties", properties);
    let draft = read_draft(&mut reader, parsed, object.get("geometry").unwrap_or(&Value::Null), &frame);
    faults.extend(reader.faults);
    match draft {
        Some(draft) if faults.is_empty() => Ok(draft),
        _ => Err(faults),
    }
}

fn read_draft(reader: &mut Reader<'_>, id: Option<ZoneId>, shape: &Value, frame: &Frame) -> Option<ZoneDraft> {
    reader.only(&PROPERTIES);
    let kinds = ZoneKind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    let kind = reader.choice("kind", ZoneKind::from_name, &kinds).unwrap_or(ZoneKind::Custom);
    let name = reader.text("name", NAME_MAX).filter(|name| !name.is_empty());
    let rules = rules::read(reader, kind);
    if let Err(fault) = check_rules(&rules) {
        reader.fault(&fault.field, fault.message);
    }
    let extents = read_extents(reader);
    let source = reader.choice("source_crs", Crs::from_name, "wgs84, cgcs2000, gcj02, bd09");
    let legal = read_legal(reader);
    let (valid_from, valid_to) = (reader.time("valid_from"), reader.time("valid_to"));
    if let (Some(from), Some(to)) = (valid_from, valid_to)
        && from >= to
    {
        reader.fault("valid_to", "must be after valid_from");
    }
    let place = reader.text("place", TEXT_MAX).unwrap_or_default();
    let detour = reader.text("detour", TEXT_MAX).unwrap_or_default();
    let geometry = geometry::read(shape, &extents, frame).map_err(|fault| reader.faults.push(fault)).ok()?;
    Some(ZoneDraft {
        id,
        name: name.unwrap_or_else(|| kind.name_zh().to_owned()),
        kind,
        geometry,
        rules,
        source_crs: if frame.crs == Crs::Wgs84 { source.unwrap_or_default() } else { frame.crs },
        legal,
        place,
        detour,
        valid_from,
        valid_to,
    })
}

fn read_extents(reader: &mut Reader<'_>) -> Extents {
    let radius = reader.get("radius_m").map(Value::as_f64);
    if radius == Some(None) {
        reader.fault("radius_m", "must be a number of metres");
    }
    let direction = |value: &Value| value.as_str().and_then(Direction::from_name);
    Extents {
        half_width_m: read_each(reader, "half_width_m", Value::as_f64, "a number of metres"),
        radius_m: radius.flatten(),
        direction: read_each(reader, "direction", direction, "one of both, forward, backward"),
    }
}

fn read_each<T>(
    reader: &mut Reader<'_>,
    member: &str,
    read: impl Fn(&Value) -> Option<T>,
    what: &str,
) -> Option<Each<T>> {
    let value = reader.get(member)?;
    let each = match value {
        Value::Array(list) => list.iter().map(&read).collect::<Option<Vec<_>>>().map(Each::List),
        one => read(one).map(Each::All),
    };
    if each.is_none() {
        reader.fault(member, format!("must be {what}, or a list of them"));
    }
    each
}

/// A title, or all that identifies a document.
fn read_legal(reader: &mut Reader<'_>) -> LegalBasis {
    if reader.get("legal_basis").is_some_and(Value::is_string) {
        return LegalBasis::titled(reader.text("legal_basis", TEXT_MAX).unwrap_or_default());
    }
    let document = reader.one("legal_basis", |path, value| {
        let mut reader = Reader::of(path, value).map_err(|fault| vec![fault])?;
        reader.only(&["issuer", "number", "title", "url"]);
        let mut text = |member| reader.text(member, TEXT_MAX).unwrap_or_default();
        let legal =
            LegalBasis { issuer: text("issuer"), number: text("number"), title: text("title"), url: text("url") };
        reader.finish(legal)
    });
    document.unwrap_or_default()
}

/// Reads a feature collection, or one feature, all or nothing.
///
/// # Errors
/// Every bad feature with its number, from 1, and everything that is wrong with it.
pub fn read_zones(bytes: &[u8], frame: impl Into<Frame>) -> Result<Vec<ZoneDraft>, Vec<Fault>> {
    let frame = frame.into();
    let text = decode_text(bytes).map_err(|fault| vec![fault])?;
    let root: Value = serde_json::from_str(&text).map_err(|e| vec![Fault::whole(format!("no JSON: {e}"))])?;
    let features = match root.get("type").and_then(Value::as_str) {
        Some("Feature") => std::slice::from_ref(&root),
        Some("FeatureCollection") => {
            check_declared_crs(&root)?;
            let list = root.get("features").and_then(Value::as_array);
            list.ok_or_else(|| vec![Fault::field("features", "must be a list")])?
        }
        _ => return Err(vec![Fault::field("type", "must be \"FeatureCollection\" or \"Feature\"")]),
    };
    if features.len() > ZONES_MAX {
        return Err(vec![Fault::whole(format!("{} features, at most {ZONES_MAX} are taken", features.len()))]);
    }
    all_or_nothing((1..).zip(features.iter().map(|feature| read_zone(feature, frame))))
}

/// The `crs` member of older GeoJSON, as desktop software still writes it: a system other than longitude and latitude
/// in WGS-84 or CGCS2000 would be kept in the wrong place.
pub(crate) fn check_declared_crs(root: &Value) -> Result<(), Vec<Fault>> {
    let Some(crs) = root.get("crs").filter(|crs| !crs.is_null()) else { return Ok(()) };
    let name = crs.pointer("/properties/name").and_then(Value::as_str).unwrap_or_default();
    if ["CRS84", "EPSG::4326", "EPSG:4326", "EPSG::4490", "EPSG:4490"].iter().any(|known| name.ends_with(known)) {
        return Ok(());
    }
    Err(vec![Fault::field("crs", format!("{name:?} is none of CRS84, EPSG:4326, EPSG:4490: convert the file"))])
}

/// A zone as a feature, its coordinates in `crs`.
#[must_use]
pub fn write_zone(zone: &Zone, crs: Crs) -> Value {
    let mut properties = json!({
        "name": zone.name,
        "kind": zone.kind.name(),
        "rules": zone.rules.iter().map(rules::write).collect::<Vec<_>>(),
        "valid_from": zone.valid_from.map(|t| t.to_string()),
        "valid_to": zone.valid_to.map(|t| t.to_string()),
        "legal_basis": {
            "issuer": zone.legal.issuer,
            "number": zone.legal.number,
            "title": zone.legal.title,
            "url": zone.legal.url,
        },
        "place": zone.place,
        "detour": zone.detour,
        "source_crs": zone.source_crs,
        "revision": zone.revision,
        "recorded_at": zone.recorded_at.to_string(),
        "drafted_by": zone.drafted_by,
    });
    match &zone.geometry {
        Geometry::Polygon(_) => {}
        Geometry::Circle { radius_m, .. } => properties["radius_m"] = json!(radius_m),
        Geometry::Corridor { half_width_m, direction, .. } => {
            properties["half_width_m"] = json!(half_width_m);
            properties["direction"] = json!(direction.name());
        }
        Geometry::Corridors(list) => {
            properties["half_width_m"] = one_or_each(list.iter().map(|c| json!(c.half_width_m)).collect());
            properties["direction"] = one_or_each(list.iter().map(|c| json!(c.direction.name())).collect());
        }
    }
    json!({
        "type": "Feature",
        "id": zone.id.to_string(),
        "geometry": geometry::write(&zone.geometry, crs),
        "properties": properties,
    })
}

/// The value that all have, or the list.
fn one_or_each(list: Vec<Value>) -> Value {
    match list.split_first() {
        Some((first, rest)) if rest.iter().all(|other| other == first) => first.clone(),
        _ => Value::Array(list),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(extra: &str) -> String {
        format!(
            r#"{{"type":"Feature","geometry":{{"type":"Polygon","coordinates":
            [[[103.8,25.5],[103.81,25.5],[103.81,25.51],[103.8,25.51],[103.8,25.5]]]}},
            "properties":{{"rules":[{{"type":"forbidden"}}]{extra}}}}}"#
        )
    }

    fn with(geometry: &str, properties: &str) -> String {
        format!(r#"{{"type":"Feature","geometry":{geometry},"properties":{properties}}}"#)
    }

    #[test]
    fn the_least_zone() {
        let drafts = read_zones(square("").as_bytes(), Crs::Wgs84).unwrap();
        assert!(matches!(&drafts[0].geometry, Geometry::Polygon(area) if area.0.len() == 1));
        assert_eq!((drafts[0].kind, drafts[0].name.as_str()), (ZoneKind::Custom, "自定义"));
        assert_eq!(drafts[0].rules, [ZoneRule::forbidden()]);
    }

    #[test]
    fn zones_come_back_as_they_were_written() {
        let line = r#"{"type":"LineString","coordinates":[[103.8,25.5],[103.82,25.5]]}"#;
        let point = r#"{"type":"Point","coordinates":[103.8,25.5,1900]}"#;
        for feature in [
            square(
                r#","name":"桥","kind":"very_large_bridge","valid_from":"2026-01-01T00:00:00+08:00","valid_to":null"#,
            ),
            with(line, r#"{"half_width_m":12.5,"direction":"backward","legal_basis":"云交发〔2020〕1号"}"#),
            with(point, r#"{"radius_m":500,"source_crs":"gcj02"}"#),
        ] {
            let draft = read_zone(&serde_json::from_str(&feature).unwrap(), Crs::Wgs84).expect(&feature);
            let zone = draft.clone().into_zone(ZoneId(7), 3);
            let again = read_zone(&write_zone(&zone, Crs::Wgs84), Crs::Wgs84).expect("as written");
            assert_eq!(again.id, Some(ZoneId(7)));
            assert!(again.says_the_same_as(&zone), "{feature}");
            assert_eq!(write_zone(&again.into_zone(ZoneId(7), 3), Crs::Wgs84), write_zone(&zone, Crs::Wgs84));
        }
    }

    #[test]
    fn drawings_in_other_systems_are_converted() {
        let point: Value = serde_json::from_str(&with(
            r#"{"type":"Point","coordinates":[113.9171764808363,22.540796131694766]}"#,
            r#"{"radius_m":10}"#,
        ))
        .unwrap();
        let draft = read_zone(&point, Crs::Gcj02).unwrap();
        assert_eq!(draft.source_crs, Crs::Gcj02);
        let zone = draft.into_zone(ZoneId(1), 1);
        let Geometry::Circle { centre, .. } = zone.geometry else { panic!("a circle") };
        assert!((centre.x - 113.912_316).abs() < 1e-8 && (centre.y - 22.543_847).abs() < 1e-8);
        let shown = write_zone(&zone, Crs::Gcj02);
        assert_eq!(shown.pointer("/geometry/coordinates"), Some(&json!([113.917_176_5, 22.540_796_1])));
    }

    #[test]
    fn refusals_are_drawn_where_they_are() {
        for (geometry, properties, drawn) in [
            (
                r#"{"type":"Polygon","coordinates":[[[103.8,25.5],[103.9,25.6],[103.9,25.5],[103.8,25.6],[103.8,25.5]]]}"#,
                "{}",
                json!({"type": "MultiLineString", "coordinates": [[[103.8, 25.5], [103.9, 25.6]], [[103.9, 25.5], [103.8, 25.6]]]}),
            ),
            (
                r#"{"type":"MultiLineString","coordinates":[[[103.8,25.5],[103.9,25.5]],[[103.8,25.5],[2.35,48.85]]]}"#,
                r#"{"half_width_m":5}"#,
                json!({"type": "Point", "coordinates": [2.35, 48.85]}),
            ),
            (
                r#"{"type":"Polygon","coordinates":[[[103.8,25.5],[103.9,25.5],[103.9,25.6],[103.8,25.5]],[[1.8,25.5],[1.9,25.5],[1.9,25.6],[1.8,25.5]]]}"#,
                "{}",
                json!({"type": "LineString", "coordinates": [[1.8, 25.5], [1.9, 25.5], [1.9, 25.6], [1.8, 25.5]]}),
            ),
        ] {
            let feature: Value = serde_json::from_str(&with(geometry, properties)).unwrap();
            let faults = read_zone(&feature, Crs::Wgs84).expect_err(geometry);
            assert_eq!(faults[0].drawn.as_deref(), Some(&drawn), "{faults:?}");
        }
        let swapped = with(r#"{"type":"Point","coordinates":[25.5,103.8]}"#, r#"{"radius_m":9}"#);
        let faults = read_zone(&serde_json::from_str(&swapped).unwrap(), Crs::Gcj02).unwrap_err();
        let drawn = faults[0].drawn.as_deref();
        assert_eq!(drawn, Some(&json!({"type": "Point", "coordinates": [25.5, 103.8]})), "in the system of the file");
    }

    #[test]
    fn faults_name_their_place() {
        let point = r#"{"type":"Point","coordinates":[103.8,25.5]}"#;
        let bowtie = r#"{"type":"Polygon","coordinates":[[[0,0],[1,1],[1,0],[0,1],[0,0]]]}"#;
        for (feature, expect) in [
            (square(r#","max_speed":3"#), "properties.max_speed: unknown property"),
            (square(r#","kind":"bridge""#), "properties.kind: \"bridge\" is none of very_large_bridge"),
            (square(r#","radius_m":3"#), "properties.radius_m: goes with a Point only"),
            (square(r#","name":7"#), "properties.name: must be a text"),
            (square(r#","valid_from":"2026-01-01""#), "properties.valid_from: not an RFC 3339 time"),
            (
                square(r#","valid_from":"2026-01-02T00:00:00Z","valid_to":"2026-01-01T00:00:00Z""#),
                "properties.valid_to: must be after valid_from",
            ),
            (with(point, "{}"), "properties.radius_m: is missing"),
            (with(point, r#"{"radius_m":-1}"#), "properties.radius_m: radius of -1 m"),
            (with(point, r#"{"radius_m":1,"rules":[{"type":"slow"}]}"#), "properties.rules[0].type: must be"),
            (
                with(point, r#"{"radius_m":1,"rules":[{"type":"forbidden","kmh":1}]}"#),
                "properties.rules[0].kmh: unknown property",
            ),
            (with(r#"{"type":"Point","coordinates":[1]}"#, r#"{"radius_m":1}"#), "geometry.coordinates: must be [long"),
            (with(r#"{"type":"Curve"}"#, "{}"), "geometry.type: \"Curve\" is none of"),
            (with(bowtie, "{}"), "geometry.coordinates: part 0, ring 0, vertex 0: the edge from here meets"),
            (
                with(r#"{"type":"Point","coordinates":[25.5,103.8]}"#, r#"{"radius_m":9}"#),
                "geometry.coordinates: part 0, ring 0, vertex 0: 25.5, 103.8 has its axes swapped",
            ),
            (
                with(r#"{"type":"Point","coordinates":[2.35,48.85]}"#, r#"{"radius_m":9}"#),
                "geometry.coordinates: part 0, ring 0, vertex 0: 2.35, 48.85 lies outside the region 72,0.8,138,56",
            ),
            (
                with(r#"{"type":"Polygon","coordinates":[[[103.8,25.5],[103.81,25.5],[103.81,25.5000045]]]}"#, "{}"),
                "geometry.coordinates: part 0 is too small: 0.5",
            ),
            (
                with(
                    r#"{"type":"MultiLineString","coordinates":[[[103.8,25.5],[103.9,25.5]]]}"#,
                    r#"{"half_width_m":[1,2]}"#,
                ),
                "properties.half_width_m: must be one for all lines, or a list of 1",
            ),
            (square(r#","legal_basis":{"title":"t","page":3}"#), "properties.legal_basis.page: unknown property"),
            (with("null", "[]"), "properties: must be an object"),
            (r#"{"type":"Feature","style":1}"#.to_owned(), "style: unknown member"),
        ] {
            let faults = read_zone(&serde_json::from_str(&feature).unwrap(), Crs::Wgs84).expect_err(&feature);
            assert!(faults.iter().any(|f| f.to_string().starts_with(expect)), "{feature}: {faults:?}");
        }
    }

    #[test]
    fn collections_are_taken_whole_or_not_at_all() {
        let collection = |middle: &str| {
            format!(
                r#"{{"type":"FeatureCollection","name":"x","crs":{{"properties":{{"name":"urn:ogc:def:crs:OGC:1.3:CRS84"}}}},
                "features":[{},{middle},{}]}}"#,
                square(""),
                square("")
            )
        };
        assert_eq!(read_zones(collection(&square("")).as_bytes(), Crs::Wgs84).map(|d| d.len()), Ok(3));
        let faults = read_zones(collection(&square(r#","a":1,"b":2"#)).as_bytes(), Crs::Wgs84).unwrap_err();
        assert_eq!(faults.iter().map(|f| f.row).collect::<Vec<_>>(), [Some(2), Some(2)]);
        for bad in ["", "[]", r#"{"type":"FeatureCollection"}"#] {
            assert!(read_zones(bad.as_bytes(), Crs::Wgs84).is_err(), "{bad}");
        }
        let utm = r#"{"type":"FeatureCollection","crs":{"properties":{"name":"EPSG:32648"}},"features":[]}"#;
        assert_eq!(read_zones(utm.as_bytes(), Crs::Wgs84).unwrap_err()[0].field.as_deref(), Some("crs"));
    }
}
