//! 0x0201 位置信息查询应答: a serial and a whole location report.

use crate::location::{LocationReport, LocationView};
use crate::message::Body;
use crate::reader::Reader;
use crate::{BodyError, Edition, EncodeError};
use serde_json::{Value, json};

/// Answer to 0x8201. JT/T 808-2019 8.23.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocationQueryResponse {
    /// Serial of the query (应答流水号). The text of 2011 prints none; a body that only makes sense
    /// without one has none.
    pub answered_serial: Option<u16>,
    /// Where the vehicle is.
    pub location: LocationReport,
}

/// Largest coordinate there is, millionths of a degree; latitudes too, as some terminals swap them.
const MAX_E6: u32 = 180_000_000;

/// Whether `body` reads as a location: a calendar time and coordinates that exist.
fn plausible(body: &[u8]) -> bool {
    LocationView::new(body).is_some_and(|view| {
        let on_earth = |e6: i32| e6.unsigned_abs() <= MAX_E6;
        view.time().is_some() && on_earth(view.lat_e6()) && on_earth(view.lon_e6())
    })
}

impl Body for LocationQueryResponse {
    fn decode(reader: &mut Reader<'_>, edition: Edition) -> Result<Self, BodyError> {
        let body = reader.peek();
        let bare = edition != Edition::V2019 && plausible(body) && !body.get(2..).is_some_and(plausible);
        let answered_serial = if bare { None } else { Some(reader.word("answered_serial")?) };
        Ok(Self { answered_serial, location: LocationReport::decode(reader, edition)? })
    }

    fn encode(&self, edition: Edition, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if let Some(serial) = self.answered_serial {
            out.extend(serial.to_be_bytes());
        }
        self.location.encode(edition, out)
    }

    fn print(&self, edition: Edition) -> Value {
        json!({
            "answered_serial": self.answered_serial,
            "location": self.location.print(edition),
        })
    }
}
