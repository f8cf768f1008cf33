//! V01: above 80 km/h on an expressway for half a minute.

use model::{Change, Direction, Fix, LineString, Registry, Road, RoadClass, RoadId, RoadLine};

use super::{at, said_by};
use crate::drive::{coord, registry};

fn roads(class: RoadClass, limit_kmh: Option<u16>) -> Registry {
    let line = LineString::from(vec![coord(0, -9000), coord(0, 90_000)]);
    let lines = vec![RoadLine { line, stakes: vec![], direction: Direction::Both }];
    let (code, name) = ("G56".into(), "杭瑞高速".into());
    let road = Road { id: RoadId(1), code, name, class, lines, limit_kmh, tunnels: vec![], service_areas: vec![] };
    registry(vec![(0, Change::RoadPut(road))])
}

fn path(speeds: &[u16], east: i32, gap_s: i64) -> Vec<Fix> {
    let mut north = 0;
    let rows = (0..).zip(speeds).map(|(n, kmh)| {
        north += (f64::from(*kmh) / 3.6 * gap_s as f64 / 0.1108) as i32;
        at((n * gap_s, east, north, *kmh, 0))
    });
    rows.collect()
}

#[test]
fn half_a_minute_above_the_limit() {
    let expressway = roads(RoadClass::Expressway, None);
    let by = |registry: &Registry, fixes: &[Fix]| said_by(registry, fixes);
    assert_eq!(by(&expressway, &path(&[70, 90, 95, 92, 70], 0, 15)), ["V01 15..45"]);
    assert!(by(&expressway, &path(&[70, 90, 95, 70, 70], 0, 15)).is_empty(), "too short");
    assert!(by(&expressway, &path(&[70, 80, 80, 80, 80], 0, 30)).is_empty(), "not above");
    assert!(by(&expressway, &path(&[70, 90, 95, 92, 70], 1000, 30)).is_empty(), "100 m beside it");
    assert!(by(&expressway, &path(&[90, 90], 0, 200)).is_empty(), "nobody knows what lies between");
    assert!(by(&roads(RoadClass::National, None), &path(&[90, 90, 90, 90], 0, 30)).is_empty());
    let signs = roads(RoadClass::Expressway, Some(60));
    assert_eq!(by(&signs, &path(&[70, 70, 70], 0, 30)), ["V01 0..open"]);
    assert!(by(&roads(RoadClass::Expressway, Some(100)), &path(&[80, 80, 80], 0, 30)).is_empty());
}
