//! Results: rows of figures with their medians and ratios, as text and as JSON.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::error::Failure;

/// The middle of the values; 0 of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle.wrapping_sub(1)), sorted.get(middle)) {
        (Some(low), Some(high)) if sorted.len().is_multiple_of(2) => f64::midpoint(*low, *high),
        (_, Some(value)) => *value,
        _ => 0.0,
    }
}

/// One figure of one contender.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// Whose.
    pub(crate) name: String,
    /// Of what, with its unit at the end.
    pub(crate) unit: &'static str,
    /// The middle of the rounds.
    pub(crate) median: f64,
    /// Each round.
    pub(crate) rounds: Vec<f64>,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, unit: &'static str, rounds: Vec<f64>) -> Self {
        Self { name: name.into(), unit, median: median(&rounds), rounds }
    }
}

/// What a figure should reach.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Bar {
    /// What is compared.
    pub(crate) what: String,
    /// The figure.
    pub(crate) is: f64,
    /// The bar.
    pub(crate) wanted: f64,
    /// Whether the figure has to stay below it.
    pub(crate) at_most: bool,
    /// Whether it does.
    pub(crate) reached: bool,
}

impl Bar {
    pub(crate) fn at_least(what: impl Into<String>, is: f64, wanted: f64) -> Self {
        Self { what: what.into(), is, wanted, at_most: false, reached: is >= wanted }
    }

    pub(crate) fn at_most(what: impl Into<String>, is: f64, wanted: f64) -> Self {
        Self { what: what.into(), is, wanted, at_most: true, reached: is <= wanted }
    }
}

/// What one bench found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Table {
    /// What was measured, and how.
    pub(crate) title: String,
    /// Processors that the system gives.
    pub(crate) cores: usize,
    /// The figures.
    pub(crate) rows: Vec<Row>,
    /// What they should reach.
    pub(crate) bars: Vec<Bar>,
    /// What else is worth knowing, a line each.
    pub(crate) notes: Vec<String>,
}

impl Table {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { title: title.into(), cores, rows: Vec::new(), bars: Vec::new(), notes: Vec::new() }
    }

    /// The median of a figure; 0 when there is none.
    pub(crate) fn median(&self, name: &str, unit: &str) -> f64 {
        self.rows.iter().find(|row| row.name == name && row.unit == unit).map_or(0.0, |row| row.median)
    }
}

/// Three digits that matter, and no more.
fn short(value: f64) -> String {
    match value.abs() {
        big if big >= 1_000.0 => format!("{value:.0}"),
        big if big >= 100.0 => format!("{value:.1}"),
        big if big >= 10.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} [{} cores]", self.title, self.cores)?;
        let wide = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        for row in &self.rows {
            let rounds = row.rounds.iter().map(|value| short(*value)).collect::<Vec<_>>().join(" ");
            writeln!(f, "  {:wide$}  {:>10} {:<18} of {rounds}", row.name, short(row.median), row.unit)?;
        }
        for bar in &self.bars {
            let (sign, word) = (if bar.at_most { "<=" } else { ">=" }, if bar.reached { "reached" } else { "MISSED" });
            writeln!(f, "  {}: {} (bar {sign} {}) {word}", bar.what, short(bar.is), short(bar.wanted))?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "  {note}"))
    }
}

/// All bars of all tables, a line each: the page to look at first.
pub(crate) fn summary(tables: &[Table]) -> String {
    let bars: Vec<(&str, &Bar)> = tables
        .iter()
        .flat_map(|table| table.bars.iter().map(|bar| (table.title.split(':').next().unwrap_or_default(), bar)))
        .collect();
    let reached = bars.iter().filter(|(_, bar)| bar.reached).count();
    let lines = bars.iter().map(|(of, bar)| {
        let (sign, word) = (if bar.at_most { "<=" } else { ">=" }, if bar.reached { "reached" } else { "MISSED" });
        format!("  {word:<7}  {:>9} {sign} {:<9}  {of}: {}\n", short(bar.is), short(bar.wanted), bar.what)
    });
    format!("{reached} of {} targets reached\n{}", bars.len(), lines.collect::<String>())
}

/// Writes all tables, with the command that made them.
pub(crate) fn write_json(path: Option<&Path>, tables: &[Table]) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    let command: Vec<String> = std::env::args().skip(1).collect();
    let all = serde_json::json!({ "arguments": command, "tables": tables });
    std::fs::write(path, format!("{all:#}\n")).map_err(Failure::io(format!("write {}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        for (values, middle) in [(&[][..], 0.0), (&[3.0], 3.0), (&[9.0, 1.0, 2.0], 2.0), (&[4.0, 1.0, 2.0, 9.0], 3.0)] {
            assert!((median(values) - middle).abs() < 1e-9, "{values:?}");
        }
    }

    #[test]
    fn bars_say_which_way() {
        assert!(Bar::at_least("x", 1.4, 1.4).reached && !Bar::at_least("x", 1.3, 1.4).reached);
        assert!(Bar::at_most("x", 3.0, 3.0).reached && !Bar::at_most("x", 3.1, 3.0).reached);
        let mut table = Table::new("t");
        table.bars.push(Bar::at_most("x", 3.1, 3.0));
        assert!(table.to_string().contains("x: 3.100 (bar <= 3.000) MISSED"), "{table}");
    }
}
