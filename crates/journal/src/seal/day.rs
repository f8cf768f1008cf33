//! Daily heads: the seals of one day in China under one signature, as a file that can be published anywhere.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use model::Timestamp;
use prost::Message;
use serde_json::{Value, json};

use super::{FORMAT, KeyId, PublicKey, Seal, SealedChain, Secret, Signed, files, hash};
use crate::disk::Disk;
use crate::hash::Algorithm;
use crate::merkle::Root;
use crate::proto::journal as pb;
use crate::segment::{Broken, OpenError, Stream, io_error};

const CONTEXT: &[u8] = b"hazwatch day 1\0";
/// No larger file is read.
const BYTES_MAX: u64 = 64 << 10;

/// A daily head, as it was read or made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyHead {
    pub(crate) signed: Signed,
    /// The public key that signed it; whether it is the right one must be known from elsewhere.
    pub public_key: PublicKey,
    /// Days since 1970-01-01, GMT+8.
    pub day: i32,
    /// The first seal of the day.
    pub first_seal: u64,
    /// How many there are.
    pub seals: u64,
    /// Root of the tree over their hashes.
    pub root: [u8; 32],
    /// Hash of the last.
    pub last_seal: [u8; 32],
    /// When that was made.
    pub last_sealed: Timestamp,
    /// SHA-256 of the content of the daily head before it; `None` for the first.
    pub previous: Option<[u8; 32]>,
    /// By which function the tree is made.
    pub algorithm: Algorithm,
    /// Where each chain stood; `count` is what the day brought.
    pub chains: Vec<SealedChain>,
    /// The key that signed it.
    pub key: KeyId,
}

impl DailyHead {
    /// Reads the content; `None` when it is no daily head of this version. The signature is not checked.
    pub(crate) fn parse(signed: Signed, public_key: PublicKey) -> Option<Self> {
        let head = pb::DailyHead::decode(signed.content.clone()).ok()?;
        if head.format != FORMAT || head.seals == 0 || head.chains.len() > 2 {
            return None;
        }
        Some(Self {
            public_key,
            day: head.day,
            first_seal: head.first_seal,
            seals: head.seals,
            root: hash(&head.root)?,
            last_seal: hash(&head.last_seal)?,
            last_sealed: Timestamp(head.last_sealed_us),
            previous: if head.previous.is_empty() { None } else { Some(hash(&head.previous)?) },
            algorithm: Algorithm::from_pb(head.algorithm)?,
            chains: head.chains.iter().map(SealedChain::from_pb).collect::<Option<_>>()?,
            key: KeyId(head.key_id[..].try_into().ok()?),
            signed,
        })
    }

    /// Signs the seals of one day, which follow each other.
    pub(super) fn make(day: i32, seals: &[Seal], previous: Option<&Self>, secret: &Secret) -> Option<Self> {
        let (first, last) = (seals.first()?, seals.last()?);
        let mut root = Root::new(last.algorithm);
        seals.iter().for_each(|seal| root.push(&seal.hash()));
        let chain = |stream| {
            let (begin, end) = (first.chain(stream)?, last.chain(stream)?);
            let count = end.end_seq().saturating_sub(begin.first_seq);
            Some(SealedChain { first_seq: begin.first_seq, count, ..*end }.to_pb())
        };
        let strip = |chain: pb::SealedChain| pb::SealedChain { root: Bytes::new(), ..chain };
        let head = pb::DailyHead {
            format: FORMAT,
            day,
            first_seal: first.number,
            seals: root.count(),
            root: Bytes::copy_from_slice(&root.finish()),
            last_seal: Bytes::copy_from_slice(&last.hash()),
            last_sealed_us: last.sealed.0,
            previous: previous.map_or_else(Bytes::new, |head| Bytes::copy_from_slice(&head.hash())),
            algorithm: last.algorithm.to_pb() as i32,
            chains: [Stream::Frames, Stream::Control].into_iter().filter_map(chain).map(strip).collect(),
            key_id: Bytes::copy_from_slice(&secret.public().id().0),
        };
        let content = Bytes::from(head.encode_to_vec());
        let signature = secret.sign(CONTEXT, &content);
        Self::parse(Signed { content, signature }, secret.public())
    }

    /// SHA-256 of the signed content: short enough to be printed in a newspaper.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Algorithm::Sha256.of(&[&self.signed.content])
    }

    /// The day, like `2026-11-23`.
    #[must_use]
    pub fn date(&self) -> String {
        date(self.day)
    }

    /// The bytes that are signed.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.signed.content
    }

    /// Whether this key signed it.
    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.key == key.id() && key.verifies(CONTEXT, &self.signed.content, &self.signed.signature)
    }

    /// The form that is published: readable, with the signed bytes, which alone count.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let chain = |chain: &SealedChain| {
            json!({
                "chain": chain.stream.folder(),
                "first_envelope": chain.first_seq,
                "envelopes": chain.count,
                "head": hex::encode(chain.head),
            })
        };
        json!({
            "format": FORMAT,
            "day": self.date(),
            "first_seal": self.first_seal,
            "seals": self.seals,
            "root": hex::encode(self.root),
            "last_seal": hex::encode(self.last_seal),
            "last_sealed_at": self.last_sealed.to_string(),
            "previous": self.previous.map(hex::encode),
            "algorithm": self.algorithm.name(),
            "chains": self.chains.iter().map(chain).collect::<Vec<_>>(),
            "key_id": self.key.to_string(),
            "public_key": self.public_key.to_string(),
            "hash": hex::encode(self.hash()),
            "signed": { "content": hex::encode(&self.signed.content), "signature": hex::encode(self.signed.signature) },
        })
    }

    /// Reads the published form. What is readable must say what is signed. `None` when it does not, or is not signed
    /// by the key that it names.
    #[must_use]
    pub fn from_json(text: &[u8]) -> Option<Self> {
        if text.len() as u64 > BYTES_MAX {
            return None;
        }
        let value: Value = serde_json::from_slice(text).ok()?;
        let bytes = |value: &Value| hex::decode(value.as_str()?).ok();
        let signed = Signed {
            content: bytes(&value["signed"]["content"])?.into(),
            signature: bytes(&value["signed"]["signature"])?.try_into().ok()?,
        };
        let head = Self::parse(signed, value["public_key"].as_str()?.parse().ok()?)?;
        (head.to_json() == value && head.is_signed_by(&head.public_key)).then_some(head)
    }
}

fn date(day: i32) -> String {
    Timestamp::china_day_start(day).to_string().chars().take(10).collect()
}

pub(super) fn folder(journal: &Path) -> PathBuf {
    files::folder(journal).join("days")
}

pub(super) fn path(journal: &Path, day: i32) -> PathBuf {
    folder(journal).join(format!("{}.json", date(day)))
}

pub(super) fn read(disk: &dyn Disk, path: &Path) -> Result<DailyHead, OpenError> {
    let failed = |e| io_error("read", path, e);
    let file = disk.open_read(path).map_err(failed)?;
    let length = file.len().map_err(failed)?.min(BYTES_MAX + 1);
    let mut bytes = vec![0; length as usize];
    let read = file.read_at(&mut bytes, 0).map_err(failed)?;
    DailyHead::from_json(&bytes[..read]).ok_or_else(|| {
        let reason = "the daily head is damaged, or not signed by the key that it names".to_owned();
        OpenError::Broken(Broken { file: path.display().to_string(), offset: 0, seq: 0, record: None, reason })
    })
}

/// The daily heads that were made, the oldest first.
///
/// # Errors
/// When one cannot be read, or is damaged.
pub fn daily_heads(disk: &dyn Disk, journal: &Path) -> Result<Vec<DailyHead>, OpenError> {
    let folder = folder(journal);
    let names = disk.list(&folder).map_err(|e| io_error("list", &folder, e))?;
    let files = names.into_iter().filter(|name| name.ends_with(".json"));
    let mut heads = files.map(|name| read(disk, &folder.join(name))).collect::<Result<Vec<_>, _>>()?;
    heads.sort_by_key(|head| head.day);
    Ok(heads)
}
