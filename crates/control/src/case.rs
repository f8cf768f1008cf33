//! What a step on a case must be before it is recorded. That the case exists, and who may work on it, is asked before:
//! violations are views, and control reads none.

use model::{CaseState, CaseStep, ControlError, Registry};

use crate::validate::{DETAIL_MAX, text};

/// Steps of one case.
const STEPS_MAX: usize = 1_000;

pub(crate) fn step(step: &CaseStep, registry: &Registry) -> Result<(), ControlError> {
    text("text", &step.text, 0, DETAIL_MAX)?;
    let taken = registry.records().steps(step.case);
    if taken.len() >= STEPS_MAX {
        return Err(ControlError::Conflict(format!("{} has {STEPS_MAX} steps: no more are taken", step.case)));
    }
    // Of two who close it at the same moment one is told.
    match CaseState::decided_by(taken) {
        Some(state) if state.after(step.step).is_none() => Err(ControlError::Conflict(format!(
            "{} is {}: {} cannot follow",
            step.case,
            state.name(),
            step.step.name()
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{CaseId, Change, ControlRecord, Step, Timestamp};

    #[test]
    fn one_of_two_is_told() {
        let mut registry = Registry::default();
        let of = |step| CaseStep { case: CaseId(1), step, text: String::new() };
        let mut seq = 0;
        for (taken, expected) in [
            (Step::Dispose, true),
            (Step::Dispose, false),
            (Step::Close, true),
            (Step::Close, false),
            (Step::Note, true),
            (Step::Reopen, true),
            (Step::Remind, true),
        ] {
            assert_eq!(step(&of(taken), &registry).is_ok(), expected, "{taken:?}");
            if expected {
                seq += 1;
                let change = Change::CaseStep(of(taken));
                registry.apply(&ControlRecord { seq, recorded_at: Timestamp(0), actor: "a".into(), change });
            }
        }
        assert!(step(&CaseStep { text: "x".repeat(2001), ..of(Step::Note) }, &registry).is_err());
    }
}
