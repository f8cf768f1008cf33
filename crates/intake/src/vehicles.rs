//! Vehicles as CSV: the register of a carrier, as it comes out of a spreadsheet.

use std::collections::BTreeMap;

use model::{Division, Plate, PlateColour, TerminalId, VehicleUse};

use crate::Fault;
use crate::table::{self, Column, Row};

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
    /// What it is for; `None` when the cell is empty or there is no such column.
    pub kind: Option<VehicleUse>,
    /// What it is licensed for; `None` when the cell is empty or there is no such column.
    pub scope: Option<Vec<Division>>,
}

const PLATE: usize = 0;
const COLOUR: usize = 1;
const CARRIER: usize = 2;
const PHONE: usize = 3;
const USE: usize = 4;
const SCOPE: usize = 5;

/// Column names, English and Chinese.
static COLUMNS: [Column; 6] = [
    Column { name: "plate", also: &["车牌号码", "车牌号", "车牌"], needed: true },
    Column { name: "colour", also: &["color", "车牌颜色", "颜色"], needed: true },
    Column { name: "carrier", also: &["承运人", "运输企业", "所属企业"], needed: false },
    Column { name: "phone", also: &["终端手机号", "终端号", "SIM卡号"], needed: false },
    Column { name: "use", also: &["用途"], needed: false },
    Column { name: "scope", also: &["经营范围"], needed: false },
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

/// Reads a register. Columns `plate`, `colour` and, where wanted, `carrier`, `phone`, `use` (`dangerous_goods`,
/// `ordinary`) and `scope` (classes like `2.1 3`), in any order, named in a header; UTF-8 or GBK.
///
/// # Errors
/// Every bad row with its line and column: no plate, no colour, no phone, a plate or phone that stands twice.
pub fn read_vehicles(bytes: &[u8]) -> Result<Vec<VehicleRow>, Vec<Fault>> {
    let (mut plates, mut phones) = (BTreeMap::new(), BTreeMap::new());
    table::read(bytes, &COLUMNS, |row| {
        let read = read_row(row)?;
        let mut faults = Vec::new();
        if let Some(first) = first_of(&mut plates, &read.plate, row.line) {
            faults.push(row.fault(PLATE, format_args!("{} stands in row {first} already", read.plate)));
        }
        if let Some(phone) = &read.phone
            && let Some(first) = first_of(&mut phones, phone, row.line)
        {
            faults.push(row.fault(PHONE, format_args!("{phone} stands in row {first} already")));
        }
        if faults.is_empty() { Ok(read) } else { Err(faults) }
    })
}

/// Where it stood first, if it did.
pub(crate) fn first_of<T: Ord + Clone>(seen: &mut BTreeMap<T, u64>, value: &T, line: u64) -> Option<u64> {
    let first = seen.get(value).copied();
    if first.is_none() {
        seen.insert(value.clone(), line);
    }
    first
}

fn read_row(row: &Row) -> Result<VehicleRow, Vec<Fault>> {
    let plate = read_plate(row.cell(PLATE), row.cell(COLOUR));
    let phone = row.parsed::<TerminalId>(PHONE);
    let kind = row.cell(USE).map(|text| read_use(text).ok_or_else(|| row.fault(USE, unknown_use(text)))).transpose();
    let scope = row.cell(SCOPE).map(|text| read_scope(text).map_err(|error| row.fault(SCOPE, error))).transpose();
    match (plate, phone, kind, scope) {
        (Ok(plate), Ok(phone), Ok(kind), Ok(scope)) => {
            let carrier = row.cell(CARRIER).map(str::to_owned);
            Ok(VehicleRow { row: row.line, plate, carrier, phone, kind, scope })
        }
        (plate, phone, kind, scope) => {
            Err([plate.err(), phone.err(), kind.err(), scope.err()].into_iter().flatten().collect())
        }
    }
}

fn read_use(text: &str) -> Option<VehicleUse> {
    match text {
        "危险货物" | "危险货物运输" => Some(VehicleUse::DangerousGoods),
        "普通货物" | "普通货运" => Some(VehicleUse::Ordinary),
        name => VehicleUse::from_name(name),
    }
}

fn unknown_use(text: &str) -> String {
    format!("{text:?} is none of dangerous_goods, ordinary")
}

/// Classes and divisions between blanks, commas or the Chinese enumeration comma; `类` and `项` are understood.
fn read_scope(text: &str) -> Result<Vec<Division>, model::GoodsError> {
    let separator = |c: char| c.is_whitespace() || matches!(c, ',' | '，' | '、' | ';' | '；');
    let parts = text.split(separator).map(|part| part.trim_end_matches(['类', '项'])).filter(|part| !part.is_empty());
    parts.map(str::parse).collect()
}

/// A plate out of two cells.
pub(crate) fn read_plate(text: Option<&str>, colour: Option<&str>) -> Result<Plate, Fault> {
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
        check("plate,colour,weight\n", &["! row 1: weight: no such column: plate, colour, carrier, phone, use, scope"]);
    }

    #[test]
    fn use_and_scope_are_read() {
        let file = "plate,colour,use,scope\n云D1,2,ordinary,\n云D2,2,,2.1项、3类\n";
        let rows = read_vehicles(file.as_bytes()).unwrap();
        assert_eq!((rows[0].kind, rows[0].scope.as_deref()), (Some(VehicleUse::Ordinary), None));
        let scope: Vec<_> = rows[1].scope.iter().flatten().map(Division::to_string).collect();
        assert_eq!((rows[1].kind, scope), (None, vec!["2.1".to_owned(), "3".to_owned()]));
        check(
            "plate,colour,use,scope\n云D1,2,bus,3.9\n",
            &[
                "! row 2: use: \"bus\" is none of dangerous_goods, ordinary",
                "! row 2: scope: not a class or division of goods like 3 or 2.1: \"3.9\"",
            ],
        );
    }

    #[test]
    fn gbk_is_read() {
        let (bytes, ..) = encoding_rs::GBK.encode("plate,colour,carrier\n云D12345,2,曲靖运输\n");
        let rows = read_vehicles(&bytes).unwrap();
        assert_eq!(rows[0].carrier.as_deref(), Some("曲靖运输"));
    }
}
