//! Three ways to judge a fix by zones: ours; `rstar` over boxes and `geo` prepared for each zone; every zone by `geo`.

use geo::algorithm::line_intersection::{LineIntersection, line_intersection};
use geo::indexed::IntervalTreeMultiPolygon;
use geo::{BoundingRect, Contains, LinesIter};
use geo_types::{Line, MultiPolygon, Rect};
use geofence::{Point, Shape, ZoneIndex};
use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};

use crate::error::Failure;

/// What was found, so that nothing can be left out and the ways can be held against each other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) fixes: u64,
    /// Fixes in no zone.
    pub(super) missed: u64,
    /// Zones that hold a fix.
    pub(super) inside: u64,
    /// Zones that a path meets.
    pub(super) met: u64,
    /// Shares of paths inside.
    pub(super) share: f64,
}

impl Seen {
    fn add(&mut self, inside: u64) {
        self.fixes += 1;
        self.missed += u64::from(inside == 0);
        self.inside += inside;
    }

    /// The same zones, and the same stretches but for rounding.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        (self.fixes, self.inside, self.met) == (other.fixes, other.inside, other.met)
            && (self.share - other.share).abs() <= 1e-6 * (1.0 + self.share)
    }
}

/// A way to judge fix after fix: what holds it, and what the path to it met.
pub(super) trait Way {
    fn judge(&self, from: Point, to: Point, seen: &mut Seen);
}

impl Way for ZoneIndex<u32> {
    fn judge(&self, from: Point, to: Point, seen: &mut Seen) {
        let mut inside = 0;
        self.at(to, |_, _| inside += 1);
        seen.add(inside);
        self.touching_segment(from, to, |_, _, stretches| {
            seen.met += 1;
            seen.share += stretches.iter().map(geofence::Interval::share).sum::<f64>();
        });
    }
}

/// Shapes, made and put under their numbers.
pub(super) fn prepared(zones: &[MultiPolygon<f64>]) -> Result<Vec<(u32, Shape)>, Failure> {
    let shapes = (0_u32..).zip(zones).map(|(key, zone)| Ok((key, Shape::polygon(zone)?)));
    shapes.collect::<Result<_, geofence::ShapeError>>().map_err(Failure::other("prepare the zones"))
}

pub(super) fn index(shapes: Vec<(u32, Shape)>) -> Result<ZoneIndex<u32>, Failure> {
    ZoneIndex::build(shapes).map_err(Failure::other("index the zones"))
}

type Boxed<T> = GeomWithData<Rectangle<[f64; 2]>, T>;

fn boxed<T>(around: Rect<f64>, data: T) -> Boxed<T> {
    let (min, max) = (around.min(), around.max());
    GeomWithData::new(Rectangle::from_corners([min.x, min.y], [max.x, max.y]), data)
}

type Edges = RTree<Boxed<Line<f64>>>;

/// A tree of boxes; for each zone an interval tree of its edges for points, and a tree of them for paths.
pub(super) struct Trees {
    zones: Vec<(IntervalTreeMultiPolygon<f64>, Edges)>,
    boxes: RTree<Boxed<usize>>,
}

impl Trees {
    pub(super) fn over(zones: &[MultiPolygon<f64>]) -> Self {
        let boxes = zones.iter().enumerate().filter_map(|(zone, area)| Some(boxed(area.bounding_rect()?, zone)));
        let edges =
            |area: &MultiPolygon<f64>| area.lines_iter().map(|line| boxed(line.bounding_rect(), line)).collect();
        Self {
            boxes: RTree::bulk_load(boxes.collect()),
            zones: zones
                .iter()
                .map(|area| (IntervalTreeMultiPolygon::new(area), RTree::bulk_load(edges(area))))
                .collect(),
        }
    }
}

impl Way for Trees {
    fn judge(&self, from: Point, to: Point, seen: &mut Seen) {
        let (a, b) = (planar(from), planar(to));
        let here = AABB::from_point([to.lon, to.lat]);
        let found = self.boxes.locate_in_envelope_intersecting(&here).filter_map(|hit| self.zones.get(hit.data));
        seen.add(found.filter(|(area, _)| area.contains(&b)).count() as u64);
        let around = AABB::from_corners([from.lon, from.lat], [to.lon, to.lat]);
        for (area, edges) in
            self.boxes.locate_in_envelope_intersecting(&around).filter_map(|hit| self.zones.get(hit.data))
        {
            let near = edges.locate_in_envelope_intersecting(&around).map(|hit| hit.data);
            stretches(Line::new(a, b), near, || area.contains(&a), seen);
        }
    }
}

/// A tree of boxes; each zone that it finds by all its edges.
pub(super) struct Boxes<'a> {
    zones: &'a [MultiPolygon<f64>],
    boxes: RTree<Boxed<usize>>,
}

impl<'a> Boxes<'a> {
    pub(super) fn over(zones: &'a [MultiPolygon<f64>]) -> Self {
        let boxes = zones.iter().enumerate().filter_map(|(zone, area)| Some(boxed(area.bounding_rect()?, zone)));
        Self { zones, boxes: RTree::bulk_load(boxes.collect()) }
    }
}

impl Way for Boxes<'_> {
    fn judge(&self, from: Point, to: Point, seen: &mut Seen) {
        let (a, b) = (planar(from), planar(to));
        let here = AABB::from_point([to.lon, to.lat]);
        let found = self.boxes.locate_in_envelope_intersecting(&here).filter_map(|hit| self.zones.get(hit.data));
        seen.add(found.filter(|area| area.contains(&b)).count() as u64);
        let around = AABB::from_corners([from.lon, from.lat], [to.lon, to.lat]);
        for area in self.boxes.locate_in_envelope_intersecting(&around).filter_map(|hit| self.zones.get(hit.data)) {
            stretches(Line::new(a, b), area.lines_iter(), || area.contains(&a), seen);
        }
    }
}

/// Every zone: its box, then all its edges.
pub(super) struct Scan<'a> {
    pub(super) zones: Vec<(Rect<f64>, &'a MultiPolygon<f64>)>,
}

impl<'a> Scan<'a> {
    pub(super) fn over(zones: &'a [MultiPolygon<f64>]) -> Self {
        Self { zones: zones.iter().filter_map(|area| Some((area.bounding_rect()?, area))).collect() }
    }
}

impl Way for Scan<'_> {
    fn judge(&self, from: Point, to: Point, seen: &mut Seen) {
        let (a, b) = (planar(from), planar(to));
        let path = Line::new(a, b);
        let around = path.bounding_rect();
        let mut inside = 0;
        for (rect, area) in &self.zones {
            let (min, max) = (rect.min(), rect.max());
            let held = min.x <= b.x && b.x <= max.x && min.y <= b.y && b.y <= max.y;
            inside += u64::from(held && area.contains(&b));
            let (lo, hi) = (around.min(), around.max());
            if min.x <= hi.x && lo.x <= max.x && min.y <= hi.y && lo.y <= max.y {
                stretches(path, area.lines_iter(), || area.contains(&a), seen);
            }
        }
        seen.add(inside);
    }
}

fn planar(p: Point) -> geo_types::Coord<f64> {
    geo_types::Coord { x: p.lon, y: p.lat }
}

/// The stretches of a path inside, from where it crosses the edges of a zone; how they are told is ours too: as shares
/// of the path.
fn stretches(
    path: Line<f64>,
    edges: impl Iterator<Item = Line<f64>>,
    starts_inside: impl FnOnce() -> bool,
    seen: &mut Seen,
) {
    let step = path.delta();
    let length2 = step.x * step.x + step.y * step.y;
    let share = |at: geo_types::Coord<f64>| ((at.x - path.start.x) * step.x + (at.y - path.start.y) * step.y) / length2;
    let mut cuts: smallvec::SmallVec<[f64; 8]> = edges
        .filter_map(|edge| match line_intersection(path, edge)? {
            LineIntersection::SinglePoint { intersection, .. } => Some(share(intersection)),
            LineIntersection::Collinear { .. } => None,
        })
        .collect();
    cuts.sort_unstable_by(f64::total_cmp);
    if starts_inside() {
        cuts.insert(0, 0.0);
    }
    if !cuts.len().is_multiple_of(2) {
        cuts.push(1.0);
    }
    seen.met += u64::from(!cuts.is_empty());
    seen.share += cuts.chunks_exact(2).map(|pair| pair[1] - pair[0]).sum::<f64>();
}
