//! The judgement: fix after fix, on top of a small state, gives visits of zones and violations; no clock, no I/O.
//!
//! Everything here is a pure function of its arguments (decision D4): time comes from the fixes, trigonometry from
//! `libm`, and nothing that a later step reads is kept as a float, so that two machines agree on every bit and
//! judging may stop, be stored and go on anywhere. Live judgement is re-judging from stored state with nothing late:
//! [`step`] is the only entry.
//!
//! # How a path is judged
//!
//! * **Links.** Between two fixes lies a *link*. An ordinary link is the path of the least acceleration that agrees with
//!   place, speed and direction of both fixes (a cubic in time), judged as up to [`limits::CURVE_LEGS_MAX`] straight
//!   legs; without directions it is a straight line. Zones are entered and left at instants interpolated on it, with a
//!   bound on how far they may be off: the noise of positions and a random acceleration, whose density is what speeds
//!   and directions leave unexplained, over how fast the edge is neared. A gap above [`limits::GAP_MAX_US`] with a
//!   change of place, and a jump that was confirmed, are *cuts*: what lies between is unknown, so a stay ends at the
//!   last fix before the cut and begins at the first fix after it, with lowered confidence. A long gap without a change
//!   of place (a terminal that sleeps on a parked truck) goes on as a path, with lowered confidence.
//! * **Rests.** Positions of a parked vehicle wander. While its speed field says that it stands, it is judged at the mean
//!   of all fixes since it stopped; it is inside or outside a zone when the mean is so by more than it may be off, which
//!   shrinks with time. Fixes far from the mean are set aside until it moves, or until they persist.
//! * **Doubt.** A fix more than [`limits::DOUBT_M`] from where speeds and directions lead, and one at which the vehicle has
//!   stopped or started since the last, waits for the next one: if that undoes it, it was an outlier and is not judged;
//!   otherwise both are.
//! * **Jumps.** A fix that can only be reached at above [`limits::JUMP_SPEED_KMH`] over more than
//!   [`limits::JUMP_M`] is set aside. If the next fix is reachable from the one before the jump, the one set aside was
//!   an outlier and is not judged; if it is reachable from the one set aside only, the vehicle really is elsewhere.
//! * **Zones** count within the span of event time that their revision governs, `[from, to)`; a boundary inside a link
//!   is an exact instant, where one revision's stay ends and the next one's begins.
//! * **Leaving** is confirmed by a second fix outside, or by one more than [`limits::OUTSIDE_M`] outside, and dated
//!   to the crossing out; who comes back before that never left.
//! * **Watches.** Beside zones, every fix is held against rules that hang on the vehicle alone: alarm bits, driving times,
//!   silence, drift, speed on roads ([`WATCH_RULES`]). What needs silence is stated with the fix that ends it.
//! * **Facts** are stated when they become certain, and again when they end; nothing in between. What makes a fact
//!   certain is told by its [`Rule`], in the list [`RULES`].

mod approach;
mod bout;
pub mod case;
mod codec;
mod curve;
mod fact;
mod judge;
pub mod limits;
mod link;
mod outing;
mod passage;
mod rest;
mod roads;
mod rule;
mod state;
mod stay;
mod warning;
mod watch;
mod wire;
mod zones;

pub use approach::Sighting;
pub use codec::StateError;
pub use fact::fact_id;
pub use judge::{Context, step};
pub use roads::Roads;
pub use rule::{RULES, Rule};
pub use state::State;
pub use warning::{Approaches, Near, Warning};
pub use watch::{RULES as WATCH_RULES, Rule as WatchRule, level as watch_level};
pub use zones::Zones;
