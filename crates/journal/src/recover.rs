//! What the committer does after a failure, so that no restart is needed: it answers nobody, leaves the file that
//! failed, reads back what is known to be durable, proves with a first commit that the disk works, and only then takes
//! submissions again.
//!
//! What was in flight is cut: a failed sync may have lost it although reads still return it, and nobody was answered.
//! Control records whose own sync succeeded are not in flight any more; they come into force with that first commit,
//! although their submitter was told [`AppendError::Unknown`].

use std::collections::VecDeque;
use std::time::Duration;

use crate::commit::Committer;
use crate::landing::{AppendError, Submission};
use crate::options::State;

/// Why the committer takes nothing.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub state: State,
    retry: Duration,
}

impl Committer {
    /// Refuses from now on; fails what is in flight, and what waits and was never touched.
    pub(crate) fn stop(
        &mut self,
        state: State,
        in_flight: VecDeque<Submission>,
        outcome: impl Fn(&Submission) -> AppendError,
    ) {
        tracing::error!(%state, "the journal takes nothing");
        self.tell(&state);
        let untouched = AppendError::Failed(state.to_string());
        let waiting = self.queue.fail(untouched.clone());
        let weight = in_flight.iter().chain(&waiting).map(|submission| submission.weight).sum();
        for mut submission in in_flight {
            let error = outcome(&submission);
            submission.land(Err(error));
        }
        for mut submission in waiting {
            submission.land(Err(untouched.clone()));
        }
        self.queue.flush();
        self.queue.release(weight);
        self.trouble = Some(Trouble { state, retry: self.options.retry_first });
    }

    /// Waits and tries until the journal works again; `false` when it is closed meanwhile, or cannot recover.
    pub(crate) fn recover(&mut self) -> bool {
        while let Some(Trouble { state, retry }) = self.trouble.clone() {
            if matches!(state, State::Ended { .. }) {
                self.queue.pause(None);
                return false;
            }
            if self.queue.pause(Some(retry)) {
                return false;
            }
            match self.attempt() {
                Ok(()) => self.trouble = None,
                Err(next) => {
                    let waits = matches!(next, State::SpaceOut { .. });
                    let retry = if waits { retry } else { (retry * 2).min(self.options.retry_max) };
                    tracing::warn!(state = %next, "the journal still takes nothing");
                    self.tell(&next);
                    self.trouble = Some(Trouble { state: next, retry });
                }
            }
        }
        true
    }

    fn attempt(&mut self) -> Result<(), State> {
        let stop_bytes = self.options.stop_bytes;
        let (attempts, needed) = match self.trouble.as_ref().map(|trouble| &trouble.state) {
            Some(State::Failed { attempts, .. }) => (attempts + 1, stop_bytes),
            _ => (1, stop_bytes.saturating_add(stop_bytes / 4)),
        };
        let failed = |error: String| State::Failed { error, attempts };
        if let Some(free_bytes) = self.space.free(&self.options)
            && free_bytes < needed
        {
            return Err(State::SpaceOut { free_bytes });
        }
        for chain in [&mut self.control, &mut self.frames] {
            if chain.end.broken {
                chain.recover().map_err(|error| failed(model::Chain(&error).to_string()))?;
            }
        }
        // A tick, and the control records that wait to come into force.
        self.last_tick = None;
        let batch = self.commit(&mut VecDeque::new()).map_err(|failure| failed(failure.to_string()))?;
        let seq = batch.position.seq;
        self.watermark.set(seq);
        if self.feed.send(batch).is_err() {
            return Err(no_reader());
        }
        tracing::warn!(seq, "the journal works again");
        self.queue.work_again();
        self.tell(&State::Working);
        Ok(())
    }

    /// Reports a state, once.
    pub(crate) fn tell(&mut self, state: &State) {
        if self.told != *state {
            self.told = state.clone();
            if let Some(on_state) = &self.options.on_state {
                on_state(state);
            }
        }
    }
}

/// The feed is how batches take effect: without its reader nothing may be answered.
pub(crate) fn no_reader() -> State {
    State::Ended { error: "nobody reads the feed any more".into() }
}
