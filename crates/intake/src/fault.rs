//! What is wrong with a file, told so that the person who made it finds the place.

use std::fmt;

/// One thing that is wrong with a file or body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line of a CSV file, or feature of a GeoJSON collection, from 1; `None` when it concerns the whole.
    pub row: Option<u64>,
    /// Column, member or property; `None` when it concerns the whole row.
    pub field: Option<String>,
    /// Why it is refused.
    pub message: String,
}

impl Fault {
    /// A fault of the whole file.
    pub fn whole(message: impl Into<String>) -> Self {
        Self { row: None, field: None, message: message.into() }
    }

    /// A fault of one field.
    pub fn field(field: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { row: None, field: Some(field.into()), message: message.to_string() }
    }

    /// The same fault in a row.
    #[must_use]
    pub fn in_row(self, row: u64) -> Self {
        Self { row: Some(row), ..self }
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
