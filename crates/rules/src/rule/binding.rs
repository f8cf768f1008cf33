//! Whether a rule of a zone binds a vehicle at an instant, and when that changes: schedule, goods, exemptions, permits.
//!
//! A permit that was recorded before the instant lets the vehicle pass; one that was recorded later excuses, so that
//! what happened stays visible. Where a rule has exemptions that need a permit, permits count within these alone.

use model::{Ask, Exemption, Filter, Permit, Subject, Timestamp, Tri, ZoneId, ZoneRule};

use crate::judge::Context;

/// How a rule binds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bound {
    /// What it carries is not known, and decides.
    pub(crate) unsure: bool,
    /// A permit that was recorded later allows it.
    pub(crate) excused: bool,
}

/// How the rule binds at an instant; `None`: it does not.
pub(crate) fn at(ctx: &Context<'_>, zone: ZoneId, rule: &ZoneRule, time: Timestamp) -> Option<Bound> {
    let records = ctx.registry.records();
    if !rule.when.in_force(time, records.calendar()) {
        return None;
    }
    let subject = subject(ctx, time);
    let mut bound = Bound::default();
    match rule.whom.holds(&subject) {
        Tri::No => return None,
        answer => bound.unsure = answer == Tri::Unknown,
    }
    let holds = |exemption: &Exemption| {
        if exemption.when.in_force(time, records.calendar()) { exemption.whom.holds(&subject) } else { Tri::No }
    };
    let of =
        |needs_permit: bool| rule.exemptions.iter().filter(move |exemption| exemption.needs_permit == needs_permit);
    match of(false).map(holds).max() {
        Some(Tri::Yes) => return None,
        answer => bound.unsure |= answer == Some(Tri::Unknown),
    }
    if !heeds_permits(rule) {
        return Some(bound);
    }
    let mut allowing = permits(ctx, zone).filter(|permit| permit.allows(ctx.vehicle, zone, time)).peekable();
    if allowing.peek().is_none() {
        return Some(bound);
    }
    let within = of(true).map(holds).max().unwrap_or(Tri::Yes);
    let suspended = rule.no_permits_for.as_ref().map_or(Tri::No, |filter| Filter::holds(filter, &subject));
    match (within, suspended) {
        (Tri::Yes, Tri::No) if allowing.any(|permit| permit.recorded_at <= time) => None,
        (Tri::Yes, Tri::No) => Some(Bound { excused: true, ..bound }),
        (Tri::No, _) | (_, Tri::Yes) => Some(bound),
        (Tri::Unknown, _) | (_, Tri::Unknown) => Some(Bound { unsure: true, ..bound }),
    }
}

/// The vehicle with what it carries at an instant.
pub(crate) fn subject<'a>(ctx: &Context<'a>, time: Timestamp) -> Subject<'a> {
    let vehicle = ctx.registry.vehicle(ctx.vehicle);
    Subject {
        vehicle: ctx.vehicle,
        carrier: vehicle.and_then(|vehicle| vehicle.carrier),
        load: ctx.registry.records().load_at(ctx.vehicle, time).map(|load| &**load),
        scope: vehicle.map_or(&[], |vehicle| &vehicle.scope),
    }
}

/// The first instant after `after` at which any of it may change.
pub(crate) fn next_edge(ctx: &Context<'_>, zone: ZoneId, rule: &ZoneRule, after: Timestamp) -> Option<Timestamp> {
    let records = ctx.registry.records();
    let schedules = std::iter::once(&rule.when).chain(rule.exemptions.iter().map(|exemption| &exemption.when));
    let scheduled = schedules.filter_map(|schedule| schedule.next_edge(after, records.calendar())).min();
    let loads = records.loads_of(ctx.vehicle);
    let loaded = loads.get(loads.partition_point(|(from, _)| *from <= after)).map(|(from, _)| *from);
    let permitted = heeds_permits(rule).then(|| {
        let instants = permits(ctx, zone).flat_map(|permit| {
            let slots = permit.slots.iter().flat_map(|(from, to)| [*from, *to]);
            slots.chain([permit.recorded_at]).chain(permit.revoked.iter().map(|(at, _)| *at))
        });
        instants.filter(|instant| *instant > after).min()
    });
    [scheduled, loaded, permitted.flatten()].into_iter().flatten().min()
}

/// Permits let vehicles into zones; for anything else only where an exemption says so.
fn heeds_permits(rule: &ZoneRule) -> bool {
    matches!(rule.ask, Ask::Forbidden { .. }) || rule.exemptions.iter().any(|exemption| exemption.needs_permit)
}

fn permits<'a>(ctx: &Context<'a>, zone: ZoneId) -> impl Iterator<Item = &'a Permit> {
    let permits = ctx.registry.records().permits_of(ctx.vehicle).map(|permit| &**permit);
    permits.filter(move |permit| permit.zones.is_empty() || permit.zones.contains(&zone))
}
