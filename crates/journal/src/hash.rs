//! Hashes of records and envelopes, as `proto/hazwatch/journal/v1` defines them.

use sha2::{Digest, Sha256};

/// A SHA-256.
pub(crate) type Hash = [u8; 32];

/// What the first envelope of a chain has before it.
pub(crate) const GENESIS: Hash = [0; 32];

const LEAF: u8 = 0;
const ENVELOPE: u8 = 1;

/// The hash of one record's stored bytes.
pub(crate) fn leaf(record: &[u8]) -> Hash {
    Sha256::new().chain_update([LEAF]).chain_update(record).finalize().into()
}

/// The hash of an envelope, fed leaf by leaf.
pub(crate) struct EnvelopeHash(Sha256);

impl EnvelopeHash {
    pub(crate) fn new(header: &[u8]) -> Self {
        let length = u32::try_from(header.len()).unwrap_or(u32::MAX).to_be_bytes();
        Self(Sha256::new().chain_update([ENVELOPE]).chain_update(length).chain_update(header))
    }

    pub(crate) fn leaf(&mut self, leaf: &Hash) {
        self.0.update(leaf);
    }

    pub(crate) fn finish(self) -> Hash {
        self.0.finalize().into()
    }
}
