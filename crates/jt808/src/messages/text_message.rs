//! 0x8300 文本信息下发.

use crate::message::Body;
use crate::print::bit_names;
use crate::reader::Reader;
use crate::{BodyError, Edition, EncodeError, Text};
use serde_json::{Value, json};

/// Bits that all editions share; bit 5 chooses between two kinds of text.
const CAN_FAULT_BIT: u8 = 5;
const FLAGS: [(u8, &str); 4] =
    [(2, "display"), (3, "tts"), (4, "advertising_screen"), (CAN_FAULT_BIT, "can_fault_code")];

/// A text for the driver. JT/T 808-2019 8.27.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextMessage {
    /// Flags (标志). Until 2013 bit 0 means urgent; in 2019 bits 0-1 are 1 service, 2 urgent,
    /// 3 notice. Bit 2 display, bit 3 TTS, bit 4 advertising screen (until 2013), bit 5 CAN fault
    /// code instead of navigation text (2013, 2019).
    pub flag: u8,
    /// Kind (文本类型), 2019: 1 notice, 2 service. Absent before.
    pub kind: Option<u8>,
    /// The text, at most 1024 bytes of GBK.
    pub text: Text,
}

impl Body for TextMessage {
    fn decode(reader: &mut Reader<'_>, edition: Edition) -> Result<Self, BodyError> {
        let flag = reader.byte("flag")?;
        let kind = if edition == Edition::V2019 { Some(reader.byte("kind")?) } else { None };
        Ok(Self { flag, kind, text: reader.rest_text() })
    }

    fn encode(&self, edition: Edition, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.push(self.flag);
        if edition == Edition::V2019 {
            // 1, notice: what a text without a kind is.
            out.push(self.kind.unwrap_or(1));
        }
        out.extend_from_slice(self.text.wire());
        Ok(())
    }

    fn print(&self, edition: Edition) -> Value {
        let mut names = match (edition, self.flag & 3) {
            (Edition::V2019, 1) => vec!["service"],
            (Edition::V2019, 2) => vec!["urgent"],
            (Edition::V2019, 3) => vec!["notice"],
            (Edition::V2011 | Edition::V2013, 1 | 3) => vec!["urgent"],
            _ => vec![],
        };
        names.extend(bit_names(u32::from(self.flag), &FLAGS));
        let mut printed = json!({ "flag": self.flag, "flag_bits": names });
        if edition == Edition::V2019 {
            printed["kind"] = json!(self.kind);
        }
        printed["text"] = json!(self.text.decode());
        printed
    }
}
