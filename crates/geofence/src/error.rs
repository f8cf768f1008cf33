//! Why a shape is refused, told so that the person who drew it finds the place.

use std::fmt;

use crate::{MAX_HALF_WIDTH_M, MAX_LAT_DEG, MAX_RADIUS_M, MAX_SHAPES, MAX_VERTICES};

/// A place in a shape, counted from 0 as in the `coordinates` of a GeoJSON MultiPolygon.
///
/// A corridor's axis is part 0, ring 0; so is a circle's centre.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Which polygon of a multipolygon.
    pub part: usize,
    /// Which ring of the polygon: 0 is the outer one, the others are holes.
    pub ring: usize,
    /// Which vertex of the ring; an edge is named by the vertex it starts from.
    pub vertex: usize,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, ring, vertex } = self;
        write!(f, "part {part}, ring {ring}, vertex {vertex}")
    }
}

/// A measure that must be positive and bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Radius of a circle, up to [`MAX_RADIUS_M`].
    Radius,
    /// Half width of a corridor, up to [`MAX_HALF_WIDTH_M`].
    HalfWidth,
}

impl Extent {
    /// The largest value allowed, in metres.
    pub fn max_m(self) -> f64 {
        match self {
            Self::Radius => MAX_RADIUS_M,
            Self::HalfWidth => MAX_HALF_WIDTH_M,
        }
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Radius => "radius",
            Self::HalfWidth => "half width",
        })
    }
}

/// Why a shape is refused. The fault is always with the drawing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// A multipolygon without polygons.
    #[error("the shape has no part")]
    Empty,
    /// A coordinate is NaN or infinite.
    #[error("{at}: coordinate is not a finite number")]
    NotFinite {
        /// The vertex.
        at: At,
    },
    /// A coordinate off the map; often longitude and latitude are swapped.
    #[error("{at}: longitude {lon}, latitude {lat} is out of range (±180, ±{MAX_LAT_DEG}; order is lon, lat)")]
    OutOfRange {
        /// The vertex.
        at: At,
        /// Its longitude.
        lon: f64,
        /// Its latitude.
        lat: f64,
    },
    /// A ring with less than 3 different vertices, or an axis with less than 2.
    #[error("part {part}, ring {ring}: {distinct} different vertices, {needed} are needed")]
    TooFewVertices {
        /// Which polygon.
        part: usize,
        /// Which ring.
        ring: usize,
        /// Vertices that differ from the one before.
        distinct: usize,
        /// How many it takes.
        needed: usize,
    },
    /// More than [`MAX_VERTICES`] over all rings.
    #[error("{count} vertices, at most {MAX_VERTICES} are allowed")]
    TooManyVertices {
        /// Vertices given.
        count: usize,
    },
    /// All vertices of a ring lie on one line.
    #[error("part {part}, ring {ring} encloses no area")]
    ZeroArea {
        /// Which polygon.
        part: usize,
        /// Which ring.
        ring: usize,
    },
    /// A ring crosses, touches or retraces itself.
    #[error("{at}: the edge from here meets the edge from vertex {other_vertex} of the same ring")]
    SelfIntersection {
        /// Start of the first of the two edges.
        at: At,
        /// Start of the second, in the same ring.
        other_vertex: usize,
    },
    /// Two rings of one polygon cross or run along each other. (They may touch in single points.)
    #[error("{at}: the edge from here crosses or follows the edge from vertex {other_vertex} of ring {other_ring}")]
    RingsCross {
        /// Start of the first of the two edges.
        at: At,
        /// Ring of the second.
        other_ring: usize,
        /// Start of the second.
        other_vertex: usize,
    },
    /// A hole that does not lie in its outer ring.
    #[error("part {part}, ring {ring}: the hole lies outside the outer ring")]
    HoleOutside {
        /// Which polygon.
        part: usize,
        /// Which ring.
        ring: usize,
    },
    /// A radius or half width that is not positive, not finite, or too large.
    #[error("{extent} of {metres} m: must be above 0 and at most {} m", extent.max_m())]
    ExtentOutOfRange {
        /// Which measure.
        extent: Extent,
        /// Its value.
        metres: f64,
    },
}

/// Why an index is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// More than [`MAX_SHAPES`] shapes.
    #[error("more than {MAX_SHAPES} shapes")]
    TooManyShapes,
}
