//! Tracks as files: GeoJSON for maps, GPX 1.1 for navigators, CSV for spreadsheets. Written fix by fix, so that a
//! month of a truck never lies in memory as text.

use std::fmt::Write;

use model::{Coord, Fix, Marks, Timestamp};
use serde_json::json;

use crate::geometry::degrees;
use crate::{Crs, csv_cell};

/// Names of what is odd about a fix, as the API shows them.
const MARKS: [(Marks, &str); 11] = [
    (Marks::UNDATED, "undated"),
    (Marks::TOO_OLD, "too_old"),
    (Marks::FUTURE, "future"),
    (Marks::NO_POSITION, "no_position"),
    (Marks::SWAPPED, "swapped"),
    (Marks::OFF_GLOBE, "off_globe"),
    (Marks::SPEED_RANGE, "speed_range"),
    (Marks::ALTITUDE_RANGE, "altitude_range"),
    (Marks::DIRECTION_RANGE, "direction_range"),
    (Marks::BATCH, "batch"),
    (Marks::BACKFILL, "backfill"),
];

/// The names of all marks that are set.
pub fn mark_names(marks: Marks) -> impl Iterator<Item = &'static str> {
    MARKS.iter().filter(move |(mark, _)| marks.has(*mark)).map(|(_, name)| *name)
}

/// A format of track files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackFormat {
    /// A feature collection: a point a fix, then the line through them.
    GeoJson,
    /// GPX 1.1: one track of one segment. Fixes without a position or a time cannot be in it.
    Gpx,
    /// A table, UTF-8 without byte order mark, times at +08:00.
    Csv,
}

impl TrackFormat {
    /// Every format.
    pub const ALL: &'static [Self] = &[Self::GeoJson, Self::Gpx, Self::Csv];

    /// The name in the API, also the ending of a file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GeoJson => "geojson",
            Self::Gpx => "gpx",
            Self::Csv => "csv",
        }
    }

    /// The media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::GeoJson => "application/geo+json",
            Self::Gpx => "application/gpx+xml",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }
}

/// Writes one track: [`TrackWriter::open`], each fix in order, [`TrackWriter::close`].
#[derive(Clone, Debug)]
pub struct TrackWriter {
    format: TrackFormat,
    crs: Crs,
    vehicle: String,
    points: usize,
    line: String,
}

impl TrackWriter {
    /// A writer of positions in `crs`; `vehicle` is how the file names the vehicle. GPX is WGS-84 by definition, so
    /// there `crs` is not looked at.
    #[must_use]
    pub const fn new(format: TrackFormat, crs: Crs, vehicle: String) -> Self {
        let crs = if matches!(format, TrackFormat::Gpx) { Crs::Wgs84 } else { crs };
        Self { format, crs, vehicle, points: 0, line: String::new() }
    }

    /// Writes what comes before the fixes.
    pub fn open(&self, out: &mut String) {
        match self.format {
            TrackFormat::GeoJson => out.push_str("{\"type\":\"FeatureCollection\",\"features\":["),
            TrackFormat::Gpx => {
                out.push_str(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<gpx version=\"1.1\" creator=\"hazwatch\" \
                     xmlns=\"http://www.topografix.com/GPX/1/1\" xmlns:hw=\"urn:hazwatch:track:1\">\n<trk><name>",
                );
                out.push_str(&xml(&self.vehicle));
                out.push_str("</name><trkseg>\n");
            }
            TrackFormat::Csv => out.push_str(
                "vehicle,time,received_at,lon,lat,speed_kmh,direction_deg,altitude_m,alarm,status,mileage_km,\
                 marks,terminal\r\n",
            ),
        }
    }

    /// Writes one fix.
    pub fn fix(&mut self, fix: &Fix, out: &mut String) {
        match self.format {
            TrackFormat::GeoJson => self.geojson(fix, out),
            TrackFormat::Gpx => gpx(fix, out),
            TrackFormat::Csv => self.csv(fix, out),
        }
    }

    /// Writes what comes after the fixes.
    pub fn close(&mut self, out: &mut String) {
        match self.format {
            TrackFormat::GeoJson => {
                if self.points > 1 {
                    let properties = json!({"vehicle": self.vehicle, "crs": self.crs.name()});
                    let _ = write!(
                        out,
                        ",\n{{\"type\":\"Feature\",\"geometry\":{{\"type\":\"LineString\",\"coordinates\":[{}]}},\
                         \"properties\":{properties}}}",
                        self.line
                    );
                }
                out.push_str("]}\n");
            }
            TrackFormat::Gpx => out.push_str("</trkseg></trk>\n</gpx>\n"),
            TrackFormat::Csv => {}
        }
    }

    fn geojson(&mut self, fix: &Fix, out: &mut String) {
        if !out.ends_with('[') {
            out.push_str(",\n");
        }
        out.push_str("{\"type\":\"Feature\",\"geometry\":");
        match position(fix, self.crs) {
            Some(Coord { x, y }) => {
                let _ = write!(out, "{{\"type\":\"Point\",\"coordinates\":[{x},{y}]}}");
                let comma = if self.points == 0 { "" } else { "," };
                let _ = write!(self.line, "{comma}[{x},{y}]");
                self.points += 1;
            }
            None => out.push_str("null"),
        }
        let properties = json!({
            "time": fix.time.to_string(),
            "received_at": fix.received.to_string(),
            "speed_kmh": fix.speed_kmh(),
            "direction_deg": fix.direction_deg,
            "altitude_m": fix.altitude_m(),
            "alarm": fix.alarm,
            "status": fix.status,
            "mileage_km": mileage_km(fix),
            "marks": mark_names(fix.marks).collect::<Vec<_>>(),
        });
        let _ = write!(out, ",\"properties\":{properties}}}");
    }

    fn csv(&self, fix: &Fix, out: &mut String) {
        let Coord { x, y } = position(fix, self.crs).unwrap_or(Coord { x: fix.lon(), y: fix.lat() });
        let _ = write!(
            out,
            "{},{},{},{x},{y},{},{},{},{},{},",
            csv_cell(&self.vehicle),
            fix.time,
            fix.received,
            fix.speed_kmh(),
            fix.direction_deg,
            fix.altitude_m(),
            fix.alarm,
            fix.status,
        );
        if let Some(mileage_km) = mileage_km(fix) {
            let _ = write!(out, "{mileage_km}");
        }
        let marks = mark_names(fix.marks).collect::<Vec<_>>().join(" ");
        let _ = write!(out, ",{},{}\r\n", csv_cell(&marks), fix.terminal);
    }
}

/// Where a fix is; `None` when it has no position. What has none is not shifted either.
fn position(fix: &Fix, crs: Crs) -> Option<Coord> {
    if fix.marks.has(Marks::NO_POSITION) || fix.marks.has(Marks::OFF_GLOBE) {
        return None;
    }
    let wgs84 = Coord { x: fix.lon(), y: fix.lat() };
    Some(match crs {
        Crs::Wgs84 | Crs::Cgcs2000 => wgs84,
        Crs::Gcj02 | Crs::Bd09 => {
            let c = crs.from_wgs84(wgs84);
            Coord { x: degrees(c.x), y: degrees(c.y) }
        }
    })
}

fn mileage_km(fix: &Fix) -> Option<f64> {
    fix.mileage_hm.map(|hm| f64::from(hm) / 10.0)
}

/// GPX times are UTC.
fn utc(time: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_microsecond(time.0).ok()
}

fn gpx(fix: &Fix, out: &mut String) {
    let (Some(Coord { x, y }), Some(time), true) = (position(fix, Crs::Wgs84), utc(fix.time), fix.is_dated()) else {
        return;
    };
    let _ = writeln!(
        out,
        "<trkpt lat=\"{y}\" lon=\"{x}\"><ele>{}</ele><time>{time}</time><extensions><hw:speed_kmh>{}</hw:speed_kmh>\
         <hw:direction_deg>{}</hw:direction_deg></extensions></trkpt>",
        fix.altitude_m(),
        fix.speed_kmh(),
        fix.direction_deg
    );
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use model::{RecordRef, TerminalId};

    use super::*;

    fn fix(seconds: i64, marks: Marks) -> Fix {
        Fix {
            terminal: TerminalId::from_wire(&[0x13]),
            time: Timestamp::from_secs(1_795_406_706 + seconds),
            received: Timestamp(1_795_406_707_250_000),
            source: RecordRef::default(),
            alarm: 1,
            status: 3,
            lat_wire: 32_050_000,
            lon_wire: 118_790_000,
            altitude_wire: 0xfff0,
            speed_dkmh: 605,
            direction_deg: 90,
            time_bcd: [0; 6],
            mileage_hm: Some(12345),
            items: Box::default(),
            marks,
        }
    }

    fn written(format: TrackFormat, vehicle: &str) -> String {
        let mut writer = TrackWriter::new(format, Crs::Wgs84, vehicle.to_owned());
        let mut out = String::new();
        writer.open(&mut out);
        for fix in [fix(0, Marks::default()), fix(1, Marks::NO_POSITION.with(Marks::BATCH)), fix(2, Marks::SWAPPED)] {
            writer.fix(&fix, &mut out);
        }
        writer.close(&mut out);
        out
    }

    #[test]
    fn csv_is_a_table() {
        let text = written(TrackFormat::Csv, "=云D<1>:2");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(
            lines[1],
            "'=云D<1>:2,2026-11-23T12:05:06+08:00,2026-11-23T12:05:07.25+08:00,118.79,32.05,60.5,90,-16,1,3,1234.5,,13"
        );
        assert!(lines[2].ends_with(",no_position batch,13"));
        assert!(lines[3].contains(",32.05,118.79,") && lines[3].ends_with(",swapped,13"));
    }

    #[test]
    fn gpx_has_the_elements_in_the_order_of_the_schema() {
        let text = written(TrackFormat::Gpx, "云D<1>:2");
        assert!(text.contains("<name>云D&lt;1&gt;:2</name>"));
        assert_eq!(text.matches("<trkpt ").count(), 2, "a fix without a position is no point");
        assert!(text.contains(
            "<trkpt lat=\"32.05\" lon=\"118.79\"><ele>-16</ele><time>2026-11-23T04:05:06Z</time><extensions>"
        ));
        assert!(text.ends_with("</gpx>\n"));
    }

    #[test]
    fn geojson_is_json() {
        let root: serde_json::Value = serde_json::from_str(&written(TrackFormat::GeoJson, "云D1:2")).unwrap();
        let features = root["features"].as_array().unwrap();
        assert_eq!(features.len(), 4);
        assert_eq!(features[0]["properties"]["time"], "2026-11-23T12:05:06+08:00");
        assert_eq!(features[1]["geometry"], json!(null));
        assert_eq!(features[3]["geometry"]["coordinates"], json!([[118.79, 32.05], [32.05, 118.79]]));
    }
}
