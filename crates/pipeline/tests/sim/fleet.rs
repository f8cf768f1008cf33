//! Trucks on paper: which frames carry which fixes, and what became of each.

use std::collections::BTreeMap;

use bytes::Bytes;
use journal::Record;
use jt808::{
    BatchKind, BatchLocation, BcdTime, Deframer, Edition, Header, ItemValue, LocationReport, Message, Phone, encode,
    encode_parts,
};
use model::{Change, Coord, Geometry, TerminalId, Timestamp, Vehicle, VehicleId, Zone, ZoneId, ZoneKind, ZoneRule};

/// Event time 0 of the scripts, seconds.
pub(crate) const T0: i64 = 1_795_400_000;
/// Terminals; the last two speak for one vehicle.
pub(crate) const TERMINALS: u8 = 4;

/// A fix on paper: which terminal, and at which second after [`T0`].
pub(crate) type Spot = (u8, i64);

pub(crate) fn terminal(number: u8) -> TerminalId {
    TerminalId::from_wire(&[0x13, number])
}

pub(crate) fn vehicle(number: u8) -> VehicleId {
    VehicleId(u64::from(number.min(TERMINALS - 2)) + 1)
}

/// To and fro through the zone; every terminal a little beside the others.
fn report((number, second): Spot) -> LocationReport {
    let phase = (second / 10).rem_euclid(80);
    let along = if phase < 40 { phase } else { 80 - phase };
    let mut report = LocationReport {
        status: 0b11,
        speed_dkmh: 600 + u16::from(number),
        time_bcd: BcdTime::from_utc_s(T0 + second).expect("in range").to_bytes(),
        items: vec![ItemValue::Mileage(second as u32).to_item()],
        ..LocationReport::default()
    };
    report.set_position(25_500_000 + i32::from(number) * 200, 103_790_000 + along as i32 * 500);
    report
}

fn header(number: u8, id: u16, serial: u16) -> Header {
    let phone = Phone::from_digits(&terminal(number).to_string(), Edition::V2013).expect("phone");
    Header::new(id, Edition::V2013, phone, serial)
}

/// A live report.
pub(crate) fn live(spot: Spot) -> Bytes {
    let message = Message::Location(report(spot));
    let mut wire = Vec::new();
    encode(&header(spot.0, message.id(), spot.1 as u16), &message, &mut wire).expect("encodes");
    wire.into()
}

/// A batch report of these seconds, in parts of that many bytes.
pub(crate) fn batch(number: u8, seconds: &[i64], serial: u16, part_len: usize) -> Vec<Bytes> {
    let reports = seconds.iter().map(|second| report((number, *second))).collect();
    let message = Message::BatchLocation(BatchLocation::new(BatchKind::BlindArea, reports));
    let mut whole = Vec::new();
    encode(&header(number, message.id(), serial), &message, &mut whole).expect("encodes");
    let mut body = Vec::new();
    Deframer::new().push(&whole, |piece| body.extend_from_slice(piece.frame.body)).expect("a frame");
    let mut wire = Vec::new();
    encode_parts(&header(number, message.id(), serial), &body, part_len, &mut wire).expect("encodes");
    let mut parts = Vec::new();
    Deframer::new().push(&wire, |piece| parts.push(Bytes::copy_from_slice(piece.wire))).expect("frames");
    parts
}

pub(crate) fn record(number: u8, raw: Bytes, received: Timestamp) -> Record {
    Record::uplink(received, terminal(number), u64::from(number) + 1, raw)
}

/// Whom the terminals speak for, and where they may not go.
pub(crate) fn registry() -> Vec<Change> {
    let mut changes = Vec::new();
    for number in 0..TERMINALS {
        let (terminal, vehicle) = (terminal(number), vehicle(number));
        changes.push(Change::VehiclePut(Vehicle { id: vehicle, plate: None, carrier: None, ..Vehicle::default() }));
        changes.push(Change::TerminalPut {
            terminal,
            maker: String::new(),
            model: String::new(),
            device: String::new(),
        });
        changes.push(Change::Bind { terminal, vehicle, from: Timestamp::MIN });
    }
    changes.push(zone(1, T0 - 1000));
    changes
}

/// A revision of the zone, in force from that second on.
pub(crate) fn zone(revision: u32, from: i64) -> Change {
    Change::ZonePut(Zone {
        id: ZoneId(1),
        revision,
        name: "source".into(),
        kind: ZoneKind::WaterSource1,
        geometry: Geometry::Circle { centre: Coord { x: 103.8, y: 25.5 }, radius_m: 300.0 + f64::from(revision) },
        rules: vec![ZoneRule::forbidden()],
        source_crs: "wgs84".into(),
        legal: model::LegalBasis::default(),
        place: String::new(),
        detour: String::new(),
        drafted_by: None,
        valid_from: Some(Timestamp::from_secs(from)),
        valid_to: None,
        recorded_at: Timestamp(0),
    })
}

/// What a sender knows of a frame: the greater one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// Never handed in, or surely not written.
    Nowhere,
    /// Nobody knows.
    Perhaps,
    /// Acknowledged.
    Landed,
}

/// A batch report on its way.
pub(crate) struct Upload {
    pub(crate) number: u8,
    pub(crate) seconds: Vec<i64>,
    pub(crate) parts: Vec<(Bytes, Fate)>,
    /// Received time of the first part of it that came, or may have come.
    pub(crate) began: Option<Timestamp>,
    /// Too old for all of it to have been together.
    pub(crate) torn: bool,
}

/// What the track must and may hold.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) spots: BTreeMap<Spot, Fate>,
}

impl Ledger {
    pub(crate) fn note(&mut self, spot: Spot, fate: Fate) {
        let known = self.spots.entry(spot).or_insert(Fate::Nowhere);
        *known = fate.max(*known);
    }
}
