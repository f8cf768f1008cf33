//! What the tests of the store share: a store in a temporary folder, and plausible rows.
#![allow(dead_code, unreachable_pub)]

use model::{
    CarrierId, Confidence, Fact, FactId, FactKind, Fix, Marks, Measures, Position, RecordRef, TerminalId, Timestamp,
    VehicleId, ZoneId,
};
use store::{CaseState, Checkpoint, FactRow, Options, PasswordCost, Store};

/// 2026-11-23T12:05:06+08:00.
pub const T0: i64 = 1_795_406_706;

pub async fn open(dir: &std::path::Path, segments_max: u64) -> Store {
    let options = Options { lanes: 2, segments_max, password_cost: PasswordCost::TEST, ..Options::default() };
    Store::open_with(dir, options).await.expect("opens")
}

pub async fn fresh(segments_max: u64) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), segments_max).await;
    (dir, store)
}

/// The fix of a vehicle at `T0 + seconds`; the body depends on vehicle and time alone, `seq` is where it came.
pub fn fix(vehicle: u64, seconds: i64, seq: u64) -> Fix {
    let n = seconds.unsigned_abs() as u32;
    let mileage = 1000 + n / 6;
    Fix {
        terminal: TerminalId::from_wire(&(13_912_340_000 + vehicle).to_be_bytes()),
        time: Timestamp::from_secs(T0 + seconds),
        received: Timestamp::from_secs(T0 + seconds).plus_us(seq as i64 * 1000),
        source: RecordRef { position: Position { shard: 0, seq }, index: 0, item: 0 },
        alarm: 0,
        status: 3,
        lat_wire: 32_050_000 + n % 100_000 * 7,
        lon_wire: 118_790_000 + n % 100_000 * 5,
        altitude_wire: 15,
        speed_dkmh: (600 + n % 7) as u16,
        direction_deg: (n % 360) as u16,
        time_bcd: [0x26, 0x11, 0x23, 0x12, 0x05, 0x06],
        mileage_hm: Some(mileage),
        items: [&[1, 4][..], &mileage.to_be_bytes()].concat().into_boxed_slice(),
        marks: Marks::default(),
    }
}

pub fn fact(id: u128, carrier: Option<u64>, started: i64, changed: u64) -> FactRow {
    FactRow {
        fact: Fact {
            id: FactId(id),
            revision: 1,
            kind: FactKind::V06,
            vehicle: VehicleId(u64::MAX - (id as u64 % 3)),
            zone: ZoneId(5 + id as u64 % 2),
            zone_revision: 2,
            started_at: Timestamp::from_secs(T0 + started),
            ended_at: Some(Timestamp::from_secs(T0 + started + 60)),
            confidence: Confidence(900),
            detected_late: false,
            standing: model::Standing::Stands,
            rule_revision: 1,
            measures: Measures { fixes_inside: 3, start_lon_e7: -7, ..Measures::default() },
            evidence: vec![RecordRef { position: Position { shard: 0, seq: changed }, index: 1, item: 2 }],
        },
        carrier: carrier.map(CarrierId),
        changed,
        case_state: CaseState::Raised,
        as_of: changed,
        superseded_by: None,
        raised_at: Timestamp::from_secs(T0 + started),
    }
}

/// A checkpoint that says nothing but how far it is.
pub fn at(seq: u64) -> Checkpoint {
    Checkpoint { position: Position { shard: 0, seq }, control_seq: seq / 2, ..Checkpoint::default() }
}

/// Pushes fixes to a lane, cuts it and commits.
pub async fn commit(store: &Store, fixes: Vec<(VehicleId, Fix)>, seq: u64) {
    store.push_fixes(0, fixes);
    store.cut(0);
    store.checkpoint(at(seq)).await.expect("commits");
}
