//! Tables as CSV or XLSX: a header that names columns in any order, rows with their lines, every fault of them listed.

use csv::{ReaderBuilder, Trim};
use model::Timestamp;

use crate::fault::all_or_nothing;
use crate::{Fault, archive, decode_text, sheet};

/// Most rows of one file.
pub const ROWS_MAX: usize = 100_000;
/// Most columns of one file.
pub(crate) const COLUMNS_MAX: usize = 256;

/// A column: its name, what else it is called, and whether a file must have it.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) also: &'static [&'static str],
    pub(crate) needed: bool,
}

/// A row: its line, and the cells of the columns that were asked for.
pub(crate) struct Row {
    pub(crate) line: u64,
    columns: &'static [Column],
    cells: Vec<Option<String>>,
}

impl Row {
    /// A cell by the place of its column; `None` when it is empty or there is no such column.
    pub(crate) fn cell(&self, column: usize) -> Option<&str> {
        self.cells.get(column)?.as_deref()
    }

    /// A fault of a cell.
    pub(crate) fn fault(&self, column: usize, message: impl std::fmt::Display) -> Fault {
        let name = self.columns.get(column).map_or("", |column| column.name);
        Fault::field(name, message).in_row(self.line)
    }

    /// A cell that must not be empty.
    pub(crate) fn needed(&self, column: usize) -> Result<&str, Fault> {
        self.cell(column).ok_or_else(|| self.fault(column, "is empty"))
    }

    /// A cell that is read as something; `None` when it is empty.
    pub(crate) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        column: usize,
    ) -> Result<Option<T>, Fault> {
        self.cell(column).map(str::parse).transpose().map_err(|error| self.fault(column, error))
    }

    /// An instant; `None` when the cell is empty. A spreadsheet knows no offsets: a day, or a time without one, is China's.
    pub(crate) fn time(&self, column: usize) -> Result<Option<Timestamp>, Fault> {
        self.cell(column).map(parse_time).transpose().map_err(|error| self.fault(column, error))
    }

    /// One line of text, not too long; empty when the cell is.
    pub(crate) fn text(&self, column: usize, chars_max: usize) -> Result<String, Fault> {
        let text = self.cell(column).unwrap_or_default();
        if text.chars().count() > chars_max || text.contains(char::is_control) {
            return Err(self.fault(column, format!("must be one line of at most {chars_max} characters")));
        }
        Ok(text.to_owned())
    }
}

/// An instant as people write it in a table.
pub(crate) fn parse_time(text: &str) -> Result<Timestamp, model::TimestampError> {
    let exact = text.parse::<Timestamp>();
    let (day, time) = text.split_once([' ', 'T']).unwrap_or((text, "00:00:00"));
    let seconds = if time.len() == 5 { ":00" } else { "" };
    exact.or_else(|refused| format!("{day}T{time}{seconds}+08:00").parse().map_err(|_| refused))
}

/// Reads a file, CSV in UTF-8 or GBK or the first sheet of an XLSX workbook, all or nothing: each row by `read`, which
/// gives all that is wrong with one.
///
/// # Errors
/// Every fault of header and rows, by line.
pub(crate) fn read<T>(
    bytes: &[u8],
    columns: &'static [Column],
    mut read: impl FnMut(&Row) -> Result<T, Vec<Fault>>,
) -> Result<Vec<T>, Vec<Fault>> {
    if archive::is_archive(bytes) {
        let mut rows = sheet::read(bytes)?.into_iter();
        let (line, names) = rows.next().unwrap_or((1, Vec::new()));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let header = Header::of(line, &names, columns)?;
        return all_or_nothing(rows.map(|(line, mut cells)| {
            // A sheet ends a row with its last cell that is not empty.
            cells.resize(cells.len().max(header.width), String::new());
            (line, header.row(line, &cells).and_then(|row| read(&row)))
        }));
    }
    let text = decode_text(bytes).map_err(|fault| vec![fault])?;
    let mut reader = ReaderBuilder::new().trim(Trim::All).flexible(true).from_reader(text.as_bytes());
    let names = reader.headers().map_err(|e| vec![Fault::whole(e.to_string())])?;
    let names: Vec<&str> = names.iter().collect();
    let header = Header::of(1, &names, columns)?;
    let mut lines = Lines::new(text.as_bytes());
    let rows = reader.records().take(ROWS_MAX + 1).enumerate().map(|(index, record)| {
        let place = record.as_ref().ok().and_then(csv::StringRecord::position).map_or(0, csv::Position::byte);
        let line = lines.of(place as usize);
        let record = match record {
            Ok(_) if index >= ROWS_MAX => Err(Fault::whole(format!("more than {ROWS_MAX} rows: cut the file"))),
            record => record.map_err(|error| Fault::whole(error.to_string())),
        };
        let cells = record.map_err(|fault| vec![fault]);
        let row = cells.and_then(|record| header.row(line, &record.iter().collect::<Vec<_>>()));
        (line, row.and_then(|row| read(&row)))
    });
    all_or_nothing(rows)
}

/// Where each column lies.
struct Header {
    columns: &'static [Column],
    places: Vec<Option<usize>>,
    width: usize,
}

impl Header {
    fn of(line: u64, names: &[&str], columns: &'static [Column]) -> Result<Self, Vec<Fault>> {
        let (known, width) = (columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", "), names.len());
        if width > COLUMNS_MAX {
            return Err(vec![Fault::whole(format!("more than {COLUMNS_MAX} columns")).in_row(line)]);
        }
        let mut places = vec![None; columns.len()];
        let mut faults = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let is_it = |known: &&str| known.eq_ignore_ascii_case(name);
            let found = columns.iter().position(|column| is_it(&column.name) || column.also.iter().any(is_it));
            match found.and_then(|found| places.get_mut(found).zip(columns.get(found))) {
                None => faults.push(Fault::field(*name, format!("no such column: {known}")).in_row(line)),
                Some((Some(_), column)) => {
                    faults.push(Fault::field(column.name, "the column stands twice").in_row(line));
                }
                Some((place, _)) => *place = Some(index),
            }
        }
        for (column, _) in columns.iter().zip(&places).filter(|(column, place)| column.needed && place.is_none()) {
            faults.push(Fault::field(column.name, "the column is missing from the header").in_row(line));
        }
        if faults.is_empty() { Ok(Self { columns, places, width }) } else { Err(faults) }
    }

    fn row<S: AsRef<str>>(&self, line: u64, cells: &[S]) -> Result<Row, Vec<Fault>> {
        if cells.len() != self.width {
            return Err(vec![Fault::whole(format!("{} cells, the header has {}", cells.len(), self.width))]);
        }
        let cell = |place: &Option<usize>| {
            let text = cells.get((*place)?)?.as_ref();
            (!text.is_empty()).then(|| text.to_owned())
        };
        Ok(Row { line, columns: self.columns, cells: self.places.iter().map(cell).collect() })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_without_an_offset_are_of_china() {
        for (text, expect) in [
            ("2026-10-01", "2026-10-01T00:00:00+08:00"),
            ("2026-10-01 08:30", "2026-10-01T08:30:00+08:00"),
            ("2026-10-01 08:30:07", "2026-10-01T08:30:07+08:00"),
            ("2026-10-01T00:00:00Z", "2026-10-01T08:00:00+08:00"),
        ] {
            assert_eq!(parse_time(text).map(|time| time.to_string()).as_deref(), Ok(expect), "{text}");
        }
        for text in ["", "2026-13-01", "08:30", "2026-10-01 8", "2026-10-01 25:00"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }
}
