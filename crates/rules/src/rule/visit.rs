//! A stay in a zone of whatever kind (区域停留): no violation, the answer to "who was where".

use model::FactKind;

use super::Rule;
use crate::limits;
use crate::stay::Stay;
use crate::zones::Ground;

pub(super) const RULE: Rule = Rule {
    kind: FactKind::VISIT,
    level: 0,
    definition: "A fix inside the zone while driving or deeper than drift, a stand inside by more than its mean may be \
                 off, or a path through it between two fixes that are near enough in time. A corridor counts as \
                 visited also when it is merely crossed.",
};

pub(crate) fn is_certain(ground: &Ground, stay: &Stay) -> bool {
    let passed = stay.fixes_inside == 0
        && stay.left.is_some()
        && stay.depth_max_cm >= ground.graze_cm
        && stay.confidence().0 >= limits::CROSSING_VISIT_MIN;
    stay.driven > 0 || stay.deep || stay.rested || stay.crossed || passed
}
