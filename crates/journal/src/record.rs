//! Records and the batches in which they take effect.

use bytes::{BufMut, Bytes};
use model::{CommandId, ControlRecord, ForwarderId, Position, TerminalId, Timestamp};

use prost::encoding::{WireType, encode_key, encode_varint};

use crate::proto::journal as pb;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A frame from an authenticated terminal.
    Uplink,
    /// A frame from somebody who was not authenticated.
    Stranger,
    /// A command frame on its way to a terminal.
    Command,
    /// The clock.
    Tick,
    /// A control record (in the control chain only).
    Control,
}

impl Kind {
    const fn to_pb(self) -> pb::Kind {
        match self {
            Self::Uplink => pb::Kind::Uplink,
            Self::Stranger => pb::Kind::Stranger,
            Self::Command => pb::Kind::Command,
            Self::Tick => pb::Kind::Tick,
            Self::Control => pb::Kind::Control,
        }
    }

    const fn from_pb(kind: pb::Kind) -> Option<Self> {
        match kind {
            pb::Kind::Unspecified => None,
            pb::Kind::Uplink => Some(Self::Uplink),
            pb::Kind::Stranger => Some(Self::Stranger),
            pb::Kind::Command => Some(Self::Command),
            pb::Kind::Tick => Some(Self::Tick),
            pb::Kind::Control => Some(Self::Control),
        }
    }
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it was received; the journal raises it where the clock went back, so that it never decreases.
    pub received: Timestamp,
    /// What it is.
    pub kind: Kind,
    /// Whose; `None` for ticks and control.
    pub terminal: Option<TerminalId>,
    /// By which connection of this process; 0 for none.
    pub connection: u64,
    /// The bytes off the wire.
    pub raw: Bytes,
    /// With [`Kind::Command`]: which command.
    pub command: Option<CommandId>,
    /// With [`Kind::Stranger`]: where it came from; empty otherwise.
    pub peer: String,
    /// Through which forwarding platform (转发平台) it came, if through one.
    pub forwarder: Option<ForwarderId>,
}

impl Record {
    /// A tick of the clock.
    #[must_use]
    pub const fn tick(now: Timestamp) -> Self {
        Self {
            received: now,
            kind: Kind::Tick,
            terminal: None,
            connection: 0,
            raw: Bytes::new(),
            command: None,
            peer: String::new(),
            forwarder: None,
        }
    }

    /// A frame from an authenticated terminal.
    #[must_use]
    pub const fn uplink(received: Timestamp, terminal: TerminalId, connection: u64, raw: Bytes) -> Self {
        Self {
            received,
            kind: Kind::Uplink,
            terminal: Some(terminal),
            connection,
            raw,
            command: None,
            peer: String::new(),
            forwarder: None,
        }
    }

    /// The same, come through a forwarding platform.
    #[must_use]
    pub const fn through(mut self, forwarder: Option<ForwarderId>) -> Self {
        self.forwarder = forwarder;
        self
    }

    /// A frame from somebody who was not authenticated.
    #[must_use]
    pub const fn stranger(
        received: Timestamp,
        terminal: Option<TerminalId>,
        connection: u64,
        peer: String,
        raw: Bytes,
    ) -> Self {
        Self { received, kind: Kind::Stranger, terminal, connection, raw, command: None, peer, forwarder: None }
    }

    /// A command frame on its way to a terminal.
    #[must_use]
    pub const fn command(
        received: Timestamp,
        terminal: TerminalId,
        connection: u64,
        command: CommandId,
        raw: Bytes,
    ) -> Self {
        Self {
            received,
            kind: Kind::Command,
            terminal: Some(terminal),
            connection,
            raw,
            command: Some(command),
            peer: String::new(),
            forwarder: None,
        }
    }

    /// Appends the protobuf form of `hazwatch.journal.v1.Record`. By hand, because this runs for every frame and the
    /// generated type would copy the terminal and the peer to the heap first; a test holds it against the generated
    /// code.
    pub(crate) fn encode(&self, out: &mut impl BufMut) {
        let mut head = Head::default();
        head.varint(1, self.received.0 as u64);
        head.varint(2, self.kind.to_pb() as u64);
        if let Some(terminal) = self.terminal {
            let bytes = terminal.value().to_be_bytes();
            let bytes = significant_bytes(&bytes);
            head.varint_key(3, WireType::LengthDelimited, bytes.len() as u64);
            head.bytes(bytes);
        }
        head.varint(4, self.connection);
        if !self.raw.is_empty() {
            head.varint_key(5, WireType::LengthDelimited, self.raw.len() as u64);
        }
        out.put_slice(&head.bytes[..head.length]);
        out.put_slice(&self.raw);
        put_fixed(out, 6, self.command.map_or(0, |id| id.0));
        if !self.peer.is_empty() {
            encode_key(7, WireType::LengthDelimited, out);
            encode_varint(self.peer.len() as u64, out);
            out.put_slice(self.peer.as_bytes());
        }
        put_fixed(out, 8, self.forwarder.map_or(0, |id| id.0));
    }

    #[cfg(test)]
    fn to_pb(&self) -> pb::Record {
        pb::Record {
            received_us: self.received.0,
            kind: self.kind.to_pb() as i32,
            terminal: self.terminal.map(terminal_bytes).unwrap_or_default(),
            connection: self.connection,
            raw: self.raw.clone(),
            command: self.command.map_or(0, |id| id.0),
            peer: self.peer.clone(),
            forwarder: self.forwarder.map_or(0, |id| id.0),
        }
    }

    pub(crate) fn from_pb(record: pb::Record) -> Option<Self> {
        let kind = pb::Kind::try_from(record.kind).ok().and_then(Kind::from_pb)?;
        Some(Self {
            received: Timestamp(record.received_us),
            kind,
            terminal: terminal_from_bytes(&record.terminal),
            connection: record.connection,
            raw: record.raw,
            command: (record.command != 0).then_some(CommandId(record.command)),
            peer: record.peer,
            forwarder: (record.forwarder != 0).then_some(ForwarderId(record.forwarder)),
        })
    }
}

/// What comes before the raw bytes: at most 47 bytes, gathered apart so that it is copied at once.
struct Head {
    bytes: [u8; 64],
    length: usize,
}

impl Default for Head {
    fn default() -> Self {
        Self { bytes: [0; 64], length: 0 }
    }
}

impl Head {
    fn varint(&mut self, field: u8, value: u64) {
        if value != 0 {
            self.varint_key(field, WireType::Varint, value);
        }
    }

    fn varint_key(&mut self, field: u8, wire: WireType, mut value: u64) {
        self.push(field << 3 | wire as u8);
        while value >= 0x80 {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }

    fn push(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.bytes[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }
}

fn put_fixed(out: &mut impl BufMut, field: u32, value: u64) {
    if value != 0 {
        encode_key(field, WireType::SixtyFourBit, out);
        out.put_u64_le(value);
    }
}

/// Without leading zero bytes; one zero byte for the number 0.
fn significant_bytes(number: &[u8; 16]) -> &[u8] {
    let zeros = number.iter().take(15).take_while(|b| **b == 0).count();
    &number[zeros..]
}

/// A terminal's number as it is stored.
pub(crate) fn terminal_bytes(terminal: TerminalId) -> Bytes {
    Bytes::copy_from_slice(significant_bytes(&terminal.value().to_be_bytes()))
}

/// The terminal of that number; `None` for no bytes.
pub(crate) fn terminal_from_bytes(bytes: &[u8]) -> Option<TerminalId> {
    (!bytes.is_empty()).then(|| TerminalId::from_wire(&bytes[..bytes.len().min(10)]))
}

/// One frame envelope as it takes effect: first the control records that it brings into force, then its records.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Where the envelope lies.
    pub position: Position,
    /// Its hash: says which journal it is that has this envelope there.
    pub hash: [u8; 32],
    /// The control records up to here are in force.
    pub control_seq: u64,
    /// Those of them that were not yet in force before this envelope.
    pub control: Vec<ControlRecord>,
    /// When its first record was received, or when it was committed.
    pub received: Timestamp,
    /// The records; their place in this list is their index.
    pub records: Vec<Record>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use prost::Message;

    #[test]
    fn terminals_round_trip() {
        for digits in ["0", "13912345678", "99999999999999999999", "100"] {
            let terminal: TerminalId = digits.parse().expect("digits");
            assert_eq!(terminal_from_bytes(&terminal_bytes(terminal)), Some(terminal));
        }
        assert_eq!(terminal_from_bytes(&[]), None);
    }

    #[test]
    fn the_encoder_writes_the_contract() {
        let terminal = TerminalId::from_wire(&[0x13, 0x91]);
        let stranger = Record { kind: Kind::Stranger, peer: "127.0.0.1:9".into(), ..Record::tick(Timestamp(-3)) };
        let command = Record { kind: Kind::Command, command: Some(CommandId(9)), ..stranger.clone() };
        let zero = Record { received: Timestamp(0), ..Record::tick(Timestamp(0)) };
        let uplink = Record::uplink(Timestamp(1_795_406_706_000_000), terminal, 300, Bytes::from_static(b"~1~"));
        let forwarded = uplink.clone().through(Some(ForwarderId(u64::MAX)));
        for record in [stranger, command, zero, uplink, forwarded] {
            let mut out = BytesMut::new();
            record.encode(&mut out);
            assert_eq!(out, record.to_pb().encode_to_vec());
            assert_eq!(Record::from_pb(pb::Record::decode(out).expect("decodes")), Some(record));
        }
    }
}
