//! The first sheet of a workbook (XLSX) as rows of texts, cell by cell, so that a cell in the last row takes no memory
//! for those before it.

use std::collections::BTreeMap;
use std::io::Cursor;

use calamine::{DataRef, ExcelDateTime, Reader, Xlsx};

use crate::fault::FAULTS_MAX;
use crate::table::{COLUMNS_MAX, ROWS_MAX};
use crate::{Fault, archive};

/// A row: its number, from 1, and its cells up to the last one that is not empty.
pub(crate) type SheetRow = (u64, Vec<String>);

/// Reads the rows that are not empty. Numbers are written as people write them, days as `2026-10-01`, times as
/// `2026-10-01 08:00:00`.
///
/// # Errors
/// When it is no workbook, or too large; every cell that holds an error.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<SheetRow>, Vec<Fault>> {
    archive::open(bytes).map_err(|fault| vec![fault])?;
    let refuse = |error: &dyn std::fmt::Display| vec![Fault::whole(format!("no workbook: {error}"))];
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|error| refuse(&error))?;
    let first = book.sheet_names().into_iter().next().ok_or_else(|| refuse(&"it has no sheet"))?;
    let mut cells = book.worksheet_cells_reader(&first).map_err(|error| refuse(&error))?;
    let (mut rows, mut faults): (BTreeMap<u32, Vec<String>>, _) = (BTreeMap::new(), Vec::new());
    while let Some(cell) = cells.next_cell().map_err(|error| refuse(&error))? {
        let (row, column) = cell.get_position();
        let text = match text(cell.get_value()) {
            Ok(text) if text.is_empty() => continue,
            Ok(text) => text,
            Err(message) if faults.len() < FAULTS_MAX => {
                faults.push(Fault::whole(message).in_row(u64::from(row) + 1));
                continue;
            }
            Err(_) => continue,
        };
        let column = column as usize;
        if column >= COLUMNS_MAX {
            return Err(vec![Fault::whole(format!("more than {COLUMNS_MAX} columns")).in_row(u64::from(row) + 1)]);
        }
        let list = rows.entry(row).or_default();
        list.resize(list.len().max(column + 1), String::new());
        if let Some(cell) = list.get_mut(column) {
            *cell = text;
        }
        if rows.len() > ROWS_MAX + 1 {
            return Err(vec![Fault::whole(format!("more than {ROWS_MAX} rows: cut the file"))]);
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(rows.into_iter().map(|(row, cells)| (u64::from(row) + 1, cells)).collect())
}

fn text(value: &DataRef<'_>) -> Result<String, String> {
    Ok(match value {
        DataRef::Empty => String::new(),
        DataRef::Int(number) => number.to_string(),
        // Beyond 15 digits a sheet rounds: a phone would be another phone.
        DataRef::Float(number) if number.abs() >= 1e15 => {
            return Err(format!("a sheet keeps 15 digits of a number: make the cell with {number} a text"));
        }
        // Phones and stakes are whole numbers in a sheet; they are printed without a point.
        DataRef::Float(number) => number.to_string(),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.trim().to_owned(),
        DataRef::SharedString(text) => text.trim().to_owned(),
        DataRef::Bool(value) => value.to_string(),
        DataRef::DateTime(time) => date(time)?,
        DataRef::Error(error) => return Err(format!("a cell holds the error {error}")),
    })
}

fn date(time: &ExcelDateTime) -> Result<String, String> {
    if time.is_duration() {
        return Err("a cell holds a duration".to_owned());
    }
    let (year, month, day, hour, minute, second, milli) = time.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    Ok(match (hour, minute, second, milli) {
        (0, 0, 0, 0) => date,
        _ => format!("{date} {hour:02}:{minute:02}:{second:02}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::pack;

    /// A workbook whose second cell format is a date.
    fn workbook(rows: &str) -> Vec<u8> {
        let part = |body: &str| format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{body}").into_bytes();
        let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
        let to = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
        let relations = "http://schemas.openxmlformats.org/package/2006/relationships";
        let files = [
            (
                "_rels/.rels",
                part(&format!(
                    "<Relationships xmlns=\"{relations}\"><Relationship Id=\"rId1\" Type=\"{to}/officeDocument\" \
                     Target=\"xl/workbook.xml\"/></Relationships>"
                )),
            ),
            (
                "xl/workbook.xml",
                part(&format!(
                    "<workbook xmlns=\"{main}\" xmlns:r=\"{to}\"><sheets><sheet name=\"一\" sheetId=\"1\" r:id=\"rId1\"/>\
                     </sheets></workbook>"
                )),
            ),
            (
                "xl/_rels/workbook.xml.rels",
                part(&format!(
                    "<Relationships xmlns=\"{relations}\"><Relationship Id=\"rId1\" Type=\"{to}/worksheet\" \
                     Target=\"worksheets/sheet1.xml\"/><Relationship Id=\"rId2\" Type=\"{to}/styles\" \
                     Target=\"styles.xml\"/><Relationship Id=\"rId3\" Type=\"{to}/sharedStrings\" \
                     Target=\"sharedStrings.xml\"/></Relationships>"
                )),
            ),
            (
                "xl/styles.xml",
                part(&format!(
                    "<styleSheet xmlns=\"{main}\"><cellXfs count=\"2\"><xf numFmtId=\"0\"/><xf numFmtId=\"22\"/></cellXfs>\
                     </styleSheet>"
                )),
            ),
            (
                "xl/sharedStrings.xml",
                part(&format!("<sst xmlns=\"{main}\"><si><t>phone</t></si><si><t> 云D12345 </t></si></sst>")),
            ),
            (
                "xl/worksheets/sheet1.xml",
                part(&format!("<worksheet xmlns=\"{main}\"><sheetData>{rows}</sheetData></worksheet>")),
            ),
        ];
        pack(&files.each_ref().map(|(name, bytes)| (*name, bytes.as_slice())))
    }

    #[test]
    fn cells_become_what_people_would_write() {
        let rows = "<row r=\"2\"><c r=\"A2\" t=\"s\"><v>0</v></c><c r=\"B2\" t=\"s\"><v>1</v></c></row>\
            <row r=\"5\"><c r=\"A5\"><v>13912345678</v></c><c r=\"C5\" s=\"1\"><v>46296</v></c>\
            <c r=\"D5\" s=\"1\"><v>46296.354166667</v></c><c r=\"E5\" t=\"b\"><v>1</v></c></row>";
        let read = read(&workbook(rows)).unwrap();
        let texts = |row: usize| read[row].1.iter().map(String::as_str).collect::<Vec<_>>();
        assert_eq!((read[0].0, texts(0)), (2, vec!["phone", "云D12345"]));
        assert_eq!((read[1].0, texts(1)), (5, vec!["13912345678", "", "2026-10-01", "2026-10-01 08:30:00", "true"]));
    }

    #[test]
    fn a_far_cell_takes_no_memory_and_a_wide_one_is_refused() {
        let far = "<row r=\"1048576\"><c r=\"IV1048576\"><v>1</v></c></row>";
        let read_far = read(&workbook(far)).unwrap();
        assert_eq!((read_far.len(), read_far[0].0, read_far[0].1.len()), (1, 1_048_576, 256));
        let wide = far.replace("IV", "XFD");
        assert!(read(&workbook(&wide)).unwrap_err()[0].message.contains("256 columns"));
    }

    #[test]
    fn cells_that_lie_are_listed() {
        let rows = "<row r=\"1\"><c r=\"A1\" t=\"e\"><v>#REF!</v></c></row>\
            <row r=\"2\"><c r=\"A2\"><v>13912345678123456789</v></c></row>";
        let faults = read(&workbook(rows)).unwrap_err();
        assert_eq!(faults.iter().map(|fault| fault.row).collect::<Vec<_>>(), [Some(1), Some(2)]);
        for bad in [pack(&[("a.txt", b"")]), b"PK\x03\x04".to_vec(), workbook("<row r=\"0\"></c>")] {
            assert!(read(&bad).is_err());
        }
        for at in 0..rows.len() {
            for other in ["", "9", "<", "-"] {
                let (before, after) = (rows.get(..at), rows.get(at + 1..));
                let _ = read(&workbook(&[before.unwrap_or_default(), other, after.unwrap_or_default()].concat()));
            }
        }
    }

    #[test]
    fn a_register_is_read_out_of_a_workbook() {
        let text = |at: &str, text: &str| format!("<c r=\"{at}\" t=\"inlineStr\"><is><t>{text}</t></is></c>");
        let rows = format!(
            "<row r=\"1\">{}{}{}</row><row r=\"2\">{}<c r=\"B2\"><v>2</v></c></row><row r=\"3\">{}</row>",
            text("A1", "车牌号"),
            text("B1", "车牌颜色"),
            text("C1", "终端手机号"),
            text("A2", "云D12345"),
            text("A3", "云D54321")
        );
        let faults = crate::read_vehicles(&workbook(&rows)).unwrap_err();
        assert_eq!(faults.iter().map(Fault::to_string).collect::<Vec<_>>(), ["row 3: colour: the cell is empty"]);
        let good = rows.replace("<row r=\"3\">", "<row r=\"3\"><c r=\"B3\"><v>1</v></c>");
        assert_eq!(crate::read_vehicles(&workbook(&good)).map(|rows| rows.len()), Ok(2));
    }
}
