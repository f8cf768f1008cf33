//! V12: silence, by load, by motion, and through tunnels.

use model::{
    Change, Direction, Fix, LineString, Load, LoadState, Road, RoadClass, RoadId, RoadLine, Stake, StakeOnLine, Tunnel,
    VehicleId,
};

use super::{at, said, said_by};
use crate::drive::{at as instant, coord, registry};

fn path(gap_s: i64, kmh: u16, north: i32) -> [Fix; 3] {
    [(0, 4500), (60, 9000), (60 + gap_s, 9000 + north)].map(|(s, n)| at((s, 0, n, kmh, 0)))
}

fn v12(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().filter(|line| line.starts_with("V12")).collect()
}

#[test]
fn who_drives_is_heard_every_half_hour_and_who_is_loaded_more_often() {
    assert_eq!(v12(said(&path(1800, 60, 40_000))), ["V12 60..1860"]);
    assert!(v12(said(&path(1740, 60, 40_000))).is_empty());
    let load = |from| {
        let (vehicle, from, state) = (VehicleId(42), instant(from), LoadState::Loaded);
        registry(vec![(0, Change::LoadPut(Load { vehicle, from, state, goods: vec![], source: String::new() }))])
    };
    assert_eq!(v12(said_by(&load(-60), &path(600, 60, 40_000))), ["V12 60..660"]);
    assert!(v12(said_by(&load(-60), &path(590, 60, 40_000))).is_empty());
    assert!(v12(said_by(&load(120), &path(600, 60, 40_000))).is_empty(), "loaded since");
}

#[test]
fn who_stands_may_sleep() {
    assert!(v12(said(&path(80_000, 0, 0))).is_empty());
    assert_eq!(v12(said(&path(86_400, 0, 0))), ["V12 60..86460"]);
}

/// A tunnel of 6 km takes 18 minutes at 20 km/h.
#[test]
fn tunnels_are_silent() {
    let line = LineString::from(vec![coord(0, 0), coord(0, 120_000)]);
    let stakes = [(0, 10_000), (13_000, 23_000)].map(|(along_m, stake)| StakeOnLine { along_m, stake: Stake(stake) });
    let road = |tunnels| Road {
        id: RoadId(1),
        code: "G56".into(),
        name: "杭瑞高速".into(),
        class: RoadClass::Expressway,
        lines: vec![RoadLine { line: line.clone(), stakes: stakes.to_vec(), direction: Direction::Both }],
        limit_kmh: None,
        tunnels,
        service_areas: vec![],
    };
    let tunnel = Tunnel { from: Stake(12_000), to: Stake(18_000), name: "隧道".into() };
    let by = |tunnels| registry(vec![(0, Change::RoadPut(road(tunnels)))]);
    assert_eq!(v12(said_by(&by(vec![]), &path(2000, 60, 90_000))), ["V12 60..2060"]);
    assert!(v12(said_by(&by(vec![tunnel.clone()]), &path(2000, 60, 90_000))).is_empty());
    assert_eq!(v12(said_by(&by(vec![tunnel]), &path(3000, 60, 90_000))), ["V12 60..3060"], "no tunnel is as long");
}
