//! Which received time is written when the clock of the machine is set.
//!
//! * Within a chain time never goes back. When the clock does, records carry the last time until the clock has caught
//!   up; days (and so segments) do not turn back either. [`crate::CommitStats::ahead`] says how far it is, and a
//!   warning is logged: after a start with a clock that was days ahead this lasts for days, and only an operator can
//!   tell which of the two times was right.
//! * A step forward by up to [`STEP_MAX`] is believed. A larger one is believed when the clock still shows it
//!   after [`CONFIRM`]; until then time runs on from where it was, by the clock that nobody sets. So a wrong setting
//!   that is noticed within a minute leaves no trace, and one wrong sample cannot carry the chain into next year.
//! * Records are stamped before they are committed. Should a step have come and gone in between, no record carries more
//!   than [`STEP_MAX`] beyond the time at which it is committed.
//! * Ticks are written by the clock that nobody sets, so they never pause; two of one writer that lie further apart
//!   than the interval of ticks are the record of a step.

use std::time::Duration;

use model::Timestamp;

/// How far the clock may go ahead of itself and be believed at once.
pub(crate) const STEP_MAX: Duration = Duration::from_secs(600);
/// How long it must show a larger step.
pub(crate) const CONFIRM: Duration = Duration::from_secs(60);

/// What the clock was last believed to show.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Received {
    believed: Option<(Timestamp, Duration)>,
    doubted_since: Option<Duration>,
}

/// What time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Now {
    pub time: Timestamp,
    /// Whether the clock shows something else, which is not believed.
    pub doubted: bool,
}

impl Now {
    /// What a record may carry at most, whatever it was stamped with before it came here: a small step back of the clock
    /// since then is let pass.
    pub(crate) fn latest(self) -> Timestamp {
        if self.doubted { self.time } else { after(self.time, STEP_MAX) }
    }
}

impl Received {
    /// Judges what the clock shows, at `elapsed` by the clock that nobody sets.
    pub(crate) fn judge(&mut self, shown: Timestamp, elapsed: Duration) -> Now {
        let expected = self.believed.map_or(shown, |(time, at)| after(time, elapsed.saturating_sub(at)));
        if shown <= after(expected, STEP_MAX) {
            if self.doubted_since.take().is_some() {
                tracing::warn!("the clock is back from a step that was not believed");
            }
            return self.believe(shown, elapsed);
        }
        let since = *self.doubted_since.get_or_insert_with(|| {
            let ahead_s = (shown.0 - expected.0) / 1_000_000;
            tracing::warn!(ahead_s, "the clock stepped forward; it is believed if it stays there for a minute");
            elapsed
        });
        if elapsed.saturating_sub(since) < CONFIRM {
            return Now { time: expected, doubted: true };
        }
        tracing::warn!("the clock has stayed ahead: its time is taken from now on");
        self.doubted_since = None;
        self.believe(shown, elapsed)
    }

    fn believe(&mut self, time: Timestamp, elapsed: Duration) -> Now {
        self.believed = Some((time, elapsed));
        Now { time, doubted: false }
    }
}

fn after(time: Timestamp, by: Duration) -> Timestamp {
    Timestamp(time.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (elapsed s, shown s) -> (time s, doubted)
    #[test]
    fn steps_of_the_clock() {
        const DAY: i64 = 86_400;
        type Step = (u64, i64, i64, bool);
        let cases: &[(&str, &[Step])] = &[
            ("steady", &[(0, 1000, 1000, false), (5, 1005, 1005, false)]),
            ("a small step is believed", &[(0, 1000, 1000, false), (5, 1505, 1505, false)]),
            ("back by hours is believed; the chain holds its own time", &[(0, 9000, 9000, false), (5, 5, 5, false)]),
            (
                "a day ahead, and back in time",
                &[(0, 0, 0, false), (5, DAY, 5, true), (50, DAY + 45, 50, true), (60, 60, 60, false)],
            ),
            (
                "a day ahead for good",
                &[
                    (0, 0, 0, false),
                    (5, DAY, 5, true),
                    (65, DAY + 60, DAY + 60, false),
                    (70, DAY + 65, DAY + 65, false),
                ],
            ),
            (
                "a second step is doubted anew",
                &[(0, 0, 0, false), (5, DAY, 5, true), (6, 6, 6, false), (64, DAY, 64, true), (70, DAY, 70, true)],
            ),
            ("nothing for a day", &[(0, 0, 0, false), (DAY as u64, DAY, DAY, false)]),
        ];
        for (name, steps) in cases {
            let mut received = Received::default();
            for (elapsed, shown, time, doubted) in *steps {
                let now = received.judge(Timestamp::from_secs(*shown), Duration::from_secs(*elapsed));
                assert_eq!(now, Now { time: Timestamp::from_secs(*time), doubted: *doubted }, "{name} at {elapsed}");
            }
        }
    }
}
