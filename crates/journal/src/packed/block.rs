//! A block: envelopes in a row, coded together. What follows from the chain is not written: the hash of the envelope
//! before is computed while reading, and so is checked by being used.

use std::collections::HashMap;

use bytes::{BufMut, Bytes, BytesMut};
use model::{CommandId, ForwarderId, TerminalId, Timestamp};
use prost::Message;

use super::bytes::{Frames, Pasts};
use super::range::{Bit, Coder, Decoder, Encoder, Number, TREE, Tree, byte};
use crate::envelope::seal_piece;
use crate::hash::{Algorithm, EnvelopeHash, Hash};
use crate::proto::journal as pb;
use crate::record::{Kind, Record};

/// One envelope of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unpacked {
    /// The pieces, as in a plain body.
    pub body: Bytes,
    pub hash: Hash,
}

/// What a packed block holds that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the packed block cannot be unpacked: {0}")]
pub(crate) struct BlockError(pub &'static str);

const KINDS: [Kind; 5] = [Kind::Uplink, Kind::Stranger, Kind::Command, Kind::Tick, Kind::Control];

#[derive(Default)]
struct Terminal {
    connection: u64,
    forwarder: u64,
    /// Who spoke after it.
    next: usize,
    pasts: Pasts,
}

/// What is learnt within a block.
struct Block {
    header: pb::Header,
    hash: Hash,
    received: i64,
    kind: usize,
    terminal: usize,
    terminals: Vec<Terminal>,
    ids: Vec<Option<TerminalId>>,
    numbers: HashMap<Option<TerminalId>, usize>,
    frames: Frames,
    flags: [Bit; 16],
    kinds: Tree,
    texts: Tree,
    phone: Vec<Tree>,
    times: [Number; 2],
    connections: Number,
    counts: Number,
    controls: Number,
    lengths: Number,
    indexes: Number,
}

/// Names of the decisions in `Block::flags`.
const REGULAR_HEADER: usize = 0;
const REGULAR_RECORD: usize = 1;
const SAME_KIND: usize = 2;
const EXPECTED_TERMINAL: usize = 3;
const KNOWN_TERMINAL: usize = 4;
const HAS_TERMINAL: usize = 5;
const SAME_CONNECTION: usize = 6;
const HAS_COMMAND: usize = 7;
const HAS_PEER: usize = 8;
const SAME_FORWARDER: usize = 9;

impl Block {
    fn new(previous: Hash) -> Self {
        Self {
            header: pb::Header::default(),
            hash: previous,
            received: 0,
            kind: 0,
            terminal: 0,
            // The first stands for nobody: ticks.
            terminals: vec![Terminal::default()],
            ids: vec![None],
            numbers: HashMap::from([(None, 0)]),
            frames: Frames::new(),
            flags: [Bit::NEW; 16],
            kinds: TREE,
            texts: TREE,
            phone: vec![TREE; 10],
            times: [Number::new(), Number::new()],
            connections: Number::new(),
            counts: Number::new(),
            controls: Number::new(),
            lengths: Number::new(),
            indexes: Number::new(),
        }
    }

    fn flag(&mut self, coder: &mut impl Coder, flag: usize, value: bool) -> bool {
        coder.bit(&mut self.flags[flag], value)
    }

    /// The header that usually comes next.
    fn next_header(&self) -> pb::Header {
        pb::Header {
            previous: Bytes::copy_from_slice(&self.hash),
            writer_seq: self.header.writer_seq.wrapping_add(1),
            predecessor: Bytes::new(),
            ..self.header.clone()
        }
    }

    /// Codes a header; `want` is the one to write, with its bytes.
    fn header(
        &mut self,
        coder: &mut impl Coder,
        want: Option<(&pb::Header, &[u8])>,
        max: usize,
    ) -> Result<Bytes, BlockError> {
        let mut header = self.next_header();
        let is_regular = want.is_some_and(|(want, bytes)| {
            let expected = pb::Header {
                count: want.count,
                control_seq: want.control_seq,
                first_received_us: want.first_received_us,
                ..header.clone()
            };
            *want == expected && want.encode_to_vec() == bytes
        });
        let bytes = if self.flag(coder, REGULAR_HEADER, is_regular) {
            let want = want.map_or(&header, |(want, _)| want).clone();
            header.count = self.counts.code(coder, u64::from(want.count)) as u32;
            let control = want.control_seq.wrapping_sub(self.header.control_seq) as i64;
            header.control_seq = self.header.control_seq.wrapping_add(self.controls.signed(coder, control) as u64);
            let later = want.first_received_us.wrapping_sub(self.received);
            header.first_received_us = self.received.wrapping_add(self.times[0].signed(coder, later));
            Bytes::from(header.encode_to_vec())
        } else {
            let bytes = Bytes::from(self.text(coder, want.map_or(&[], |(_, bytes)| bytes), max)?);
            header = pb::Header::decode(bytes.clone()).map_err(|_| BlockError("a header has another form"))?;
            bytes
        };
        self.received = header.first_received_us;
        self.header = header;
        Ok(bytes)
    }

    /// Bytes that nothing predicts.
    fn text(&mut self, coder: &mut impl Coder, want: &[u8], max: usize) -> Result<Vec<u8>, BlockError> {
        let length = self.lengths.code(coder, want.len() as u64) as usize;
        if length > max {
            return Err(BlockError("it is longer than it says"));
        }
        let code = |at: usize| byte(coder, &mut self.texts, want.get(at).copied().unwrap_or(0));
        Ok((0..length).map(code).collect())
    }

    /// Codes a record, appending its bytes; `want` is the one to write.
    fn record(
        &mut self,
        coder: &mut impl Coder,
        want: Option<&Bytes>,
        max: usize,
        out: &mut BytesMut,
    ) -> Result<(), BlockError> {
        let parsed = want.and_then(|bytes| {
            let record = Record::from_pb(pb::Record::decode(bytes.clone()).ok()?)?;
            let mut again = BytesMut::with_capacity(bytes.len());
            record.encode(&mut again);
            (again == *bytes).then_some(record)
        });
        if !self.flag(coder, REGULAR_RECORD, parsed.is_some()) {
            let text = self.text(coder, want.map_or(&[], |bytes| bytes), max)?;
            out.put_slice(&text);
            return Ok(());
        }
        let want = parsed.unwrap_or_else(|| Record::tick(Timestamp(0)));
        let later = want.received.0.wrapping_sub(self.received);
        self.received = self.received.wrapping_add(self.times[1].signed(coder, later));
        if !self.flag(coder, SAME_KIND, want.kind == KINDS[self.kind]) {
            let number = KINDS.iter().position(|kind| *kind == want.kind).unwrap_or(0);
            self.kind = usize::from(byte(coder, &mut self.kinds, number as u8)) % KINDS.len();
        }
        let number = self.terminal(coder, want.terminal)?;
        let (connection, forwarder) = (self.terminals[number].connection, self.terminals[number].forwarder);
        let connection = if self.flag(coder, SAME_CONNECTION, want.connection == connection) {
            connection
        } else {
            let off = want.connection.wrapping_sub(connection) as i64;
            connection.wrapping_add(self.connections.signed(coder, off) as u64)
        };
        let wanted = want.forwarder.map_or(0, |id| id.0);
        let forwarder =
            if self.flag(coder, SAME_FORWARDER, wanted == forwarder) { forwarder } else { even(coder, wanted) };
        let command = want.command.map_or(0, |id| id.0);
        let command = if self.flag(coder, HAS_COMMAND, command != 0) { even(coder, command) } else { 0 };
        let peer = if self.flag(coder, HAS_PEER, !want.peer.is_empty()) {
            let text = self.text(coder, want.peer.as_bytes(), max)?;
            String::from_utf8(text).map_err(|_| BlockError("a peer is no text"))?
        } else {
            String::new()
        };
        let terminal = &mut self.terminals[number];
        (terminal.connection, terminal.forwarder) = (connection, forwarder);
        let mut raw = Vec::with_capacity(128);
        self.frames
            .code(coder, &mut terminal.pasts, &want.raw, max, &mut raw)
            .ok_or(BlockError("a frame is longer than it says"))?;
        let record = Record {
            received: Timestamp(self.received),
            kind: KINDS[self.kind],
            terminal: self.ids[number],
            connection,
            raw: raw.into(),
            command: (command != 0).then_some(CommandId(command)),
            peer,
            forwarder: (forwarder != 0).then_some(ForwarderId(forwarder)),
        };
        record.encode(out);
        Ok(())
    }

    /// Codes whose record it is; gives the number in the table.
    fn terminal(&mut self, coder: &mut impl Coder, want: Option<TerminalId>) -> Result<usize, BlockError> {
        let known = self.numbers.get(&want).copied();
        let expected = self.terminals[self.terminal].next;
        let number = if self.flag(coder, EXPECTED_TERMINAL, known == Some(expected)) {
            expected
        } else if self.flag(coder, KNOWN_TERMINAL, known.is_some()) {
            let back = self.terminals.len() - 1 - known.unwrap_or(0);
            let back = self.indexes.code(coder, back as u64) as usize;
            (self.terminals.len() - 1).checked_sub(back).ok_or(BlockError("a terminal is not in the table"))?
        } else {
            self.new_terminal(coder, want)
        };
        self.terminals[self.terminal].next = number;
        self.terminal = number;
        Ok(number)
    }

    fn new_terminal(&mut self, coder: &mut impl Coder, want: Option<TerminalId>) -> usize {
        let bytes = want.map_or(0, TerminalId::value).to_be_bytes();
        let is_somebody = self.flag(coder, HAS_TERMINAL, want.is_some());
        let mut phone = [0; 10];
        for (at, tree) in self.phone.iter_mut().enumerate() {
            phone[at] = byte(coder, tree, bytes[6 + at]);
        }
        let id = is_somebody.then(|| TerminalId::from_wire(&phone));
        self.terminals.push(Terminal::default());
        self.ids.push(id);
        self.numbers.insert(id, self.ids.len() - 1);
        self.ids.len() - 1
    }

    /// Codes an envelope, appending its body as pieces.
    fn envelope(
        &mut self,
        coder: &mut impl Coder,
        want: Option<&Parts>,
        max: usize,
        out: &mut BytesMut,
    ) -> Result<Hash, BlockError> {
        let end = out.len() + max;
        let wanted = want.map(|parts| (&parts.header, &parts.header_bytes[..]));
        let header = self.header(coder, wanted, max)?;
        let algorithm = Algorithm::from_pb(self.header.algorithm).ok_or(BlockError("its hash is not known"))?;
        let mut hash = EnvelopeHash::new(algorithm, &header);
        let piece = out.len();
        out.put_bytes(0, 8);
        out.put_slice(&header);
        seal_piece(out, piece);
        for index in 0..self.header.count as usize {
            let piece = out.len();
            out.put_bytes(0, 8);
            let room = end.checked_sub(out.len()).ok_or(BlockError("it is longer than it says"))?;
            self.record(coder, want.and_then(|parts| parts.records.get(index)), room, out)?;
            if out.len() > end {
                return Err(BlockError("it is longer than it says"));
            }
            hash.record(&out[piece + 8..]);
            seal_piece(out, piece);
        }
        self.hash = hash.finish();
        Ok(self.hash)
    }
}

fn even(coder: &mut impl Coder, value: u64) -> u64 {
    (0..64).rev().fold(0, |result, i| result << 1 | u64::from(coder.even((value >> i) & 1 == 1)))
}

/// An envelope in parts, to be packed.
pub(super) struct Parts {
    pub header: pb::Header,
    pub header_bytes: Bytes,
    pub records: Vec<Bytes>,
}

/// Packs envelopes that follow the one with hash `previous`; `None` when they cannot be brought back to the byte.
pub(super) fn pack(previous: Hash, envelopes: &[Parts], raw_length: usize) -> Option<Vec<u8>> {
    let mut coder = Encoder::new();
    let mut block = Block::new(previous);
    let mut out = BytesMut::with_capacity(raw_length);
    for parts in envelopes {
        block.envelope(&mut coder, Some(parts), raw_length, &mut out).ok()?;
    }
    (out.len() == raw_length).then(|| coder.finish())
}

/// The inverse of [`pack`].
pub(super) fn unpack(
    previous: Hash,
    packed: &[u8],
    count: u32,
    raw_length: usize,
) -> Result<Vec<Unpacked>, BlockError> {
    let mut coder = Decoder::new(packed);
    let mut block = Block::new(previous);
    let mut out = BytesMut::with_capacity(raw_length);
    let mut envelopes = Vec::with_capacity(count.min(65_536) as usize);
    for _ in 0..count {
        let room = raw_length.checked_sub(out.len()).ok_or(BlockError("it is longer than it says"))?;
        let hash = block.envelope(&mut coder, None, room, &mut out)?;
        if coder.is_exhausted() {
            return Err(BlockError("it ends too early"));
        }
        envelopes.push((out.len(), hash));
    }
    if out.len() != raw_length {
        return Err(BlockError("it is shorter than it says"));
    }
    let (raw, mut start) = (out.freeze(), 0);
    let cut = |(end, hash)| {
        let body = raw.slice(start..end);
        start = end;
        Unpacked { body, hash }
    };
    Ok(envelopes.into_iter().map(cut).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hash::GENESIS;

    fn parts(number: u64, records: &[Record]) -> Parts {
        let header = pb::Header {
            format: 1,
            stream: 1,
            writer_seq: number,
            algorithm: Algorithm::Sha256.to_pb() as i32,
            count: records.len() as u32,
            ..pb::Header::default()
        };
        let encode = |record: &Record| {
            let mut bytes = BytesMut::new();
            record.encode(&mut bytes);
            bytes.freeze()
        };
        Parts {
            header_bytes: header.encode_to_vec().into(),
            header,
            records: records.iter().map(encode).chain(std::iter::once(Bytes::from_static(b"\x10\x09odd"))).collect(),
        }
        .counted()
    }

    impl Parts {
        fn counted(mut self) -> Self {
            self.header.count = self.records.len() as u32;
            self.header_bytes = self.header.encode_to_vec().into();
            self
        }

        fn length(&self) -> usize {
            8 + self.header_bytes.len() + self.records.iter().map(|record| 8 + record.len()).sum::<usize>()
        }
    }

    fn sample() -> (Vec<Parts>, usize) {
        let terminal = |n: u8| TerminalId::from_wire(&[0x13, n]);
        let frame = |n: u8| Bytes::from(vec![0x7e, 2, 0, n, n, 0x7e]);
        let envelopes: Vec<Parts> = (0..30_u8)
            .map(|n| {
                let at = Timestamp(i64::from(n) * 1_000);
                let stranger = Record::stranger(at, None, 4, "10.0.0.1:5".into(), frame(n ^ 1));
                let through = Record::uplink(at, terminal(n % 3), 2, frame(n)).through(Some(ForwarderId(9)));
                let command = Record::command(at, terminal(n), 3, CommandId(77), frame(7));
                parts(u64::from(n), &[stranger, through, Record::tick(at), command])
            })
            .collect();
        let length = envelopes.iter().map(Parts::length).sum();
        (envelopes, length)
    }

    #[test]
    fn every_kind_of_record_comes_back() {
        let (envelopes, length) = sample();
        let packed = pack(GENESIS, &envelopes, length).expect("packs");
        let unpacked = unpack(GENESIS, &packed, envelopes.len() as u32, length).expect("unpacks");
        for (parts, unpacked) in envelopes.iter().zip(&unpacked) {
            let mut pieces = crate::decode::Pieces::new(unpacked.body.clone());
            assert_eq!(pieces.take().as_ref(), Some(&parts.header_bytes));
            assert_eq!(std::iter::from_fn(|| pieces.take()).collect::<Vec<_>>(), parts.records);
        }
        assert!(unpack(GENESIS, &packed, envelopes.len() as u32, length + 1).is_err());
        assert!(unpack(GENESIS, &packed, envelopes.len() as u32 + 1, length).is_err());
    }

    proptest! {
        /// Whatever the bytes are: an end, within the length that was promised, and no panic.
        #[test]
        fn garbage_ends(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..400_usize, length in 0..20_000_usize) {
            let _ = unpack(GENESIS, &bytes, 50, length);
            let (envelopes, whole) = sample();
            let mut packed = pack(GENESIS, &envelopes, whole).expect("packs");
            let at = at % packed.len();
            for (old, new) in packed[at..].iter_mut().zip(&bytes) {
                *old ^= new;
            }
            if let Ok(envelopes) = unpack(GENESIS, &packed, 30, whole) {
                prop_assert_eq!(envelopes.iter().map(|unpacked| unpacked.body.len()).sum::<usize>(), whole);
            }
        }
    }
}
