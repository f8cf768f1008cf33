//! The calendar of holidays (节假日安排) as CSV: `date,kind,name`.

use std::collections::BTreeMap;

use model::{CalendarDay, DayKind, Timestamp};

use crate::Fault;
use crate::table::{self, Column, Row};
use crate::vehicles::first_of;

const DATE: usize = 0;
const KIND: usize = 1;
const NAME: usize = 2;

static COLUMNS: [Column; 3] = [
    Column { name: "date", also: &["日期"], needed: true },
    Column { name: "kind", also: &["类型"], needed: true },
    Column { name: "name", also: &["名称"], needed: false },
];

/// Longest name of a day, in characters.
const NAME_MAX: usize = 200;

/// Reads a calendar: `date` as 2026-10-01, `kind` as `holiday` (节假日) or `workday` (调休上班), `name` where wanted.
///
/// # Errors
/// Every bad row with its line and column.
pub fn read_calendar(bytes: &[u8]) -> Result<Vec<CalendarDay>, Vec<Fault>> {
    let mut seen = BTreeMap::new();
    table::read(bytes, &COLUMNS, |row| {
        let (day, kind, name) = (day(row), kind(row), row.text(NAME, NAME_MAX));
        match (day, kind, name) {
            (Ok(day), Ok(kind), Ok(name)) => match first_of(&mut seen, &day, row.line) {
                None => Ok(CalendarDay { day, kind, name }),
                Some(first) => Err(vec![row.fault(DATE, format_args!("stands in row {first} already"))]),
            },
            (day, kind, name) => Err([day.err(), kind.err(), name.err()].into_iter().flatten().collect()),
        }
    })
}

fn day(row: &Row) -> Result<i32, Fault> {
    let text = row.needed(DATE)?;
    parse_day(text).ok_or_else(|| row.fault(DATE, format_args!("not a date like 2026-10-01: {text:?}")))
}

/// Days since 1970-01-01 of a date of the years 2000 to 2099.
pub(crate) fn parse_day(text: &str) -> Option<i32> {
    let well_formed = text.len() == 10 && text.starts_with("20");
    let start: Timestamp = well_formed.then(|| format!("{text}T00:00:00+08:00").parse().ok())??;
    Some(start.china_day())
}

fn kind(row: &Row) -> Result<DayKind, Fault> {
    let text = row.needed(KIND)?;
    match text {
        "holiday" | "节假日" | "放假" => Ok(DayKind::Holiday),
        "workday" | "工作日" | "上班" | "调休上班" => Ok(DayKind::Workday),
        _ => Err(row.fault(KIND, format_args!("{text:?} is none of holiday, workday"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendars_are_read_whole_or_not_at_all() {
        let days = read_calendar("date,kind,name\n2026-10-01,holiday,国庆节\n2026-10-10,上班,\n".as_bytes()).unwrap();
        assert_eq!(
            days.iter().map(|d| (d.day, d.kind)).collect::<Vec<_>>(),
            [(20_727, DayKind::Holiday), (20_736, DayKind::Workday)]
        );
        let bad = "date,kind,name\n2026-02-30,holiday,\n2026-10-01,feast,\n2026-10-01,holiday,\n,workday,\n2026-10-01,holiday,\n";
        let faults: Vec<_> = read_calendar(bad.as_bytes()).unwrap_err().iter().map(Fault::to_string).collect();
        assert_eq!(
            faults,
            [
                "row 2: date: not a date like 2026-10-01: \"2026-02-30\"",
                "row 3: kind: \"feast\" is none of holiday, workday",
                "row 5: date: is empty",
                "row 6: date: stands in row 4 already",
            ]
        );
    }
}
