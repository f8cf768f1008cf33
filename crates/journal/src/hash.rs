//! Hashes of records and envelopes, as `proto/hazwatch/journal/v1` defines them, by either algorithm.

use sha2::{Digest, Sha256};
use sm3::Sm3;

use crate::proto::journal as pb;

/// A hash value; both algorithms have 32 bytes.
pub(crate) type Hash = [u8; 32];

/// What the first envelope of a chain has before it.
pub(crate) const GENESIS: Hash = [0; 32];

const LEAF: u8 = 0;
const ENVELOPE: u8 = 1;

/// Which hash function. Never mixed within a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-256 (FIPS 180-4).
    #[default]
    Sha256,
    /// SM3 (密码杂凑算法, GB/T 32905-2016, GM/T 0004-2012).
    Sm3,
}

impl Algorithm {
    /// The name, as configuration and reports have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sm3 => "sm3",
        }
    }

    /// The algorithm of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Sha256, Self::Sm3].into_iter().find(|algorithm| algorithm.name() == name)
    }

    pub(crate) const fn to_pb(self) -> pb::Algorithm {
        match self {
            Self::Sha256 => pb::Algorithm::Sha256,
            Self::Sm3 => pb::Algorithm::Sm3,
        }
    }

    pub(crate) fn from_pb(algorithm: i32) -> Option<Self> {
        match pb::Algorithm::try_from(algorithm) {
            Ok(pb::Algorithm::Sha256) => Some(Self::Sha256),
            Ok(pb::Algorithm::Sm3) => Some(Self::Sm3),
            Ok(pb::Algorithm::Unspecified) | Err(_) => None,
        }
    }

    /// The hash of these parts, one after the other.
    pub(crate) fn of(self, parts: &[&[u8]]) -> Hash {
        let mut hasher = Hasher::new(self);
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finish()
    }
}

enum Hasher {
    Sha256(Sha256),
    Sm3(Sm3),
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sm3 => Self::Sm3(Sm3::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sm3(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> Hash {
        match self {
            Self::Sha256(hasher) => hasher.finalize().into(),
            Self::Sm3(hasher) => hasher.finalize().into(),
        }
    }
}

/// The hash of one record's stored bytes.
pub(crate) fn leaf(algorithm: Algorithm, record: &[u8]) -> Hash {
    algorithm.of(&[&[LEAF], record])
}

/// The hash of an envelope, fed leaf by leaf.
pub(crate) struct EnvelopeHash {
    algorithm: Algorithm,
    hasher: Hasher,
}

impl EnvelopeHash {
    pub(crate) fn new(algorithm: Algorithm, header: &[u8]) -> Self {
        let length = u32::try_from(header.len()).unwrap_or(u32::MAX).to_be_bytes();
        let mut hasher = Hasher::new(algorithm);
        for part in [&[ENVELOPE][..], &length, header] {
            hasher.update(part);
        }
        Self { algorithm, hasher }
    }

    /// Adds a record by its bytes.
    pub(crate) fn record(&mut self, record: &[u8]) {
        let leaf = leaf(self.algorithm, record);
        self.leaf(&leaf);
    }

    /// Adds a record by its leaf.
    pub(crate) fn leaf(&mut self, leaf: &Hash) {
        self.hasher.update(leaf);
    }

    /// Adds records by their leaves, one after the other.
    pub(crate) fn leaves(&mut self, leaves: &[u8]) {
        self.hasher.update(leaves);
    }

    pub(crate) fn finish(self) -> Hash {
        self.hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4 and GB/T 32905-2016, appendix A.
    #[test]
    fn vectors_of_the_standards() {
        let long = "abcd".repeat(16);
        let cases = [
            (Algorithm::Sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (Algorithm::Sm3, "abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
            (Algorithm::Sm3, &long, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
        ];
        for (algorithm, text, hash) in cases {
            assert_eq!(hex::encode(algorithm.of(&[text.as_bytes()])), hash, "{algorithm:?} of {text}");
        }
    }

    #[test]
    fn names_and_numbers_round_trip() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sm3] {
            assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
            assert_eq!(Algorithm::from_pb(algorithm.to_pb() as i32), Some(algorithm));
        }
        assert_eq!((Algorithm::from_name("md5"), Algorithm::from_pb(0), Algorithm::from_pb(9)), (None, None, None));
    }
}
