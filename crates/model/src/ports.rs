//! Ports: what the API asks of rooms that it may not import. The house plugs them together.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::{Change, ControlRecord, ForwarderId, Principal, Registry, TerminalId, Timestamp, VehicleId};

/// A boxed future, so that ports can be trait objects without a runtime in this crate.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The number of its last control record.
    pub control_seq: u64,
    /// Whether all lanes have passed it; `false` when that took longer than 10 s (HTTP 202).
    pub applied: bool,
}

/// Why a change did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The change makes no sense.
    #[error("{field}: {message}")]
    Invalid {
        /// Which field.
        field: String,
        /// Why, for people.
        message: String,
    },
    /// It contradicts what is recorded.
    #[error("{0}")]
    Conflict(String),
    /// What it is about does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The journal cannot take it. It may or may not have been recorded when `unknown` is set.
    #[error("the journal cannot record: {message}")]
    Unavailable {
        /// Why.
        message: String,
        /// Whether the outcome is unknown.
        unknown: bool,
    },
}

/// The only way anything changes.
pub trait ControlPort: Send + Sync {
    /// Validates, records and applies changes as one: all or none. Returns when every lane has passed them, or
    /// after 10 s with `applied: false`.
    fn submit<'a>(&'a self, who: &'a Principal, changes: Vec<Change>) -> BoxFuture<'a, Result<Receipt, ControlError>>;

    /// The registry at the head of the control stream.
    fn registry(&self) -> Arc<Registry>;
}

/// The views lag behind the journal by more than a reader will wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("views are {behind} envelopes behind the journal")]
pub struct ViewsBehind {
    /// By how many envelopes.
    pub behind: u64,
}

/// A position as it goes to the live feed; lossy.
#[derive(Clone, Debug, PartialEq)]
pub struct LivePosition {
    /// Which vehicle.
    pub vehicle: VehicleId,
    /// When the position was taken.
    pub time: Timestamp,
    /// Longitude, degrees, WGS-84.
    pub lon: f64,
    /// Latitude, degrees, WGS-84.
    pub lat: f64,
    /// Speed, 0.1 km/h.
    pub speed_dkmh: u16,
    /// Direction, degrees.
    pub direction_deg: u16,
}

/// How far the views are.
pub trait ViewsPort: Send + Sync {
    /// Returns when the views reflect every frame answered before the call, or after 5 s with the lag.
    fn caught_up(&self) -> BoxFuture<'_, Result<(), ViewsBehind>>;

    /// The last envelope whose facts are all written: a feed that goes beyond it may pass over one that comes later
    /// from another lane.
    fn settled(&self) -> u64;

    /// Whether the server may take traffic: `Err` says why not.
    ///
    /// # Errors
    /// With the reason, for `/readyz`.
    fn ready(&self) -> Result<(), String>;

    /// Live positions since the last call with this cursor, oldest first, and the next cursor. Lossy: what fell out
    /// of the ring is gone. Cursor 0 starts now.
    fn positions(&self, cursor: u64) -> (Vec<LivePosition>, u64);

    /// Returns when something may have changed: a fact, or a live position. May return too early, never too late.
    fn changed(&self) -> BoxFuture<'_, ()>;

    /// Whether a terminal is connected and authenticated now.
    fn is_online(&self, terminal: TerminalId) -> bool;

    /// How many terminals are connected and authenticated now.
    fn online_count(&self) -> usize;
}

/// Which frames of a terminal are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameQuery {
    /// Whose.
    pub terminal: TerminalId,
    /// Received at or after.
    pub from: Timestamp,
    /// Received before.
    pub to: Timestamp,
    /// How many at most.
    pub limit: usize,
    /// Continue before this place (envelope sequence, record), from [`FramePage::next`].
    pub before: Option<(u64, u32)>,
}

/// One frame as the journal holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameEntry {
    /// Where it lies: envelope sequence and record.
    pub place: (u64, u32),
    /// When it was received or sent.
    pub received: Timestamp,
    /// `uplink`, `stranger` (before authentication) or `downlink`.
    pub direction: &'static str,
    /// The bytes off the wire, lower-case hex.
    pub hex: String,
    /// What `hazwatch decode --json` prints for it, as JSON text.
    pub decoded_json: String,
}

/// A page of frames, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FramePage {
    /// The frames.
    pub frames: Vec<FrameEntry>,
    /// Where the next page begins; `None` when there is none.
    pub next: Option<(u64, u32)>,
}

/// The frames could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the journal: {0}")]
pub struct FramesError(pub String);

/// Reads frames back out of the journal.
pub trait FramesPort: Send + Sync {
    /// The frames of a terminal, newest first.
    fn frames(&self, query: FrameQuery) -> BoxFuture<'_, Result<FramePage, FramesError>>;
}

/// A record that is to be proved cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// There is no such record, or retention has removed it.
    #[error("{0}")]
    NotFound(String),
    /// It is not sealed yet: the next seal comes within a minute.
    #[error("the record is not sealed yet; ask again in a minute")]
    NotYet,
    /// The journal cannot be read.
    #[error("cannot read the journal: {0}")]
    Failed(String),
}

/// What vouches for the journal: its seals, their key, the heads of its days, proofs of single records.
pub trait TruthPort: Send + Sync {
    /// The public key that seals are signed with, as JSON text.
    fn key(&self) -> String;

    /// The signed heads of days (日终链头), newest first, those before the day `before` (`2026-11-23`) only, as JSON
    /// texts.
    fn daily_heads(&self, before: Option<String>, limit: usize) -> BoxFuture<'_, Result<Vec<String>, FramesError>>;

    /// A proof that a record (envelope sequence, record) is in the journal, as JSON text; `hazwatch verify --proof`
    /// checks it.
    fn prove(&self, place: (u64, u32)) -> BoxFuture<'_, Result<String, ProofError>>;

    /// Keeps a file among the blobs, durably; returns its SHA-256 in hex, by which a control record can name it.
    fn keep(&self, bytes: Vec<u8>) -> BoxFuture<'_, Result<String, FramesError>>;

    /// The file of that SHA-256; `None` when it is not kept.
    fn kept(&self, sha256: String) -> BoxFuture<'_, Result<Option<Vec<u8>>, FramesError>>;

    /// Control records with a number below `before`, newest first.
    fn control_records(&self, before: u64, limit: usize) -> BoxFuture<'_, Result<Vec<ControlRecord>, FramesError>>;
}

/// A link of a forwarding platform, as the door sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whose.
    pub forwarder: ForwarderId,
    /// From where, address and port.
    pub peer: String,
    /// Since when.
    pub since: Timestamp,
    /// Terminals that have spoken through it.
    pub terminals: usize,
}

/// The door, for those who run it.
pub trait DoorPort: Send + Sync {
    /// The code that a platform's links show, of that epoch.
    fn forwarder_code(&self, id: ForwarderId, epoch: u32) -> String;

    /// The links that are open.
    fn links(&self) -> Vec<Link>;
}
