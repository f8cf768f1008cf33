//! An outing: what comes after a stay in a zone that may not be left, until the vehicle is inside again. It is kept as a
//! stay without a visit, whose bouts are the times beyond the tolerance; its depth is how far outside it went.

use model::{Fact, Timestamp, Tri};

use crate::bout::{self, Course, Scene};
use crate::judge::Context;
use crate::limits;
use crate::link::{Link, Seen, rounded};
use crate::rule::{V08, binding, leave};
use crate::state::State;
use crate::stay::{Place, Stay};
use crate::zones::Ground;

/// The outing that follows a stay that is over, if it matters.
pub(crate) fn after(ctx: &Context<'_>, ground: &Ground, ended: &Stay) -> Option<Stay> {
    let exit = ended.left.filter(|exit| exit.at < ground.to)?;
    let matters =
        ground.zone.rules.iter().any(|rule| {
            leave::tolerance_m(rule).is_some() && rule.whom.holds(&binding::subject(ctx, exit.at)) != Tri::No
        });
    let mut outing = Stay {
        zone: ended.zone,
        revision: ended.revision,
        started_at: exit.at,
        start: ended.end,
        end: ended.end,
        entry_confidence: exit.confidence,
        ceiling: ended.ceiling,
        late: ended.late,
        bound_to: Timestamp::MIN,
        ..Stay::default()
    };
    ended.evidence.all().last().into_iter().for_each(|record| outing.evidence.push(*record));
    matters.then_some(outing)
}

/// Takes in an outing that has just begun.
pub(crate) fn begin(outings: &mut Vec<Stay>, outing: Option<Stay>) {
    let Some(outing) = outing.filter(|_| outings.len() < limits::OUTINGS_MAX) else { return };
    if let Err(place) = outings.binary_search_by_key(&outing.key(), Stay::key) {
        outings.insert(place, outing);
    }
}

/// Goes on with every outing, from one judged fix to the next; without a link nothing is known of the way.
pub(crate) fn go_on(ctx: &Context<'_>, state: &mut State, link: Option<&Link>, seen: &Seen, facts: &mut Vec<Fact>) {
    if state.outings.is_empty() {
        return;
    }
    let last = link.map(|link| link.a).or(state.last);
    for mut outing in std::mem::take(&mut state.outings) {
        let Some(ground) = ctx.zones.ground(outing.key()) else {
            let bouts = outing.bouts.iter().filter(|bout| bout.stated);
            facts.extend(bouts.map(|bout| bout::of(ctx, &outing, bout, Some(bout.last))));
            continue;
        };
        let is_back = state.stays.iter().any(|stay| stay.key() == outing.key() && stay.left.is_none());
        let over = is_back || seen.time >= ground.to;
        let scene = Scene { ctx, ground, link, seen, rest: None, before: (0, 0), over };
        settle(&scene, last.as_ref(), &mut outing, facts);
        if !over {
            state.outings.push(outing);
        }
    }
}

fn settle(scene: &Scene<'_>, last: Option<&Seen>, outing: &mut Stay, facts: &mut Vec<Fact>) {
    let Scene { ground, seen, .. } = *scene;
    let outside_m = |at: &Seen| -ground.shape.depth_m(at.point());
    let is_first = outing.bound_to < outing.started_at;
    let (was_m, is_m) = (last.map_or(f64::NEG_INFINITY, outside_m), outside_m(seen));
    outing.end = Place::from(seen.point());
    outing.depth_max_cm = outing.depth_max_cm.max(rounded(is_m.clamp(0.0, 2e7) * 100.0) as u32);
    outing.late |= seen.late;
    outing.evidence.push(seen.source);
    let mut bouts = std::mem::take(&mut outing.bouts);
    for rule in &ground.zone.rules {
        let Some(tolerance_m) = leave::tolerance_m(rule) else { continue };
        let (was, is) = (!is_first && was_m > tolerance_m, is_m > tolerance_m);
        // When it crossed the tolerance, as far as that is known.
        let crossed = match (scene.link, last) {
            (Some(link), _) if (was_m > tolerance_m) != is => link.instant((tolerance_m - was_m) / (is_m - was_m)),
            (None, Some(last)) if was => last.time,
            (None, _) => seen.time,
            (Some(link), _) => link.a.time.max(outing.started_at),
        };
        let open = bouts.iter().position(|bout| bout.rule == rule.number).map(|place| bouts.remove(place));
        let mut course = Course { scene, stay: outing, rule, kind: V08, open, facts };
        match (was, is) {
            (false, true) => course.beyond(Some(crossed), seen.time.min(ground.to)),
            (true, true) => course.beyond(None, seen.time.min(ground.to)),
            (true, false) => course.within(crossed.min(ground.to)),
            (false, false) => {}
        }
        let open = course.open;
        outing.bouts.extend(open);
    }
    outing.bouts.sort_by_key(|bout| bout.rule);
    outing.bound_to = seen.time;
}
