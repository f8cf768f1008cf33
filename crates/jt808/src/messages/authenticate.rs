//! 0x0102 终端鉴权: the code alone until 2013, with IMEI and software version in 2019.

use super::{put_counted, put_padded};
use crate::message::Body;
use crate::reader::Reader;
use crate::{BodyError, Edition, EncodeError, Oddity, Text};
use serde_json::{Value, json};

const IMEI_LEN: usize = 15;
const SOFTWARE_LEN: usize = 20;

/// A terminal shows the code it got when it registered. JT/T 808-2019 8.11.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticate {
    /// Code (鉴权码).
    pub code: Text,
    /// IMEI (终端IMEI), 2019. Cut off by some terminals.
    pub imei: Option<Text>,
    /// Software version (软件版本号), 2019. Cut off by some terminals.
    pub software_version: Option<Text>,
}

/// Takes a fixed text, if there is any of it left.
fn optional(reader: &mut Reader<'_>, width: usize) -> Option<Text> {
    let present = reader.len() > 0;
    reader.oddities.note_if(!present, Oddity::ShortBody);
    present.then(|| reader.text_as_far(width))
}

impl Body for Authenticate {
    fn decode(reader: &mut Reader<'_>, edition: Edition) -> Result<Self, BodyError> {
        let counted = match reader.peek() {
            [n, rest @ ..] => usize::from(*n) <= rest.len(),
            [] => false,
        };
        if edition != Edition::V2019 || !counted {
            // Some 2019 terminals leave the length byte out.
            reader.oddities.note_if(edition == Edition::V2019, Oddity::ShortBody);
            return Ok(Self { code: reader.rest_text(), imei: None, software_version: None });
        }
        let len = usize::from(reader.byte("code_length")?);
        Ok(Self {
            code: reader.text("code", len)?,
            imei: optional(reader, IMEI_LEN),
            software_version: optional(reader, SOFTWARE_LEN),
        })
    }

    fn encode(&self, edition: Edition, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if edition != Edition::V2019 {
            out.extend_from_slice(self.code.wire());
            return Ok(());
        }
        put_counted(out, "code", &self.code)?;
        let blank = Text::default();
        if self.imei.is_some() || self.software_version.is_some() {
            put_padded(out, "imei", self.imei.as_ref().unwrap_or(&blank), IMEI_LEN)?;
        }
        if let Some(version) = &self.software_version {
            put_padded(out, "software_version", version, SOFTWARE_LEN)?;
        }
        Ok(())
    }

    fn print(&self, edition: Edition) -> Value {
        let mut printed = json!({ "code": self.code.decode() });
        if edition == Edition::V2019 {
            printed["imei"] = json!(self.imei.as_ref().map(Text::decode));
            printed["software_version"] = json!(self.software_version.as_ref().map(Text::decode));
        }
        printed
    }
}
