//! Effects: what happens in the world because of what was seen. Today texts to the cab: a forbidden zone is ahead (接近预警),
//! and a forbidden zone was entered.

use model::{EffectId, Fact, FactId, FactKind, Fix, Standing, Timestamp, VehicleId, Zone};
use rules::Warning;
use sha2::{Digest, Sha256};
use store::Effect;

/// An effect of a fact that was raised on a fix received later than this after its event time is not made: the
/// driver is somewhere else by then. Nor is one so long before it: the clock of the terminal is wrong.
const FRESH_MAX_US: i64 = 120 * 1_000_000;
const CAB_TEXT: &[u8] = b"cab_text";
const CAB_WARNING: &[u8] = b"cab_warning";

/// The text to the cab for a fact that was just raised; `None` when there is none to send.
pub(crate) fn cab_text(fact: &Fact, zone: Option<&Zone>, fix: &Fix) -> Option<Effect> {
    // Of the entry, not of the fix at hand: who is told on leaving that he entered learns nothing.
    let fresh = is_fresh(fix, fact.started_at);
    let stands = fact.standing == Standing::Stands;
    if fact.kind != FactKind::V06 || !stands || fact.revision > 1 || fact.detected_late || !fresh {
        return None;
    }
    let (name, kind) = zone.map_or(("", ""), |zone| (zone.name.as_str(), zone.kind.name_zh()));
    Some(Effect {
        id: effect_id(fact.id, fact.revision, CAB_TEXT),
        fact: fact.id,
        revision: fact.revision,
        vehicle: fact.vehicle,
        terminal: fix.terminal,
        text: format!("您已进入危险货物车辆禁行区（{kind}）：{name}，请尽快安全驶离。"),
        raised_at: fix.received,
    })
}

/// Whether a fix tells of that instant soon enough for the driver.
pub(crate) fn is_fresh(fix: &Fix, at: Timestamp) -> bool {
    (-FRESH_MAX_US..=FRESH_MAX_US).contains(&fix.received.since_us(at)) && !fix.marks.has(model::Marks::BACKFILL)
}

/// The text to the cab for a zone ahead.
pub(crate) fn warning_text(vehicle: VehicleId, zone: &Zone, warning: &Warning, fix: &Fix) -> Effect {
    let fact = approach_id(vehicle, warning, fix.time);
    let (name, kind) = (zone.name.as_str(), zone.kind.name_zh());
    let detour = if zone.detour.is_empty() { String::new() } else { format!("绕行：{}。", zone.detour) };
    let ahead = distance_zh(warning.distance_m);
    Effect {
        id: effect_id(fact, 1, CAB_WARNING),
        fact,
        revision: 1,
        vehicle,
        terminal: fix.terminal,
        text: format!("前方{ahead}为危险货物车辆禁行区（{kind}）：{name}，请勿驶入。{detour}"),
        raised_at: fix.received,
    }
}

/// To 100 metres, in words for the driver.
fn distance_zh(metres: f64) -> String {
    let hundreds = (metres / 100.0).round().max(1.0) as u32;
    if hundreds < 10 {
        format!("约{}米", hundreds * 100)
    } else {
        format!("约{}.{}公里", hundreds / 10, hundreds % 10)
    }
}

/// An approach is no fact; its id, made like one, tells one approach from the next.
fn approach_id(vehicle: VehicleId, warning: &Warning, at: Timestamp) -> FactId {
    let hash = Sha256::new()
        .chain_update(b"hazwatch approach 1")
        .chain_update(vehicle.0.to_be_bytes())
        .chain_update(warning.zone.0.to_be_bytes())
        .chain_update(warning.revision.to_be_bytes())
        .chain_update(at.0.to_be_bytes())
        .finalize();
    FactId(first_16(&hash))
}

fn first_16(hash: &[u8]) -> u128 {
    hash.iter().take(16).fold(0, |id, byte| (id << 8) | u128::from(*byte))
}

/// Hash of (fact, revision, kind of effect): sent once, whatever is rebuilt.
fn effect_id(fact: FactId, revision: u32, kind: &[u8]) -> EffectId {
    let hash = Sha256::new()
        .chain_update(b"hazwatch effect 1")
        .chain_update(fact.0.to_be_bytes())
        .chain_update(revision.to_be_bytes())
        .chain_update(kind)
        .finalize();
    EffectId(first_16(&hash))
}
