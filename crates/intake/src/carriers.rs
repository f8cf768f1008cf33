//! Carriers (承运人) as a table: `name` and, to rename one, `id`.

use std::collections::BTreeMap;

use model::CarrierId;

use crate::Fault;
use crate::table::{self, Column};
use crate::vehicles::first_of;

const NAME: usize = 0;
const ID: usize = 1;

static COLUMNS: [Column; 2] = [
    Column { name: "name", also: &["名称", "企业名称", "承运人"], needed: true },
    Column { name: "id", also: &[], needed: false },
];

/// A carrier as a file has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarrierRow {
    /// Line of the file, from 1.
    pub row: u64,
    /// Its name.
    pub name: String,
    /// Which one it is; `None`: the one of that name, or a new one.
    pub id: Option<CarrierId>,
}

/// Reads carriers.
///
/// # Errors
/// Every bad row with its line and column; a name or id that stands twice.
pub fn read_carriers(bytes: &[u8]) -> Result<Vec<CarrierRow>, Vec<Fault>> {
    let (mut names, mut ids) = (BTreeMap::new(), BTreeMap::new());
    table::read(bytes, &COLUMNS, |row| {
        let name = row.needed(NAME).and_then(|_| row.text(NAME, 200)).and_then(|name| {
            let first = first_of(&mut names, &name, row.line);
            first.map_or(Ok(name), |first| Err(row.fault(NAME, format_args!("stands in row {first} already"))))
        });
        let id = row.parsed::<CarrierId>(ID).and_then(|id| {
            let first = id.and_then(|id| first_of(&mut ids, &id, row.line));
            first.map_or(Ok(id), |first| Err(row.fault(ID, format_args!("stands in row {first} already"))))
        });
        match (name, id) {
            (Ok(name), Ok(id)) => Ok(CarrierRow { row: row.line, name, id }),
            (name, id) => Err([name.err(), id.err()].into_iter().flatten().collect()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carriers_are_read_whole_or_not_at_all() {
        let id = CarrierId(7);
        let rows = read_carriers(format!("名称,id\n曲靖运输,\nACME,{id}\n").as_bytes()).unwrap();
        assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [None, Some(id)]);
        let faults = read_carriers(format!("name,id\na,{id}\na,{id}\n,v_1\n").as_bytes()).unwrap_err();
        let faults: Vec<_> = faults.iter().map(Fault::to_string).collect();
        assert_eq!(faults.len(), 4, "{faults:?}");
        assert_eq!(faults[0], "row 3: name: stands in row 2 already");
        assert_eq!(faults[2], "row 4: name: is empty");
    }
}
