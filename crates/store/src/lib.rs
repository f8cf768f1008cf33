//! The memory: tracks, facts, strangers, commands and users, and the only holder of SQL.
//!
//! The journal is the truth and this is what was computed from it: `views.db` can be thrown away and rebuilt, and
//! [`Store::digest`] says whether the rebuilt one is the same. What cannot be rebuilt (users, sessions, secrets)
//! lives apart, in `app.db`. Nothing here judges, decodes frames or knows a clock.
//!
//! - [`Store`]: hot memory per lane, facts at once, everything else by checkpoint, readers with a scope.
//! - [`chunk`]: the frozen binary format of tracks (`proto/hazwatch/track/v1/track.md`).
//! - [`Users`]: who may log in.

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
pub use rows::{
    CaseState, ChangeToken, Checkpoint, CommandRow, Effect, EffectState, FactCursor, FactFilter, FactRow, LastPosition,
    Page, Recovered, Settlement, Source, Stats, StoredState, Stranger, StrangerCursor, TrackFix, VehicleState, Writes,
};
pub use snapshot::{Copied, copy_users, snapshot};
pub use store::{Options, Store};
pub use users::{Bootstrap, PasswordCost, SESSION_US, Session, UserRow, Users};
