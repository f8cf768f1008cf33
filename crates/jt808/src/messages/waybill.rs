//! 0x0701 电子运单上报: a text whose format the standard leaves open.

use crate::message::Body;
use crate::reader::Reader;
use crate::{BodyError, Edition, EncodeError, Oddity, Text};
use serde_json::{Value, json};

/// An electronic waybill as the driver's device sends it. JT/T 808-2019 8.45.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waybill {
    /// Length that the body announces (电子运单长度); wrong on some terminals.
    pub announced_len: u32,
    /// Content (电子运单内容), usually GBK text: all that follows the length.
    pub content: Text,
}

impl Waybill {
    /// A waybill with its length right.
    #[must_use]
    pub fn new(content: Text) -> Self {
        Self { announced_len: content.wire().len() as u32, content }
    }
}

impl Body for Waybill {
    fn decode(reader: &mut Reader<'_>, _: Edition) -> Result<Self, BodyError> {
        let announced_len = reader.dword("content_length")?;
        let lies = announced_len as usize != reader.len();
        reader.oddities.note_if(lies, Oddity::InnerLengthWrong);
        Ok(Self { announced_len, content: reader.rest_text() })
    }

    fn encode(&self, _: Edition, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend(self.announced_len.to_be_bytes());
        out.extend_from_slice(self.content.wire());
        Ok(())
    }

    fn print(&self, _: Edition) -> Value {
        json!({ "length": self.announced_len, "content": self.content.decode() })
    }
}
