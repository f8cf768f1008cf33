//! A rule step of a fix, all rules, beside the geofence part of it alone: what states, curves, rests and facts cost. Of a
//! fleet as it is on a working day: two trucks drive, the third one stands.

use std::f64::consts::TAU;
use std::hint::black_box;

use geofence::{Point, ZoneIndex};
use model::{
    Change, ControlRecord, Fix, Geometry, Marks, Position, RecordRef, Registry, TerminalId, Timestamp, VehicleId, Zone,
    ZoneId, ZoneKind, ZoneRule,
};
use rules::{Context, State, Zones, step};

use super::world::{INTERVAL_S, SPEED_MPS, World};
use super::{NS, cpu_ns, index, prepared, time};
use crate::cli::Cli;
use crate::error::Failure;
use crate::table::{Bar, Row, Table, median};

/// One truck of so many stands.
const STANDS: usize = 3;
/// What the positions of a truck that stands wander by, 1e-6 degree.
const WANDER_E6: f64 = 30.0;
const BEGIN: Timestamp = Timestamp::from_secs(1_795_406_700);

/// The fixes of a fleet, as they arrive: truck after truck, and again.
struct Fleet {
    trucks: usize,
    fixes: Vec<Fix>,
}

impl Fleet {
    /// The trucks of a world, with speed and direction; every third one stands where it was first.
    fn of(world: &World, trucks: usize) -> Self {
        let fixes = (0..world.steps.len()).map(|number| {
            let (truck, round) = (number % trucks, number / trucks);
            let stands = truck.is_multiple_of(STANDS);
            let at = if stands { wandering(world.steps[truck].1, number) } else { world.steps[number].1 };
            let ahead = world.steps.get(number + trucks).copied().unwrap_or(world.steps[number]);
            let (east, north) = [world.steps[number], ahead]
                .map(heading)
                .into_iter()
                .fold((0.0, 0.0), |sum, (e, n)| (sum.0 + e, sum.1 + n));
            let direction_deg = (f64::atan2(east, north).to_degrees().round() as i64).rem_euclid(360) as u16;
            fix(round, number, at, if stands { 0.0 } else { SPEED_MPS }, direction_deg)
        });
        Self { trucks, fixes: fixes.collect() }
    }

    /// From the fix before to the fix, for each but the first ones.
    fn steps(&self) -> Vec<(Point, Point)> {
        let at = |fix: &Fix| Point::new(fix.lon(), fix.lat());
        self.fixes.iter().zip(self.fixes.iter().skip(self.trucks)).map(|(from, to)| (at(from), at(to))).collect()
    }
}

/// The unit vector of a step: east, north.
fn heading((from, to): (Point, Point)) -> (f64, f64) {
    let (east, north) = ((to.lon - from.lon) * from.lat.to_radians().cos(), to.lat - from.lat);
    let length = east.hypot(north).max(1e-12);
    (east / length, north / length)
}

fn wandering(at: Point, number: usize) -> Point {
    let turn = TAU * (number as f64 * 0.618).fract();
    Point::new(at.lon + WANDER_E6 * 1e-6 * turn.sin(), at.lat + WANDER_E6 * 1e-6 * turn.cos())
}

fn fix(round: usize, number: usize, at: Point, speed_mps: f64, direction_deg: u16) -> Fix {
    let time = BEGIN.plus_us(round as i64 * INTERVAL_S * 1_000_000);
    Fix {
        terminal: TerminalId::from_wire(&[0x13]),
        time,
        received: time,
        source: RecordRef { position: Position { shard: 0, seq: 1 + number as u64 }, index: 0, item: 0 },
        alarm: 0,
        status: 3,
        lat_wire: (at.lat * 1e6).round() as u32,
        lon_wire: (at.lon * 1e6).round() as u32,
        altitude_wire: 1_900,
        speed_dkmh: (speed_mps * 36.0).round() as u16,
        direction_deg,
        time_bcd: [0; 6],
        mileage_hm: None,
        items: Box::default(),
        marks: Marks::default(),
    }
}

/// The zones of a world, forbidden, as the judgement takes them.
fn recorded(world: &World) -> Zones {
    let mut registry = Registry::default();
    for (seq, area) in (1..).zip(&world.zones) {
        let zone = Zone {
            id: ZoneId(seq),
            revision: 1,
            name: format!("zone {seq}"),
            kind: ZoneKind::Custom,
            geometry: Geometry::Polygon(area.clone()),
            rules: vec![ZoneRule::forbidden()],
            source_crs: "wgs84".into(),
            legal: model::LegalBasis::default(),
            place: String::new(),
            detour: String::new(),
            drafted_by: None,
            valid_from: Some(Timestamp::MIN),
            valid_to: None,
            recorded_at: BEGIN,
        };
        registry.apply(&ControlRecord {
            seq,
            recorded_at: BEGIN,
            actor: "bench".into(),
            change: Change::ZonePut(zone),
        });
    }
    Zones::build(&registry)
}

/// Judges all fixes; ns of processor a fix, and how many facts were stated.
fn judged(zones: &Zones, fleet: &Fleet) -> (f64, u64) {
    let registry = Registry::default();
    let mut states = vec![State::default(); fleet.trucks];
    let (mut facts, mut stated) = (Vec::new(), 0);
    let began = cpu_ns();
    for round in black_box(&fleet.fixes).chunks(fleet.trucks) {
        for ((vehicle, state), fix) in (1..).zip(&mut states).zip(round) {
            let ctx = Context { vehicle: VehicleId(vehicle), zones, registry: &registry };
            step(&ctx, state, fix, &mut facts);
            stated += facts.len() as u64;
            facts.clear();
        }
    }
    let took = cpu_ns() - began;
    black_box(&states);
    (took / fleet.fixes.len().max(1) as f64, stated)
}

/// The table of one world, with the bar for how many times its geofence part a step may take.
pub(super) fn run(cli: &Cli, what: &str, world: &World, trucks: usize, bar: Option<f64>) -> Result<Table, Failure> {
    let fleet = Fleet::of(world, trucks);
    let steps = fleet.steps();
    let alone: ZoneIndex<u32> = index(prepared(&world.zones)?)?;
    let zones = recorded(world);
    let (mut geofence, mut whole, mut stated) = (Vec::new(), Vec::new(), 0);
    for round in 0..=cli.rounds() {
        let part = time(&alone, &steps).0;
        let (all, facts) = judged(&zones, &fleet);
        // The first round warms up.
        if round > 0 {
            geofence.push(part);
            whole.push(all);
        }
        stated = facts;
    }
    let mut table = Table::new(format!(
        "rule step, {what}: {} zones, {trucks} trucks of which a third stands, {} fixes each {INTERVAL_S} s, medians of {} rounds",
        world.zones.len(),
        fleet.fixes.len(),
        cli.rounds()
    ));
    let ratio = median(&whole.iter().zip(&geofence).map(|(all, part)| all / part).collect::<Vec<_>>());
    match bar {
        Some(bar) => table.bars.push(Bar::at_most("a whole step / its geofence part", ratio, bar)),
        None => table.notes.push(format!("a whole step takes {ratio:.1} x its geofence part")),
    }
    table.rows.push(Row::new("geofence part alone: point and path", NS, geofence));
    table.rows.push(Row::new("a whole rule step, all rules", NS, whole));
    table.notes.push(format!("{stated} facts stated or ended"));
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_drives_and_stands() {
        let world = World::strewn(300, 40, 50);
        let fleet = Fleet::of(&world, 40);
        assert_eq!(fleet.steps().len(), 40 * 49);
        assert_eq!(fleet.fixes.iter().filter(|fix| fix.speed_dkmh == 0).count(), 14 * 50);
        let (_, stated) = judged(&recorded(&world), &fleet);
        assert!(stated > 0 && stated < fleet.fixes.len() as u64);
    }
}
