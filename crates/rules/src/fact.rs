//! Facts out of stays: their identity and their content.

use model::{Fact, FactId, FactKind, Standing, Timestamp, VehicleId, ZoneId};
use sha2::{Digest, Sha256};

use crate::judge::Context;
use crate::stay::Stay;

/// Separates these hashes from every other use of SHA-256.
const DOMAIN: &[u8; 16] = b"hazwatch.fact.v1";

/// The identity of a fact, the same in every replay. Frozen: the first 16 bytes, big-endian, of the SHA-256 of
///
/// | bytes | content |
/// |---|---|
/// | 0..16 | `hazwatch.fact.v1` |
/// | 16..18 | kind, number |
/// | 18..26 | vehicle |
/// | 26..34 | zone |
/// | 34..38 | revision of the zone |
/// | 38..46 | start, microseconds since the Unix epoch, two's complement |
///
/// all integers big-endian. A violation of a rule of the zone whose number is not 1 has that after it, 2 bytes.
#[must_use]
pub fn fact_id(kind: FactKind, vehicle: VehicleId, zone: ZoneId, zone_revision: u32, started_at: Timestamp) -> FactId {
    of_rule(kind, vehicle, (zone, zone_revision), 1, started_at)
}

/// The identity of a violation of the rule of that number of a zone in a revision; of a visit, with number 1.
pub(crate) fn of_rule(
    kind: FactKind,
    vehicle: VehicleId,
    (zone, zone_revision): (ZoneId, u32),
    rule: u16,
    started_at: Timestamp,
) -> FactId {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(kind.number().to_be_bytes());
    hash.update(vehicle.0.to_be_bytes());
    hash.update(zone.0.to_be_bytes());
    hash.update(zone_revision.to_be_bytes());
    hash.update(started_at.0.to_be_bytes());
    if rule != 1 {
        hash.update(rule.to_be_bytes());
    }
    FactId(hash.finalize().iter().take(16).fold(0, |id, byte| (id << 8) | u128::from(*byte)))
}

/// The fact as it stands; `ended` when the exit is confirmed.
pub(crate) fn of_stay(ctx: &Context<'_>, kind: FactKind, stay: &Stay, ended: bool) -> Fact {
    Fact {
        id: fact_id(kind, ctx.vehicle, stay.zone, stay.revision, stay.started_at),
        revision: 1,
        kind,
        vehicle: ctx.vehicle,
        zone: stay.zone,
        zone_revision: stay.revision,
        started_at: stay.started_at,
        ended_at: stay.left.filter(|_| ended).map(|exit| exit.at),
        confidence: stay.confidence(),
        detected_late: stay.late,
        standing: Standing::Stands,
        rule_revision: ctx.registry.rule_revision(),
        measures: stay.measures(),
        evidence: stay.evidence.all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash was computed with another implementation over the bytes of the table.
    #[test]
    fn the_layout_is_frozen() {
        let id = fact_id(FactKind::V06, VehicleId(0x0102), ZoneId(7), 3, Timestamp::from_secs(1_795_406_706));
        assert_eq!(format!("{:032x}", id.0), "79060916a578a057147c6c98adaf8dd4");
    }
}
