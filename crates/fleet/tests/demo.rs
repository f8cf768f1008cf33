//! The demo zones and the demo fleet fit each other: some trucks cross some zone soon, most do not, every zone has its
//! visitors in the end.

use fleet::{Beginning, DEMO_ZONES, Network, Point, Truck};
use serde_json::Value;

/// 2026-11-23 10:00 GMT+8.
const BEGINNING: Beginning = Beginning { epoch_s: 1_795_399_200, showcase: true };

enum Shape {
    Polygon(Vec<Vec<Point>>),
    Corridor(Vec<Point>, f64),
    Circle(Point, f64),
}

fn point(value: &Value) -> Point {
    Point { lon: value[0].as_f64().expect("a number"), lat: value[1].as_f64().expect("a number") }
}

fn points(value: &Value) -> Vec<Point> {
    value.as_array().expect("a list").iter().map(point).collect()
}

/// `None` for a geometry that is no zone's.
fn shape(feature: &Value) -> Option<Shape> {
    let (properties, geometry) = (&feature["properties"], &feature["geometry"]);
    let coordinates = &geometry["coordinates"];
    Some(match geometry["type"].as_str()? {
        "Polygon" => Shape::Polygon(coordinates.as_array().expect("rings").iter().map(points).collect()),
        "LineString" => Shape::Corridor(points(coordinates), properties["half_width_m"].as_f64().expect("a width")),
        "Point" => Shape::Circle(point(coordinates), properties["radius_m"].as_f64().expect("a radius")),
        _ => return None,
    })
}

fn in_ring(ring: &[Point], at: Point) -> bool {
    ring.windows(2).fold(false, |inside, edge| {
        let [a, b] = edge else { return inside };
        let crosses = (a.lat > at.lat) != (b.lat > at.lat);
        inside ^ (crosses && at.lon < (b.lon - a.lon) * (at.lat - a.lat) / (b.lat - a.lat) + a.lon)
    })
}

fn near_segment(a: Point, b: Point, at: Point, width_m: f64) -> bool {
    let between = |part: f64| Point { lon: a.lon + (b.lon - a.lon) * part, lat: a.lat + (b.lat - a.lat) * part };
    (0..=200).any(|step| between(f64::from(step) / 200.0).distance_m(at) <= width_m)
}

fn holds(shape: &Shape, at: Point) -> bool {
    match shape {
        Shape::Polygon(rings) => rings.iter().filter(|ring| in_ring(ring, at)).count() % 2 == 1,
        Shape::Corridor(line, width_m) => line.windows(2).any(|pair| near_segment(pair[0], pair[1], at, *width_m)),
        Shape::Circle(centre, radius_m) => centre.distance_m(at) <= *radius_m,
    }
}

fn zones() -> Vec<(String, Shape)> {
    let zones: Value = serde_json::from_str(DEMO_ZONES).expect("GeoJSON");
    let features = zones["features"].as_array().expect("features");
    features
        .iter()
        .map(|one| (one["properties"]["name"].as_str().expect("a name").to_owned(), shape(one).expect("a geometry")))
        .collect()
}

fn reported(truck: &Truck) -> Point {
    let fix = truck.fix(0);
    Point { lon: f64::from(fix.lon_e6) / 1e6, lat: f64::from(fix.lat_e6) / 1e6 }
}

#[test]
fn some_demo_trucks_are_in_a_zone_within_half_a_minute_and_most_are_not() {
    let zones = zones();
    let visitors = (0..50)
        .filter(|index| {
            let mut truck = Truck::new(1, *index, Network::qujing(), BEGINNING).expect("a truck");
            (0..30).any(|second| {
                truck.advance_to(Network::qujing(), second);
                zones.iter().any(|(_, shape)| holds(shape, reported(&truck)))
            })
        })
        .count();
    assert!((3..=15).contains(&visitors), "{visitors} of 50");
}

#[test]
fn every_zone_has_visitors_and_is_marked_illustrative() {
    let zones = zones();
    let mut visits = vec![0; zones.len()];
    let mut fixes = 0;
    for index in 0..100 {
        let mut truck = Truck::new(1, index, Network::qujing(), BEGINNING).expect("a truck");
        for second in (0..10_800).step_by(60) {
            truck.advance_to(Network::qujing(), second);
            fixes += 1;
            let at = reported(&truck);
            visits.iter_mut().zip(&zones).for_each(|(count, (_, shape))| *count += u32::from(holds(shape, at)));
        }
    }
    for ((name, _), count) in zones.iter().zip(&visits) {
        assert!(*count > 0, "nobody visits {name}");
        assert!(name.contains("示意"), "{name} is not marked");
    }
    let part = f64::from(visits.iter().sum::<u32>()) / f64::from(fixes);
    assert!(part < 0.1, "{part} of all fixes lie in a forbidden zone: {visits:?}");
}
