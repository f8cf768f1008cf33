//! 0x8003 补传分包请求 and 0x0005 终端补传分包请求 (2019): the packets of a message that did not arrive.

use crate::message::Body;
use crate::print::hex;
use crate::reader::Reader;
use crate::{BodyError, Edition, EncodeError, Oddity};
use serde_json::{Value, json};

/// A request for missing packets, which the other side repeats unchanged. JT/T 808-2019 8.4, 8.5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacketRequest {
    /// Serial of the first packet of the message (原始消息流水号).
    pub first_serial: u16,
    /// Number of packets that the body announces (重传包总数); one byte until 2013, so at most 255 there.
    pub announced_count: u16,
    /// Packet numbers (重传包ID列表), from 1.
    pub numbers: Vec<u16>,
    /// What follows the last whole number.
    pub tail: Vec<u8>,
}

impl PacketRequest {
    /// A request with its count right, for at most [`MISSING_MAX`](crate::MISSING_MAX) packets; more are the caller's to
    /// ask for in another one.
    #[must_use]
    pub fn new(first_serial: u16, numbers: Vec<u16>) -> Self {
        Self { first_serial, announced_count: numbers.len() as u16, numbers, tail: Vec::new() }
    }
}

impl Body for PacketRequest {
    fn decode(reader: &mut Reader<'_>, edition: Edition) -> Result<Self, BodyError> {
        let first_serial = reader.word("first_serial")?;
        let announced_count =
            if edition == Edition::V2019 { reader.word("count")? } else { u16::from(reader.byte("count")?) };
        let mut numbers = Vec::new();
        while reader.len() >= 2 {
            numbers.push(reader.word("numbers")?);
        }
        reader.oddities.note_if(numbers.len() != usize::from(announced_count), Oddity::CountWrong);
        Ok(Self { first_serial, announced_count, numbers, tail: reader.tail() })
    }

    fn encode(&self, edition: Edition, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let count = self.announced_count;
        let too_many = |_| EncodeError::FieldTooLong { field: "numbers", max: 255, found: usize::from(count) };
        let narrow = if edition == Edition::V2019 { None } else { Some(u8::try_from(count).map_err(too_many)?) };
        out.extend(self.first_serial.to_be_bytes());
        match narrow {
            Some(count) => out.push(count),
            None => out.extend(count.to_be_bytes()),
        }
        out.extend(self.numbers.iter().flat_map(|number| number.to_be_bytes()));
        out.extend_from_slice(&self.tail);
        Ok(())
    }

    fn print(&self, _: Edition) -> Value {
        let mut printed = json!({
            "first_serial": self.first_serial,
            "count": self.announced_count,
            "numbers": self.numbers,
        });
        if !self.tail.is_empty() {
            printed["tail"] = json!(hex(&self.tail));
        }
        printed
    }
}
