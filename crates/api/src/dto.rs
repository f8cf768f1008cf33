//! Pieces of JSON that many routes share.

use std::fmt;
use std::str::FromStr;

use intake::Crs;
use model::{Coord, Fact, Marks, Measures, Registry, Terminal, Timestamp, Vehicle, VehicleId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use store::LastPosition;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::app::App;

/// RFC 3339; shown at +08:00, read with any offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parsed = Timestamp::from_str(&text).or_else(|error| {
            // `+08:00` in a query string that nobody encoded arrives as ` 08:00`.
            let (rest, offset) = text.rsplit_once(' ').ok_or(error.clone())?;
            Timestamp::from_str(&format!("{rest}+{offset}")).map_err(|_| error)
        });
        parsed.map(Self).map_err(serde::de::Error::custom)
    }
}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
    }
}

impl ToSchema for Time {}

/// A coordinate system by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CrsName(pub(crate) Crs);

impl<'de> Deserialize<'de> for CrsName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let crs = Crs::from_name(&text);
        crs.map(Self).ok_or_else(|| serde::de::Error::custom("must be wgs84, cgcs2000, gcj02 or bd09"))
    }
}

impl PartialSchema for CrsName {
    fn schema() -> RefOr<Schema> {
        let names = Crs::ALL.iter().map(|crs| crs.name());
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).into()
    }
}

impl ToSchema for CrsName {}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    /// The rows.
    pub(crate) items: Vec<T>,
    /// Give it as `cursor` for the next page; `null` when this was the last.
    #[schema(required = true)]
    pub(crate) next: Option<String>,
}

impl<T> List<T> {
    pub(crate) fn new(items: Vec<T>, next: Option<impl fmt::Display>) -> Self {
        Self { items, next: next.map(|cursor| cursor.to_string()) }
    }
}

/// Which vehicle it is about.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct VehicleRef {
    /// `v_...`.
    pub(crate) id: String,
    /// Plate (车牌号码) without separators.
    #[schema(required = true)]
    pub(crate) plate: Option<String>,
    /// Plate colour (车牌颜色): 1 blue, 2 yellow, 3 black, 4 white, 5 green, 9 other, 91-94.
    #[schema(required = true)]
    pub(crate) colour: Option<u8>,
}

impl VehicleRef {
    pub(crate) fn of(vehicle: &Vehicle) -> Self {
        let (plate, colour) = vehicle.plate.as_ref().map(|p| (p.text.to_string(), p.colour.0)).unzip();
        Self { id: vehicle.id.to_string(), plate, colour }
    }

    pub(crate) fn by_id(registry: &Registry, id: VehicleId) -> Self {
        registry.vehicle(id).map_or_else(|| Self { id: id.to_string(), plate: None, colour: None }, |v| Self::of(v))
    }
}

/// A terminal (终端).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct TerminalView {
    /// Its phone, without leading zeros.
    pub(crate) phone: String,
    /// Manufacturer id (制造商ID).
    pub(crate) maker: String,
    /// Model (终端型号).
    pub(crate) model: String,
    /// Terminal id (终端ID).
    pub(crate) terminal_id: String,
    /// Whether it may speak.
    pub(crate) admitted: bool,
    /// Whether it is connected and authenticated now.
    pub(crate) online: bool,
    /// For which vehicle it speaks.
    #[schema(required = true)]
    pub(crate) vehicle: Option<VehicleRef>,
}

impl TerminalView {
    pub(crate) fn of(app: &App, registry: &Registry, terminal: &Terminal) -> Self {
        Self {
            phone: terminal.id.to_string(),
            maker: terminal.maker.clone(),
            model: terminal.model.clone(),
            terminal_id: terminal.device.clone(),
            admitted: terminal.admitted,
            online: app.deps.views.is_online(terminal.id),
            vehicle: terminal.vehicle().map(|id| VehicleRef::by_id(registry, id)),
        }
    }
}

/// Where a vehicle was last.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PositionView {
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
    /// What is odd about it.
    marks: Vec<&'static str>,
}

impl PositionView {
    pub(crate) fn of(last: &LastPosition, crs: Crs) -> Self {
        let Coord { x: lon, y: lat } = shown(Coord { x: last.lon, y: last.lat }, crs);
        Self {
            time: Time(last.time),
            received_at: Time(last.received),
            lon,
            lat,
            speed_kmh: f64::from(last.speed_dkmh) / 10.0,
            direction_deg: last.direction_deg,
            altitude_m: last.altitude_m,
            alarm: last.alarm,
            status: last.status,
            mileage_km: last.mileage_hm.map(|hm| f64::from(hm) / 10.0),
            marks: mark_list(last.marks),
        }
    }
}

pub(crate) fn mark_list(marks: Marks) -> Vec<&'static str> {
    intake::mark_names(marks).collect()
}

/// A WGS-84 position as it is shown: what a conversion adds beyond 1e-7 degree is noise.
pub(crate) fn shown(c: Coord, crs: Crs) -> Coord {
    match crs {
        Crs::Wgs84 | Crs::Cgcs2000 => c,
        Crs::Gcj02 | Crs::Bd09 => {
            let c = crs.from_wgs84(c);
            let round = |degrees: f64| (degrees * 1e7).round() / 1e7;
            Coord { x: round(c.x), y: round(c.y) }
        }
    }
}

/// A place, degrees.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct PlaceView {
    /// Longitude.
    lon: f64,
    /// Latitude.
    lat: f64,
}

/// What was measured about a stay.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct MeasuresView {
    /// Judged fixes inside.
    fixes_inside: u32,
    /// Way inside, metres.
    length_m: u32,
    /// Greatest speed inside, km/h.
    speed_max_kmh: f64,
    /// Greatest depth inside, metres from the edge.
    depth_max_m: u32,
    /// Where it began.
    start: PlaceView,
    /// Where it ended, or was last seen.
    end: PlaceView,
    /// How far the start may be off, either way, in 95 of 100 cases, milliseconds; null when that is not known.
    start_error_ms: Option<u32>,
    /// The same of the end; 0 while it lasts.
    end_error_ms: Option<u32>,
}

impl MeasuresView {
    pub(crate) fn of(fact: &Fact, crs: Crs) -> Self {
        let place = |lon_e7: i32, lat_e7: i32| {
            let wgs84 = Coord { x: f64::from(lon_e7) / 1e7, y: f64::from(lat_e7) / 1e7 };
            let Coord { x: lon, y: lat } = shown(wgs84, crs);
            PlaceView { lon, lat }
        };
        let known = |error_ms: u32| (error_ms != Measures::ERROR_UNKNOWN).then_some(error_ms);
        let m = &fact.measures;
        Self {
            fixes_inside: m.fixes_inside,
            length_m: m.length_m,
            speed_max_kmh: f64::from(m.speed_max_dkmh) / 10.0,
            depth_max_m: m.depth_max_m,
            start: place(m.start_lon_e7, m.start_lat_e7),
            end: place(m.end_lon_e7, m.end_lat_e7),
            start_error_ms: known(m.start_error_ms),
            end_error_ms: known(m.end_error_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_an_unencoded_plus() {
        for text in ["2026-11-23T12:05:06+08:00", "2026-11-23T12:05:06 08:00", "2026-11-23T04:05:06Z"] {
            let time: Time = serde_json::from_value(text.into()).expect(text);
            assert_eq!(serde_json::to_value(time).unwrap(), "2026-11-23T12:05:06+08:00");
        }
        for text in ["2026-11-23T12:05:06", "2026-11-23 12:05:06", ""] {
            assert!(serde_json::from_value::<Time>(text.into()).is_err(), "{text}");
        }
    }
}
