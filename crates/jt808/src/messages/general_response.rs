//! 0x0001 终端通用应答, 0x8001 平台通用应答.

use crate::message::Body;
use crate::print::id_hex;
use crate::reader::Reader;
use crate::{BodyError, Edition, EncodeError};
use serde_json::{Value, json};

const RESULTS: [&str; 5] = ["success", "failure", "message_error", "not_supported", "alarm_confirmed"];

/// Answer to a message that has no answer of its own. JT/T 808-2019 8.1, 8.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GeneralResponse {
    /// Serial of the message that is answered (应答流水号).
    pub answered_serial: u16,
    /// Id of the message that is answered (应答ID).
    pub answered_id: u16,
    /// Result (结果), see [`crate::GeneralResult`]; others are vendor use.
    pub result: u8,
}

impl Body for GeneralResponse {
    fn decode(reader: &mut Reader<'_>, _: Edition) -> Result<Self, BodyError> {
        Ok(Self {
            answered_serial: reader.word("answered_serial")?,
            answered_id: reader.word("answered_id")?,
            result: reader.byte("result")?,
        })
    }

    fn encode(&self, _: Edition, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend(self.answered_serial.to_be_bytes());
        out.extend(self.answered_id.to_be_bytes());
        out.push(self.result);
        Ok(())
    }

    fn print(&self, _: Edition) -> Value {
        json!({
            "answered_serial": self.answered_serial,
            "answered_id": id_hex(self.answered_id),
            "result": self.result,
            "result_name": RESULTS.get(usize::from(self.result)),
        })
    }
}
