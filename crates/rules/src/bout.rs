//! A bout: the part of a stay over which one rule of the zone binds and what it forbids is done, from an exact instant to
//! an exact instant. Schedules, permits and loads that change while the vehicle is inside begin and end bouts.

use model::{Ask, Confidence, Fact, FactId, FactKind, Measures, Standing, Timestamp, VehicleId, ZoneRule};

use crate::fact;
use crate::judge::Context;
use crate::limits;
use crate::link::{Link, Seen};
use crate::rest::Rest;
use crate::rule::binding::{self, Bound};
use crate::rule::{self, forbidden, leave, speed, stand};
use crate::stay::{Place, Stay};
use crate::zones::Ground;

/// What is known of a bout. Integers only: it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bout {
    /// Number of the rule in the zone.
    pub(crate) rule: u16,
    pub(crate) kind: FactKind,
    pub(crate) bound: Bound,
    pub(crate) started_at: Timestamp,
    pub(crate) start: Place,
    /// Last instant at which it was done.
    pub(crate) last: Timestamp,
    /// Fixes at which it was done faster than allowed.
    pub(crate) count: u32,
    pub(crate) speed_max_dkmh: u32,
    /// The stay's tally when it began.
    pub(crate) fixes_before: u32,
    pub(crate) length_before_cm: u64,
    pub(crate) stated: bool,
}

impl Bout {
    /// The identity of its fact.
    pub(crate) fn id(&self, vehicle: VehicleId, stay: &Stay) -> FactId {
        fact::of_rule(self.kind, vehicle, (stay.zone, stay.revision), self.rule, self.started_at)
    }
}

/// The end of a path, or a single fix, on which bouts are judged.
pub(crate) struct Scene<'a> {
    pub(crate) ctx: &'a Context<'a>,
    pub(crate) ground: &'a Ground,
    /// How it came there.
    pub(crate) link: Option<&'a Link>,
    /// Where it is.
    pub(crate) seen: &'a Seen,
    pub(crate) rest: Option<&'a Rest>,
    /// Fixes and way inside before.
    pub(crate) before: (u32, u64),
    /// The stay is over.
    pub(crate) over: bool,
}

/// Goes on with the bouts of a stay that has come to the end of the scene.
pub(crate) fn settle(scene: &Scene<'_>, stay: &mut Stay, facts: &mut Vec<Fact>) {
    let until = stay.left.map_or(scene.seen.time, |exit| exit.at).min(scene.ground.to);
    let rules = &scene.ground.zone.rules;
    if rules.is_empty() {
        stay.bound_to = scene.seen.time;
        return;
    }
    let mut bouts = std::mem::take(&mut stay.bouts);
    for rule in rules {
        let Some(kind) = rule::kind_of(rule) else { continue };
        let open = bouts.iter().position(|bout| bout.rule == rule.number).map(|place| bouts.remove(place));
        let mut course = Course { scene, stay, rule, kind, open, facts };
        match rule.ask {
            Ask::Forbidden { .. } => course.presence(until),
            Ask::NoStopping { .. } | Ask::NoParking { .. } => course.stand(until),
            Ask::SpeedLimit { .. } => course.speed(),
            Ask::StayInside { .. } | Ask::Lot { .. } => {}
        }
        let open = course.open;
        stay.bouts.extend(open);
    }
    stay.bouts.sort_by_key(|bout| bout.rule);
    stay.bound_to = stay.bound_to.max(until);
}

/// One rule over one stay.
pub(crate) struct Course<'a, 'b> {
    pub(crate) scene: &'a Scene<'b>,
    pub(crate) stay: &'a Stay,
    pub(crate) rule: &'a ZoneRule,
    pub(crate) kind: FactKind,
    pub(crate) open: Option<Bout>,
    pub(crate) facts: &'a mut Vec<Fact>,
}

impl Course<'_, '_> {
    /// Being inside is forbidden.
    fn presence(&mut self, until: Timestamp) {
        let stay = self.stay;
        let fresh = (stay.bound_to < stay.started_at).then_some(stay.started_at);
        self.walk(fresh, until);
        if self.scene.over {
            return self.close(until);
        }
        if let Some(bout) = &mut self.open {
            bout.last = bout.last.max(until);
        }
        self.state(None);
    }

    /// Standing is forbidden.
    fn stand(&mut self, until: Timestamp) {
        let Some(rest) = self.scene.rest else { return self.close(Timestamp::MIN) };
        if self.stay.left.is_none() {
            let start = rest.since.max(self.stay.started_at);
            let fresh = (self.open.is_none() && start >= self.stay.bound_to).then_some(start);
            self.walk(fresh, until);
            if let Some(bout) = &mut self.open {
                bout.last = bout.last.max(until);
            }
            self.state(None);
        }
        if self.scene.over {
            self.close(Timestamp::MIN);
        }
    }

    /// Being fast is forbidden.
    fn speed(&mut self) {
        let Scene { ctx, seen, ground, .. } = *self.scene;
        let limit_dkmh = speed::limit_dkmh(ctx, self.rule, seen.time).unwrap_or(u32::MAX);
        let is_believed = self.stay.left.is_none() && !seen.speed_off && !seen.swapped && self.scene.rest.is_none();
        let is_fast = is_believed && u32::from(seen.speed_dkmh) > limit_dkmh;
        let bound = is_fast.then(|| binding::at(ctx, ground.zone.id, self.rule, seen.time)).flatten();
        let goes_on =
            |bout: &Bout| Some(bout.bound) == bound && seen.time.since_us(bout.last) <= limits::CURVE_GAP_MAX_US;
        if !self.open.as_ref().is_some_and(goes_on) {
            self.close(Timestamp::MIN);
            self.open = bound.map(|bound| self.begun(bound, seen.time));
        }
        if let Some(bout) = &mut self.open {
            bout.count += u32::from(bout.count == 0 || seen.time > bout.last);
            bout.last = seen.time;
            bout.speed_max_dkmh = bout.speed_max_dkmh.max(seen.speed_dkmh.into());
        }
        self.state(None);
        if self.scene.over {
            self.close(Timestamp::MIN);
        }
    }

    /// Being farther outside than the tolerance is forbidden; `fresh` is when it went there.
    pub(crate) fn beyond(&mut self, fresh: Option<Timestamp>, until: Timestamp) {
        self.walk(fresh, until);
        if let Some(bout) = &mut self.open {
            bout.last = bout.last.max(until);
        }
        self.state(None);
        if self.scene.over {
            self.close(until);
        }
    }

    /// It came back.
    pub(crate) fn within(&mut self, at: Timestamp) {
        self.walk(None, at);
        self.close(at);
    }

    /// From instant to instant at which the way the rule binds changes; `fresh` is when what it forbids began, if that is
    /// looked at for the first time.
    fn walk(&mut self, fresh: Option<Timestamp>, until: Timestamp) {
        let Scene { ctx, ground, .. } = *self.scene;
        let zone = ground.zone.id;
        let mut at = self.stay.bound_to;
        if let Some(start) = fresh {
            at = start;
            self.open = binding::at(ctx, zone, self.rule, start).map(|bound| self.begun(bound, start));
        }
        for _ in 0..limits::EDGES_MAX {
            let Some(edge) = binding::next_edge(ctx, zone, self.rule, at).filter(|edge| *edge <= until) else { return };
            let bound = binding::at(ctx, zone, self.rule, edge);
            if bound != self.open.as_ref().map(|bout| bout.bound) {
                self.close(edge);
                self.open = bound.map(|bound| self.begun(bound, edge));
            }
            at = edge;
        }
    }

    fn begun(&self, bound: Bound, at: Timestamp) -> Bout {
        let Scene { seen, link, before: (fixes, length_cm), .. } = *self.scene;
        let is_all = at == self.stay.started_at;
        let place = match link {
            _ if is_all => self.stay.start,
            Some(link) if link.gap_us() > 0 && at < link.b.time => {
                let t = at.since_us(link.a.time) as f64 / link.gap_us() as f64;
                Place::from(link.at(t.clamp(0.0, 1.0)))
            }
            _ => Place::from(seen.point()),
        };
        let (fixes_before, length_before_cm) = if is_all { (0, 0) } else { (fixes, length_cm) };
        Bout {
            rule: self.rule.number,
            kind: self.kind,
            bound,
            started_at: at,
            start: place,
            last: at,
            count: 0,
            speed_max_dkmh: 0,
            fixes_before,
            length_before_cm,
            stated: false,
        }
    }

    /// It ends, at the latest at its last instant.
    fn close(&mut self, at: Timestamp) {
        let Some(bout) = &mut self.open else { return };
        let is_presence = matches!(self.rule.ask, Ask::Forbidden { .. });
        // Where it stood outside when it came it has never been inside.
        let end = if is_presence { at.max(bout.started_at) } else { at.max(bout.last) };
        bout.last = end;
        self.state(Some(end));
        self.open = None;
    }

    /// States it when that is due: as soon as it is certain, and when it ends.
    fn state(&mut self, ended_at: Option<Timestamp>) {
        let Scene { ctx, ground, .. } = *self.scene;
        let Some(bout) = &mut self.open else { return };
        let is_certain = match self.rule.ask {
            Ask::Forbidden { .. } => forbidden::is_certain(ctx, self.rule, (ground, self.stay), bout, bout.last),
            Ask::SpeedLimit { .. } => speed::is_certain(ctx, bout),
            Ask::StayInside { .. } => leave::is_certain(self.rule, bout),
            _ => stand::is_certain(self.rule, self.stay, bout),
        };
        let is_due = if bout.stated { ended_at.is_some() } else { is_certain };
        if is_due {
            bout.stated = true;
            self.facts.push(of(ctx, self.stay, bout, ended_at));
        }
    }
}

/// The fact as it stands.
pub(crate) fn of(ctx: &Context<'_>, stay: &Stay, bout: &Bout, ended_at: Option<Timestamp>) -> Fact {
    let fact = fact::of_stay(ctx, bout.kind, stay, true);
    let is_all = bout.started_at == stay.started_at;
    let is_to_exit = stay.left.is_some_and(|exit| ended_at == Some(exit.at));
    let whole = fact.measures;
    let length_cm = stay.length_cm.saturating_sub(bout.length_before_cm).saturating_add(50);
    let measures = Measures {
        fixes_inside: stay.fixes_inside.saturating_sub(bout.fixes_before),
        length_m: u32::try_from(length_cm / 100).unwrap_or(u32::MAX),
        speed_max_dkmh: if bout.count > 0 { bout.speed_max_dkmh } else { whole.speed_max_dkmh },
        start_lon_e7: bout.start.lon_e7,
        start_lat_e7: bout.start.lat_e7,
        start_error_ms: if is_all { whole.start_error_ms } else { 0 },
        end_error_ms: if ended_at.is_none() || is_to_exit { whole.end_error_ms } else { 0 },
        ..whole
    };
    let most = if bout.bound.unsure { limits::CONFIDENCE_UNSURE } else { Confidence::FULL.0 };
    Fact {
        id: bout.id(ctx.vehicle, stay),
        started_at: bout.started_at,
        ended_at,
        confidence: Confidence(fact.confidence.0.min(most)),
        standing: if bout.bound.excused { Standing::Excused } else { Standing::Stands },
        measures,
        ..fact
    }
}
