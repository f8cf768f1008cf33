//! The order: committed batches in, views out. It decodes frames, brings control into force at its exact place,
//! keeps the fixes of a vehicle in one lane and in journal order, judges them, and checkpoints views, rule state and
//! journal position together.
//!
//! The stages, in the order in which a batch passes them:
//!
//! 1. [`dispatch`]: apply the batch's control records, decode its frames, put together what came in parts, split the
//!    fixes by lane; commands and strangers are folded here, because they are few.
//! 2. [`lane`]: deduplicate, hand every fix to the track, judge what is not late, make facts and effects;
//!    beside it [`rejudge`] judges a vehicle again when fixes came late, and its later fixes wait.
//! 3. [`views`]: write facts at once and checkpoints whole; only then the batch counts as applied.
//!
//! Nothing here reads a clock: time comes from the records. Every queue is bounded; when the store lags, the
//! dispatcher stops reading the feed, and the journal stops committing.

mod again;
mod assemblies;
mod assemblies_codec;
mod bindings;
mod commands;
mod compare;
mod decode;
mod dispatch;
mod effects;
mod fix;
mod handle;
mod lane;
mod memory;
mod metrics;
mod moved;
mod recent;
mod rejudge;
mod residents;
mod run;
mod strangers;
mod vehicle_wire;
mod views;
mod windows;
mod wire;

pub use assemblies_codec::AssembliesError;
pub use handle::{Handle, Views};
pub use metrics::Metrics;
pub use run::{Feed, Options, PipelineError, catch_up, start};

/// Whether the saboteur that switches deduplication off is at work.
fn dedupe_is_off() -> bool {
    journal::sabotage::is_active("dedupe-off")
}
