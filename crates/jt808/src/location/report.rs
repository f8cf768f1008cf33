//! An owned location report, to build one and to print one.

use super::bits::{alarm_names, load_name, status_names};
use super::view::{BASE_LEN, LocationView};
use super::{Item, signed_altitude_m, signed_e6, status};
use crate::message::Body;
use crate::print::hex;
use crate::reader::Reader;
use crate::{BcdTime, BodyError, Edition, EncodeError};
use serde_json::{Value, json};

/// A location report (位置信息汇报), lossless. JT/T 808-2019 8.21.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocationReport {
    /// Alarm flags (报警标志).
    pub alarm: u32,
    /// Status bits (状态), see [`status`](mod@super::status).
    pub status: u32,
    /// Latitude (纬度) in millionths of a degree as on the wire: no sign.
    pub latitude_raw: u32,
    /// Longitude (经度) in millionths of a degree as on the wire: no sign.
    pub longitude_raw: u32,
    /// Altitude (高程) as on the wire, metres.
    pub altitude_raw: u16,
    /// GNSS speed (速度), tenths of a km/h.
    pub speed_dkmh: u16,
    /// Direction (方向), degrees, north 0, clockwise.
    pub direction_deg: u16,
    /// Time (时间), YY MM DD hh mm ss, GMT+8.
    pub time_bcd: [u8; 6],
    /// Additional items (位置附加信息项), in order, duplicates included.
    pub items: Vec<Item>,
    /// What follows the last item that fits.
    pub tail: Vec<u8>,
}

impl LocationReport {
    /// Latitude in millionths of a degree, south negative.
    #[must_use]
    pub fn lat_e6(&self) -> i32 {
        signed_e6(self.latitude_raw, self.status, status::SOUTH)
    }

    /// Longitude in millionths of a degree, west negative.
    #[must_use]
    pub fn lon_e6(&self) -> i32 {
        signed_e6(self.longitude_raw, self.status, status::WEST)
    }

    /// Altitude in metres; raw values above 0x8000 are read as negative.
    #[must_use]
    pub fn altitude_m(&self) -> i32 {
        signed_altitude_m(self.altitude_raw)
    }

    /// Time, if it is a calendar time.
    #[must_use]
    pub fn time(&self) -> Option<BcdTime> {
        BcdTime::parse(self.time_bcd)
    }

    /// Sets the position, hemisphere bits included; "positioned" is left alone.
    pub fn set_position(&mut self, lat_e6: i32, lon_e6: i32) {
        self.latitude_raw = lat_e6.unsigned_abs();
        self.longitude_raw = lon_e6.unsigned_abs();
        let south = if lat_e6 < 0 { status::SOUTH } else { 0 };
        let west = if lon_e6 < 0 { status::WEST } else { 0 };
        self.status = self.status & !(status::SOUTH | status::WEST) | south | west;
    }
}

impl Body for LocationReport {
    fn decode(reader: &mut Reader<'_>, _: Edition) -> Result<Self, BodyError> {
        let Some(view) = LocationView::new(reader.peek()) else {
            return Err(BodyError::Truncated { field: "location", need: BASE_LEN, have: reader.len() });
        };
        let report = view.to_report(&mut reader.oddities);
        let _ = reader.rest();
        Ok(report)
    }

    fn encode(&self, _: Edition, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        for dword in [self.alarm, self.status, self.latitude_raw, self.longitude_raw] {
            out.extend(dword.to_be_bytes());
        }
        for word in [self.altitude_raw, self.speed_dkmh, self.direction_deg] {
            out.extend(word.to_be_bytes());
        }
        out.extend(self.time_bcd);
        for item in &self.items {
            item.encode(out)?;
        }
        out.extend_from_slice(&self.tail);
        Ok(())
    }

    fn print(&self, edition: Edition) -> Value {
        let mut printed = json!({
            "alarm": self.alarm,
            "alarm_bits": alarm_names(self.alarm, edition),
            "status": self.status,
            "status_bits": status_names(self.status, edition),
        });
        if let Some(load) = load_name(self.status, edition) {
            printed["load"] = json!(load);
        }
        printed["lat"] = json!(f64::from(self.lat_e6()) / 1e6);
        printed["lon"] = json!(f64::from(self.lon_e6()) / 1e6);
        printed["altitude_m"] = json!(self.altitude_m());
        printed["speed_kmh"] = json!(f64::from(self.speed_dkmh) / 10.0);
        printed["direction_deg"] = json!(self.direction_deg);
        printed["time"] = json!(self.time().map(BcdTime::to_rfc3339));
        printed["items"] = self.items.iter().map(Item::print).collect();
        if !self.tail.is_empty() {
            printed["tail"] = json!(hex(&self.tail));
        }
        printed
    }
}
