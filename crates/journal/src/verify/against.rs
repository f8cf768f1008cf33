//! Two copies of one journal: where they part.

use std::path::Path;

use crate::disk::Disk;
use crate::reader::{ReadError, segments, stored_hash, walk_from};
use crate::segment::Stream;

/// How two copies of one chain stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parting {
    /// They are the same as far as both reach; the numbers are their last envelopes.
    Same {
        /// The last envelope of the one.
        one: u64,
        /// The last envelope of the other.
        other: u64,
    },
    /// They part: a fork, as after a restored backup, or one of them was rewritten.
    Parted {
        /// The last envelope that they have in common; `None` when that is before what both hold.
        common: Option<u64>,
        /// The first that differs.
        first: u64,
    },
    /// No envelope is in both, so nothing can be compared.
    Apart,
}

/// Compares one chain of two copies by the hashes of their envelopes. Each copy should be verified by itself first:
/// within a sound chain one equal hash vouches for all before it.
///
/// # Errors
/// When one cannot be read.
pub fn compare(one: (&dyn Disk, &Path), other: (&dyn Disk, &Path), stream: Stream) -> Result<Parting, ReadError> {
    let (Some(a), Some(b)) = (range(one, stream)?, range(other, stream)?) else { return Ok(Parting::Apart) };
    let (first, last) = (a.0.max(b.0), a.1.min(b.1));
    if first > last {
        return Ok(Parting::Apart);
    }
    let same = |seq| -> Result<bool, ReadError> {
        Ok(stored_hash(one.0, one.1, stream, seq)? == stored_hash(other.0, other.1, stream, seq)?)
    };
    if same(last)? {
        return Ok(Parting::Same { one: a.1, other: b.1 });
    }
    // The first envelope that differs: all before it are the same, all after it differ.
    let (mut low, mut high) = (first, last);
    while low < high {
        let middle = low + (high - low) / 2;
        if same(middle)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(Parting::Parted { common: (low > first).then(|| low - 1), first: low })
}

/// The first and the last envelope of a chain; `None` when it has none.
fn range((disk, journal): (&dyn Disk, &Path), stream: Stream) -> Result<Option<(u64, u64)>, ReadError> {
    let segments = segments(disk, journal, stream)?;
    let (Some((first, _)), Some((_, last))) = (segments.first(), segments.last()) else { return Ok(None) };
    let walk = walk_from(disk, last, u64::MAX, true)?;
    Ok((walk.next_seq() > *first).then(|| (*first, walk.next_seq() - 1)))
}
