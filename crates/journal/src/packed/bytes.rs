//! Frames by prediction: each byte from the same place in the frame before it of the same terminal and type, as it
//! was, carried on in a straight line, or as the bytes at that place use to follow each other. It knows no protocol:
//! only that most frames stand between flags, are byte-stuffed and end in an exclusive-or, that their first two bytes
//! tell their type, and that numbers have their high byte first. Where that is wrong it costs bytes, never truth.

use std::collections::HashMap;

use super::range::{Bit, Coder, Number, TREE, Tree, byte};

/// Types of frames with places of their own; all others share the last.
const TYPES: usize = 16;
/// Places in a frame with odds of their own; those behind share.
const PLACES: usize = 128;
const SHARED: usize = 64;
/// How far the bytes before are from what was predicted: -2 to 2.
const STEPS: usize = 5;
/// Trees of a place: two by steps, one for each byte that stood there.
const SLOTS: usize = 2 * STEPS + 256;
/// So many bytes in a row are first asked whether all of them are as predicted.
const GROUP: usize = 8;
/// After so many misses at a place the ways that are not used there are tried only now and then.
const TRIED_ALWAYS: u32 = 64;
const TRIED_EVERY: u32 = 8;
/// Types remembered for each terminal.
const TYPES_PER_TERMINAL: usize = 8;
/// Longer frames are coded, but nothing is predicted from them.
const REMEMBERED_MAX: usize = 2_048;

/// A frame of one terminal and type, and the one before it.
#[derive(Clone, Default)]
struct Past {
    key: [u8; 2],
    last: Vec<u8>,
    before: Vec<u8>,
    /// By place: whether the last two predictions held.
    hits: Vec<u8>,
}

/// What one terminal sent; the newest type first.
#[derive(Clone, Default)]
pub(super) struct Pasts(Vec<Past>);

struct Place {
    hits: [Bit; 32],
    /// What each way of coding costs here lately, and which is the cheapest.
    costs: [u32; 3],
    way: usize,
    /// How often the prediction did not hold.
    misses: u32,
    /// Where the trees of this place are in the arena; 0 for none yet.
    slots: Box<[u32; SLOTS]>,
}

impl Place {
    fn new() -> Self {
        Self { hits: [Bit::NEW; 32], costs: [2_048; 3], way: 0, misses: 0, slots: Box::new([0; SLOTS]) }
    }
}

/// What is learnt of frames within a block.
pub(super) struct Frames {
    is_framed: Bit,
    is_known: [Bit; TYPES_PER_TERMINAL + 1],
    length: Number,
    same_length: Bit,
    keys: [Tree; 2],
    types: HashMap<[u8; 2], usize>,
    places: Vec<Option<Place>>,
    groups: Vec<[Bit; 8]>,
    trees: Vec<Tree>,
    /// The newest frame of each type, whoever sent it.
    newest: HashMap<[u8; 2], Vec<u8>>,
    scratch: Vec<u8>,
}

const FLAG: u8 = 0x7e;
const ESCAPE: u8 = 0x7d;

/// The bytes between the flags, unstuffed and without the check byte; `false` when the frame has another form.
fn unframe(raw: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let [FLAG, inner @ .., FLAG] = raw else { return false };
    let mut bytes = inner.iter();
    let mut check = 0;
    while let Some(&byte) = bytes.next() {
        let byte = match byte {
            FLAG => return false,
            ESCAPE => match bytes.next() {
                Some(1) => ESCAPE,
                Some(2) => FLAG,
                _ => return false,
            },
            byte => byte,
        };
        check ^= byte;
        out.push(byte);
    }
    // With the check byte the exclusive-or of all is zero. The two bytes of the type must remain.
    out.len() > 2 && check == 0 && out.pop().is_some()
}

/// The inverse of [`unframe`].
fn frame(payload: &[u8], out: &mut Vec<u8>) {
    out.push(FLAG);
    let check = payload.iter().fold(0, |check, byte| check ^ byte);
    for &byte in payload.iter().chain([&check]) {
        match byte {
            FLAG => out.extend_from_slice(&[ESCAPE, 2]),
            ESCAPE => out.extend_from_slice(&[ESCAPE, 1]),
            byte => out.push(byte),
        }
    }
    out.push(FLAG);
}

impl Frames {
    pub(super) fn new() -> Self {
        Self {
            is_framed: Bit::NEW,
            is_known: [Bit::NEW; TYPES_PER_TERMINAL + 1],
            length: Number::new(),
            same_length: Bit::NEW,
            keys: [TREE; 2],
            types: HashMap::new(),
            places: std::iter::repeat_with(|| None).take(TYPES * PLACES).collect(),
            groups: vec![[Bit::NEW; 8]; TYPES * PLACES / GROUP],
            // The first is never used, so that 0 can mean none.
            trees: vec![TREE],
            newest: HashMap::new(),
            scratch: Vec::new(),
        }
    }

    /// Codes a frame (`raw` is what is to be written) and appends it to `out`; `None` when more than `max` bytes
    /// would come.
    pub(super) fn code(
        &mut self,
        coder: &mut impl Coder,
        pasts: &mut Pasts,
        raw: &[u8],
        max: usize,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let mut payload = std::mem::take(&mut self.scratch);
        let is_framed = coder.bit(&mut self.is_framed, unframe(raw, &mut payload));
        if !is_framed {
            payload.clear();
            payload.extend_from_slice(raw);
        }
        let result = self.payload(coder, pasts, &payload, max);
        self.scratch = payload;
        let past = pasts.0.first()?;
        let start = out.len();
        match (result?, is_framed) {
            (Coded::Remembered, true) => frame(&past.last, out),
            (Coded::Remembered, false) => out.extend_from_slice(&past.last),
            (Coded::Long(bytes), true) => frame(&bytes, out),
            (Coded::Long(bytes), false) => out.extend_from_slice(&bytes),
        }
        (out.len() - start <= max).then_some(())
    }

    fn payload(&mut self, coder: &mut impl Coder, pasts: &mut Pasts, want: &[u8], max: usize) -> Option<Coded> {
        let key = [want.first().copied().unwrap_or(0), want.get(1).copied().unwrap_or(0)];
        let is_cold = self.key(coder, pasts, key);
        let past = pasts.0.first_mut()?;
        if is_cold && let Some(newest) = self.newest.get(&past.key) {
            past.last.clone_from(newest);
            past.before.clone_from(newest);
        }
        let length = if coder.bit(&mut self.same_length, want.len() == past.last.len()) {
            past.last.len()
        } else {
            usize::try_from(self.length.code(coder, want.len() as u64)).ok()?
        };
        if length > max {
            return None;
        }
        let before = std::mem::take(&mut past.before);
        let mut cur = Vec::with_capacity(length);
        let types = self.types.len();
        let number = *self.types.entry(past.key).or_insert(types.min(TYPES - 1));
        let mut row = Row {
            places: &mut self.places[number * PLACES..(number + 1) * PLACES],
            groups: &mut self.groups[number * PLACES / GROUP..(number + 1) * PLACES / GROUP],
            trees: &mut self.trees,
            last: &past.last,
            before: &before,
            hits: &mut past.hits,
            is_cold,
            held: false,
        };
        row.hits.resize(length.min(REMEMBERED_MAX), 0);
        cur.extend(past.key.iter().take(length));
        while cur.len() < length {
            let end = ((cur.len() / GROUP + 1) * GROUP).min(length);
            if !row.group(coder, &mut cur, end, want) {
                for at in cur.len()..end {
                    let byte = row.byte(coder, &cur, at, want.get(at).copied().unwrap_or(0));
                    cur.push(byte);
                }
            }
        }
        if length > REMEMBERED_MAX {
            past.before = before;
            return Some(Coded::Long(cur));
        }
        self.newest.entry(past.key).or_default().clone_from(&cur);
        past.before = std::mem::replace(&mut past.last, cur);
        if is_cold {
            past.before.clone_from(&past.last);
        }
        Some(Coded::Remembered)
    }

    /// The type of the frame, whose past is then the first. Says whether the terminal had none of it yet.
    fn key(&mut self, coder: &mut impl Coder, pasts: &mut Pasts, key: [u8; 2]) -> bool {
        for index in 0..pasts.0.len() {
            if coder.bit(&mut self.is_known[index.min(TYPES_PER_TERMINAL)], pasts.0[index].key == key) {
                pasts.0[..=index].rotate_right(1);
                return false;
            }
        }
        let key = [byte(coder, &mut self.keys[0], key[0]), byte(coder, &mut self.keys[1], key[1])];
        pasts.0.truncate(TYPES_PER_TERMINAL - 1);
        pasts.0.insert(0, Past { key, ..Past::default() });
        true
    }
}

enum Coded {
    /// It is now the newest of its past.
    Remembered,
    /// Too long for that.
    Long(Vec<u8>),
}

/// One frame that is being coded.
struct Row<'a> {
    places: &'a mut [Option<Place>],
    groups: &'a mut [[Bit; 8]],
    trees: &'a mut Vec<Tree>,
    last: &'a [u8],
    before: &'a [u8],
    hits: &'a mut Vec<u8>,
    is_cold: bool,
    /// Whether the prediction of the byte before held.
    held: bool,
}

/// Three bytes up to `at` as a number.
fn window(bytes: &[u8], at: usize) -> u32 {
    let byte = |at: Option<usize>| at.and_then(|at| bytes.get(at)).map_or(0, |byte| u32::from(*byte));
    byte(at.checked_sub(2)) << 16 | byte(at.checked_sub(1)) << 8 | byte(Some(at))
}

/// How far the two bytes before are from those of `predicted`: 0 to 4, with 2 for not at all.
fn step(predicted: u32, bytes: &[u8], at: usize) -> usize {
    let have = window(bytes, at) >> 8;
    let off = (have as u16).wrapping_sub((predicted >> 8) as u16) as i16;
    (off.clamp(-2, 2) + 2) as usize
}

impl Row<'_> {
    /// Where the odds of a place are.
    const fn place(at: usize) -> usize {
        if at < PLACES { at } else { SHARED + at % SHARED }
    }

    /// What the byte should be, by the way that is the cheapest at its place.
    #[inline]
    fn predict(&self, at: usize) -> u8 {
        let (last, before) = (self.last.get(at).copied().unwrap_or(0), self.before.get(at).copied().unwrap_or(0));
        match &self.places[Self::place(at)] {
            Some(place) if place.way > 0 => last,
            _ => last.wrapping_mul(2).wrapping_sub(before),
        }
    }

    /// Asks whether all bytes up to `end` are as predicted, and takes them if so.
    #[inline]
    fn group(&mut self, coder: &mut impl Coder, cur: &mut Vec<u8>, end: usize, want: &[u8]) -> bool {
        let at = cur.len();
        let mut predicted = [0; GROUP];
        let predicted = &mut predicted[..end - at];
        for (offset, byte) in predicted.iter_mut().enumerate() {
            *byte = self.predict(at + offset);
        }
        let past = self.hits.get_mut(at..end).unwrap_or_default();
        let history = past.iter().fold(3, |all, hits| all & hits);
        let context = usize::from(history) << 1 | usize::from(self.is_cold);
        let model = &mut self.groups[Self::place(at) / GROUP][context];
        let is_held = coder.bit(model, want.get(at..end) == Some(predicted));
        if is_held {
            past.iter_mut().for_each(|hits| *hits = (*hits << 1) | 1);
            cur.extend_from_slice(predicted);
            self.held = true;
        }
        is_held
    }

    #[inline]
    fn byte(&mut self, coder: &mut impl Coder, cur: &[u8], at: usize, want: u8) -> u8 {
        let predicted = self.predict(at);
        let place = self.places[Self::place(at)].get_or_insert_with(Place::new);
        let past = self.hits.get_mut(at);
        let history = past.as_ref().map_or(0, |hits| usize::from(**hits & 3));
        let context =
            usize::from(place.way == 0) << 4 | history << 2 | usize::from(self.held) << 1 | usize::from(self.is_cold);
        self.held = coder.bit(&mut place.hits[context], want == predicted);
        if let Some(hits) = past {
            *hits = (*hits << 1) | u8::from(self.held);
        }
        if self.held {
            return predicted;
        }
        let (last, before) = (window(self.last, at), window(self.before, at));
        let line = (2 * last).wrapping_sub(before) & 0x00ff_ffff;
        // Each way: what is added to its symbol to make the byte, and its tree.
        let ways = [
            (line as u8, step(line, cur, at)),
            (last as u8, STEPS + step(last, cur, at)),
            (0, 2 * STEPS + (last & 0xff) as usize),
        ];
        let (base, slot) = ways[place.way];
        let chosen = tree(self.trees, &mut place.slots[slot]);
        let value = byte(coder, &mut self.trees[chosen], want.wrapping_sub(base)).wrapping_add(base);
        place.misses = place.misses.wrapping_add(1);
        if place.misses < TRIED_ALWAYS || place.misses.is_multiple_of(TRIED_EVERY) {
            place.try_ways(self.trees, ways, value);
        }
        value
    }
}

impl Place {
    /// Lets each way learn the byte, and sees which is the cheapest.
    fn try_ways(&mut self, trees: &mut Vec<Tree>, ways: [(u8, usize); 3], value: u8) {
        for (way, (base, slot)) in ways.into_iter().enumerate() {
            let index = tree(trees, &mut self.slots[slot]);
            let cost = follow(&mut trees[index], value.wrapping_sub(base), way != self.way);
            self.costs[way] = self.costs[way] - self.costs[way] / 16 + cost / 16;
        }
        self.way = (1..3).fold(0, |best, way| if self.costs[way] < self.costs[best] { way } else { best });
    }
}

/// The tree of a slot, made when there is none.
fn tree(trees: &mut Vec<Tree>, slot: &mut u32) -> usize {
    if *slot == 0 {
        *slot = trees.len() as u32;
        trees.push(TREE);
    }
    *slot as usize
}

/// What a symbol costs in a tree, which learns it first unless it did already.
#[inline]
fn follow(tree: &mut Tree, symbol: u8, learns: bool) -> u32 {
    let mut node = 1;
    let mut cost = 0;
    for i in (0..8).rev() {
        let bit = (symbol >> i) & 1 == 1;
        let model = &mut tree[node & 0xff];
        if learns {
            model.learn(bit);
        }
        cost += model.cost(bit);
        node = node * 2 + usize::from(bit);
    }
    cost
}

#[cfg(test)]
mod tests {
    use super::super::range::{Decoder, Encoder};
    use super::*;

    fn framed(payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        frame(payload, &mut out);
        out
    }

    #[test]
    fn frames_of_any_form_come_back() {
        let long: Vec<u8> = (0..5_000_u32).map(|n| ((n * n) >> 3) as u8).collect();
        let wanted: Vec<Vec<u8>> = vec![
            Vec::new(),
            vec![0x7e],
            vec![0x7e, 0x7e],
            framed(&[2, 0]),
            framed(&[2, 0, 0x7e, 0x7d, 0x7d, 1, 9]),
            framed(&[2, 0, 0x7e, 0x7d, 0x7d, 2, 9]),
            framed(&[2, 0, 0x7e]),
            b"~\x02\x00~bad~".to_vec(),
            b"~\x02\x00\x05\x7d~".to_vec(),
            framed(&long),
            framed(&long),
            long,
        ];
        let (mut encoder, mut model, mut pasts) = (Encoder::new(), Frames::new(), Pasts::default());
        for raw in wanted.iter().chain(&wanted) {
            let mut out = Vec::new();
            model.code(&mut encoder, &mut pasts, raw, usize::MAX, &mut out).expect("codes");
            assert_eq!(&out, raw, "the writer sees what the reader will");
        }
        let bytes = encoder.finish();
        let (mut decoder, mut model, mut pasts) = (Decoder::new(&bytes), Frames::new(), Pasts::default());
        for raw in wanted.iter().chain(&wanted) {
            let mut out = Vec::new();
            model.code(&mut decoder, &mut pasts, &[], usize::MAX, &mut out).expect("reads");
            assert_eq!(&out, raw);
        }
    }
}
