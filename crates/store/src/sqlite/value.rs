//! How nouns lie in columns: 64-bit ids as the signed number with the same bits, 128-bit ids big-endian.

use std::str::FromStr;

use model::{CarrierId, EffectId, FactId, Position, RecordRef, TerminalId, Timestamp, VehicleId, ZoneId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite};

use crate::StoreError;

/// Same bits, other sign.
pub(crate) const fn signed(value: u64) -> i64 {
    value as i64
}

/// A row, read by column names; every error says which column was wrong.
pub(crate) struct Fields<'r> {
    row: &'r SqliteRow,
    table: &'static str,
}

impl<'r> Fields<'r> {
    pub(crate) const fn of(row: &'r SqliteRow, table: &'static str) -> Self {
        Self { row, table }
    }

    fn wrong(&self, column: &str, why: impl std::fmt::Display) -> StoreError {
        let what = format!("column {column} of a row of {}", self.table);
        if matches!(self.table, "user" | "session" | "secret") {
            return StoreError::corrupt_users(what, why);
        }
        StoreError::corrupt(what, why)
    }

    pub(crate) fn get<T>(&self, column: &'static str) -> Result<T, StoreError>
    where
        T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
    {
        self.row.try_get(column).map_err(|e| self.wrong(column, e))
    }

    /// An integer that fits.
    pub(crate) fn int<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T, StoreError> {
        let value: i64 = self.get(column)?;
        T::try_from(value).map_err(|_| self.wrong(column, format_args!("{value} is out of range")))
    }

    /// An integer that fits, or nothing.
    pub(crate) fn maybe_int<T: TryFrom<i64>>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let value: Option<i64> = self.get(column)?;
        value.map(|v| T::try_from(v).map_err(|_| self.wrong(column, format_args!("{v} is out of range")))).transpose()
    }

    /// A 64-bit number that was kept with the other sign.
    pub(crate) fn bits(&self, column: &'static str) -> Result<u64, StoreError> {
        Ok(self.get::<i64>(column)? as u64)
    }

    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        self.get(column).map(Timestamp)
    }

    pub(crate) fn maybe_time(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.get::<Option<i64>>(column)?.map(Timestamp))
    }

    pub(crate) fn vehicle(&self) -> Result<VehicleId, StoreError> {
        self.bits("vehicle").map(VehicleId)
    }

    pub(crate) fn zone(&self) -> Result<ZoneId, StoreError> {
        self.bits("zone").map(ZoneId)
    }

    pub(crate) fn carrier(&self) -> Result<Option<CarrierId>, StoreError> {
        Ok(self.get::<Option<i64>>("carrier")?.map(|v| CarrierId(v as u64)))
    }

    pub(crate) fn terminal(&self) -> Result<TerminalId, StoreError> {
        let text: &str = self.get("terminal")?;
        TerminalId::from_str(text).map_err(|e| self.wrong("terminal", e))
    }

    /// 16 bytes big-endian.
    pub(crate) fn wide(&self, column: &'static str) -> Result<u128, StoreError> {
        let bytes: &[u8] = self.get(column)?;
        bytes.try_into().map(u128::from_be_bytes).map_err(|_| self.wrong(column, "not 16 bytes"))
    }

    pub(crate) fn fact(&self, column: &'static str) -> Result<FactId, StoreError> {
        self.wide(column).map(FactId)
    }

    pub(crate) fn maybe_fact(&self, column: &'static str) -> Result<Option<FactId>, StoreError> {
        let bytes: Option<&[u8]> = self.get(column)?;
        bytes.map(|_| self.fact(column)).transpose()
    }

    pub(crate) fn effect(&self, column: &'static str) -> Result<EffectId, StoreError> {
        self.wide(column).map(EffectId)
    }

    /// A value that `known` maps to what it means.
    pub(crate) fn known<T>(&self, column: &'static str, known: impl Fn(i64) -> Option<T>) -> Result<T, StoreError> {
        let value: i64 = self.get(column)?;
        known(value).ok_or_else(|| self.wrong(column, format_args!("{value} means nothing")))
    }
}

/// 128-bit ids: as numbers, so in bytes.
pub(crate) fn wide(value: u128) -> Vec<u8> {
    value.to_be_bytes().to_vec()
}

const REF_LEN: usize = 16;

/// Journal references, 16 bytes each: shard, sequence, index, item, big-endian.
pub(crate) fn references(refs: &[RecordRef]) -> Vec<u8> {
    let mut out = Vec::with_capacity(refs.len() * REF_LEN);
    for r in refs {
        out.extend(r.position.shard.to_be_bytes());
        out.extend(r.position.seq.to_be_bytes());
        out.extend(r.index.to_be_bytes());
        out.extend(r.item.to_be_bytes());
    }
    out
}

/// The inverse of [`references`].
pub(crate) fn read_references(bytes: &[u8]) -> Option<Vec<RecordRef>> {
    let (records, rest) = bytes.as_chunks::<REF_LEN>();
    let one = |r: &[u8; REF_LEN]| {
        let number = u128::from_be_bytes(*r);
        RecordRef {
            position: Position { shard: (number >> 112) as u16, seq: (number >> 48) as u64 },
            index: (number >> 16) as u32,
            item: number as u16,
        }
    };
    rest.is_empty().then(|| records.iter().map(one).collect())
}

/// A list of numbers for `json_each`: one bound value however many there are, so that the statement stays the same.
pub(crate) fn list(numbers: impl IntoIterator<Item = i64>) -> String {
    let mut out = String::from("[");
    for (i, number) in numbers.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push_str(&number.to_string());
    }
    out.push(']');
    out
}

/// A list of pairs for `json_each`.
pub(crate) fn pairs(numbers: impl IntoIterator<Item = (i64, i64)>) -> String {
    let inner: Vec<String> = numbers.into_iter().map(|(a, b)| format!("[{a},{b}]")).collect();
    format!("[{}]", inner.join(","))
}

/// A list of triples for `json_each`.
pub(crate) fn triples(numbers: impl IntoIterator<Item = (i64, i64, i64)>) -> String {
    let inner: Vec<String> = numbers.into_iter().map(|(a, b, c)| format!("[{a},{b},{c}]")).collect();
    format!("[{}]", inner.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_come_back() {
        let refs = vec![
            RecordRef { position: Position { shard: 7, seq: u64::MAX - 1 }, index: u32::MAX, item: 3 },
            RecordRef::default(),
        ];
        assert_eq!(read_references(&references(&refs)), Some(refs));
        assert_eq!(read_references(&[0; 17]), None);
    }

    #[test]
    fn lists_are_json() {
        assert_eq!(list([]), "[]");
        assert_eq!(list([1, -2]), "[1,-2]");
        assert_eq!(pairs([(1, 2), (3, -4)]), "[[1,2],[3,-4]]");
    }
}
