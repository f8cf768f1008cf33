//! V06, entered a forbidden zone (进入禁行区), and V07, the same in its time window (禁行时段行驶); domain reference 7.2.

use geofence::Direction;
use model::{Ask, FactKind, Timestamp, ZoneRule};

use super::{Rule, V07};
use crate::bout::Bout;
use crate::judge::Context;
use crate::limits;
use crate::stay::Stay;
use crate::zones::Ground;

pub(super) const RULE: Rule = Rule {
    kind: FactKind::V06,
    level: 3,
    definition: "Forbidden corridor: travelled along the axis in a direction that it binds, for any duration, also \
                 between two fixes; whoever passes over or under it does not. Forbidden area: two fixes inside while \
                 driving, one deeper than drift, a stand inside, or a confident way through it between fixes.",
};

pub(super) const BY_TIME: Rule = Rule {
    kind: V07,
    level: 3,
    definition: "The same while a window of the rule's schedule lasts: from its beginning, or the entry, to its end, or \
                 the exit. Who was inside when it began and leaves within the grace does no wrong.",
};

/// Whether a bout that has lasted, inside, up to an instant is one.
pub(crate) fn is_certain(
    ctx: &Context<'_>,
    rule: &ZoneRule,
    (ground, stay): (&Ground, &Stay),
    bout: &Bout,
    to: Timestamp,
) -> bool {
    let entered = match ground.along_min_cm {
        Some(along_min_cm) => travelled_along(ground, stay, along_min_cm),
        None => stay.driven >= limits::V06_FIXES || stay.deep || stay.rested || stay.crossed,
    };
    entered && (bout.started_at == stay.started_at || has_stayed(ctx, rule, bout, to))
}

/// Whether somebody who was inside when the rule began to ask stayed on.
fn has_stayed(ctx: &Context<'_>, rule: &ZoneRule, bout: &Bout, to: Timestamp) -> bool {
    let calendar = ctx.registry.records().calendar();
    let grace_s = match rule.ask {
        Ask::Forbidden { grace_s } if !rule.when.in_force(bout.started_at.plus_us(-1), calendar) => grace_s,
        _ => 0,
    };
    to.since_us(bout.started_at) > i64::from(grace_s) * 1_000_000
}

fn travelled_along(ground: &Ground, stay: &Stay, along_min_cm: u64) -> bool {
    let along_cm = match ground.shape.direction() {
        Some(Direction::Forward) => stay.ahead_max_cm,
        Some(Direction::Backward) => stay.back_max_cm,
        Some(Direction::Both) | None => stay.ahead_max_cm.max(stay.back_max_cm),
    };
    along_cm >= along_min_cm && along_cm > stay.across_cm().saturating_mul(limits::V06_ALONG_RATIO)
}
