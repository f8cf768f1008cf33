//! What is refused, and how the place is named.

use geo::Validation;
use geo_types::{Coord, LineString, MultiPolygon, Polygon};
use geofence::{At, Direction, Extent, MAX_VERTICES, Point, Shape, ShapeError};

use proptest::prelude::*;

use crate::{Metres, area, at, line, oracle, rings};

fn refusal(parts: &[&[&[(f64, f64)]]]) -> ShapeError {
    let area = MultiPolygon(parts.iter().map(|part| rings(part)).collect());
    Shape::polygon(&area).expect_err("to be refused")
}

const SQUARE: &[(f64, f64)] = &[(0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0)];

fn place(part: usize, ring: usize, vertex: usize) -> At {
    At { part, ring, vertex }
}

#[test]
fn areas_that_are_refused() {
    let meets = |at, other_vertex| ShapeError::SelfIntersection { at, other_vertex };
    let table: &[(&[&[&[Metres]]], ShapeError)] = &[
        (&[], ShapeError::Empty),
        (&[&[&[(0.0, 0.0), (10.0, 0.0)]]], ShapeError::TooFewVertices { part: 0, ring: 0, distinct: 2, needed: 3 }),
        (
            &[&[SQUARE, &[(5.0, 5.0), (5.0, 5.0), (5.0, 5.0)]]],
            ShapeError::TooFewVertices { part: 0, ring: 1, distinct: 1, needed: 3 },
        ),
        (&[&[SQUARE], &[&[]]], ShapeError::TooFewVertices { part: 1, ring: 0, distinct: 0, needed: 3 }),
        (&[&[&[(0.0, 0.0), (10.0, 0.0), (20.0, 0.0)]]], ShapeError::ZeroArea { part: 0, ring: 0 }),
        (&[&[&[(0.0, 0.0), (1000.0, 700.0), (300.0, 210.0), (10.0, 7.0)]]], ShapeError::ZeroArea { part: 0, ring: 0 }),
        // a bow tie, of no signed area
        (&[&[&[(0.0, 0.0), (10.0, 10.0), (10.0, 0.0), (0.0, 10.0)]]], meets(place(0, 0, 0), 2)),
        // a vertex on another edge; a vertex visited twice
        (&[&[&[(0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (50.0, 0.0), (0.0, 100.0)]]], meets(place(0, 0, 0), 2)),
        (
            &[&[&[(0.0, 0.0), (10.0, -10.0), (20.0, 0.0), (10.0, 10.0), (0.0, 0.0), (-10.0, 5.0), (-10.0, -5.0)]]],
            meets(place(0, 0, 0), 3),
        ),
        // a spike that goes out and comes back
        (&[&[&[(0.0, 0.0), (100.0, 0.0), (200.0, 0.0), (150.0, 0.0), (100.0, 100.0)]]], meets(place(0, 0, 1), 2)),
        (&[&[SQUARE], &[SQUARE, &[(10.0, 10.0), (20.0, 20.0), (20.0, 10.0), (10.0, 20.0)]]], meets(place(1, 1, 0), 2)),
        // a hole over the rim, along the rim, and outside
        (
            &[&[SQUARE, &[(50.0, 50.0), (150.0, 50.0), (150.0, 60.0), (50.0, 60.0)]]],
            ShapeError::RingsCross { at: place(0, 0, 1), other_ring: 1, other_vertex: 0 },
        ),
        (
            &[&[SQUARE, &[(20.0, 0.0), (40.0, 0.0), (30.0, 50.0)]]],
            ShapeError::RingsCross { at: place(0, 0, 0), other_ring: 1, other_vertex: 0 },
        ),
        (&[&[SQUARE, &[(200.0, 0.0), (220.0, 0.0), (210.0, 10.0)]]], ShapeError::HoleOutside { part: 0, ring: 1 }),
        (&[&[SQUARE, &[(100.0, 50.0), (120.0, 40.0), (120.0, 60.0)]]], ShapeError::HoleOutside { part: 0, ring: 1 }),
    ];
    for (parts, expect) in table {
        assert_eq!(&refusal(parts), expect, "{parts:?}");
    }
}

#[test]
fn areas_that_are_taken() {
    // a hole that touches the rim in a point
    area(&[&[SQUARE, &[(0.0, 50.0), (20.0, 40.0), (20.0, 60.0)]]]);
    // vertices in the middle of straight edges, and repeated ones
    area(&[&[&[(0.0, 0.0), (50.0, 0.0), (50.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0)]]]);
    // closed twice over
    area(&[&[&[(0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 0.0), (0.0, 0.0)]]]);
    // two polygons that overlap
    area(&[&[SQUARE], &[SQUARE]]);
}

#[test]
fn numbers_that_are_no_places() {
    for (x, y, bad) in [(f64::NAN, 32.0, true), (118.0, f64::INFINITY, true), (32.0, 118.0, false), (181.0, 0.0, false)]
    {
        let ring = LineString(vec![(118.0, 32.0).into(), (118.1, 32.0).into(), Coord { x, y }]);
        let area = MultiPolygon(vec![Polygon::new(ring.clone(), vec![])]);
        let corridor = Shape::corridor(&ring, 10.0, Direction::Both);
        for got in [Shape::polygon(&area), corridor] {
            match got.expect_err("to be refused") {
                ShapeError::NotFinite { at } => assert!(bad && at == place(0, 0, 2)),
                ShapeError::OutOfRange { at, lon, lat } => {
                    assert!(!bad && at == place(0, 0, 2) && (lon, lat) == (x, y));
                }
                other => panic!("{other}"),
            }
        }
        assert!(Shape::circle(Point::new(x, y), 10.0).is_err());
    }
}

#[test]
fn extents() {
    for metres in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e6] {
        for (extent, got) in [
            (Extent::Radius, Shape::circle(at(0.0, 0.0), metres)),
            (Extent::HalfWidth, Shape::corridor(&line(&[(0.0, 0.0), (9.0, 0.0)]), metres, Direction::Both)),
        ] {
            let refused = matches!(got, Err(ShapeError::ExtentOutOfRange { extent: e, .. }) if e == extent);
            assert!(refused, "{extent} {metres}");
        }
    }
}

#[test]
fn an_axis_needs_two_places() {
    for axis in [&[][..], &[(0.0, 0.0)], &[(0.0, 0.0), (0.0, 0.0), (0.0, 0.0)]] {
        let got = Shape::corridor(&line(axis), 10.0, Direction::Both);
        assert!(matches!(got, Err(ShapeError::TooFewVertices { needed: 2, .. })), "{axis:?}");
    }
}

/// A ring of `count` vertices, wavy so that its edges point everywhere.
fn wavy(count: usize) -> Vec<(f64, f64)> {
    let vertex = |i: usize| {
        let angle = std::f64::consts::TAU * i as f64 / count as f64;
        let radius = 5_000.0 + 300.0 * (40.0 * angle).sin();
        (radius * angle.cos(), radius * angle.sin())
    };
    (0..count).map(vertex).collect()
}

#[test]
fn the_largest_ring_is_checked_whole() {
    let mut ring = wavy(MAX_VERTICES - 1);
    area(&[&[&ring]]);
    ring.swap(9_000, 9_001);
    let expect = ShapeError::SelfIntersection { at: place(0, 0, 8_999), other_vertex: 9_001 };
    assert_eq!(refusal(&[&[&ring]]), expect);
    let count = MAX_VERTICES + 1;
    assert_eq!(refusal(&[&[&wavy(MAX_VERTICES)]]), ShapeError::TooManyVertices { count });
    let axis = Shape::corridor(&line(&wavy(count)), 10.0, Direction::Both);
    assert_eq!(axis, Err(ShapeError::TooManyVertices { count }));
}

#[test]
fn messages_name_the_place() {
    let bow_tie = refusal(&[&[&[(0.0, 0.0), (10.0, 10.0), (10.0, 0.0), (0.0, 10.0)]]]);
    assert_eq!(
        bow_tie.to_string(),
        "part 0, ring 0, vertex 0: the edge from here meets the edge from vertex 2 of the same ring"
    );
    let far = Shape::circle(Point::new(32.0, 118.0), 1.0).expect_err("swapped");
    assert!(far.to_string().contains("order is lon, lat"), "{far}");
}

fn anywhere() -> impl Strategy<Value = Metres> {
    (-500.0..500.0, -500.0..500.0)
}

proptest! {
    #![proptest_config(oracle::config(0x0a))]

    #[test]
    fn refused_is_what_geo_calls_invalid(
        outer in prop::collection::vec(anywhere(), 3..7),
        hole in prop::option::of(prop::collection::vec(anywhere(), 3..5)),
    ) {
        let drawn = match &hole {
            Some(hole) => rings(&[&outer, hole]),
            None => rings(&[&outer]),
        };
        let got = Shape::polygon(&MultiPolygon(vec![drawn.clone()]));
        prop_assert_eq!(got.is_ok(), drawn.is_valid(), "{:?}", got.err());
    }
}
