//! V14, drift (漂移); domain reference 3.4, 7.2.

use geofence::distance_m;
use model::{Fact, FactKind};

use super::{Beat, Rule, Spell, Watch, row};
use crate::link::faster;

pub(super) const RULE: Rule = Rule {
    kind: FactKind::V14,
    level: 1,
    definition: "On one day in China, rules.V14.points or more fixes that lie farther than rules.V14.distance_m from the path \
                 before them, at more than rules.V14.speed_kmh; from the first of them to the last.",
    step,
};

fn step(beat: &Beat<'_>, watch: &mut Watch, facts: &mut Vec<Fact>) {
    let day = beat.seen.time.china_day();
    if let Some(spell) = watch.get(FactKind::V14).filter(|spell| spell.started_at.china_day() != day) {
        let last = spell.mark.unwrap_or(spell.started_at);
        watch.finish(FactKind::V14, beat, last, facts);
    }
    if !is_drift(beat) {
        return;
    }
    match watch.get(FactKind::V14) {
        None => watch.begin(Spell { mark: Some(beat.seen.time), ..Spell::begun(FactKind::V14, beat) }),
        Some(spell) => {
            spell.go_on(beat);
            spell.mark = Some(beat.seen.time);
        }
    }
    let Some(spell) = watch.get(FactKind::V14).filter(|spell| !spell.stated) else { return };
    if i64::from(spell.count) >= beat.threshold(row!("rules.V14.points")) {
        spell.state(beat, None, facts);
    }
}

fn is_drift(beat: &Beat<'_>) -> bool {
    let Some(last) = beat.last else { return false };
    let (gap_us, speed_kmh) = (beat.seen.time.since_us(last.time), beat.threshold(row!("rules.V14.speed_kmh")));
    let way_m = distance_m(last.point(), beat.seen.point());
    way_m > beat.threshold(row!("rules.V14.distance_m")) as f64 && faster(way_m, gap_us, speed_kmh as f64)
}
