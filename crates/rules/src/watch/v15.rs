//! V15, antenna cut or power off (天线断开, 断电); domain reference 7.2.

use model::{Fact, FactKind};

use super::{Beat, Rule, Spell, Watch, row};

/// GNSS antenna cut, GNSS antenna short-circuited, main power lost.
const BITS: [u8; 3] = [5, 6, 8];

pub(super) const RULE: Rule = Rule {
    kind: FactKind::V15,
    level: 2,
    definition: "Alarm bits 5, 6 or 8 for as long as rules.V15.for_s, from fix to fix, while it drives or stands on a road \
                 of which the line is known. Drivers switch the main breaker off every evening: who stands elsewhere \
                 does no wrong.",
    step,
};

fn step(beat: &Beat<'_>, watch: &mut Watch, facts: &mut Vec<Fact>) {
    let holds = BITS.iter().any(|bit| beat.alarms(*bit))
        && (!beat.seen.rests() || beat.ctx.zones.roads().holds(beat.seen.point()));
    match (holds, watch.get(FactKind::V15)) {
        (true, None) => watch.begin(Spell::begun(FactKind::V15, beat)),
        (true, Some(spell)) => {
            spell.go_on(beat);
            if !spell.stated && beat.seen.time.since_us(spell.started_at) >= beat.seconds(row!("rules.V15.for_s")) {
                spell.state(beat, None, facts);
            }
        }
        (false, Some(_)) => watch.finish(FactKind::V15, beat, beat.seen.time, facts),
        (false, None) => {}
    }
}
