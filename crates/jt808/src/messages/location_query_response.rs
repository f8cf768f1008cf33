//! 0x0201 位置信息查询应答: a serial and a whole location report.

use crate::location::{BASE_LEN, LocationReport, LocationView};
use crate::message::Body;
use crate::reader::Reader;
use crate::{BodyError, Edition, EncodeError};
use serde_json::{Value, json};

/// Answer to 0x8201. JT/T 808-2019 8.14.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocationQueryResponse {
    /// Serial of the query (应答流水号). The text of 2011 prints none, and a body in which only
    /// that reading gives a valid time has none.
    pub answered_serial: Option<u16>,
    /// Where the vehicle is.
    pub location: LocationReport,
}

fn dated(body: Option<&[u8]>) -> bool {
    body.and_then(LocationView::new).is_some_and(|view| view.time().is_some())
}

impl Body for LocationQueryResponse {
    fn decode(reader: &mut Reader<'_>, edition: Edition) -> Result<Self, BodyError> {
        let body = reader.peek();
        let bare = edition != Edition::V2019 && body.len() >= BASE_LEN && dated(Some(body)) && !dated(body.get(2..));
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
