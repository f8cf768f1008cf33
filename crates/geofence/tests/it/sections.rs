//! Several corridors as one shape: in any of them is inside, and the way along them adds up.

use geo_types::{LineString, coord};
use geofence::{Direction, Interval, Point, Shape};

const HALF_M: f64 = 20.0;
/// Metres of 1e-3 degree of longitude on the equator.
const MILLI_M: f64 = 111.319;

fn east(from: f64, to: f64) -> LineString<f64> {
    LineString::from(vec![coord! { x: from * 1e-3, y: 0.0 }, coord! { x: to * 1e-3, y: 0.0 }])
}

fn shape(sections: &[(f64, f64, Direction)]) -> Shape {
    let axes: Vec<_> = sections.iter().map(|(from, to, direction)| (east(*from, *to), *direction)).collect();
    let bands: Vec<_> = axes.iter().map(|(axis, direction)| (axis, HALF_M, *direction)).collect();
    Shape::corridors(&bands).expect("a shape")
}

fn at(east: f64, north: f64) -> Point {
    Point::new(east * 1e-3, north * 1e-3)
}

/// Metres along, over all stretches of a path.
fn along_m(shape: &Shape, a: Point, b: Point) -> f64 {
    let inside = shape.segment_inside(a, b);
    inside.iter().filter_map(|stretch| shape.along(a, b, *stretch)).map(|along| along.progress_m).sum()
}

#[test]
fn one_is_a_corridor() {
    let one = shape(&[(0.0, 10.0, Direction::Forward)]);
    assert_eq!(one, Shape::corridor(&east(0.0, 10.0), HALF_M, Direction::Forward).expect("a shape"));
    assert!(Shape::corridors(&[]).is_err());
}

#[test]
fn in_any_of_them_is_inside() {
    let two = shape(&[(0.0, 3.0, Direction::Both), (6.0, 9.0, Direction::Both)]);
    for (east, inside) in [(1.0, true), (4.5, false), (7.0, true), (9.5, false)] {
        assert_eq!(two.contains(at(east, 0.0)), inside, "{east}");
        assert_eq!(two.depth_m(at(east, 0.0)) > 0.0, inside, "{east}");
    }
    assert!((two.depth_m(at(7.5, 0.0)) - HALF_M).abs() < 0.1);
    let stretches = two.segment_inside(at(-1.0, 0.0), at(10.0, 0.0));
    let expected = [(1.0 / 11.0, 4.0 / 11.0), (7.0 / 11.0, 10.0 / 11.0)];
    assert_eq!(stretches.len(), 2);
    for (Interval { t_in, t_out }, (from, to)) in stretches.iter().zip(expected) {
        assert!((t_in - from).abs() < 1e-5 && (t_out - to).abs() < 1e-5, "{t_in} {t_out}");
    }
}

#[test]
fn the_way_along_them_adds_up() {
    use Direction::{Backward, Both, Forward};
    for (sections, metres) in [
        // Apart, adjoining, overlapping, one within the other.
        (vec![(0.0, 3.0, Both), (6.0, 9.0, Both)], 6.0),
        (vec![(0.0, 3.0, Both), (3.0, 6.0, Both)], 6.0),
        (vec![(0.0, 4.0, Both), (2.0, 6.0, Both)], 6.0),
        (vec![(0.0, 9.0, Both), (2.0, 6.0, Both)], 9.0),
        // What runs against one of them is none; what they all ask is.
        (vec![(0.0, 3.0, Forward), (6.0, 9.0, Backward)], 3.0),
        (vec![(0.0, 3.0, Both), (6.0, 9.0, Backward)], 3.0),
        (vec![(0.0, 3.0, Backward), (6.0, 9.0, Backward)], 6.0),
    ] {
        let shape = shape(&sections);
        let along = along_m(&shape, at(-1.0, 0.0), at(11.0, 0.0));
        assert!((along - metres * MILLI_M).abs() < 2.0, "{sections:?}: {along}");
        let across = along_m(&shape, at(2.5, -1.0), at(2.5, 1.0));
        assert!(across.abs() < 1.0, "{sections:?}: {across}");
    }
    let directions = |list: &[(f64, f64, Direction)]| shape(list).direction();
    assert_eq!(directions(&[(0.0, 3.0, Forward), (6.0, 9.0, Forward)]), Some(Forward));
    assert_eq!(directions(&[(0.0, 3.0, Forward), (6.0, 9.0, Backward)]), Some(Both));
    let axis_m = shape(&[(0.0, 3.0, Both), (6.0, 8.0, Both)]).axis_length_m().expect("axes");
    assert!((axis_m - 2.0 * MILLI_M).abs() < 1.0, "of the shortest");
}
