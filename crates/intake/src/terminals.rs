//! Terminals (终端) and their dated bindings as a table: `phone`, `plate`, `colour`, `from`, `maker`, `model`, `device`.

use std::collections::BTreeMap;

use model::{Plate, TerminalId, Timestamp};

use crate::Fault;
use crate::table::{self, Column, Row};
use crate::vehicles::{first_of, read_plate};

const PHONE: usize = 0;
const PLATE: usize = 1;
const COLOUR: usize = 2;
const FROM: usize = 3;
const MAKER: usize = 4;
const MODEL: usize = 5;
const DEVICE: usize = 6;
/// Longest description of a terminal, in characters.
const TEXT_MAX: usize = 64;

static COLUMNS: [Column; 7] = [
    Column { name: "phone", also: &["终端手机号", "终端号", "SIM卡号"], needed: true },
    Column { name: "plate", also: &["车牌号码", "车牌号", "车牌"], needed: true },
    Column { name: "colour", also: &["color", "车牌颜色", "颜色"], needed: true },
    Column { name: "from", also: &["安装时间", "起始时间"], needed: false },
    Column { name: "maker", also: &["制造商ID", "制造商"], needed: false },
    Column { name: "model", also: &["终端型号"], needed: false },
    Column { name: "device", also: &["终端ID"], needed: false },
];

/// From when on a terminal speaks for a vehicle, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TerminalRow {
    /// Line of the file, from 1.
    pub row: u64,
    /// Which terminal.
    pub phone: TerminalId,
    /// For which vehicle.
    pub plate: Plate,
    /// From when on; `None`: since ever when it never spoke for another, otherwise from now on.
    pub from: Option<Timestamp>,
    /// Manufacturer id; `None`: as it is known.
    pub maker: Option<String>,
    /// Model; `None`: as it is known.
    pub model: Option<String>,
    /// Terminal id; `None`: as it is known.
    pub device: Option<String>,
}

/// Reads terminals. One that changed its vehicle has a row for each, told apart by `from`.
///
/// # Errors
/// Every bad row with its line and column; a terminal that stands twice with the same `from`.
pub fn read_terminals(bytes: &[u8]) -> Result<Vec<TerminalRow>, Vec<Fault>> {
    let mut seen = BTreeMap::new();
    table::read(bytes, &COLUMNS, |row| {
        let read = read_row(row)?;
        match first_of(&mut seen, &(read.phone, read.from), row.line) {
            None => Ok(read),
            Some(first) => Err(vec![row.fault(PHONE, format_args!("stands in row {first} already with that from"))]),
        }
    })
}

fn read_row(row: &Row) -> Result<TerminalRow, Vec<Fault>> {
    let phone = row.needed(PHONE).and_then(|text| text.parse::<TerminalId>().map_err(|error| row.fault(PHONE, error)));
    let plate = read_plate(row.cell(PLATE), row.cell(COLOUR));
    let mut faults = Vec::new();
    let from = row.time(FROM).unwrap_or_else(|fault| {
        faults.push(fault);
        None
    });
    let mut text = |column| {
        row.cell(column)?;
        row.text(column, TEXT_MAX).map_err(|fault| faults.push(fault)).ok()
    };
    let (maker, model, device) = (text(MAKER), text(MODEL), text(DEVICE));
    match (phone, plate) {
        (Ok(phone), Ok(plate)) if faults.is_empty() => {
            Ok(TerminalRow { row: row.line, phone, plate, from, maker, model, device })
        }
        (phone, plate) => Err([phone.err(), plate.err()].into_iter().flatten().chain(faults).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_are_dated() {
        let file = "phone,plate,colour,from,maker\n1,云D1,2,,M\n1,云D2,黄,2026-03-01 08:00,\n";
        let rows = read_terminals(file.as_bytes()).unwrap();
        assert_eq!(rows[0].from, None);
        assert_eq!(rows[1].from.map(|from| from.to_string()).as_deref(), Some("2026-03-01T08:00:00+08:00"));
        assert_eq!((rows[0].maker.as_deref(), rows[1].maker.as_deref()), (Some("M"), None));
    }

    #[test]
    fn every_bad_row_is_listed() {
        let file = "phone,plate,colour,from\n1,云D1,2,\n1,云D2,2,\nx,,2,soon\n";
        let faults: Vec<_> = read_terminals(file.as_bytes()).unwrap_err().iter().map(Fault::to_string).collect();
        assert_eq!(faults.len(), 4, "{faults:?}");
        assert_eq!(faults[0], "row 3: phone: stands in row 2 already with that from");
        assert!(faults[3].starts_with("row 4: from: not an RFC 3339 time"), "{faults:?}");
    }
}
