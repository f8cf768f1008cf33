//! The index against a look at every shape.

use geofence::{Interval, Point, Shape, ZoneIndex};
use proptest::prelude::*;

use crate::{at, corridor, oracle};

fn place() -> impl Strategy<Value = (f64, f64)> {
    (-3_000.0..3_000.0, -3_000.0..3_000.0)
}

fn any_shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        (place(), 1.0..500.0).prop_map(|((x, y), r)| Shape::circle(at(x, y), r).expect("good")),
        (place(), place(), 1.0..50.0)
            .prop_filter("an axis has length", |(a, b, _)| a != b)
            .prop_map(|(a, b, w)| corridor(&[a, b], w)),
        oracle::star(place()).prop_map(|(shape, _)| shape),
    ]
}

proptest! {
    #![proptest_config(oracle::config(0x51))]

    #[test]
    fn equals_a_linear_scan(
        zones in prop::collection::vec((0u8..20, any_shape()), 0..60),
        a in place(),
        b in place(),
    ) {
        let index = ZoneIndex::build(zones.clone()).expect("few");
        let mut sorted = zones;
        sorted.sort_by_key(|(key, _)| *key);
        let (a, b) = (at(a.0, a.1), at(b.0, b.1));

        let mut found = Vec::new();
        index.at(a, |key, shape| found.push((*key, shape.clone())));
        let scan: Vec<_> = sorted.iter().filter(|(_, s)| s.contains(a)).cloned().collect();
        prop_assert_eq!(found, scan);

        let mut met = Vec::new();
        index.touching_segment(a, b, |key, _, inside| met.push((*key, inside)));
        let scan = sorted.iter().map(|(key, s)| (*key, s.segment_inside(a, b)));
        let scan: Vec<_> = scan.filter(|(_, inside)| !inside.is_empty()).collect();
        prop_assert_eq!(met, scan);
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
    let index = ZoneIndex::build([(1, Shape::circle(at(0.0, 0.0), 10.0).expect("good"))]).expect("few");
    let bad = Point::new(f64::NAN, 32.0);
    index.at(bad, |_, _| panic!("no point"));
    index.touching_segment(bad, at(0.0, 0.0), |_, _, _| panic!("no path"));
    let mut whole = 0;
    index.touching_segment(at(0.0, 0.0), at(0.0, 0.0), |_, _, inside| {
        whole += usize::from(inside.as_slice() == [Interval::WHOLE]);
    });
    assert_eq!(whole, 1);
}
