//! V03, overspeed in a zone (区域超速); domain reference 7.2.

use model::{Ask, DAY_US, Timestamp, ZoneRule};

use super::{Rule, V03};
use crate::bout::Bout;
use crate::judge::Context;

pub(super) const RULE: Rule = Rule {
    kind: V03,
    level: 2,
    definition: "Fixes inside, each faster than the zone's limit by day or by night, without a slower one or a gap above 3 \
                 minutes between them, from the first to the last for as long as `rules.V03.for_s`.",
};

/// The limit at an instant, 0.1 km/h.
pub(crate) fn limit_dkmh(ctx: &Context<'_>, rule: &ZoneRule, time: Timestamp) -> Option<u32> {
    let Ask::SpeedLimit { day_kmh, night_kmh } = rule.ask else { return None };
    let kmh = night_kmh.filter(|_| is_night(ctx, time)).unwrap_or(day_kmh);
    Some(u32::from(kmh) * 10)
}

pub(crate) fn is_certain(ctx: &Context<'_>, bout: &Bout) -> bool {
    let for_s = ctx.threshold("rules.V03.for_s", bout.started_at);
    bout.count > 1 && bout.last.since_us(bout.started_at) >= for_s * 1_000_000
}

fn is_night(ctx: &Context<'_>, time: Timestamp) -> bool {
    let from = ctx.threshold("rules.night.from_min", time);
    let to = ctx.threshold("rules.night.to_min", time);
    let minute = time.since_us(Timestamp::china_day_start(time.china_day())).rem_euclid(DAY_US) / 60_000_000;
    if from <= to { from <= minute && minute < to } else { from <= minute || minute < to }
}
