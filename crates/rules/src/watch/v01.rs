//! V01, overspeed on an expressway (高速公路超速); domain reference 7.2.

use model::{Fact, FactKind, Registry};

use super::{Beat, Rule, Spell, Watch, row};
use crate::limits;

pub(super) const RULE: Rule = Rule {
    kind: FactKind::V01,
    level: 3,
    definition: "Fixes on the line of an expressway, from one to the next, above rules.V01.limit_kmh or the lower limit of \
                 its signs, for rules.V01.for_s or longer. The band follows from the greatest speed: severe from \
                 rules.V01.severe_percent above the limit on.",
    step,
};

fn step(beat: &Beat<'_>, watch: &mut Watch, facts: &mut Vec<Fact>) {
    let seen = beat.seen;
    let (limit, gap) =
        (beat.threshold(row!("rules.V01.limit_kmh")), beat.heard.map_or(0, |heard| seen.time.since_us(heard)));
    if gap > limits::CURVE_GAP_MAX_US
        && let Some(last) = watch.get(FactKind::V01).and_then(|spell| spell.mark)
    {
        watch.finish(FactKind::V01, beat, last, facts);
    }
    let is_over = |limit: i64| i64::from(seen.speed_dkmh) > limit * 10 && !seen.speed_off && !seen.swapped;
    let roads = beat.ctx.zones.roads();
    // A sign may ask for less than the law.
    let holds = is_over(limit.min(roads.least_limit_kmh()))
        && roads.expressway_limit_kmh(seen.point()).is_some_and(|sign| is_over(limit.min(sign)));
    match (holds, watch.get(FactKind::V01)) {
        (true, None) => watch.begin(Spell { mark: Some(seen.time), ..Spell::begun(FactKind::V01, beat) }),
        (true, Some(spell)) => {
            spell.go_on(beat);
            spell.mark = Some(seen.time);
            if !spell.stated && seen.time.since_us(spell.started_at) >= beat.seconds(row!("rules.V01.for_s")) {
                spell.state(beat, None, facts);
            }
        }
        (false, Some(spell)) => {
            let last = spell.mark.unwrap_or(spell.started_at);
            watch.finish(FactKind::V01, beat, last, facts);
        }
        (false, None) => {}
    }
}

/// The band of a fact: 1 below rules.V01.severe_percent above the limit, 3 from there on.
pub(super) fn level(registry: &Registry, fact: &Fact) -> u8 {
    let threshold = |row| registry.records().threshold_of(row, fact.started_at);
    let severe_kmh = threshold(row!("rules.V01.limit_kmh")) * (100 + threshold(row!("rules.V01.severe_percent")));
    if i64::from(fact.measures.speed_max_dkmh) * 10 >= severe_kmh { 3 } else { 1 }
}
