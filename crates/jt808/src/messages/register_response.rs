//! 0x8100 终端注册应答.

use crate::message::Body;
use crate::reader::Reader;
use crate::{BodyError, Edition, EncodeError, Text};
use serde_json::{Value, json};

const RESULTS: [&str; 5] =
    ["success", "vehicle_already_registered", "no_such_vehicle", "terminal_already_registered", "no_such_terminal"];

/// Answer to a registration. JT/T 808-2019 8.7.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterResponse {
    /// Serial of the registration (应答流水号).
    pub answered_serial: u16,
    /// Result (结果), see [`crate::RegisterResult`].
    pub result: u8,
    /// Code for 0x0102 (鉴权码); empty unless the result is 0.
    pub code: Text,
}

impl Body for RegisterResponse {
    fn decode(reader: &mut Reader<'_>, _: Edition) -> Result<Self, BodyError> {
        Ok(Self {
            answered_serial: reader.word("answered_serial")?,
            result: reader.byte("result")?,
            code: reader.rest_text(),
        })
    }

    fn encode(&self, _: Edition, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend(self.answered_serial.to_be_bytes());
        out.push(self.result);
        out.extend_from_slice(self.code.wire());
        Ok(())
    }

    fn print(&self, _: Edition) -> Value {
        json!({
            "answered_serial": self.answered_serial,
            "result": self.result,
            "result_name": RESULTS.get(usize::from(self.result)),
            "code": (self.result == 0 || !self.code.is_blank()).then(|| self.code.decode()),
        })
    }
}
