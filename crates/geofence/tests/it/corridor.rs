//! Corridors: flat ends, bends, and travelled along or merely crossed.

use geofence::{Along, Direction, Interval, Point, Shape};

use crate::{PathCase, assert_near, assert_stretches, at, corridor, line};

const BRIDGE: &[(f64, f64)] = &[(-1000.0, 0.0), (1000.0, 0.0)];
/// East, then north.
const BEND: &[(f64, f64)] = &[(-1000.0, 0.0), (0.0, 0.0), (0.0, 1000.0)];

fn along(shape: &Shape, a: (f64, f64), b: (f64, f64)) -> Vec<Along> {
    let (a, b) = (at(a.0, a.1), at(b.0, b.1));
    let inside = shape.segment_inside(a, b);
    inside.iter().map(|&i| shape.along(a, b, i).expect("in the corridor")).collect()
}

#[test]
fn ends_are_flat() {
    let shape = corridor(BRIDGE, 20.0);
    for ((x, y), depth_m) in [
        ((0.0, 0.0), 20.0),
        ((0.0, 15.0), 5.0),
        ((0.0, -25.0), -5.0),
        ((990.0, 0.0), 10.0),
        ((1005.0, 0.0), -5.0),
        ((1005.0, 19.0), -5.0),
        ((-1030.0, 60.0), -50.0),
        ((-999.0, 19.5), 0.5),
    ] {
        assert_near(shape.depth_m(at(x, y)), depth_m, 0.3);
        assert_eq!(shape.contains(at(x, y)), depth_m > 0.0, "{x} {y}");
    }
}

#[test]
fn paths_through_a_bridge() {
    let shape = corridor(BRIDGE, 20.0);
    let table: &[PathCase] = &[
        // along from end to end, into one end, inside, beside, beyond
        ((-1500.0, 0.0), (1500.0, 0.0), &[(500.0, 2500.0)]),
        ((-1500.0, 10.0), (0.0, 10.0), &[(500.0, 1500.0)]),
        ((-100.0, 0.0), (100.0, 0.0), &[(0.0, 200.0)]),
        ((-1500.0, 21.0), (1500.0, 21.0), &[]),
        ((1010.0, -50.0), (1010.0, 50.0), &[]),
        // crossed, squarely and at a slant, and at the very end
        ((0.0, -100.0), (0.0, 100.0), &[(80.0, 120.0)]),
        ((-100.0, -100.0), (100.0, 100.0), &[(113.14, 169.71)]),
        ((999.0, 50.0), (999.0, -50.0), &[(30.0, 70.0)]),
        // a corner cut
        ((990.0, 40.0), (1020.0, 10.0), &[]),
        ((970.0, 40.0), (1030.0, -20.0), &[(28.28, 42.43)]),
        ((0.0, 0.0), (0.0, 0.0), &[(0.0, 0.0)]),
    ];
    for &(a, b, expect) in table {
        assert_stretches(&shape, a, b, expect);
    }
}

#[test]
fn a_thin_corridor_is_not_missed() {
    let shape = corridor(BRIDGE, 0.5);
    assert_stretches(&shape, (3.0, -10_000.0), (3.0, 10_000.0), &[(9_999.5, 10_000.5)]);
}

#[test]
fn a_bend_has_a_round_outer_side_and_no_gap() {
    let shape = corridor(BEND, 20.0);
    for ((x, y), depth_m) in [
        ((0.0, 0.0), 20.0),
        ((6.0, -8.0), 10.0),
        ((12.0, -16.0), 0.0),
        ((18.0, -18.0), -5.456),
        ((-10.0, 10.0), 10.0),
        ((-30.0, 30.0), -10.0),
        ((21.0, 0.0), -1.0),
        ((0.0, -21.0), -1.0),
    ] {
        assert_near(shape.depth_m(at(x, y)), depth_m, 0.3);
    }
    // round the outer side from band to band, through the join
    assert_stretches(&shape, (-10.0, -15.0), (15.0, 10.0), &[(0.0, 35.36)]);
    // over the inner corner
    assert_stretches(&shape, (-100.0, 0.0), (0.0, 100.0), &[(0.0, 28.28), (113.14, 141.42)]);
}

#[test]
fn a_short_last_leg_does_not_bulge_over_the_flat_end() {
    let shape = corridor(&[(-1000.0, 0.0), (0.0, 0.0), (5.0, 0.5)], 50.0);
    assert!(shape.contains(at(4.0, 0.0)));
    assert!(!shape.contains(at(8.0, 0.0)));
    assert!(!shape.contains(at(30.0, -10.0)));
}

#[test]
fn along_and_merely_crossed() {
    let shape = corridor(BRIDGE, 20.0);
    // (path, from, to, progress, offset in, offset out)
    let table = [
        ((-1500.0, 0.0), (1500.0, 0.0), [0.0, 2000.0, 2000.0, 0.0, 0.0]),
        ((1500.0, 5.0), (-1500.0, 5.0), [2000.0, 0.0, -2000.0, 5.0, 5.0]),
        ((-200.0, -10.0), (300.0, 10.0), [800.0, 1300.0, 500.0, -10.0, 10.0]),
        ((0.0, -100.0), (0.0, 100.0), [1000.0, 1000.0, 0.0, -20.0, 20.0]),
        ((-100.0, 100.0), (100.0, -100.0), [980.0, 1020.0, 40.0, 20.0, -20.0]),
        ((50.0, 0.0), (50.0, 0.0), [1050.0, 1050.0, 0.0, 0.0, 0.0]),
    ];
    for (a, b, [from, to, progress, offset_in, offset_out]) in table {
        let got = along(&shape, a, b);
        assert_eq!(got.len(), 1, "{a:?} {b:?}");
        assert_near(got[0].from_m, from, 1.0);
        assert_near(got[0].to_m, to, 1.0);
        assert_near(got[0].progress_m, progress, 1.0);
        assert_near(got[0].offset_in_m, offset_in, 0.1);
        assert_near(got[0].offset_out_m, offset_out, 0.1);
        assert_near(got[0].across_m(), offset_out - offset_in, 0.2);
    }
}

#[test]
fn progress_goes_round_a_bend() {
    let shape = corridor(BEND, 20.0);
    let first = along(&shape, (-500.0, 0.0), (0.0, 0.0));
    let second = along(&shape, (0.0, 0.0), (0.0, 500.0));
    assert_near(first[0].progress_m + second[0].progress_m, 1000.0, 1.0);
    let outer = along(&shape, (-10.0, -15.0), (15.0, 10.0));
    assert_near(outer[0].progress_m, 20.0, 0.5);
    let in_the_join = along(&shape, (3.0, -4.0), (8.0, -6.0));
    assert_near(in_the_join[0].offset_in_m, -5.0, 0.1);
    assert_near(in_the_join[0].offset_out_m, -10.0, 0.1);
    assert_near(in_the_join[0].progress_m, 0.0, 0.1);
    let to_the_right = corridor(&[(-1000.0, 0.0), (0.0, 0.0), (0.0, -1000.0)], 20.0);
    assert_near(along(&to_the_right, (3.0, 4.0), (8.0, 6.0))[0].offset_out_m, 10.0, 0.1);
}

#[test]
fn a_hairpin_crossed_is_not_travelled() {
    let shape = corridor(&[(0.0, 0.0), (1000.0, 0.0), (1000.0, 30.0), (0.0, 30.0)], 20.0);
    let got = along(&shape, (300.0, -50.0), (300.0, 80.0));
    assert_eq!(got.len(), 1);
    assert_near(got[0].progress_m, 0.0, 0.1);
    assert!((got[0].to_m - got[0].from_m).abs() > 1_000.0);
}

#[test]
fn a_ring_road_has_no_ends() {
    let ring = [(0.0, 0.0), (500.0, 0.0), (500.0, 500.0), (0.0, 500.0), (0.0, 0.0)];
    let shape = corridor(&ring, 20.0);
    assert!(shape.contains(at(-10.0, -10.0)), "the seam is joined");
    assert!(!shape.contains(at(-18.0, -18.0)), "and round");
    assert_near(shape.depth_m(at(0.0, 0.0)), 20.0, 0.1);
    let over_the_seam =
        along(&shape, (0.0, 100.0), (0.0, 0.0))[0].progress_m + along(&shape, (0.0, 0.0), (100.0, 0.0))[0].progress_m;
    assert_near(over_the_seam, 200.0, 1.0);
    assert_near(shape.axis_length_m().unwrap_or_default(), 2_000.0, 2.0);
}

#[test]
fn an_axis_that_turns_back_is_covered() {
    let shape = corridor(&[(0.0, 0.0), (500.0, 0.0), (100.0, 0.0)], 20.0);
    assert!(shape.contains(at(515.0, 5.0)));
    assert!(!shape.contains(at(-1.0, 0.0)));
}

#[test]
fn directions() {
    for (direction, forward, backward) in
        [(Direction::Both, true, true), (Direction::Forward, true, false), (Direction::Backward, false, true)]
    {
        let shape = Shape::corridor(&line(BRIDGE), 20.0, direction).expect("good");
        assert_eq!(shape.direction(), Some(direction));
        let progress = |a, b| along(&shape, a, b)[0].progress_m;
        assert_eq!(direction.covers(progress((-500.0, 0.0), (500.0, 0.0))), forward);
        assert_eq!(direction.covers(progress((500.0, 0.0), (-500.0, 0.0))), backward);
        assert!(direction.covers(0.0));
    }
}

#[test]
fn only_a_corridor_has_an_axis() {
    let circle = Shape::circle(at(0.0, 0.0), 100.0).expect("good");
    assert_eq!(circle.along(at(0.0, 0.0), at(1.0, 0.0), Interval::WHOLE), None);
    assert_eq!((circle.direction(), circle.axis_length_m()), (None, None));
    let shape = corridor(BRIDGE, 20.0);
    assert_eq!(shape.along(at(0.0, 500.0), at(1.0, 500.0), Interval::WHOLE), None, "not inside");
    assert_eq!(shape.along(Point::new(f64::NAN, 0.0), at(0.0, 0.0), Interval::WHOLE), None);
}
