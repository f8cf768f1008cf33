//! What a terminal has taken and not yet been thanked for, as far as it is not on its way: live fixes, and the store
//! for what was taken offline or sent in vain.

use std::collections::VecDeque;

use jt808::Edition;

use crate::gnss::Fix;
use crate::options::Late;
use crate::wire::batch_fits;

/// How a fix went out the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sending {
    pub(crate) serial: u16,
    pub(crate) via: u16,
    pub(crate) at_us: u64,
}

/// A fix that is not acknowledged yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) fix: Fix,
    pub(crate) sending: Option<Sending>,
}

impl From<Fix> for Kept {
    fn from(fix: Fix) -> Self {
        Self { fix, sending: None }
    }
}

/// Two queues, each in order of time.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Taken while online: sent one by one, before what is stored.
    live: VecDeque<Fix>,
    /// Taken while offline, or sent in vain.
    stored: VecDeque<Kept>,
    stored_next: bool,
}

impl Outbox {
    pub(crate) fn len(&self) -> usize {
        self.live.len() + self.stored.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Kept> + '_ {
        self.stored.iter().copied().chain(self.live.iter().copied().map(Kept::from))
    }

    /// Takes a fix of a terminal that is online.
    pub(crate) fn push_live(&mut self, fix: Fix) {
        self.live.push_back(fix);
    }

    /// Takes a fix of a terminal that is offline.
    pub(crate) fn store(&mut self, fix: Fix) {
        self.stored.push_back(fix.into());
    }

    /// Stores what was sent in vain.
    pub(crate) fn put_back(&mut self, fixes: impl IntoIterator<Item = Kept>) {
        self.stored.extend(fixes);
        self.stored.make_contiguous().sort_by_key(|kept| kept.fix);
    }

    /// Nothing is live any more: the connection is gone.
    pub(crate) fn store_all(&mut self) {
        let live: Vec<Kept> = self.live.drain(..).map(Kept::from).collect();
        self.put_back(live);
    }

    /// What to send next in one message: a live fix first, but a backlog gets every other turn. Empty when there is
    /// nothing.
    pub(crate) fn next(&mut self, edition: Edition, late: Late) -> Vec<Kept> {
        let from_store = !self.stored.is_empty() && (self.live.is_empty() || self.stored_next);
        self.stored_next = !from_store;
        if !from_store {
            return self.next_live();
        }
        let fits = match (edition, late.body_bytes()) {
            // 0x0704 came with 2013: a 2011 terminal sends late 0x0200.
            (Edition::V2011, _) | (_, None) => 1,
            (edition, Some(bytes)) => batch_fits(self.stored.iter().map(|kept| &kept.fix), edition, bytes).max(1),
        };
        self.stored.drain(..fits.min(self.stored.len())).collect()
    }

    /// A live fix, if there is one.
    pub(crate) fn next_live(&mut self) -> Vec<Kept> {
        self.live.pop_front().map(Kept::from).into_iter().collect()
    }
}
