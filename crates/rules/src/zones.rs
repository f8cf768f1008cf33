//! The zones in force as one immutable index by place, each revision with the span of event time that it governs.

use std::sync::Arc;

use geofence::{Bbox, MAX_SHAPES, Point, Shape, ZoneIndex, distance_m};
use model::{Ask, Direction, Geometry, Registry, Timestamp, Zone, ZoneId};

use crate::limits;
use crate::roads::Roads;

/// One revision of a zone, ready to be judged by.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    pub(crate) zone: Arc<Zone>,
    pub(crate) shape: Shape,
    /// First instant that it governs.
    pub(crate) from: Timestamp,
    /// First instant that it governs no more.
    pub(crate) to: Timestamp,
    /// A fix this deep is no drift, metres.
    pub(crate) deep_m: f64,
    /// A crossing whose middle is this deep is no graze, metres.
    pub(crate) crossing_m: f64,
    /// A crossing less deep is one of the edge alone, centimetres.
    pub(crate) graze_cm: u32,
    /// The least way along the axis of a corridor, centimetres; `None` for an area.
    pub(crate) along_min_cm: Option<u64>,
    /// Somebody may be forbidden to be there.
    pub(crate) forbids: bool,
}

impl Ground {
    fn new(zone: &Arc<Zone>, from: Timestamp, to: Timestamp) -> Result<Self, String> {
        let shape = shape_of(&zone.geometry)?;
        let side_m = match &zone.geometry {
            Geometry::Corridor { half_width_m, .. } => 2.0 * half_width_m,
            Geometry::Corridors(list) => 2.0 * list.iter().map(|one| one.half_width_m).fold(f64::INFINITY, f64::min),
            Geometry::Polygon(_) | Geometry::Circle { .. } => shorter_side_m(shape.bbox()),
        };
        let along_min_cm =
            shape.axis_length_m().map(|axis_m| (limits::V06_ALONG_M.min(axis_m / 2.0) * 100.0).floor() as u64);
        Ok(Self {
            zone: Arc::clone(zone),
            deep_m: limits::DEEP_M.min(side_m / 4.0),
            graze_cm: (limits::GRAZE_M.min(side_m / 16.0) * 100.0).floor() as u32,
            crossing_m: limits::V06_CROSSING_DEPTH_M.min(side_m / 8.0),
            shape,
            from,
            to,
            along_min_cm,
            forbids: zone.rules.iter().any(|rule| matches!(rule.ask, Ask::Forbidden { .. })),
        })
    }

    pub(crate) fn key(&self) -> (ZoneId, u32) {
        (self.zone.id, self.zone.revision)
    }

    pub(crate) fn governs(&self, time: Timestamp) -> bool {
        self.from <= time && time < self.to
    }
}

fn shape_of(geometry: &Geometry) -> Result<Shape, String> {
    let shape = match geometry {
        Geometry::Polygon(area) => Shape::polygon(area),
        Geometry::Circle { centre, radius_m } => Shape::circle(Point::from(*centre), *radius_m),
        Geometry::Corridor { axis, half_width_m, direction } => {
            Shape::corridor(axis, *half_width_m, direction_of(*direction))
        }
        Geometry::Corridors(list) => {
            let bands: Vec<_> =
                list.iter().map(|one| (&one.axis, one.half_width_m, direction_of(one.direction))).collect();
            Shape::corridors(&bands)
        }
    };
    shape.map_err(|error| error.to_string())
}

const fn direction_of(direction: Direction) -> geofence::Direction {
    match direction {
        Direction::Both => geofence::Direction::Both,
        Direction::Forward => geofence::Direction::Forward,
        Direction::Backward => geofence::Direction::Backward,
    }
}

fn shorter_side_m(bbox: Bbox) -> f64 {
    let Bbox { min, max } = bbox;
    let middle = min.lerp(max, 0.5);
    let width_m = distance_m(Point::new(min.lon, middle.lat), Point::new(max.lon, middle.lat));
    width_m.min(distance_m(Point::new(middle.lon, min.lat), Point::new(middle.lon, max.lat)))
}

/// The zones in force, by place and by event time: every revision with the span that it governs.
#[derive(Clone, Debug)]
pub struct Zones {
    seq: u64,
    /// By zone and revision; the index names them by their place here.
    grounds: Vec<Ground>,
    index: ZoneIndex<u32>,
    broken: Vec<(ZoneId, u32, String)>,
    roads: Arc<Roads>,
}

impl Default for Zones {
    fn default() -> Self {
        Self::build(&Registry::default())
    }
}

impl Zones {
    /// The index over [`Registry::zone_spans`]. A revision whose shape cannot be built is left out and listed in
    /// [`Zones::broken`]; so is what goes beyond [`MAX_SHAPES`], the highest ids first.
    #[must_use]
    pub fn build(registry: &Registry) -> Self {
        Self::from_spans(registry, Arc::new(Roads::build(registry)), |_| None)
    }

    /// The same as [`Zones::build`], with the shapes that this index has already prepared: for the next registry.
    #[must_use]
    pub fn rebuild(&self, registry: &Registry) -> Self {
        let roads = if self.roads.is_of(registry) { Arc::clone(&self.roads) } else { Arc::new(Roads::build(registry)) };
        Self::from_spans(registry, roads, |zone| {
            self.ground((zone.id, zone.revision)).filter(|known| Arc::ptr_eq(&known.zone, zone))
        })
    }

    fn from_spans<'a>(
        registry: &Registry,
        roads: Arc<Roads>,
        known: impl Fn(&Arc<Zone>) -> Option<&'a Ground>,
    ) -> Self {
        let mut grounds = Vec::new();
        let mut broken = Vec::new();
        for (zone, from, to) in registry.zone_spans() {
            let ground = match known(zone) {
                Some(ground) => Ok(Ground { from, to, ..ground.clone() }),
                None => Ground::new(zone, from, to),
            };
            match ground {
                Ok(ground) => grounds.push(ground),
                Err(why) => broken.push((zone.id, zone.revision, why)),
            }
        }
        grounds.sort_by_key(Ground::key);
        for left_out in grounds.drain(MAX_SHAPES.min(grounds.len())..) {
            let (id, revision) = left_out.key();
            broken.push((id, revision, format!("more than {MAX_SHAPES} zone revisions")));
        }
        let shapes = (0_u32..).zip(&grounds).map(|(slot, ground)| (slot, ground.shape.clone()));
        let index = ZoneIndex::build(shapes).expect("no more shapes than the index takes");
        Self { seq: registry.zones_seq(), grounds, index, broken, roads }
    }

    /// The lines of roads that lie beside the zones.
    #[must_use]
    pub fn roads(&self) -> &Roads {
        &self.roads
    }

    /// What was left out: zone, revision, and why.
    #[must_use]
    pub fn broken(&self) -> &[(ZoneId, u32, String)] {
        &self.broken
    }

    /// [`Registry::zones_seq`] of the registry that it was made from: it is stale when that has moved.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// One revision of a zone, if it governs any time and its shape could be built.
    #[must_use]
    pub fn zone(&self, id: ZoneId, revision: u32) -> Option<&Arc<Zone>> {
        self.ground((id, revision)).map(|ground| &ground.zone)
    }

    /// Where the revisions of a zone lie that govern any time, and the first instant that each governs no more.
    pub fn extents_of(&self, id: ZoneId) -> impl Iterator<Item = (Bbox, Timestamp)> {
        let first = self.grounds.partition_point(|ground| ground.zone.id < id);
        let revisions = self.grounds.iter().skip(first).take_while(move |ground| ground.zone.id == id);
        revisions.map(|ground| (ground.shape.bbox(), ground.to))
    }

    /// How many revisions of zones there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.grounds.len()
    }

    /// Whether there is no zone at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.grounds.is_empty()
    }

    pub(crate) fn ground(&self, key: (ZoneId, u32)) -> Option<&Ground> {
        let slot = self.grounds.binary_search_by_key(&key, Ground::key).ok()?;
        self.grounds.get(slot)
    }

    /// Visits, by zone and revision, what holds `p` and governs `time`.
    pub(crate) fn at<'a>(&'a self, p: Point, time: Timestamp, mut visit: impl FnMut(&'a Ground)) {
        self.index.at(p, |slot, _| {
            if let Some(ground) = self.grounds.get(*slot as usize).filter(|ground| ground.governs(time)) {
                visit(ground);
            }
        });
    }

    /// Whether any zone may meet the box between these corners, (longitude, latitude) in degrees; `false` is certain.
    #[must_use]
    pub fn may_meet(&self, south_west: (f64, f64), north_east: (f64, f64)) -> bool {
        self.may_touch(&Bbox {
            min: Point::new(south_west.0, south_west.1),
            max: Point::new(north_east.0, north_east.1),
        })
    }

    /// Visits every shape that holds `p`, whenever it governs.
    pub(crate) fn shapes_at(&self, p: Point, mut visit: impl FnMut()) {
        self.index.at(p, |_, _| visit());
    }

    /// Whether any zone may meet the box, whenever; `false` is certain.
    pub(crate) fn may_touch(&self, around: &Bbox) -> bool {
        self.index.may_touch(around)
    }

    /// Visits, by zone and revision, what the straight path meets, with the stretches inside; spans not applied.
    pub(crate) fn touching<'a>(&'a self, a: Point, b: Point, mut visit: impl FnMut(&'a Ground, &[geofence::Interval])) {
        self.index.touching_segment(a, b, |slot, _, inside| {
            if let Some(ground) = self.grounds.get(*slot as usize) {
                visit(ground, &inside);
            }
        });
    }
}
