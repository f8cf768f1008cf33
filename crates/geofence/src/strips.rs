//! Things along one axis in equal strips, so that a look at one place meets only the few that span it; knows neither
//! edges nor metres.

use std::ops::RangeInclusive;

/// Numbered things (edges, pieces), each in every strip that its span meets. Numbers fit in 16 bits, because a shape has
/// at most [`MAX_VERTICES`](crate::MAX_VERTICES): four bytes a thing instead of its own box.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Strips {
    low: f64,
    per_unit: f64,
    /// Where each strip begins in `items`; one more than there are strips.
    starts: Box<[u32]>,
    items: Box<[u16]>,
}

/// Strips to a thing: more of them and each edge of a round polygon lies in more strips, fewer and each strip is
/// fuller. Measured on rings of 40 to 200 vertices.
const STRIPS_PER_ITEM: f64 = 0.5;
/// Places in strips to a thing, about: long edges get fewer strips instead of more places.
const PLACES_PER_ITEM: f64 = 2.0;

/// A numbered thing, and what it spans.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) item: u16,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Strips {
    pub(crate) fn new(spans: &[Span]) -> Self {
        let low = spans.iter().map(|span| span.low).fold(f64::INFINITY, f64::min);
        let high = spans.iter().map(|span| span.high).fold(f64::NEG_INFINITY, f64::max);
        let (count, extent) = (spans.len() as f64, high - low);
        let mean_share = spans.iter().map(|span| span.high - span.low).sum::<f64>() / (extent * count);
        let strips = (count * STRIPS_PER_ITEM).min(PLACES_PER_ITEM / mean_share).max(1.0);
        let per_unit = if extent > 0.0 { strips.floor() / extent } else { 0.0 };
        let strips = if per_unit > 0.0 { strips as usize } else { 1 };
        let mut made = Self { low, per_unit, starts: vec![0; strips + 1].into(), items: Box::default() };
        let strips_of: Vec<(u16, u16)> =
            spans.iter().map(|span| (made.strip(span.low) as u16, made.strip(span.high) as u16)).collect();
        for &(first, end) in &strips_of {
            for strip in first..=end {
                made.starts[usize::from(strip)] += 1;
            }
        }
        // Counts become ends; filling from the last thing to the first turns ends into beginnings.
        let mut places = 0;
        for end in &mut made.starts {
            places += *end;
            *end = places;
        }
        let mut items = vec![0; places as usize];
        for (span, &(first, end)) in spans.iter().zip(&strips_of).rev() {
            for strip in first..=end {
                let place = &mut made.starts[usize::from(strip)];
                *place -= 1;
                items[*place as usize] = span.item;
            }
        }
        made.items = items.into();
        made
    }

    /// The strip at a place, which never falls as the place rises: whatever the rounding, a thing is in every strip
    /// from that of its low end to that of its high end. A place below all has strip 0.
    fn strip(&self, place: f64) -> usize {
        (((place - self.low) * self.per_unit) as usize).min(self.last())
    }

    fn last(&self) -> usize {
        self.starts.len().saturating_sub(2)
    }

    fn items(&self, strips: RangeInclusive<usize>) -> &[u16] {
        let (Some(from), Some(to)) = (self.starts.get(*strips.start()), self.starts.get(strips.end() + 1)) else {
            return &[];
        };
        self.items.get(*from as usize..*to as usize).unwrap_or_default()
    }

    /// What may span the place, by number.
    pub(crate) fn at(&self, place: f64) -> &[u16] {
        let strip = self.strip(place);
        self.items(strip..=strip)
    }

    /// What may meet `low..=high`, each once; `low_of` gives the low end of a span as it was.
    pub(crate) fn between(&self, low: f64, high: f64, low_of: impl Fn(u16) -> f64) -> impl Iterator<Item = u16> {
        let first = self.strip(low);
        let end = self.strip(high);
        let whole = self.items(first..=first).iter().copied();
        let begun = (first + 1..=end).flat_map(move |strip| {
            self.items(strip..=strip).iter().map(move |&item| (strip, item))
        });
        whole.chain(begun.filter(move |&(strip, item)| self.strip(low_of(item)) == strip).map(|(_, item)| item))
    }

    /// What may meet `low..=high`, some of it several times.
    pub(crate) fn spanning(&self, low: f64, high: f64) -> impl Iterator<Item = u16> {
        self.items(self.strip(low)..=self.strip(high)).iter().copied()
    }

    /// The strips one after another.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u16]> {
        (0..=self.last()).map(|strip| self.items(strip..=strip))
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.starts) + size_of_val(&*self.items)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::config;

    fn numbered(spans: &[(f64, f64)]) -> Vec<Span> {
        (0..).zip(spans).map(|(item, &(low, high))| Span { item, low, high }).collect()
    }

    proptest! {
        #![proptest_config(config(0x57))]

        #[test]
        fn nothing_is_missed_and_nothing_comes_twice(
            spans in prop::collection::vec((-20i32..20, 0i32..12), 1..80),
            at in -25i32..35,
            extent in 0i32..40,
        ) {
            let spans: Vec<(f64, f64)> =
                spans.iter().map(|&(low, extent)| (f64::from(low) / 3.0, f64::from(low + extent) / 3.0)).collect();
            let strips = Strips::new(&numbered(&spans));
            let (low, high) = (f64::from(at) / 3.0, f64::from(at + extent) / 3.0);
            let mut found: Vec<u16> = strips.between(low, high, |item| spans[usize::from(item)].0).collect();
            found.sort_unstable();
            prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "{found:?}");
            for (number, span) in (0_u16..).zip(&spans) {
                prop_assert!(!(span.0 <= high && low <= span.1) || found.contains(&number));
                prop_assert!(!(span.0 <= low && low <= span.1) || strips.at(low).contains(&number));
            }
            prop_assert!(strips.items.len() <= 4 * spans.len() + 4, "{}", strips.items.len());
        }
    }

    #[test]
    fn no_extent_and_no_end() {
        let flat = Strips::new(&numbered(&[(5.0, 5.0), (5.0, 5.0)]));
        assert_eq!(flat.at(5.0), [0, 1]);
        let all = flat.between(f64::NEG_INFINITY, f64::INFINITY, |_| 5.0);
        assert_eq!(all.collect::<Vec<_>>(), [0, 1]);
    }
}
