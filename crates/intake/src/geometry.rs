//! The geometry of a zone as GeoJSON (RFC 7946): polygons, lines with a half width, a point with a radius.

use geo_types::{LineString, MultiPolygon, Polygon};
use geofence::{At, Extent, Point, Shape, ShapeError, distance_m};
use model::{Coord, Corridor, Direction, Geometry, Region};
use serde_json::{Value, json};

use crate::drawing::Pen;
use crate::{Crs, Fault};

/// Narrower than this no receiver can tell inside from outside, metres.
const ACROSS_MIN_M: f64 = 1.0;

/// How coordinates are to be understood: in which system they are, and where they must lie.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Frame {
    /// The system.
    pub crs: Crs,
    /// The region.
    pub region: Region,
}

impl From<Crs> for Frame {
    fn from(crs: Crs) -> Self {
        Self { crs, region: Region::default() }
    }
}

/// What the properties say about the geometry, metres. Of several lines each may have its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extents {
    pub(crate) half_width_m: Option<Each<f64>>,
    pub(crate) radius_m: Option<f64>,
    pub(crate) direction: Option<Each<Direction>>,
}

/// One value for all lines, or one for each.
#[derive(Clone, Debug)]
pub(crate) enum Each<T> {
    All(T),
    List(Vec<T>),
}

impl<T: Copy> Each<T> {
    fn of(&self, line: usize) -> Option<T> {
        match self {
            Self::All(value) => Some(*value),
            Self::List(list) => list.get(line).copied(),
        }
    }

    fn fits(&self, lines: usize) -> bool {
        matches!(self, Self::List(list) if list.len() == lines) || matches!(self, Self::All(_))
    }
}

/// The shapes of a geometry: one, or one for each corridor.
///
/// # Errors
/// What is wrong with it, with part, ring and vertex; the part of several corridors is the corridor.
pub fn shapes(geometry: &Geometry) -> Result<Vec<Shape>, ShapeError> {
    match geometry {
        Geometry::Polygon(area) => Ok(vec![Shape::polygon(area)?]),
        Geometry::Circle { centre, radius_m } => Ok(vec![Shape::circle(Point::new(centre.x, centre.y), *radius_m)?]),
        Geometry::Corridor { axis, half_width_m, direction } => Ok(vec![corridor(axis, *half_width_m, *direction)?]),
        Geometry::Corridors(list) if list.is_empty() => Err(ShapeError::Empty),
        Geometry::Corridors(list) => {
            let shapes = list.iter().enumerate();
            shapes.map(|(i, c)| corridor(&c.axis, c.half_width_m, c.direction).map_err(|e| of_part(e, i))).collect()
        }
    }
}

/// The error of one corridor as one of several.
fn of_part(error: ShapeError, part: usize) -> ShapeError {
    match error {
        ShapeError::NotFinite { at } => ShapeError::NotFinite { at: At { part, ..at } },
        ShapeError::OutOfRange { at, lon, lat } => ShapeError::OutOfRange { at: At { part, ..at }, lon, lat },
        ShapeError::TooFewVertices { ring, distinct, needed, .. } => {
            ShapeError::TooFewVertices { part, ring, distinct, needed }
        }
        other => other,
    }
}

fn corridor(axis: &LineString<f64>, half_width_m: f64, direction: Direction) -> Result<Shape, ShapeError> {
    let direction = match direction {
        Direction::Both => geofence::Direction::Both,
        Direction::Forward => geofence::Direction::Forward,
        Direction::Backward => geofence::Direction::Backward,
    };
    Shape::corridor(axis, half_width_m, direction)
}

/// Every vertex with its place.
fn vertices(geometry: &Geometry) -> Vec<(At, Coord)> {
    let line = |part, ring, line: &LineString<f64>| {
        line.0.iter().enumerate().map(|(vertex, c)| (At { part, ring, vertex }, *c)).collect::<Vec<_>>()
    };
    match geometry {
        Geometry::Polygon(area) => {
            let rings = area.0.iter().enumerate().flat_map(|(part, polygon)| {
                let rings = std::iter::once(polygon.exterior()).chain(polygon.interiors());
                rings.enumerate().map(move |(ring, line)| (part, ring, line))
            });
            rings.flat_map(|(part, ring, ring_line)| line(part, ring, ring_line)).collect()
        }
        Geometry::Circle { centre, .. } => vec![(At { part: 0, ring: 0, vertex: 0 }, *centre)],
        Geometry::Corridor { axis, .. } => line(0, 0, axis),
        Geometry::Corridors(list) => list.iter().enumerate().flat_map(|(part, c)| line(part, 0, &c.axis)).collect(),
    }
}

/// Whether the geometry lies where zones lie, and judgement can work with it.
pub(crate) fn check(geometry: &Geometry, frame: &Frame) -> Result<(), Fault> {
    let (path, region) = ("geometry.coordinates", &frame.region);
    let pen = Pen { geometry, crs: frame.crs };
    let stray = vertices(geometry).into_iter().find(|(_, c)| !region.contains(*c));
    if let Some((at, c)) = stray.filter(|(_, c)| region.contains(Coord { x: c.y, y: c.x })) {
        let message = format!("{at}: {}, {} has its axes swapped: longitude comes first", c.x, c.y);
        return Err(Fault::field(path, message).drawn(pen.vertex(at)));
    }
    let refused = |error: ShapeError| Fault::field(blamed(&error), &error).drawn(pen.error(&error));
    let shapes = shapes(geometry).map_err(refused)?;
    if let Some((at, c)) = stray {
        let message = format!("{at}: {}, {} lies outside the region {region}", c.x, c.y);
        return Err(Fault::field(path, message).drawn(pen.vertex(at)));
    }
    let parts: Vec<f64> = match geometry {
        Geometry::Polygon(area) => area.0.iter().map(|part| across_m(part.exterior())).collect(),
        Geometry::Circle { radius_m, .. } => vec![2.0 * radius_m],
        _ => shapes.iter().filter_map(Shape::axis_length_m).collect(),
    };
    match parts.into_iter().enumerate().find(|(_, across)| *across < ACROSS_MIN_M) {
        Some((part, across)) => {
            let message = format!("part {part} is too small: {across:.2} m across, at least {ACROSS_MIN_M} m");
            Err(Fault::field(path, message).drawn(pen.ring(part, 0)))
        }
        None => Ok(()),
    }
}

/// The shorter side of the box around a ring.
fn across_m(ring: &LineString<f64>) -> f64 {
    let far = (f64::INFINITY, f64::NEG_INFINITY);
    let reach = |of: fn(&Coord) -> f64| ring.0.iter().map(of).fold(far, |(lo, hi), v| (lo.min(v), hi.max(v)));
    let ((west, east), (south, north)) = (reach(|c| c.x), reach(|c| c.y));
    let (x, y) = ((west + east) / 2.0, (south + north) / 2.0);
    let width = distance_m(Point::new(west, y), Point::new(east, y));
    width.min(distance_m(Point::new(x, south), Point::new(x, north)))
}

pub(crate) fn read(value: &Value, extents: &Extents, frame: &Frame) -> Result<Geometry, Fault> {
    let geometry = read_raw(value, extents, frame.crs)?;
    check(&geometry, frame).map(|()| geometry)
}

/// The member or property that a refusal is about.
const fn blamed(error: &ShapeError) -> &'static str {
    match error {
        ShapeError::ExtentOutOfRange { extent: Extent::Radius, .. } => "properties.radius_m",
        ShapeError::ExtentOutOfRange { extent: Extent::HalfWidth, .. } => "properties.half_width_m",
        _ => "geometry.coordinates",
    }
}

fn read_raw(value: &Value, extents: &Extents, crs: Crs) -> Result<Geometry, Fault> {
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
            let axis = line(coordinates, path, crs)?;
            let mut corridors = corridors(vec![axis], extents)?;
            let Some(Corridor { axis, half_width_m, direction }) = corridors.pop() else {
                return Err(Fault::field(path, "has no line"));
            };
            Ok(Geometry::Corridor { axis, half_width_m, direction })
        }
        "MultiLineString" => {
            let lines = items(coordinates, path)?.iter().enumerate();
            let lines: Result<Vec<_>, _> = lines.map(|(i, part)| line(part, &format!("{path}[{i}]"), crs)).collect();
            corridors(lines?, extents).map(Geometry::Corridors)
        }
        "Point" => {
            let radius_m = extents
                .radius_m
                .ok_or_else(|| Fault::field("properties.radius_m", "is missing: a Point with it is a circle"))?;
            Ok(Geometry::Circle { centre: position(coordinates, path, crs)?, radius_m })
        }
        other => {
            let message = format!("{other:?} is none of Polygon, MultiPolygon, LineString, MultiLineString, Point");
            Err(Fault::field("geometry.type", message))
        }
    }
}

fn corridors(lines: Vec<LineString<f64>>, extents: &Extents) -> Result<Vec<Corridor>, Fault> {
    let Some(half_width) = &extents.half_width_m else {
        return Err(Fault::field("properties.half_width_m", "is missing: a LineString with it is a corridor"));
    };
    let both = Each::All(Direction::Both);
    let direction = extents.direction.as_ref().unwrap_or(&both);
    for (name, fits) in [("half_width_m", half_width.fits(lines.len())), ("direction", direction.fits(lines.len()))] {
        if !fits {
            let message = format!("must be one for all lines, or a list of {}", lines.len());
            return Err(Fault::field(format!("properties.{name}"), message));
        }
    }
    let corridor = |(i, axis)| {
        let (half_width_m, direction) = (half_width.of(i)?, direction.of(i)?);
        Some(Corridor { axis, half_width_m, direction })
    };
    Ok(lines.into_iter().enumerate().filter_map(corridor).collect())
}

fn refuse_strange_extents(kind: &str, extents: &Extents) -> Result<(), Fault> {
    let is_line = matches!(kind, "LineString" | "MultiLineString");
    let strange = [
        ("half_width_m", extents.half_width_m.is_some() && !is_line, "LineString"),
        ("direction", extents.direction.is_some() && !is_line, "LineString"),
        ("radius_m", extents.radius_m.is_some() && kind != "Point", "Point"),
    ];
    match strange.iter().find(|(_, strange, _)| *strange) {
        Some((name, _, only)) => Err(Fault::field(format!("properties.{name}"), format!("goes with a {only} only"))),
        None => Ok(()),
    }
}

pub(crate) fn items<'a>(value: &'a Value, path: &str) -> Result<&'a Vec<Value>, Fault> {
    value.as_array().ok_or_else(|| Fault::field(path, "must be an array"))
}

fn polygon(value: &Value, path: &str, crs: Crs) -> Result<Polygon<f64>, Fault> {
    let rings = items(value, path)?.iter().enumerate();
    let rings: Result<Vec<_>, _> = rings.map(|(i, ring)| line(ring, &format!("{path}[{i}]"), crs)).collect();
    let mut rings = rings?.into_iter();
    let outer = rings.next().ok_or_else(|| Fault::field(path, "has no ring"))?;
    Ok(Polygon::new(outer, rings.collect()))
}

pub(crate) fn line(value: &Value, path: &str, crs: Crs) -> Result<LineString<f64>, Fault> {
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
        Geometry::Corridors(list) => {
            json!({"type": "MultiLineString", "coordinates": list.iter().map(|c| line(&c.axis)).collect::<Vec<_>>()})
        }
    }
}
