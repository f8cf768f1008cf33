//! Stored bytes into records: the way that every replay takes for every frame, so nothing is copied and nothing
//! allocated but the list.

use bytes::Bytes;
use model::{CommandId, ForwarderId, Timestamp};
use prost::Message;

use crate::envelope::EnvelopeError;
use crate::hash::{Algorithm, EnvelopeHash, Hash};
use crate::proto::journal as pb;
use crate::record::{Kind, Record, terminal_from_bytes};

/// The pieces of a body, each checked against its checksum.
pub(crate) struct Pieces {
    body: Bytes,
    at: usize,
}

impl Pieces {
    pub(crate) const fn new(body: Bytes) -> Self {
        Self { body, at: 0 }
    }

    /// The next; `None` when there is none, or it is damaged.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Bytes> {
        let head = self.body.get(self.at..)?.first_chunk::<8>()?;
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let crc = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let start = self.at + 8;
        let bytes = self.body.get(start..start.checked_add(length)?)?;
        if crc32c::crc32c(bytes) != crc {
            return None;
        }
        self.at = start + length;
        Some(self.body.slice(start..start + length))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at == self.body.len()
    }
}

/// The beginning of an envelope's body: its header, in both forms, and the pieces that remain.
pub(crate) struct Opened {
    pub header: pb::Header,
    pub header_bytes: Bytes,
    pub algorithm: Algorithm,
    pub pieces: Pieces,
}

const FORMAT: u32 = 1;

pub(crate) fn open_body(body: &Bytes) -> Result<Opened, EnvelopeError> {
    let mut pieces = Pieces::new(body.clone());
    // Zeros pass for an empty piece: a torn write can leave them, and no header or record is empty.
    let header_bytes = pieces.take().filter(|bytes| !bytes.is_empty()).ok_or(EnvelopeError::Header)?;
    let header = pb::Header::decode(header_bytes.clone())
        .map_err(|_| EnvelopeError::Foreign("its header has another form".into()))?;
    if header.format > FORMAT {
        return Err(EnvelopeError::Format(header.format));
    }
    let algorithm = Algorithm::from_pb(header.algorithm).ok_or_else(|| {
        EnvelopeError::Foreign(format!("hash algorithm {} is not known to this program", header.algorithm))
    })?;
    Ok(Opened { header, header_bytes, algorithm, pieces })
}

impl Opened {
    /// Each record's bytes in turn.
    pub(crate) fn for_each(
        &mut self,
        mut visit: impl FnMut(u32, Bytes) -> Result<(), EnvelopeError>,
    ) -> Result<(), EnvelopeError> {
        for index in 0..self.header.count {
            let damaged = EnvelopeError::Record { index, what: "its checksum does not fit" };
            visit(index, self.pieces.take().filter(|bytes| !bytes.is_empty()).ok_or(damaged)?)?;
        }
        if self.pieces.is_empty() {
            return Ok(());
        }
        Err(EnvelopeError::Foreign("there are bytes after the last record".into()))
    }
}

/// The hash of an envelope, of which nothing else is wanted.
pub(crate) fn hash_body(body: &Bytes) -> Result<Hash, EnvelopeError> {
    let mut opened = open_body(body)?;
    let mut hash = EnvelopeHash::new(opened.algorithm, &opened.header_bytes);
    opened.for_each(|_, piece| {
        hash.record(&piece);
        Ok(())
    })?;
    Ok(hash.finish())
}

/// Reads a record by its bytes.
pub(crate) fn read_record(index: u32, piece: Bytes) -> Result<Record, EnvelopeError> {
    if let Some(record) = quick(&piece) {
        return Ok(record);
    }
    let foreign = |what: String| EnvelopeError::Foreign(format!("record {index} {what}"));
    let decoded = pb::Record::decode(piece).map_err(|_| foreign("has another form".into()))?;
    let kind = decoded.kind;
    Record::from_pb(decoded).ok_or_else(|| foreign(format!("is of the unknown kind {kind}")))
}

/// The form that this program writes: known fields, known wire types. `None` for anything else, which the generated
/// code then judges.
#[inline]
fn quick(piece: &Bytes) -> Option<Record> {
    let mut record = Record::tick(Timestamp(0));
    let mut kind = None;
    let bytes = &piece[..];
    let mut at = 0;
    while at < bytes.len() {
        let key = *bytes.get(at)?;
        at += 1;
        match key {
            0x08 => record.received = Timestamp(varint(bytes, &mut at)? as i64),
            0x10 => kind = Some(kind_of(varint(bytes, &mut at)?)?),
            0x1a => {
                let (from, to) = span(bytes, &mut at)?;
                record.terminal = terminal_from_bytes(&bytes[from..to]);
            }
            0x20 => record.connection = varint(bytes, &mut at)?,
            0x2a => {
                let (from, to) = span(bytes, &mut at)?;
                record.raw = piece.slice(from..to);
            }
            0x31 => record.command = Some(CommandId(fixed(bytes, &mut at)?)).filter(|id| id.0 != 0),
            0x3a => {
                let (from, to) = span(bytes, &mut at)?;
                std::str::from_utf8(&bytes[from..to]).ok()?.clone_into(&mut record.peer);
            }
            0x41 => record.forwarder = Some(ForwarderId(fixed(bytes, &mut at)?)).filter(|id| id.0 != 0),
            _ => return None,
        }
    }
    record.kind = kind?;
    Some(record)
}

const fn kind_of(number: u64) -> Option<Kind> {
    match number {
        1 => Some(Kind::Uplink),
        2 => Some(Kind::Stranger),
        3 => Some(Kind::Command),
        4 => Some(Kind::Tick),
        5 => Some(Kind::Control),
        _ => None,
    }
}

#[inline]
fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            // The tenth byte has room for one bit.
            return (shift < 63 || byte < 2).then_some(value);
        }
    }
    None
}

#[inline]
fn span(bytes: &[u8], at: &mut usize) -> Option<(usize, usize)> {
    let length = usize::try_from(varint(bytes, at)?).ok()?;
    let (from, to) = (*at, at.checked_add(length)?);
    *at = to;
    (to <= bytes.len()).then_some((from, to))
}

#[inline]
fn fixed(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let value = u64::from_le_bytes(*bytes.get(*at..)?.first_chunk()?);
    *at += 8;
    Some(value)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use model::TerminalId;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is read by hand is what the generated code reads.
        #[test]
        fn the_decoder_reads_the_contract(
            (received, kind, phone, connection) in (any::<i64>(), 1..=5i32, prop::collection::vec(any::<u8>(), 0..10), any::<u64>()),
            (raw, command, peer, forwarder) in (prop::collection::vec(any::<u8>(), 0..80), any::<u64>(), ".{0,9}", any::<u64>()),
            (at, mask) in (any::<prop::sample::Index>(), any::<u8>()),
        ) {
            let terminal = phone.into();
            let record = pb::Record { received_us: received, kind, terminal, connection, raw: raw.into(), command, peer, forwarder };
            let mut bytes = record.encode_to_vec();
            prop_assert_eq!(quick(&bytes.clone().into()), Record::from_pb(record));
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
            if let Some(read) = quick(&bytes.clone().into()) {
                prop_assert_eq!(Record::from_pb(pb::Record::decode(&bytes[..]).expect("reads too")), Some(read));
            }
        }
    }

    #[test]
    fn the_decoder_reads_what_the_encoder_wrote() {
        let record =
            Record::uplink(Timestamp(-3), TerminalId::from_wire(&[0x13, 0x91]), 300, Bytes::from_static(b"~1~"));
        let mut bytes = BytesMut::new();
        record.encode(&mut bytes);
        assert_eq!(quick(&bytes.freeze()), Some(record));
        assert_eq!(quick(&Bytes::new()), None, "a record without a kind is of no kind");
    }
}
