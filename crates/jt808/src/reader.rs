//! Reads a message body field by field; an error names the field it failed on.

use crate::{Oddities, Oddity, Text};

/// Why a body could not be read. The frame is kept all the same; the answer is 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The body ends before the field does.
    #[error("{field} takes {need} bytes, {have} are left")]
    Truncated {
        /// The field.
        field: &'static str,
        /// Bytes it takes.
        need: usize,
        /// Bytes that were left.
        have: usize,
    },
}

impl BodyError {
    /// The field that could not be read.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self {
            Self::Truncated { field, .. } => field,
        }
    }
}

/// A cursor over a body, with a note of what was tolerated.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    pub(crate) oddities: Oddities,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Self {
        Self { rest: body, oddities: Oddities::NONE }
    }

    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    /// What is left, without taking it.
    pub(crate) fn peek(&self) -> &'a [u8] {
        self.rest
    }

    /// Exactly `len` bytes.
    pub(crate) fn bytes(&mut self, field: &'static str, len: usize) -> Result<&'a [u8], BodyError> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            return Err(BodyError::Truncated { field, need: len, have: self.rest.len() });
        };
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], BodyError> {
        let mut out = [0; N];
        out.copy_from_slice(self.bytes(field, N)?);
        Ok(out)
    }

    pub(crate) fn byte(&mut self, field: &'static str) -> Result<u8, BodyError> {
        self.array(field).map(u8::from_be_bytes)
    }

    pub(crate) fn word(&mut self, field: &'static str) -> Result<u16, BodyError> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(crate) fn dword(&mut self, field: &'static str) -> Result<u32, BodyError> {
        self.array(field).map(u32::from_be_bytes)
    }

    pub(crate) fn text(&mut self, field: &'static str, len: usize) -> Result<Text, BodyError> {
        self.bytes(field, len).map(Text::from_wire)
    }

    /// A fixed-width text as far as the body goes: a cut one is filled up and noted.
    pub(crate) fn text_as_far(&mut self, width: usize) -> Text {
        self.oddities.note_if(self.rest.len() < width, Oddity::ShortBody);
        let (taken, rest) = self.rest.split_at(width.min(self.rest.len()));
        self.rest = rest;
        Text::from_wire_padded(taken, width)
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(crate) fn rest_text(&mut self) -> Text {
        Text::from_wire(self.rest())
    }

    /// Everything that is left behind the last field that fits; noted when there is anything.
    pub(crate) fn tail(&mut self) -> Vec<u8> {
        self.oddities.note_if(!self.rest.is_empty(), Oddity::TrailingBytes);
        self.rest().to_vec()
    }
}
