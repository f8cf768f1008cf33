//! Additional items of a location report (位置附加信息项): id, length, value. JT/T 808-2019 8.21,
//! JT/T 1078-2016. An id is believed only together with the standard's length, because
//! vendors reuse ids; anything else stays raw.

use super::ItemValue;
use crate::EncodeError;
use crate::print::hex;
use serde_json::{Value, json};
use smallvec::SmallVec;

/// An item, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemView<'a> {
    /// Item id (附加信息ID).
    pub id: u8,
    /// Value bytes.
    pub raw: &'a [u8],
}

impl ItemView<'_> {
    /// The meaning, if the standard gives this id one at this length.
    #[inline]
    #[must_use]
    pub fn value(&self) -> Option<ItemValue> {
        ItemValue::decode(self.id, self.raw)
    }

    /// An owned copy.
    #[must_use]
    pub fn to_item(self) -> Item {
        Item::new(self.id, self.raw)
    }
}

/// Iterates over items; stops at the first that runs past the end.
#[derive(Debug, Clone)]
pub struct Items<'a> {
    rest: &'a [u8],
}

impl<'a> Items<'a> {
    #[inline]
    pub(crate) fn new(extra: &'a [u8]) -> Self {
        Self { rest: extra }
    }

    /// Bytes that no item has taken yet; those that fit none at the end.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = ItemView<'a>;

    #[inline]
    fn next(&mut self) -> Option<ItemView<'a>> {
        let (&[id, len], rest) = self.rest.split_first_chunk()?;
        let (raw, rest) = rest.split_at_checked(usize::from(len))?;
        self.rest = rest;
        Some(ItemView { id, raw })
    }
}

/// An item, owned. Short values, which most are, lie inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Item id (附加信息ID).
    pub id: u8,
    /// Value bytes, at most 255.
    pub raw: SmallVec<[u8; 8]>,
}

impl Item {
    /// An item with any value.
    #[must_use]
    pub fn new(id: u8, raw: &[u8]) -> Self {
        Self { id, raw: SmallVec::from_slice(raw) }
    }

    /// The meaning, if the standard gives this id one at this length.
    #[must_use]
    pub fn value(&self) -> Option<ItemValue> {
        ItemValue::decode(self.id, &self.raw)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let len = u8::try_from(self.raw.len()).map_err(|_| EncodeError::FieldTooLong {
            field: "items",
            max: usize::from(u8::MAX),
            found: self.raw.len(),
        })?;
        out.extend([self.id, len]);
        out.extend_from_slice(&self.raw);
        Ok(())
    }

    pub(super) fn print(&self) -> Value {
        let value = self.value();
        json!({
            "id": format!("0x{:02X}", self.id),
            "name": value.map_or("unknown", ItemValue::name),
            "value": value.map(ItemValue::print),
            "raw": hex(&self.raw),
        })
    }
}
