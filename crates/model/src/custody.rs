//! Custody: what must be kept, and from where views can be rebuilt.

use crate::{HoldId, Position, Timestamp, VehicleId};

/// A hold (数据封存): after an accident the data of a time is sealed at once (动态监督管理办法), and retention must
/// not touch it until the hold is released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Which hold.
    pub id: HoldId,
    /// Whose data; `None`: everybody's. Frames are kept in files of all vehicles, so a hold of one vehicle keeps whole
    /// files.
    pub vehicle: Option<VehicleId>,
    /// From when on, received time and event time alike; inclusive.
    pub from: Timestamp,
    /// Until when; exclusive.
    pub to: Timestamp,
    /// Why: the accident, the file number.
    pub reason: String,
}

/// A base (基准快照): a copy of the views as they were at a place in the journal. Frames before it may be removed;
/// a replay starts from it and vouches for what lies before by its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// The frame envelope that it reflects, with all before it.
    pub position: Position,
    /// Hash of that envelope.
    pub head: [u8; 32],
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// Its length, bytes.
    pub bytes: u64,
    /// The control record up to which changes were in force.
    pub control_seq: u64,
}
