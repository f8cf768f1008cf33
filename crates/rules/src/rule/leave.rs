//! V08, left a permitted area or route (偏离路线, 驶出限定区域); domain reference 7.2.

use model::{Ask, ZoneRule};

use super::{Rule, V08};
use crate::bout::Bout;

pub(super) const RULE: Rule = Rule {
    kind: V08,
    level: 2,
    definition: "Was inside what may not be left, and is farther outside than the tolerance for as long as the rule says: \
                 from the instant at which it goes beyond the tolerance to the one at which it comes back within. Who never \
                 was inside has not left.",
};

/// How far outside is still inside, metres.
pub(crate) fn tolerance_m(rule: &ZoneRule) -> Option<f64> {
    let Ask::StayInside { tolerance_m, .. } = rule.ask else { return None };
    Some(f64::from(tolerance_m))
}

pub(crate) fn is_certain(rule: &ZoneRule, bout: &Bout) -> bool {
    let Ask::StayInside { for_s, .. } = rule.ask else { return false };
    bout.last.since_us(bout.started_at) >= i64::from(for_s) * 1_000_000
}
