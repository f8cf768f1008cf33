//! A validated shape, prepared for many questions; the three kinds live in their own files.

use std::sync::Arc;

use geo_types::{Coord, LineString, MultiPolygon};

use crate::corridor::{self, Along, Corridor, Direction};
use crate::cover::{Canvas, Drawing};
use crate::error::{At, Extent, ShapeError};
use crate::grid::Grid;
use crate::interval::{Clip, Interval, Intervals, agree_with_ends, of_point, slack_of, union};
use crate::plane::{Path, Plane, Xy, bounds};
use crate::point::{Bbox, Point};
use crate::polygon::Part;
use crate::simple::Rings;
use crate::{BOUNDARY_M, MAX_LAT_DEG, MAX_VERTICES, circle, polygon};

/// On so few cells a shape is taken to be everywhere.
const CELLS_DRAWN_MIN: usize = 4;

/// The geometry of a zone. Cloning shares the prepared vertices.
///
/// Questions about a point with a NaN or infinite coordinate are answered as for a point outside.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    plane: Plane,
    bbox: Bbox,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Polygon(Arc<[Part]>),
    Circle {
        radius_m: f64,
    },
    /// One or more; a road that is restricted in sections has one for each.
    Corridors(Arc<[Corridor]>),
}

impl Shape {
    /// An area of one or more polygons with holes, vertices in WGS-84 degrees (x = longitude).
    ///
    /// Rings are closed when they are not, wound as they like, repeated vertices are dropped. Inside is even-odd
    /// over the rings of each polygon (a ring within a hole is an island), and any polygon of several.
    ///
    /// # Errors
    /// Names polygon, ring and vertex: not finite, out of range, too few or too many vertices, no area, a ring
    /// that meets itself, rings that cross, a hole outside.
    pub fn polygon(area: &MultiPolygon<f64>) -> Result<Self, ShapeError> {
        let rings = || {
            area.iter().enumerate().flat_map(|(part, p)| {
                let rings = std::iter::once(p.exterior()).chain(p.interiors());
                rings.enumerate().map(move |(ring, line)| (part, ring, line))
            })
        };
        check_count(rings().map(|(.., line)| line.0.len()).sum())?;
        for (part, ring, line) in rings() {
            check_coordinates(part, ring, &line.0)?;
        }
        if area.0.is_empty() {
            return Err(ShapeError::Empty);
        }
        let plane = Plane::at(centre_of(rings().flat_map(|(.., line)| line.coords())));
        let mut parts = Vec::with_capacity(area.0.len());
        for (part, p) in area.iter().enumerate() {
            let lines = std::iter::once(p.exterior()).chain(p.interiors());
            let mut rings = Rings::default();
            for line in lines {
                rings.push(projected(plane, line));
            }
            parts.push(rings.check(part)?);
        }
        let (lo, hi) = bounds(parts.iter().map(Part::bounds));
        Ok(Self { plane, bbox: plane.bbox(lo, hi, 2.0 * BOUNDARY_M), kind: Kind::Polygon(parts.into()) })
    }

    /// All points within `radius_m` metres of the centre.
    ///
    /// # Errors
    /// Centre not finite or out of range; radius not within `0 < r <=` [`MAX_RADIUS_M`](crate::MAX_RADIUS_M).
    pub fn circle(centre: Point, radius_m: f64) -> Result<Self, ShapeError> {
        check_coordinates(0, 0, &[Coord { x: centre.lon, y: centre.lat }])?;
        check_extent(Extent::Radius, radius_m)?;
        let plane = Plane::at(centre);
        Ok(Self {
            plane,
            bbox: plane.bbox(Xy::ORIGIN, Xy::ORIGIN, radius_m + 2.0 * BOUNDARY_M),
            kind: Kind::Circle { radius_m },
        })
    }

    /// The band within `half_width_m` metres on either side of an axis, vertices in WGS-84 degrees.
    ///
    /// The ends are flat: square to the first and last leg. Bends are closed by a round join on their outer side.
    /// The axis may cross itself; one that ends where it began is a ring and has no ends.
    ///
    /// # Errors
    /// Names the vertex: not finite, out of range, less than 2 different ones, too many; or half width not within
    /// `0 < w <=` [`MAX_HALF_WIDTH_M`](crate::MAX_HALF_WIDTH_M).
    pub fn corridor(axis: &LineString<f64>, half_width_m: f64, direction: Direction) -> Result<Self, ShapeError> {
        Self::corridors(&[(axis, half_width_m, direction)])
    }

    /// Several such bands, each with its axis, half width and direction: what lies in any of them is inside.
    ///
    /// # Errors
    /// As [`Shape::corridor`], with the part; and when there is none.
    pub fn corridors(bands: &[(&LineString<f64>, f64, Direction)]) -> Result<Self, ShapeError> {
        check_count(bands.iter().map(|(axis, ..)| axis.0.len()).sum())?;
        for (part, (axis, half_width_m, _)) in bands.iter().enumerate() {
            check_coordinates(part, 0, &axis.0)?;
            check_extent(Extent::HalfWidth, *half_width_m)?;
        }
        if bands.is_empty() {
            return Err(ShapeError::Empty);
        }
        let plane = Plane::at(centre_of(bands.iter().flat_map(|(axis, ..)| axis.coords())));
        let mut parts = Vec::with_capacity(bands.len());
        let mut around: Option<Bbox> = None;
        for (part, (axis, half_width_m, direction)) in bands.iter().enumerate() {
            let mut vertices: Vec<Xy> = projected(plane, axis).collect();
            vertices.dedup();
            if vertices.len() < 2 {
                let distinct = vertices.len();
                return Err(ShapeError::TooFewVertices { part, ring: 0, distinct, needed: 2 });
            }
            let (lo, hi) = bounds(vertices.iter().map(|&v| (v, v)));
            let bbox = plane.bbox(lo, hi, half_width_m + 2.0 * BOUNDARY_M);
            around = Some(around.map_or(bbox, |around| around.union(bbox)));
            parts.push(Corridor::new(&vertices, *half_width_m, *direction));
        }
        let bbox = around.ok_or(ShapeError::Empty)?;
        Ok(Self { plane, bbox, kind: Kind::Corridors(parts.into()) })
    }

    /// A box in degrees that holds the whole shape; tight but for the ends of a corridor.
    pub fn bbox(&self) -> Bbox {
        self.bbox
    }

    /// Whether the point is inside or within [`BOUNDARY_M`] of the edge.
    pub fn contains(&self, p: Point) -> bool {
        self.bbox.contains(p) && self.contains_xy(self.plane.project(p))
    }

    /// Metres to the nearest edge: positive inside, negative outside.
    ///
    /// Where polygons of one shape overlap or adjoin, or a corridor runs over its own end, the depth inside is
    /// that of the deepest piece alone: never more than the true one. It may be too large only within a half width of
    /// a corridor's end whose last leg is shorter than the half width and bent off.
    pub fn depth_m(&self, p: Point) -> f64 {
        if !p.is_finite() {
            return f64::NEG_INFINITY;
        }
        let p = self.plane.project(p);
        match &self.kind {
            Kind::Polygon(parts) => polygon::depth_m(parts, p),
            Kind::Circle { radius_m } => circle::depth_m(*radius_m, p),
            Kind::Corridors(parts) => parts.iter().map(|part| part.depth_m(p)).fold(f64::NEG_INFINITY, f64::max),
        }
    }

    /// The stretches of the straight path from `a` to `b` that lie inside, in order, disjoint.
    ///
    /// Exact to well below 1 mm in the shape's plane. A path of no length inside is the whole interval.
    pub fn segment_inside(&self, a: Point, b: Point) -> Intervals {
        let finite = a.is_finite() && b.is_finite();
        if !finite || !self.bbox.intersects(&Bbox::of_segment(a, b)) {
            return Intervals::new();
        }
        let path = Path::new(self.plane.project(a), self.plane.project(b));
        let Clip { starts_inside, ends_inside, pieces } = self.clip(&path);
        let (starts_inside, ends_inside) =
            (starts_inside && self.bbox.contains(a), ends_inside && self.bbox.contains(b));
        let slack = slack_of(&path);
        if slack >= 0.5 || slack.is_nan() {
            return of_point(starts_inside, ends_inside);
        }
        let mut intervals = union(pieces, slack);
        agree_with_ends(&mut intervals, starts_inside, ends_inside, slack);
        intervals
    }

    /// How a stretch found by [`segment_inside`](Self::segment_inside) runs with respect to a corridor's axis.
    ///
    /// `None` if the shape is no corridor, or the stretch does not begin and end inside. Around a bend, progress
    /// is true to about the half width.
    pub fn along(&self, a: Point, b: Point, stretch: Interval) -> Option<Along> {
        let Kind::Corridors(parts) = &self.kind else {
            return None;
        };
        corridor::along(parts, &Path::new(self.plane.project(a), self.plane.project(b)), stretch)
    }

    /// Which way of travel a corridor is meant for; `None` if the shape has no axis. Of corridors that differ it is both:
    /// what runs against one of them is no progress in [`along`](Self::along).
    pub fn direction(&self) -> Option<Direction> {
        match &self.kind {
            Kind::Corridors(parts) => Some(corridor::direction(parts)),
            Kind::Polygon(_) | Kind::Circle { .. } => None,
        }
    }

    /// Metres from the first vertex of a corridor's axis to the last, of the shortest if there are several; `None` if the
    /// shape has no axis.
    pub fn axis_length_m(&self) -> Option<f64> {
        match &self.kind {
            Kind::Corridors(parts) => parts.iter().map(Corridor::length_m).reduce(f64::min),
            Kind::Polygon(_) | Kind::Circle { .. } => None,
        }
    }

    /// Bytes that the shape holds beyond its own size. Clones share them.
    pub fn heap_bytes(&self) -> usize {
        match &self.kind {
            Kind::Polygon(parts) => size_of_val(&**parts) + parts.iter().map(Part::heap_bytes).sum::<usize>(),
            Kind::Circle { .. } => 0,
            Kind::Corridors(parts) => size_of_val(&**parts) + parts.iter().map(Corridor::heap_bytes).sum::<usize>(),
        }
    }

    /// Draws which cells the shape fills and which its edge may pass. A canvas of very few cells is not worth it.
    pub(crate) fn draw(&self, grid: &Grid, canvas: &mut Canvas) {
        canvas.clear(grid.window(self.bbox));
        if canvas.cells() <= CELLS_DRAWN_MIN {
            return canvas.mark_all();
        }
        let drawing = Drawing::new(grid, &self.plane);
        match &self.kind {
            Kind::Polygon(parts) => drawing.area(parts, canvas),
            Kind::Circle { radius_m } => drawing.circle(*radius_m, canvas),
            Kind::Corridors(parts) => {
                for part in parts.iter() {
                    let half_width_m = part.half_width_m();
                    for piece in part.pieces() {
                        drawing.piece(piece.bounds(half_width_m), canvas, |middle, half| {
                            piece.may_meet(half_width_m, middle, half)
                        });
                    }
                }
            }
        }
    }

    fn clip(&self, path: &Path) -> Clip {
        let pieces = match &self.kind {
            Kind::Polygon(parts) => return polygon::clip(parts, path),
            Kind::Circle { radius_m } => circle::clip(*radius_m, path),
            Kind::Corridors(parts) => parts.iter().flat_map(|part| part.clip(path)).collect(),
        };
        Clip { starts_inside: self.contains_xy(path.start), ends_inside: self.contains_xy(path.end), pieces }
    }

    fn contains_xy(&self, p: Xy) -> bool {
        match &self.kind {
            Kind::Polygon(parts) => polygon::contains(parts, p),
            Kind::Circle { radius_m } => circle::contains(*radius_m, p),
            Kind::Corridors(parts) => parts.iter().any(|part| part.contains(p)),
        }
    }
}

fn projected(plane: Plane, line: &LineString<f64>) -> impl ExactSizeIterator<Item = Xy> + '_ {
    line.0.iter().map(move |&c| plane.project(c.into()))
}

fn check_count(count: usize) -> Result<(), ShapeError> {
    if count > MAX_VERTICES {
        return Err(ShapeError::TooManyVertices { count });
    }
    Ok(())
}

fn check_coordinates(part: usize, ring: usize, coords: &[Coord<f64>]) -> Result<(), ShapeError> {
    for (vertex, &Coord { x: lon, y: lat }) in coords.iter().enumerate() {
        let at = At { part, ring, vertex };
        if !lon.is_finite() || !lat.is_finite() {
            return Err(ShapeError::NotFinite { at });
        }
        if lon.abs() > 180.0 || lat.abs() > MAX_LAT_DEG {
            return Err(ShapeError::OutOfRange { at, lon, lat });
        }
    }
    Ok(())
}

fn check_extent(extent: Extent, metres: f64) -> Result<(), ShapeError> {
    if metres > 0.0 && metres <= extent.max_m() { Ok(()) } else { Err(ShapeError::ExtentOutOfRange { extent, metres }) }
}

/// The centre of the box of all coordinates; anywhere if there are none, which is refused later.
fn centre_of<'a>(coords: impl Iterator<Item = &'a Coord<f64>>) -> Point {
    let points = coords.map(|&c| Bbox::of_segment(c.into(), c.into()));
    let around = points.reduce(Bbox::union);
    around.map_or(Point::new(0.0, 0.0), |bbox| bbox.centre())
}
