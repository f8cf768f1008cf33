//! Permits (通行证, 报备, 通知通行): who may pass where something is forbidden, and when.

use crate::{LineString, PermitId, Timestamp, VehicleId, ZoneId};

/// What a permit is. The numbers are kept in the journal and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PermitKind {
    /// Granted by the police (通行证).
    Pass = 1,
    /// Filed by the carrier beforehand (报备).
    Filed = 2,
    /// A passage of which the manager of the bridge or tunnel was told (通知通行).
    Notified = 3,
}

impl PermitKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::Pass, Self::Filed, Self::Notified];

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Filed => "filed",
            Self::Notified => "notified",
        }
    }

    /// The Chinese term.
    #[must_use]
    pub const fn name_zh(self) -> &'static str {
        match self {
            Self::Pass => "通行证",
            Self::Filed => "报备",
            Self::Notified => "通知通行",
        }
    }

    /// The kind of that API name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The kind of that journal number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| *kind as u32 == number)
    }
}

/// A permit. Recorded late it excuses what was, and never erases it.
#[derive(Clone, Debug, PartialEq)]
pub struct Permit {
    /// Which permit.
    pub id: PermitId,
    /// Its number on paper.
    pub number: String,
    /// Who issued it, or took it in.
    pub issuer: String,
    /// What it is.
    pub kind: PermitKind,
    /// For which vehicles.
    pub vehicles: Vec<VehicleId>,
    /// For which zones; empty: all.
    pub zones: Vec<ZoneId>,
    /// When: spans of event time, [from, to).
    pub slots: Vec<(Timestamp, Timestamp)>,
    /// Along which route, when one was approved.
    pub route: Option<LineString>,
    /// When it was recorded: set by the registry from its control record.
    pub recorded_at: Timestamp,
    /// From when on it counts no more, and why; set by the registry.
    pub revoked: Option<(Timestamp, String)>,
}

impl Permit {
    /// Whether it lets a vehicle be in a zone at an instant.
    #[must_use]
    pub fn allows(&self, vehicle: VehicleId, zone: ZoneId, time: Timestamp) -> bool {
        self.vehicles.contains(&vehicle)
            && (self.zones.is_empty() || self.zones.contains(&zone))
            && self.slots.iter().any(|(from, to)| *from <= time && time < *to)
            && self.revoked.as_ref().is_none_or(|(at, _)| time < *at)
    }
}
