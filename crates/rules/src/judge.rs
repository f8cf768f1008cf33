//! One fix on top of the state: links it to the last one, moves every stay along, states facts.

use std::ops::ControlFlow;

use model::{Confidence, Fact, FactKind, Fix, Measures, Registry, Timestamp, VehicleId};

use crate::bout::{self, Scene};
use crate::fact;
use crate::limits;
use crate::link::{Break, Course, Link, Seen, Step};
use crate::outing;
use crate::passage::{self, Stretch};
use crate::rest::{Rest, Verdict};
use crate::rule::visit;
use crate::state::State;
use crate::stay::{Exit, Stay};
use crate::watch;
use crate::zones::{Ground, Zones};

/// What a judgement is made with.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Whose fixes they are.
    pub vehicle: VehicleId,
    /// The zones journalled so far; each fix is judged by the revision that governs its event time.
    pub zones: &'a Zones,
    /// What was recorded of the vehicle and of everything else, as of a place in the journal.
    pub registry: &'a Registry,
}

impl Context<'_> {
    /// A threshold (`model::THRESHOLDS`) as it was recorded up to an instant.
    pub(crate) fn threshold(&self, key: &str, time: Timestamp) -> i64 {
        self.registry.records().threshold_at(key, time).unwrap_or_default()
    }
}

/// Judges one fix. Facts are appended as upserts: the same id again means that the fact has progressed.
///
/// Fixes come in [`Fix::track_order`]; several of one time are in order. A fix that cannot be judged changes nothing.
/// Facts carry revision 1 and are not marked late: who judges again compares and numbers them.
pub fn step(ctx: &Context<'_>, state: &mut State, fix: &Fix, facts: &mut Vec<Fact>) {
    let Some(next) = Seen::of(fix) else { return };
    watch::step(ctx, state, fix, &next, facts);
    if state.last.is_none() {
        return begin(ctx, state, next, Break::First, Measures::ERROR_UNKNOWN, facts);
    }
    advance(ctx, state, next, facts);
}

/// Goes on to the next fix, standing or driving.
fn advance(ctx: &Context<'_>, state: &mut State, next: Seen, facts: &mut Vec<Fact>) {
    if let Some(mut rest) = state.rest.filter(|_| next.rests()) {
        let verdict = rest.judge(&next, state.aside.as_ref());
        state.rest = Some(rest);
        match verdict {
            Verdict::Near => return stand(ctx, state, rest, &next, facts),
            Verdict::Away => {
                state.aside.get_or_insert(next);
                return;
            }
            Verdict::Over => {}
        }
    }
    state.rest = None;
    drive(ctx, state, next, facts);
}

/// Goes on standing: where the mean of all fixes of the rest lies.
fn stand(ctx: &Context<'_>, state: &mut State, mut rest: Rest, next: &Seen, facts: &mut Vec<Fact>) {
    let Some(last) = state.last else { return };
    rest.take(next);
    state.aside = None;
    state.rest = Some(rest);
    let placed = rest.placed(next);
    let link = Link::standing(Seen { lon_e6: placed.lon_e6, lat_e6: placed.lat_e6, ..last }, placed);
    travel(ctx, state, &link, Some(&rest), facts);
}

/// Goes on to the next fix; one that is in doubt waits for the one after it.
fn drive(ctx: &Context<'_>, state: &mut State, next: Seen, facts: &mut Vec<Fact>) {
    let Some(last) = state.last else { return };
    let Some(aside) = state.aside.take() else {
        match Step::between(last, next) {
            Step::Path(course) if !course.motion.is_doubted() => follow(ctx, state, &course, facts),
            Step::Path(_) | Step::Jump => state.aside = Some(next),
            Step::Gap => cut(ctx, state, next, Break::Gap, facts),
        }
        return;
    };
    match (Step::between(last, aside), Step::between(aside, next), Step::between(last, next)) {
        // An outlier, of less than a jump or more.
        (Step::Path(out), Step::Path(back), Step::Path(past))
            if out.motion.is_undone_by(&back.motion, &past.motion) =>
        {
            follow(ctx, state, &past, facts);
        }
        (Step::Path(_), Step::Jump, Step::Path(course)) => follow(ctx, state, &course, facts),
        (Step::Path(out), ..) => {
            follow(ctx, state, &out, facts);
            advance(ctx, state, next, facts);
        }
        (_, _, Step::Path(course)) => follow(ctx, state, &course, facts),
        (_, _, Step::Gap) => cut(ctx, state, next, Break::Gap, facts),
        (_, Step::Jump, _) => state.aside = Some(next),
        (_, Step::Gap, _) => {
            cut(ctx, state, aside, Break::Jump, facts);
            cut(ctx, state, next, Break::Gap, facts);
        }
        (_, Step::Path(course), _) => {
            cut(ctx, state, aside, Break::Jump, facts);
            follow(ctx, state, &course, facts);
        }
    }
}

/// Moves along a path; where no zone is near, it need not be drawn.
fn follow(ctx: &Context<'_>, state: &mut State, course: &Course, facts: &mut Vec<Fact>) {
    state.rest = course.b.rests().then(|| Rest::begun(&course.b, course.a.time));
    if state.stays.is_empty() && state.outings.is_empty() && !ctx.zones.may_touch(&course.around()) {
        state.last = Some(course.b);
        return;
    }
    travel(ctx, state, &course.link(), None, facts);
}

/// Starts at a fix, with nothing known from before.
fn begin(ctx: &Context<'_>, state: &mut State, seen: Seen, after: Break, error_ms: u32, facts: &mut Vec<Fact>) {
    ctx.zones.at(seen.point(), seen.time, |ground| {
        if has_room(&state.stays, ground) {
            let mut stay = Stay::found(ground, &seen, after, error_ms);
            let scene = Scene { ctx, ground, link: None, seen: &seen, rest: None, before: (0, 0), over: false };
            state_facts(&scene, &mut stay, facts);
            state.stays.push(stay);
        }
    });
    outing::go_on(ctx, state, None, &seen, facts);
    let before = state.last.map_or(seen.time, |last| last.time);
    state.rest = seen.rests().then(|| Rest::begun(&seen, before));
    state.last = Some(seen);
}

/// Ends every stay at the last fix, or where it went out before, and starts anew at `seen`.
fn cut(ctx: &Context<'_>, state: &mut State, seen: Seen, after: Break, facts: &mut Vec<Fact>) {
    let unseen_us = state.last.map_or(0, |last| seen.time.since_us(last.time));
    let error_ms = u32::try_from(unseen_us / 1_000).unwrap_or(Measures::ERROR_UNKNOWN);
    for mut stay in std::mem::take(&mut state.stays) {
        if stay.left.is_none() {
            stay.ceiling = stay.ceiling.min(after.ceiling_before());
        }
        let outing = end_unseen(ctx, state.last, stay, error_ms, facts);
        outing::begin(&mut state.outings, outing);
    }
    begin(ctx, state, seen, after, error_ms, facts);
}

/// Ends a stay that no path leads out of; returns what follows it.
fn end_unseen(
    ctx: &Context<'_>,
    last: Option<Seen>,
    mut stay: Stay,
    error_ms: u32,
    facts: &mut Vec<Fact>,
) -> Option<Stay> {
    let ground = ctx.zones.ground(stay.key());
    if stay.left.is_none() {
        let seen_at = last.map_or(stay.started_at, |seen| seen.time);
        let at = ground.map_or(seen_at, |ground| seen_at.min(ground.to)).max(stay.started_at);
        stay.left = Some(Exit { at, confidence: Confidence::FULL.0, error_ms });
    }
    match (ground, &last) {
        (Some(ground), Some(last)) => {
            let before = (stay.fixes_inside, stay.length_cm);
            let scene = Scene { ctx, ground, link: None, seen: last, rest: None, before, over: true };
            state_facts(&scene, &mut stay, facts);
            outing::after(ctx, ground, &stay)
        }
        _ => {
            restate(ctx, &stay, facts);
            None
        }
    }
}

/// Moves along a path, or stands: stays go on, end or wait for the exit to be confirmed; new ones begin.
fn travel(ctx: &Context<'_>, state: &mut State, link: &Link, rest: Option<&Rest>, facts: &mut Vec<Fact>) {
    let mut passages = passage::met(ctx.zones, link);
    let mut kept = Vec::with_capacity(state.stays.len());
    for mut stay in std::mem::take(&mut state.stays) {
        let Some(ground) = ctx.zones.ground(stay.key()) else {
            end_unseen(ctx, state.last, stay, Measures::ERROR_UNKNOWN, facts);
            continue;
        };
        let found = passages.binary_search_by_key(&stay.key(), |(ground, _)| ground.key());
        let stretches = found.map_or_else(|_| Vec::new(), |at| passages.remove(at).1);
        if link.is_long() && !stretches.is_empty() {
            stay.span_gap();
        }
        match go_on(ctx, ground, (link, rest), stay, &stretches, facts) {
            ControlFlow::Continue(stay) => kept.push(stay),
            ControlFlow::Break(ended) => outing::begin(&mut state.outings, outing::after(ctx, ground, &ended)),
        }
    }
    for (ground, mut stretches) in passages {
        // A path that starts on the way out of a zone where no stay is open makes none.
        stretches.retain(|stretch| stretch.part.t_out > 0.0);
        if let Some(first) = stretches.first().filter(|_| has_room(&kept, ground)) {
            let stay = match rest {
                Some(rest) => Stay::stopped(ground, link, rest),
                None => Stay::entered(ground, link, first),
            };
            match go_on(ctx, ground, (link, rest), stay, &stretches, facts) {
                ControlFlow::Continue(stay) => kept.push(stay),
                ControlFlow::Break(ended) => outing::begin(&mut state.outings, outing::after(ctx, ground, &ended)),
            }
        }
    }
    kept.sort_by_key(Stay::key);
    state.stays = kept;
    outing::go_on(ctx, state, Some(link), &link.b, facts);
    state.last = Some(link.b);
}

/// One stay along one path; breaks when it is over.
fn go_on(
    ctx: &Context<'_>,
    ground: &Ground,
    (link, rest): (&Link, Option<&Rest>),
    mut stay: Stay,
    stretches: &[Stretch],
    facts: &mut Vec<Fact>,
) -> ControlFlow<Stay, Stay> {
    let was_out = stay.left.is_some();
    let before = (stay.fixes_inside, stay.length_cm);
    if !stretches.is_empty() {
        stay.travel(ground, link, rest, stretches);
    } else {
        stay.fix_outside(&link.b);
        if !was_out {
            // It went out at the fix before, or had stopped outside when it came.
            let at = rest.map_or(link.a.time, |rest| rest.since).min(ground.to).max(stay.started_at);
            let error_ms = rest.map_or_else(|| link.error_ms(0.0, |p| ground.shape.depth_m(p)), Rest::error_ms);
            stay.left = Some(Exit { at, confidence: link.ceiling, error_ms });
        }
    }
    let outside_m = -ground.shape.depth_m(link.b.point());
    let confirmed = match rest {
        Some(rest) => outside_m > rest.margin_m(),
        None => {
            outside_m > limits::OUTSIDE_M || was_out && stretches.is_empty() && link.gap_us() > 0 && !link.b.rests()
        }
    };
    let over = stay.left.is_some() && (confirmed || link.b.time >= ground.to);
    state_facts(&Scene { ctx, ground, link: Some(link), seen: &link.b, rest, before, over }, &mut stay, facts);
    if over { ControlFlow::Break(stay) } else { ControlFlow::Continue(stay) }
}

/// States what has become certain, and what has ended.
fn state_facts(scene: &Scene<'_>, stay: &mut Stay, facts: &mut Vec<Fact>) {
    let is_due = if stay.stated { scene.over } else { visit::is_certain(scene.ground, stay) };
    if is_due {
        facts.push(fact::of_stay(scene.ctx, FactKind::VISIT, stay, scene.over));
        stay.stated = true;
    }
    bout::settle(scene, stay, facts);
}

/// Ends what was stated of a stay whose zone is no more known.
fn restate(ctx: &Context<'_>, stay: &Stay, facts: &mut Vec<Fact>) {
    facts.extend(stay.stated.then(|| fact::of_stay(ctx, FactKind::VISIT, stay, true)));
    let bouts = stay.bouts.iter().filter(|bout| bout.stated);
    facts.extend(bouts.map(|bout| bout::of(ctx, stay, bout, Some(bout.last))));
}

/// Whether one more stay may be opened: a forbidden zone finds room where others do not.
fn has_room(open: &[Stay], ground: &Ground) -> bool {
    let reserved = if ground.forbids { 0 } else { limits::OPEN_RESERVED };
    open.len() + reserved < limits::OPEN_MAX
}
