//! Packing: what lanes cut becomes a segment.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::VehicleId;

use crate::chunk::bcd::Calendar;
use crate::hot::{Buffer, later};
use crate::segment::row::{self, Rows, Strand};
use crate::segment::{self, strand};
use crate::sqlite::segments::Content;
use crate::{Checkpoint, LastPosition, StoredState, sabotage};

/// A segment, before it has a number, and the last positions that it brings.
pub(crate) struct Packed {
    pub(crate) content: Content,
    pub(crate) last: Vec<(VehicleId, LastPosition)>,
}

/// Packs the buffers of all lanes. The strands are taken as they are.
pub(crate) fn pack(buffers: &[Arc<Buffer>], checkpoint: &mut Checkpoint) -> Packed {
    let mut strands: Vec<(i64, Strand<'_>)> =
        buffers.iter().flat_map(|b| b.strands()).map(|s| (segment::bucket(s.vehicle), s)).collect();
    // Stable: a vehicle's strands stay in the order in which they came.
    strands.sort_by_key(|(bucket, strand)| (*bucket, strand.vehicle));
    let mut rows = Rows::default();
    let changed = strands.first().filter(|_| sabotage::changes_a_fix()).and_then(|(_, strand)| sabotaged(strand));
    for (n, (_, strand)) in strands.iter().enumerate() {
        match &changed {
            Some(bytes) if n == 0 => rows.add(&Strand { bytes, ..*strand }),
            _ => rows.add(strand),
        }
    }
    let is_here = |vehicle: VehicleId| {
        strands.binary_search_by_key(&(segment::bucket(vehicle), vehicle), |(b, s)| (*b, s.vehicle)).is_ok()
    };
    let mut states: BTreeMap<i64, Vec<(VehicleId, StoredState)>> = BTreeMap::new();
    for (vehicle, judged_to, state) in std::mem::take(&mut checkpoint.segment_states) {
        if is_here(vehicle) {
            states.entry(segment::bucket(vehicle)).or_default().push((vehicle, StoredState { judged_to, state }));
        }
    }
    let states = states.into_iter().map(|(bucket, of)| {
        let of: Vec<_> = of.iter().map(|(v, s)| (*v, s)).collect();
        (bucket, row::write_states(&of))
    });
    let content = Content { states: states.collect(), rows: rows.finish() };
    // In the order of the table, so that its pages are visited once.
    checkpoint.states.sort_by_key(|state| state.vehicle.0 as i64);
    Packed { content, last: last_positions(buffers, checkpoint) }
}

fn last_positions(buffers: &[Arc<Buffer>], checkpoint: &Checkpoint) -> Vec<(VehicleId, LastPosition)> {
    let mut last: Vec<(VehicleId, LastPosition)> =
        checkpoint.states.iter().filter_map(|s| Some((s.vehicle, s.last?))).collect();
    last.extend(buffers.iter().flat_map(|b| b.last_positions()));
    last.sort_by_key(|(vehicle, _)| vehicle.0 as i64);
    last.dedup_by(|(vehicle, position), (kept, best)| {
        let same = vehicle == kept;
        if same {
            *best = later(Some(*best), Some(*position)).unwrap_or(*best);
        }
        same
    });
    last
}

/// A strand whose first fix is a little faster than it was.
fn sabotaged(strand: &Strand<'_>) -> Option<Vec<u8>> {
    let (mut encoder, mut calendar) = (strand::Encoder::default(), Calendar::default());
    for (n, mut fix) in strand::decode(strand.bytes, strand.count).ok()?.into_iter().enumerate() {
        fix.speed_dkmh = fix.speed_dkmh.wrapping_add(u16::from(n == 0));
        encoder.push(fix, &mut calendar);
    }
    Some(encoder.finish())
}
