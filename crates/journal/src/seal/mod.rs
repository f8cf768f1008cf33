//! Seals: every minute the heads of both chains under one signature, and every day the seals of that day under
//! another, to be published. What is sealed cannot be rewritten without the key, and what is published not even with
//! it.

mod day;
mod files;
mod keys;
mod sealer;

use bytes::Bytes;
use model::Timestamp;
use prost::Message;

pub use day::{DailyHead, daily_heads};
pub use files::sealed_frames;
pub(crate) use files::{SealFile, first_key, seal_files};
pub(crate) use keys::Secret;
pub use keys::{KeyId, PublicKey, PublicKeyError, public_key};
pub use sealer::{SealError, Sealer, SealerOptions};

use crate::hash::{Algorithm, Hash};
use crate::proto::journal as pb;
use crate::segment::Stream;

const FORMAT: u32 = 1;
const SEAL: u8 = 4;
const SEAL_CONTEXT: &[u8] = b"hazwatch seal 1\0";

/// What a seal says of one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedChain {
    /// Which chain.
    pub stream: Stream,
    /// The first envelope that it covers.
    pub first_seq: u64,
    /// How many it covers; 0 when there was none since the seal before.
    pub count: u64,
    /// Root of the tree over their hashes.
    pub root: [u8; 32],
    /// Hash of the last envelope that was sealed, now or before.
    pub head: [u8; 32],
}

impl SealedChain {
    /// The first envelope that it does not cover.
    #[must_use]
    pub const fn end_seq(&self) -> u64 {
        self.first_seq.saturating_add(self.count)
    }

    fn to_pb(self) -> pb::SealedChain {
        pb::SealedChain {
            stream: i32::from(self.stream.number()),
            first_seq: self.first_seq,
            count: self.count,
            root: Bytes::copy_from_slice(&self.root),
            head: Bytes::copy_from_slice(&self.head),
        }
    }

    fn from_pb(chain: &pb::SealedChain) -> Option<Self> {
        let stream = [Stream::Frames, Stream::Control].into_iter().find(|s| i32::from(s.number()) == chain.stream)?;
        let root = if chain.root.is_empty() { crate::merkle::EMPTY } else { hash(&chain.root)? };
        Some(Self { stream, first_seq: chain.first_seq, count: chain.count, root, head: hash(&chain.head)? })
    }
}

fn hash(bytes: &[u8]) -> Option<Hash> {
    bytes.try_into().ok()
}

/// Bytes with their signature, as they are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    pub content: Bytes,
    pub signature: [u8; 64],
}

impl Signed {
    fn encode(&self) -> Vec<u8> {
        let signature = Bytes::copy_from_slice(&self.signature);
        pb::Signed { content: self.content.clone(), signature }.encode_to_vec()
    }

    fn decode(bytes: Bytes) -> Option<Self> {
        let signed = pb::Signed::decode(bytes).ok()?;
        Some(Self { content: signed.content, signature: signed.signature[..].try_into().ok()? })
    }
}

/// A seal, as it was read or made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    pub(crate) signed: Signed,
    /// From 1, without gaps.
    pub number: u64,
    /// When it was made.
    pub sealed: Timestamp,
    /// Hash of the seal before it.
    pub previous: [u8; 32],
    /// By which function its trees and its hash are made.
    pub algorithm: Algorithm,
    /// Both chains.
    pub chains: Vec<SealedChain>,
    /// The key that signed it.
    pub key: KeyId,
    /// The key that signs from the next seal on, when it changes.
    pub next_key: Option<PublicKey>,
}

impl Seal {
    /// Reads the content of a seal; the signature is not checked. `None` when it is no seal of this version.
    pub(crate) fn parse(signed: Signed) -> Option<Self> {
        let seal = pb::Seal::decode(signed.content.clone()).ok()?;
        if seal.format != FORMAT || seal.number == 0 || seal.chains.len() > 2 {
            return None;
        }
        let next_key =
            if seal.next_key.is_empty() { None } else { Some(PublicKey(seal.next_key[..].try_into().ok()?)) };
        Some(Self {
            number: seal.number,
            sealed: Timestamp(seal.sealed_us),
            previous: hash(&seal.previous)?,
            algorithm: Algorithm::from_pb(seal.algorithm)?,
            chains: seal.chains.iter().map(SealedChain::from_pb).collect::<Option<_>>()?,
            key: KeyId(seal.key_id[..].try_into().ok()?),
            next_key,
            signed,
        })
    }

    fn sign(seal: &pb::Seal, secret: &Secret) -> Option<Self> {
        let content = Bytes::from(seal.encode_to_vec());
        let signature = secret.sign(SEAL_CONTEXT, &content);
        Self::parse(Signed { content, signature })
    }

    /// Its hash, which the next seal names and the daily head covers.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.algorithm.of(&[&[SEAL], &self.signed.content, &self.signed.signature])
    }

    /// Whether this key signed it.
    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.key == key.id() && key.verifies(SEAL_CONTEXT, &self.signed.content, &self.signed.signature)
    }

    /// What it says of a chain.
    #[must_use]
    pub fn chain(&self, stream: Stream) -> Option<&SealedChain> {
        self.chains.iter().find(|chain| chain.stream == stream)
    }
}
