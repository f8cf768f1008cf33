//! Polygons and circles: each special case by hand.

use geo_types::{Coord, LineString, MultiPolygon, Polygon};
use geofence::{Interval, Point, Shape};

use crate::{PathCase, area, assert_near, assert_stretches, at};

const SQUARE: &[(f64, f64)] = &[(0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0)];
const HOLE: &[(f64, f64)] = &[(40.0, 40.0), (60.0, 40.0), (60.0, 60.0), (40.0, 60.0)];

#[test]
fn inside_of_a_square_with_a_hole() {
    let shape = area(&[&[SQUARE, HOLE]]);
    for ((x, y), inside, depth_m) in [
        ((20.0, 50.0), true, 20.0),
        ((50.0, 50.0), false, -10.0),
        ((35.0, 50.0), true, 5.0),
        ((-30.0, 50.0), false, -30.0),
        ((-30.0, -40.0), false, -50.0),
        ((0.0, 50.0), true, 0.0),
        ((40.0, 50.0), true, 0.0),
        ((0.0, 0.0), true, 0.0),
        ((60.0, 60.0), true, 0.0),
    ] {
        assert_eq!(shape.contains(at(x, y)), inside, "{x} {y}");
        assert_near(shape.depth_m(at(x, y)), depth_m, 0.1);
    }
}

#[test]
fn paths_through_a_square_with_a_hole() {
    let shape = area(&[&[SQUARE, HOLE]]);
    let table: &[PathCase] = &[
        // straight through, beside the hole and over it
        ((-50.0, 20.0), (150.0, 20.0), &[(50.0, 150.0)]),
        ((-50.0, 50.0), (150.0, 50.0), &[(50.0, 90.0), (110.0, 150.0)]),
        // wholly inside, wholly outside, wholly in the hole
        ((10.0, 10.0), (20.0, 10.0), &[(0.0, 10.0)]),
        ((-50.0, 150.0), (150.0, 150.0), &[]),
        ((45.0, 50.0), (55.0, 50.0), &[]),
        // in, out, from hole to hole rim
        ((-50.0, 20.0), (50.0, 20.0), &[(50.0, 100.0)]),
        ((50.0, 20.0), (150.0, 20.0), &[(0.0, 50.0)]),
        ((50.0, 50.0), (50.0, 80.0), &[(10.0, 30.0)]),
        // along an edge, beyond both its ends; along a hole's edge
        ((-50.0, 0.0), (150.0, 0.0), &[(50.0, 150.0)]),
        ((-50.0, 100.0), (150.0, 100.0), &[(50.0, 150.0)]),
        ((0.0, 40.0), (100.0, 40.0), &[(0.0, 100.0)]),
        // a corner cut, from vertex to vertex over the hole, out of a vertex
        ((-10.0, 20.0), (20.0, -10.0), &[(14.14, 28.28)]),
        ((0.0, 0.0), (100.0, 100.0), &[(0.0, 56.57), (84.85, 141.42)]),
        ((100.0, 100.0), (110.0, 100.0), &[(0.0, 0.0)]),
        ((110.0, 100.0), (100.0, 100.0), &[(10.0, 10.0)]),
        // a vertex touched in passing is nothing
        ((-50.0, 50.0), (50.0, -50.0), &[]),
        ((50.0, 150.0), (150.0, 50.0), &[]),
        // no length: inside, on the rim, outside
        ((20.0, 20.0), (20.0, 20.0), &[(0.0, 0.0)]),
        ((50.0, 50.0), (50.0, 50.0), &[]),
    ];
    for &(a, b, expect) in table {
        assert_stretches(&shape, a, b, expect);
    }
}

#[test]
fn a_path_without_length_is_whole_or_nothing() {
    let shape = area(&[&[SQUARE]]);
    let (inside, outside) = (at(50.0, 50.0), at(-50.0, 50.0));
    assert_eq!(shape.segment_inside(inside, inside).as_slice(), [Interval::WHOLE]);
    assert!(shape.segment_inside(outside, outside).is_empty());
}

#[test]
fn a_triangle_touched_at_its_tip_from_both_sides() {
    let shape = area(&[&[&[(0.0, 0.0), (100.0, 0.0), (50.0, 80.0)]]]);
    assert_stretches(&shape, (-20.0, 80.0), (120.0, 80.0), &[]);
    assert_stretches(&shape, (120.0, 80.0), (-20.0, 80.0), &[]);
    assert_stretches(&shape, (50.0, 180.0), (50.0, 80.0), &[(100.0, 100.0)]);
    assert_stretches(&shape, (50.0, 180.0), (50.0, -20.0), &[(100.0, 180.0)]);
}

#[test]
fn on_a_slanted_edge_is_inside() {
    let ring = LineString::from(vec![(118.0, 32.0), (118.03, 32.01), (118.01, 32.04)]);
    let shape = Shape::polygon(&MultiPolygon(vec![Polygon::new(ring, vec![])])).expect("good");
    let (a, b) = (Point::new(118.0, 32.0), Point::new(118.03, 32.01));
    for step in 0..=30 {
        assert!(shape.contains(a.lerp(b, f64::from(step) / 30.0)), "{step}");
    }
    assert_eq!(shape.segment_inside(a, b).as_slice(), [Interval::WHOLE]);
    assert_eq!(shape.segment_inside(b, a).as_slice(), [Interval::WHOLE]);
}

#[test]
fn parts_that_adjoin_or_overlap_are_one_area() {
    let right: &[(f64, f64)] = &[(100.0, 0.0), (200.0, 0.0), (200.0, 100.0), (100.0, 100.0)];
    let over: &[(f64, f64)] = &[(50.0, 0.0), (200.0, 0.0), (200.0, 100.0), (50.0, 100.0)];
    let apart: &[(f64, f64)] = &[(150.0, 0.0), (200.0, 0.0), (200.0, 100.0), (150.0, 100.0)];
    for (second, expect) in
        [(right, &[(50.0, 250.0)][..]), (over, &[(50.0, 250.0)]), (apart, &[(50.0, 150.0), (200.0, 250.0)])]
    {
        assert_stretches(&area(&[&[SQUARE], &[second]]), (-50.0, 50.0), (250.0, 50.0), expect);
    }
    assert!(area(&[&[SQUARE], &[over]]).contains(at(75.0, 50.0)));
}

#[test]
fn an_island_in_a_hole_is_inside() {
    let island: &[(f64, f64)] = &[(48.0, 48.0), (52.0, 48.0), (52.0, 52.0), (48.0, 52.0)];
    let shape = area(&[&[SQUARE, HOLE, island]]);
    assert_stretches(&shape, (0.0, 50.0), (100.0, 50.0), &[(0.0, 40.0), (48.0, 52.0), (60.0, 100.0)]);
}

#[test]
fn winding_closing_and_repeats_do_not_matter() {
    let backward: Vec<(f64, f64)> = SQUARE.iter().rev().copied().collect();
    let repeated: Vec<(f64, f64)> = SQUARE.iter().flat_map(|&v| [v, v]).collect();
    for ring in [SQUARE, &backward, &repeated] {
        assert_stretches(&area(&[&[ring]]), (-50.0, 20.0), (150.0, 20.0), &[(50.0, 150.0)]);
    }
}

#[test]
fn paths_through_a_circle() {
    let shape = Shape::circle(at(0.0, 0.0), 100.0).expect("good");
    let table: &[PathCase] = &[
        ((-200.0, 0.0), (200.0, 0.0), &[(100.0, 300.0)]),
        ((-200.0, 60.0), (200.0, 60.0), &[(120.0, 280.0)]),
        ((-200.0, 100.5), (200.0, 100.5), &[]),
        ((0.0, 0.0), (0.0, 300.0), &[(0.0, 100.0)]),
        ((0.0, 300.0), (0.0, 0.0), &[(200.0, 300.0)]),
        ((-10.0, 5.0), (10.0, 5.0), &[(0.0, 20.0)]),
        ((200.0, 0.0), (300.0, 0.0), &[]),
        ((200.0, 0.0), (200.0, 0.0), &[]),
    ];
    for &(a, b, expect) in table {
        assert_stretches(&shape, a, b, expect);
    }
    for (x, y, depth_m) in [(0.0, 0.0, 100.0), (60.0, 0.0, 40.0), (0.0, 130.0, -30.0)] {
        assert_near(shape.depth_m(at(x, y)), depth_m, 0.1);
        assert_eq!(shape.contains(at(x, y)), depth_m > 0.0);
    }
}

#[test]
fn a_path_from_far_away_still_hits_to_the_millimetre() {
    let centre = at(0.0, 0.0);
    let shape = Shape::circle(centre, 50.0).expect("good");
    let (a, b) = (Point::new(centre.lon - 8.0, centre.lat), Point::new(centre.lon + 8.0, centre.lat));
    let inside = shape.segment_inside(a, b);
    let entry = inside.first().map(|i| a.lerp(b, i.t_in)).expect("one stretch");
    assert_near(shape.depth_m(entry), 0.0, 1e-3);
}

#[test]
fn boxes_hold_their_shapes() {
    let circle = Shape::circle(at(0.0, 0.0), 100.0).expect("good");
    let bbox = circle.bbox();
    assert!(bbox.contains(at(99.9, 0.0)) && bbox.contains(at(0.0, -99.9)));
    assert!(!bbox.contains(at(100.2, 0.0)) && !bbox.contains(at(0.0, -100.2)));
    let square = area(&[&[SQUARE]]).bbox();
    assert!(square.contains(at(0.0, 0.0)) && square.contains(at(100.0, 100.0)));
    assert!(!square.contains(at(-0.1, 50.0)));
}

#[test]
fn points_that_are_no_points_are_outside() {
    let good = at(50.0, 50.0);
    for shape in [area(&[&[SQUARE]]), Shape::circle(good, 80.0).expect("good")] {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for p in [Point::new(bad, good.lat), Point::new(good.lon, bad)] {
                assert!(!shape.contains(p));
                assert!(shape.segment_inside(p, good).is_empty());
                assert!(shape.segment_inside(good, p).is_empty());
                assert_eq!(shape.depth_m(p), f64::NEG_INFINITY);
            }
        }
    }
}

#[test]
fn a_province_is_judged_exactly_in_degrees() {
    let ring = LineString::from(vec![(100.0, 22.0), (106.0, 22.0), (106.0, 29.0), (100.0, 29.0)]);
    let shape = Shape::polygon(&MultiPolygon(vec![Polygon::new(ring, vec![])])).expect("good");
    let inside = shape.segment_inside(Point::new(99.0, 25.0), Point::new(101.0, 25.0));
    assert_near(inside.first().map_or(0.0, |i| i.t_in), 0.5, 1e-9);
    assert!(shape.contains(Coord { x: 105.999_999, y: 22.000_001 }.into()));
    assert!(!shape.contains(Coord { x: 106.000_001, y: 22.000_001 }.into()));
}
