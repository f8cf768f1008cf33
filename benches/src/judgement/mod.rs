//! Judgement of a fix by zones: point and path to it, ns of processor; ours beside `rstar` + `geo` and a linear scan.
//! How long a reload of all zones takes. And a whole rule step beside its geofence part.

mod step;
mod ways;
mod world;

use std::hint::black_box;

use geofence::{Point, Shape};
use rustix::time::{ClockId, clock_gettime};

use crate::cli::Cli;
use crate::error::Failure;
use crate::table::{Bar, Row, Table, median};
use ways::{Boxes, Scan, Seen, Trees, Way, index, prepared};
use world::World;

const NS: &str = "ns/fix";
const MS: &str = "ms";
const OURS: &str = "hazwatch geofence";
const TREES: &str = "rstar + geo, a tree of edges each";
const BOXES: &str = "rstar + geo, all edges";
const SCAN: &str = "linear scan";
/// How many times its geofence part a whole step may take, of a typical fleet.
const STEP_MAX: f64 = 8.0;
/// Fixes that the linear scan judges in a turn: it takes long enough.
const SCANNED: usize = 200;

/// The bench.
pub(crate) fn run(cli: &Cli, mut show: impl FnMut(Table) -> Table) -> Result<Vec<Table>, Failure> {
    let (trucks, fixes) = cli.scaled((50, 20), (500, 100), (1_000, 200));
    let (some, many) = cli.scaled((1_000, 5_000), (10_000, 100_000), (10_000, 100_000));
    let cases: [(&str, World, f64); 3] = [
        ("98 % miss", World::strewn(some, trucks, fixes), 4.0),
        ("98 % miss", World::strewn(many, trucks, fixes), 3.0),
        ("all inside", World::paved(some, trucks, fixes), 2.0),
    ];
    let mut tables = Vec::new();
    for (what, world, bar) in &cases {
        tables.push(show(judged(cli, what, world, *bar)?));
    }
    let [_, (_, world, _), _] = &cases;
    tables.push(show(reload(cli, world)?));
    let [(typical, few, _), (_, many, _), (inside, paved, _)] = &cases;
    tables.push(show(step::run(cli, typical, few, trucks, Some(STEP_MAX))?));
    tables.push(show(step::run(cli, typical, many, trucks, Some(STEP_MAX))?));
    tables.push(show(step::run(cli, inside, paved, trucks, None)?));
    Ok(tables)
}

/// One world, all ways in turn; the table of medians.
fn judged(cli: &Cli, what: &str, world: &World, bar: f64) -> Result<Table, Failure> {
    let zones = &world.zones;
    let shapes = prepared(zones)?;
    let shape_bytes: usize = shapes.iter().map(|(_, shape)| shape.heap_bytes()).sum();
    let ours = index(shapes)?;
    let index_bytes = ours.heap_bytes();
    let (trees, boxes, scan) = (Trees::over(zones), Boxes::over(zones), Scan::over(zones));
    let few = world.steps.get(..SCANNED).unwrap_or(&world.steps);
    let mut ns = [const { Vec::new() }; 4];
    let mut seen = Seen::default();
    for round in 0..=cli.rounds() {
        let turns =
            [time(&ours, &world.steps), time(&trees, &world.steps), time(&boxes, &world.steps), time(&scan, few)];
        let [own, rest @ ..] = &turns;
        let own_few = time(&ours, few).1;
        for ((_, other), own) in rest.iter().zip([&own.1, &own.1, &own_few]) {
            if !own.agrees(other) {
                return Err(Failure::Wrong(format!("two ways, two results: {own:?} {other:?}")));
            }
        }
        seen = own.1;
        // The first round warms up.
        if round > 0 {
            turns.iter().zip(&mut ns).for_each(|((took, _), column)| column.push(*took));
        }
    }
    let mut table = Table::new(format!(
        "judgement, {what}: {} zones of 40 to 200 vertices, {} fixes each 30 s at 25 m/s, point and path, medians of {} rounds",
        zones.len(),
        world.steps.len(),
        cli.rounds()
    ));
    let ratio = |peer: usize| median(&ns[0].iter().zip(&ns[peer]).map(|(own, peer)| peer / own).collect::<Vec<_>>());
    let (trees, boxes) = (ratio(1), ratio(2));
    for (name, column) in [OURS, TREES, BOXES, SCAN].into_iter().zip(ns.clone()) {
        table.rows.push(Row::new(name, NS, column));
    }
    table.bars.push(Bar::at_least("the faster of rstar + geo / hazwatch", trees.min(boxes), bar));
    table.notes.push(format!(
        "{:.1} % of the fixes in no zone, {} zones held one, {} met a path; the index takes {} B a zone, its shapes {} B",
        100.0 * seen.missed as f64 / seen.fixes.max(1) as f64,
        seen.inside,
        seen.met,
        index_bytes / zones.len().max(1),
        shape_bytes / zones.len().max(1)
    ));
    Ok(table)
}

/// All zones made anew; and of shapes that stand, as when few zones change.
fn reload(cli: &Cli, world: &World) -> Result<Table, Failure> {
    let mut ms = [const { Vec::new() }; 3];
    for _ in 0..cli.rounds() {
        let began = cpu_ns();
        let shapes = prepared(black_box(&world.zones))?;
        let old = index(shapes)?;
        let all = cpu_ns() - began;
        let kept: Vec<(u32, Shape)> = old.iter().map(|(key, shape)| (*key, shape.clone())).collect();
        let began = cpu_ns();
        let new = index(kept)?;
        let few = cpu_ns() - began;
        drop(new);
        let began = cpu_ns();
        drop(old);
        for (column, took) in ms.iter_mut().zip([all, few, cpu_ns() - began]) {
            column.push(took / 1e6);
        }
    }
    let mut table = Table::new(format!(
        "reload: {} zones of 40 to 200 vertices, processor time of one thread, medians of {} rounds",
        world.zones.len(),
        cli.rounds()
    ));
    let [all, few, dropped] = ms;
    table.bars.push(Bar::at_most("all zones new, s", median(&all) / 1e3, 1.0));
    table.rows.push(Row::new("all new: shapes checked and prepared, index", MS, all));
    table.rows.push(Row::new("few new: index over prepared shapes", MS, few));
    table.rows.push(Row::new("the last holder lets go of the old one", MS, dropped));
    Ok(table)
}

/// Judges all steps; ns of processor a fix.
fn time(way: &impl Way, steps: &[(Point, Point)]) -> (f64, Seen) {
    let mut seen = Seen::default();
    let began = cpu_ns();
    for (from, to) in black_box(steps) {
        way.judge(*from, *to, &mut seen);
    }
    let took = cpu_ns() - began;
    (took / seen.fixes.max(1) as f64, black_box(seen))
}

/// Processor time of this thread, ns: other work on the machine is not charged to us.
fn cpu_ns() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_find_the_same() {
        for world in [World::strewn(300, 40, 50), World::paved(100, 20, 50)] {
            let ours = index(prepared(&world.zones).expect("good zones")).expect("few");
            let own = time(&ours, &world.steps).1;
            let (trees, boxes, scan) = (Trees::over(&world.zones), Boxes::over(&world.zones), Scan::over(&world.zones));
            for other in [time(&trees, &world.steps).1, time(&boxes, &world.steps).1, time(&scan, &world.steps).1] {
                assert!(own.agrees(&other), "{own:?} {other:?}");
            }
            assert!(own.met > 0 && own.share > 0.0);
        }
    }
}
