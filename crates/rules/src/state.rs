//! The rule state of one vehicle: what the next fix must know of all the fixes before it.

use model::Timestamp;

use crate::codec::{self, StateError};
use crate::link::Seen;
use crate::rest::Rest;
use crate::stay::Stay;

/// Rule state of one vehicle. Opaque: made by [`step`](crate::step), stored by [`State::encode`]. About 35 bytes
/// stored when no zone is near; at most [`OPEN_MAX`](crate::limits::OPEN_MAX) open stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The last fix on the path.
    pub(crate) last: Option<Seen>,
    /// A later fix that was out of reach: an outlier, or the first after a jump; the next fix tells.
    pub(crate) aside: Option<Seen>,
    /// While it stands; `last` is then at the mean place.
    pub(crate) rest: Option<Rest>,
    /// By zone and revision.
    pub(crate) stays: Vec<Stay>,
}

impl State {
    /// The state as bytes: a version byte, then `hazwatch.rules.v1.State`. Canonical: equal states, equal bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The state out of bytes that [`State::encode`] made.
    ///
    /// # Errors
    /// Bytes of another version, or that no state encodes to.
    pub fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        codec::decode(bytes)
    }

    /// Event time of the last fix taken in; [`Timestamp::MIN`] before the first.
    #[must_use]
    pub fn judged_to(&self) -> Timestamp {
        let seen = self.aside.as_ref().or(self.last.as_ref()).map_or(Timestamp::MIN, |seen| seen.time);
        self.rest.map_or(seen, |rest| rest.heard.max(seen))
    }

    /// Whether nothing is under way: no open stay, and no fix whose fate the next one decides.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.stays.is_empty() && self.aside.is_none()
    }
}
