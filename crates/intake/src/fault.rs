//! What is wrong with a file, told so that the person who made it finds the place.

use std::fmt;

use serde_json::Value;

/// Most faults that are listed of one file; the rest is likely to be the same mistake.
pub(crate) const FAULTS_MAX: usize = 20_000;

/// One thing that is wrong with a file or body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line of a table, or feature, placemark or shape of a drawing, from 1; `None` when it concerns the whole.
    pub row: Option<u64>,
    /// Column, member or property; `None` when it concerns the whole row.
    pub field: Option<String>,
    /// Why it is refused.
    pub message: String,
    /// The vertex, edges or ring that it is about: a GeoJSON geometry in the coordinates of the file.
    pub drawn: Option<Box<Value>>,
}

impl Fault {
    /// A fault of the whole file.
    pub fn whole(message: impl Into<String>) -> Self {
        Self { row: None, field: None, message: message.into(), drawn: None }
    }

    /// A fault of one field.
    pub fn field(field: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { row: None, field: Some(field.into()), message: message.to_string(), drawn: None }
    }

    /// The same fault in a row.
    #[must_use]
    pub fn in_row(self, row: u64) -> Self {
        Self { row: Some(row), ..self }
    }

    /// The same fault with what it is about.
    #[must_use]
    pub fn drawn(self, geometry: Option<Value>) -> Self {
        Self { drawn: geometry.map(Box::new), ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(row) = self.row {
            write!(f, "row {row}: ")?;
        }
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// All that was read, or every fault with its row.
pub(crate) fn all_or_nothing<T>(
    rows: impl Iterator<Item = (u64, Result<T, Vec<Fault>>)>,
) -> Result<Vec<T>, Vec<Fault>> {
    let (mut made, mut faults) = (Vec::new(), Vec::new());
    for (row, read) in rows {
        match read {
            Ok(one) if faults.is_empty() => made.push(one),
            Ok(_) => {}
            Err(bad) => faults.extend(bad.into_iter().map(|fault| fault.in_row(row))),
        }
        if faults.len() > FAULTS_MAX {
            faults.truncate(FAULTS_MAX);
            faults.push(Fault::whole(format!("more than {FAULTS_MAX} faults: the rest is not listed")).in_row(row));
            break;
        }
    }
    if faults.is_empty() { Ok(made) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_faults_ends() {
        let bad = |row| (row, Err::<(), _>(vec![Fault::whole("bad"), Fault::whole("worse")]));
        let faults = all_or_nothing((1..100_000).map(bad)).unwrap_err();
        assert_eq!(faults.len(), FAULTS_MAX + 1);
        assert_eq!(all_or_nothing((1..4).map(|row| (row, Ok(row)))), Ok(vec![1, 2, 3]));
    }
}
