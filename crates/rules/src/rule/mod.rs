//! The list of rules: what each says of a stay, and when it is certain. One module a rule.

pub(crate) mod binding;
pub(crate) mod forbidden;
pub(crate) mod leave;
pub(crate) mod speed;
pub(crate) mod stand;
pub(crate) mod visit;

use model::{Ask, FactKind, ZoneRule};

/// Overspeed in a zone (区域超速).
pub(crate) const V03: FactKind = FactKind::from_number(3);
/// Forbidden time (禁行时段行驶).
pub(crate) const V07: FactKind = FactKind::from_number(7);
/// Left what may not be left (偏离路线).
pub(crate) const V08: FactKind = FactKind::from_number(8);
/// Stop in a zone (区域内停车).
pub(crate) const V09: FactKind = FactKind::from_number(9);
/// Parking where that is not allowed (违规停放).
pub(crate) const V11: FactKind = FactKind::from_number(11);

/// A rule over stays in zones.
pub struct Rule {
    /// The kind of its facts.
    pub kind: FactKind,
    /// How grave it is, 1 to 3 (domain reference 7.2); 0 for what is no violation.
    pub level: u8,
    /// What it asks, in words.
    pub definition: &'static str,
}

/// Every rule that hangs on a zone, by kind.
pub const RULES: &[Rule] =
    &[visit::RULE, speed::RULE, forbidden::RULE, forbidden::BY_TIME, leave::RULE, stand::STOP, stand::PARK];

/// The kind of the facts that a rule of a zone makes out of stays; `None`: it makes none of these.
pub(crate) const fn kind_of(rule: &ZoneRule) -> Option<FactKind> {
    match rule.ask {
        Ask::Forbidden { .. } if rule.when.is_always() => Some(FactKind::V06),
        Ask::Forbidden { .. } => Some(V07),
        Ask::SpeedLimit { .. } => Some(V03),
        Ask::NoStopping { .. } => Some(V09),
        Ask::NoParking { .. } => Some(V11),
        Ask::StayInside { .. } | Ask::Lot { .. } => None,
    }
}
