//! V06, entered a forbidden zone (进入禁行区); domain reference 7.2.

use geofence::Direction;
use model::{FactKind, Zone};

use super::Rule;
use crate::limits;
use crate::stay::Stay;
use crate::zones::Ground;

pub(super) const RULE: Rule = Rule {
    kind: FactKind::V06,
    level: 3,
    definition: "Forbidden corridor: travelled along the axis in a direction that it binds, for any duration, also \
                 between two fixes; whoever passes over or under it does not. Forbidden area: two fixes inside while \
                 driving, one deeper than drift, a stand inside, or a confident way through it between fixes.",
    applies: Zone::is_forbidden,
    certain,
};

fn certain(ground: &Ground, stay: &Stay) -> bool {
    match ground.along_min_cm {
        Some(along_min_cm) => travelled_along(ground, stay, along_min_cm),
        None => stay.driven >= limits::V06_FIXES || stay.deep || stay.rested || stay.crossed,
    }
}

fn travelled_along(ground: &Ground, stay: &Stay, along_min_cm: u64) -> bool {
    let along_cm = match ground.shape.direction() {
        Some(Direction::Forward) => stay.ahead_max_cm,
        Some(Direction::Backward) => stay.back_max_cm,
        Some(Direction::Both) | None => stay.ahead_max_cm.max(stay.back_max_cm),
    };
    along_cm >= along_min_cm && along_cm > stay.across_cm().saturating_mul(limits::V06_ALONG_RATIO)
}
