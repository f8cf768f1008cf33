//! Edges of the alarm word (报警标志): a bit that rises begins a fact, and its fall ends it. V24, emergency alarm (紧急报警),
//! is bit 0. Domain reference 7.1 and 7.2.

use model::{Fact, FactKind};

use super::{Beat, Rule, Spell, Watch};

/// Bits that say what nothing else does: fatigue, GNSS module, antenna cut and short, low voltage, power lost, driving time
/// of the day, speed sensor, stolen, illegal ignition and displacement, collision, rollover. The others are faults of
/// displays and the like, what terminals judge by areas of their own, or what differs from edition to edition.
const BITS: [u8; 13] = [2, 4, 5, 6, 7, 8, 18, 24, 26, 27, 28, 29, 30];
const EMERGENCY: u8 = 0;

pub(super) const RULE: Rule = Rule {
    kind: FactKind::ALARMS,
    level: 0,
    definition: "An alarm bit of use rises, and lasts until a fix without it.",
    step: |beat, watch, facts| {
        if beat.alarm != 0 || watch.spells.last().is_some_and(|spell| spell.kind >= FactKind::ALARMS) {
            BITS.iter().for_each(|bit| edge(FactKind::alarm(*bit), *bit, beat, watch, facts));
        }
    },
};

pub(super) const V24: Rule = Rule {
    kind: FactKind::V24,
    level: 3,
    definition: "The driver presses the emergency button (bit 0): certain with the first fix, each time anew.",
    step: |beat, watch, facts| edge(FactKind::V24, EMERGENCY, beat, watch, facts),
};

fn edge(kind: FactKind, bit: u8, beat: &Beat<'_>, watch: &mut Watch, facts: &mut Vec<Fact>) {
    match (beat.alarms(bit), watch.get(kind)) {
        (true, None) => {
            let mut spell = Spell::begun(kind, beat);
            spell.state(beat, None, facts);
            watch.begin(spell);
        }
        (true, Some(spell)) => spell.go_on(beat),
        (false, Some(spell)) => {
            spell.touch(beat);
            spell.state(beat, Some(beat.seen.time), facts);
            watch.end(kind);
        }
        (false, None) => {}
    }
}
