//! Retention: what is older than a day leaves the views, unless a hold covers it. Facts stay.

use std::sync::Arc;

use model::{Fix, Hold, Timestamp, VehicleId};

use crate::compact::Compactor;
use crate::sqlite::forget::{self, Old};
use crate::{StoreError, chunk};

/// Chunks that are looked at together.
const SLICE: i64 = 64;

/// What was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Chunks of tracks: at most 1,024 fixes of one vehicle and day each.
    pub chunks: u64,
    /// Effects that were settled.
    pub effects: u64,
    /// Commands that were answered, or failed.
    pub commands: u64,
}

/// Whether a hold covers a fix of the vehicle, by its own time or by that of its receipt.
fn is_held(vehicle: VehicleId, fix: &Fix, holds: &[Hold]) -> bool {
    let within = |hold: &Hold, time: Timestamp| hold.from <= time && time < hold.to;
    holds.iter().any(|hold| {
        hold.vehicle.is_none_or(|held| held == vehicle) && (within(hold, fix.time) || within(hold, fix.received))
    })
}

/// Whether all of a chunk is old: what came lately is kept, however old it says it is.
fn is_over(old: &Old, before: Timestamp, holds: &[Hold]) -> bool {
    match chunk::decode(&old.body) {
        Ok(fixes) => fixes.iter().all(|fix| fix.received < before && !is_held(old.vehicle, fix, holds)),
        Err(error) => {
            tracing::warn!(chunk = old.id, vehicle = %old.vehicle, %error, "an old chunk is damaged, and kept");
            false
        }
    }
}

/// The chunks of a slice that may go.
async fn over(
    compactor: &Compactor,
    slice: Arc<Vec<Old>>,
    holds: Vec<Hold>,
    before: Timestamp,
) -> Result<Vec<i64>, StoreError> {
    let ids = move || slice.iter().filter(|old| is_over(old, before, &holds)).map(|old| old.id).collect();
    compactor.compute_calmly(ids).await
}

/// Forgets what lies before the day, a slice at a time. A run takes minutes: what is held is asked anew for each slice.
pub(crate) async fn run(
    compactor: &Compactor,
    before: i32,
    holds: impl Fn() -> Vec<Hold> + Send + Sync,
) -> Result<Forgotten, StoreError> {
    let db = compactor.db();
    let start = Timestamp::china_day_start(before);
    let mut forgotten = Forgotten::default();
    let mut after = (i32::MIN, i64::MIN, i64::MIN);
    loop {
        let turn = compactor.exclude_moves().await;
        let slice = forget::chunks_before(db, before, after, SLICE).await?;
        let Some(last) = slice.last() else { break };
        after = forget::cursor(last);
        let slice = Arc::new(slice);
        let mut held = holds();
        let ids = loop {
            let ids = over(compactor, Arc::clone(&slice), held.clone(), start).await?;
            // A hold that was put while the lowest priority computed counts too.
            let now = holds();
            if now == held {
                break ids;
            }
            held = now;
        };
        forget::delete_chunks(db, &ids).await?;
        forgotten.chunks += ids.len() as u64;
        drop(turn);
        compactor.pause().await;
    }
    loop {
        let (effects, commands) =
            (forget::settled_effects(db, start).await?, forget::closed_commands(db, start).await?);
        forgotten.effects += effects;
        forgotten.commands += commands;
        if effects + commands == 0 {
            break;
        }
        compactor.pause().await;
    }
    compactor.wake();
    Ok(forgotten)
}
