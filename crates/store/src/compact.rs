//! Compaction: segments become chunks of one vehicle and one day. What a reader or the digest sees stays the same.
//!
//! A vehicle moves when it has enough fixes to be worth rewriting its last chunk, or when nothing new came since the
//! last round; until then its blocks are carried into one block of the youngest segment. Every step is one
//! transaction over some vehicles, so that facts are written in between and a crash loses nothing. Which fixes lie
//! where follows from checkpoints alone, never from a clock.

use std::collections::{BTreeMap, BTreeSet};

use model::{Fix, Timestamp, VehicleId};

use crate::sqlite::Db;
use crate::sqlite::chunks::{self, Block, Exchange, Head, NewChunk};
use crate::track::collapse;
use crate::{StoreError, StoredState, chunk};

/// Fixes of a vehicle below which a chunk is not worth rewriting.
const WORTH: usize = 256;
/// Vehicles in one transaction.
const STEP: usize = 256;

/// Moves what is worth it; everything when `all` is set.
///
/// # Errors
/// The first vehicle's error; the others were moved all the same.
pub(crate) async fn run(db: &Db, all: bool) -> Result<(), StoreError> {
    let live = chunks::segments(db).await?;
    let (Some(first), Some(last)) = (live.first().copied(), live.last().copied()) else { return Ok(()) };
    let vehicles = chunks::vehicles_up_to(db, last).await?;
    let mut outcome = Ok(());
    for step in vehicles.chunks(STEP) {
        if Box::pin(move_vehicles(db, step, first, last, all)).await.is_ok() {
            continue;
        }
        // One damaged chunk must not hold up the rest.
        for one in step {
            if let Err(error) = Box::pin(move_vehicles(db, &[*one], first, last, all)).await {
                tracing::error!(vehicle = %one.0, %error, "cannot compact");
                outcome = outcome.and(Err(error));
            }
        }
    }
    chunks::drop_empty_segments(db, last).await?;
    outcome
}

/// The fixes of one vehicle that are to move, in track order, and the rule states that came with them.
struct Moving {
    vehicle: VehicleId,
    fixes: Vec<Fix>,
    states: Vec<StoredState>,
    stays: bool,
}

async fn move_vehicles(
    db: &Db,
    vehicles: &[(VehicleId, i64, i64)],
    first: i64,
    last: i64,
    all: bool,
) -> Result<(), StoreError> {
    let ids: Vec<VehicleId> = vehicles.iter().map(|(v, ..)| *v).collect();
    let idle: BTreeSet<VehicleId> = vehicles.iter().filter(|(.., newest)| *newest == first).map(|(v, ..)| *v).collect();
    let blocks = chunks::blocks_up_to(db, last, &ids).await?;
    let moving = blocking(move || unpack(blocks, |v, count| !all && count < WORTH && !idle.contains(&v))).await??;
    let (staying, leaving): (Vec<Moving>, Vec<Moving>) = moving.into_iter().partition(|m| m.stays);
    let days: BTreeSet<(VehicleId, i32)> =
        leaving.iter().flat_map(|m| m.fixes.iter().map(|f| (m.vehicle, f.time.china_day()))).collect();
    let heads = chunks::heads(db, &days.into_iter().collect::<Vec<_>>()).await?;
    let plan = Plan::new(leaving, &heads);
    let bodies = chunks::bodies(db, &plan.gone).await?;
    let gone = plan.gone.clone();
    let (blocks, chunks) = blocking(move || {
        let carried: Vec<Block> =
            staying.into_iter().flat_map(|m| blocks_of(last, m.vehicle, &m.fixes, &m.states)).collect();
        plan.cut(bodies).map(|chunks| (carried, chunks))
    })
    .await??;
    let step = Exchange { last, vehicles: &ids, blocks: &blocks, chunks_gone: &gone, chunks: &chunks };
    chunks::exchange(db, &step).await
}

/// Runs work that computes off the threads that serve.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.map_err(|e| StoreError::Engine { doing: "finish a computation", source: Box::new(e) })
}

fn unpack(blocks: Vec<Block>, stays: impl Fn(VehicleId, usize) -> bool) -> Result<Vec<Moving>, StoreError> {
    let mut by_vehicle: BTreeMap<VehicleId, Moving> = BTreeMap::new();
    for block in blocks {
        let vehicle = block.vehicle;
        let entry = by_vehicle.entry(vehicle);
        let entry = entry.or_insert(Moving { vehicle, fixes: Vec::new(), states: Vec::new(), stays: false });
        entry.fixes.extend(block.unpack()?);
        entry.states.extend(block.state);
    }
    Ok(by_vehicle
        .into_values()
        .map(|mut m| {
            collapse(&mut m.fixes);
            m.stays = stays(m.vehicle, m.fixes.len());
            m
        })
        .collect())
}

/// The newest state that had judged only what lies before `start`.
fn state_before(states: &[StoredState], start: Timestamp) -> Option<StoredState> {
    states.iter().filter(|s| s.judged_to < start).max_by_key(|s| s.judged_to).cloned()
}

/// Fixes in track order as blocks of a segment.
pub(crate) fn blocks_of<F: std::borrow::Borrow<Fix>>(
    segment: i64,
    vehicle: VehicleId,
    fixes: &[F],
    states: &[StoredState],
) -> Vec<Block> {
    fixes
        .chunks(chunk::CHUNK_COUNT_MAX)
        .enumerate()
        .map(|(n, piece)| {
            let (start, stop) = ends(piece);
            let state = if n == 0 { state_before(states, start).or_else(|| oldest(states)) } else { None };
            let body = chunk::encode(piece);
            Block { segment, vehicle, n: n as i64, start, stop, fixes: piece.len(), state, body }
        })
        .collect()
}

/// With late fixes in front, every state has judged beyond the start; the oldest is still where others may begin.
fn oldest(states: &[StoredState]) -> Option<StoredState> {
    states.iter().min_by_key(|s| s.judged_to).cloned()
}

fn ends<F: std::borrow::Borrow<Fix>>(fixes: &[F]) -> (Timestamp, Timestamp) {
    let time = |fix: Option<&F>| fix.map_or(Timestamp::UNDATED, |f| f.borrow().time);
    (time(fixes.first()), time(fixes.last()))
}

/// Which fixes go together with which chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    /// Into the chunk with this place among the day's chunks.
    Chunk(usize),
    /// Into a new one before the chunk with this place.
    Gap(usize),
}

/// Where a fix belongs among the chunks of its day, which do not overlap.
fn target(heads: &[Head], time: Timestamp) -> Target {
    let has_room = |place: usize| heads.get(place).is_some_and(|h| h.fixes < chunk::CHUNK_COUNT_MAX);
    let after = heads.partition_point(|h| h.start <= time);
    let before = after.checked_sub(1);
    let inside = before.and_then(|b| heads.get(b)).is_some_and(|h| {
        // A full chunk of a single instant (undated fixes) takes no more: it would be rewritten for ever.
        time < h.stop || (time == h.stop && h.start < h.stop)
    });
    match before {
        Some(b) if inside || has_room(b) => Target::Chunk(b),
        _ if has_room(after) => Target::Chunk(after),
        _ => Target::Gap(after),
    }
}

/// Fixes that become chunks together.
struct Group {
    vehicle: VehicleId,
    day: i32,
    /// The chunk that they are merged with.
    with: Option<i64>,
    /// Nothing lies behind them on that day: what comes will be appended.
    is_tail: bool,
    fixes: Vec<Fix>,
    states: Vec<StoredState>,
}

/// What is to be rewritten.
struct Plan {
    groups: Vec<Group>,
    gone: Vec<i64>,
    /// (start, n) of the chunks that stay, by vehicle and day.
    taken: BTreeMap<(VehicleId, i32), BTreeSet<(Timestamp, i64)>>,
}

impl Plan {
    fn new(moving: Vec<Moving>, heads: &[Head]) -> Self {
        let mut plan = Self { groups: Vec::new(), gone: Vec::new(), taken: BTreeMap::new() };
        let mut by_day: BTreeMap<(VehicleId, i32), Vec<Head>> = BTreeMap::new();
        heads.iter().for_each(|h| by_day.entry((h.vehicle, h.day)).or_default().push(h.clone()));
        for m in moving {
            let mut days: BTreeMap<i32, BTreeMap<Target, Vec<Fix>>> = BTreeMap::new();
            for fix in m.fixes {
                let day = fix.time.china_day();
                let heads = by_day.get(&(m.vehicle, day)).map_or(&[][..], Vec::as_slice);
                days.entry(day).or_default().entry(target(heads, fix.time)).or_default().push(fix);
            }
            for (day, targets) in days {
                let heads = by_day.get(&(m.vehicle, day)).map_or(&[][..], Vec::as_slice);
                plan.add_day(m.vehicle, day, heads, targets, &m.states);
            }
        }
        plan
    }

    fn add_day(
        &mut self,
        vehicle: VehicleId,
        day: i32,
        heads: &[Head],
        targets: BTreeMap<Target, Vec<Fix>>,
        states: &[StoredState],
    ) {
        let touched: BTreeSet<usize> =
            targets.keys().filter_map(|t| if let Target::Chunk(c) = t { Some(*c) } else { None }).collect();
        let stay = heads.iter().enumerate().filter(|(i, _)| !touched.contains(i)).map(|(_, h)| (h.start, h.n));
        self.taken.insert((vehicle, day), stay.collect());
        for (target, fixes) in targets {
            let (with, is_tail) = match target {
                Target::Chunk(c) => (heads.get(c).map(|h| h.id), c + 1 >= heads.len()),
                Target::Gap(g) => (None, g >= heads.len()),
            };
            self.gone.extend(with);
            self.groups.push(Group { vehicle, day, with, is_tail, fixes, states: states.to_vec() });
        }
    }

    /// Merges with what the chunks held, and cuts anew.
    fn cut(self, bodies: Vec<(i64, Option<StoredState>, Vec<u8>)>) -> Result<Vec<NewChunk>, StoreError> {
        let Self { groups, mut taken, .. } = self;
        let mut bodies: BTreeMap<i64, _> = bodies.into_iter().map(|(id, state, body)| (id, (state, body))).collect();
        let mut cut = Vec::new();
        for mut group in groups {
            if let Some(id) = group.with {
                let name = || format!("chunk {id} of {}", group.vehicle);
                let (state, body) = bodies.remove(&id).ok_or_else(|| StoreError::corrupt(name(), "it is gone"))?;
                group.fixes.extend(chunks::unpack(&body, name)?);
                group.states.extend(state);
            }
            collapse(&mut group.fixes);
            let taken = taken.entry((group.vehicle, group.day)).or_default();
            cut.extend(group.fixes.chunks(size(group.fixes.len(), group.is_tail)).map(|f| new_chunk(&group, f, taken)));
        }
        Ok(cut)
    }
}

/// Fixes in a chunk: full ones at the end of a day, where more will come; even ones where late fixes fell in.
fn size(count: usize, is_tail: bool) -> usize {
    let max = chunk::CHUNK_COUNT_MAX;
    if is_tail { max } else { count.div_ceil(count.div_ceil(max).max(1)).clamp(1, max) }
}

fn new_chunk(group: &Group, fixes: &[Fix], taken: &mut BTreeSet<(Timestamp, i64)>) -> NewChunk {
    let (start, stop) = ends(fixes);
    let used = taken.range((start, i64::MIN)..=(start, i64::MAX)).next_back();
    let n = used.map_or(0, |(_, n)| n.saturating_add(1));
    taken.insert((start, n));
    NewChunk {
        vehicle: group.vehicle,
        day: group.day,
        start,
        n,
        stop,
        fixes: fixes.len(),
        extent: chunk::cells::extent(fixes),
        cells: chunk::cells::encode(fixes),
        state: state_before(&group.states, start),
        body: chunk::encode(fixes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(start: i64, stop: i64, fixes: usize) -> Head {
        Head { id: start, vehicle: VehicleId(1), day: 0, start: Timestamp(start), n: 0, stop: Timestamp(stop), fixes }
    }

    #[test]
    fn fixes_find_their_chunk() {
        const FULL: usize = chunk::CHUNK_COUNT_MAX;
        let day = [head(10, 20, FULL), head(30, 40, 5), head(50, 60, FULL)];
        let cases = [
            (5, Target::Gap(0)),
            (10, Target::Chunk(0)),
            (20, Target::Chunk(0)),
            (25, Target::Chunk(1)),
            (45, Target::Chunk(1)),
            (60, Target::Chunk(2)),
            (61, Target::Gap(3)),
        ];
        for (time, want) in cases {
            assert_eq!(target(&day, Timestamp(time)), want, "{time}");
        }
        assert_eq!(target(&[], Timestamp(1)), Target::Gap(0));
        assert_eq!(target(&[head(0, 0, FULL)], Timestamp(0)), Target::Gap(1), "undated fixes are appended");
        assert_eq!(target(&[head(0, 0, 3)], Timestamp(0)), Target::Chunk(0));
    }

    #[test]
    fn chunks_are_full_at_the_tail_and_even_elsewhere() {
        assert_eq!(size(1025, true), 1024);
        assert_eq!(size(1025, false), 513);
        assert_eq!(size(1024, false), 1024);
        assert_eq!(size(0, false), 1);
    }
}
