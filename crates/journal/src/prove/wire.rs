//! The file of a proof: JSON, versioned, all bytes in hexadecimal.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hash::Hash;
use crate::seal::{PublicKey, Signed};

pub(super) const FORMAT: u32 = 1;
/// No larger file is read. An envelope of 8 MiB has some 80,000 frames, each with a hash of 64 digits.
pub const PROOF_BYTES_MAX: usize = 64 << 20;

/// A file that is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProofFileError {
    /// It is larger than any proof.
    #[error("the file is larger than {PROOF_BYTES_MAX} bytes")]
    TooLarge,
    /// It is no JSON of this form.
    #[error("the file is no proof of a record: {0}")]
    Form(#[from] serde_json::Error),
    /// It was written by a newer version.
    #[error("proofs of format {0} are not known to this program")]
    Format(u32),
}

/// Bytes that are written as hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hex(pub Vec<u8>);

impl Hex {
    pub(super) fn of(hash: Hash) -> Self {
        Self(hash.to_vec())
    }

    pub(super) fn array<const N: usize>(&self) -> Option<[u8; N]> {
        self.0[..].try_into().ok()
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(text).map(Self).map_err(D::Error::custom)
    }
}

/// The proof of one record. Written and read as JSON; what it proves [`super::check`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    pub(super) format: u32,
    pub(super) record: RecordPart,
    pub(super) envelope: Envelope,
    /// From the envelope's hash to the root in the seal, from below.
    pub(super) path: Vec<Hex>,
    pub(super) seal: SignedPart,
    /// The seals that introduced new keys, the oldest first.
    pub(super) introduced: Vec<Introduction>,
    pub(super) day: Option<DayPart>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordPart {
    pub shard: u16,
    pub envelope: u64,
    pub index: u32,
    /// A hazwatch.journal.v1.Record, as stored.
    pub bytes: Hex,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Envelope {
    /// A hazwatch.journal.v1.Header, as stored.
    pub header: Hex,
    /// The leaves of the other records, in order.
    pub other_leaves: Vec<Hex>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignedPart {
    pub content: Hex,
    pub signature: Hex,
    pub public_key: Hex,
}

impl SignedPart {
    pub(super) fn of(signed: &Signed, key: PublicKey) -> Self {
        Self {
            content: Hex(signed.content.to_vec()),
            signature: Hex(signed.signature.to_vec()),
            public_key: Hex(key.0.to_vec()),
        }
    }

    pub(super) fn parts(&self) -> Option<(Signed, PublicKey)> {
        let signed = Signed { content: self.content.0.clone().into(), signature: self.signature.array()? };
        Some((signed, PublicKey(self.public_key.array()?)))
    }
}

/// A seal that introduced a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Introduction {
    pub content: Hex,
    pub signature: Hex,
}

impl Introduction {
    pub(super) fn of(signed: &Signed) -> Self {
        Self { content: Hex(signed.content.to_vec()), signature: Hex(signed.signature.to_vec()) }
    }

    pub(super) fn signed(&self) -> Option<Signed> {
        Some(Signed { content: self.content.0.clone().into(), signature: self.signature.array()? })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DayPart {
    pub head: SignedPart,
    /// From the seal's hash to the root in the daily head, from below.
    pub path: Vec<Hex>,
}

impl Proof {
    /// Reads the file of a proof. What it says is not checked yet.
    ///
    /// # Errors
    /// When it is too large, no JSON of this form, or of a newer version.
    pub fn from_json(text: &[u8]) -> Result<Self, ProofFileError> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        if text.len() > PROOF_BYTES_MAX {
            return Err(ProofFileError::TooLarge);
        }
        let Format { format } = serde_json::from_slice(text)?;
        if format != FORMAT {
            return Err(ProofFileError::Format(format));
        }
        Ok(serde_json::from_slice(text)?)
    }

    /// The file of the proof.
    ///
    /// # Panics
    /// Never: there is nothing in it that JSON has no form for.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings, numbers and lists")
    }
}
