//! Which fixes go into which chunk. What a reader or the digest sees stays the same.

use std::collections::{BTreeMap, BTreeSet};

use model::{Fix, Timestamp, VehicleId};

use crate::sqlite::chunks::{self, Head, NewChunk};
use crate::track::collapse;
use crate::{StoreError, StoredState, chunk};

/// The fixes of one vehicle on one day that are to move, in track order, and the rule states that came with them.
pub(crate) struct Moving {
    pub(crate) vehicle: VehicleId,
    pub(crate) day: i32,
    pub(crate) fixes: Vec<Fix>,
    pub(crate) states: Vec<StoredState>,
}

/// The newest state that had judged only what lies before `start`.
pub(crate) fn state_before(states: &[StoredState], start: Timestamp) -> Option<StoredState> {
    states.iter().filter(|s| s.judged_to < start).max_by_key(|s| s.judged_to).cloned()
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
#[derive(Default)]
pub(crate) struct Plan {
    groups: Vec<Group>,
    /// Chunks that others take the place of.
    pub(crate) gone: Vec<i64>,
    /// (start, n) of the chunks that stay, by vehicle and day.
    taken: BTreeMap<(VehicleId, i32), BTreeSet<(Timestamp, i64)>>,
}

impl Plan {
    /// `heads` are the chunks of the days, in the order (vehicle, day, start, n).
    pub(crate) fn new(moving: Vec<Moving>, heads: &[Head]) -> Self {
        let mut plan = Self::default();
        let mut by_day: BTreeMap<(VehicleId, i32), Vec<Head>> = BTreeMap::new();
        heads.iter().for_each(|h| by_day.entry((h.vehicle, h.day)).or_default().push(h.clone()));
        for m in moving {
            let heads = by_day.get(&(m.vehicle, m.day)).map_or(&[][..], Vec::as_slice);
            let mut targets: BTreeMap<Target, Vec<Fix>> = BTreeMap::new();
            m.fixes.into_iter().for_each(|fix| targets.entry(target(heads, fix.time)).or_default().push(fix));
            plan.add_day(m.vehicle, m.day, heads, targets, &m.states);
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
    pub(crate) fn cut(self, bodies: Vec<(i64, Option<StoredState>, Vec<u8>)>) -> Result<Vec<NewChunk>, StoreError> {
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
