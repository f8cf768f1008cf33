//! Packing: what lanes cut becomes the blocks of a segment.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Fix, VehicleId};

use crate::compact::blocks_of;
use crate::hot::{Buffer, later};
use crate::sqlite::chunks::Block;
use crate::{Checkpoint, LastPosition, StoredState, sabotage};

/// A segment, before it has a number, and the last positions that it brings.
pub(crate) struct Packed {
    pub(crate) blocks: Vec<Block>,
    pub(crate) last: Vec<(VehicleId, LastPosition)>,
}

/// Packs the buffers of all lanes.
pub(crate) fn pack(buffers: &[Arc<Buffer>], checkpoint: &Checkpoint) -> Packed {
    let mut vehicles: BTreeMap<VehicleId, Vec<&Fix>> = BTreeMap::new();
    let mut last: BTreeMap<VehicleId, Option<LastPosition>> =
        checkpoint.states.iter().map(|s| (s.vehicle, s.last)).collect();
    for buffer in buffers {
        for (vehicle, fixes) in buffer.vehicles() {
            vehicles.entry(vehicle).or_default().extend(fixes);
        }
        for (vehicle, position) in buffer.last_positions() {
            let known = last.entry(vehicle).or_default();
            *known = later(*known, Some(position));
        }
    }
    let mut states: BTreeMap<VehicleId, Vec<StoredState>> = BTreeMap::new();
    for (vehicle, judged_to, state) in &checkpoint.segment_states {
        let state = StoredState { judged_to: *judged_to, state: state.clone() };
        states.entry(*vehicle).or_default().push(state);
    }
    let mut blocks = Vec::with_capacity(vehicles.len());
    for (n, (vehicle, mut fixes)) in vehicles.into_iter().enumerate() {
        fixes.sort_unstable_by(|a, b| a.track_order(b));
        if !sabotage::keeps_duplicates() {
            fixes.dedup_by(|later, first| later.identity_order(first).is_eq());
        }
        let mut changed = fixes.first().map(|f| Fix::clone(f)).filter(|_| n == 0);
        if let Some(changed) = &mut changed {
            sabotage::change_fix(changed);
        }
        if let (Some(changed), Some(first)) = (&changed, fixes.first_mut()) {
            *first = changed;
        }
        let states = states.remove(&vehicle).unwrap_or_default();
        blocks.extend(blocks_of(0, vehicle, &fixes, &states));
    }
    Packed { blocks, last: last.into_iter().filter_map(|(v, p)| Some((v, p?))).collect() }
}
