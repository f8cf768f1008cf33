//! What is asked of vehicles in a zone: when, of whom, and who is exempt.

use crate::{Filter, Schedule, ZoneKind};

/// What a rule asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// They may not be there (禁行): V06 without a schedule, V07 with one.
    Forbidden {
        /// Who was inside when the window began and leaves within this time does no wrong, seconds.
        grace_s: u32,
    },
    /// They may not be faster (限速): V03.
    SpeedLimit {
        /// By day, km/h.
        day_kmh: u16,
        /// By night, km/h; `None`: as by day.
        night_kmh: Option<u16>,
    },
    /// They may not stand (禁停): V09.
    NoStopping {
        /// Who stands this long stops, seconds.
        after_s: u32,
    },
    /// They may not leave (限定区域, 限定路线): V08.
    StayInside {
        /// How far outside is still inside, metres.
        tolerance_m: u32,
        /// Who is outside this long has left, seconds.
        for_s: u32,
    },
    /// They may park (专用停车场), and are counted.
    Lot {
        /// Vehicles that it has room for; `None`: nobody has said.
        capacity: Option<u32>,
    },
    /// They may not park (禁止停放): V11.
    NoParking {
        /// Who stands this long parks, seconds.
        after_s: u32,
    },
}

impl Ask {
    /// How far outside is still inside, metres, when the rule does not say.
    pub const STAY_TOLERANCE_M: u32 = 500;
    /// Who is outside this long has left, seconds, when the rule does not say.
    pub const STAY_FOR_S: u32 = 180;
    /// Who stands this long parks, seconds, when the rule does not say.
    pub const PARKING_AFTER_S: u32 = 3600;

    /// Who stands this long stops, seconds, when the rule does not say: in a water zone 5 minutes, elsewhere 2.
    #[must_use]
    pub const fn stopping_after_s(kind: ZoneKind) -> u32 {
        match kind {
            ZoneKind::WaterSource1 | ZoneKind::WaterSource2 | ZoneKind::WaterSourceQuasi => 300,
            _ => 120,
        }
    }

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forbidden { .. } => "forbidden",
            Self::SpeedLimit { .. } => "speed_limit",
            Self::NoStopping { .. } => "no_stopping",
            Self::StayInside { .. } => "stay_inside",
            Self::Lot { .. } => "lot",
            Self::NoParking { .. } => "no_parking",
        }
    }
}

/// Who is let off a rule, and for what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exemption {
    /// What for, as the notice says it (民生物资运输).
    pub purpose: String,
    /// When.
    pub when: Schedule,
    /// Whom.
    pub whom: Filter,
    /// Only with a permit for the vehicle, the zone and the time.
    pub needs_permit: bool,
}

/// One thing that is asked in a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneRule {
    /// Its number in the zone, from 1, kept from revision to revision: facts name it.
    pub number: u16,
    /// What is asked.
    pub ask: Ask,
    /// When.
    pub when: Schedule,
    /// Of whom.
    pub whom: Filter,
    /// Who is let off.
    pub exemptions: Vec<Exemption>,
    /// Whose permits do not count (剧毒化学品通行证停用).
    pub no_permits_for: Option<Filter>,
}

impl ZoneRule {
    /// A rule that asks it always, of everybody.
    #[must_use]
    pub fn always(number: u16, ask: Ask) -> Self {
        let (when, whom) = (Schedule::default(), Filter::default());
        Self { number, ask, when, whom, exemptions: Vec::new(), no_permits_for: None }
    }

    /// The least rule: number 1, nobody may be there, ever.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::always(1, Ask::Forbidden { grace_s: 0 })
    }

    /// Whether nobody may be there, ever, without exemption.
    #[must_use]
    pub const fn is_plainly_forbidden(&self) -> bool {
        matches!(self.ask, Ask::Forbidden { .. })
            && self.when.is_always()
            && self.whom.is_empty()
            && self.exemptions.is_empty()
    }
}
