//! The rule state of one vehicle: what the next fix must know of all the fixes before it.

use model::{FactId, FactKind, Timestamp, VehicleId};

use crate::codec::{self, StateError};
use crate::fact::fact_id;
use crate::link::Seen;
use crate::rest::Rest;
use crate::stay::Stay;
use crate::watch::{self, Watch};

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
    /// Since it left what may not be left, by zone and revision.
    pub(crate) outings: Vec<Stay>,
    /// What is under way of the rules that hang on the vehicle alone.
    pub(crate) watch: Watch,
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

    /// Facts of that kind that begin from here on, and are not open, do not begin before this. In a zone: event time of
    /// the last fix on the path, or when it came to stand; of the vehicle alone: after the last fix.
    #[must_use]
    pub fn begins_from(&self, kind: FactKind) -> Timestamp {
        if watch::watches(kind) { self.judged_to().plus_us(1) } else { self.path_to() }
    }

    fn path_to(&self) -> Timestamp {
        let last = self.last.as_ref().map_or(Timestamp::MIN, |seen| seen.time);
        // Who may be on the way out may come back, and what bound meanwhile binds.
        let bound = self.stays.iter().chain(&self.outings).map(|stay| stay.bound_to).min().unwrap_or(Timestamp::MAX);
        self.rest.map_or(last, |rest| rest.since.min(last)).min(bound)
    }

    /// Whether a fact of that kind that began at this instant, and is not open, may be over as well as begin from here
    /// on: where a vehicle stands turns out only while it stands.
    #[must_use]
    pub fn may_begin_yet(&self, kind: FactKind, started_at: Timestamp) -> bool {
        !watch::watches(kind) && self.last.is_some_and(|last| self.path_to() <= started_at && started_at < last.time)
    }

    /// What is stated from here on began no earlier than this.
    #[must_use]
    pub fn open_since(&self) -> Timestamp {
        self.stays
            .iter()
            .map(|stay| stay.started_at)
            .chain(self.outings.iter().flat_map(|outing| &outing.bouts).map(|bout| bout.started_at))
            .min()
            .unwrap_or(Timestamp::MAX)
            .min(self.watch.since())
            .min(self.path_to())
    }

    /// The facts that open stays, and what else is under way, can make, and whether each was stated already.
    pub fn open_facts(&self, vehicle: VehicleId) -> impl Iterator<Item = (FactId, bool)> {
        let stays = self.stays.iter().flat_map(move |stay| {
            let visit = fact_id(FactKind::VISIT, vehicle, stay.zone, stay.revision, stay.started_at);
            let bouts = stay.bouts.iter().map(move |bout| (bout.id(vehicle, stay), bout.stated));
            std::iter::once((visit, stay.stated)).chain(bouts)
        });
        let outings = self.outings.iter();
        let beyond = outings
            .flat_map(move |outing| outing.bouts.iter().map(move |bout| (bout.id(vehicle, outing), bout.stated)));
        stays.chain(beyond).chain(self.watch.open_facts(vehicle, self.judged_to()))
    }

    /// Whether nothing is under way: no open stay, and no fix whose fate the next one decides.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let lasts = self.outings.iter().any(|outing| outing.bouts.iter().any(|bout| bout.stated));
        !lasts && self.stays.is_empty() && self.aside.is_none() && self.watch.is_idle()
    }
}
