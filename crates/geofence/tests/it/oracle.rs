//! Properties of all shapes, against dense sampling and against the `geo` crate.

use geo::{Contains, Distance, Euclidean, Geodesic, Intersects};
use geo_types::{LineString, MultiPolygon};
use geofence::{Direction, Interval, Point, Shape};
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, RngSeed};

use crate::{Metres, at, corridor, line, rings};

/// The same cases every time, and no files beside the source.
pub(crate) fn config(seed: u64) -> ProptestConfig {
    ProptestConfig {
        cases: 512,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    }
}

fn place() -> impl Strategy<Value = Metres> {
    // Whole metres now and then, so that paths run through vertices and along edges.
    prop_oneof![
        (-500.0..500.0, -500.0..500.0),
        (-10i32..=10, -10i32..=10).prop_map(|(x, y)| (f64::from(x) * 50.0, f64::from(y) * 50.0)),
    ]
}

/// A star around a centre: simple, as jagged as you like, with a hole in half of the cases.
pub(crate) fn star(centre: impl Strategy<Value = Metres>) -> impl Strategy<Value = (Shape, MultiPolygon<f64>)> {
    let radii = prop::collection::vec(60.0..400.0f64, 3..24);
    (centre, radii, any::<bool>()).prop_map(|((x, y), radii, holed)| {
        let count = radii.len() as f64;
        let vertex = |(i, r): (usize, f64)| {
            let angle = std::f64::consts::TAU * i as f64 / count;
            (x + r * angle.cos(), y + r * angle.sin())
        };
        let outer: Vec<Metres> = radii.iter().copied().enumerate().map(vertex).collect();
        let hole: Vec<Metres> = radii.iter().map(|r| r * 0.4).enumerate().map(vertex).collect();
        let all: &[&[Metres]] = if holed { &[&outer, &hole] } else { &[&outer] };
        let area = MultiPolygon(vec![rings(all)]);
        (Shape::polygon(&area).expect("a star is simple"), area)
    })
}

/// An axis that bends by less than 75 degrees, with legs longer than the corridor is wide.
fn gentle_axis() -> impl Strategy<Value = Vec<Metres>> {
    let legs = prop::collection::vec((-1.3..1.3f64, 100.0..300.0f64), 1..6);
    (place(), 0.0..std::f64::consts::TAU, legs).prop_map(|(start, heading, legs)| {
        let step = |(place, heading): &mut (Metres, f64), (turn, length): (f64, f64)| {
            *heading += turn;
            *place = (place.0 + length * heading.cos(), place.1 + length * heading.sin());
            Some(*place)
        };
        std::iter::once(start).chain(legs.into_iter().scan((start, heading), step)).collect()
    })
}

fn any_shape() -> impl Strategy<Value = Shape> {
    let axis = prop::collection::vec(place(), 2..8);
    prop_oneof![
        star(place()).prop_map(|(shape, _)| shape),
        (place(), 1.0..400.0).prop_map(|((x, y), r)| Shape::circle(at(x, y), r).expect("good")),
        (axis, 0.5..80.0, any::<bool>())
            .prop_filter("an axis has length", |(axis, ..)| axis.windows(2).all(|w| w[0] != w[1]))
            .prop_map(|(mut axis, w, ring)| {
                if ring && axis.first() != axis.last() {
                    axis.push(axis[0]);
                }
                corridor(&axis, w)
            }),
    ]
}

/// Why the stretches are not what a dense look at the path finds; empty if they are.
fn disagreement(shape: &Shape, a: Point, b: Point, inside: &[Interval]) -> Option<String> {
    (0..=400).map(|i| f64::from(i) / 400.0).find_map(|t| {
        let p = a.lerp(b, t);
        let claimed = inside.iter().any(|i| i.t_in <= t && t <= i.t_out);
        // A sample within a millimetre of an edge may fall on either side.
        let open = [(0.6e-3, 0.8e-3), (-0.6e-3, 0.8e-3), (0.6e-3, -0.8e-3), (-0.6e-3, -0.8e-3)];
        let around = open.map(|(x, y)| shape.contains(Point::new(p.lon + x / 94_493.6, p.lat + y / 110_881.1)));
        let clear = around.iter().all(|&side| side == shape.contains(p));
        (clear && claimed != shape.contains(p)).then(|| format!("at {t}: claimed {claimed}, {inside:?}"))
    })
}

fn planar(p: Point) -> geo_types::Point<f64> {
    geo_types::Point::new(p.lon, p.lat)
}

proptest! {
    #![proptest_config(config(0x0d))]

    #[test]
    fn stretches_are_ordered_and_agree_with_points(shape in any_shape(), a in place(), b in place()) {
        let (a, b) = (at(a.0, a.1), at(b.0, b.1));
        let inside = shape.segment_inside(a, b);
        for i in &inside {
            prop_assert!(0.0 <= i.t_in && i.t_in <= i.t_out && i.t_out <= 1.0, "{inside:?}");
        }
        prop_assert!(inside.windows(2).all(|w| w[0].t_out < w[1].t_in), "{inside:?}");
        prop_assert_eq!(shape.contains(a), inside.first().is_some_and(|i| i.t_in == 0.0));
        prop_assert_eq!(shape.contains(b), inside.last().is_some_and(|i| i.t_out == 1.0));
        let problem = disagreement(&shape, a, b, &inside);
        prop_assert!(problem.is_none(), "{}", problem.unwrap_or_default());
    }

    #[test]
    fn crossings_lie_on_the_edge(shape in any_shape(), a in place(), b in place()) {
        let (a, b) = (at(a.0, a.1), at(b.0, b.1));
        for i in shape.segment_inside(a, b) {
            for t in [i.t_in, i.t_out] {
                let depth_m = shape.depth_m(a.lerp(b, t));
                prop_assert!(depth_m > -1e-3, "{t} is {depth_m} deep");
            }
        }
    }

    #[test]
    fn the_way_back_is_the_mirror(shape in any_shape(), a in place(), b in place()) {
        let (a, b) = (at(a.0, a.1), at(b.0, b.1));
        let total = |from, to| shape.segment_inside(from, to).iter().map(Interval::share).sum::<f64>();
        prop_assert!((total(a, b) - total(b, a)).abs() < 1e-6);
    }

    #[test]
    fn depth_has_the_sign_of_inside(shape in any_shape(), p in place()) {
        let p = at(p.0, p.1);
        let depth_m = shape.depth_m(p);
        prop_assert!(if shape.contains(p) { depth_m >= -1e-3 } else { depth_m < 1e-3 }, "{depth_m}");
        prop_assert!(!shape.contains(p) || shape.bbox().contains(p));
    }

    #[test]
    fn areas_agree_with_geo((shape, area) in star(place()), a in place(), b in place()) {
        let (a, b) = (at(a.0, a.1), at(b.0, b.1));
        let inside = shape.segment_inside(a, b);
        if shape.depth_m(a).abs() > 1e-3 {
            prop_assert_eq!(shape.contains(a), area.contains(&planar(a)));
        }
        let path = geo_types::Line::new(planar(a), planar(b));
        let share: f64 = inside.iter().map(Interval::share).sum();
        if share > 1e-6 {
            prop_assert!(path.intersects(&area));
        }
        if !path.intersects(&area) {
            prop_assert!(inside.is_empty());
        }
    }

    #[test]
    fn depth_of_an_area_is_the_distance_to_its_rings((shape, area) in star(place()), p in place()) {
        let p = at(p.0, p.1);
        let edges = area.iter().flat_map(|poly| std::iter::once(poly.exterior()).chain(poly.interiors()));
        let metres = |line: &LineString<f64>| line.0.iter().map(|c| to_metres((*c).into())).collect::<LineString<f64>>();
        let here = geo_types::Point::from(to_metres(p));
        let truth = edges.map(|ring| Euclidean.distance(&here, &metres(ring))).fold(f64::INFINITY, f64::min);
        prop_assert!((shape.depth_m(p).abs() - truth).abs() < 1e-3 * truth + 0.05, "{} {truth}", shape.depth_m(p));
    }

    #[test]
    fn a_circle_is_what_the_geodesic_says(centre in place(), p in place(), radius_m in 10.0..800.0) {
        let (centre, p) = (at(centre.0, centre.1), at(p.0, p.1));
        let shape = Shape::circle(centre, radius_m).expect("good");
        let ground_m = Geodesic.distance(planar(centre), planar(p));
        prop_assert!((shape.depth_m(p) - (radius_m - ground_m)).abs() < 1e-3 * ground_m + 1e-3);
    }

    #[test]
    fn a_corridor_is_what_is_near_its_axis_and_not_beyond_its_ends(
        axis in gentle_axis(),
        width in 1.0..45.0,
        p in place(),
    ) {
        let shape = corridor(&axis, width);
        let truth: LineString<f64> = axis.iter().copied().collect();
        let axis_m = Euclidean.distance(&geo_types::Point::from(p), &truth);
        let ahead = |from: Metres, to: Metres, p: Metres| (p.0 - to.0) * (to.0 - from.0) + (p.1 - to.1) * (to.1 - from.1);
        let (first, last) = (axis[0], axis[axis.len() - 1]);
        let ends = [first, last].map(|end| (p.0 - end.0).hypot(p.1 - end.1));
        let nearest_is_end = ends.iter().any(|&end_m| (end_m - axis_m).abs() < 1e-6);
        let beyond = ahead(axis[1], first, p) > 0.0 || ahead(axis[axis.len() - 2], last, p) > 0.0;
        let expect = axis_m <= width && !(nearest_is_end && beyond);
        if shape.depth_m(at(p.0, p.1)).abs() > 0.5 {
            prop_assert_eq!(shape.contains(at(p.0, p.1)), expect, "{} from the axis", axis_m);
        }
    }

    #[test]
    fn every_stretch_in_a_corridor_has_its_course(axis in gentle_axis(), width in 1.0..45.0, a in place(), b in place()) {
        let shape = Shape::corridor(&line(&axis), width, Direction::Both).expect("good");
        let (a, b) = (at(a.0, a.1), at(b.0, b.1));
        for i in shape.segment_inside(a, b) {
            let there = shape.along(a, b, i);
            prop_assert!(there.is_some(), "{i:?}");
            let Some(along) = there else { continue };
            let run_m = geofence::distance_m(a.lerp(b, i.t_in), a.lerp(b, i.t_out));
            prop_assert!(along.progress_m.abs() <= run_m * 1.002 + 0.01, "{along:?} in {run_m}");
            prop_assert!(along.offset_in_m.abs().max(along.offset_out_m.abs()) <= width + 0.01);
            let length_m = shape.axis_length_m().unwrap_or_default() + 0.01;
            prop_assert!((0.0..=length_m).contains(&along.from_m) && (0.0..=length_m).contains(&along.to_m));
        }
    }

    #[test]
    fn driving_the_axis_is_progress_by_its_length(axis in gentle_axis(), width in 1.0..45.0) {
        let shape = corridor(&axis, width);
        let mut driven_m = 0.0;
        for leg in axis.windows(2) {
            let (a, b) = (at(leg[0].0, leg[0].1), at(leg[1].0, leg[1].1));
            for i in shape.segment_inside(a, b) {
                driven_m += shape.along(a, b, i).map_or(0.0, |along| along.progress_m);
            }
        }
        let length_m = shape.axis_length_m().unwrap_or_default();
        prop_assert!((driven_m - length_m).abs() < 1e-3 * length_m, "{driven_m} of {length_m}");
    }
}

fn to_metres(p: Point) -> Metres {
    let zero = at(0.0, 0.0);
    ((p.lon - zero.lon) * 94_493.6, (p.lat - zero.lat) * 110_881.1)
}
