//! Zones as KML: each placemark is a zone. Its name is the zone's; whatever else a zone says of itself stands in its
//! extended data under the names that GeoJSON has (`kind`, `half_width_m`, ..., `rules` as JSON).

use serde_json::{Map, Value, json};

use crate::archive::{self, is_archive};
use crate::fault::all_or_nothing;
use crate::geometry::Frame;
use crate::xml::{Element, parse};
use crate::zones::{ZONES_MAX, ZoneDraft, read_zone};
use crate::{Fault, decode_text};

/// Reads the placemarks of a document, plain or packed (KMZ), all or nothing. Descriptions, styles and heights are passed over.
///
/// # Errors
/// Every bad placemark with its number, from 1, and everything that is wrong with it.
pub fn read_kml_zones(bytes: &[u8], frame: impl Into<Frame>) -> Result<Vec<ZoneDraft>, Vec<Fault>> {
    let frame = frame.into();
    let unpacked = if is_archive(bytes) { Some(unpack(bytes).map_err(|fault| vec![fault])?) } else { None };
    let text = decode_text(unpacked.as_deref().unwrap_or(bytes)).map_err(|fault| vec![fault])?;
    let root = parse(&text).map_err(|fault| vec![fault])?;
    let mut placemarks = Vec::new();
    gather(root.child("kml").ok_or_else(|| vec![Fault::whole("no KML: there is no kml element")])?, &mut placemarks);
    if placemarks.len() > ZONES_MAX {
        return Err(vec![Fault::whole(format!("{} placemarks, at most {ZONES_MAX} are taken", placemarks.len()))]);
    }
    all_or_nothing((1..).zip(placemarks.into_iter().map(|placemark| {
        let feature = feature(placemark).map_err(|fault| vec![fault]);
        feature.and_then(|feature| read_zone(&feature, frame))
    })))
}

/// The document of a KMZ file: the first one in it.
fn unpack(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut archive = archive::open(bytes)?;
    let index = archive::names(&archive).iter().position(|name| name.to_ascii_lowercase().ends_with(".kml"));
    archive::unpack(&mut archive, index.ok_or_else(|| Fault::whole("the archive holds no .kml file"))?)
}

/// The placemarks in documents and folders, in order.
fn gather<'a>(element: &'a Element, found: &mut Vec<&'a Element>) {
    for child in &element.children {
        match child.name.as_str() {
            "Placemark" => found.push(child),
            "Document" | "Folder" => gather(child, found),
            _ => {}
        }
    }
}

fn feature(placemark: &Element) -> Result<Value, Fault> {
    let mut properties = Map::new();
    if let Some(name) = placemark.text_of("name") {
        properties.insert("name".to_owned(), json!(name));
    }
    let data = placemark.all("ExtendedData").flat_map(|extended| {
        let plain = extended.all("Data").map(|data| (data, data.text_of("value").unwrap_or_default()));
        let typed = extended.all("SchemaData").flat_map(|schema| schema.all("SimpleData"));
        plain.chain(typed.map(|data| (data, data.text.trim()))).collect::<Vec<_>>()
    });
    for (data, text) in data.filter(|(_, text)| !text.is_empty()) {
        let key = data.label.clone().unwrap_or_default();
        let value = match key.as_str() {
            // Texts are texts; what is no text is JSON, as in GeoJSON.
            "rules" | "half_width_m" | "radius_m" => serde_json::from_str(text)
                .map_err(|error| Fault::field(format!("properties.{key}"), format!("no JSON: {error}")))?,
            "legal_basis" | "direction" if text.starts_with(['{', '[']) => serde_json::from_str(text)
                .map_err(|error| Fault::field(format!("properties.{key}"), format!("no JSON: {error}")))?,
            _ => json!(text),
        };
        properties.insert(key, value);
    }
    let mut shapes = Shapes::default();
    shapes.take(placemark)?;
    Ok(json!({"type": "Feature", "geometry": shapes.geometry()?, "properties": properties}))
}

/// What is drawn in a placemark, as GeoJSON coordinates.
#[derive(Default)]
struct Shapes {
    polygons: Vec<Value>,
    lines: Vec<Value>,
    points: Vec<Value>,
}

impl Shapes {
    fn take(&mut self, element: &Element) -> Result<(), Fault> {
        for child in &element.children {
            match child.name.as_str() {
                "Polygon" => {
                    let outer = child.all("outerBoundaryIs");
                    let rings = outer.chain(child.all("innerBoundaryIs")).flat_map(|edge| edge.all("LinearRing"));
                    self.polygons.push(rings.map(coordinates).collect::<Result<_, _>>()?);
                }
                "LineString" => self.lines.push(coordinates(child)?),
                "Point" => match coordinates(child)?.as_array().map(Vec::as_slice) {
                    Some([one]) => self.points.push(one.clone()),
                    _ => return Err(Fault::field("geometry", "a Point has one position")),
                },
                "MultiGeometry" => self.take(child)?,
                "LinearRing" | "Model" | "Track" | "MultiTrack" => {
                    return Err(Fault::field("geometry", format!("a {} is no zone", child.name)));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn geometry(self) -> Result<Value, Fault> {
        let several = |kind: &str, mut list: Vec<Value>| match list.len() {
            1 => json!({"type": kind, "coordinates": list.remove(0)}),
            _ => json!({"type": format!("Multi{kind}"), "coordinates": list}),
        };
        match (self.polygons, self.lines, self.points) {
            (polygons, lines, points) if lines.is_empty() && points.is_empty() && !polygons.is_empty() => {
                Ok(several("Polygon", polygons))
            }
            (polygons, lines, points) if polygons.is_empty() && points.is_empty() && !lines.is_empty() => {
                Ok(several("LineString", lines))
            }
            (polygons, lines, mut points) if polygons.is_empty() && lines.is_empty() && points.len() == 1 => {
                Ok(json!({"type": "Point", "coordinates": points.remove(0)}))
            }
            _ => Err(Fault::field("geometry", "must be polygons, or lines, or one point")),
        }
    }
}

/// `lon,lat[,height]` between blanks.
fn coordinates(element: &Element) -> Result<Value, Fault> {
    let text = element.text_of("coordinates").unwrap_or_default();
    let position = |(i, position): (usize, &str)| {
        let numbers: Option<Vec<f64>> = position.split(',').map(|part| part.trim().parse().ok()).collect();
        match numbers.as_deref() {
            Some([lon, lat] | [lon, lat, _]) if lon.is_finite() && lat.is_finite() => Ok(json!([lon, lat])),
            _ => {
                let position: String = position.chars().take(64).collect();
                let message = format!("{}: position {i} must be longitude,latitude: {position:?}", element.name);
                Err(Fault::field("geometry.coordinates", message))
            }
        }
    };
    text.split_whitespace().enumerate().map(position).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Crs;
    use model::{Geometry, ZoneKind};

    fn document(placemarks: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><kml xmlns=\"http://www.opengis.net/kml/2.2\"><Document>\
             <Folder>{placemarks}</Folder></Document></kml>"
        )
    }

    const BRIDGE: &str = "<Placemark><name>桥 &amp; 隧</name><description>x</description><ExtendedData>\
        <Data name=\"kind\"><value>bridge_tunnel</value></Data><Data name=\"half_width_m\"><value>15</value></Data>\
        <Data name=\"rules\"><value>[{\"type\":\"forbidden\"}]</value></Data></ExtendedData>\
        <LineString><coordinates>103.8,25.5,1900 103.82,25.5,1900\n</coordinates></LineString></Placemark>";
    const WATER: &str = "<Placemark><name>库</name><MultiGeometry><Polygon><outerBoundaryIs><LinearRing><coordinates>\
        103.8,25.5 103.9,25.5 103.9,25.6 103.8,25.5</coordinates></LinearRing></outerBoundaryIs></Polygon>\
        <Polygon><outerBoundaryIs><LinearRing><coordinates>104.8,25.5 104.9,25.5 104.9,25.6 104.8,25.5</coordinates>\
        </LinearRing></outerBoundaryIs></Polygon></MultiGeometry></Placemark>";

    #[test]
    fn placemarks_become_zones() {
        let zones = read_kml_zones(document(&format!("{BRIDGE}{WATER}")).as_bytes(), Crs::Wgs84).unwrap();
        assert_eq!((zones[0].name.as_str(), zones[0].kind), ("桥 & 隧", ZoneKind::BridgeTunnel));
        assert_eq!(zones[0].rules.len(), 1);
        assert!(matches!(&zones[0].geometry, Geometry::Corridor { half_width_m, .. } if *half_width_m == 15.0));
        assert!(matches!(&zones[1].geometry, Geometry::Polygon(area) if area.0.len() == 2));
        let gcj = read_kml_zones(document(BRIDGE).as_bytes(), Crs::Gcj02).unwrap();
        assert_eq!(gcj[0].source_crs, Crs::Gcj02);
        assert_ne!(gcj[0].geometry, zones[0].geometry);
        let packed = archive::pack(&[("files/a.png", b""), ("doc.kml", document(BRIDGE).as_bytes())]);
        assert_eq!(read_kml_zones(&packed, Crs::Gcj02), Ok(gcj));
    }

    #[test]
    fn every_bad_placemark_is_listed() {
        let bad = [
            BRIDGE.to_owned(),
            BRIDGE.replace("103.82,25.5", "103.82"),
            BRIDGE.replace("bridge_tunnel", "bridge"),
            BRIDGE.replace("\"kind\"", "\"colour\""),
            "<Placemark><name>x</name></Placemark>".to_owned(),
        ];
        let faults = read_kml_zones(document(&bad.concat()).as_bytes(), Crs::Wgs84).unwrap_err();
        let rows: Vec<_> = faults.iter().map(|fault| fault.row).collect();
        assert_eq!(rows, [Some(2), Some(3), Some(4), Some(5)], "{faults:?}");
        assert!(read_kml_zones(b"<gpx/>", Crs::Wgs84).is_err() && read_kml_zones(b"{}", Crs::Wgs84).is_err());
    }
}
