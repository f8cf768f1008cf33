//! Tables as CSV: a header that names columns in any order, rows with their lines, every fault of them listed.

use csv::{ReaderBuilder, StringRecord, Trim};

use crate::{Fault, decode_text};

/// Most rows of one file.
pub const ROWS_MAX: usize = 100_000;

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

    /// One line of text, not too long; empty when the cell is.
    pub(crate) fn text(&self, column: usize, chars_max: usize) -> Result<String, Fault> {
        let text = self.cell(column).unwrap_or_default();
        if text.chars().count() > chars_max || text.contains(char::is_control) {
            return Err(self.fault(column, format!("must be one line of at most {chars_max} characters")));
        }
        Ok(text.to_owned())
    }
}

/// Reads a file, UTF-8 or GBK, all or nothing: each row by `read`, which gives all that is wrong with one.
///
/// # Errors
/// Every fault of header and rows, by line.
pub(crate) fn read<T>(
    bytes: &[u8],
    columns: &'static [Column],
    mut read: impl FnMut(&Row) -> Result<T, Vec<Fault>>,
) -> Result<Vec<T>, Vec<Fault>> {
    let text = decode_text(bytes).map_err(|fault| vec![fault])?;
    let mut reader = ReaderBuilder::new().trim(Trim::All).flexible(true).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|e| vec![Fault::whole(e.to_string())])?;
    let (places, width) = (header(headers, columns)?, headers.len());
    let (mut made, mut faults) = (Vec::new(), Vec::new());
    let mut lines = Lines::new(text.as_bytes());
    for (index, record) in reader.records().enumerate() {
        if index >= ROWS_MAX {
            faults.push(Fault::whole(format!("more than {ROWS_MAX} rows: cut the file")));
            break;
        }
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                faults.push(Fault::whole(error.to_string()));
                continue;
            }
        };
        let line = lines.of(record.position().map_or(0, csv::Position::byte) as usize);
        if record.len() != width {
            faults.push(Fault::whole(format!("{} cells, the header has {width}", record.len())).in_row(line));
            continue;
        }
        let cell = |place: &Option<usize>| record.get((*place)?).filter(|cell| !cell.is_empty()).map(str::to_owned);
        let row = Row { line, columns, cells: places.iter().map(cell).collect() };
        match read(&row) {
            Ok(one) => made.push(one),
            Err(bad) => faults.extend(bad.into_iter().map(|fault| fault.in_row(line))),
        }
    }
    if faults.is_empty() { Ok(made) } else { Err(faults) }
}

/// Where each column lies.
fn header(headers: &StringRecord, columns: &[Column]) -> Result<Vec<Option<usize>>, Vec<Fault>> {
    let names = || columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ");
    let mut places = vec![None; columns.len()];
    let mut faults = Vec::new();
    for (index, header) in headers.iter().enumerate() {
        let is_it = |name: &&str| name.eq_ignore_ascii_case(header);
        let found = columns.iter().position(|column| is_it(&column.name) || column.also.iter().any(|n| is_it(n)));
        match found.and_then(|found| places.get_mut(found).zip(columns.get(found))) {
            None => faults.push(Fault::field(header, format!("no such column: {}", names())).in_row(1)),
            Some((Some(_), column)) => faults.push(Fault::field(column.name, "the column stands twice").in_row(1)),
            Some((place, _)) => *place = Some(index),
        }
    }
    for (column, _) in columns.iter().zip(&places).filter(|(column, place)| column.needed && place.is_none()) {
        faults.push(Fault::field(column.name, "the column is missing from the header").in_row(1));
    }
    if faults.is_empty() { Ok(places) } else { Err(faults) }
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
