//! What a refusal is about, drawn as GeoJSON: the vertex, the edges or the ring that somebody has to look at.

use geo_types::LineString;
use geofence::{At, ShapeError};
use model::{Coord, Geometry};
use serde_json::{Value, json};

use crate::Crs;
use crate::geometry::degrees;

/// Draws places of a geometry in the coordinates that it was given in.
pub(crate) struct Pen<'a> {
    pub(crate) geometry: &'a Geometry,
    pub(crate) crs: Crs,
}

impl Pen<'_> {
    /// What an error of the shape is about; `None` when it is about no place, or about one that cannot be drawn.
    pub(crate) fn error(&self, error: &ShapeError) -> Option<Value> {
        match *error {
            ShapeError::OutOfRange { at, .. } => self.vertex(at),
            ShapeError::TooFewVertices { part, ring, .. }
            | ShapeError::ZeroArea { part, ring }
            | ShapeError::HoleOutside { part, ring } => self.ring(part, ring),
            ShapeError::SelfIntersection { at, other_vertex } => self.edges(at, At { vertex: other_vertex, ..at }),
            ShapeError::RingsCross { at, other_ring, other_vertex } => {
                self.edges(at, At { ring: other_ring, vertex: other_vertex, ..at })
            }
            _ => None,
        }
    }

    /// A vertex.
    pub(crate) fn vertex(&self, at: At) -> Option<Value> {
        let vertex = match self.geometry {
            Geometry::Circle { centre, .. } => *centre,
            _ => *line(self.geometry, at.part, at.ring)?.0.get(at.vertex)?,
        };
        Some(json!({"type": "Point", "coordinates": self.position(vertex)?}))
    }

    /// A ring, or an axis.
    pub(crate) fn ring(&self, part: usize, ring: usize) -> Option<Value> {
        if let Geometry::Circle { .. } = self.geometry {
            return self.vertex(At { part: 0, ring: 0, vertex: 0 });
        }
        let positions = line(self.geometry, part, ring)?.0.iter().map(|c| self.position(*c));
        let positions = positions.collect::<Option<Vec<_>>>().filter(|list| list.len() > 1)?;
        Some(json!({"type": "LineString", "coordinates": positions}))
    }

    fn edges(&self, one: At, other: At) -> Option<Value> {
        let edge = |at: At| {
            let ends = line(self.geometry, at.part, at.ring)?.0.get(at.vertex..at.vertex + 2)?;
            ends.iter().map(|c| self.position(*c)).collect::<Option<Vec<_>>>()
        };
        Some(json!({"type": "MultiLineString", "coordinates": [edge(one)?, edge(other)?]}))
    }

    fn position(&self, c: Coord) -> Option<Value> {
        let c = self.crs.from_wgs84(c);
        (c.x.is_finite() && c.y.is_finite()).then(|| json!([degrees(c.x), degrees(c.y)]))
    }
}

/// A ring of an area, or an axis.
fn line(geometry: &Geometry, part: usize, ring: usize) -> Option<&LineString<f64>> {
    match geometry {
        Geometry::Polygon(area) => {
            let polygon = area.0.get(part)?;
            ring.checked_sub(1).map_or(Some(polygon.exterior()), |hole| polygon.interiors().get(hole))
        }
        Geometry::Circle { .. } => None,
        Geometry::Corridor { axis, .. } => Some(axis),
        Geometry::Corridors(list) => list.get(part).map(|corridor| &corridor.axis),
    }
}
