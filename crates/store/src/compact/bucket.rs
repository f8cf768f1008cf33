//! One step of a compaction: the rows of one bucket. Vehicles that have gathered enough leave for chunks, the others
//! stay in fewer rows.
//!
//! First the chunks come, a few at a time, then the rows go: a fix is never missing, a crash leaves it in both places,
//! and as equal fixes are one to every reader, nobody sees that.

use std::collections::BTreeMap;

use model::{Fix, Timestamp, VehicleId};

use super::plan::{Moving, Plan, state_before};
use super::{Round, Shared};
use crate::chunk::bcd::Calendar;
use crate::segment::row::{self, Rows, Strand};
use crate::segment::strand;
use crate::sqlite::chunks;
use crate::sqlite::segments::{self, Content, RowHead};
use crate::track::collapse;
use crate::{StoreError, StoredState};

/// Fixes of a vehicle below which a chunk is not worth rewriting.
const WORTH: usize = 256;
/// Rows that are unpacked at once, bytes: some 200,000 fixes. More only where one segment has more of a bucket.
const STEP_BYTES: u64 = 4 << 20;
/// Fixes, and chunks that they fall into, in one transaction.
const SLICE_FIXES: usize = 1 << 15;
const SLICE_CHUNKS: usize = 32;

/// What a step is to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aim {
    /// Segments up to this one.
    pub(super) last: i64,
    /// Buckets that got nothing since this segment are done with.
    pub(super) idle: i64,
    /// Every row is unpacked, even if it is large and little came.
    pub(super) whole: bool,
    /// Unless it is calm, every fix leaves.
    pub(super) kind: Round,
}

/// Which vehicles leave the picked rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    All,
    /// Those that have gathered enough, and those with nothing newer than this segment.
    Worth(i64),
    None,
}

/// Does one step on a bucket; answers whether there is more to do.
pub(super) async fn step(shared: &Shared, bucket: i64, aim: Aim) -> Result<bool, StoreError> {
    let db = &shared.db;
    let heads = segments::heads(db, bucket, aim.last).await?;
    let Some((rows, leaving)) = choose(&heads, aim) else { return Ok(false) };
    let again = rows.len() < heads.len() && leaving == Leaving::All;
    let Some(into) = rows.last().map(RowHead::segment) else { return Ok(false) };
    let picked = segments::pick(db, rows).await?;
    let (bodies, states) = (picked.bodies, picked.states);
    let (leave, stay) = shared.compute(aim.kind, move || sort_out(&bodies, states, leaving)).await??;
    for slice in leave {
        move_slice(shared, slice, picked.void_mark, aim.kind).await?;
        shared.pause(aim.kind).await;
    }
    let gone: Vec<i64> = rows.iter().map(|row| row.id).collect();
    segments::replace(db, &gone, into, &stay).await?;
    shared.shrink(rows.iter().map(|row| row.bytes).sum(), stay.bytes());
    Ok(again)
}

/// Which rows are taken, and what leaves them. Rows are merged when what is newer has grown to half of what is older:
/// so a fix is rewritten few times, and few rows remain.
fn choose(heads: &[RowHead], aim: Aim) -> Option<(&[RowHead], Leaving)> {
    let newest = heads.last()?.segment();
    let mut total = 0;
    let fits = heads.iter().take_while(|row| {
        total += row.bytes;
        total <= STEP_BYTES
    });
    if let Some(beyond) = heads.get(fits.count()) {
        // Rows of one segment share their states, so they are taken together: at least those of the oldest one.
        let whole = heads.partition_point(|row| row.segment() < beyond.segment());
        let oldest = heads.first()?.segment();
        let fits = if whole == 0 { heads.partition_point(|row| row.segment() == oldest) } else { whole };
        return Some((heads.get(..fits)?, Leaving::All));
    }
    if aim.kind != Round::Calm || newest <= aim.idle {
        return Some((heads, Leaving::All));
    }
    let oldest = heads.first()?.segment();
    let mut begin = heads.len();
    let mut sum = 0;
    while let Some(before) = begin.checked_sub(1).and_then(|last| heads.get(last)) {
        let first = heads.partition_point(|row| row.segment() < before.segment());
        let bytes: u64 = heads.get(first..begin)?.iter().map(|row| row.bytes).sum();
        if begin < heads.len() && bytes > sum * 2 && !aim.whole {
            break;
        }
        (begin, sum) = (first, sum + bytes);
    }
    let taken = heads.get(begin..)?;
    if taken.first()?.segment() == newest {
        return None;
    }
    Some((taken, if begin == 0 { Leaving::Worth(oldest) } else { Leaving::None }))
}

/// One vehicle's fixes in the picked rows.
#[derive(Default)]
struct Found {
    fixes: Vec<Fix>,
    states: Vec<StoredState>,
    /// The newest segment that it has fixes in.
    newest: i64,
}

type Sorted = (Vec<Vec<Moving>>, Content);

/// Unpacks rows: who leaves, in slices that fit one transaction, and what stays.
fn sort_out(
    bodies: &[(i64, Vec<u8>)],
    states: Vec<(VehicleId, StoredState)>,
    leaving: Leaving,
) -> Result<Sorted, StoreError> {
    let mut vehicles: BTreeMap<VehicleId, Found> = BTreeMap::new();
    for (id, body) in bodies {
        let segment = crate::segment::segment_of(*id);
        let outcome = row::read(body, None, |vehicle, fixes| {
            let found = vehicles.entry(vehicle).or_default();
            found.fixes.extend(fixes);
            found.newest = found.newest.max(segment);
        });
        outcome.map_err(|why| StoreError::corrupt(format!("row {id} of a segment"), why))?;
    }
    for (vehicle, state) in states {
        if let Some(found) = vehicles.get_mut(&vehicle) {
            found.states.push(state);
        }
    }
    let (mut leave, mut stay) = (Vec::new(), Vec::new());
    for (vehicle, mut found) in vehicles {
        collapse(&mut found.fixes);
        let leaves = match leaving {
            Leaving::All => true,
            Leaving::Worth(oldest) => found.fixes.len() >= WORTH || found.newest == oldest,
            Leaving::None => false,
        };
        if leaves { leave.push((vehicle, found)) } else { stay.push((vehicle, found)) }
    }
    Ok((slices(leave), content(&stay)))
}

/// Days of vehicles, as many at a time as one transaction takes. A day is never divided.
fn slices(leave: Vec<(VehicleId, Found)>) -> Vec<Vec<Moving>> {
    let mut slices: Vec<Vec<Moving>> = Vec::new();
    let (mut fixes, mut chunks) = (usize::MAX, usize::MAX);
    for (vehicle, found) in leave {
        let mut days: BTreeMap<i32, Vec<Fix>> = BTreeMap::new();
        found.fixes.into_iter().for_each(|fix| days.entry(fix.time.china_day()).or_default().push(fix));
        for (day, of_day) in days {
            // As many chunks as there are fixes, in the worst case, but never more than a day has.
            let touched = of_day.len().min(SLICE_CHUNKS / 8);
            if fixes.saturating_add(of_day.len()) > SLICE_FIXES || chunks.saturating_add(touched) > SLICE_CHUNKS {
                slices.push(Vec::new());
                (fixes, chunks) = (0, 0);
            }
            (fixes, chunks) = (fixes + of_day.len(), chunks + touched);
            let states = found.states.clone();
            if let Some(slice) = slices.last_mut() {
                slice.push(Moving { vehicle, day, fixes: of_day, states });
            }
        }
    }
    slices
}

/// With late fixes in front, every state has judged beyond the start; the oldest is still where others may begin.
fn state_of(found: &Found) -> Option<StoredState> {
    let start = found.fixes.first().map_or(Timestamp::MAX, |f| f.time);
    state_before(&found.states, start).or_else(|| found.states.iter().min_by_key(|s| s.judged_to).cloned())
}

/// Vehicles of one bucket as content of a segment.
fn content(stay: &[(VehicleId, Found)]) -> Content {
    let mut rows = Rows::default();
    let mut calendar = Calendar::default();
    let mut states = Vec::new();
    for (vehicle, found) in stay {
        let mut encoder = strand::Encoder::default();
        found.fixes.iter().for_each(|fix| encoder.push(fix.clone(), &mut calendar));
        let time = |fix: Option<&Fix>| fix.map_or(Timestamp::UNDATED, |f| f.time);
        rows.add(&Strand {
            vehicle: *vehicle,
            start: time(found.fixes.first()),
            stop: time(found.fixes.last()),
            count: encoder.count(),
            bytes: encoder.bytes(),
        });
        states.extend(state_of(found).map(|state| (*vehicle, state)));
    }
    let rows = rows.finish();
    let states: Vec<(VehicleId, &StoredState)> = states.iter().map(|(v, s)| (*v, s)).collect();
    let bucket = rows.first().map(|row| row.bucket).filter(|_| !states.is_empty());
    Content { rows, states: bucket.map(|bucket| (bucket, row::write_states(&states))).into_iter().collect() }
}

async fn move_slice(shared: &Shared, slice: Vec<Moving>, void_mark: i64, kind: Round) -> Result<(), StoreError> {
    let db = &shared.db;
    let _moving = shared.chunks.read().await;
    let days: Vec<(VehicleId, i32)> = slice.iter().map(|m| (m.vehicle, m.day)).collect();
    let plan = Plan::new(slice, &chunks::heads(db, &days).await?);
    let bodies = chunks::bodies(db, &plan.gone).await?;
    let gone = plan.gone.clone();
    let chunks = shared.compute(kind, move || plan.cut(bodies)).await??;
    chunks::exchange(db, &gone, &chunks, void_mark).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::row_id;

    fn rows(sizes: &[(i64, u64)]) -> Vec<RowHead> {
        let n = |at: usize| sizes[..at].iter().filter(|(segment, _)| *segment == sizes[at].0).count() as i64;
        let row =
            |(at, (segment, bytes)): (usize, &(i64, u64))| RowHead { id: row_id(*segment, 7, n(at)), bytes: *bytes };
        sizes.iter().enumerate().map(row).collect()
    }

    #[test]
    fn rows_are_merged_when_it_pays() {
        let aim = Aim { last: 99, idle: 0, whole: false, kind: Round::Calm };
        let worth = |oldest| Some(Leaving::Worth(oldest));
        type Case<'a> = (&'a [(i64, u64)], Aim, usize, Option<Leaving>);
        let cases: [Case<'_>; 12] = [
            (&[], aim, 0, None),
            (&[(5, 10)], aim, 0, None),
            (&[(5, 10), (6, 10)], aim, 2, worth(5)),
            (&[(5, 100), (6, 10), (7, 10)], aim, 2, Some(Leaving::None)),
            (&[(5, 100), (6, 30), (7, 20)], aim, 3, worth(5)),
            (&[(5, 100), (6, 10)], aim, 0, None),
            (&[(5, 100), (6, 10)], Aim { whole: true, ..aim }, 2, worth(5)),
            (&[(5, 100), (6, 10)], Aim { idle: 6, ..aim }, 2, Some(Leaving::All)),
            (&[(5, STEP_BYTES), (6, 10)], aim, 1, Some(Leaving::All)),
            // The states of a segment lie beside its first row.
            (&[(5, STEP_BYTES), (5, 10), (6, 10)], aim, 2, Some(Leaving::All)),
            (&[(5, 10), (6, STEP_BYTES - 20), (6, 20), (7, 10)], aim, 1, Some(Leaving::All)),
            (&[(5, STEP_BYTES + 1), (5, 10)], aim, 2, Some(Leaving::All)),
        ];
        for (sizes, aim, taken, leaving) in cases {
            let heads = rows(sizes);
            let found = choose(&heads, aim);
            assert_eq!(found.map(|(rows, _)| rows.len()).unwrap_or_default(), taken, "{sizes:?}");
            assert_eq!(found.map(|(_, leaving)| leaving), leaving, "{sizes:?}");
        }
    }
}
