//! Envelopes in storage: a prelude that can be found and checked alone, then the header and the records, each with
//! its own checksum so that a broken record can be named.
//!
//! ```text
//! prelude  0  4  "HWEV"            8  8  engine sequence, LE       20  4  body length before compression
//!          4  1  codec: 0 plain   16  4  body length as stored    24  4  0
//!          5  3  0                                                28  4  CRC32C of the 28 bytes before
//! body     header, then `count` records, each as: u32 LE length, u32 LE CRC32C of the bytes, bytes
//! ```

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

use crate::decode::{open_body, read_record};
use crate::hash::{Algorithm, EnvelopeHash, Hash};
use crate::piece::PieceWriter;
use crate::proto::journal as pb;
use crate::record::Record;

pub(crate) const PRELUDE: usize = 32;
pub(crate) const MAGIC: [u8; 4] = *b"HWEV";
/// Longer bodies are not written, and not believed when read.
pub(crate) const BODY_MAX: u32 = 64 << 20;
const PLAIN: u8 = 0;

/// What is wrong with stored bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The file ends inside the envelope.
    #[error("the file ends inside the envelope")]
    Cut,
    /// No envelope begins here.
    #[error("no envelope begins here")]
    Prelude,
    /// The header is damaged.
    #[error("the header is damaged")]
    Header,
    /// A record is damaged.
    #[error("record {index} is damaged: {what}")]
    Record {
        /// Which, from 0.
        index: u32,
        /// How it shows.
        what: &'static str,
    },
    /// Written by a newer version.
    #[error("format {0} is newer than this program")]
    Format(u32),
    /// Stored in a way that this version does not know.
    #[error("codec {0} is not known to this program")]
    Codec(u8),
    /// Whole, but not of this version's making: its checksums are good and it says something unknown.
    #[error("{0} (written by a newer version?)")]
    Foreign(String),
}

impl EnvelopeError {
    /// Whether this is what a write that was cut short looks like. Everything else was written whole, and must never
    /// be cut away.
    pub(crate) const fn is_torn(&self) -> bool {
        matches!(self, Self::Cut | Self::Prelude | Self::Header | Self::Record { .. })
    }
}

/// The fixed-length beginning of a stored envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prelude {
    pub seq: u64,
    pub codec: u8,
    pub stored: u32,
}

impl Prelude {
    fn write(self, out: &mut [u8]) {
        out[0..4].copy_from_slice(&MAGIC);
        out[4..8].copy_from_slice(&[self.codec, 0, 0, 0]);
        out[8..16].copy_from_slice(&self.seq.to_le_bytes());
        out[16..20].copy_from_slice(&self.stored.to_le_bytes());
        out[20..24].copy_from_slice(&self.stored.to_le_bytes());
        out[24..28].copy_from_slice(&[0; 4]);
        let crc = crc32c::crc32c(&out[..28]);
        out[28..32].copy_from_slice(&crc.to_le_bytes());
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let bytes = bytes.first_chunk::<PRELUDE>().ok_or(EnvelopeError::Cut)?;
        if bytes[0..4] != MAGIC || crc32c::crc32c(&bytes[..28]) != le_u32(&bytes[28..]) {
            return Err(EnvelopeError::Prelude);
        }
        let stored = le_u32(&bytes[16..]);
        if stored > BODY_MAX {
            return Err(EnvelopeError::Prelude);
        }
        let seq =
            u64::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]]);
        Ok(Self { seq, codec: bytes[4], stored })
    }
}

fn le_u32(bytes: &[u8]) -> u32 {
    bytes.first_chunk::<4>().map_or(0, |b| u32::from_le_bytes(*b))
}

/// An envelope that is being written.
pub(crate) struct EnvelopeWriter<'a> {
    out: &'a mut BytesMut,
    start: usize,
    seq: u64,
    hash: EnvelopeHash,
    pieces: PieceWriter,
    /// Leaves that the hash has not seen yet.
    leaves: Vec<u8>,
}

/// How many bytes of leaves are hashed at once.
const LEAVES: usize = 32 * 64;

impl<'a> EnvelopeWriter<'a> {
    /// Begins an envelope at the end of `out`.
    pub(crate) fn begin(out: &'a mut BytesMut, seq: u64, header: &pb::Header) -> Self {
        let start = out.len();
        out.put_bytes(0, PRELUDE);
        let body = out.len();
        out.put_bytes(0, 8);
        // A `BytesMut` grows as needed, so encoding into it cannot fail.
        let _ = header.encode(out);
        let algorithm = Algorithm::from_pb(header.algorithm).unwrap_or_default();
        let hash = EnvelopeHash::new(algorithm, &out[body + 8..]);
        seal_piece(out, body);
        Self { out, start, seq, hash, pieces: PieceWriter::new(algorithm), leaves: Vec::with_capacity(LEAVES) }
    }

    /// Adds a record.
    pub(crate) fn record(&mut self, record: &Record) {
        let leaf = self.pieces.write(record, self.out);
        self.leaves.extend_from_slice(&leaf);
        if self.leaves.len() >= LEAVES {
            self.hash.leaves(&self.leaves);
            self.leaves.clear();
        }
    }

    /// Ends the envelope; returns its hash.
    pub(crate) fn finish(mut self) -> Hash {
        let stored = (self.out.len() - self.start - PRELUDE) as u32;
        let prelude = Prelude { seq: self.seq, codec: PLAIN, stored };
        prelude.write(&mut self.out[self.start..self.start + PRELUDE]);
        self.hash.leaves(&self.leaves);
        self.hash.finish()
    }
}

/// Fills in length and checksum of the piece that begins there and reaches to the end.
pub(crate) fn seal_piece(out: &mut BytesMut, piece: usize) {
    let length = (out.len() - piece - 8) as u32;
    let crc = crc32c::crc32c(&out[piece + 8..]);
    out[piece..piece + 4].copy_from_slice(&length.to_le_bytes());
    out[piece + 4..piece + 8].copy_from_slice(&crc.to_le_bytes());
}

/// An envelope read back and checked, except for its place in the chain.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub seq: u64,
    pub header: pb::Header,
    pub records: Vec<Record>,
    pub hash: Hash,
}

/// Reads the body that belongs to `prelude`.
pub(crate) fn read_body(prelude: Prelude, body: &Bytes) -> Result<Envelope, EnvelopeError> {
    if prelude.codec != PLAIN {
        return Err(EnvelopeError::Codec(prelude.codec));
    }
    let mut opened = open_body(body)?;
    let mut hash = EnvelopeHash::new(opened.algorithm, &opened.header_bytes);
    let mut records = Vec::with_capacity(opened.header.count.min(65_536) as usize);
    opened.for_each(|index, piece| {
        hash.record(&piece);
        records.push(read_record(index, piece)?);
        Ok(())
    })?;
    Ok(Envelope { seq: prelude.seq, header: opened.header, records, hash: hash.finish() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Kind;
    use model::Timestamp;

    fn stored() -> (BytesMut, Hash) {
        let mut out = BytesMut::new();
        let algorithm = pb::Algorithm::Sha256 as i32;
        let header = pb::Header { format: 1, count: 2, algorithm, ..Default::default() };
        let mut writer = EnvelopeWriter::begin(&mut out, 7, &header);
        writer.record(&Record::tick(Timestamp(5)));
        writer.record(&Record { kind: Kind::Uplink, raw: Bytes::from_static(b"~x~"), ..Record::tick(Timestamp(6)) });
        let hash = writer.finish();
        (out, hash)
    }

    fn read(bytes: &[u8]) -> Result<Envelope, EnvelopeError> {
        let prelude = Prelude::read(bytes)?;
        let body = bytes.get(PRELUDE..PRELUDE + prelude.stored as usize).ok_or(EnvelopeError::Cut)?;
        read_body(prelude, &Bytes::copy_from_slice(body))
    }

    #[test]
    fn reads_what_it_wrote() {
        let (bytes, hash) = stored();
        let envelope = read(&bytes).expect("whole");
        assert_eq!((envelope.seq, envelope.hash, envelope.records.len()), (7, hash, 2));
        assert_eq!(&envelope.records[1].raw[..], b"~x~");
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_seen() {
        let (bytes, hash) = stored();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&damaged).map_or(true, |e| e.hash != hash), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(read(&bytes[..length]).err(), Some(EnvelopeError::Cut), "length {length}");
        }
    }

    #[test]
    fn a_damaged_record_is_named() {
        let (mut bytes, _) = stored();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        assert!(matches!(read(&bytes), Err(EnvelopeError::Record { index: 1, .. })));
    }
}
