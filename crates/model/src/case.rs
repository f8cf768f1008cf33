//! Cases (违规案件): the work of people on a violation. A case has the number of its violation; which step leads from
//! which state to which is a table.

use CaseState::{Acknowledged, Closed, Disposed, False, Raised, Reminded};

use crate::{CaseId, StepTaken};

macro_rules! steps {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, $zh:literal;)*) => {
        /// A step of work on a case. The numbers are kept in the journal and never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Step { $($(#[$doc])* $variant = $number,)* }

        impl Step {
            /// Every step.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in the API.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The Chinese term.
            #[must_use]
            pub const fn name_zh(self) -> &'static str {
                match self { $(Self::$variant => $zh,)* }
            }
        }
    };
}

steps! {
    /// The driver or carrier was reminded.
    Remind = 1, "remind", "提醒";
    /// Somebody has seen it and works on it.
    Acknowledge = 2, "acknowledge", "受理";
    /// Something was done about it.
    Dispose = 3, "dispose", "处置";
    /// It is over.
    Close = 4, "close", "办结";
    /// It was none.
    False = 5, "false", "误报";
    /// It is not over after all.
    Reopen = 6, "reopen", "重开";
    /// Something to know about it.
    Note = 7, "note", "备注";
}

impl Step {
    /// The step of that API name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|step| step.name() == name)
    }

    /// The step of that journal number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|step| *step as u32 == number)
    }
}

/// Where the work on a violation stands (案件状态). The numbers are kept and never change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CaseState {
    /// Found, and nobody has been told (待处理).
    #[default]
    Raised = 1,
    /// The driver or carrier has been reminded (已提醒).
    Reminded = 2,
    /// Somebody works on it (已受理).
    Acknowledged = 3,
    /// Something was done about it (已处置).
    Disposed = 4,
    /// It is over (已办结).
    Closed = 5,
    /// It was none (误报).
    False = 6,
}

impl CaseState {
    /// Every state.
    pub const ALL: &'static [Self] = &[Raised, Reminded, Acknowledged, Disposed, Closed, False];

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Raised => "raised",
            Reminded => "reminded",
            Acknowledged => "acknowledged",
            Disposed => "disposed",
            Closed => "closed",
            False => "false",
        }
    }

    /// The state of that API name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.name() == name)
    }

    /// The state kept under that number.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| *state as i64 == number)
    }

    /// Where a step leads; `None`: it cannot be taken there.
    #[must_use]
    pub fn after(self, step: Step) -> Option<Self> {
        let row = TRANSITIONS.iter().find(|row| row.step == step && row.from.contains(&self))?;
        Some(row.to.unwrap_or(self))
    }

    /// Where steps lead, in order. One that could not be taken changes nothing.
    #[must_use]
    pub fn after_all<'a>(self, steps: impl IntoIterator<Item = &'a StepTaken>) -> Self {
        steps.into_iter().fold(self, |state, taken| state.after(taken.step.step).unwrap_or(state))
    }

    /// Where the steps of a case lead, whatever it began with: `None` while they leave that open.
    #[must_use]
    pub fn decided_by<'a>(steps: impl IntoIterator<Item = &'a StepTaken>) -> Option<Self> {
        steps.into_iter().fold(None, |decided, taken| match decided {
            Some(state) => Some(Self::after(state, taken.step.step).unwrap_or(state)),
            None => ends(taken.step.step),
        })
    }
}

/// The one state that a step leads to, if it does from wherever it is taken.
fn ends(step: Step) -> Option<CaseState> {
    let mut rows = TRANSITIONS.iter().filter(|row| row.step == step);
    let first = rows.next()?.to;
    if rows.all(|row| row.to == first) { first } else { None }
}

/// Where a step may be taken, and where it leads.
#[derive(Clone, Copy, Debug)]
pub struct Transition {
    /// The step.
    pub step: Step,
    /// In which states it may be taken.
    pub from: &'static [CaseState],
    /// The state after it; `None`: the same.
    pub to: Option<CaseState>,
}

const fn row(step: Step, from: &'static [CaseState], to: Option<CaseState>) -> Transition {
    Transition { step, from, to }
}

/// Every step that may be taken; what is not in it is refused.
pub const TRANSITIONS: &[Transition] = &[
    row(Step::Remind, &[Raised], Some(Reminded)),
    row(Step::Remind, &[Reminded, Acknowledged], None),
    row(Step::Acknowledge, &[Raised, Reminded], Some(Acknowledged)),
    row(Step::Dispose, &[Raised, Reminded, Acknowledged], Some(Disposed)),
    row(Step::Close, &[Disposed], Some(Closed)),
    row(Step::False, &[Raised, Reminded, Acknowledged, Disposed], Some(False)),
    row(Step::Reopen, &[Closed, False], Some(Acknowledged)),
    row(Step::Note, CaseState::ALL, None),
];

/// One step, as asked for; who and when is on its control record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseStep {
    /// On which case.
    pub case: CaseId,
    /// Which step.
    pub step: Step,
    /// What they say.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    fn taken(step: Step) -> StepTaken {
        let step = CaseStep { case: CaseId(1), step, text: String::new() };
        StepTaken { seq: 1, at: Timestamp(0), actor: "a".to_owned(), step }
    }

    #[test]
    fn every_step_in_every_state() {
        // remind, acknowledge, dispose, close, false, reopen, note
        let table = [
            (Raised, [Some(Reminded), Some(Acknowledged), Some(Disposed), None, Some(False), None, Some(Raised)]),
            (Reminded, [Some(Reminded), Some(Acknowledged), Some(Disposed), None, Some(False), None, Some(Reminded)]),
            (Acknowledged, [Some(Acknowledged), None, Some(Disposed), None, Some(False), None, Some(Acknowledged)]),
            (Disposed, [None, None, None, Some(Closed), Some(False), None, Some(Disposed)]),
            (Closed, [None, None, None, None, None, Some(Acknowledged), Some(Closed)]),
            (False, [None, None, None, None, None, Some(Acknowledged), Some(False)]),
        ];
        for (from, expected) in table {
            for (step, to) in Step::ALL.iter().zip(expected) {
                assert_eq!(from.after(*step), to, "{from:?} {step:?}");
            }
            assert_eq!(CaseState::from_name(from.name()), Some(from));
            assert_eq!(CaseState::from_number(from as i64), Some(from));
        }
    }

    #[test]
    fn steps_lead_on() {
        let steps = [Step::Remind, Step::Close, Step::Dispose, Step::Close].map(taken);
        assert_eq!(Raised.after_all(&steps), Closed, "the first close could not be taken");
        assert_eq!(CaseState::decided_by(&steps), Some(Closed));
        assert_eq!(CaseState::decided_by(&steps[..1]), None, "it may have been acknowledged before");
        assert_eq!(CaseState::decided_by(&[Step::Reopen, Step::Note].map(taken)), Some(Acknowledged));
    }
}
