//! The geometry of a zone as GeoJSON (RFC 7946): polygons, a line with a half width, a point with a radius.

use geo_types::{LineString, MultiPolygon, Polygon};
use geofence::{Extent, Point, Shape, ShapeError};
use model::{Coord, Direction, Geometry};
use serde_json::{Value, json};

use crate::{Crs, Fault};

/// What the properties say about the geometry, metres.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extents {
    pub(crate) half_width_m: Option<f64>,
    pub(crate) radius_m: Option<f64>,
    pub(crate) direction: Option<Direction>,
}

/// Whether judgement can work with the geometry.
///
/// # Errors
/// What is wrong with it, with part, ring and vertex.
pub fn check_geometry(geometry: &Geometry) -> Result<(), ShapeError> {
    match geometry {
        Geometry::Polygon(area) => Shape::polygon(area),
        Geometry::Circle { centre, radius_m } => Shape::circle(Point::new(centre.x, centre.y), *radius_m),
        Geometry::Corridor { axis, half_width_m, direction } => {
            let direction = match direction {
                Direction::Both => geofence::Direction::Both,
                Direction::Forward => geofence::Direction::Forward,
                Direction::Backward => geofence::Direction::Backward,
            };
            Shape::corridor(axis, *half_width_m, direction)
        }
    }
    .map(drop)
}

pub(crate) fn read(value: &Value, extents: Extents, crs: Crs) -> Result<Geometry, Fault> {
    let geometry = read_raw(value, extents, crs)?;
    match check_geometry(&geometry) {
        Ok(()) => Ok(geometry),
        Err(error) => Err(Fault::field(blamed(&error), error)),
    }
}

/// The member or property that a refusal is about.
const fn blamed(error: &ShapeError) -> &'static str {
    match error {
        ShapeError::ExtentOutOfRange { extent: Extent::Radius, .. } => "properties.radius_m",
        ShapeError::ExtentOutOfRange { extent: Extent::HalfWidth, .. } => "properties.half_width_m",
        _ => "geometry.coordinates",
    }
}

fn read_raw(value: &Value, extents: Extents, crs: Crs) -> Result<Geometry, Fault> {
    let object = value.as_object().ok_or_else(|| Fault::field("geometry", "must be an object"))?;
    if let Some(key) = object.keys().find(|key| !matches!(key.as_str(), "type" | "coordinates" | "bbox")) {
        return Err(Fault::field(format!("geometry.{key}"), "unknown member"));
    }
    let coordinates = object.get("coordinates").unwrap_or(&Value::Null);
    let path = "geometry.coordinates";
    let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
    refuse_strange_extents(kind, extents)?;
    match kind {
        "Polygon" => Ok(Geometry::Polygon(MultiPolygon(vec![polygon(coordinates, path, crs)?]))),
        "MultiPolygon" => {
            let parts = items(coordinates, path)?.iter().enumerate();
            let parts: Result<_, _> = parts.map(|(i, part)| polygon(part, &format!("{path}[{i}]"), crs)).collect();
            Ok(Geometry::Polygon(MultiPolygon(parts?)))
        }
        "LineString" => {
            let half_width_m = extents.half_width_m.ok_or_else(|| {
                Fault::field("properties.half_width_m", "is missing: a LineString with it is a corridor")
            })?;
            let axis = line(coordinates, path, crs)?;
            Ok(Geometry::Corridor { axis, half_width_m, direction: extents.direction.unwrap_or_default() })
        }
        "Point" => {
            let radius_m = extents
                .radius_m
                .ok_or_else(|| Fault::field("properties.radius_m", "is missing: a Point with it is a circle"))?;
            Ok(Geometry::Circle { centre: position(coordinates, path, crs)?, radius_m })
        }
        other => {
            let message = format!("{other:?} is none of Polygon, MultiPolygon, LineString, Point");
            Err(Fault::field("geometry.type", message))
        }
    }
}

fn refuse_strange_extents(kind: &str, extents: Extents) -> Result<(), Fault> {
    let strange = [
        ("half_width_m", extents.half_width_m.is_some(), "LineString"),
        ("direction", extents.direction.is_some(), "LineString"),
        ("radius_m", extents.radius_m.is_some(), "Point"),
    ];
    match strange.iter().find(|(_, given, only)| *given && *only != kind) {
        Some((name, _, only)) => Err(Fault::field(format!("properties.{name}"), format!("goes with a {only} only"))),
        None => Ok(()),
    }
}

fn items<'a>(value: &'a Value, path: &str) -> Result<&'a Vec<Value>, Fault> {
    value.as_array().ok_or_else(|| Fault::field(path, "must be an array"))
}

fn polygon(value: &Value, path: &str, crs: Crs) -> Result<Polygon<f64>, Fault> {
    let rings = items(value, path)?.iter().enumerate();
    let rings: Result<Vec<_>, _> = rings.map(|(i, ring)| line(ring, &format!("{path}[{i}]"), crs)).collect();
    let mut rings = rings?.into_iter();
    let outer = rings.next().ok_or_else(|| Fault::field(path, "has no ring"))?;
    Ok(Polygon::new(outer, rings.collect()))
}

fn line(value: &Value, path: &str, crs: Crs) -> Result<LineString<f64>, Fault> {
    let points = items(value, path)?.iter().enumerate();
    let points: Result<Vec<_>, _> = points.map(|(i, point)| position(point, &format!("{path}[{i}]"), crs)).collect();
    points.map(LineString)
}

/// A position; a third number, the altitude, is allowed and dropped (RFC 7946, 3.1.1).
fn position(value: &Value, path: &str, crs: Crs) -> Result<Coord, Fault> {
    let numbers: Option<Vec<f64>> = value.as_array().and_then(|list| list.iter().map(Value::as_f64).collect());
    match numbers.as_deref() {
        Some([x, y] | [x, y, _]) => Ok(crs.to_wgs84(Coord { x: *x, y: *y })),
        _ => Err(Fault::field(path, "must be [longitude, latitude]")),
    }
}

/// Degrees to 1e-7 (1 cm): what a conversion adds beyond that is noise.
pub(crate) fn degrees(value: f64) -> f64 {
    (value * 1e7).round() / 1e7
}

pub(crate) fn write(geometry: &Geometry, crs: Crs) -> Value {
    let at = |c: &Coord| {
        let c = crs.from_wgs84(*c);
        match crs {
            Crs::Wgs84 | Crs::Cgcs2000 => json!([c.x, c.y]),
            Crs::Gcj02 | Crs::Bd09 => json!([degrees(c.x), degrees(c.y)]),
        }
    };
    let line = |line: &LineString<f64>| Value::Array(line.0.iter().map(at).collect());
    let rings = |part: &Polygon<f64>| {
        Value::Array(std::iter::once(part.exterior()).chain(part.interiors()).map(line).collect())
    };
    match geometry {
        Geometry::Polygon(area) => match area.0.as_slice() {
            [part] => json!({"type": "Polygon", "coordinates": rings(part)}),
            parts => json!({"type": "MultiPolygon", "coordinates": parts.iter().map(rings).collect::<Vec<_>>()}),
        },
        Geometry::Circle { centre, .. } => json!({"type": "Point", "coordinates": at(centre)}),
        Geometry::Corridor { axis, .. } => json!({"type": "LineString", "coordinates": line(axis)}),
    }
}
