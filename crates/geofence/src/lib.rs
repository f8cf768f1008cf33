//! The map: shapes of zones, their index, and where a straight path crosses them; no vehicle, no clock, no alarm.
//!
//! Everything here is a pure function of its arguments: no I/O, no randomness, trigonometry only through `libm`
//! and otherwise only operations that IEEE 754 rounds exactly, so that two machines agree on every bit.
//!
//! # The plane and its errors
//!
//! Each shape is flattened once into metres around the centre of its own box, with the WGS-84 radii of curvature
//! at that latitude. The map from degrees to the plane is affine: a straight line in longitude and latitude stays
//! straight, the parameter `t` of a path means the same in every shape, and whether a point is inside a polygon
//! is exact at any size. Metres (radius, half width, depth, progress) are exact at the centre and drift with the
//! north-south extent: about `tan(latitude) * h / 6371 km` relative, where `h` is the distance from the centre's
//! latitude. A shape 50 km high (`h` = 25 km) is off by at most 0.25 % at 32° N and 0.55 % at 54° N.
//!
//! Paths and shapes that cross the 180th meridian are not supported: they run the long way round.
//!
//! # Ties
//!
//! Shapes are closed: a point within [`BOUNDARY_M`] of the edge is inside. The ends of a path agree with
//! [`Shape::contains`] exactly: the first interval starts at `t = 0` if and only if `a` is inside, the last one
//! ends at `t = 1` if and only if `b` is. A path that only touches the edge in a point yields no interval, unless
//! the point is one of its ends: then `[0, 0]` or `[1, 1]`.

mod circle;
mod corridor;
mod cover;
mod error;
#[cfg(test)]
mod fixtures;
mod grid;
mod index;
mod interval;
mod nest;
mod piece;
mod plane;
mod plant;
mod point;
mod polygon;
mod shape;
mod simple;
mod strips;

pub use corridor::{Along, Direction};
pub use error::{At, Extent, IndexError, ShapeError};
pub use index::ZoneIndex;
pub use interval::{Interval, Intervals};
pub use point::{Bbox, Point, distance_m};
pub use shape::Shape;

/// Most vertices of one shape, over all its rings.
pub const MAX_VERTICES: usize = 20_000;
/// Most shapes in one [`ZoneIndex`].
pub const MAX_SHAPES: usize = 200_000;
/// Largest radius of a circle in metres; beyond it the flat plane is no longer a fair picture.
pub const MAX_RADIUS_M: f64 = 100_000.0;
/// Largest half width of a corridor in metres.
pub const MAX_HALF_WIDTH_M: f64 = 10_000.0;
/// Largest latitude of a vertex, north or south: towards the poles the plane degenerates.
pub const MAX_LAT_DEG: f64 = 85.0;
/// How near the edge counts as on it, in metres: above the rounding of degrees in `f64` (nanometres), far below
/// the wire's resolution (1e-6°, 0.1 m).
pub const BOUNDARY_M: f64 = 1e-6;
