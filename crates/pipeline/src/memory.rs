//! What a lane keeps of a vehicle beside its rule state when fixes came late: what waits to be judged again, which
//! revisions its open facts have, and where judging again may begin. Nearly every vehicle has none of it.

use std::collections::VecDeque;
use std::sync::Arc;

use model::{Fact, FactId, Fix, Standing, Timestamp, ZoneId};
use prost::Message;
use rules::{Approaches, Near, State, StateError};
use store::CaseState;

use crate::again::Reach;
use crate::lane::Judging;
use crate::vehicle_wire as wire;

/// So many late fixes are judged without waiting for the tick.
pub(crate) const LATE_MAX: u32 = 1024;
/// Begins a stored state with something beside it; a rule state alone begins with its own, lower version.
const TAG: u8 = 0x81;
/// How many places to begin at are kept in memory.
const ANCHORS_MAX: usize = 4;

/// A fact that is not in its first revision as it was raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) id: FactId,
    pub(crate) started_at: Timestamp,
    pub(crate) revision: u32,
    pub(crate) standing: Standing,
    pub(crate) case_state: CaseState,
}

impl Known {
    /// It is found again: in a new revision, if it did not hold.
    pub(crate) fn stand(&mut self) {
        if self.standing == Standing::Void {
            self.revision += 1;
            self.standing = Standing::Stands;
        }
    }
}

/// Where judging again may begin.
#[derive(Clone, Debug)]
pub(crate) struct Anchor {
    pub(crate) judged_to: Timestamp,
    pub(crate) state: State,
    /// What was stated of the stays that are open in it.
    pub(crate) open: Vec<Fact>,
}

/// The event times of the fixes that wait to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl Span {
    /// What is between the ends of both.
    pub(crate) fn around(a: Self, b: Self) -> Self {
        Self { from: a.from.min(b.from), to: a.to.max(b.to) }
    }

    pub(crate) fn with(span: Option<Self>, time: Timestamp) -> Self {
        let Self { from, to } = span.unwrap_or(Self { from: time, to: time });
        Self { from: from.min(time), to: to.max(time) }
    }
}

/// Something is to be judged again, as of an envelope.
pub(crate) struct Order {
    pub(crate) seq: u64,
    /// When that envelope was received.
    pub(crate) received: Timestamp,
    pub(crate) judging: Arc<Judging>,
    /// Event times of the fixes that came late.
    pub(crate) late: Option<Span>,
    /// What is judged otherwise, if anything is.
    pub(crate) reach: Option<Arc<Reach>>,
    /// The latest fix of the vehicle by then.
    pub(crate) newest: Timestamp,
}

/// What waits until the vehicle was judged again.
pub(crate) enum Deferred {
    Step { seq: u64, judging: Arc<Judging>, fix: Box<Fix> },
    Rejudge(Order),
}

#[derive(Default)]
pub(crate) struct Late {
    /// Late fixes since the vehicle was last judged again, repeated ones included: whether one is recognised as
    /// repeated depends on what is in memory, and when a vehicle is judged again may not.
    pub(crate) count: u32,
    /// Event times of those that were not recognised as repeated.
    pub(crate) span: Option<Span>,
    pub(crate) known: Vec<Known>,
    pub(crate) anchors: Vec<Anchor>,
    /// Stored states that do not hold: found since the last cut, and between the last two.
    pub(crate) voids: Vec<Span>,
    pub(crate) voids_before: Vec<Span>,
    pub(crate) in_flight: bool,
    pub(crate) deferred: VecDeque<Deferred>,
}

impl Late {
    /// Whether all of it can be forgotten.
    pub(crate) fn is_void(&self) -> bool {
        self.count == 0
            && self.known.is_empty()
            && self.anchors.is_empty()
            && self.voids.is_empty()
            && self.voids_before.is_empty()
            && !self.in_flight
            && self.deferred.is_empty()
    }

    /// Whether the vehicle has to stay in memory.
    pub(crate) fn is_waiting(&self) -> bool {
        self.count > 0 || self.in_flight || !self.deferred.is_empty()
    }

    /// States from `void.from` on and before `void.to` do not hold.
    pub(crate) fn void(&mut self, void: Span, found: Vec<Anchor>) {
        let holds = |at: Timestamp| at < void.from || at >= void.to;
        self.anchors.retain(|anchor| holds(anchor.judged_to));
        for anchor in found {
            self.anchors.retain(|old| old.judged_to != anchor.judged_to);
            self.anchors.push(anchor);
        }
        self.anchors.sort_by_key(|anchor| anchor.judged_to);
        let excess = self.anchors.len().saturating_sub(ANCHORS_MAX);
        self.anchors.drain(..excess);
        self.voids.push(void);
    }
}

/// Why stored bytes are no memory of a vehicle.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MemoryError {
    #[error("the rule state")]
    State(#[from] StateError),
    #[error("what waits beside the rule state")]
    Message(#[from] prost::DecodeError),
    #[error("an impossible value beside the rule state")]
    Value,
}

/// A vehicle as it is stored (`proto/hazwatch/pipeline/v1/vehicle.proto`).
pub(crate) fn encode(state: &State, late: Option<&Late>, approaches: &Approaches) -> Vec<u8> {
    let bytes = state.encode();
    let late = late.filter(|late| late.count > 0 || !late.known.is_empty());
    if late.is_none() && approaches.list().is_empty() {
        return bytes;
    }
    let span = late.and_then(|late| late.span);
    let wire = wire::Vehicle {
        state: bytes.into(),
        count: late.map_or(0, |late| late.count),
        from_us: span.map(|span| span.from.0),
        to_us: span.map(|span| span.to.0),
        known: late.into_iter().flat_map(|late| &late.known).map(known_to).collect(),
        near: approaches.list().iter().map(near_to).collect(),
    };
    let mut bytes = vec![TAG];
    wire.encode_raw(&mut bytes);
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> Result<(State, Option<Box<Late>>, Approaches), MemoryError> {
    let Some((&TAG, body)) = bytes.split_first() else {
        return Ok((State::decode(bytes)?, None, Approaches::default()));
    };
    let wire = wire::Vehicle::decode(body)?;
    let span = wire.from_us.zip(wire.to_us).map(|(from, to)| Span { from: Timestamp(from), to: Timestamp(to) });
    let known = wire.known.iter().map(|known| known_from(known).ok_or(MemoryError::Value)).collect::<Result<_, _>>()?;
    let late = Late { count: wire.count, span, known, ..Late::default() };
    let approaches = Approaches::from_list(wire.near.iter().map(near_from).collect());
    let late = (!late.is_void()).then(|| Box::new(late));
    Ok((State::decode(&wire.state)?, late, approaches))
}

const fn near_to(near: &Near) -> wire::Near {
    wire::Near { zone: near.zone.0, last_us: near.last.0, told: near.told }
}

const fn near_from(near: &wire::Near) -> Near {
    Near { zone: ZoneId(near.zone), last: Timestamp(near.last_us), told: near.told }
}

fn known_to(known: &Known) -> wire::Known {
    wire::Known {
        id: known.id.0.to_be_bytes().to_vec().into(),
        revision: known.revision,
        standing: known.standing as u32,
        case_state: known.case_state as u32,
        started_us: known.started_at.0,
    }
}

fn known_from(wire: &wire::Known) -> Option<Known> {
    Some(Known {
        id: FactId(u128::from_be_bytes(wire.id.as_ref().try_into().ok()?)),
        started_at: Timestamp(wire.started_us),
        revision: wire.revision,
        standing: Standing::from_number(wire.standing.into())?,
        case_state: CaseState::from_number(wire.case_state.into())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vehicle_comes_back_with_what_waits() {
        let known = Known {
            id: FactId(u128::MAX - 3),
            started_at: Timestamp(-8),
            revision: 7,
            standing: Standing::Void,
            case_state: CaseState::Reminded,
        };
        let span = Some(Span { from: Timestamp(-5), to: Timestamp(9) });
        let late = Late { count: 3, span, known: vec![known], ..Late::default() };
        let near = Near { zone: ZoneId(4), last: Timestamp(6), told: true };
        let approaches = Approaches::from_list(vec![near]);
        let bytes = encode(&State::default(), Some(&late), &approaches);
        let (state, back, nears) = decode(&bytes).expect("reads");
        assert_eq!(nears, approaches);
        let bytes_near = encode(&State::default(), None, &approaches);
        assert!(matches!(decode(&bytes_near), Ok((_, None, back)) if back == approaches), "nears, and nothing waits");
        let back = back.expect("something waits");
        assert_eq!((state, back.count, back.span, back.known), (State::default(), 3, span, vec![known]));
        let plain = encode(&State::default(), Some(&Late::default()), &Approaches::default());
        assert_eq!(plain, State::default().encode(), "nothing waits, nothing is added");
        assert!(decode(&plain).expect("reads").1.is_none());
        assert!(decode(&bytes[..bytes.len() - 1]).is_err() && decode(&[]).is_err());
    }
}
