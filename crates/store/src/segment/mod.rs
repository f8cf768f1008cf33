//! Segments: what a checkpoint writes and compaction takes away again. Made to be written fast, not to be small.
//!
//! The fixes of a vehicle are coded one after the other as they come ([`strand`]), so that hot memory, a segment row
//! and what a reader unpacks are the same bytes. A row holds all strands of one bucket of vehicles ([`row`]). The
//! format is `proto/hazwatch/track/v1/segment.md`.

pub(crate) mod row;
pub(crate) mod strand;

use model::VehicleId;

/// How many buckets the vehicles of a segment fall into: as many rows a checkpoint writes at most, large ones apart.
pub(crate) const BUCKETS: i64 = 1024;
/// Rows that one bucket may have in one segment.
pub(crate) const ROWS_PER_BUCKET: i64 = 4096;

/// Spreads ids whatever they look like; the upper bits are the good ones.
pub(crate) const fn spread(id: u64) -> u64 {
    (id ^ (id >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The bucket of a vehicle, 0..[`BUCKETS`]. Part of the format.
pub(crate) const fn bucket(vehicle: VehicleId) -> i64 {
    (spread(vehicle.0) >> (64 - BUCKETS.trailing_zeros())) as i64
}

/// Where a row lies: one number, so that it is found without an index beside it.
pub(crate) const fn row_id(segment: i64, bucket: i64, n: i64) -> i64 {
    (segment * BUCKETS + bucket) * ROWS_PER_BUCKET + n
}

/// The segment of a row.
pub(crate) const fn segment_of(row: i64) -> i64 {
    row / (BUCKETS * ROWS_PER_BUCKET)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of older binaries are found by these numbers.
    #[test]
    fn places_are_frozen() {
        assert_eq!([0, 1, 2, u64::MAX].map(|v| bucket(VehicleId(v))), [0, 632, 241, 514]);
        assert_eq!(row_id(3, 5, 7), 3 * 4_194_304 + 5 * 4096 + 7);
        assert_eq!(segment_of(row_id(3, 1023, 4095)), 3);
        let mut seen = [0; BUCKETS as usize];
        (0..100_000).for_each(|v| seen[bucket(VehicleId(v)) as usize] += 1);
        assert!(seen.iter().all(|n| (40..200).contains(n)), "ids in a row spread evenly");
    }
}
