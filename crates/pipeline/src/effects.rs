//! Effects: what a fact makes happen in the world. Today: a text to the cab when a forbidden zone is entered.

use model::{EffectId, Fact, FactKind, Fix, Standing, Zone};
use sha2::{Digest, Sha256};
use store::Effect;

/// An effect of a fact that was raised on a fix received later than this after its event time is not made: the
/// driver is somewhere else by then.
const FRESH_MAX_US: i64 = 120 * 1_000_000;
const CAB_TEXT: &[u8] = b"cab_text";

/// The text to the cab for a fact that was just raised; `None` when there is none to send.
pub(crate) fn cab_text(fact: &Fact, zone: Option<&Zone>, fix: &Fix) -> Option<Effect> {
    // Of the entry, not of the fix at hand: who is told on leaving that he entered learns nothing.
    let fresh = fix.received.since_us(fact.started_at) <= FRESH_MAX_US && !fix.marks.has(model::Marks::BACKFILL);
    let stands = fact.standing == Standing::Stands;
    if fact.kind != FactKind::V06 || !stands || fact.revision > 1 || fact.detected_late || !fresh {
        return None;
    }
    let (name, kind) = zone.map_or(("", ""), |zone| (zone.name.as_str(), zone.kind.name_zh()));
    Some(Effect {
        id: effect_id(fact, CAB_TEXT),
        fact: fact.id,
        revision: fact.revision,
        vehicle: fact.vehicle,
        terminal: fix.terminal,
        text: format!("您已进入危险货物车辆禁行区（{kind}）：{name}，请尽快安全驶离。"),
        raised_at: fix.received,
    })
}

/// Hash of (fact, revision, kind of effect): sent once, whatever is rebuilt.
fn effect_id(fact: &Fact, kind: &[u8]) -> EffectId {
    let hash = Sha256::new()
        .chain_update(b"hazwatch effect 1")
        .chain_update(fact.id.0.to_be_bytes())
        .chain_update(fact.revision.to_be_bytes())
        .chain_update(kind)
        .finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    EffectId(u128::from_be_bytes(id))
}
