//! The list of rules: what each says of a stay, and when it is certain. One module a rule.

mod v06;
mod visit;

use model::{FactKind, Zone};

use crate::stay::Stay;
use crate::zones::Ground;

/// A rule over stays in zones.
pub struct Rule {
    /// The kind of its facts.
    pub kind: FactKind,
    /// How grave it is, 1 to 3 (domain reference 7.2); 0 for what is no violation.
    pub level: u8,
    /// What it asks, in words.
    pub definition: &'static str,
    applies: fn(&Zone) -> bool,
    certain: fn(&Ground, &Stay) -> bool,
}

impl Rule {
    /// Whether the rule looks at stays in that zone.
    #[must_use]
    pub fn applies(&self, zone: &Zone) -> bool {
        (self.applies)(zone)
    }

    pub(crate) fn is_certain(&self, ground: &Ground, stay: &Stay) -> bool {
        (self.certain)(ground, stay)
    }
}

/// Every rule, in the order in which facts of one stay are stated. The number of a kind stays below 32.
pub const RULES: &[Rule] = &[visit::RULE, v06::RULE];
