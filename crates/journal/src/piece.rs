//! One record on its way into an envelope: encoded, hashed and checksummed in one buffer that is used again. It exists
//! because this runs for every frame: going block by block through a general hasher costs more than the hash.

use bytes::{BufMut, BytesMut};
use sha2::block_api::compress256;

use crate::hash::{Algorithm, Hash, leaf};
use crate::record::Record;

/// The state that SHA-256 begins with (FIPS 180-4, 5.3.3).
const SHA256_START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
const BLOCK: usize = 64;

/// Makes pieces of records.
pub(crate) struct PieceWriter {
    algorithm: Algorithm,
    /// The byte that a leaf begins with, then the record, then what the hash appends to it.
    scratch: Vec<u8>,
}

impl PieceWriter {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, scratch: Vec::with_capacity(4 * BLOCK) }
    }

    /// Appends length, checksum and bytes of a record; returns its leaf.
    pub(crate) fn write(&mut self, record: &Record, out: &mut BytesMut) -> Hash {
        self.scratch.clear();
        // See `hash::leaf`.
        self.scratch.push(0);
        record.encode(&mut self.scratch);
        let bytes = &self.scratch[1..];
        out.reserve(8 + bytes.len());
        out.put_u32_le(bytes.len() as u32);
        out.put_u32_le(crc32c::crc32c(bytes));
        out.put_slice(bytes);
        match self.algorithm {
            Algorithm::Sha256 => self.sha256(),
            Algorithm::Sm3 => leaf(Algorithm::Sm3, bytes),
        }
    }

    fn sha256(&mut self) -> Hash {
        let bits = self.scratch.len() as u64 * 8;
        self.scratch.push(0x80);
        let padded = (self.scratch.len() + 8).next_multiple_of(BLOCK);
        self.scratch.resize(padded - 8, 0);
        self.scratch.extend_from_slice(&bits.to_be_bytes());
        let mut state = SHA256_START;
        compress256(&mut state, self.scratch.as_chunks().0);
        let mut hash = [0; 32];
        for (bytes, word) in hash.as_chunks_mut().0.iter_mut().zip(state) {
            *bytes = word.to_be_bytes();
        }
        hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Timestamp;

    /// Lengths around the ends of blocks, where padding takes another one.
    #[test]
    fn leaves_are_those_of_the_general_hasher() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sm3] {
            let mut pieces = PieceWriter::new(algorithm);
            for length in 0..300 {
                let record = Record { raw: vec![7; length].into(), ..Record::tick(Timestamp(length as i64)) };
                let mut out = BytesMut::new();
                let hash = pieces.write(&record, &mut out);
                let mut bytes = BytesMut::new();
                record.encode(&mut bytes);
                assert_eq!(hash, leaf(algorithm, &bytes), "{algorithm:?} {length}");
                let crc = crc32c::crc32c(&bytes).to_le_bytes();
                assert_eq!(out, [&(bytes.len() as u32).to_le_bytes()[..], &crc, &bytes].concat());
            }
        }
    }
}
