//! Text on the wire (STRING, padded BYTE[n]): bytes kept as they came, read as GB18030.

use encoding_rs::{GB18030, UTF_8};
use std::fmt;

/// A text field. Equality is by bytes, so nothing a terminal sent is lost by reading it.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Text(Vec<u8>);

impl Text {
    /// Wraps bytes as they came off the wire.
    #[must_use]
    pub fn from_wire(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// Wraps the bytes of a fixed-width field, filled up to `width` with 0x00 when it was cut.
    pub(crate) fn from_wire_padded(bytes: &[u8], width: usize) -> Self {
        let mut bytes = bytes.to_vec();
        bytes.resize(bytes.len().max(width), 0);
        Self(bytes)
    }

    /// The bytes on the wire, padding included.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        &self.0
    }

    /// Whether nothing but padding is in it.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.0.iter().all(|byte| is_padding(*byte))
    }

    /// The text: GBK or GB18030, without the 0x00 and spaces around it. Undecodable bytes become
    /// U+FFFD.
    #[must_use]
    pub fn decode(&self) -> String {
        let bytes = trim(&self.0);
        GB18030.decode_without_bom_handling(bytes).0.into_owned()
    }

    /// The text of a plate (车牌): like [`Text::decode`], but terminals that send UTF-8 are
    /// recognised by a Chinese character in front.
    #[must_use]
    pub fn decode_plate(&self) -> String {
        let bytes = trim(&self.0);
        match UTF_8.decode_without_bom_handling_and_without_replacement(bytes) {
            Some(text) if text.starts_with(is_han) => text.into_owned(),
            _ => self.decode(),
        }
    }
}

impl From<&str> for Text {
    /// Encodes as GB18030, which is GBK for every character that GBK has.
    fn from(text: &str) -> Self {
        Self(GB18030.encode(text).0.into_owned())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.decode())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({:?})", self.decode())
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.decode() == other
    }
}

/// Whether bytes read as text: decodable, and no control characters between the padding.
pub(crate) fn is_clean(bytes: &[u8]) -> bool {
    let bytes = trim(bytes);
    GB18030
        .decode_without_bom_handling_and_without_replacement(bytes)
        .is_some_and(|text| !text.contains(char::is_control))
}

fn is_padding(byte: u8) -> bool {
    matches!(byte, 0 | b' ')
}

fn is_han(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
}

fn trim(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !is_padding(*byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !is_padding(*byte)).map_or(start, |last| last + 1);
    bytes.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_by_table() {
        let cases: [(&[u8], &str); 6] = [
            (b"", ""),
            (b"\0\0", ""),
            (b"abc\0\0", "abc"),
            (b"\0\0ab c  ", "ab c"),
            (&[0xb2, 0xe2, b'A', 0], "测A"),
            (&[0xff, b'A'], "\u{fffd}A"),
        ];
        for (wire, text) in cases {
            assert_eq!(Text::from_wire(wire).decode(), text);
            assert_eq!(Text::from_wire(wire).decode_plate(), text);
        }
    }

    #[test]
    fn a_plate_may_be_utf8() {
        let utf8 = Text::from_wire("苏A12345".as_bytes());
        assert_eq!(utf8.decode_plate(), "苏A12345");
        assert_eq!(Text::from("苏A12345").wire(), b"\xcb\xd5A12345");
        assert_eq!(Text::from("苏A12345").decode_plate(), "苏A12345");
    }
}
