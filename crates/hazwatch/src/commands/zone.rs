//! `hazwatch zone`: asking before a zone is released, through a running server.

use std::process::ExitCode;

use serde_json::Value;

use super::say;
use crate::cli::{ZoneAction, ZoneArgs, ZonePreview};
use crate::client::{Client, percent};
use crate::error::Failure;

pub(super) fn run(options: &ZoneArgs) -> Result<ExitCode, Failure> {
    let ZoneAction::Preview(options) = &options.action;
    let asked = [("from", &options.from), ("to", &options.to), ("crs", &options.crs)];
    let asked = asked.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let query: Vec<String> = asked.map(|(name, value)| format!("{name}={}", percent(value))).collect();
    let query = query.join("&");
    if options.zone.starts_with("z_") {
        let path = format!("/zone-drafts/{}/preview?{query}", percent(&options.zone));
        let client = Client::connect(&options.server)?;
        told(options, &options.zone, &client.post(&path, "application/json", b"")?);
        return Ok(ExitCode::SUCCESS);
    }
    let zones = features(options)?;
    let client = Client::connect(&options.server)?;
    for zone in zones {
        let answer =
            client.post(&format!("/zones/preview?{query}"), "application/geo+json", zone.to_string().as_bytes())?;
        told(options, zone.pointer("/properties/name").and_then(Value::as_str).unwrap_or("-"), &answer);
    }
    Ok(ExitCode::SUCCESS)
}

/// The zones of a file.
fn features(options: &ZonePreview) -> Result<Vec<Value>, Failure> {
    let wrong = |why: &dyn std::fmt::Display| Failure::Usage(format!("cannot read {}: {why}", options.zone));
    let text = std::fs::read_to_string(&options.zone).map_err(|error| wrong(&error))?;
    let file: Value = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    match file.get("features").and_then(Value::as_array) {
        Some(list) => Ok(list.clone()),
        None => Ok(vec![file]),
    }
}

fn told(options: &ZonePreview, name: &str, answer: &Value) {
    say(&if options.json { answer.to_string() } else { described(name, answer) });
}

fn described(name: &str, answer: &Value) -> String {
    let list = |key: &str| answer.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value, path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or("-").to_owned();
    let number = |key: &str| answer.get(key).and_then(Value::as_u64).unwrap_or_default();
    let mut out = format!("{name}: {} to {}", text(answer, "/from"), text(answer, "/to"));
    let cut =
        if answer.get("complete") == Some(&Value::Bool(false)) { "; there is more: ask for less time" } else { "" };
    out.push_str(&format!("\n  {} vehicles near, {} positions judged{cut}", number("vehicles"), number("fixes")));
    let counts = answer.get("counts").and_then(Value::as_object);
    let counts: Vec<String> = counts.into_iter().flatten().map(|(kind, count)| format!("{kind} {count}")).collect();
    let counts = if counts.is_empty() { "nothing".to_owned() } else { counts.join(", ") };
    out.push_str(&format!("\n  {} stays; it would have caught {counts}", number("visits")));
    for one in list("caught") {
        let (from, to) = (text(one, "/started_at"), text(one, "/ended_at"));
        let length = one.get("length_m").and_then(Value::as_u64).unwrap_or_default();
        out.push_str(&format!("\n    {from}  {to}  {} {} {length} m", text(one, "/vehicle/plate"), text(one, "/kind")));
    }
    let plates: Vec<String> = list("inside").iter().map(|one| text(one, "/plate")).collect();
    out.push_str(&format!(
        "\n  inside now: {}",
        if plates.is_empty() { "nobody".to_owned() } else { plates.join(", ") }
    ));
    for one in list("heading") {
        let seconds = one.get("in_s").and_then(Value::as_u64).unwrap_or_default();
        out.push_str(&format!("\n  heading there: {} in {} min", text(one, "/vehicle/plate"), seconds.div_ceil(60)));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_preview_is_told() {
        let vehicle = json!({"plate": "云D12345"});
        let answer = json!({"from": "F", "to": "T", "vehicles": 2, "fixes": 9, "complete": false, "visits": 3,
            "counts": {"V06": 1}, "inside": [vehicle], "heading": [{"vehicle": vehicle, "in_s": 61}],
            "caught": [{"started_at": "S", "ended_at": null, "vehicle": vehicle, "kind": "V06", "length_m": 200}]});
        let expected = "z: F to T\n  2 vehicles near, 9 positions judged; there is more: ask for less time\n  3 stays; it \
            would have caught V06 1\n    S  -  云D12345 V06 200 m\n  inside now: 云D12345\n  heading there: 云D12345 in 2 min";
        assert_eq!(described("z", &answer), expected);
    }
}
