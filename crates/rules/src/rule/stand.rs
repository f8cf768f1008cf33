//! V09, stop in a zone (区域内停车), and V11, parking where a zone does not allow it (违规停放); domain reference 7.2.

use model::{Ask, ZoneRule};

use super::{Rule, V09, V11};
use crate::bout::Bout;
use crate::stay::Stay;

pub(super) const STOP: Rule = Rule {
    kind: V09,
    level: 3,
    definition: "Stands inside, by more than the mean of its positions may be off, for as long as the rule says: as a rule \
                 2 minutes on a bridge or in a tunnel, 5 minutes in a water zone. From the first fix at rest, or the \
                 beginning of the rule's window, to the last fix at rest, or the window's end.",
};

pub(super) const PARK: Rule = Rule {
    kind: V11,
    level: 2,
    definition: "Stands, as for V09, in a zone where parking is not allowed, for as long as the rule says.",
};

pub(crate) fn is_certain(rule: &ZoneRule, stay: &Stay, bout: &Bout) -> bool {
    let (Ask::NoStopping { after_s } | Ask::NoParking { after_s }) = rule.ask else { return false };
    stay.rested && bout.last.since_us(bout.started_at) >= i64::from(after_s) * 1_000_000
}
