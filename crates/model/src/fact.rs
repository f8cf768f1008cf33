//! Facts: what judgement computed. The same set of fixes and control records gives the same facts in every replay.

use crate::{FactId, RecordRef, Timestamp, VehicleId, ZoneId};

/// Revision of the rules and the decoder in this binary. A binary that judges differently raises it.
pub const RULE_REVISION: u32 = 3;

/// What a fact says: a visit of a zone, or a violation with its code (domain reference, V01..V25).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactKind(u16);

impl FactKind {
    /// A stay in a zone, of whatever kind (区域停留).
    pub const VISIT: Self = Self(0);
    /// Overspeed on an expressway (高速公路超速), V01.
    pub const V01: Self = Self(1);
    /// Fatigue (疲劳驾驶) by the law, V04.
    pub const V04: Self = Self(4);
    /// Entered a forbidden zone (进入禁行区), V06.
    pub const V06: Self = Self(6);
    /// Offline (离线), V12.
    pub const V12: Self = Self(12);
    /// Offline displacement (离线位移), V13.
    pub const V13: Self = Self(13);
    /// Drift (漂移), V14.
    pub const V14: Self = Self(14);
    /// Antenna cut or power off (天线断开, 断电), V15.
    pub const V15: Self = Self(15);
    /// The driver presses the emergency button (紧急报警), V24.
    pub const V24: Self = Self(24);
    /// Suspected accident (疑似事故), V25.
    pub const V25: Self = Self(25);
    /// Fatigue by night, as the assessment counts it: V04 in its second profile.
    pub const V04_NIGHT: Self = Self(104);
    /// From here on kinds are alarm bits: they are neither visits nor violations.
    pub const ALARMS: Self = Self(1000);

    /// The terminal says by this bit of the alarm word (报警标志位) that something is the case.
    #[must_use]
    pub const fn alarm(bit: u8) -> Self {
        Self(Self::ALARMS.0 + bit as u16)
    }

    /// The bit of the alarm word that it speaks of, if it does.
    #[must_use]
    pub const fn alarm_bit(self) -> Option<u8> {
        if self.0 >= Self::ALARMS.0 && self.0 < Self::ALARMS.0 + 32 {
            Some((self.0 - Self::ALARMS.0) as u8)
        } else {
            None
        }
    }

    /// The kind kept under that number.
    #[must_use]
    pub const fn from_number(number: u16) -> Self {
        Self(number)
    }

    /// The number under which the kind is kept: 0 a visit, n the violation Vn, 100 + n its second profile, 1000 + n the alarm bit n.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Whether people work on it as a case.
    #[must_use]
    pub const fn is_violation(self) -> bool {
        self.0 != 0 && self.0 < Self::ALARMS.0
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "visit" {
            return Some(Self::VISIT);
        }
        if let Some(bit) = name.strip_prefix("alarm-").filter(|bit| bit.len() == 2) {
            return bit.parse().ok().filter(|bit| *bit < 32).map(Self::alarm);
        }
        if name == "V04-night" {
            return Some(Self::V04_NIGHT);
        }
        let number: u16 = name.strip_prefix('V')?.parse().ok()?;
        (1..=25).contains(&number).then_some(Self(number))
    }
}

/// `visit`, `V06` or `alarm-05`.
impl std::fmt::Display for FactKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.alarm_bit() {
            Some(bit) => write!(f, "alarm-{bit:02}"),
            None if self == &Self::V04_NIGHT => f.write_str("V04-night"),
            None if self.is_violation() => write!(f, "V{:02}", self.0),
            None => f.write_str("visit"),
        }
    }
}

/// How sure a fact is, per mille, so that machines agree on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Confidence(pub u16);

impl Confidence {
    /// As sure as a fact gets.
    pub const FULL: Self = Self(1000);

    /// As a fraction, 0 to 1.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

/// What was measured about a stay. Integers, so that machines agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Measures {
    /// Judged fixes inside.
    pub fixes_inside: u32,
    /// Way inside, metres.
    pub length_m: u32,
    /// Greatest speed inside, 0.1 km/h.
    pub speed_max_dkmh: u32,
    /// Where it began: longitude, 1e-7 degree.
    pub start_lon_e7: i32,
    /// Where it began: latitude, 1e-7 degree.
    pub start_lat_e7: i32,
    /// Where it ended, or was last seen: longitude, 1e-7 degree.
    pub end_lon_e7: i32,
    /// Where it ended, or was last seen: latitude, 1e-7 degree.
    pub end_lat_e7: i32,
    /// Greatest depth inside, metres from the edge.
    pub depth_max_m: u32,
    /// How far the start may be off, either way, milliseconds: true in 95 of 100 cases. [`Measures::ERROR_UNKNOWN`]
    /// when nothing is known from before.
    pub start_error_ms: u32,
    /// The same of the end; 0 while it lasts.
    pub end_error_ms: u32,
}

impl Measures {
    /// No bound can be stated: the stay was found, or lost, where nothing is known of the way.
    pub const ERROR_UNKNOWN: u32 = u32::MAX;
}

/// Whether a fact holds. The numbers are kept and never change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It holds.
    #[default]
    Stands = 0,
    /// A tick made it visible before a fix bore it out.
    Provisional = 1,
    /// It was judged again, and is not found any more.
    Void = 2,
    /// It happened, and what was recorded later allowed it.
    Excused = 3,
}

impl Standing {
    /// The standing kept under that number.
    #[must_use]
    pub const fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Stands),
            1 => Some(Self::Provisional),
            2 => Some(Self::Void),
            3 => Some(Self::Excused),
            _ => None,
        }
    }

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stands => "stands",
            Self::Provisional => "provisional",
            Self::Void => "void",
            Self::Excused => "excused",
        }
    }
}

/// One fact in one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Deterministic identity: hash of (vehicle, kind, zone, start).
    pub id: FactId,
    /// From 1; a later judgement that finds it different makes the next one, and the old one stays readable.
    pub revision: u32,
    /// What it says.
    pub kind: FactKind,
    /// About whom.
    pub vehicle: VehicleId,
    /// In which zone; [`ZoneId::NONE`] when it hangs on the vehicle alone.
    pub zone: ZoneId,
    /// By which revision of the zone; 0 for no zone.
    pub zone_revision: u32,
    /// When it began: an interpolated instant.
    pub started_at: Timestamp,
    /// When it ended; `None` while it lasts.
    pub ended_at: Option<Timestamp>,
    /// How sure.
    pub confidence: Confidence,
    /// Whether it rests on a fix that came after one of later event time had been judged (补传).
    pub detected_late: bool,
    /// Whether it holds.
    pub standing: Standing,
    /// By which revision of the rules.
    pub rule_revision: u32,
    /// What was measured.
    pub measures: Measures,
    /// The records that it rests on: the fixes around the entry, inside, and around the exit; bounded.
    pub evidence: Vec<RecordRef>,
}

impl Fact {
    /// How many references a fact carries at most.
    pub const EVIDENCE_MAX: usize = 32;

    /// Whether it is about a zone; otherwise it hangs on the vehicle alone.
    #[must_use]
    pub const fn has_zone(&self) -> bool {
        self.zone_revision != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_names() {
        for (kind, name) in [
            (FactKind::VISIT, "visit"),
            (FactKind::V06, "V06"),
            (FactKind::V04_NIGHT, "V04-night"),
            (FactKind::alarm(5), "alarm-05"),
        ] {
            assert_eq!(kind.to_string(), name);
            assert_eq!(FactKind::from_name(name), Some(kind));
        }
        for bad in ["V26", "V0", "v06", "", "visits", "alarm-32", "alarm-5", "alarm--1"] {
            assert_eq!(FactKind::from_name(bad), None, "{bad}");
        }
    }

    #[test]
    fn standings_have_numbers() {
        for number in 0..4 {
            assert_eq!(Standing::from_number(number).map(|standing| standing as i64), Some(number));
        }
        assert_eq!(Standing::from_number(4), None);
    }
}
