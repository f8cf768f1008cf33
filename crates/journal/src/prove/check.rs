//! Checking a proof, with nothing at hand but the proof and the keys and daily heads that the reader trusts.

use std::fmt;

use bytes::Bytes;
use model::{Position, RecordRef, Timestamp};
use prost::Message;

use super::wire::{DayPart, FORMAT, Hex, Proof};
use crate::decode::read_record;
use crate::hash::{Algorithm, EnvelopeHash, Hash};
use crate::merkle;
use crate::proto::journal as pb;
use crate::record::{Kind, Record};
use crate::seal::{DailyHead, KeyId, PublicKey, Seal};
use crate::segment::Stream;

/// What the reader of a proof trusts, from elsewhere than from the proof.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Public keys of the operator.
    pub keys: Vec<PublicKey>,
    /// Daily heads as they were published.
    pub days: Vec<DailyHead>,
}

/// Why a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    /// Something in it is not of the form that it should have.
    #[error("the proof is malformed: {0}")]
    Malformed(&'static str),
    /// Its parts do not belong together.
    #[error("the proof does not hold: {0}")]
    Broken(&'static str),
}

/// How the key that sealed is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyTrust {
    /// It is one of the trusted keys.
    Trusted,
    /// A trusted key introduced it, directly or through others.
    Introduced,
    /// Only the proof itself names it.
    Unknown,
}

/// What is proven through the daily head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayProven {
    /// The day in China, like `2026-11-23`.
    pub date: String,
    /// SHA-256 of the signed content, to be compared with what was published.
    pub hash: [u8; 32],
    /// The key that signed it.
    pub key: KeyId,
    /// How that is known.
    pub key_trust: KeyTrust,
    /// Whether it is one of the published daily heads that were given.
    pub is_published: bool,
}

/// What a proof proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Where the record is.
    pub at: RecordRef,
    /// The record itself.
    pub record: Record,
    /// The seal that covers it.
    pub seal: u64,
    /// When that was made.
    pub sealed: Timestamp,
    /// The key that signed the seal.
    pub key: KeyId,
    /// How that is known.
    pub key_trust: KeyTrust,
    /// The daily head, when the proof has one.
    pub day: Option<DayProven>,
}

impl Verdict {
    /// Whether something from outside the proof vouches for it: a trusted key, or a daily head that was published.
    #[must_use]
    pub fn is_anchored(&self) -> bool {
        self.key_trust != KeyTrust::Unknown || self.day.as_ref().is_some_and(|day| day.is_published)
    }
}

const HASH_FORM: NotProven = NotProven::Malformed("a hash is not 32 bytes long");
/// A tree over 2^64 leaves is no higher.
const PATH_MAX: usize = 64;

/// Checks a proof.
///
/// # Errors
/// With what is wrong, when it does not hold.
pub fn check(proof: &Proof, trust: &Trust) -> Result<Verdict, NotProven> {
    if proof.format != FORMAT {
        return Err(NotProven::Malformed("its format is not known to this program"));
    }
    let (hash, record) = envelope_hash(proof)?;
    let (seal, key) =
        proof.seal.parts().ok_or(NotProven::Malformed("the seal's signature or key has another length"))?;
    let seal = Seal::parse(seal).ok_or(NotProven::Malformed("its seal is none"))?;
    if !seal.is_signed_by(&key) {
        return Err(NotProven::Broken("the seal is not signed by the key that the proof names"));
    }
    let chain = seal.chain(Stream::Frames).ok_or(NotProven::Broken("the seal covers no frames"))?;
    let index = proof.record.envelope.checked_sub(chain.first_seq);
    let index = index.filter(|index| *index < chain.count);
    let index = index.ok_or(NotProven::Broken("the seal does not cover this envelope"))?;
    if merkle::follow(seal.algorithm, &hash, index, chain.count, &hashes(&proof.path, PATH_MAX)?) != Some(chain.root) {
        return Err(NotProven::Broken("record, envelope and seal do not belong together: something was changed"));
    }
    let known = Known::of(proof, trust)?;
    Ok(Verdict {
        at: RecordRef {
            position: Position { shard: proof.record.shard, seq: proof.record.envelope },
            index: proof.record.index,
            item: 0,
        },
        record,
        seal: seal.number,
        sealed: seal.sealed,
        key: seal.key,
        key_trust: known.trust_in(&key),
        day: proof.day.as_ref().map(|day| check_day(day, &seal, &known, trust)).transpose()?,
    })
}

/// The hash of the envelope, from the record's bytes, the header and the leaves of the others.
fn envelope_hash(proof: &Proof) -> Result<(Hash, Record), NotProven> {
    let header_bytes = &proof.envelope.header.0;
    let header = pb::Header::decode(&header_bytes[..])
        .map_err(|_| NotProven::Malformed("the header of the envelope is none"))?;
    let algorithm = Algorithm::from_pb(header.algorithm)
        .ok_or(NotProven::Malformed("the hash function of the envelope is not known to this program"))?;
    let others = &proof.envelope.other_leaves;
    if header.format != 1 || header.stream != i32::from(Stream::Frames.number()) || proof.record.shard != 0 {
        return Err(NotProven::Malformed("the envelope is none of the frames of this version"));
    }
    if header.count as usize != others.len() + 1 || proof.record.index >= header.count {
        return Err(NotProven::Broken("the envelope has another number of records"));
    }
    let bytes = Bytes::from(proof.record.bytes.0.clone());
    let mut hash = EnvelopeHash::new(algorithm, header_bytes);
    let mut others = others.iter();
    for index in 0..header.count {
        if index == proof.record.index {
            hash.record(&bytes);
        } else if let Some(other) = others.next() {
            hash.leaf(&other.array().ok_or(HASH_FORM)?);
        }
    }
    let record = read_record(proof.record.index, bytes).map_err(|_| NotProven::Malformed("the record is none"))?;
    Ok((hash.finish(), record))
}

fn hashes(hex: &[Hex], max: usize) -> Result<Vec<Hash>, NotProven> {
    if hex.len() > max {
        return Err(NotProven::Malformed("a path is longer than any can be"));
    }
    hex.iter().map(|hash| hash.array().ok_or(HASH_FORM)).collect()
}

fn check_day(day: &DayPart, seal: &Seal, known: &Known, trust: &Trust) -> Result<DayProven, NotProven> {
    let (signed, key) = day.head.parts().ok_or(NotProven::Malformed("a signature or key has another length"))?;
    let head = DailyHead::parse(signed, key).ok_or(NotProven::Malformed("its daily head is none"))?;
    if !head.is_signed_by(&key) {
        return Err(NotProven::Broken("the daily head is not signed by the key that the proof names"));
    }
    let index = seal.number.checked_sub(head.first_seal).filter(|index| *index < head.seals);
    let index = index.ok_or(NotProven::Broken("the daily head does not cover this seal"))?;
    let path = hashes(&day.path, PATH_MAX)?;
    if merkle::follow(head.algorithm, &seal.hash(), index, head.seals, &path) != Some(head.root) {
        return Err(NotProven::Broken("seal and daily head do not belong together: something was changed"));
    }
    Ok(DayProven {
        date: head.date(),
        hash: head.hash(),
        key: head.key,
        key_trust: known.trust_in(&key),
        is_published: trust.days.iter().any(|published| published.content() == head.content()),
    })
}

/// The keys that are known: those trusted, and those that they introduced.
struct Known {
    trusted: Vec<PublicKey>,
    introduced: Vec<PublicKey>,
}

/// More changes of keys than any operator makes.
const INTRODUCED_MAX: usize = 1_024;

impl Known {
    fn of(proof: &Proof, trust: &Trust) -> Result<Self, NotProven> {
        if proof.introduced.len() > INTRODUCED_MAX {
            return Err(NotProven::Malformed("it has more changes of keys than any can have"));
        }
        let mut known = Self { trusted: trust.keys.clone(), introduced: Vec::new() };
        for seal in &proof.introduced {
            let signed = seal.signed().ok_or(NotProven::Malformed("a signature has another length"))?;
            let seal = Seal::parse(signed).ok_or(NotProven::Malformed("a seal that introduces a key is none"))?;
            let Some(new) = seal.next_key else {
                return Err(NotProven::Malformed("a seal that should introduce a key does not"));
            };
            let by = known.trusted.iter().chain(&known.introduced).find(|key| key.id() == seal.key);
            if by.is_some_and(|key| seal.is_signed_by(key)) {
                known.introduced.push(new);
            }
        }
        Ok(known)
    }

    fn trust_in(&self, key: &PublicKey) -> KeyTrust {
        if self.trusted.contains(key) {
            KeyTrust::Trusted
        } else if self.introduced.contains(key) {
            KeyTrust::Introduced
        } else {
            KeyTrust::Unknown
        }
    }
}

impl fmt::Display for KeyTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trusted => "trusted",
            Self::Introduced => "introduced by a trusted key",
            Self::Unknown => "NOT known from elsewhere",
        })
    }
}

/// For people: the record, what is proven, and what is not.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = &self.record;
        let direction = match record.kind {
            Kind::Uplink => "frame from the terminal",
            Kind::Stranger => "frame from somebody who was not authenticated",
            Kind::Command => "frame sent to the terminal",
            Kind::Tick => "tick of the clock",
            Kind::Control => "control record",
        };
        writeln!(f, "record {}: {direction}", self.at)?;
        if let Some(terminal) = record.terminal {
            writeln!(f, "terminal: {terminal}")?;
        }
        writeln!(f, "received: {} (by the clock of the server)", record.received)?;
        writeln!(f, "bytes: {}", hex::encode(&record.raw))?;
        writeln!(f)?;
        writeln!(
            f,
            "Proven: these bytes were in the journal no later than {} (seal {}), by the word of key {}, which is {}.",
            self.sealed, self.seal, self.key, self.key_trust
        )?;
        match &self.day {
            Some(day) if day.is_published => {
                writeln!(f, "Proven: they are under the daily head of {} that was published.", day.date)?;
            }
            Some(day) => {
                let hash = hex::encode(day.hash);
                writeln!(
                    f,
                    "They are under a daily head of {} signed by key {} ({});",
                    day.date, day.key, day.key_trust
                )?;
                writeln!(f, "  it counts when its hash is the one that was published: {hash}")?;
            }
            None => writeln!(f, "The day had no daily head when the proof was made.")?,
        }
        if !self.is_anchored() {
            writeln!(f, "Without a trusted key or a published daily head this is consistent in itself, and no more:")?;
            writeln!(f, "  whoever made the file can have made the key.")?;
        }
        writeln!(
            f,
            "Not proven: that what the terminal sent is true; that nothing else was received; and, where only a"
        )?;
        write!(f, "  key vouches, that its holder did not seal with a wrong clock.")
    }
}
