//! 0x0704 定位数据批量上传: stored location reports, many in one message.

use crate::location::{LocationReport, LocationView};
use crate::message::Body;
use crate::print::hex;
use crate::reader::Reader;
use crate::{BodyError, Edition, EncodeError, Oddity};
use serde_json::{Value, json};

/// Bytes before the first item: count and kind.
const HEAD_LEN: usize = 3;

/// What the reports are (位置数据类型).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum BatchKind {
    /// 正常位置批量汇报
    Normal = 0,
    /// 盲区补报: stored while the terminal was offline.
    BlindArea = 1,
}

/// Location reports in a batch. JT/T 808-2019 8.48.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchLocation {
    /// Number of items that the body announces (数据项个数); wrong on some terminals.
    pub announced_count: u16,
    /// See [`BatchKind`]; other values are vendor use.
    pub kind: u8,
    /// The reports that could be read, in order.
    pub reports: Vec<LocationReport>,
    /// What follows the last report that fits.
    pub tail: Vec<u8>,
}

/// The location bodies in a 0x0704 body, borrowed: as many as fit, whatever the count says.
#[derive(Debug, Clone)]
pub struct BatchBodies<'a> {
    rest: &'a [u8],
}

impl<'a> BatchBodies<'a> {
    /// Iterates over the body of a 0x0704. A body without a head yields nothing.
    #[must_use]
    pub fn new(body: &'a [u8]) -> Self {
        Self { rest: body.get(HEAD_LEN..).unwrap_or_default() }
    }

    /// Bytes that no item has taken yet; those that fit none at the end.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for BatchBodies<'a> {
    type Item = LocationView<'a>;

    fn next(&mut self) -> Option<LocationView<'a>> {
        let (len, rest) = self.rest.split_first_chunk()?;
        let (body, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        let view = LocationView::new(body)?;
        self.rest = rest;
        Some(view)
    }
}

impl BatchLocation {
    /// A batch with its count right. More than fit one message is the caller's to cut.
    #[must_use]
    pub fn new(kind: BatchKind, reports: Vec<LocationReport>) -> Self {
        Self { announced_count: reports.len() as u16, kind: kind as u8, reports, tail: Vec::new() }
    }
}

impl Body for BatchLocation {
    fn decode(reader: &mut Reader<'_>, _: Edition) -> Result<Self, BodyError> {
        let mut bodies = BatchBodies::new(reader.peek());
        let announced_count = reader.word("count")?;
        let kind = reader.byte("kind")?;
        let mut reports = Vec::new();
        for view in bodies.by_ref() {
            reports.push(view.to_report(&mut reader.oddities));
        }
        let (read, tail) = (reports.len(), bodies.rest().to_vec());
        let _ = reader.rest();
        let oddities = &mut reader.oddities;
        oddities.note_if(read != usize::from(announced_count), Oddity::CountWrong);
        oddities.note_if(!tail.is_empty(), Oddity::TrailingBytes);
        Ok(Self { announced_count, kind, reports, tail })
    }

    fn encode(&self, edition: Edition, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend(self.announced_count.to_be_bytes());
        out.push(self.kind);
        for report in &self.reports {
            let at = out.len();
            out.extend([0, 0]);
            report.encode(edition, out)?;
            let found = out.len() - at - 2;
            let len = u16::try_from(found).map_err(|_| EncodeError::FieldTooLong {
                field: "reports",
                max: usize::from(u16::MAX),
                found,
            })?;
            if let Some(place) = out.get_mut(at..at + 2) {
                place.copy_from_slice(&len.to_be_bytes());
            }
        }
        out.extend_from_slice(&self.tail);
        Ok(())
    }

    fn print(&self, edition: Edition) -> Value {
        let kind = match self.kind {
            0 => Some("normal"),
            1 => Some("blind_area"),
            _ => None,
        };
        let reports: Vec<_> = self.reports.iter().map(|r| r.print(edition)).collect();
        let mut printed = json!({
            "count": self.announced_count,
            "kind": self.kind,
            "kind_name": kind,
            "reports": reports,
        });
        if !self.tail.is_empty() {
            printed["tail"] = json!(hex(&self.tail));
        }
        printed
    }
}
