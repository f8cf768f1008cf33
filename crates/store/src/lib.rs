//! The memory: tracks, facts, strangers, commands and users, and the only holder of SQL.
//!
//! The journal is the truth and this is what was computed from it: `views.db` can be thrown away and rebuilt, and
//! [`Store::digest`] says whether the rebuilt one is the same. What cannot be rebuilt (users, sessions, secrets)
//! lives apart, in `app.db`. Nothing here judges, decodes frames or knows a clock.
//!
//! - [`Store`]: hot memory per lane, facts at once, everything else by checkpoint, readers with a scope. A fix goes from
//!   memory into a segment (cheap to write, `proto/hazwatch/track/v1/segment.md`), and from there, beside everything
//!   else, into a chunk (small); readers look at all three and see it once.
//! - [`chunk`]: the frozen binary format of tracks (`proto/hazwatch/track/v1/track.md`).
//! - [`snapshot`], [`copy_users`]: copies beside a running server.
//! - [`Users`]: who may log in.
//!
//! Durability: `app.db` is on disk when a call returns. `views.db` is so when its log was copied back; a power cut takes
//! away at most the commits since, whole ones from the end, and they come again from the journal.

pub mod chunk;
mod compact;
mod digest;
mod error;
mod forget;
mod hot;
mod pack;
mod rows;
mod sabotage;
mod segment;
mod snapshot;
mod sqlite;
mod store;
mod track;
mod users;

pub use error::{Cause, StoreError};
pub use forget::Forgotten;
pub use model::CaseState;
pub use rows::{
    ChangeToken, Checkpoint, CommandRow, Effect, EffectState, FactCursor, FactFilter, FactRow, LastPosition, Outline,
    Page, Recovered, Settlement, Source, Stats, StoredState, Stranger, StrangerCursor, TrackFix, VehicleState, Writes,
};
pub use snapshot::{Copied, copy_users, snapshot};
pub use store::{Options, Store};
pub use users::{Bootstrap, PasswordCost, SESSION_US, Session, UserRow, Users};
