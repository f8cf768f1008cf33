//! V25, suspected accident (疑似事故); domain reference 7.2.

use geofence::distance_m;
use model::{Fact, FactKind, Timestamp};

use super::{Beat, Rule, Spell, Watch, row};
use crate::limits;

/// Collision, rollover: alarms since the edition of 2019, warnings in that of 2013. What follows tells them apart.
const BITS: [u8; 2] = [29, 30];

pub(super) const RULE: Rule = Rule {
    kind: FactKind::V25,
    level: 3,
    definition: "The collision or rollover bit rises while it drives, or it stops harder than a truck brakes, and it \
                 is silent from there for rules.V25.silence_s and heard again where it was; or, after the bit, it stands \
                 at the next fix. A bit after which it drives on was a warning.",
    step,
};

/// A spell has a mark when a bit began it.
fn step(beat: &Beat<'_>, watch: &mut Watch, facts: &mut Vec<Fact>) {
    let now = beat.seen.time;
    match watch.get(FactKind::V25) {
        Some(spell) if spell.stated => {
            if !beat.seen.rests() {
                watch.finish(FactKind::V25, beat, now, facts);
            }
            return;
        }
        Some(spell) if now > spell.started_at => {
            spell.touch(beat);
            let (of_bit, heard) = (spell.mark.is_some(), beat.heard.unwrap_or(now));
            let silent = now.since_us(heard) >= beat.seconds(row!("rules.V25.silence_s")).max(1);
            let near = distance_m(spell.start.point(), beat.seen.point()) <= limits::STANDING_M;
            if silent && near || of_bit && beat.seen.rests() {
                spell.state(beat, (!beat.seen.rests()).then_some(now), facts);
            }
            if !spell.stated || !beat.seen.rests() {
                watch.end(FactKind::V25);
            }
        }
        _ => {}
    }
    let drove = beat.latest.is_some_and(|latest| latest.speed_dkmh >= limits::ACCIDENT_SPEED_DKMH);
    let rises = BITS
        .iter()
        .any(|bit| beat.alarms(*bit) && watch.get(FactKind::alarm(*bit)).is_some_and(|b| b.started_at == now));
    let bit = rises && (drove || beat.seen.speed_dkmh >= limits::ACCIDENT_SPEED_DKMH);
    if (bit || drove && stops_hard(beat, now)) && watch.get(FactKind::V25).is_none() {
        watch.begin(Spell { mark: bit.then_some(now), ..Spell::begun(FactKind::V25, beat) });
    }
}

/// From driving to standing, faster than a truck brakes.
fn stops_hard(beat: &Beat<'_>, now: Timestamp) -> bool {
    let Some(latest) = beat.latest.filter(|latest| beat.seen.rests() && !latest.speed_off) else { return false };
    let gap_us = now.since_us(latest.time);
    let lost_dkmh = i64::from(latest.speed_dkmh) - i64::from(beat.seen.speed_dkmh);
    // 0.1 km/h a microsecond are 1e6 / 36 m/s2.
    gap_us > 0 && lost_dkmh * 1_000_000 >= gap_us * limits::HARD_STOP_DMPS2 * 36 / 10
}
