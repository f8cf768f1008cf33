//! Which of many shapes a point or a path meets: an immutable index that is swapped whole.

use std::fmt;
use std::sync::Arc;

use crate::MAX_SHAPES;
use crate::error::IndexError;
use crate::interval::{Interval, Intervals};
use crate::nest::{Found, Nest};
use crate::point::{Bbox, Point};
use crate::shape::Shape;

/// Beyond these degrees there is no map; a path that leaves it is held against every shape.
const OFF_THE_MAP_DEG: f64 = 1_000.0;

/// Shapes under keys. One key may have several shapes (the sections of a road). Cloning shares everything.
///
/// Visits come in the order of the keys, and of building within one key, whatever the order inside. Answers are those
/// of [`Shape::contains`] and [`Shape::segment_inside`], bit by bit.
pub struct ZoneIndex<K> {
    inner: Arc<Inner<K>>,
}

struct Inner<K> {
    /// Sorted by key.
    entries: Vec<(K, Shape)>,
    /// A box around each shape: most of what shares a cell with a path is told apart here, without touching the shape.
    boxes: Vec<Around>,
    /// Names the shapes by their place in `entries`.
    nest: Nest,
}

/// A box in degrees, rounded outwards to 16 bytes.
struct Around {
    min: [f32; 2],
    max: [f32; 2],
}

impl Around {
    fn new(Bbox { min, max }: Bbox) -> Self {
        Self {
            min: [min.lon, min.lat].map(|deg| (deg as f32).next_down()),
            max: [max.lon, max.lat].map(|deg| (deg as f32).next_up()),
        }
    }

    fn meets(&self, Bbox { min, max }: &Bbox) -> bool {
        f64::from(self.min[0]) <= max.lon
            && min.lon <= f64::from(self.max[0])
            && f64::from(self.min[1]) <= max.lat
            && min.lat <= f64::from(self.max[1])
    }
}

impl<K> Clone for ZoneIndex<K> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<K: fmt::Debug> fmt::Debug for ZoneIndex<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.inner.entries).finish()
    }
}

impl<K: Copy + Ord> ZoneIndex<K> {
    /// An index over all the shapes given. Prepared shapes go into many indices: only their cells are drawn anew.
    ///
    /// # Errors
    /// More than [`MAX_SHAPES`].
    pub fn build(shapes: impl IntoIterator<Item = (K, Shape)>) -> Result<Self, IndexError> {
        let mut entries: Vec<(K, Shape)> = shapes.into_iter().take(MAX_SHAPES + 1).collect();
        if entries.len() > MAX_SHAPES {
            return Err(IndexError::TooManyShapes);
        }
        entries.shrink_to_fit();
        entries.sort_by_key(|(key, _)| *key);
        let nest = Nest::over(entries.iter().map(|(_, shape)| shape));
        let boxes = entries.iter().map(|(_, shape)| Around::new(shape.bbox())).collect();
        Ok(Self { inner: Arc::new(Inner { entries, boxes, nest }) })
    }

    /// Visits every shape that contains the point.
    pub fn at<'a>(&'a self, p: Point, mut visit: impl FnMut(&'a K, &'a Shape)) {
        if !p.is_finite() {
            return;
        }
        let mut found = Found::new();
        self.inner.nest.at(p, &mut found);
        let here = Bbox::of_segment(p, p);
        found.sort_unstable();
        for entry in &found {
            if !entry.full() && !self.near(entry.slot(), &here) {
                continue;
            }
            if let Some((key, shape)) = self.inner.entries.get(entry.slot())
                && (entry.full() || shape.contains(p))
            {
                visit(key, shape);
            }
        }
    }

    /// Visits every shape that the straight path from `a` to `b` meets, with the stretches inside; never empty.
    pub fn touching_segment<'a>(&'a self, a: Point, b: Point, mut visit: impl FnMut(&'a K, &'a Shape, Intervals)) {
        if !on_the_map(a) || !on_the_map(b) {
            return self.touching_any(a, b, visit);
        }
        let mut found = Found::new();
        self.inner.nest.along(a, b, &mut found);
        if found.is_empty() {
            return;
        }
        let around = Bbox::of_segment(a, b);
        found.retain(|entry| entry.full() || self.near(entry.slot(), &around));
        found.sort_unstable();
        let mut before = None;
        for entry in &found {
            if before.replace(entry.slot()) == Some(entry.slot()) {
                continue;
            }
            let Some((key, shape)) = self.inner.entries.get(entry.slot()) else { continue };
            // A shape whose edge passes no cell of the path fills all of them.
            let inside =
                if entry.full() { Intervals::from_slice(&[Interval::WHOLE]) } else { shape.segment_inside(a, b) };
            if !inside.is_empty() {
                visit(key, shape, inside);
            }
        }
    }

    /// Whether any shape may meet the box. `false` is certain and cheap; `true` is told of every large box.
    pub fn may_touch(&self, around: &Bbox) -> bool {
        if !on_the_map(around.min) || !on_the_map(around.max) {
            return !self.is_empty();
        }
        self.inner.nest.any_within(around, &|entry| self.near(entry.slot(), around))
    }

    fn near(&self, slot: usize, around: &Bbox) -> bool {
        self.inner.boxes.get(slot).is_some_and(|shape| shape.meets(around))
    }

    fn touching_any<'a>(&'a self, a: Point, b: Point, mut visit: impl FnMut(&'a K, &'a Shape, Intervals)) {
        for (key, shape) in self.iter() {
            let inside = shape.segment_inside(a, b);
            if !inside.is_empty() {
                visit(key, shape, inside);
            }
        }
    }

    /// The shapes of one key.
    pub fn shapes_of(&self, key: K) -> impl Iterator<Item = &Shape> {
        let first = self.inner.entries.partition_point(|(k, _)| *k < key);
        let tail = self.inner.entries.get(first..).unwrap_or_default();
        tail.iter().take_while(move |(k, _)| *k == key).map(|(_, shape)| shape)
    }

    /// All shapes, in the order of visits.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &Shape)> {
        self.inner.entries.iter().map(|(key, shape)| (key, shape))
    }

    /// How many shapes there are.
    pub fn len(&self) -> usize {
        self.inner.entries.len()
    }

    /// Whether there is no shape at all.
    pub fn is_empty(&self) -> bool {
        self.inner.entries.is_empty()
    }

    /// Bytes on the heap of the index alone; what the shapes share with their clones is told by
    /// [`Shape::heap_bytes`].
    pub fn heap_bytes(&self) -> usize {
        size_of::<Inner<K>>()
            + size_of_val(&*self.inner.entries)
            + size_of_val(&*self.inner.boxes)
            + self.inner.nest.heap_bytes()
    }
}

fn on_the_map(p: Point) -> bool {
    p.lon.abs() < OFF_THE_MAP_DEG && p.lat.abs() < OFF_THE_MAP_DEG
}
