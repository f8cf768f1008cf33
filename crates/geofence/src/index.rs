//! Which of many shapes a point or a path meets: an immutable index that is swapped whole.

use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};
use smallvec::SmallVec;

use crate::MAX_SHAPES;
use crate::error::IndexError;
use crate::interval::Intervals;
use crate::point::{Bbox, Point};
use crate::shape::Shape;

/// Shapes under keys. One key may have several shapes (the sections of a road).
///
/// Visits come in the order of the keys, and of building within one key, whatever the tree inside looks like.
#[derive(Clone, Debug)]
pub struct ZoneIndex<K> {
    /// Sorted by key.
    entries: Vec<(K, Shape)>,
    /// Boxes of the shapes, with their place in `entries`.
    tree: RTree<GeomWithData<Rectangle<[f64; 2]>, usize>>,
}

impl<K: Copy + Ord> ZoneIndex<K> {
    /// An index over all the shapes given.
    ///
    /// # Errors
    /// More than [`MAX_SHAPES`].
    pub fn build(shapes: impl IntoIterator<Item = (K, Shape)>) -> Result<Self, IndexError> {
        let mut entries: Vec<(K, Shape)> = shapes.into_iter().take(MAX_SHAPES + 1).collect();
        if entries.len() > MAX_SHAPES {
            return Err(IndexError::TooManyShapes);
        }
        entries.sort_by_key(|(key, _)| *key);
        let boxes = entries.iter().enumerate().map(|(slot, (_, shape))| {
            let Bbox { min, max } = shape.bbox();
            GeomWithData::new(Rectangle::from_corners([min.lon, min.lat], [max.lon, max.lat]), slot)
        });
        let tree = RTree::bulk_load(boxes.collect());
        Ok(Self { entries, tree })
    }

    /// Visits every shape that contains the point.
    pub fn at<'a>(&'a self, p: Point, mut visit: impl FnMut(&'a K, &'a Shape)) {
        for (key, shape) in self.candidates(p, p) {
            if shape.contains(p) {
                visit(key, shape);
            }
        }
    }

    /// Visits every shape that the straight path from `a` to `b` meets, with the stretches inside; never empty.
    pub fn touching_segment<'a>(&'a self, a: Point, b: Point, mut visit: impl FnMut(&'a K, &'a Shape, Intervals)) {
        for (key, shape) in self.candidates(a, b) {
            let inside = shape.segment_inside(a, b);
            if !inside.is_empty() {
                visit(key, shape, inside);
            }
        }
    }

    /// The shapes of one key.
    pub fn shapes_of(&self, key: K) -> impl Iterator<Item = &Shape> {
        let first = self.entries.partition_point(|(k, _)| *k < key);
        let tail = self.entries.get(first..).unwrap_or_default();
        tail.iter().take_while(move |(k, _)| *k == key).map(|(_, shape)| shape)
    }

    /// All shapes, in the order of visits.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &Shape)> {
        self.entries.iter().map(|(key, shape)| (key, shape))
    }

    /// How many shapes there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no shape at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Entries whose box meets the box around the path, in order.
    fn candidates(&self, a: Point, b: Point) -> impl Iterator<Item = (&K, &Shape)> {
        let mut slots: SmallVec<[usize; 16]> = SmallVec::new();
        if a.is_finite() && b.is_finite() {
            let around = AABB::from_corners([a.lon, a.lat], [b.lon, b.lat]);
            slots.extend(self.tree.locate_in_envelope_intersecting(&around).map(|hit| hit.data));
        }
        slots.sort_unstable();
        slots.into_iter().filter_map(|slot| self.entries.get(slot).map(|(key, shape)| (key, shape)))
    }
}
