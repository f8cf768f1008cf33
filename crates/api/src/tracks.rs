//! Tracks: a stretch of a vehicle's way as JSON, GeoJSON, GPX or CSV, streamed.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use intake::{Crs, TrackFormat, TrackWriter};
use model::{Coord, DAY_US, Plate, Vehicle};
use serde::{Deserialize, Deserializer, Serialize};
use store::{StoreError, TrackFix};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::app::App;
use crate::dto::{CrsName, Time, VehicleRef, mark_list, shown};
use crate::extract::{Caller, Name, Params};
use crate::lookup;
use crate::problem::{Kind, Problem};

/// Fixes that are written at a time: some 400 KiB of JSON.
const PIECE: usize = 1_024;
/// Room for one fix in any format, bytes.
const FIX_BYTES: usize = 400;

/// A format by name; `None` inside is JSON.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FormatName(Option<TrackFormat>);

impl<'de> Deserialize<'de> for FormatName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let format = TrackFormat::ALL.iter().find(|format| format.name() == text);
        match (text.as_str(), format) {
            ("json", _) => Ok(Self(None)),
            (_, Some(format)) => Ok(Self(Some(*format))),
            _ => Err(serde::de::Error::custom("must be json, geojson, gpx or csv")),
        }
    }
}

impl PartialSchema for FormatName {
    fn schema() -> RefOr<Schema> {
        let names = std::iter::once("json").chain(TrackFormat::ALL.iter().map(|format| format.name()));
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).into()
    }
}

impl ToSchema for FormatName {}

/// Which stretch, and how.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TrackQuery {
    /// Fixes taken at or after; at most 31 days before `to`.
    #[param(value_type = Time)]
    from: Time,
    /// Fixes taken before.
    #[param(value_type = Time)]
    to: Time,
    /// JSON when absent. GPX is WGS-84 whatever `crs` says.
    #[param(value_type = Option<FormatName>)]
    format: Option<FormatName>,
    /// Coordinate system of the positions.
    #[param(value_type = Option<CrsName>)]
    crs: Option<CrsName>,
}

/// One arrival of a fix.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SourceView {
    /// Phone of the terminal that sent it.
    terminal: String,
    /// Where it lies in the journal, `shard/envelope/record`, with `#item` in a batch.
    place: String,
    /// When it was received.
    received_at: Time,
}

/// One fix of a track.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FixView {
    /// When the position was taken.
    time: Time,
    /// When the server received it.
    received_at: Time,
    /// Longitude, degrees.
    lon: f64,
    /// Latitude, degrees.
    lat: f64,
    /// Speed, km/h.
    speed_kmh: f64,
    /// Direction, degrees from north, clockwise.
    direction_deg: u16,
    /// Altitude, metres.
    altitude_m: i16,
    /// Alarm word (报警标志).
    alarm: u32,
    /// Status word (状态位).
    status: u32,
    /// Odometer (里程), km.
    #[schema(required = true)]
    mileage_km: Option<f64>,
    /// What is odd about it; with `no_position` or `off_globe` the position is what the terminal sent and no place.
    marks: Vec<&'static str>,
    /// Every report of it, in the order of the journal.
    sources: Vec<SourceView>,
}

impl FixView {
    fn of(row: &TrackFix, crs: Crs) -> Self {
        let fix = &row.fix;
        let wire = Coord { x: fix.lon(), y: fix.lat() };
        let positioned = !fix.marks.has(model::Marks::NO_POSITION) && !fix.marks.has(model::Marks::OFF_GLOBE);
        let Coord { x: lon, y: lat } = if positioned { shown(wire, crs) } else { wire };
        let sources = row.sources.iter().map(|source| SourceView {
            terminal: source.terminal.to_string(),
            place: source.source.to_string(),
            received_at: Time(source.received),
        });
        Self {
            time: Time(fix.time),
            received_at: Time(fix.received),
            lon,
            lat,
            speed_kmh: fix.speed_kmh(),
            direction_deg: fix.direction_deg,
            altitude_m: fix.altitude_m(),
            alarm: fix.alarm,
            status: fix.status,
            mileage_km: fix.mileage_hm.map(|hm| f64::from(hm) / 10.0),
            marks: mark_list(fix.marks),
            sources: sources.collect(),
        }
    }
}

/// A track as it is answered in JSON; written by hand fix after fix, and kept equal to this by a test.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrackView {
    /// Whose.
    vehicle: VehicleRef,
    /// Fixes by time.
    fixes: Vec<FixView>,
}

/// A vehicle's track, `from` inclusive, `to` exclusive, whole or refused: more than 31 days or 100,000 fixes are 413.
#[utoipa::path(get, path = "/api/v1/vehicles/{id}/track", tag = "vehicles", operation_id = "get_track",
    params(("id" = String, Path, description = "`v_...`, a plate with colour (`云D12345:2`), or the phone of its terminal"), TrackQuery),
    responses((status = 200, description = "The track", content((TrackView = "application/json"),
        (String = "application/geo+json"), (String = "application/gpx+xml"), (String = "text/csv")))))]
pub(crate) async fn get(
    State(app): State<App>,
    Caller(who): Caller,
    Name(reference): Name,
    Params(query): Params<TrackQuery>,
) -> Result<Response, Problem> {
    let (from, to) = (query.from.0, query.to.0);
    if from >= to {
        return Err(Problem::new(Kind::Malformed, "from must be before to").about("from"));
    }
    let days_max = app.config.track_days_max;
    if to.since_us(from) > days_max.saturating_mul(DAY_US) {
        let detail = format!("a track covers at most {days_max} days: ask in parts");
        return Err(Problem::new(Kind::TooLarge, detail).about("to"));
    }
    app.caught_up().await?;
    let registry = app.registry();
    let vehicle = lookup::vehicle(&registry, who.scope, &reference)?;
    let limit = app.config.track_fixes_max;
    let rows = app.deps.store.track(who.scope, vehicle.carrier, vehicle.id, from, to, limit).await;
    let mut rows = rows.map_err(|error| match error {
        StoreError::TooMany { limit } => {
            Problem::new(Kind::TooLarge, format_args!("more than {limit} fixes: ask for a shorter time")).about("to")
        }
        other => other.into(),
    })?;
    rows.retain(|row| registry.owns(vehicle.id, &row.fix));
    let crs = query.crs.unwrap_or_default().0;
    Ok(respond(&vehicle, query.format.unwrap_or_default().0, crs, rows))
}

fn respond(vehicle: &Vehicle, format: Option<TrackFormat>, crs: Crs, rows: Vec<TrackFix>) -> Response {
    let writer = match format {
        None => Writer::Json { vehicle: VehicleRef::of(vehicle), crs, first: true },
        Some(format) => {
            let label = vehicle.plate.as_ref().map_or_else(|| vehicle.id.to_string(), Plate::to_string);
            Writer::File(TrackWriter::new(format, crs, label))
        }
    };
    let content_type = format.map_or("application/json", TrackFormat::content_type);
    let pieces = stream::iter(pieces(writer, rows).map(Ok::<_, std::convert::Infallible>));
    let mut response = Body::from_stream(pieces).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(format) = format {
        let disposition = format!("attachment; filename=\"track-{}.{}\"", vehicle.id, format.name());
        if let Ok(value) = HeaderValue::from_str(&disposition) {
            response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
        }
    }
    response
}

enum Writer {
    Json { vehicle: VehicleRef, crs: Crs, first: bool },
    File(TrackWriter),
}

impl Writer {
    fn open(&self, out: &mut String) {
        match self {
            Self::Json { vehicle, .. } => {
                out.push_str("{\"vehicle\":");
                push_json(out, vehicle);
                out.push_str(",\"fixes\":[");
            }
            Self::File(writer) => writer.open(out),
        }
    }

    fn row(&mut self, row: &TrackFix, out: &mut String) {
        match self {
            Self::Json { crs, first, .. } => {
                if !std::mem::take(first) {
                    out.push_str(",\n");
                }
                push_json(out, &FixView::of(row, *crs));
            }
            Self::File(writer) => writer.fix(&row.fix, out),
        }
    }

    fn close(&mut self, out: &mut String) {
        match self {
            Self::Json { .. } => out.push_str("]}"),
            Self::File(writer) => writer.close(out),
        }
    }
}

/// Our own structs have no key or value that JSON lacks.
fn push_json(out: &mut String, value: &impl Serialize) {
    out.push_str(&serde_json::to_string(value).unwrap_or_default());
}

/// The body in pieces, each made only when the socket takes it.
fn pieces(mut writer: Writer, rows: Vec<TrackFix>) -> impl Iterator<Item = Bytes> + Send {
    let last = rows.len().div_ceil(PIECE).max(1) - 1;
    (0..=last).map(move |i| {
        let part = rows.get(i * PIECE..).unwrap_or_default();
        let part = &part[..part.len().min(PIECE)];
        let mut out = String::with_capacity(part.len() * FIX_BYTES + 1024);
        if i == 0 {
            writer.open(&mut out);
        }
        for row in part {
            writer.row(row, &mut out);
        }
        if i == last {
            writer.close(&mut out);
        }
        Bytes::from(out)
    })
}

#[cfg(test)]
mod tests {
    use model::{Fix, Marks, RecordRef, TerminalId, Timestamp, VehicleId};
    use store::Source;

    use super::*;

    fn row(seconds: i64) -> TrackFix {
        let terminal = TerminalId::from_wire(&[0x13]);
        let time = Timestamp::from_secs(1_795_406_706 + seconds);
        let fix = Fix {
            terminal,
            time,
            received: time.plus_us(250_000),
            source: RecordRef::default(),
            alarm: 1,
            status: 3,
            lat_wire: 32_050_000,
            lon_wire: 118_790_000,
            altitude_wire: 15,
            speed_dkmh: 605,
            direction_deg: 90,
            time_bcd: [0; 6],
            mileage_hm: Some(12_345),
            items: Box::default(),
            marks: Marks::BATCH,
        };
        let sources = vec![Source { source: fix.source, terminal, received: fix.received }];
        TrackFix { fix, sources }
    }

    fn vehicle() -> Vehicle {
        let plate = "云D12345:2".parse().ok();
        Vehicle { id: VehicleId(1), plate, carrier: None, ..Vehicle::default() }
    }

    fn written(writer: Writer, rows: Vec<TrackFix>) -> String {
        let bytes: Vec<u8> = pieces(writer, rows).flatten().collect();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn pieces_add_up_to_the_documented_shape() {
        for count in [0, 1, PIECE, PIECE + 1, 2 * PIECE] {
            let rows: Vec<_> = (0..count as i64).map(row).collect();
            let fixes = rows.iter().map(|row| FixView::of(row, Crs::Wgs84)).collect();
            let expect = serde_json::to_value(TrackView { vehicle: VehicleRef::of(&vehicle()), fixes }).unwrap();
            let writer = Writer::Json { vehicle: VehicleRef::of(&vehicle()), crs: Crs::Wgs84, first: true };
            let got: serde_json::Value = serde_json::from_str(&written(writer, rows)).unwrap();
            assert_eq!(got, expect, "{count}");
        }
    }

    #[test]
    fn files_cross_pieces_too() {
        for format in TrackFormat::ALL {
            let writer = Writer::File(TrackWriter::new(*format, Crs::Wgs84, "x".to_owned()));
            let text = written(writer, (0..=PIECE as i64).map(row).collect());
            match format {
                TrackFormat::GeoJson => {
                    let root: serde_json::Value = serde_json::from_str(&text).unwrap();
                    assert_eq!(root["features"].as_array().map(Vec::len), Some(PIECE + 2));
                }
                TrackFormat::Gpx => assert_eq!(text.matches("<trkpt").count(), PIECE + 1),
                TrackFormat::Csv => assert_eq!(text.lines().count(), PIECE + 2),
            }
        }
    }
}
