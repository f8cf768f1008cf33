//! Zones as a shapefile packed as ZIP: each shape is a zone, its attributes are what GeoJSON has in the properties.

use std::io::Cursor;

use serde_json::{Map, Value, json};
use shapefile::record::polygon::PolygonRing;
use shapefile::record::traits::HasXY;
use shapefile::{Shape, ShapeReader};

use crate::archive::{self, is_archive};
use crate::dbf::{Cells, Table};
use crate::fault::all_or_nothing;
use crate::table::parse_time;
use crate::zones::{ZONES_MAX, ZoneDraft, read_zone};
use crate::{Crs, Fault, Frame};

/// Attributes that programs add by themselves.
const MACHINE: [&str; 7] = ["id", "fid", "objectid", "objectid_1", "shape_leng", "shape_le_1", "shape_area"];

/// Reads the shapes of the one shapefile in an archive (`.shp`, `.dbf` and, where there is one, `.prj`), all or nothing.
/// A name of a column has 10 characters: `half_width` is `half_width_m`; `title`, `issuer`, `number` and `url` are the
/// legal basis; `id` counts when it is that of a zone; `rules` is JSON.
///
/// # Errors
/// Every bad shape with its number, from 1, and everything that is wrong with it.
pub fn read_shapefile_zones(bytes: &[u8], frame: impl Into<Frame>) -> Result<Vec<ZoneDraft>, Vec<Fault>> {
    let frame = frame.into();
    let files = unpack(bytes).map_err(|fault| vec![fault])?;
    let drawn_in = files.crs().map_err(|fault| vec![fault])?;
    let refuse = |error: &dyn std::fmt::Display| vec![Fault::whole(format!("no shapefile: {error}"))];
    let mut reader = ShapeReader::new(Cursor::new(&files.shp)).map_err(|error| refuse(&error))?;
    let mut table = Table::open(&files.dbf, files.is_utf8).map_err(|fault| vec![fault])?;
    let mut features = Vec::new();
    for shape in reader.iter_shapes() {
        let shape = shape.map_err(|error| refuse(&error))?;
        let row = table.next().ok_or_else(|| refuse(&"the .dbf file has fewer rows than there are shapes"))?;
        let row = row.map_err(|fault| vec![fault.in_row(features.len() as u64 + 1)])?;
        features.push(row.map(|cells| feature(&shape, cells, drawn_in)));
        if features.len() > ZONES_MAX {
            return Err(vec![Fault::whole(format!("more than {ZONES_MAX} shapes"))]);
        }
    }
    let rows = (1..).zip(features).filter_map(|(row, feature)| Some((row, feature?)));
    all_or_nothing(rows.map(|(row, feature)| {
        let feature = feature.map_err(|fault| vec![fault]);
        (row, feature.and_then(|feature| read_zone(&feature, frame)))
    }))
}

/// What an archive holds of a shapefile.
#[derive(Default)]
struct Files {
    shp: Vec<u8>,
    dbf: Vec<u8>,
    prj: Option<String>,
    is_utf8: bool,
}

fn unpack(bytes: &[u8]) -> Result<Files, Fault> {
    if !is_archive(bytes) {
        return Err(Fault::whole("no archive: a shapefile comes as a ZIP of .shp, .dbf and .prj"));
    }
    let mut archive = archive::open(bytes)?;
    let names = archive::names(&archive);
    let ends_in = |name: &str, end: &str| {
        let at = name.len().saturating_sub(end.len());
        name.get(at..).is_some_and(|tail| tail.eq_ignore_ascii_case(end)) && !name.starts_with("__MACOSX/")
    };
    let mut shapes = names.iter().filter(|name| ends_in(name, ".shp"));
    let (Some(shp), None) = (shapes.next(), shapes.next()) else {
        return Err(Fault::whole("the archive must hold one .shp file"));
    };
    let stem = shp.get(..shp.len() - 4).unwrap_or_default();
    let mut beside = |end: &str| {
        let index = names.iter().position(|name| ends_in(name, end) && name.get(..name.len() - 4) == Some(stem));
        index.map(|index| archive::unpack(&mut archive, index)).transpose()
    };
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let shp = beside(".shp")?.unwrap_or_default();
    let dbf = beside(".dbf")?.ok_or_else(|| Fault::whole("the archive holds no .dbf file beside the .shp file"))?;
    let is_utf8 = beside(".cpg")?.map(text).is_some_and(|label| {
        let label = label.to_lowercase();
        label.contains("utf") || label.contains("65001")
    });
    Ok(Files { shp, dbf, prj: beside(".prj")?.map(text), is_utf8 })
}

impl Files {
    /// The system that the `.prj` file names; `None` when there is none. Only degrees are read, and none of the older
    /// systems of China, which lie up to 200 m aside.
    fn crs(&self) -> Result<Option<Crs>, Fault> {
        let Some(text) = &self.prj else { return Ok(None) };
        let plain: String = text.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
        let in_degrees = plain.starts_with("geog");
        if in_degrees && (plain.contains("geodeticcoordinatesystem2000") || plain.contains("cgcs2000")) {
            return Ok(Some(Crs::Cgcs2000));
        }
        if in_degrees && (plain.contains("wgs1984") || plain.contains("wgs84")) {
            return Ok(Some(Crs::Wgs84));
        }
        let name: String = text.split('"').nth(1).unwrap_or(text).chars().take(100).collect();
        Err(Fault::field("crs", format!("{name:?} is neither WGS 84 nor CGCS2000 in degrees: convert the file")))
    }
}

fn feature(shape: &Shape, cells: Cells, drawn_in: Option<Crs>) -> Result<Value, Fault> {
    let (mut properties, mut legal, mut id) = (Map::new(), Map::new(), Value::Null);
    if drawn_in == Some(Crs::Cgcs2000) {
        properties.insert("source_crs".to_owned(), json!(Crs::Cgcs2000.name()));
    }
    for (name, text) in cells {
        let field = |message: String| Fault::field(format!("properties.{name}"), message);
        let json = || serde_json::from_str::<Value>(&text).map_err(|error| field(format!("no JSON: {error}")));
        match name.as_str() {
            "id" if text.starts_with("z_") => id = json!(text),
            machine if MACHINE.contains(&machine) => {}
            "title" | "issuer" | "number" | "url" => {
                legal.insert(name, json!(text));
            }
            "half_width" => {
                properties.insert("half_width_m".to_owned(), json()?);
            }
            "rules" | "radius_m" => {
                let value = json()?;
                properties.insert(name, value);
            }
            "valid_from" | "valid_to" => {
                let time = parse_time(&day(&text)).map_err(|error| field(error.to_string()))?;
                properties.insert(name, json!(time.to_string()));
            }
            _ => {
                properties.insert(name, json!(text));
            }
        }
    }
    if !legal.is_empty() {
        properties.insert("legal_basis".to_owned(), Value::Object(legal));
    }
    Ok(json!({"type": "Feature", "id": id, "geometry": geometry(shape)?, "properties": properties}))
}

/// A date cell (`20261001`) as people write it; any other text as it is.
fn day(text: &str) -> String {
    match (text.get(..4), text.get(4..6), text.get(6..)) {
        (Some(year), Some(month), Some(day)) if text.len() == 8 => format!("{year}-{month}-{day}"),
        _ => text.to_owned(),
    }
}

fn geometry(shape: &Shape) -> Result<Value, Fault> {
    match shape {
        Shape::Point(point) => Ok(json!({"type": "Point", "coordinates": position(point)})),
        Shape::PointM(point) => Ok(json!({"type": "Point", "coordinates": position(point)})),
        Shape::PointZ(point) => Ok(json!({"type": "Point", "coordinates": position(point)})),
        Shape::Polyline(lines) => Ok(polyline(lines.parts())),
        Shape::PolylineM(lines) => Ok(polyline(lines.parts())),
        Shape::PolylineZ(lines) => Ok(polyline(lines.parts())),
        Shape::Polygon(area) => Ok(polygon(area.rings())),
        Shape::PolygonM(area) => Ok(polygon(area.rings())),
        Shape::PolygonZ(area) => Ok(polygon(area.rings())),
        Shape::NullShape => Err(Fault::field("geometry", "is empty")),
        Shape::Multipoint(_) | Shape::MultipointM(_) | Shape::MultipointZ(_) | Shape::Multipatch(_) => {
            Err(Fault::field("geometry.type", format!("a {} is no zone", shape.shapetype())))
        }
    }
}

fn position(point: &impl HasXY) -> Value {
    json!([point.x(), point.y()])
}

fn line(points: &[impl HasXY]) -> Value {
    points.iter().map(position).collect()
}

fn polyline(parts: &[Vec<impl HasXY>]) -> Value {
    match parts {
        [part] => json!({"type": "LineString", "coordinates": line(part)}),
        parts => json!({"type": "MultiLineString", "coordinates": parts.iter().map(|p| line(p)).collect::<Vec<_>>()}),
    }
}

/// Rings lie in any order: a hole belongs to the outer ring around it. One that lies in none was wound the wrong way.
fn polygon<P: HasXY>(rings: &[PolygonRing<P>]) -> Value {
    let mut parts: Vec<Vec<&[P]>> = Vec::new();
    for ring in rings.iter().filter(|ring| matches!(ring, PolygonRing::Outer(_))) {
        parts.push(vec![ring.points()]);
    }
    for ring in rings.iter().filter(|ring| matches!(ring, PolygonRing::Inner(_))) {
        let hole = ring.points();
        let around = |part: &&mut Vec<&[P]>| {
            part.first().zip(hole.first()).is_some_and(|(outer, point)| is_inside(point, outer))
        };
        match parts.iter_mut().find(around) {
            Some(part) => part.push(hole),
            None => parts.push(vec![hole]),
        }
    }
    let mut parts: Vec<Value> = parts.iter().map(|part| part.iter().map(|ring| line(ring)).collect()).collect();
    match parts.len() {
        1 => json!({"type": "Polygon", "coordinates": parts.remove(0)}),
        _ => json!({"type": "MultiPolygon", "coordinates": parts}),
    }
}

/// Whether a ray to the east meets the ring an odd number of times.
fn is_inside<P: HasXY>(point: &P, ring: &[P]) -> bool {
    let crosses = |a: &P, b: &P| {
        (a.y() > point.y()) != (b.y() > point.y())
            && point.x() < a.x() + (point.y() - a.y()) / (b.y() - a.y()) * (b.x() - a.x())
    };
    ring.windows(2).filter(|pair| matches!(pair, [a, b] if crosses(a, b))).count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::pack;
    use crate::dbf::table;
    use model::{Geometry, ZoneKind};
    use shapefile::{Point, Polygon, Polyline, ShapeWriter};

    const CGCS: &str = "GEOGCS[\"GCS_China_Geodetic_Coordinate_System_2000\",DATUM[\"D_China_2000\"]]";

    fn ring(x: f64, y: f64, side: f64) -> Vec<Point> {
        let corners = [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 0.0), (0.0, 0.0)];
        corners.map(|(dx, dy)| Point::new(x + dx * side, y + dy * side)).to_vec()
    }

    fn shp<S: shapefile::record::EsriShape>(shapes: &[S]) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        ShapeWriter::new(&mut bytes).write_shapes(shapes).unwrap();
        bytes.into_inner()
    }

    fn lines() -> Vec<u8> {
        let line = |y: f64| Polyline::new(vec![Point::new(103.8, y), Point::new(103.9, y)]);
        shp(&[line(25.5), line(25.6), line(25.7)])
    }

    #[test]
    fn shapes_become_zones() {
        let rows: [&[&str]; 3] = [&["桥", "bridge_tunnel", "12.5", "通告", "20260101"], &[], &["路", "", "9", "", ""]];
        let fields = [("NAME", 20), ("KIND", 20), ("HALF_WIDTH", 8), ("TITLE", 20), ("VALID_FROM", 8)];
        let dbf = table(&fields, &rows);
        let zip = pack(&[("道路.shp", &lines()), ("道路.DBF", &dbf), ("道路.prj", CGCS.as_bytes())]);
        let zones = read_shapefile_zones(&zip, Crs::Wgs84).unwrap();
        assert_eq!(zones.iter().map(|zone| zone.name.as_str()).collect::<Vec<_>>(), ["桥", "路"]);
        let bridge = &zones[0];
        assert_eq!((bridge.kind, bridge.source_crs), (ZoneKind::BridgeTunnel, Crs::Cgcs2000));
        assert_eq!((bridge.legal.title.as_str(), bridge.valid_from), ("通告", parse_time("2026-01-01").ok()));
        assert!(matches!(&bridge.geometry, Geometry::Corridor { half_width_m, .. } if *half_width_m == 12.5));
    }

    #[test]
    fn holes_find_their_rings() {
        let (mut hole, mut far) = (ring(103.82, 25.52, 0.01), ring(104.82, 25.52, 0.01));
        hole.reverse();
        far.reverse();
        let rings = vec![
            PolygonRing::Inner(far),
            PolygonRing::Outer(ring(103.8, 25.5, 0.1)),
            PolygonRing::Outer(ring(104.8, 25.5, 0.1)),
            PolygonRing::Inner(hole),
        ];
        let zip =
            pack(&[("a/b.shp", &shp(&[Polygon::with_rings(rings)])), ("a/b.dbf", &table(&[("id", 5)], &[&["7"]]))]);
        let zones = read_shapefile_zones(&zip, Crs::Wgs84).unwrap();
        let Geometry::Polygon(area) = &zones[0].geometry else { panic!("an area") };
        assert_eq!(area.0.iter().map(|part| part.interiors().len()).collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn every_bad_shape_is_listed() {
        let rows: [&[&str]; 3] = [&["a", "", ""], &["b", "wide", ""], &["c", "5", "red"]];
        let dbf = table(&[("name", 5), ("half_width", 5), ("colour", 5)], &rows);
        let zip = |prj: &str| pack(&[("a.shp", &lines()), ("a.dbf", &dbf), ("a.prj", prj.as_bytes())]);
        let faults = read_shapefile_zones(&zip(CGCS), Crs::Wgs84).unwrap_err();
        let faults: Vec<_> = faults.iter().map(Fault::to_string).collect();
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(faults[0].starts_with("row 1: properties.half_width_m: is missing"), "{faults:?}");
        assert!(faults[1].starts_with("row 2: properties.half_width: no JSON"), "{faults:?}");
        assert_eq!(faults[2], "row 3: properties.colour: unknown property");
        for prj in ["PROJCS[\"CGCS2000_3_Degree_GK_CM_105E\",GEOGCS[\"x\"]]", "GEOGCS[\"GCS_Xian_1980\"]"] {
            let faults = read_shapefile_zones(&zip(prj), Crs::Wgs84).unwrap_err();
            assert_eq!(faults[0].field.as_deref(), Some("crs"), "{prj}");
        }
        let few = table(&[("name", 5)], &[&["a"]]);
        for files in [vec![("a.shp", lines())], vec![("a.shp", lines()), ("a.dbf", few)], vec![("a.dbf", dbf.clone())]]
        {
            let files: Vec<_> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
            assert!(read_shapefile_zones(&pack(&files), Crs::Wgs84).is_err());
        }
    }

    #[test]
    fn damaged_shapes_are_refused_and_never_more() {
        let (good, dbf) = (lines(), table(&[("half_width", 5)], &[&["5"], &["5"], &["5"]]));
        for at in 0..good.len() {
            for value in [0x00, 0x7f, 0xff] {
                let mut bad = good.clone();
                bad[at] = value;
                let _ = read_shapefile_zones(&pack(&[("a.shp", &bad), ("a.dbf", &dbf)]), Crs::Wgs84);
            }
        }
    }
}
