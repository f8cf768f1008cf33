//! What people do about a case (违规案件).

use crate::CaseId;

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
