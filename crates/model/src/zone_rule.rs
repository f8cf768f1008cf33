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

/// What is wrong with rules: where, as a path below the zone, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct RuleFault {
    /// Such as `rules[0].when.spans[1]`.
    pub field: String,
    /// Why, for people.
    pub message: String,
}

fn fault(field: String, message: impl Into<String>) -> RuleFault {
    RuleFault { field, message: message.into() }
}

/// Bounds of what a zone may say.
mod bound {
    pub(super) const RULES: usize = 32;
    pub(super) const EXEMPTIONS: usize = 32;
    pub(super) const SPANS: usize = 64;
    pub(super) const WEEKLY: usize = 32;
    pub(super) const DIVISIONS: usize = 32;
    pub(super) const UN: usize = 1000;
    pub(super) const VEHICLES: usize = 10_000;
    pub(super) const CARRIERS: usize = 1000;
    pub(super) const PURPOSE_CHARS: usize = 200;
    pub(super) const KMH: std::ops::RangeInclusive<u16> = 5..=200;
    pub(super) const WEEK_S: u32 = 7 * 86_400;
    pub(super) const TOLERANCE_M: u32 = 100_000;
    pub(super) const CAPACITY: u32 = 100_000;
}

/// Checks that rules make sense and keep within bounds.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_rules(rules: &[ZoneRule]) -> Result<(), RuleFault> {
    at_most("rules", rules.len(), bound::RULES)?;
    for (i, rule) in rules.iter().enumerate() {
        let path = format!("rules[{i}]");
        if rule.number == 0 || rules[..i].iter().any(|other| other.number == rule.number) {
            return Err(fault(format!("{path}.number"), "must be 1 or more, each once"));
        }
        check_ask(&path, rule.ask)?;
        check_schedule(&format!("{path}.when"), &rule.when)?;
        check_filter(&format!("{path}.whom"), &rule.whom)?;
        at_most(&format!("{path}.exemptions"), rule.exemptions.len(), bound::EXEMPTIONS)?;
        for (j, exemption) in rule.exemptions.iter().enumerate() {
            let path = format!("{path}.exemptions[{j}]");
            let purpose = &exemption.purpose;
            if purpose.chars().count() > bound::PURPOSE_CHARS || purpose.contains(char::is_control) {
                let message = format!("must be one line of at most {} characters", bound::PURPOSE_CHARS);
                return Err(fault(format!("{path}.purpose"), message));
            }
            check_schedule(&format!("{path}.when"), &exemption.when)?;
            check_filter(&format!("{path}.whom"), &exemption.whom)?;
        }
        if let Some(filter) = &rule.no_permits_for {
            check_filter(&format!("{path}.no_permits_for"), filter)?;
        }
    }
    Ok(())
}

fn at_most(field: &str, count: usize, max: usize) -> Result<(), RuleFault> {
    if count <= max {
        Ok(())
    } else {
        Err(fault(field.to_owned(), format!("{count} entries, at most {max} are taken")))
    }
}

fn check_ask(path: &str, ask: Ask) -> Result<(), RuleFault> {
    let within = |name: &str, value: u32, min: u32, max: u32| {
        let message = || format!("must be {min} to {max}, not {value}");
        if (min..=max).contains(&value) { Ok(()) } else { Err(fault(format!("{path}.{name}"), message())) }
    };
    let speed =
        |name, kmh: u16| within(name, u32::from(kmh), u32::from(*bound::KMH.start()), u32::from(*bound::KMH.end()));
    match ask {
        Ask::Forbidden { grace_s } => within("grace_s", grace_s, 0, bound::WEEK_S),
        Ask::SpeedLimit { day_kmh, night_kmh } => {
            speed("day_kmh", day_kmh)?;
            night_kmh.map_or(Ok(()), |kmh| speed("night_kmh", kmh))
        }
        Ask::NoStopping { after_s } | Ask::NoParking { after_s } => within("after_s", after_s, 1, bound::WEEK_S),
        Ask::StayInside { tolerance_m, for_s } => {
            within("tolerance_m", tolerance_m, 0, bound::TOLERANCE_M)?;
            within("for_s", for_s, 0, bound::WEEK_S)
        }
        Ask::Lot { capacity } => capacity.map_or(Ok(()), |count| within("capacity", count, 0, bound::CAPACITY)),
    }
}

fn check_schedule(path: &str, schedule: &Schedule) -> Result<(), RuleFault> {
    at_most(&format!("{path}.spans"), schedule.spans.len(), bound::SPANS)?;
    at_most(&format!("{path}.weekly"), schedule.weekly.len(), bound::WEEKLY)?;
    if let Some(i) = schedule.spans.iter().position(|(from, to)| from >= to) {
        return Err(fault(format!("{path}.spans[{i}].to"), "must be after from"));
    }
    match schedule.weekly.iter().position(|weekly| !weekly.is_valid()) {
        Some(i) => Err(fault(format!("{path}.weekly[{i}]"), "must name a day, and times from 00:00 to 24:00")),
        None => Ok(()),
    }
}

fn check_filter(path: &str, filter: &Filter) -> Result<(), RuleFault> {
    at_most(&format!("{path}.divisions"), filter.divisions.len(), bound::DIVISIONS)?;
    at_most(&format!("{path}.un"), filter.un.len(), bound::UN)?;
    at_most(&format!("{path}.vehicles"), filter.vehicles.len(), bound::VEHICLES)?;
    at_most(&format!("{path}.carriers"), filter.carriers.len(), bound::CARRIERS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Timestamp, Weekly};

    #[test]
    fn faults_name_their_place() {
        let rule = ZoneRule::forbidden;
        let asks = |ask| ZoneRule { ask, ..rule() };
        let spans = Schedule { spans: vec![(Timestamp(5), Timestamp(5))], weekly: Vec::new() };
        let weekly = Weekly { days: 0, on: crate::OnDays::Any, from_min: 0, to_min: 1 };
        let weekly = Schedule { spans: Vec::new(), weekly: vec![weekly] };
        let exempt = |exemption| ZoneRule { exemptions: vec![exemption], ..rule() };
        for (rules, field) in [
            (vec![rule(), rule()], "rules[1].number"),
            (vec![ZoneRule { number: 0, ..rule() }], "rules[0].number"),
            (vec![asks(Ask::SpeedLimit { day_kmh: 4, night_kmh: None })], "rules[0].day_kmh"),
            (vec![asks(Ask::SpeedLimit { day_kmh: 60, night_kmh: Some(201) })], "rules[0].night_kmh"),
            (vec![asks(Ask::NoStopping { after_s: 0 })], "rules[0].after_s"),
            (vec![ZoneRule { when: spans.clone(), ..rule() }], "rules[0].when.spans[0].to"),
            (vec![exempt(Exemption { when: weekly, ..Exemption::default() })], "rules[0].exemptions[0].when.weekly[0]"),
            (
                vec![exempt(Exemption { purpose: "a\nb".into(), ..Exemption::default() })],
                "rules[0].exemptions[0].purpose",
            ),
            (vec![rule(); 33], "rules"),
        ] {
            assert_eq!(check_rules(&rules).map_err(|fault| fault.field), Err(field.to_owned()));
        }
        let all = [
            Ask::Forbidden { grace_s: 1800 },
            Ask::NoStopping { after_s: Ask::stopping_after_s(ZoneKind::WaterSource1) },
            Ask::StayInside { tolerance_m: Ask::STAY_TOLERANCE_M, for_s: Ask::STAY_FOR_S },
            Ask::Lot { capacity: None },
            Ask::NoParking { after_s: Ask::PARKING_AFTER_S },
        ];
        let rules: Vec<_> = (1..).zip(all).map(|(number, ask)| ZoneRule::always(number, ask)).collect();
        assert_eq!(check_rules(&rules), Ok(()));
    }
}
