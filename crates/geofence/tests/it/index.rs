//! The index against a look at every shape.

use geofence::{Bbox, Interval, Intervals, Point, Shape, ZoneIndex};
use proptest::prelude::*;

use crate::{Metres, at, corridor, oracle, rings};

fn place() -> impl Strategy<Value = Metres> {
    prop_oneof![
        2 => (-3_000.0..3_000.0, -3_000.0..3_000.0),
        // Shared edges and vertices, paths along borders.
        2 => (-6i32..=6, -6i32..=6).prop_map(|(x, y)| (f64::from(x) * 500.0, f64::from(y) * 500.0)),
        // Far outside.
        1 => (-300_000.0..300_000.0, -300_000.0..300_000.0),
    ]
}

fn square((x, y): Metres, side: f64, holed: bool) -> Shape {
    let outer = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)];
    let hole = outer.map(|(u, v)| (u + (x + side / 2.0 - u) / 2.0, v + (y + side / 2.0 - v) / 2.0));
    let all: &[&[Metres]] = if holed { &[&outer, &hole] } else { &[&outer] };
    Shape::polygon(&geo_types::MultiPolygon(vec![rings(all)])).expect("a square is simple")
}

/// From 2 m to the size of a province.
fn any_shape() -> impl Strategy<Value = Shape> {
    let size = prop_oneof![4 => 1.0..600.0f64, 2 => Just(500.0), 1 => 600.0..20_000.0f64, 1 => 20_000.0..90_000.0f64];
    let axis = prop::collection::vec(place(), 2..6)
        .prop_filter("an axis has length", |axis| axis.windows(2).all(|w| w[0] != w[1]));
    prop_oneof![
        (place(), size.clone()).prop_map(|((x, y), r)| Shape::circle(at(x, y), r).expect("good")),
        (place(), size, any::<bool>()).prop_map(|(corner, side, holed)| square(corner, side, holed)),
        (axis, prop_oneof![1.0..50.0f64, 1_000.0..9_000.0f64]).prop_map(|(axis, w)| corridor(&axis, w)),
        oracle::star(place()).prop_map(|(shape, _)| shape),
    ]
}

fn by_scan(zones: &[(u8, Shape)], a: Point, b: Point) -> Vec<(u8, Intervals)> {
    let all = zones.iter().map(|(key, shape)| (*key, shape.segment_inside(a, b)));
    all.filter(|(_, inside)| !inside.is_empty()).collect()
}

/// Corners and sides of the boxes of shapes: where cells begin and end.
fn ends(
    zones: &[(u8, Shape)],
    drawn: (Point, Point),
    pick: (prop::sample::Index, prop::sample::Index),
) -> [(Point, Point); 4] {
    let corner = |index: prop::sample::Index| {
        let Bbox { min, max } = zones[index.index(zones.len())].1.bbox();
        if index.index(2) == 0 { min } else { max }
    };
    let (from, to) = (corner(pick.0), corner(pick.1));
    [drawn, (from, to), (from, drawn.1), (from, Point::new(drawn.0.lon, from.lat))]
}

proptest! {
    #![proptest_config(oracle::config(0x51))]

    #[test]
    fn equals_a_linear_scan(
        zones in prop::collection::vec((0u8..20, any_shape()), 1..80),
        a in place(),
        b in place(),
        pick in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        let index = ZoneIndex::build(zones.clone()).expect("few");
        let mut sorted = zones;
        sorted.sort_by_key(|(key, _)| *key);
        for (a, b) in ends(&sorted, (at(a.0, a.1), at(b.0, b.1)), pick) {
            for t in [0.0, 0.3, 1.0] {
                let p = a.lerp(b, t);
                let mut found = Vec::new();
                index.at(p, |key, shape| found.push((*key, shape.clone())));
                let scan: Vec<_> = sorted.iter().filter(|(_, s)| s.contains(p)).cloned().collect();
                prop_assert_eq!(found, scan);
            }
            for (a, b) in [(a, b), (b, a), (a, a), (a, a.lerp(b, 1e-3))] {
                let mut met = Vec::new();
                index.touching_segment(a, b, |key, _, inside| met.push((*key, inside)));
                prop_assert_eq!(met, by_scan(&sorted, a, b));
            }
        }
    }

    /// A box is denied only where no shape meets any place or path in it; and a place far from all shapes is denied.
    #[test]
    fn a_box_that_may_touch_nothing_touches_nothing(
        zones in prop::collection::vec((0u8..20, any_shape()), 1..80),
        corner in place(),
        reach in prop_oneof![Just((0.0, 0.0)), (0.0..300.0f64, 0.0..300.0f64), (0.0..9_000.0f64, 0.0..9_000.0f64)],
        paths in prop::collection::vec(((0.0..=1.0f64, 0.0..=1.0f64), (0.0..=1.0f64, 0.0..=1.0f64)), 12),
        pick in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        let index = ZoneIndex::build(zones.clone()).expect("few");
        let drawn = (at(corner.0, corner.1), at(corner.0 + reach.0, corner.1 + reach.1));
        for (a, b) in ends(&zones, drawn, pick) {
            let around = Bbox::of_segment(a, b);
            let may = index.may_touch(&around);
            let within = |(x, y): (f64, f64)| {
                Point::new(around.min.lerp(around.max, x).lon, around.min.lerp(around.max, y).lat)
            };
            let sides = [(a, b), (around.min, around.max), (a, a), (b, b)];
            for (a, b) in paths.iter().map(|(from, to)| (within(*from), within(*to))).chain(sides) {
                prop_assert!(may || by_scan(&zones, a, b).is_empty(), "{around:?} {a:?} {b:?}");
            }
            let here = Bbox::of_segment(a, a);
            let wider = Bbox {
                min: Point::new(a.lon - 1e-4, a.lat - 1e-4),
                max: Point::new(a.lon + 1e-4, a.lat + 1e-4),
            };
            let near = zones.iter().any(|(_, shape)| shape.bbox().intersects(&wider));
            prop_assert!(near || !index.may_touch(&here), "{a:?}");
        }
    }

    /// So many that grids lie in cells: a few large ones, crowds of small ones, and paths from cell to cell.
    #[test]
    fn a_crowd_equals_a_linear_scan(
        large in prop::collection::vec(any_shape(), 0..8),
        crowds in prop::collection::vec((place(), 20.0..400.0f64, 20usize..120), 1..5),
        paths in prop::collection::vec((place(), place()), 12),
    ) {
        let mut zones: Vec<(u32, Shape)> = (0..).zip(large).collect();
        for ((x, y), spread, count) in crowds {
            for i in 0..count {
                let (turn, far) = (i as f64 * 2.4, spread * (i as f64).sqrt());
                let here = (x + far * turn.cos(), y + far * turn.sin());
                let shape = match i % 3 {
                    0 => square(here, spread * 1.5, i % 2 == 0),
                    1 => Shape::circle(at(here.0, here.1), spread).expect("good"),
                    _ => corridor(&[here, (here.0 + spread, here.1), (here.0 + spread * 3.0, here.1 + spread)], spread / 5.0),
                };
                zones.push((zones.len() as u32, shape));
            }
        }
        let index = ZoneIndex::build(zones.iter().cloned()).expect("few");
        for (a, b) in paths {
            let (a, b) = (at(a.0, a.1), at(b.0, b.1));
            let mut met = Vec::new();
            index.touching_segment(a, b, |key, _, inside| met.push((*key, inside)));
            let scan: Vec<_> = zones.iter().map(|(key, s)| (*key, s.segment_inside(a, b))).filter(|(_, i)| !i.is_empty()).collect();
            prop_assert_eq!(met, scan);
            for end in [a.lerp(b, 1e-3), a.lerp(b, 1e-2), a.lerp(b, 0.1)] {
                let around = Bbox::of_segment(a, end);
                let met = zones.iter().any(|(_, s)| !s.segment_inside(a, end).is_empty());
                prop_assert!(!met || index.may_touch(&around), "{around:?}");
            }
            for p in [a, b, a.lerp(b, 0.5)] {
                let mut found = Vec::new();
                index.at(p, |key, _| found.push(*key));
                let scan: Vec<_> = zones.iter().filter(|(_, s)| s.contains(p)).map(|(key, _)| *key).collect();
                prop_assert_eq!(found, scan);
            }
        }
    }
}

#[test]
fn one_key_may_have_several_shapes() {
    let circle = |x| Shape::circle(at(x, 0.0), 10.0).expect("good");
    let index = ZoneIndex::build([(7, circle(0.0)), (3, circle(50.0)), (7, circle(100.0))]).expect("few");
    assert_eq!(index.len(), 3);
    assert_eq!(index.shapes_of(7).cloned().collect::<Vec<_>>(), [circle(0.0), circle(100.0)]);
    assert_eq!(index.shapes_of(5).count(), 0);
    assert_eq!(index.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [3, 7, 7]);
    let mut seen = Vec::new();
    index.touching_segment(at(-50.0, 0.0), at(150.0, 0.0), |key, _, inside| seen.push((*key, inside.len())));
    assert_eq!(seen, [(3, 1), (7, 1), (7, 1)]);
}

#[test]
fn an_empty_index_and_bad_points_find_nothing() {
    let empty = ZoneIndex::<u32>::build([]).expect("few");
    assert!(empty.is_empty());
    empty.at(at(0.0, 0.0), |_, _| panic!("nothing is there"));
    assert!(!empty.may_touch(&Bbox::of_segment(at(0.0, 0.0), at(1.0, 0.0))));
    empty.touching_segment(at(0.0, 0.0), at(1.0, 0.0), |_, _, _| panic!("nothing is there"));
    let index = ZoneIndex::build([(1, Shape::circle(at(0.0, 0.0), 10.0).expect("good"))]).expect("few");
    for bad in [Point::new(f64::NAN, 32.0), Point::new(118.0, f64::INFINITY), Point::new(1e300, -1e300)] {
        index.at(bad, |_, _| panic!("no point"));
        assert!(index.may_touch(&Bbox { min: bad, max: at(0.0, 0.0) }), "{bad:?}");
        let shape = index.shapes_of(1).next().expect("one");
        let mut met = Intervals::new();
        index.touching_segment(bad, at(0.0, 0.0), |_, _, inside| met = inside);
        assert_eq!(met, shape.segment_inside(bad, at(0.0, 0.0)), "{bad:?}");
    }
    let mut whole = 0;
    index.touching_segment(at(0.0, 0.0), at(0.0, 0.0), |_, _, inside| {
        whole += usize::from(inside.as_slice() == [Interval::WHOLE]);
    });
    assert_eq!(whole, 1);
}

/// Large shapes must not be listed cell by cell: what the index holds stays in proportion to the shapes.
#[test]
fn large_shapes_take_few_cells() {
    let small =
        |i: u32| Shape::circle(at(f64::from(i % 100) * 5_000.0, f64::from(i / 100) * 5_000.0), 300.0).expect("good");
    let large = |i: u32| square((f64::from(i) * 10.0, f64::from(i) * 10.0), 450_000.0, false);
    for (name, zones) in [
        ("small", (0..10_000).map(small).collect::<Vec<_>>()),
        ("small, and some provinces", (0..10_000).map(small).chain((0..100).map(large)).collect()),
        ("provinces upon each other", (0..2_000).map(large).collect()),
        ("one place", (0..2_000).map(|_| small(0)).collect()),
        (
            "one city and one far away",
            (0..2_000)
                .map(|i| small(i % 40))
                .chain([Shape::circle(Point::new(-60.0, -20.0), 9.0).expect("good")])
                .collect(),
        ),
    ] {
        let index = ZoneIndex::build((0_u32..).zip(zones)).expect("few");
        let each = index.heap_bytes() / index.len();
        assert!(each < 700, "{name}: {each} bytes a shape");
    }
}
