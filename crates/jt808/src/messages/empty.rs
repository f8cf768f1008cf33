//! Messages that the standard gives no body: heartbeat, unregister, time request, location query.

use crate::message::Body;
use crate::print::hex;
use crate::reader::Reader;
use crate::{BodyError, Edition, EncodeError, Oddity};
use serde_json::{Value, json};

/// No body (消息体为空). JT/T 808-2019 8.3, 8.8, 8.9, 8.22.
///
/// Some terminals append data to a heartbeat; it is kept and has no meaning here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Empty {
    /// Bytes where none belong.
    pub extra: Vec<u8>,
}

impl Body for Empty {
    fn decode(reader: &mut Reader<'_>, _: Edition) -> Result<Self, BodyError> {
        reader.oddities.note_if(reader.len() > 0, Oddity::UnexpectedBody);
        Ok(Self { extra: reader.rest().to_vec() })
    }

    fn encode(&self, _: Edition, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(&self.extra);
        Ok(())
    }

    fn print(&self, _: Edition) -> Value {
        if self.extra.is_empty() {
            return json!({});
        }
        json!({ "raw": hex(&self.extra) })
    }
}
