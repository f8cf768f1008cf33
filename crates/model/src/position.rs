//! Places in the journal.

use std::fmt;

/// A place in the journal: which shard, and the engine's sequence of the envelope in it (from 1; 0 is before all).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Shard; the file engine has one, number 0.
    pub shard: u16,
    /// Sequence of the envelope within the shard.
    pub seq: u64,
}

/// One record in the journal and, for a batch report (0x0704), one item in the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordRef {
    /// The envelope.
    pub position: Position,
    /// The record in the envelope, from 0.
    pub index: u32,
    /// The location in the record, from 0.
    pub item: u16,
}

impl fmt::Display for RecordRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.position.shard, self.position.seq, self.index)?;
        if self.item > 0 { write!(f, "#{}", self.item) } else { Ok(()) }
    }
}
