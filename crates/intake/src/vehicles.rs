//! Vehicles as CSV: the register of a carrier, as it comes out of a spreadsheet.

use std::collections::BTreeMap;

use csv::{ReaderBuilder, StringRecord, Trim};
use model::{Plate, PlateColour, TerminalId};

use crate::{Fault, decode_text};

/// Most rows of one file.
pub const ROWS_MAX: usize = 100_000;

/// One row: a vehicle, who runs it, and the terminal that speaks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VehicleRow {
    /// Line of the file, from 1; the header is line 1.
    pub row: u64,
    /// The plate with its colour.
    pub plate: Plate,
    /// A carrier's name or id; `None` when the cell is empty or there is no such column.
    pub carrier: Option<String>,
    /// The terminal's phone; `None` when the cell is empty or there is no such column.
    pub phone: Option<TerminalId>,
}

/// Column names, English and Chinese.
const COLUMNS: [(Column, &[&str]); 4] = [
    (Column::Plate, &["plate", "车牌号码", "车牌号", "车牌"]),
    (Column::Colour, &["colour", "color", "车牌颜色", "颜色"]),
    (Column::Carrier, &["carrier", "承运人", "运输企业", "所属企业"]),
    (Column::Phone, &["phone", "终端手机号", "终端号", "SIM卡号"]),
];

/// Colours by the words that people write (JT/T 697.7).
const COLOURS: [(&str, u8); 11] = [
    ("无", 0),
    ("蓝", 1),
    ("黄", 2),
    ("黑", 3),
    ("白", 4),
    ("绿", 5),
    ("其他", 9),
    ("农黄", 91),
    ("农绿", 92),
    ("黄绿", 93),
    ("渐变绿", 94),
];

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Column {
    Plate,
    Colour,
    Carrier,
    Phone,
}

impl Column {
    fn named(header: &str) -> Option<Self> {
        COLUMNS
            .iter()
            .find(|(_, names)| names.iter().any(|n| n.eq_ignore_ascii_case(header)))
            .map(|(column, _)| *column)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Plate => "plate",
            Self::Colour => "colour",
            Self::Carrier => "carrier",
            Self::Phone => "phone",
        }
    }
}

/// Where each column lies.
type Layout = BTreeMap<Column, usize>;

/// Reads a register. Columns `plate`, `colour` and, where wanted, `carrier` and `phone`, in any order, named in a
/// header; UTF-8 or GBK.
///
/// # Errors
/// Every bad row with its line and column: no plate, no colour, no phone, a plate or phone that stands twice.
pub fn read_vehicles(bytes: &[u8]) -> Result<Vec<VehicleRow>, Vec<Fault>> {
    let text = decode_text(bytes).map_err(|fault| vec![fault])?;
    let mut reader = ReaderBuilder::new().trim(Trim::All).flexible(true).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|e| vec![Fault::whole(e.to_string())])?;
    let layout = read_header(headers)?;
    let width = headers.len();
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    let mut lines = Lines::new(text.as_bytes());
    for (index, record) in reader.records().enumerate() {
        if index >= ROWS_MAX {
            faults.push(Fault::whole(format!("more than {ROWS_MAX} rows: cut the file")));
            break;
        }
        match record {
            Ok(record) => {
                let line = lines.of(record.position().map_or(0, csv::Position::byte) as usize);
                match read_row(&record, &layout, width, line) {
                    Ok(row) => rows.push(row),
                    Err(bad) => faults.extend(bad.into_iter().map(|fault| fault.in_row(line))),
                }
            }
            Err(error) => faults.push(Fault::whole(error.to_string())),
        }
    }
    faults.extend(repeated(&rows));
    faults.sort_by_key(|fault| fault.row);
    if faults.is_empty() { Ok(rows) } else { Err(faults) }
}

/// Line numbers by place in the file. The CSV reader counts the second half of a CRLF to the next line, and so is one
/// off in files from Windows.
struct Lines<'a> {
    rest: &'a [u8],
    place: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    const fn new(file: &'a [u8]) -> Self {
        Self { rest: file, place: 0, line: 1 }
    }

    /// The line of the first byte at or after `place` that ends no line; places must ascend.
    fn of(&mut self, place: usize) -> u64 {
        while let Some((byte, rest)) = self.rest.split_first()
            && (self.place < place || matches!(byte, b'\r' | b'\n'))
        {
            self.line += u64::from(*byte == b'\n');
            self.place += 1;
            self.rest = rest;
        }
        self.line
    }
}

fn read_header(headers: &StringRecord) -> Result<Layout, Vec<Fault>> {
    let mut layout = Layout::new();
    let mut faults = Vec::new();
    for (index, header) in headers.iter().enumerate() {
        match Column::named(header) {
            None => faults.push(Fault::field(header, "no such column: plate, colour, carrier, phone").in_row(1)),
            Some(column) => {
                if layout.insert(column, index).is_some() {
                    faults.push(Fault::field(column.name(), "the column stands twice").in_row(1));
                }
            }
        }
    }
    for column in [Column::Plate, Column::Colour] {
        if !layout.contains_key(&column) {
            faults.push(Fault::field(column.name(), "the column is missing from the header").in_row(1));
        }
    }
    if faults.is_empty() { Ok(layout) } else { Err(faults) }
}

fn read_row(record: &StringRecord, layout: &Layout, width: usize, row: u64) -> Result<VehicleRow, Vec<Fault>> {
    if record.len() != width {
        return Err(vec![Fault::whole(format!("{} cells, the header has {width}", record.len()))]);
    }
    let cell = |column| layout.get(&column).and_then(|i| record.get(*i)).filter(|text| !text.is_empty());
    let plate = read_plate(cell(Column::Plate), cell(Column::Colour));
    let phone = cell(Column::Phone).map(str::parse::<TerminalId>).transpose().map_err(|e| Fault::field("phone", e));
    match (plate, phone) {
        (Ok(plate), Ok(phone)) => {
            Ok(VehicleRow { row, plate, carrier: cell(Column::Carrier).map(str::to_owned), phone })
        }
        (plate, phone) => Err(plate.err().into_iter().chain(phone.err()).collect()),
    }
}

fn read_plate(text: Option<&str>, colour: Option<&str>) -> Result<Plate, Fault> {
    let text = text.ok_or_else(|| Fault::field("plate", "the cell is empty"))?;
    let colour = colour.ok_or_else(|| Fault::field("colour", "the cell is empty"))?;
    let code = colour.parse().ok().or_else(|| {
        let word = colour.strip_suffix('色').unwrap_or(colour);
        COLOURS.iter().find(|(name, _)| *name == word).map(|(_, code)| *code)
    });
    let code = code.map(PlateColour::normalised).filter(|c| c.is_known()).ok_or_else(|| {
        Fault::field("colour", format!("no plate colour: {colour:?} (1 蓝, 2 黄, 3 黑, 4 白, 5 绿, 9 其他, 91-94)"))
    })?;
    Plate::new(text, code).map_err(|e| Fault::field("plate", e))
}

fn repeated(rows: &[VehicleRow]) -> Vec<Fault> {
    let (mut plates, mut phones, mut faults) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for row in rows {
        if let Some(first) = plates.insert(&row.plate, row.row) {
            faults.push(Fault::field("plate", format!("{} stands in row {first} already", row.plate)).in_row(row.row));
        }
        if let Some((phone, first)) = row.phone.and_then(|p| phones.insert(p, row.row).map(|first| (p, first))) {
            faults.push(Fault::field("phone", format!("{phone} stands in row {first} already")).in_row(row.row));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &str, expect: &[&str]) {
        let got: Vec<String> = match read_vehicles(file.as_bytes()) {
            Ok(rows) => rows
                .iter()
                .map(|r| {
                    let phone = r.phone.map(|p| p.to_string()).unwrap_or_default();
                    format!("{} {} {} {phone}", r.row, r.plate, r.carrier.as_deref().unwrap_or_default())
                })
                .collect(),
            Err(faults) => faults.iter().map(|f| format!("! {f}")).collect(),
        };
        assert_eq!(got, expect, "{file}");
    }

    #[test]
    fn registers_are_read() {
        check("plate,colour,carrier,phone\n云D12345,2,ACME,013912345678\n", &["2 云D12345:2 ACME 13912345678"]);
        check("\u{feff}phone,PLATE,colour\r\n,云d·1,黄色\r\n1,云D2,渐变绿\r\n", &["2 云D1:2  ", "3 云D2:94  1"]);
        check("车牌号,车牌颜色,所属企业\n\"云D3\",147,\"甲,乙\"\n", &["2 云D3:93 甲,乙 "]);
        check("plate,colour\n\n\n云D1,2\n", &["4 云D1:2  "]);
        check("plate,colour\n", &[]);
    }

    #[test]
    fn every_bad_row_is_listed() {
        check(
            "plate,colour,phone\n云D1,2,1\n,2,\n云D2,7,x\n云D1,2,1\n云D4,2\n",
            &[
                "! row 3: plate: the cell is empty",
                "! row 4: colour: no plate colour: \"7\" (1 蓝, 2 黄, 3 黑, 4 白, 5 绿, 9 其他, 91-94)",
                "! row 4: phone: not a terminal phone of 1 to 20 digits: \"x\"",
                "! row 5: plate: 云D1:2 stands in row 2 already",
                "! row 5: phone: 1 stands in row 2 already",
                "! row 6: 2 cells, the header has 3",
            ],
        );
        check(
            "",
            &[
                "! row 1: plate: the column is missing from the header",
                "! row 1: colour: the column is missing from the header",
            ],
        );
        check("plate,colour,weight\n", &["! row 1: weight: no such column: plate, colour, carrier, phone"]);
    }

    #[test]
    fn gbk_is_read() {
        let (bytes, ..) = encoding_rs::GBK.encode("plate,colour,carrier\n云D12345,2,曲靖运输\n");
        let rows = read_vehicles(&bytes).unwrap();
        assert_eq!(rows[0].carrier.as_deref(), Some("曲靖运输"));
    }
}
