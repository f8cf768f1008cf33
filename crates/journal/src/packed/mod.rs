//! Packed segments: closed segments rewritten so that a frame costs a few bytes. The header bytes and record bytes
//! come back exactly, so all hashes stay; lengths and checksums are computed anew. `storage.md` has the form.
//!
//! ```text
//! 0  80  the segment's header with the magic "HWPAK001"
//! 80     blocks, each a prelude of 80 bytes and what is stored; the last has no envelopes: the segment is whole
//!
//! prelude  0  4  "HWBK"                          24  4  stored length             72  4  0
//!          4  1  codec: 0 plain bodies, 1 packed 28  4  CRC32C of what is stored  76  4  CRC32C of the 76 before
//!          5  3  0                               32 32  hash of the envelope before the first
//!          8  8  sequence of the first envelope  64  8  received time of the first, us
//!         16  4  envelopes   20  4  raw length
//! ```

mod block;
mod bytes;
mod range;

use ::bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

pub(crate) use block::Unpacked;

use crate::decode::{Pieces, hash_body};
use crate::hash::Hash;
use crate::proto::journal as pb;
use crate::segment::{SEGMENT_HEADER, SegmentHeader};

const SEGMENT_MAGIC: &[u8; 8] = b"HWSEG001";
const PACKED_MAGIC: &[u8; 8] = b"HWPAK001";
const BLOCK_MAGIC: &[u8; 4] = b"HWBK";
pub(crate) const BLOCK_PRELUDE: usize = 80;
/// A block is closed when its bodies reach this; one envelope may be larger.
pub(crate) const BLOCK_RAW: usize = 4 << 20;
/// What is not believed: an envelope's greatest body, and a block that was nearly full before it.
const BLOCK_RAW_MAX: u32 = (64 << 20) + BLOCK_RAW as u32 + 64;
const PLAIN: u8 = 0;
const PACKED: u8 = 1;

/// A segment header as the packed form has it.
pub(crate) fn packed_header(plain: &[u8; SEGMENT_HEADER]) -> [u8; SEGMENT_HEADER] {
    with_magic(plain, PACKED_MAGIC)
}

/// The header of a packed segment; `None` when it is none.
pub(crate) fn decode_header(bytes: &[u8; SEGMENT_HEADER]) -> Option<SegmentHeader> {
    if &bytes[..8] != PACKED_MAGIC || with_magic(bytes, PACKED_MAGIC) != *bytes {
        return None;
    }
    SegmentHeader::decode(&with_magic(bytes, SEGMENT_MAGIC))
}

fn with_magic(bytes: &[u8; SEGMENT_HEADER], magic: &[u8; 8]) -> [u8; SEGMENT_HEADER] {
    let mut out = *bytes;
    out[..8].copy_from_slice(magic);
    let crc = crc32c::crc32c(&out[..76]);
    out[76..80].copy_from_slice(&crc.to_le_bytes());
    out
}

/// The fixed-length beginning of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockPrelude {
    codec: u8,
    pub first_seq: u64,
    /// Envelopes; 0 in the last block.
    pub count: u32,
    raw: u32,
    pub stored: u32,
    crc: u32,
    /// Hash of the envelope before the first.
    pub previous: Hash,
    /// When the first was received, us.
    pub received_us: i64,
}

impl BlockPrelude {
    fn write(&self, out: &mut BytesMut) {
        let start = out.len();
        out.put_slice(BLOCK_MAGIC);
        out.put_slice(&[self.codec, 0, 0, 0]);
        out.put_u64_le(self.first_seq);
        for number in [self.count, self.raw, self.stored, self.crc] {
            out.put_u32_le(number);
        }
        out.put_slice(&self.previous);
        out.put_i64_le(self.received_us);
        out.put_u32_le(0);
        let crc = crc32c::crc32c(&out[start..]);
        out.put_u32_le(crc);
    }

    /// `None` when it is damaged.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.first_chunk::<BLOCK_PRELUDE>()?;
        let number = |at: usize| bytes[at..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b));
        if &bytes[..4] != BLOCK_MAGIC || crc32c::crc32c(&bytes[..76]) != number(76) {
            return None;
        }
        let prelude = Self {
            codec: bytes[4],
            first_seq: u64::from_le_bytes(*bytes[8..].first_chunk()?),
            count: number(16),
            raw: number(20),
            stored: number(24),
            crc: number(28),
            previous: *bytes[32..].first_chunk()?,
            received_us: i64::from_le_bytes(*bytes[64..].first_chunk()?),
        };
        (prelude.raw <= BLOCK_RAW_MAX && prelude.stored <= BLOCK_RAW_MAX).then_some(prelude)
    }

    /// The envelopes of the block.
    pub(crate) fn unpack(&self, stored: &Bytes) -> Result<Vec<Unpacked>, String> {
        if crc32c::crc32c(stored) != self.crc {
            return Err("the checksum of the packed block does not fit".into());
        }
        match self.codec {
            PLAIN => self.cut_plain(stored.clone()),
            PACKED => block::unpack(self.previous, stored, self.count, self.raw as usize).map_err(|e| e.to_string()),
            codec => Err(format!("codec {codec} of a packed block is not known to this program")),
        }
    }

    /// Plain bodies, each with its length before it.
    fn cut_plain(&self, mut rest: Bytes) -> Result<Vec<Unpacked>, String> {
        let mut envelopes = Vec::new();
        for _ in 0..self.count {
            let length = rest.first_chunk().map_or(0, |b| u32::from_le_bytes(*b)) as usize;
            if rest.len() < 4 || rest.len() - 4 < length {
                return Err("a plain block ends too early".into());
            }
            let body = rest.split_off(4 + length);
            let body = std::mem::replace(&mut rest, body).slice(4..);
            let hash = hash_body(&body).map_err(|e| e.to_string())?;
            envelopes.push(Unpacked { body, hash });
        }
        Ok(envelopes)
    }
}

/// Makes a block of plain bodies; appends prelude and content to `out`.
pub(crate) fn write_block(first_seq: u64, previous: Hash, bodies: &[Bytes], out: &mut BytesMut) {
    let raw: usize = bodies.iter().map(Bytes::len).sum();
    let parts: Option<Vec<_>> = bodies.iter().map(parts).collect();
    let received_us = parts.as_ref().and_then(|parts| parts.first()).map_or(0, |first| first.header.first_received_us);
    let packed = parts.and_then(|parts| block::pack(previous, &parts, raw)).filter(|packed| packed.len() < raw);
    let (codec, stored) = match packed {
        Some(packed) => (PACKED, packed),
        None => {
            let mut plain = Vec::with_capacity(raw + 4 * bodies.len());
            for body in bodies {
                plain.extend_from_slice(&(body.len() as u32).to_le_bytes());
                plain.extend_from_slice(body);
            }
            (PLAIN, plain)
        }
    };
    let prelude = BlockPrelude {
        codec,
        first_seq,
        count: bodies.len() as u32,
        raw: raw as u32,
        stored: stored.len() as u32,
        crc: crc32c::crc32c(&stored),
        previous,
        received_us,
    };
    prelude.write(out);
    out.put_slice(&stored);
}

fn parts(body: &Bytes) -> Option<block::Parts> {
    let mut pieces = Pieces::new(body.clone());
    let header_bytes = pieces.take()?;
    let header = pb::Header::decode(header_bytes.clone()).ok()?;
    let records = std::iter::from_fn(|| pieces.take()).collect();
    pieces.is_empty().then_some(block::Parts { header, header_bytes, records })
}
