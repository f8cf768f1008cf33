//! The rules that hang on the vehicle alone: of each a case, a near miss, and the case judged again from a stored state.

mod v01;
mod v04;
mod v12;
mod v13;
mod v14;
mod v15;
mod v25;

use std::collections::BTreeMap;

use model::{Fact, FactId, Fix, Registry, Timestamp};
use rules::{State, Zones};

use crate::drive::{T0, fix, judge_by};

/// Judges by what was recorded, whole and cut everywhere, and says what stands: `kind start..end`.
pub(super) fn said_by(registry: &Registry, fixes: &[Fix]) -> Vec<String> {
    let zones = Zones::build(registry);
    let mut whole = State::default();
    let facts = judge_by(registry, &zones, &mut whole, fixes);
    let mut bytes = State::default().encode();
    let mut pieces = Vec::new();
    for one in fixes {
        let mut state = State::decode(&bytes).expect("own bytes");
        let since = state.open_since();
        let known: Vec<FactId> = state.open_facts(model::VehicleId(42)).map(|(id, _)| id).collect();
        for fact in judge_by(registry, &zones, &mut state, std::slice::from_ref(one)) {
            // What judging again relies on.
            assert!(fact.started_at >= since, "{fact:?}");
            assert!(known.contains(&fact.id) || fact.started_at > State::decode(&bytes).expect("own").judged_to());
            pieces.push(fact);
        }
        bytes = state.encode();
    }
    assert_eq!((pieces, bytes), (facts.clone(), whole.encode()));
    let last: BTreeMap<FactId, &Fact> =
        facts.iter().filter(|fact| !fact.has_zone()).map(|fact| (fact.id, fact)).collect();
    let mut lines: Vec<String> = last.values().map(|fact| line(fact)).collect();
    lines.sort();
    lines
}

pub(super) fn said(fixes: &[Fix]) -> Vec<String> {
    said_by(&Registry::default(), fixes)
}

fn line(fact: &Fact) -> String {
    let seconds = |t: Timestamp| t.since_us(T0) / 1_000_000;
    let end = fact.ended_at.map_or_else(|| "open".into(), |end| seconds(end).to_string());
    format!("{} {}..{end}", fact.kind, seconds(fact.started_at))
}

/// A fix: second, east, north, km/h, alarm word.
pub(super) fn at((secs, east, north, kmh, alarm): (i64, i32, i32, u16, u32)) -> Fix {
    Fix { speed_dkmh: kmh * 10, alarm, ..fix(secs as usize, (secs, east, north)) }
}

/// A drive to the north at a steady speed: a fix every `step_s` seconds.
pub(super) fn drive(from_s: i64, to_s: i64, step_s: usize, kmh: u16, alarm: u32) -> Vec<Fix> {
    let north = |s: i64| (s * i64::from(kmh) * 10_000 / 36 / 1108) as i32;
    (from_s..=to_s).step_by(step_s).map(|s| at((s, 0, north(s), kmh, alarm))).collect()
}

#[test]
fn alarm_bits_rise_and_fall() {
    let words = [0, 1 << 5, 1 << 5 | 1, 1, 0, 1, 1 << 9 | 1 << 20, 0];
    let fixes: Vec<Fix> = (0..).zip(words).map(|(n, word)| at((n * 30, 0, 4500 * n as i32, 60, word))).collect();
    assert_eq!(said(&fixes), ["V24 150..180", "V24 60..120", "alarm-05 30..90"]);
    assert_eq!(said(&fixes[..3]), ["V24 60..open", "alarm-05 30..open"], "with the first fix");
    let quiet: Vec<Fix> =
        fixes.iter().map(|fix| Fix { alarm: fix.alarm & (1 << 9 | 1 << 20), ..fix.clone() }).collect();
    assert!(said(&quiet).is_empty(), "bits that are of no use");
}
