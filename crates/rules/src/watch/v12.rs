//! V12, offline (离线); domain reference 7.2.

use model::{Fact, FactKind, LoadState};

use super::{Beat, Rule, Spell, Watch, row};
use crate::limits;
use crate::link::{Seen, rounded};
use crate::stay::Place;

pub(super) const RULE: Rule = Rule {
    kind: FactKind::V12,
    level: 1,
    definition: "Silent, as the fix after it tells: for rules.V12.loaded_after_s while loaded and driving, \
                 rules.V12.moving_after_s while driving, rules.V12.standing_after_s while standing. Who drives is granted \
                 as much again as the tunnels on the way take at 20 km/h.",
    step,
};

fn step(beat: &Beat<'_>, _: &mut Watch, facts: &mut Vec<Fact>) {
    let (Some(heard), Some(last)) = (beat.heard, beat.last) else { return };
    let gap_us = beat.seen.time.since_us(heard);
    let loaded_us = beat.seconds(row!("rules.V12.loaded_after_s"));
    let (moving_us, standing_us) =
        (beat.seconds(row!("rules.V12.moving_after_s")), beat.seconds(row!("rules.V12.standing_after_s")));
    if gap_us <= 0 || gap_us < loaded_us.min(moving_us).min(standing_us) {
        return;
    }
    let load = beat.ctx.registry.records().load_at(beat.ctx.vehicle, heard).map(|load| load.state);
    let after_us = match (beat.rested(), load) {
        (true, _) => standing_us,
        (false, Some(LoadState::Loaded)) => loaded_us,
        (false, _) => moving_us,
    };
    if gap_us < after_us || !beat.rested() && gap_us < after_us.saturating_add(tunnels_us(beat, last)) {
        return;
    }
    let mut spell = Spell {
        started_at: heard,
        start: Place::from(last.point()),
        late: last.late || beat.seen.late,
        first: last.source,
        ..Spell::begun(FactKind::V12, beat)
    };
    spell.state(beat, Some(beat.seen.time), facts);
}

/// How long whoever creeps takes through the tunnels on the way, microseconds.
fn tunnels_us(beat: &Beat<'_>, last: &Seen) -> i64 {
    let way_m = beat.ctx.zones.roads().tunnels_m(last.point(), beat.seen.point());
    rounded(way_m * 3.6e6 / limits::TUNNEL_SPEED_KMH)
}
