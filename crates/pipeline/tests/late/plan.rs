//! A day of trucks on paper, made short: what they report, where they may not go, and in which order it arrives.

use bytes::Bytes;
use journal::Record;
use jt808::{BatchKind, BatchLocation, BcdTime, Edition, Header, ItemValue, LocationReport, Message, Phone, encode};
use model::{
    Change, Coord, Direction, DriverId, DriverOn, Geometry, LineString, Load, LoadState, Road, RoadClass, RoadId,
    RoadLine, TerminalId, Timestamp, Vehicle, VehicleId, Zone, ZoneId, ZoneKind, ZoneRule,
};

/// Event time 0 of the plans, seconds.
pub(crate) const T0: i64 = 1_795_400_000;
/// When everything is received: after everything has happened.
pub(crate) const RECEIVED: Timestamp = Timestamp::from_secs(T0 + 40 * 3600);
const TRUCKS: u16 = 20;
/// Vehicles that have no terminal at first: terminals of others move to them.
const SPARE: u64 = 2;
const TRIPS: usize = 3;
const FIXES_A_TRIP: usize = 20;
/// Rest between trips, seconds.
const REST_S: i64 = 5 * 3600;
/// Second at which the last trips begin, about.
const EVENING_S: i64 = 45_000;
/// When the long drives begin, and how long they take, seconds: from 18:33 to half an hour after midnight.
const LONG_FROM_S: i64 = 30_000;
const LONG_S: i64 = 22_000;

/// Zone, revision, second from which it holds, longitude, latitude, metres.
type Circle = (u64, u32, i64, f64, f64, f64);

/// Circles on two roads, one of them in a second revision in the middle of the day.
const ZONES: [Circle; 6] = [
    (1, 1, -1000, 103.80, 25.5, 300.0),
    (2, 1, -1000, 103.81, 25.5, 250.0),
    (2, 2, 18_500, 103.81, 25.5, 320.0),
    (3, 1, 1000, 103.813, 25.5, 150.0),
    (4, 1, -1000, 103.825, 25.5, 90.0),
    (6, 1, -1000, 103.81, 25.52, 400.0),
];

/// Bits of the alarm word that rise and fall: emergency, antenna, power, collision.
pub(crate) const ALARMS: [u8; 4] = [0, 5, 8, 29];

/// Lines side by side, so that most of the trucks are on one.
fn expressway() -> Road {
    let line = |n: i32| {
        let at = |x: f64| Coord { x, y: 25.5 + f64::from(n) * 0.0005 };
        RoadLine {
            line: LineString::from(vec![at(103.77), at(103.85)]),
            stakes: Vec::new(),
            direction: Direction::Both,
        }
    };
    Road {
        id: RoadId(1),
        code: "G56".into(),
        name: "expressway".into(),
        class: RoadClass::Expressway,
        lines: (-3..=3).map(line).collect(),
        limit_kmh: Some(50),
        tunnels: Vec::new(),
        service_areas: Vec::new(),
    }
}

/// SplitMix64: the same seed gives the same throws on every machine.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(0x9e37_79b9_7f4a_7c15))
    }

    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 up to, not including, `sides`.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        (self.number() % sides.max(1) as u64) as usize
    }

    pub(crate) fn chance(&mut self, per_cent: usize) -> bool {
        self.roll(100) < per_cent
    }
}

/// One report on paper.
#[derive(Clone, Copy)]
pub(crate) struct Spot {
    pub(crate) truck: u16,
    pub(crate) second: i64,
    pub(crate) lon_e6: i32,
    pub(crate) lat_e6: i32,
    pub(crate) speed_dkmh: u16,
    pub(crate) direction_deg: u16,
    /// The alarm word.
    pub(crate) alarm: u32,
}

/// Something comes, or happens to the server.
pub(crate) enum Arrival {
    Frames(Vec<Record>),
    Control(Box<Change>),
    Tick,
    Restart,
    Checkpoint,
    Compact,
}

pub(crate) struct Plan {
    /// In order of time.
    spots: Vec<Spot>,
}

fn terminal(number: u16) -> TerminalId {
    let bcd = |two: u16| (two / 10 * 16 + two % 10) as u8;
    TerminalId::from_wire(&[0x13, bcd(number / 100), bcd(number % 100)])
}

fn report(spot: &Spot) -> LocationReport {
    let mut report = LocationReport {
        alarm: spot.alarm,
        status: 0b11,
        speed_dkmh: spot.speed_dkmh,
        direction_deg: spot.direction_deg,
        time_bcd: BcdTime::from_utc_s(T0 + spot.second).expect("in range").to_bytes(),
        items: vec![ItemValue::Mileage(spot.second as u32).to_item()],
        ..LocationReport::default()
    };
    report.set_position(spot.lat_e6, spot.lon_e6);
    report
}

fn record(number: u16, message: &Message) -> Record {
    let phone = Phone::from_digits(&terminal(number).to_string(), Edition::V2013).expect("phone");
    let mut wire = Vec::new();
    encode(&Header::new(message.id(), Edition::V2013, phone, 7), message, &mut wire).expect("encodes");
    Record::uplink(RECEIVED, terminal(number), 1, Bytes::from(wire))
}

pub(crate) fn live(spot: &Spot) -> Record {
    record(spot.truck, &Message::Location(report(spot)))
}

pub(crate) fn batch(spots: &[Spot]) -> Record {
    let reports = spots.iter().map(report).collect();
    let message = Message::BatchLocation(BatchLocation::new(BatchKind::BlindArea, reports));
    record(spots.first().expect("not empty").truck, &message)
}

/// Whom the terminals of these trucks speak for.
pub(crate) fn admit(trucks: std::ops::RangeInclusive<u16>) -> Vec<Change> {
    let admit = |number: u16| {
        let (terminal, vehicle) = (terminal(number), VehicleId(u64::from(number)));
        let text = String::new;
        [
            Change::VehiclePut(Vehicle { id: vehicle, ..Vehicle::default() }),
            Change::TerminalPut { terminal, maker: text(), model: text(), device: text() },
            Change::Bind { terminal, vehicle, from: Timestamp::MIN },
        ]
    };
    trucks.flat_map(admit).collect()
}

pub(crate) fn bind(number: u16, vehicle: u64, from: i64) -> Change {
    let from = Timestamp::from_secs(T0 + from);
    Change::Bind { terminal: terminal(number), vehicle: VehicleId(vehicle), from }
}

pub(crate) fn zone(id: u64, revision: u32, from: i64, lon: f64, radius_m: f64) -> Change {
    zone_at(id, revision, from, Coord { x: lon, y: 25.5 }, radius_m)
}

fn zone_at(id: u64, revision: u32, from: i64, centre: Coord, radius_m: f64) -> Change {
    Change::ZonePut(Zone {
        id: ZoneId(id),
        revision,
        name: "source".into(),
        kind: ZoneKind::WaterSource1,
        geometry: Geometry::Circle { centre, radius_m },
        rules: if id.is_multiple_of(2) { vec![ZoneRule::forbidden()] } else { Vec::new() },
        source_crs: "wgs84".into(),
        legal: model::LegalBasis::default(),
        place: String::new(),
        detour: String::new(),
        drafted_by: None,
        valid_from: Some(Timestamp::from_secs(T0 + from)),
        valid_to: None,
        recorded_at: Timestamp(0),
    })
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut spots: Vec<Spot> = (1..=TRUCKS).flat_map(|truck| path(truck, &mut dice)).collect();
        spots.sort_by_key(|spot| (spot.second, spot.truck));
        Self { spots }
    }

    pub(crate) fn registry(&self) -> Vec<Change> {
        let vehicle = |number| Change::VehiclePut(Vehicle { id: VehicleId(number), ..Vehicle::default() });
        let spare = u64::from(TRUCKS) + 1..=u64::from(TRUCKS) + SPARE;
        admit(1..=TRUCKS).into_iter().chain(spare.map(vehicle)).chain([Change::RoadPut(expressway())]).collect()
    }

    /// Who drives what, and what is loaded, as somebody entered it: earlier or later than it was.
    pub(crate) fn duties(&self) -> Vec<Change> {
        let drives = |vehicle: u64, driver: u64, from: i64| {
            let (vehicle, driver, from) = (VehicleId(vehicle), Some(DriverId(driver)), Timestamp::from_secs(T0 + from));
            Change::DriverOn(DriverOn { vehicle, driver, from })
        };
        let carries = |vehicle: u64, from: i64, state| {
            let (vehicle, from) = (VehicleId(vehicle), Timestamp::from_secs(T0 + from));
            Change::LoadPut(Load { vehicle, from, state, goods: Vec::new(), source: String::new() })
        };
        (1..=u64::from(TRUCKS))
            .flat_map(|truck| {
                let (from, state) =
                    (400 + truck as i64 * 30, [LoadState::Loaded, LoadState::Empty][truck as usize % 2]);
                [drives(truck, 1, -100), drives(truck, 2, from), carries(truck, 3 * from, state)]
            })
            .collect()
    }

    /// Terminals that were moved to other vehicles in the day: one to a vehicle of its own, one to a vehicle that has
    /// one, one to a vehicle that it was not moved to, as is found out later.
    pub(crate) fn bindings(&self) -> Vec<Change> {
        vec![bind(3, 21, 18_400), bind(5, 6, 500), bind(7, 8, 18_600), bind(7, 22, 300), bind(5, 5, 19_000)]
    }

    pub(crate) fn zones(&self) -> Vec<Change> {
        let at = |(id, revision, from, lon, lat, radius_m): Circle| {
            zone_at(id, revision, from, Coord { x: lon, y: lat }, radius_m)
        };
        ZONES.map(at).to_vec()
    }

    pub(crate) fn frames_in_order(&self) -> Vec<Record> {
        self.spots.iter().map(live).collect()
    }

    /// The same in another order, some of it twice; control records, ticks and what befalls the server in between.
    pub(crate) fn arrivals(&self, dice: &mut Dice) -> Vec<Arrival> {
        let wild = dice.roll(4);
        let mut keyed: Vec<(i64, Spot)> = Vec::new();
        for spot in &self.spots {
            let delay = match (wild, dice.roll(100)) {
                (0, _) => dice.roll(50_000) as i64,
                (1, 0..50) | (2, 0..90) => 0,
                (1, 50..90) => dice.roll(1500) as i64,
                (3, _) if !spot.truck.is_multiple_of(4) => 0,
                _ => dice.roll(40_000) as i64,
            };
            let comes = spot.second.min(EVENING_S) + delay;
            keyed.push((comes, *spot));
            if dice.chance(8) {
                keyed.push((comes + dice.roll(20_000) as i64, *spot));
            }
        }
        keyed.sort_by_key(|(at, spot)| (*at, spot.truck, spot.second));
        let mut control: Vec<(usize, Change)> = Vec::new();
        for changes in [self.zones(), self.bindings(), self.duties()] {
            let mut at = 0;
            for change in changes {
                // Mostly before the trucks set off; what is about the same comes in its order.
                at = if dice.chance(60) { at } else { at.max(dice.roll(keyed.len())) };
                control.push((at, change));
            }
        }
        control.sort_by_key(|(at, _)| *at);
        control.reverse();
        let mut arrivals = Vec::new();
        let mut sent = 0;
        while sent < keyed.len() {
            while control.last().is_some_and(|(at, _)| *at <= sent) {
                arrivals.extend(control.pop().map(|(_, change)| Arrival::Control(Box::new(change))));
            }
            let count = (1 + dice.roll(120)).min(keyed.len() - sent);
            let spots: Vec<Spot> = keyed[sent..sent + count].iter().map(|(_, spot)| *spot).collect();
            arrivals.push(Arrival::Frames(envelope(&spots, dice)));
            sent += count;
            match dice.roll(40) {
                0..12 => arrivals.push(Arrival::Tick),
                12 => arrivals.push(Arrival::Restart),
                13..16 => arrivals.push(Arrival::Checkpoint),
                16 => arrivals.push(Arrival::Compact),
                _ => {}
            }
        }
        arrivals.extend(control.into_iter().rev().map(|(_, change)| Arrival::Control(Box::new(change))));
        arrivals
    }
}

/// Some of them one by one, some as batch reports of their truck.
fn envelope(spots: &[Spot], dice: &mut Dice) -> Vec<Record> {
    if dice.chance(60) {
        return spots.iter().map(live).collect();
    }
    let mut by_truck: std::collections::BTreeMap<u16, Vec<Spot>> = std::collections::BTreeMap::new();
    spots.iter().for_each(|spot| by_truck.entry(spot.truck).or_default().push(*spot));
    by_truck.values().flat_map(|spots| spots.chunks(20)).map(batch).collect()
}

/// To and fro on the road, with rests, gaps, jumps, wandering positions, and now and then a clock that is hours ahead.
fn path(truck: u16, dice: &mut Dice) -> Vec<Spot> {
    if truck % 10 == 9 {
        return long_drive(truck, dice);
    }
    let mut spots = Vec::new();
    let (mut second, mut lon_e6, mut way) = (dice.roll(60) as i64, 103_790_000 + dice.roll(20_000) as i32, 1);
    let mut alarm = 0;
    let road_e6 = if truck.is_multiple_of(5) { 25_520_000 } else { 25_500_000 };
    let lat_e6 = road_e6 + dice.roll(3000) as i32 - 1500;
    for n in 0..TRIPS * FIXES_A_TRIP {
        if n > 0 && n.is_multiple_of(FIXES_A_TRIP) {
            second += REST_S + dice.roll(2000) as i64;
        }
        let step_s = 10 + dice.roll(80) as i64;
        second += step_s;
        let speed_ms = if dice.chance(15) { 0 } else { 5 + dice.roll(18) as i32 };
        lon_e6 += way * speed_ms * step_s as i32 * 10;
        if !(103_785_000..103_835_000).contains(&lon_e6) {
            way = -way;
        }
        if dice.chance(3) {
            second += 2000 + dice.roll(500) as i64;
        }
        let jump = if dice.chance(3) { 60_000 } else { 0 };
        let speed_dkmh = (speed_ms * 36) as u16;
        if dice.chance(12) {
            alarm ^= 1 << ALARMS[dice.roll(ALARMS.len())];
        }
        let direction_deg = if dice.chance(10) { dice.roll(360) as u16 } else { (180 - way * 90) as u16 };
        let spot = Spot { truck, second, lon_e6: lon_e6 + jump, lat_e6, speed_dkmh, direction_deg, alarm };
        spots.push(wandering(spot, dice));
        if dice.chance(7) {
            if dice.chance(60) {
                let edge_e6 = edge_near(lon_e6, lat_e6);
                second += i64::from(lon_e6.abs_diff(edge_e6)) / 150;
                lon_e6 = edge_e6;
            }
            for _ in 0..2 + dice.roll(10) {
                second += 3 + dice.roll(40) as i64;
                spots
                    .push(wandering(Spot { truck, second, lon_e6, lat_e6, speed_dkmh: 0, direction_deg, alarm }, dice));
            }
        }
    }
    if dice.chance(20) {
        let at = dice.roll(spots.len());
        spots[at].second += 20 * 3600;
    }
    spots.sort_by_key(|spot| spot.second);
    spots
}

/// To and fro until after midnight, with hardly a stop.
fn long_drive(truck: u16, dice: &mut Dice) -> Vec<Spot> {
    let (mut second, mut lon_e6, mut way) = (LONG_FROM_S, 103_790_000, 1);
    let mut spots = Vec::new();
    while second < LONG_FROM_S + LONG_S {
        let (step_s, speed_ms) =
            (60 + dice.roll(200) as i64, if dice.chance(5) { 0 } else { 5 + dice.roll(18) as i32 });
        second += step_s;
        lon_e6 += way * speed_ms * step_s as i32 * 10;
        if !(103_785_000..103_835_000).contains(&lon_e6) {
            way = -way;
        }
        let (speed_dkmh, direction_deg) = ((speed_ms * 36) as u16, (180 - way * 90) as u16);
        let spot = Spot { truck, second, lon_e6, lat_e6: 25_500_000, speed_dkmh, direction_deg, alarm: 0 };
        spots.push(wandering(spot, dice));
    }
    spots
}

/// About 10 m off; now and then farther than a vehicle at rest wanders.
fn wandering(spot: Spot, dice: &mut Dice) -> Spot {
    let most_e6: i32 = if dice.chance(4) { 800 } else { 100 };
    let mut off_e6 = || dice.roll(2 * most_e6 as usize) as i32 - most_e6;
    Spot { lon_e6: spot.lon_e6 + off_e6(), lat_e6: spot.lat_e6 + off_e6(), ..spot }
}

/// The longitude nearest by at which a circle meets the latitude: whoever rests there is inside by one report and outside
/// by the next.
fn edge_near(lon_e6: i32, lat_e6: i32) -> i32 {
    let edges = ZONES.iter().flat_map(|(_, _, _, lon, lat, radius_m)| {
        let north_m = (f64::from(lat_e6) / 1e6 - lat) * 111_195.0;
        let half_m = (radius_m * radius_m - north_m * north_m).sqrt();
        let half_deg = half_m / 111_195.0 / lat.to_radians().cos();
        [lon - half_deg, lon + half_deg]
    });
    let edges_e6 = edges.filter(|edge| edge.is_finite()).map(|edge| (edge * 1e6) as i32);
    edges_e6.min_by_key(|edge_e6| edge_e6.abs_diff(lon_e6)).unwrap_or(lon_e6)
}
