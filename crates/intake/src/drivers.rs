//! Drivers as CSV: `name`, `certificate`, `phone`.

use std::collections::BTreeMap;

use crate::Fault;
use crate::table::{self, Column};
use crate::vehicles::first_of;

const NAME: usize = 0;
const CERTIFICATE: usize = 1;
const PHONE: usize = 2;

static COLUMNS: [Column; 3] = [
    Column { name: "name", also: &["姓名", "驾驶员"], needed: true },
    Column { name: "certificate", also: &["从业资格证号"], needed: true },
    Column { name: "phone", also: &["电话", "手机号"], needed: false },
];

/// A driver as a file has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriverRow {
    /// Line of the file, from 1; the header is line 1.
    pub row: u64,
    /// Name.
    pub name: String,
    /// Qualification certificate: who it is.
    pub certificate: String,
    /// Phone, or empty.
    pub phone: String,
}

/// Reads drivers.
///
/// # Errors
/// Every bad row with its line and column.
pub fn read_drivers(bytes: &[u8]) -> Result<Vec<DriverRow>, Vec<Fault>> {
    let mut seen = BTreeMap::new();
    table::read(bytes, &COLUMNS, |row| {
        let name = row.needed(NAME).and_then(|_| row.text(NAME, 200));
        let certificate = row.needed(CERTIFICATE).and_then(|_| row.text(CERTIFICATE, 200));
        match (name, certificate, row.text(PHONE, 40)) {
            (Ok(name), Ok(certificate), Ok(phone)) => match first_of(&mut seen, &certificate, row.line) {
                None => Ok(DriverRow { row: row.line, name, certificate, phone }),
                Some(first) => Err(vec![row.fault(CERTIFICATE, format_args!("stands in row {first} already"))]),
            },
            (name, certificate, phone) => {
                Err([name.err(), certificate.err(), phone.err()].into_iter().flatten().collect())
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_are_read_whole_or_not_at_all() {
        let rows = read_drivers("姓名,从业资格证号,电话\n李,5303,138\n王,5304,\n".as_bytes()).unwrap();
        assert_eq!(rows.iter().map(|r| r.certificate.as_str()).collect::<Vec<_>>(), ["5303", "5304"]);
        let faults = read_drivers("name,certificate\n李,1\n,2\n王,1\n".as_bytes()).unwrap_err();
        let faults: Vec<_> = faults.iter().map(Fault::to_string).collect();
        assert_eq!(faults, ["row 3: name: is empty", "row 4: certificate: stands in row 2 already"]);
    }
}
