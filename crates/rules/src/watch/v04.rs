//! V04, fatigue (疲劳驾驶), in two profiles: by law, and by night as the assessment counts it. Domain reference 1.6, 7.2.

use model::{DAY_US, Fact, FactKind, Timestamp};

use super::{Beat, Rule, Spell, Watch, row};
use crate::limits;

pub(super) const RULE: Rule = Rule {
    kind: FactKind::V04,
    level: 3,
    definition: "Driving for longer than rules.V04.drive_min without a stop of rules.V04.rest_min; by the same driver: a \
                 change that was recorded ends it. A silence in which the way and such a stop both find room ends it too.",
    step,
};

/// The facts of it are stated with the others: a night drive is part of a drive.
pub(super) const NIGHT: Rule = Rule {
    kind: FactKind::V04_NIGHT,
    level: 2,
    definition: "The same for the part of a drive that lies in the night (rules.night), for longer than \
                 rules.V04.night_drive_min.",
    step: |_, _, _| {},
};

/// A drive is a spell from its first fix above walking pace on; its mark is since when it stands.
fn step(beat: &Beat<'_>, watch: &mut Watch, facts: &mut Vec<Fact>) {
    let rest_us = beat.minutes(row!("rules.V04.rest_min"));
    let (now, rests) = (beat.seen.time, beat.seen.rests());
    if let Some(spell) = watch.get(FactKind::V04) {
        let ended_at = match spell.mark {
            Some(since) => (now.since_us(since) >= rest_us).then_some(since),
            None => beat.heard.filter(|heard| now.since_us(*heard) >= rest_us + beat.least_way_us()),
        };
        let changed_at = changed_driver(beat, spell.started_at);
        let over = ended_at.into_iter().chain(changed_at).min();
        if let Some(over) = over {
            finish(watch, beat, over, facts);
        }
        if let Some(changed_at) = changed_at.filter(|_| ended_at.is_none() && !rests) {
            begin(watch, beat, changed_at);
        }
    }
    match watch.get(FactKind::V04) {
        None if !rests => begin(watch, beat, now),
        None => return,
        Some(spell) if rests => {
            spell.mark.get_or_insert(now);
        }
        Some(spell) => spell.mark = None,
    }
    night(watch, beat, facts);
    if !rests {
        tell(FactKind::V04, beat.minutes(row!("rules.V04.drive_min")), watch, beat, facts);
        tell(FactKind::V04_NIGHT, beat.minutes(row!("rules.V04.night_drive_min")), watch, beat, facts);
    }
}

fn begin(watch: &mut Watch, beat: &Beat<'_>, started_at: Timestamp) {
    watch.begin(Spell { started_at, speed_max_dkmh: 0, count: 0, ..Spell::begun(FactKind::V04, beat) });
}

fn finish(watch: &mut Watch, beat: &Beat<'_>, over: Timestamp, facts: &mut Vec<Fact>) {
    for kind in [FactKind::V04, FactKind::V04_NIGHT] {
        watch.finish(kind, beat, over, facts);
    }
}

/// States a drive that has become too long.
fn tell(kind: FactKind, most_us: i64, watch: &mut Watch, beat: &Beat<'_>, facts: &mut Vec<Fact>) {
    let Some(spell) = watch.get(kind).filter(|spell| !spell.stated) else { return };
    if beat.seen.time.since_us(spell.started_at) > most_us {
        spell.go_on(beat);
        spell.state(beat, None, facts);
    }
}

/// The part of the drive that lies in the night.
fn night(watch: &mut Watch, beat: &Beat<'_>, facts: &mut Vec<Fact>) {
    let Some(drive) = watch.get(FactKind::V04).copied() else { return };
    let [from_min, to_min] = [row!("rules.night.from_min"), row!("rules.night.to_min")].map(|row| beat.minutes(row));
    let found = night_of(beat.seen.time, from_min, to_min);
    if let Some(known) = watch.get(FactKind::V04_NIGHT).copied() {
        // The night ended before this fix.
        if found.is_none_or(|(from, _)| from > known.started_at) {
            let end = night_of(known.started_at, from_min, to_min).map_or(beat.seen.time, |(_, to)| to);
            watch.finish(FactKind::V04_NIGHT, beat, drive.mark.map_or(end, |since| since.min(end)), facts);
        }
    }
    if let (Some((from, _)), None) = (found, watch.get(FactKind::V04_NIGHT)) {
        let started_at = drive.started_at.max(from);
        let spell = Spell { started_at, speed_max_dkmh: 0, count: 0, ..Spell::begun(FactKind::V04_NIGHT, beat) };
        watch.begin(spell);
    }
}

/// The night around an instant, by the clock in China.
fn night_of(at: Timestamp, from_us: i64, to_us: i64) -> Option<(Timestamp, Timestamp)> {
    let midnight = Timestamp::china_day_start(at.china_day());
    let length_us = (to_us - from_us).rem_euclid(DAY_US);
    let nights = [midnight.plus_us(from_us - DAY_US), midnight.plus_us(from_us)];
    nights.map(|from| (from, from.plus_us(length_us))).into_iter().find(|(from, to)| *from <= at && at < *to)
}

/// When another driver took over since then, as far as was recorded; the last time, if several did.
fn changed_driver(beat: &Beat<'_>, since: Timestamp) -> Option<Timestamp> {
    let history = beat.ctx.registry.records().driving_of(beat.ctx.vehicle);
    let known = history.partition_point(|(from, _)| *from <= since);
    let mut driver = history.iter().take(known).rev().find_map(|(_, driver)| *driver);
    let mut changed_at = None;
    for (from, next) in history.iter().skip(known).take_while(|(from, _)| *from <= beat.seen.time) {
        if next.is_some() && driver.is_some() && *next != driver {
            changed_at = Some(*from);
        }
        driver = next.or(driver);
    }
    changed_at
}

impl Beat<'_> {
    /// The least time that the way since the last fix takes, microseconds.
    fn least_way_us(&self) -> i64 {
        self.last.map_or(0, |last| {
            let way_m = geofence::distance_m(last.point(), self.seen.point());
            crate::link::rounded(way_m * 3.6e6 / limits::WAY_SPEED_KMH)
        })
    }
}
