//! Approach warnings (接近预警): who is about to enter what is forbidden to him is told before he does, once each time.
//!
//! Of live fixes only, in the order in which they come: a warning is of use at one moment. It is no judgement, rests on
//! the straight way ahead, and is kept beside the judged state.

use geofence::{Direction, Interval, Point};
use model::{Ask, Fix, Marks, Threshold, Timestamp, ZoneId};

use crate::approach::Sighting;
use crate::judge::Context;
use crate::limits;
use crate::rule::binding;
use crate::zones::Ground;

const LEAD_S: &Threshold = Threshold::of("rules.approach.lead_s");
const AGAIN_S: &Threshold = Threshold::of("rules.approach.again_s");

/// A zone that a vehicle is near.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Near {
    /// Which one.
    pub zone: ZoneId,
    /// Event time of the last fix at which it was inside, or on the way there.
    pub last: Timestamp,
    /// The driver has been told, or is inside.
    pub told: bool,
}

/// The zones that a vehicle is near, by number. Empty for nearly every vehicle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approaches {
    near: Vec<Near>,
}

/// What the driver is to be told of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Warning {
    /// The zone ahead.
    pub zone: ZoneId,
    /// In the revision that governs when it will be reached.
    pub revision: u32,
    /// How far ahead it begins, metres.
    pub distance_m: f64,
}

/// Something forbidden on the way ahead.
struct Ahead<'a> {
    ground: &'a Ground,
    /// Until it is reached, seconds; 0 inside.
    in_s: f64,
}

impl Approaches {
    /// Takes what was kept.
    #[must_use]
    pub fn from_list(mut near: Vec<Near>) -> Self {
        near.sort_by_key(|near| near.zone);
        near.dedup_by_key(|near| near.zone);
        near.truncate(limits::APPROACHES_MAX);
        Self { near }
    }

    /// To be kept.
    #[must_use]
    pub fn list(&self) -> &[Near] {
        &self.near
    }

    /// Takes the next live fix. At one fix the driver is told of one zone, the nearest, when
    ///
    /// * it is forbidden to him at the instant at which he will be there (hours, goods, exemptions, permits), and a
    ///   forbidden corridor lies along his way, not across it;
    /// * he reaches it within `rules.approach.lead_s` if he drives straight on, at two fixes in a row, or within
    ///   [`limits::APPROACH_SOON_S`];
    /// * he was neither told of it nor inside within `rules.approach.again_s`, counted from the last fix at which he was
    ///   there or on the way.
    pub fn step(&mut self, ctx: &Context<'_>, fix: &Fix) -> Option<Warning> {
        let records = ctx.registry.records();
        let lead_s = records.threshold_of(LEAD_S, fix.time) as f64;
        if !self.near.is_empty() {
            let again_us = records.threshold_of(AGAIN_S, fix.time) * 1_000_000;
            self.near.retain(|near| fix.time.since_us(near.last) <= again_us);
        }
        let mut ahead = match sighting(fix) {
            Some(seen) if lead_s > 0.0 => ahead(ctx, &seen, fix.time, lead_s),
            _ => Vec::new(),
        };
        // Seen on the way once, and now not: it was a bend.
        self.near.retain(|near| near.told || ahead.iter().any(|ahead| ahead.ground.zone.id == near.zone));
        ahead.sort_by(|a, b| a.in_s.total_cmp(&b.in_s).then_with(|| a.ground.key().cmp(&b.ground.key())));
        let mut warning = None;
        for Ahead { ground, in_s } in ahead {
            let Some((near, is_new)) = self.near(ground.zone.id, fix.time) else { continue };
            if in_s == 0.0 {
                near.told = true;
            } else if warning.is_none() && !near.told && (!is_new || in_s <= limits::APPROACH_SOON_S) {
                near.told = true;
                let distance_m = f64::from(fix.speed_dkmh) / 36.0 * in_s;
                warning = Some(Warning { zone: ground.zone.id, revision: ground.zone.revision, distance_m });
            }
        }
        warning
    }

    /// What is known of the zone, with this as its last fix, and whether it is new; `None`: there is no room for it.
    fn near(&mut self, zone: ZoneId, time: Timestamp) -> Option<(&mut Near, bool)> {
        let place = self.near.binary_search_by_key(&zone, |near| near.zone);
        if place.is_err() && self.near.len() >= limits::APPROACHES_MAX {
            return None;
        }
        let (Ok(at) | Err(at)) = place;
        if place.is_err() {
            self.near.insert(at, Near { zone, last: time, told: false });
        }
        let near = self.near.get_mut(at)?;
        near.last = time;
        Some((near, place.is_err()))
    }
}

/// As the fix shows it, if a way ahead follows from that.
fn sighting(fix: &Fix) -> Option<Sighting> {
    let doubtful =
        [Marks::SWAPPED, Marks::SPEED_RANGE, Marks::DIRECTION_RANGE].into_iter().any(|mark| fix.marks.has(mark));
    let seen =
        Sighting { lon: fix.lon(), lat: fix.lat(), speed_dkmh: fix.speed_dkmh, direction_deg: fix.direction_deg };
    (!doubtful && fix.speed_dkmh >= limits::DRIVING_DKMH).then_some(seen)
}

/// The forbidden zones that it is in or meets within that time.
fn ahead<'a>(ctx: &Context<'a>, seen: &Sighting, time: Timestamp, lead_s: f64) -> Vec<Ahead<'a>> {
    let (here, there) = seen.way(lead_s);
    let mut found: Vec<Ahead<'a>> = Vec::new();
    ctx.zones.touching(here, there, |ground, inside| {
        let Some(first) = inside.first().filter(|_| ground.forbids) else { return };
        let in_s = first.t_in * lead_s;
        let arrival = time.plus_us((in_s * 1e6) as i64);
        let binds = || {
            let rules = ground.zone.rules.iter().filter(|rule| matches!(rule.ask, Ask::Forbidden { .. }));
            let mut bound = rules.filter_map(|rule| binding::at(ctx, ground.zone.id, rule, arrival));
            bound.any(|bound| !bound.excused)
        };
        if ground.governs(arrival) && runs_along(ground, (here, there), *first) && binds() {
            found.push(Ahead { ground, in_s });
        }
    });
    found
}

/// Whether the way runs along a corridor in a direction that it binds; an area is entered by any way.
fn runs_along(ground: &Ground, (here, there): (Point, Point), stretch: Interval) -> bool {
    let Some(direction) = ground.shape.direction() else { return true };
    let Some(along) = ground.shape.along(here, there, stretch) else { return false };
    let is_bound = match direction {
        Direction::Both => true,
        Direction::Forward => along.progress_m > 0.0,
        Direction::Backward => along.progress_m < 0.0,
    };
    // Milder than for a violation: the road may still bend into it.
    is_bound && along.progress_m.abs() >= along.across_m().abs()
}
