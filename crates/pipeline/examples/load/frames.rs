//! A synthetic fleet: frames as terminals send them, in batches as the journal hands them on. Nothing is timed here.

use bytes::{Bytes, BytesMut};
use journal::{Batch, Record};
use jt808::{BatchKind, BatchLocation, BcdTime, Edition, Header, ItemValue, LocationReport, Message, Phone, encode};
use model::{
    Change, ControlRecord, Coord, Geometry, Position, TerminalId, Timestamp, Vehicle, VehicleId, Zone, ZoneId,
    ZoneKind, ZoneRule,
};

/// Event time of the first fix, seconds.
pub(crate) const T0: i64 = 1_795_400_000;
/// Between two fixes of a truck, seconds.
pub(crate) const INTERVAL_S: i64 = 30;
/// What a truck moves between two fixes, 1e-6 degree of longitude: about 60 km/h.
const STEP_E6: i64 = 5_000;

/// The digits of a truck's phone.
fn phone(truck: u32) -> String {
    format!("1{truck:010}")
}

/// The terminal of a truck.
pub(crate) fn terminal(truck: u32) -> TerminalId {
    phone(truck).parse().unwrap_or_else(|_| TerminalId::from_wire(&[1]))
}

/// The vehicle of a truck; numbers are spread, as those of the registry are.
pub(crate) fn vehicle(truck: u32) -> VehicleId {
    VehicleId(u64::from(truck + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn report(truck: u32, second: i64) -> LocationReport {
    let row = i64::from(truck % 1000);
    let round = second / INTERVAL_S;
    // To and fro over a degree or so, each truck on a latitude of its own.
    let along = (round * STEP_E6 + i64::from(truck)) % 2_000_000;
    let along = if along > 1_000_000 { 2_000_000 - along } else { along };
    let mut report = LocationReport {
        status: 0b11,
        speed_dkmh: 600 + (truck % 40) as u16,
        direction_deg: 90,
        time_bcd: BcdTime::from_utc_s(T0 + second).map(BcdTime::to_bytes).unwrap_or_default(),
        items: vec![
            ItemValue::Mileage((round * 5) as u32 + truck).to_item(),
            jt808::Item::new(0x25, &[0, 0, 0, 1]),
            jt808::Item::new(0x30, &[20]),
            jt808::Item::new(0x31, &[12]),
        ],
        ..LocationReport::default()
    };
    report.set_position((25_000_000 + row * 1_000) as i32, (103_000_000 + along) as i32);
    report
}

fn put(wire: &mut Vec<u8>, truck: u32, message: &Message, serial: u16) {
    if let Ok(phone) = Phone::from_digits(&phone(truck), Edition::V2013) {
        let header = Header::new(message.id(), Edition::V2013, phone, serial);
        let _ = encode(&header, message, wire);
    }
}

/// Batches with control records and frames, numbered one after the other.
pub(crate) struct Batches {
    seq: u64,
    control_seq: u64,
    hash: u8,
}

impl Batches {
    /// From the beginning of a journal.
    pub(crate) fn new() -> Self {
        Self { seq: 0, control_seq: 0, hash: 0 }
    }

    /// The last envelope that was made.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    fn next(&mut self, received: Timestamp, control: Vec<ControlRecord>, records: Vec<Record>) -> Batch {
        self.seq += 1;
        self.hash = self.hash.wrapping_add(1);
        self.control_seq += control.len() as u64;
        Batch {
            position: Position { shard: 0, seq: self.seq },
            hash: [self.hash; 32],
            control_seq: self.control_seq,
            control,
            received,
            records,
        }
    }

    /// The registry of these trucks, and `zones` circles on their ways.
    pub(crate) fn registry(&mut self, trucks: std::ops::Range<u32>, zones: u32) -> Batch {
        let mut changes = Vec::new();
        for truck in trucks {
            changes.push(Change::VehiclePut(Vehicle {
                id: vehicle(truck),
                plate: None,
                carrier: None,
                ..Vehicle::default()
            }));
            changes.push(Change::TerminalPut {
                terminal: terminal(truck),
                maker: String::new(),
                model: String::new(),
                device: String::new(),
            });
            changes.push(Change::Bind { terminal: terminal(truck), vehicle: vehicle(truck), from: Timestamp::MIN });
        }
        changes.extend((0..zones).map(zone));
        let recorded_at = Timestamp::from_secs(T0 - 100);
        let numbered = changes.into_iter().zip(self.control_seq + 1..);
        let control =
            numbered.map(|(change, seq)| ControlRecord { seq, recorded_at, actor: "load".into(), change }).collect();
        self.next(recorded_at, control, Vec::new())
    }

    /// One live report of each of these trucks at this second, `of_each` times in a row (a second apart in arrival,
    /// an interval apart in event time), as one envelope: what trucks with that many unanswered frames make.
    pub(crate) fn live(&mut self, trucks: std::ops::Range<u32>, second: i64, of_each: i64) -> Batch {
        let received = Timestamp::from_secs(T0 + second + (of_each - 1) * INTERVAL_S + 1);
        let mut wire = BytesMut::new();
        let mut ends = Vec::new();
        for truck in trucks {
            let mut frame = Vec::with_capacity(128);
            for more in 0..of_each {
                frame.clear();
                put(&mut frame, truck, &Message::Location(report(truck, second + more * INTERVAL_S)), more as u16);
                wire.extend_from_slice(&frame);
                ends.push((truck, wire.len()));
            }
        }
        self.frames(received, &wire.freeze(), ends)
    }

    /// One blind-area supplement of each of these trucks: `count` fixes from this second on.
    pub(crate) fn late(&mut self, trucks: std::ops::Range<u32>, from: i64, count: i64, received_s: i64) -> Batch {
        let mut wire = BytesMut::new();
        let mut ends = Vec::new();
        for truck in trucks {
            let reports = (0..count).map(|i| report(truck, from + i * INTERVAL_S)).collect();
            let mut frame = Vec::new();
            let batch = Message::BatchLocation(BatchLocation::new(BatchKind::BlindArea, reports));
            put(&mut frame, truck, &batch, 0);
            wire.extend_from_slice(&frame);
            ends.push((truck, wire.len()));
        }
        self.frames(Timestamp::from_secs(T0 + received_s), &wire.freeze(), ends)
    }

    fn frames(&mut self, received: Timestamp, wire: &Bytes, ends: Vec<(u32, usize)>) -> Batch {
        let mut at = 0;
        let records = ends
            .into_iter()
            .map(|(truck, end)| {
                let raw = wire.slice(at..end);
                at = end;
                Record::uplink(received, terminal(truck), u64::from(truck) + 1, raw)
            })
            .collect();
        self.next(received, Vec::new(), records)
    }

    /// A tick.
    pub(crate) fn tick(&mut self, second: i64) -> Batch {
        let received = Timestamp::from_secs(T0 + second);
        self.next(received, Vec::new(), vec![Record::tick(received)])
    }
}

fn zone(number: u32) -> Change {
    let x = 103.05 + f64::from(number % 20) * 0.05;
    let y = 25.02 + f64::from(number / 20) * 0.05;
    Change::ZonePut(Zone {
        id: ZoneId(u64::from(number) + 1),
        revision: 1,
        name: format!("zone {number}"),
        kind: ZoneKind::WaterSource1,
        geometry: Geometry::Circle { centre: Coord { x, y }, radius_m: 300.0 },
        rules: vec![ZoneRule::forbidden()],
        source_crs: "wgs84".into(),
        legal: model::LegalBasis::default(),
        place: String::new(),
        detour: String::new(),
        drafted_by: None,
        valid_from: Some(Timestamp::from_secs(T0 - 1000)),
        valid_to: None,
        recorded_at: Timestamp(0),
    })
}
