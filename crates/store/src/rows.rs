//! What goes in and out of the store: rows, filters, cursors. No engine shows through.

use std::fmt;
use std::str::FromStr;

use model::{
    CarrierId, CaseState, Command, CommandId, CommandState, EffectId, Fact, FactId, FactKind, Fix, IdError, Marks,
    Plate, Position, RecordRef, TerminalId, Timestamp, VehicleId, ZoneId,
};

use crate::chunk::cells::{self, Extent};

/// A fact in one revision, with what the store needs to show it to the right people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactRow {
    /// What was judged.
    pub fact: Fact,
    /// Whose vehicle it was when it was judged; scope goes by this.
    pub carrier: Option<CarrierId>,
    /// Sequence of the envelope at which the row last changed: the order of the feed. Not part of the digest.
    pub changed: u64,
    /// Where effects brought the work on it; the steps of people are in the registry.
    pub case_state: CaseState,
    /// When it was first stated, by receipt of what it rests on; of one in whose place this was found, if it was. What
    /// deadlines count from. Not part of the digest.
    pub raised_at: Timestamp,
    /// Envelope as of which it was judged; at most `changed`. Not part of the digest.
    pub as_of: u64,
    /// For a void fact: the one that was found in its place.
    pub superseded_by: Option<FactId>,
}

/// Which facts are asked for. `Default` is: all visits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FactFilter {
    /// Violations; otherwise visits.
    pub violations: bool,
    /// Only this kind.
    pub kind: Option<FactKind>,
    /// Only about this vehicle.
    pub vehicle: Option<VehicleId>,
    /// Only in this zone.
    pub zone: Option<ZoneId>,
    /// Only of this carrier's vehicles.
    pub carrier: Option<CarrierId>,
    /// Only what lasted beyond this instant, or began at it.
    pub from: Option<Timestamp>,
    /// Only what began before this instant.
    pub to: Option<Timestamp>,
    /// Only those that last (`true`) or have ended (`false`).
    pub open: Option<bool>,
    /// Also those that do not hold any more.
    pub void: bool,
}

/// Where the next page of facts begins: after this fact, newest start first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactCursor {
    /// Start of the last fact shown.
    pub started_at: Timestamp,
    /// The last fact shown.
    pub id: FactId,
}

/// Place in the feed of changes, in order (changed, id). `Default` is before all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangeToken {
    /// Sequence of the envelope.
    pub seq: u64,
    /// The last fact that was seen at that sequence.
    pub id: FactId,
}

impl FactRow {
    /// The place of this row in the feed.
    #[must_use]
    pub const fn token(&self) -> ChangeToken {
        ChangeToken { seq: self.changed, id: self.fact.id }
    }
}

/// Where the next page of strangers begins, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StrangerCursor {
    /// First sight of the last stranger shown.
    pub first_seen: Timestamp,
    /// The last stranger shown.
    pub terminal: TerminalId,
}

macro_rules! text_form {
    ($name:ident, $expected:literal, $left:ident: $wrap:expr => $number:ty, $right:ident) => {
        /// `number.id`: safe in a URL and in an SSE `id:` line.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let number: $number = $wrap.1(self.$left);
                write!(f, "{number}.{}", self.$right)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let refuse = || IdError { expected: $expected, text: text.chars().take(64).collect() };
                let (number, id) = text.split_once('.').ok_or_else(refuse)?;
                let number: $number = number.parse().map_err(|_| refuse())?;
                Ok(Self { $left: $wrap.0(number), $right: id.parse()? })
            }
        }
    };
}

text_form!(FactCursor, "a cursor from `next`", started_at: (Timestamp, |t: Timestamp| t.0) => i64, id);
text_form!(StrangerCursor, "a cursor from `next`", first_seen: (Timestamp, |t: Timestamp| t.0) => i64, terminal);
text_form!(ChangeToken, "the id of an event", seq: (|n: u64| n, |n: u64| n) => u64, id);

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page begins; `None` when this was the last.
    pub next: Option<C>,
}

/// Something that is to happen in the world because of what was seen: today a text to the cab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Hash of (fact, revision, kind of effect).
    pub id: EffectId,
    /// Because of which fact; a warning of what has not happened has an id that no fact has.
    pub fact: FactId,
    /// In which revision.
    pub revision: u32,
    /// About which vehicle.
    pub vehicle: VehicleId,
    /// To which terminal.
    pub terminal: TerminalId,
    /// The text.
    pub text: String,
    /// Received time of the fix that raised it: what its age counts from.
    pub raised_at: Timestamp,
}

/// Where an effect stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EffectState {
    /// Waits for dispatch.
    Pending = 0,
    /// A command for it is on record.
    Dispatched = 1,
    /// Too old to be of use when somebody looked.
    Expired = 2,
}

/// What became of an effect; journalled, so that a rebuilt outbox sends nothing twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Of which effect. It need not be known yet.
    pub id: EffectId,
    /// [`EffectState::Dispatched`] or [`EffectState::Expired`].
    pub state: EffectState,
    /// The command that carries it.
    pub command: Option<CommandId>,
}

/// A terminal that spoke without being admitted (未知终端). Values are absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// Its phone.
    pub terminal: TerminalId,
    /// The plate that it claims.
    pub plate: Option<Plate>,
    /// Manufacturer id (制造商ID) that it claims.
    pub maker: String,
    /// Model (终端型号) that it claims.
    pub model: String,
    /// Terminal id (终端ID) that it claims.
    pub device: String,
    /// Address it last spoke from.
    pub peer: String,
    /// First frame.
    pub first_seen: Timestamp,
    /// Last frame.
    pub last_seen: Timestamp,
    /// Frames so far.
    pub frames: u64,
    /// Guard: a row with an equal or lower sequence changes nothing.
    pub seq: u64,
}

/// A command and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRow {
    /// As requested.
    pub command: Command,
    /// To which vehicle, when the terminal was bound to one.
    pub vehicle: Option<VehicleId>,
    /// Whose vehicle; scope goes by this.
    pub carrier: Option<CarrierId>,
    /// Who asked.
    pub actor: String,
    /// Where it stands.
    pub state: CommandState,
    /// When it was recorded.
    pub requested_at: Timestamp,
    /// When it was handed to the socket.
    pub sent_at: Option<Timestamp>,
    /// When the terminal answered.
    pub answered_at: Option<Timestamp>,
    /// Serial number of the frame that carried it.
    pub serial: Option<u16>,
    /// Guard: a row with an equal or lower sequence changes nothing.
    pub seq: u64,
}

/// Rows that are written as soon as they are known, all in one transaction. Writing them again changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writes {
    /// Facts; per (id, revision) the greater `changed` wins.
    pub facts: Vec<FactRow>,
    /// Effects; a known one is left as it is.
    pub effects: Vec<Effect>,
    /// What became of effects; the first settlement holds.
    pub settlements: Vec<Settlement>,
    /// Strangers; the greater `seq` wins.
    pub strangers: Vec<Stranger>,
    /// Commands; the greater `seq` wins.
    pub commands: Vec<CommandRow>,
}

impl Writes {
    /// Whether there is nothing to write.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.facts.is_empty()
            && self.effects.is_empty()
            && self.settlements.is_empty()
            && self.strangers.is_empty()
            && self.commands.is_empty()
    }
}

/// Where a vehicle was last: of its judgeable fixes the one with the greatest (time, source).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LastPosition {
    /// Which terminal reported it.
    pub terminal: TerminalId,
    /// When the position was taken.
    pub time: Timestamp,
    /// When the server received it.
    pub received: Timestamp,
    /// Where it lies in the journal.
    pub source: RecordRef,
    /// Longitude, degrees, WGS-84.
    pub lon: f64,
    /// Latitude, degrees, WGS-84.
    pub lat: f64,
    /// Altitude, metres.
    pub altitude_m: i16,
    /// Speed, 0.1 km/h.
    pub speed_dkmh: u16,
    /// Direction, degrees from north, clockwise.
    pub direction_deg: u16,
    /// Alarm flags (报警标志).
    pub alarm: u32,
    /// Status bits (状态位).
    pub status: u32,
    /// Odometer (里程), 0.1 km.
    pub mileage_hm: Option<u32>,
    /// What is odd about it.
    pub marks: Marks,
}

impl LastPosition {
    /// The position of a fix; `None` when it has none that can be believed.
    #[must_use]
    pub fn of(fix: &Fix) -> Option<Self> {
        fix.is_judgeable().then(|| Self {
            terminal: fix.terminal,
            time: fix.time,
            received: fix.received,
            source: fix.source,
            lon: fix.lon(),
            lat: fix.lat(),
            altitude_m: fix.altitude_m(),
            speed_dkmh: fix.speed_dkmh,
            direction_deg: fix.direction_deg,
            alarm: fix.alarm,
            status: fix.status,
            mileage_hm: fix.mileage_hm,
            marks: fix.marks,
        })
    }

    /// What decides which of two positions is the last: the same in whatever order they come.
    #[must_use]
    pub const fn rank(&self) -> (Timestamp, RecordRef) {
        (self.time, self.source)
    }
}

/// The rule state of a vehicle, so that it can leave memory and come back.
#[derive(Clone, Debug, PartialEq)]
pub struct VehicleState {
    /// Which vehicle.
    pub vehicle: VehicleId,
    /// Event time up to which it has been judged; `Timestamp::MIN` when nothing has been.
    pub judged_to: Timestamp,
    /// Opaque, versioned by the rules.
    pub state: Vec<u8>,
    /// Where it was last. A checkpoint merges it with what the hot memory saw; `None` leaves that alone.
    pub last: Option<LastPosition>,
}

/// A rule state that was in force at some event time: where a re-judgement can begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredState {
    /// Event time up to which it had judged; every later fix is to be judged again from here.
    pub judged_to: Timestamp,
    /// Opaque, versioned by the rules.
    pub state: Vec<u8>,
}

/// Where a piece of a track lies, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Event time of the first fix.
    pub start: Timestamp,
    /// Event time of the last fix.
    pub stop: Timestamp,
    /// The box of its fixes.
    pub extent: Extent,
}

impl Outline {
    /// Of these fixes; `None` when none has a place.
    pub(crate) fn of(fixes: &[Fix]) -> Option<Self> {
        let extent = cells::extent(fixes)?;
        let times = fixes.iter().map(|fix| fix.time);
        Some(Self { start: times.clone().min()?, stop: times.max()?, extent })
    }
}

/// What a checkpoint commits together with the fixes that were cut: all or nothing.
#[derive(Clone, Debug, Default)]
pub struct Checkpoint {
    /// Last envelope that the views reflect.
    pub position: Position,
    /// Last control record that the views reflect.
    pub control_seq: u64,
    /// States of the vehicles that changed.
    pub states: Vec<VehicleState>,
    /// Everything else that the pipeline wants back, by name: replaces the whole set of the checkpoint before.
    pub blobs: Vec<(String, Vec<u8>)>,
    /// Rule state in force before the vehicle's first fix in this segment, with the event time up to which it had
    /// judged. Only for vehicles that have fixes in the segment; others are ignored.
    pub segment_states: Vec<(VehicleId, Timestamp, Vec<u8>)>,
    /// Stored states of the vehicle that had judged up to the first event time or beyond are void: late data or a
    /// retroactive change came before them; those that had judged up to the second one or beyond hold again. Applied
    /// before `segment_states`.
    pub void_states: Vec<(VehicleId, Timestamp, Timestamp)>,
}

/// What the last checkpoint left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Last envelope that the views reflect: continue after it.
    pub position: Position,
    /// Last control record that the views reflect.
    pub control_seq: u64,
    /// The blobs, by name.
    pub blobs: Vec<(String, Vec<u8>)>,
}

/// One arrival of a fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// Where it lies in the journal.
    pub source: RecordRef,
    /// Which terminal sent it.
    pub terminal: TerminalId,
    /// When it was received.
    pub received: Timestamp,
}

/// A judged fix: all reports of the same vehicle with the same time and 28-byte base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackFix {
    /// The report with the richest body: the longest items, then the first in track order.
    pub fix: Fix,
    /// One for each distinct report, in the order of the journal.
    pub sources: Vec<Source>,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Facts, each counted once.
    pub facts: u64,
    /// Effects that wait.
    pub effects_pending: u64,
    /// Strangers.
    pub strangers: u64,
    /// Commands.
    pub commands: u64,
    /// Fixes in hot memory, not yet in a checkpoint.
    pub fixes_hot: u64,
    /// Fixes in segments, duplicates included.
    pub fixes_segments: u64,
    /// Fixes in chunks.
    pub fixes_chunks: u64,
    /// Live segments.
    pub segments: u64,
    /// Bytes in segments: what compaction has before it.
    pub segment_bytes: u64,
    /// Chunks.
    pub chunks: u64,
    /// Bytes of all chunks, without the rows around them.
    pub chunk_bytes: u64,
    /// Size of the views database, bytes, without its log.
    pub database_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_have_a_text_form() {
        let token = ChangeToken { seq: u64::MAX, id: FactId(7) };
        assert_eq!(token.to_string().parse(), Ok(token));
        let cursor = FactCursor { started_at: Timestamp(-5), id: FactId(u128::MAX) };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        let cursor = StrangerCursor { first_seen: Timestamp(9), terminal: TerminalId::from_wire(&[1, 0x39]) };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for bad in ["", "1", "x.f_0", "1.v_0000000000000", "-1.f_00000000000000000000000000"] {
            assert!(bad.parse::<ChangeToken>().is_err(), "{bad}");
        }
    }
}
