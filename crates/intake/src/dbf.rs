//! The attributes of a shapefile (dBASE III table): every cell as text. Rows that are marked as deleted keep their place,
//! because shapes are matched with rows by their order.

use std::borrow::Cow;

use crate::{Fault, decode_text};

/// Bytes of the fixed part of the header, and of a field's description.
const BLOCK: usize = 32;
/// Ends the descriptions.
const END: u8 = 0x0d;

/// The rows of a table.
pub(crate) struct Table<'a> {
    /// Names in lower case, and widths.
    fields: Vec<(String, usize)>,
    rows: std::slice::ChunksExact<'a, u8>,
    is_utf8: bool,
}

impl<'a> Table<'a> {
    /// Reads the header. Texts are GBK where they are no UTF-8, unless it is known that they must be UTF-8.
    ///
    /// # Errors
    /// When it is no table.
    pub(crate) fn open(bytes: &'a [u8], is_utf8: bool) -> Result<Self, Fault> {
        let damaged = || Fault::whole("the .dbf file is damaged");
        let number = |at: usize| Some(usize::from(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?])));
        let (start, width) = number(8).zip(number(10)).filter(|(_, width)| *width > 0).ok_or_else(damaged)?;
        let descriptions = bytes.get(BLOCK..start).ok_or_else(damaged)?;
        let mut fields = Vec::new();
        for description in descriptions.chunks_exact(BLOCK).take_while(|chunk| chunk.first() != Some(&END)) {
            let (name, rest) = description.split_at(11);
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            let length = rest.get(5).copied().ok_or_else(damaged)?;
            fields.push((decode_text(name)?.trim().to_lowercase(), usize::from(length)));
        }
        if 1 + fields.iter().map(|(_, length)| length).sum::<usize>() != width {
            return Err(damaged());
        }
        let rows = bytes.get(start..).ok_or_else(damaged)?.chunks_exact(width);
        Ok(Self { fields, rows, is_utf8 })
    }

    fn text(&self, cell: &'a [u8]) -> Result<Cow<'a, str>, Fault> {
        if self.is_utf8 { Ok(String::from_utf8_lossy(cell)) } else { decode_text(cell) }
    }
}

/// The cells of a row that are not empty, by the names of their columns.
pub(crate) type Cells = Vec<(String, String)>;

/// `None` for a row that is marked as deleted.
impl Iterator for Table<'_> {
    type Item = Result<Option<Cells>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mark, mut rest) = self.rows.next()?.split_first()?;
        if *mark == b'*' {
            return Some(Ok(None));
        }
        let mut cells = Vec::new();
        for (name, length) in &self.fields {
            let (cell, others) = rest.split_at_checked(*length)?;
            rest = others;
            match self.text(cell) {
                Ok(text) => {
                    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
                    if !text.is_empty() {
                        cells.push((name.clone(), text.to_owned()));
                    }
                }
                Err(_) => return Some(Err(Fault::field(name, "the cell is neither UTF-8 nor GBK text"))),
            }
        }
        Some(Ok(Some(cells)))
    }
}

/// A table of texts, for tests.
#[cfg(test)]
pub(crate) fn table(fields: &[(&str, u8)], rows: &[&[&str]]) -> Vec<u8> {
    let width = 1 + fields.iter().map(|(_, length)| u16::from(*length)).sum::<u16>();
    let start = (BLOCK * (fields.len() + 1) + 1) as u16;
    let mut bytes = vec![3, 126, 11, 23];
    bytes.extend((rows.len() as u32).to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend(width.to_le_bytes());
    bytes.resize(BLOCK, 0);
    for (name, length) in fields {
        let at = bytes.len();
        bytes.extend(name.as_bytes());
        bytes.resize(at + 11, 0);
        bytes.push(b'C');
        bytes.extend([0, 0, 0, 0, *length]);
        bytes.resize(at + BLOCK, 0);
    }
    bytes.push(END);
    for row in rows {
        bytes.push(if row.is_empty() { b'*' } else { b' ' });
        for (i, (_, length)) in fields.iter().enumerate() {
            let at = bytes.len();
            bytes.extend(row.get(i).copied().unwrap_or_default().as_bytes());
            bytes.resize(at + usize::from(*length), b' ');
        }
    }
    bytes.push(0x1a);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_texts_by_column() {
        let bytes = table(&[("NAME", 10), ("HALF_WIDTH", 5)], &[&["桥", "12.5"], &[], &["", "3"]]);
        let rows: Vec<_> = Table::open(&bytes, false).unwrap().collect::<Result<_, _>>().unwrap();
        let cell = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        assert_eq!(rows[0], Some(vec![cell("name", "桥"), cell("half_width", "12.5")]));
        assert_eq!(rows[1..], [None, Some(vec![cell("half_width", "3")])]);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let good = table(&[("NAME", 10)], &[&["桥"]]);
        for length in 0..good.len() {
            if let Ok(table) = Table::open(&good[..length], true) {
                assert!(table.count() <= 1);
            }
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0xff;
            if let Ok(table) = Table::open(&bad, false) {
                assert!(table.count() <= 20);
            }
        }
    }
}
