//! The rules of a zone in JSON: what is asked, when, of whom, and who is exempt.

use model::{Ask, DAY_MIN, Exemption, Filter, LoadState, OnDays, Schedule, Weekly, ZoneKind, ZoneRule};
use serde_json::{Map, Value, json};

use crate::Fault;
use crate::reader::Reader;

const RULE: [&str; 6] = ["number", "type", "when", "whom", "exemptions", "no_permits_for"];
const TYPES: &str = "forbidden, speed_limit, no_stopping, stay_inside, lot, no_parking";
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Longest purpose of an exemption, in characters.
const PURPOSE_MAX: usize = 200;

/// Reads a list of rules. Rules without number get the next ones.
pub(crate) fn read(reader: &mut Reader<'_>, kind: ZoneKind) -> Vec<ZoneRule> {
    let mut rules = reader.each("rules", |path, value| rule(path, value, kind));
    let mut next = rules.iter().map(|rule| rule.number).max().unwrap_or(0);
    for rule in rules.iter_mut().filter(|rule| rule.number == 0) {
        next = next.saturating_add(1);
        rule.number = next;
    }
    rules
}

fn rule(path: String, value: &Value, kind: ZoneKind) -> Result<ZoneRule, Vec<Fault>> {
    let mut reader = Reader::of(path, value).map_err(|fault| vec![fault])?;
    let number: Option<u16> = reader.whole("number");
    if number == Some(0) {
        reader.fault("number", "must be 1 or more");
    }
    let ask = ask(&mut reader, kind);
    let rule = ZoneRule {
        number: number.unwrap_or(0),
        ask: ask.unwrap_or(Ask::Forbidden { grace_s: 0 }),
        when: reader.one("when", schedule).unwrap_or_default(),
        whom: reader.one("whom", filter).unwrap_or_default(),
        exemptions: reader.each("exemptions", exemption),
        no_permits_for: reader.one("no_permits_for", filter),
    };
    reader.finish(rule)
}

fn ask(reader: &mut Reader<'_>, kind: ZoneKind) -> Option<Ask> {
    let Some(name) = reader.get("type").and_then(Value::as_str) else {
        reader.fault("type", format!("must be one of {TYPES}"));
        return None;
    };
    let (ask, own): (Ask, &[&str]) = match name {
        "forbidden" => (Ask::Forbidden { grace_s: reader.whole("grace_s").unwrap_or(0) }, &["grace_s"]),
        "speed_limit" => {
            if reader.get("day_kmh").is_none() {
                reader.fault("day_kmh", "is missing");
            }
            let (day_kmh, night_kmh) = (reader.whole("day_kmh").unwrap_or(0), reader.whole("night_kmh"));
            (Ask::SpeedLimit { day_kmh, night_kmh }, &["day_kmh", "night_kmh"])
        }
        "no_stopping" => {
            let after_s = reader.whole("after_s").unwrap_or(Ask::stopping_after_s(kind));
            (Ask::NoStopping { after_s }, &["after_s"])
        }
        "stay_inside" => {
            let tolerance_m = reader.whole("tolerance_m").unwrap_or(Ask::STAY_TOLERANCE_M);
            let for_s = reader.whole("for_s").unwrap_or(Ask::STAY_FOR_S);
            (Ask::StayInside { tolerance_m, for_s }, &["tolerance_m", "for_s"])
        }
        "lot" => (Ask::Lot { capacity: reader.whole("capacity") }, &["capacity"]),
        "no_parking" => {
            (Ask::NoParking { after_s: reader.whole("after_s").unwrap_or(Ask::PARKING_AFTER_S) }, &["after_s"])
        }
        other => {
            reader.fault("type", format!("must be one of {TYPES}, not {other:?}"));
            return None;
        }
    };
    reader.only(&[&RULE, own].concat());
    Some(ask)
}

fn exemption(path: String, value: &Value) -> Result<Exemption, Vec<Fault>> {
    let mut reader = Reader::of(path, value).map_err(|fault| vec![fault])?;
    reader.only(&["purpose", "when", "whom", "needs_permit"]);
    let exemption = Exemption {
        purpose: reader.text("purpose", PURPOSE_MAX).unwrap_or_default(),
        when: reader.one("when", schedule).unwrap_or_default(),
        whom: reader.one("whom", filter).unwrap_or_default(),
        needs_permit: reader.flag("needs_permit").unwrap_or(false),
    };
    reader.finish(exemption)
}

fn schedule(path: String, value: &Value) -> Result<Schedule, Vec<Fault>> {
    let mut reader = Reader::of(path, value).map_err(|fault| vec![fault])?;
    reader.only(&["spans", "weekly"]);
    let schedule = Schedule { spans: reader.each("spans", span), weekly: reader.each("weekly", weekly) };
    reader.finish(schedule)
}

fn span(path: String, value: &Value) -> Result<(model::Timestamp, model::Timestamp), Vec<Fault>> {
    let mut reader = Reader::of(path, value).map_err(|fault| vec![fault])?;
    reader.only(&["from", "to"]);
    for end in ["from", "to"] {
        if reader.get(end).is_none() {
            reader.fault(end, "is missing");
        }
    }
    let span = (reader.time("from").unwrap_or_default(), reader.time("to").unwrap_or_default());
    reader.finish(span)
}

fn weekly(path: String, value: &Value) -> Result<Weekly, Vec<Fault>> {
    let mut reader = Reader::of(path, value).map_err(|fault| vec![fault])?;
    reader.only(&["days", "on", "from", "to"]);
    let days = match reader.get("days") {
        None => Weekly::DAILY,
        Some(Value::String(text)) if text == "daily" => Weekly::DAILY,
        Some(Value::Array(names)) => names.iter().fold(0, |mask, name| {
            let place = DAYS.iter().position(|day| Some(*day) == name.as_str());
            place.map_or_else(
                || {
                    reader.fault("days", format!("{name} is none of {}", DAYS.join(", ")));
                    mask
                },
                |place| mask | 1 << place,
            )
        }),
        Some(_) => {
            reader.fault("days", "must be \"daily\" or a list like [\"mon\",\"tue\"]");
            0
        }
    };
    let on = reader.choice("on", OnDays::from_name, "any, holidays, workdays").unwrap_or_default();
    let from_min = minute(&mut reader, "from").unwrap_or(0);
    let to_min = minute(&mut reader, "to").unwrap_or(DAY_MIN);
    if from_min == DAY_MIN {
        reader.fault("from", "24:00 is an end only");
    }
    if to_min == 0 {
        reader.fault("to", "the end of a day is 24:00");
    }
    if days == 0 && reader.faults.is_empty() {
        reader.fault("days", "must name a day");
    }
    reader.finish(Weekly { days, on, from_min, to_min })
}

/// `HH:MM`, 00:00 to 24:00.
fn minute(reader: &mut Reader<'_>, member: &str) -> Option<u16> {
    let value = reader.get(member)?;
    let read = |text: &str| {
        let two = |digits: &str| {
            let is_number = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| digits.parse::<u16>().ok()).flatten()
        };
        let (hours, minutes) = text.split_once(':')?;
        let (hours, minutes) = (two(hours)?, two(minutes)?);
        let minute = hours * 60 + minutes;
        (minutes < 60 && minute <= DAY_MIN).then_some(minute)
    };
    let minute = value.as_str().and_then(read);
    if minute.is_none() {
        reader.fault(member, format!("must be a time of day like 06:00, not {value}"));
    }
    minute
}

fn filter(path: String, value: &Value) -> Result<Filter, Vec<Fault>> {
    let mut reader = Reader::of(path, value).map_err(|fault| vec![fault])?;
    reader.only(&["divisions", "un", "loads", "vehicles", "carriers", "highly_toxic"]);
    let mut loads = Vec::new();
    for (i, value) in reader.list("loads").iter().enumerate() {
        match value.as_str().and_then(LoadState::from_name) {
            Some(state) => loads.push(state),
            None => reader.fault(&format!("loads[{i}]"), format!("{value} is none of unknown, loaded, empty")),
        }
    }
    let filter = Filter {
        divisions: reader.parsed("divisions"),
        un: reader.parsed("un"),
        loads: loads.into_iter().collect(),
        vehicles: reader.parsed("vehicles"),
        carriers: reader.parsed("carriers"),
        highly_toxic: reader.flag("highly_toxic"),
    };
    reader.finish(filter)
}

/// A rule as it is read.
pub(crate) fn write(rule: &ZoneRule) -> Value {
    let mut out = match rule.ask {
        Ask::Forbidden { grace_s: 0 } | Ask::Lot { capacity: None } => json!({}),
        Ask::Forbidden { grace_s } => json!({"grace_s": grace_s}),
        Ask::SpeedLimit { day_kmh, night_kmh: None } => json!({"day_kmh": day_kmh}),
        Ask::SpeedLimit { day_kmh, night_kmh } => json!({"day_kmh": day_kmh, "night_kmh": night_kmh}),
        Ask::NoStopping { after_s } | Ask::NoParking { after_s } => json!({"after_s": after_s}),
        Ask::StayInside { tolerance_m, for_s } => json!({"tolerance_m": tolerance_m, "for_s": for_s}),
        Ask::Lot { capacity } => json!({"capacity": capacity}),
    };
    out["number"] = json!(rule.number);
    out["type"] = json!(rule.ask.name());
    write_scope(&mut out, &rule.when, &rule.whom);
    if !rule.exemptions.is_empty() {
        out["exemptions"] = rule.exemptions.iter().map(write_exemption).collect();
    }
    if let Some(filter) = &rule.no_permits_for {
        out["no_permits_for"] = write_filter(filter);
    }
    out
}

fn write_exemption(exemption: &Exemption) -> Value {
    let mut out = json!({"purpose": exemption.purpose, "needs_permit": exemption.needs_permit});
    write_scope(&mut out, &exemption.when, &exemption.whom);
    out
}

fn write_scope(out: &mut Value, when: &Schedule, whom: &Filter) {
    if !when.is_always() {
        out["when"] = write_schedule(when);
    }
    if !whom.is_empty() {
        out["whom"] = write_filter(whom);
    }
}

fn write_schedule(schedule: &Schedule) -> Value {
    let mut out = Map::new();
    if !schedule.spans.is_empty() {
        let span =
            |(from, to): &(model::Timestamp, model::Timestamp)| json!({"from": from.to_string(), "to": to.to_string()});
        out.insert("spans".to_owned(), schedule.spans.iter().map(span).collect());
    }
    if !schedule.weekly.is_empty() {
        out.insert("weekly".to_owned(), schedule.weekly.iter().map(write_weekly).collect());
    }
    Value::Object(out)
}

fn write_weekly(weekly: &Weekly) -> Value {
    let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let named = DAYS.iter().enumerate().filter(|(place, _)| weekly.days & (1 << place) != 0).map(|(_, day)| *day);
    let days = if weekly.days == Weekly::DAILY { json!("daily") } else { json!(named.collect::<Vec<_>>()) };
    json!({"days": days, "on": weekly.on.name(), "from": time(weekly.from_min), "to": time(weekly.to_min)})
}

fn write_filter(filter: &Filter) -> Value {
    fn texts<T: std::fmt::Display>(list: &[T]) -> Vec<String> {
        list.iter().map(T::to_string).collect()
    }
    let loads = filter.loads.iter().map(|state| state.name().to_owned()).collect();
    let lists = [
        ("divisions", texts(&filter.divisions)),
        ("un", texts(&filter.un)),
        ("loads", loads),
        ("vehicles", texts(&filter.vehicles)),
        ("carriers", texts(&filter.carriers)),
    ];
    let mut out: Map<String, Value> = lists
        .into_iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(name, list)| (name.to_owned(), json!(list)))
        .collect();
    if let Some(highly_toxic) = filter.highly_toxic {
        out.insert("highly_toxic".to_owned(), json!(highly_toxic));
    }
    Value::Object(out)
}
