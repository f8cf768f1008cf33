//! V13, offline displacement (离线位移); domain reference 3.4, 7.2.

use geofence::distance_m;
use model::{Fact, FactKind};

use super::{Beat, Rule, Spell, Watch, row};
use crate::limits;
use crate::link::{faster, rounded};
use crate::stay::Place;

pub(super) const RULE: Rule = Rule {
    kind: FactKind::V13,
    level: 3,
    definition: "Silent for rules.V13.gap_s or longer, and heard again rules.V13.distance_m or farther away, where a \
                 vehicle can be by then, and the next fix goes on from there.",
    step,
};

/// A spell lasts from the first fix after the silence to the next one, which tells whether the first was an outlier.
fn step(beat: &Beat<'_>, watch: &mut Watch, facts: &mut Vec<Fact>) {
    if let Some(mut spell) = watch.end(FactKind::V13) {
        let gap_us = spell.mark.map_or(0, |found_at| beat.seen.time.since_us(found_at));
        let goes_on = !faster(distance_m(spell.end.point(), beat.seen.point()), gap_us, limits::DOUBTFUL_SPEED_KMH);
        if goes_on {
            spell.touch(beat);
            spell.state(beat, spell.mark, facts);
        }
    }
    let (Some(heard), Some(last)) = (beat.heard, beat.last) else { return };
    let gap_us = beat.seen.time.since_us(heard);
    if gap_us < beat.seconds(row!("rules.V13.gap_s")).max(1) {
        return;
    }
    let way_m = distance_m(last.point(), beat.seen.point());
    if way_m >= beat.threshold(row!("rules.V13.distance_m")) as f64
        && !faster(way_m, gap_us, limits::DOUBTFUL_SPEED_KMH)
    {
        watch.begin(Spell {
            started_at: heard,
            start: Place::from(last.point()),
            mark: Some(beat.seen.time),
            length_m: u32::try_from(rounded(way_m)).unwrap_or(u32::MAX),
            late: last.late || beat.seen.late,
            first: last.source,
            ..Spell::begun(FactKind::V13, beat)
        });
    }
}
