//! Things along one axis in equal strips, so that a look at one place meets only the few that span it; knows neither
//! edges nor metres.

/// Numbered things (edges, pieces), each in every strip that its span meets. Numbers and places fit in 16 bits, because
/// a shape has at most [`MAX_VERTICES`](crate::MAX_VERTICES): some six bytes a thing instead of its own box.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Strips {
    low: f64,
    per_unit: f64,
    /// Where in `items` those of each strip begin: first what comes from the strip below, then what begins in it. One
    /// more than twice the strips.
    bounds: Box<[u16]>,
    items: Box<[u16]>,
}

/// Strips to a thing: more of them and each edge of a round polygon lies in more strips, fewer and each strip is
/// fuller. Measured on rings of 40 to 200 vertices.
const STRIPS_PER_ITEM: f64 = 0.5;
/// Places in strips to a thing beyond its first two, at most: long edges get fewer strips instead of more places.
const PLACES_PER_ITEM: f64 = 2.0;
/// Most places.
const PLACES_MAX: f64 = u16::MAX as f64;

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
        // A thing lies in at most two strips more than it is long in strips.
        let long = spans.iter().map(|span| span.high - span.low).sum::<f64>() / extent;
        let places = (count * PLACES_PER_ITEM).min(PLACES_MAX - 2.0 * count);
        let strips = (count * STRIPS_PER_ITEM).min(places / long).max(1.0).floor();
        let per_unit = strips / extent;
        let (strips, per_unit) = if per_unit.is_finite() { (strips as usize, per_unit) } else { (1, 0.0) };
        let mut made = Self { low, per_unit, bounds: vec![0; 2 * strips + 1].into(), items: Box::default() };
        let held: Vec<(usize, usize)> =
            spans.iter().map(|span| (made.strip(span.low), made.strip(span.high))).collect();
        for &(first, last) in &held {
            made.bounds[2 * first + 1] += 1;
            (first + 1..=last).for_each(|strip| made.bounds[2 * strip] += 1);
        }
        // Counts become ends; filling from the last thing to the first turns ends into beginnings.
        let mut places = 0;
        for end in &mut made.bounds {
            places += *end;
            *end = places;
        }
        let mut items = vec![0; places.into()];
        for (span, &(first, last)) in spans.iter().zip(&held).rev() {
            let mut put = |bound: &mut u16| {
                *bound -= 1;
                items[usize::from(*bound)] = span.item;
            };
            put(&mut made.bounds[2 * first + 1]);
            (first + 1..=last).for_each(|strip| put(&mut made.bounds[2 * strip]));
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
        (self.bounds.len() / 2).saturating_sub(1)
    }

    /// What lies between two bounds.
    fn items(&self, from: usize, to: usize) -> &[u16] {
        let (Some(&from), Some(&to)) = (self.bounds.get(from), self.bounds.get(to)) else {
            return &[];
        };
        self.items.get(from.into()..to.into()).unwrap_or_default()
    }

    /// What may span the place, by number; what began below it first.
    pub(crate) fn at(&self, place: f64) -> &[u16] {
        let strip = self.strip(place);
        self.items(2 * strip, 2 * strip + 2)
    }

    /// What may meet `low..=high`, each once.
    pub(crate) fn between(&self, low: f64, high: f64) -> impl Iterator<Item = u16> {
        let (first, last) = (self.strip(low), self.strip(high));
        let begun = (first + 1..=last).flat_map(|strip| self.items(2 * strip + 1, 2 * strip + 2));
        self.items(2 * first, 2 * first + 2).iter().chain(begun).copied()
    }

    /// The strips one after another.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u16]> {
        (0..=self.last()).map(|strip| self.items(2 * strip, 2 * strip + 2))
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.bounds) + size_of_val(&*self.items)
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
            let mut found: Vec<u16> = strips.between(low, high).collect();
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
        let all = flat.between(f64::NEG_INFINITY, f64::INFINITY);
        assert_eq!(all.collect::<Vec<_>>(), [0, 1]);
    }
}
