//! The canonical digest: a SHA-256 over facts and fixes that does not depend on what lies where.
//!
//! All numbers big-endian, texts and lists after their length. First every fact in the order (id, revision), all
//! fields with owner and case state, but not the place in the feed. Then, by bucket of the vehicle (see the segment format), vehicle and day in China, the fixes in
//! track order, each once, with the source and the received time of the earliest arrival.

use std::collections::BTreeMap;

use model::{Digest, Fact, Fix, RecordRef, Timestamp, VehicleId};
use sha2::{Digest as _, Sha256};

use crate::hot::Hot;
use crate::sqlite::Db;
use crate::sqlite::views::Snapshot;
use crate::track::collapse;
use crate::{FactRow, StoreError, segment};

const FACTS_AT_ONCE: i64 = 1000;

/// The digest of everything. Hot memory is read first: what moves meanwhile is seen twice, never missed.
pub(crate) async fn compute(hot: &Hot, db: &Db) -> Result<Digest, StoreError> {
    let mut hot_fixes: BTreeMap<VehicleId, Vec<Fix>> = BTreeMap::new();
    for vehicle in hot.vehicles() {
        hot_fixes.insert(vehicle, hot.fixes(vehicle, Timestamp::MIN, Timestamp::MAX)?);
    }
    let mut snapshot = Snapshot::open(db).await?;
    let mut hash = Sha256::new();
    hash.update(b"hazwatch views 3");
    let mut after = None;
    loop {
        let facts = snapshot.facts(after, FACTS_AT_ONCE).await?;
        let Some(last) = facts.last() else { break };
        after = Some((last.fact.id, last.fact.revision));
        facts.iter().for_each(|row| add_fact(&mut hash, row));
    }
    let mut buckets: BTreeMap<i64, BTreeMap<VehicleId, Vec<Fix>>> = BTreeMap::new();
    for vehicle in snapshot.vehicles().await? {
        buckets.entry(segment::bucket(vehicle)).or_default().entry(vehicle).or_default();
    }
    for (vehicle, fixes) in hot_fixes {
        buckets.entry(segment::bucket(vehicle)).or_default().insert(vehicle, fixes);
    }
    for bucket in snapshot.buckets().await? {
        buckets.entry(bucket).or_default();
    }
    // A bucket at a time: its rows hold the fixes of all its vehicles.
    for (bucket, mut vehicles) in buckets {
        for (vehicle, fixes) in snapshot.bucket(bucket).await? {
            vehicles.entry(vehicle).or_default().extend(fixes);
        }
        for (vehicle, loose) in vehicles {
            add_vehicle(&mut hash, &mut snapshot, vehicle, loose).await?;
        }
    }
    Ok(Digest(hash.finalize().into()))
}

async fn add_vehicle(
    hash: &mut Sha256,
    snapshot: &mut Snapshot<'_>,
    vehicle: VehicleId,
    loose: Vec<Fix>,
) -> Result<(), StoreError> {
    let mut days: BTreeMap<i32, Vec<Fix>> = BTreeMap::new();
    for fix in loose {
        days.entry(fix.time.china_day()).or_default().push(fix);
    }
    for day in snapshot.chunk_days(vehicle).await? {
        days.entry(day).or_default();
    }
    for (day, mut fixes) in days {
        fixes.extend(snapshot.chunks_of(vehicle, day).await?);
        collapse(&mut fixes);
        hash.update(b"day");
        hash.update(vehicle.0.to_be_bytes());
        hash.update(day.to_be_bytes());
        hash.update((fixes.len() as u64).to_be_bytes());
        fixes.iter().for_each(|fix| add_fix(hash, fix));
    }
    Ok(())
}

fn add_ref(hash: &mut Sha256, r: &RecordRef) {
    hash.update(r.position.shard.to_be_bytes());
    hash.update(r.position.seq.to_be_bytes());
    hash.update(r.index.to_be_bytes());
    hash.update(r.item.to_be_bytes());
}

fn add_fix(hash: &mut Sha256, fix: &Fix) {
    hash.update(fix.terminal.value().to_be_bytes());
    hash.update(fix.time.0.to_be_bytes());
    hash.update(fix.received.0.to_be_bytes());
    add_ref(hash, &fix.source);
    hash.update(fix.base());
    hash.update([u8::from(fix.mileage_hm.is_some())]);
    hash.update(fix.mileage_hm.unwrap_or_default().to_be_bytes());
    hash.update(fix.marks.0.to_be_bytes());
    hash.update((fix.items.len() as u64).to_be_bytes());
    hash.update(&fix.items);
}

fn add_fact(hash: &mut Sha256, row: &FactRow) {
    let Fact { id, revision, kind, vehicle, zone, zone_revision, .. } = &row.fact;
    let Fact { started_at, ended_at, confidence, detected_late, rule_revision, measures: m, evidence, .. } = &row.fact;
    hash.update(b"fact");
    hash.update(id.0.to_be_bytes());
    hash.update(revision.to_be_bytes());
    hash.update(kind.number().to_be_bytes());
    hash.update(vehicle.0.to_be_bytes());
    hash.update(zone.0.to_be_bytes());
    hash.update(zone_revision.to_be_bytes());
    hash.update(started_at.0.to_be_bytes());
    hash.update([u8::from(ended_at.is_some())]);
    hash.update(ended_at.unwrap_or_default().0.to_be_bytes());
    hash.update(confidence.0.to_be_bytes());
    hash.update([u8::from(*detected_late)]);
    hash.update(rule_revision.to_be_bytes());
    for number in [m.fixes_inside, m.length_m, m.speed_max_dkmh, m.depth_max_m, m.start_error_ms, m.end_error_ms] {
        hash.update(number.to_be_bytes());
    }
    for number in [m.start_lon_e7, m.start_lat_e7, m.end_lon_e7, m.end_lat_e7] {
        hash.update(number.to_be_bytes());
    }
    hash.update((evidence.len() as u64).to_be_bytes());
    evidence.iter().for_each(|r| add_ref(hash, r));
    hash.update([u8::from(row.carrier.is_some())]);
    hash.update(row.carrier.unwrap_or_default().0.to_be_bytes());
    hash.update([row.case_state as u8, row.fact.standing as u8, u8::from(row.superseded_by.is_some())]);
    hash.update(row.superseded_by.unwrap_or_default().0.to_be_bytes());
}
