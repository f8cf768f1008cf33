//! Permits as CSV: one row a permit; lists in a cell are cut by `;`.

use std::collections::BTreeMap;

use model::{PermitKind, Timestamp};

use crate::Fault;
use crate::table::{self, Column, Row, parse_time};
use crate::vehicles::first_of;

const NUMBER: usize = 0;
const ISSUER: usize = 1;
const KIND: usize = 2;
const VEHICLES: usize = 3;
const ZONES: usize = 4;
const SLOTS: usize = 5;

static COLUMNS: [Column; 6] = [
    Column { name: "number", also: &["编号", "通行证号"], needed: true },
    Column { name: "issuer", also: &["签发机关"], needed: false },
    Column { name: "kind", also: &["类型"], needed: true },
    Column { name: "vehicles", also: &["车辆", "车牌"], needed: true },
    Column { name: "zones", also: &["区域"], needed: false },
    Column { name: "slots", also: &["时段", "有效期"], needed: true },
];

/// Longest text of a cell, in characters.
const TEXT_MAX: usize = 200;
/// Entries of a list in a cell.
const LIST_MAX: usize = 10_000;

/// A permit as a file has it: vehicles and zones by what people call them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermitRow {
    /// Line of the file, from 1; the header is line 1.
    pub row: u64,
    /// Its number.
    pub number: String,
    /// Who issued it.
    pub issuer: String,
    /// What it is.
    pub kind: PermitKind,
    /// Vehicles: ids, plates (with colour where needed) or phones.
    pub vehicles: Vec<String>,
    /// Zones: ids or names; empty: all.
    pub zones: Vec<String>,
    /// When, [from, to).
    pub slots: Vec<(Timestamp, Timestamp)>,
}

/// Reads permits: `number`, `kind` (`pass`, `filed`, `notified`), `vehicles`, `slots` (`FROM/TO;FROM/TO` with RFC 3339
/// times) and, where wanted, `issuer` and `zones`.
///
/// # Errors
/// Every bad row with its line and column.
pub fn read_permits(bytes: &[u8]) -> Result<Vec<PermitRow>, Vec<Fault>> {
    let mut seen = BTreeMap::new();
    table::read(bytes, &COLUMNS, |row| {
        let read = permit(row)?;
        match first_of(&mut seen, &(read.issuer.clone(), read.number.clone()), row.line) {
            None => Ok(read),
            Some(first) => Err(vec![row.fault(NUMBER, format_args!("stands in row {first} already"))]),
        }
    })
}

fn permit(row: &Row) -> Result<PermitRow, Vec<Fault>> {
    let number = row.needed(NUMBER).and_then(|_| row.text(NUMBER, TEXT_MAX));
    let issuer = row.text(ISSUER, TEXT_MAX);
    let kind = row.needed(KIND).and_then(|text| {
        let found = PermitKind::ALL.iter().find(|kind| kind.name() == text || kind.name_zh() == text);
        found.copied().ok_or_else(|| row.fault(KIND, format_args!("{text:?} is none of pass, filed, notified")))
    });
    let vehicles = row.needed(VEHICLES).and_then(|text| list(row, VEHICLES, text));
    let zones = list(row, ZONES, row.cell(ZONES).unwrap_or_default());
    let slots = row.needed(SLOTS).and_then(|text| slots(row, text));
    match (number, issuer, kind, vehicles, zones, slots) {
        (Ok(number), Ok(issuer), Ok(kind), Ok(vehicles), Ok(zones), Ok(slots)) => {
            Ok(PermitRow { row: row.line, number, issuer, kind, vehicles, zones, slots })
        }
        (number, issuer, kind, vehicles, zones, slots) => {
            let faults = [number.err(), issuer.err(), kind.err(), vehicles.err(), zones.err(), slots.err()];
            Err(faults.into_iter().flatten().collect())
        }
    }
}

fn list(row: &Row, column: usize, text: &str) -> Result<Vec<String>, Fault> {
    let entries = text.split([';', '；']).map(str::trim).filter(|entry| !entry.is_empty());
    let list: Vec<_> = entries.take(LIST_MAX + 1).map(str::to_owned).collect();
    if list.len() > LIST_MAX {
        return Err(row.fault(column, format_args!("more than {LIST_MAX} entries")));
    }
    Ok(list)
}

fn slots(row: &Row, text: &str) -> Result<Vec<(Timestamp, Timestamp)>, Fault> {
    let mut slots = Vec::new();
    for entry in list(row, SLOTS, text)? {
        let ends = entry.split_once('/').map(|(from, to)| (parse_time(from.trim()), parse_time(to.trim())));
        match ends {
            Some((Ok(from), Ok(to))) if from < to => slots.push((from, to)),
            _ => {
                let message =
                    format_args!("not a span like 2026-11-23T08:00:00+08:00/2026-11-23T10:00:00+08:00: {entry:?}");
                return Err(row.fault(SLOTS, message));
            }
        }
    }
    if slots.is_empty() { Err(row.fault(SLOTS, "is empty")) } else { Ok(slots) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_read() {
        let file = "编号,签发机关,类型,车辆,区域,时段\n\
            7,支队,通行证,云D1:2;云D2,,2026-11-23T08:00:00+08:00/2026-11-23T10:00:00+08:00;2026-11-24T08:00:00+08:00/2026-11-24T10:00:00+08:00\n";
        let rows = read_permits(file.as_bytes()).unwrap();
        assert_eq!((rows[0].row, rows[0].kind, rows[0].slots.len()), (2, PermitKind::Pass, 2));
        assert_eq!((rows[0].vehicles.len(), rows[0].zones.len()), (2, 0));
    }

    #[test]
    fn every_bad_row_is_listed() {
        let good = "2026-11-23T08:00:00+08:00/2026-11-23T10:00:00+08:00";
        let file = format!("number,kind,vehicles,slots\n1,pass,a,{good}\n1,pass,a,{good}\n,visa,,x\n2,pass,a,;\n");
        let faults: Vec<_> = read_permits(file.as_bytes()).unwrap_err().iter().map(Fault::to_string).collect();
        assert_eq!(faults.len(), 6, "{faults:?}");
        assert_eq!(faults[0], "row 3: number: stands in row 2 already");
        assert!(faults[2].starts_with("row 4: kind: \"visa\" is none of"), "{faults:?}");
        assert_eq!(faults[5], "row 5: slots: is empty");
    }
}
