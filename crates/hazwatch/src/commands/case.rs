//! `hazwatch case`: violations and the work on them, through a running server.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::say;
use crate::cli::{Case, CaseAction, CaseList, CaseShow, CaseStep};
use crate::client::{Client, percent};
use crate::error::Failure;

pub(super) fn run(options: &Case) -> Result<ExitCode, Failure> {
    match &options.action {
        CaseAction::List(list) => list_cases(list)?,
        CaseAction::Show(one) => show(one)?,
        CaseAction::Remind(step) => take("remind", step)?,
        CaseAction::Acknowledge(step) => take("acknowledge", step)?,
        CaseAction::Dispose(step) => take("dispose", step)?,
        CaseAction::Close(step) => take("close", step)?,
        CaseAction::False(step) => take("false", step)?,
        CaseAction::Reopen(step) => take("reopen", step)?,
        CaseAction::Note(step) => take("note", step)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Rows that are asked for at once.
const PAGE: usize = 500;

fn list_cases(options: &CaseList) -> Result<(), Failure> {
    let client = Client::connect(&options.server)?;
    let level = options.level.map(|level| level.to_string());
    let overdue = options.overdue.then(|| "true".to_owned());
    let asked = [
        ("state", &options.state),
        ("kind", &options.kind),
        ("vehicle", &options.vehicle),
        ("carrier", &options.carrier),
        ("level", &level),
        ("overdue", &overdue),
    ];
    let asked = asked.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let filter: String = asked.map(|(name, value)| format!("&{name}={}", percent(value))).collect();
    let (mut left, mut cursor) = (usize::from(options.limit), String::new());
    while left > 0 {
        let path = format!("/violations?limit={}{filter}{cursor}", left.min(PAGE));
        let page = client.get(&path)?;
        let items = page.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for item in items {
            say(&if options.json { item.to_string() } else { line(item) });
        }
        left = left.saturating_sub(items.len());
        match page.get("next").and_then(Value::as_str) {
            Some(next) => cursor = format!("&cursor={}", percent(next)),
            None => break,
        }
    }
    Ok(())
}

fn show(options: &CaseShow) -> Result<(), Failure> {
    let one = Client::connect(&options.server)?.get(&format!("/violations/{}", percent(&options.id)))?;
    say(&if options.json { one.to_string() } else { described(&one) });
    Ok(())
}

fn take(step: &str, options: &CaseStep) -> Result<(), Failure> {
    let path = format!("/violations/{}/steps", percent(&options.id));
    let body = json!({"step": step, "text": options.text}).to_string();
    let one = Client::connect(&options.server)?.post(&path, "application/json", body.as_bytes())?;
    say(&described(&one));
    Ok(())
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or("-")
}

/// One violation on a line.
fn line(one: &Value) -> String {
    let flag = |name: &str, mark: &'static str| if one.get(name) == Some(&Value::Bool(true)) { mark } else { "" };
    let due = match one.get("due").filter(|due| !due.is_null()) {
        Some(due) => format!("  {} by {}", text(due, "/step"), text(due, "/by")),
        None => String::new(),
    };
    format!(
        "{}  {}  {} {}  level {}  {}  {}{due}{}{}",
        text(one, "/id"),
        text(one, "/started_at"),
        text(one, "/vehicle/plate"),
        text(one, "/kind"),
        one.get("level").unwrap_or(&Value::Null),
        text(one, "/zone/name"),
        text(one, "/state"),
        flag("overdue", "  OVERDUE"),
        flag("detected_late", "  late data (补传)"),
    )
}

/// One violation with its steps.
fn described(one: &Value) -> String {
    let mut out = line(one);
    if let Some(instead) = one.get("superseded_by").and_then(Value::as_str) {
        out.push_str(&format!("\n  judged again: {instead} was found in its place"));
    }
    for step in one.get("steps").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default() {
        let said = text(step, "/text");
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        out.push_str(&format!("\n  {}  {}  by {}{said}", text(step, "/at"), text(step, "/step"), text(step, "/by")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_told() {
        let one = json!({"id": "x_1", "started_at": "T", "vehicle": {"plate": "云D12345"}, "kind": "V12", "level": 1,
            "zone": null, "state": "disposed", "due": {"step": "close", "by": "U"}, "overdue": true,
            "superseded_by": null, "steps": [{"at": "S", "step": "dispose", "by": "a", "text": "rang him"}]});
        let expected = "x_1  T  云D12345 V12  level 1  -  disposed  close by U  OVERDUE\n  S  dispose  by a: rang him";
        assert_eq!(described(&one), expected);
    }
}
