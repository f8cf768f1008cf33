//! Tests of the map through its public face: tables of special cases, and properties against independent oracles.

mod area;
mod corridor;
mod crossings;
mod exact;
mod index;
mod oracle;
mod sections;
mod validation;

use geo_types::{Coord, LineString, MultiPolygon, Polygon};
use geofence::{Direction, Point, Shape};

/// Metres east and north of a fixed place.
type Metres = (f64, f64);

/// A path from here to there, and the stretches of it that lie inside, in metres from its start.
type PathCase<'a> = (Metres, Metres, &'a [(f64, f64)]);

/// Metres per degree of longitude and latitude at `ORIGIN`, from the geodesic tables for 32° N.
const PER_DEG: (f64, f64) = (94_493.6, 110_881.1);
const ORIGIN: Point = Point::new(118.75, 32.0);

/// The point so many metres east and north of a fixed place; good to 0.1 % within a few kilometres.
fn at(east_m: f64, north_m: f64) -> Point {
    Point::new(ORIGIN.lon + east_m / PER_DEG.0, ORIGIN.lat + north_m / PER_DEG.1)
}

fn line(vertices: &[Metres]) -> LineString<f64> {
    vertices.iter().map(|&(x, y)| at(x, y)).map(|p| Coord { x: p.lon, y: p.lat }).collect()
}

/// A polygon in metres: outer ring, then holes.
fn rings(rings: &[&[Metres]]) -> Polygon<f64> {
    let (outer, holes) = rings.split_first().expect("an outer ring");
    Polygon::new(line(outer), holes.iter().map(|hole| line(hole)).collect())
}

fn area(parts: &[&[&[Metres]]]) -> Shape {
    Shape::polygon(&MultiPolygon(parts.iter().map(|part| rings(part)).collect())).expect("a good area")
}

fn corridor(axis: &[Metres], half_width_m: f64) -> Shape {
    Shape::corridor(&line(axis), half_width_m, Direction::Both).expect("a good corridor")
}

/// The stretches inside, in metres from `a`.
fn stretches_m(shape: &Shape, a: Metres, b: Metres) -> Vec<(f64, f64)> {
    let length_m = (b.0 - a.0).hypot(b.1 - a.1);
    let inside = shape.segment_inside(at(a.0, a.1), at(b.0, b.1));
    inside.iter().map(|i| (i.t_in * length_m, i.t_out * length_m)).collect()
}

#[track_caller]
fn assert_stretches(shape: &Shape, a: Metres, b: Metres, expect: &[(f64, f64)]) {
    let got = stretches_m(shape, a, b);
    let near = |(g, e): (&(f64, f64), &(f64, f64))| (g.0 - e.0).abs() < 0.3 && (g.1 - e.1).abs() < 0.3;
    let same = got.len() == expect.len() && got.iter().zip(expect).all(near);
    assert!(same, "{a:?} -> {b:?}: got {got:?}, expected {expect:?}");
}

#[track_caller]
fn assert_near(got: f64, expect: f64, tolerance: f64) {
    assert!((got - expect).abs() <= tolerance, "got {got}, expected {expect} +- {tolerance}");
}
