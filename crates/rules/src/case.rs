//! How grave a violation is, where the work on it stands, and by when the next step is due: pure functions of the fact,
//! the steps that people took and the thresholds `rules.case`. Domain reference 7.3.

use model::{CaseState, DAY_US, Fact, Registry, Standing, Step, StepTaken, Threshold, Timestamp};

use crate::rule::RULES;
use crate::watch;

/// The work on a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// How grave it is, 1 to 3.
    pub level: u8,
    /// Where the work on it stands.
    pub state: CaseState,
    /// The next step that is expected, and by when; `None`: nothing is.
    pub due: Option<(Step, Timestamp)>,
}

impl Case {
    /// Whether the next step should have been taken.
    #[must_use]
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.due.is_some_and(|(_, by)| by < now)
    }

    /// The case of a fact that was first stated at `raised_at`, was `told` by effects alone, and on which people took
    /// `steps`, in order: its own, and those of the violations in whose place it was found.
    #[must_use]
    pub fn of(
        registry: &Registry,
        fact: &Fact,
        (raised_at, told): (Timestamp, CaseState),
        steps: &[&StepTaken],
    ) -> Self {
        let level = level(registry, fact);
        let state = told.after_all(steps.iter().copied());
        let disposed_at = steps.iter().rev().find(|taken| taken.step.step == Step::Dispose).map(|taken| taken.at);
        let reopened_at = steps.iter().rev().find(|taken| taken.step.step == Step::Reopen).map(|taken| taken.at);
        let holds = matches!(fact.standing, Standing::Stands | Standing::Provisional);
        let from = reopened_at.unwrap_or(raised_at);
        let due = expected(level, state).filter(|_| holds);
        let due = due.map(|step| (step, due_at(registry, level, step, (from, disposed_at.unwrap_or(from)))));
        Self { level, state, due }
    }
}

/// How grave a violation is, 1 to 3 (domain reference 7.2); 0 for what is none.
#[must_use]
pub fn level(registry: &Registry, fact: &Fact) -> u8 {
    let of_zone = RULES.iter().find(|rule| rule.kind == fact.kind).map(|rule| rule.level);
    watch::level(registry, fact).or(of_zone).unwrap_or(0)
}

/// The step that comes next.
const fn expected(level: u8, state: CaseState) -> Option<Step> {
    match state {
        CaseState::Raised if level == 3 => Some(Step::Remind),
        CaseState::Raised | CaseState::Reminded => Some(Step::Acknowledge),
        CaseState::Acknowledged => Some(Step::Dispose),
        CaseState::Disposed => Some(Step::Close),
        CaseState::Closed | CaseState::False => None,
    }
}

/// By when a step is to be taken in a case that was raised, and disposed of, at these instants. The thresholds are those
/// of the instant from which the time counts.
#[must_use]
pub fn due_at(
    registry: &Registry,
    level: u8,
    step: Step,
    (raised_at, disposed_at): (Timestamp, Timestamp),
) -> Timestamp {
    let value = |key: &str, at| Threshold::named(key).map_or(0, |row| registry.records().threshold_of(row, at));
    let minutes = |key| raised_at.plus_us(value(key, raised_at) * 60_000_000);
    match (step, level) {
        (Step::Close, _) => {
            let days = value("rules.case.review_days", disposed_at);
            end_of_workday(registry, disposed_at, days)
        }
        (Step::Remind, 3) => raised_at.plus_us(value("rules.case.remind_3_s", raised_at) * 1_000_000),
        (Step::Acknowledge, 3) => minutes("rules.case.acknowledge_3_min"),
        (Step::Acknowledge, 2) => minutes("rules.case.acknowledge_2_min"),
        (_, 3) => minutes("rules.case.dispose_3_min"),
        (_, 2) => minutes("rules.case.dispose_2_min"),
        // The same day.
        _ => Timestamp::china_day_start(raised_at.china_day().saturating_add(1)),
    }
}

/// The end of the `days`-th working day after the day of that instant.
fn end_of_workday(registry: &Registry, from: Timestamp, days: i64) -> Timestamp {
    let (mut day, mut left) = (from.china_day(), days);
    // A calendar without working days ends somewhere.
    let last = day.saturating_add(366);
    while left > 0 && day < last {
        day += 1;
        left -= i64::from(registry.records().calendar().is_workday(day));
    }
    Timestamp::china_day_start(day).plus_us(DAY_US)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{
        CalendarDay, CaseId, CaseStep, Change, Confidence, ControlRecord, DayKind, FactId, FactKind, Measures,
        VehicleId, ZoneId,
    };

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn fact(kind: FactKind, standing: Standing) -> Fact {
        Fact {
            id: FactId(1),
            revision: 1,
            kind,
            vehicle: VehicleId(1),
            zone: ZoneId::NONE,
            zone_revision: 0,
            started_at: at("2026-11-26T12:00:00+08:00"),
            ended_at: None,
            confidence: Confidence::FULL,
            detected_late: false,
            standing,
            rule_revision: 1,
            measures: Measures::default(),
            evidence: Vec::new(),
        }
    }

    fn taken(step: Step, at: Timestamp) -> StepTaken {
        let step = CaseStep { case: CaseId(1), step, text: String::new() };
        StepTaken { seq: 1, at, actor: "a".to_owned(), step }
    }

    /// A Thursday; the Friday after it is a holiday, the Saturday a working day.
    #[test]
    fn each_step_has_its_time() {
        let mut registry = Registry::default();
        let raised = at("2026-11-26T12:00:00+08:00");
        let day = |offset, kind| CalendarDay { day: raised.china_day() + offset, kind, name: String::new() };
        let days = vec![day(1, DayKind::Holiday), day(2, DayKind::Workday)];
        let change = Change::CalendarPut { days };
        registry.apply(&ControlRecord { seq: 1, recorded_at: Timestamp(0), actor: String::new(), change });
        let (v06, v04_night, v12) = (FactKind::V06, FactKind::V04_NIGHT, FactKind::V12);
        let steps = |list: &[Step]| list.iter().map(|step| taken(*step, raised)).collect::<Vec<_>>();
        for (kind, told, list, expected) in [
            (v06, CaseState::Raised, &[][..], Some((Step::Remind, "2026-11-26T12:01:00+08:00"))),
            (v06, CaseState::Reminded, &[], Some((Step::Acknowledge, "2026-11-26T12:05:00+08:00"))),
            (v06, CaseState::Reminded, &[Step::Acknowledge], Some((Step::Dispose, "2026-11-26T12:30:00+08:00"))),
            (v04_night, CaseState::Raised, &[], Some((Step::Acknowledge, "2026-11-26T12:10:00+08:00"))),
            (v04_night, CaseState::Raised, &[Step::Acknowledge], Some((Step::Dispose, "2026-11-26T14:00:00+08:00"))),
            (v12, CaseState::Raised, &[], Some((Step::Acknowledge, "2026-11-27T00:00:00+08:00"))),
            // Saturday, Monday, Tuesday.
            (v06, CaseState::Raised, &[Step::Dispose], Some((Step::Close, "2026-12-02T00:00:00+08:00"))),
            (v06, CaseState::Raised, &[Step::Dispose, Step::Close], None),
            (v06, CaseState::Raised, &[Step::False], None),
            (v06, CaseState::Raised, &[Step::False, Step::Reopen], Some((Step::Dispose, "2026-11-26T12:30:00+08:00"))),
        ] {
            let steps = steps(list);
            let steps: Vec<_> = steps.iter().collect();
            let case = Case::of(&registry, &fact(kind, Standing::Stands), (raised, told), &steps);
            assert_eq!(case.due, expected.map(|(step, time)| (step, at(time))), "{kind} {told:?} {list:?}");
            if let Some((_, by)) = case.due {
                assert!(!case.is_overdue(by) && case.is_overdue(by.plus_us(1)));
            }
            let void = Case::of(&registry, &fact(kind, Standing::Void), (raised, told), &steps);
            assert_eq!(void.due, None, "what is not found any more asks for nothing");
        }
    }
}
