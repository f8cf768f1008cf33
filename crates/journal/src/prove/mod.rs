//! The proof that one record was in the journal: its bytes, and hashes of everything else on the way to a seal and to
//! a daily head. No byte of any other record is in it.

mod check;
mod wire;

use std::path::Path;

use model::RecordRef;

pub use check::{DayProven, KeyTrust, NotProven, Trust, Verdict, check};
use wire::{DayPart, Envelope, Hex, RecordPart, SignedPart};
pub use wire::{PROOF_BYTES_MAX, Proof, ProofFileError};

use crate::decode::open_body;
use crate::disk::Disk;
use crate::hash::{Hash, leaf};
use crate::merkle;
use crate::reader::{ReadError, find, hash_of};
use crate::seal::{PublicKey, Seal, SealFile, Signed, daily_heads, first_key, seal_files};
use crate::segment::{OpenError, Stream};
use crate::source::{Stored, Walk};

/// Why a record cannot be proved.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The journal cannot be read.
    #[error("cannot read the journal")]
    Read(#[from] ReadError),
    /// The seals cannot be read.
    #[error("cannot read the seals")]
    Open(#[from] OpenError),
    /// There is no such record (any more).
    #[error("the journal holds no record {0}")]
    NoSuchRecord(RecordRef),
    /// No seal covers it yet.
    #[error("no seal covers record {0} yet; seals are made every minute while the server runs")]
    NotSealed(RecordRef),
    /// The public key that sealed it is not among those given and not introduced by any seal.
    #[error("the public key {0} that sealed the record is not known; give it")]
    UnknownKey(crate::seal::KeyId),
    /// Seals and journal contradict each other.
    #[error("seal {seal} does not cover what the journal holds: run `hazwatch verify`")]
    Contradiction {
        /// The seal.
        seal: u64,
    },
}

/// Proves one frame record. `keys` are the public keys that may have sealed it (those introduced by seals are found);
/// whether the reader of the proof trusts them is his affair.
///
/// # Errors
/// When there is no such record, no seal covers it, or something cannot be read.
pub fn prove(disk: &dyn Disk, journal: &Path, at: RecordRef, keys: &[PublicKey]) -> Result<Proof, ProveError> {
    let (seq, index) = (at.position.seq, at.index as usize);
    let missing = || ProveError::NoSuchRecord(at);
    let (walk, stored) = find(disk, journal, Stream::Frames, seq)?.ok_or_else(missing)?;
    let (envelope, record) = envelope(&walk, &stored, index)?.ok_or_else(missing)?;
    let sealed = sealed(disk, journal, seq)?.ok_or(ProveError::NotSealed(at))?;
    let seal = sealed.seal();
    let chain = *seal.chain(Stream::Frames).ok_or(ProveError::Contradiction { seal: seal.number })?;
    let hashes = envelope_hashes(disk, journal, chain.first_seq, chain.end_seq())?;
    let place = (seq - chain.first_seq) as usize;
    let path = merkle::path(seal.algorithm, &hashes, place);
    let root =
        hashes.get(place).and_then(|hash| merkle::follow(seal.algorithm, hash, place as u64, chain.count, &path));
    if root != Some(chain.root) {
        return Err(ProveError::Contradiction { seal: seal.number });
    }
    let (rotations, introduced) = rotations(disk, journal, seal.number)?;
    let known: Vec<PublicKey> = keys.iter().copied().chain(introduced).collect();
    let public_key = known.iter().find(|key| key.id() == seal.key).copied().ok_or(ProveError::UnknownKey(seal.key))?;
    Ok(Proof {
        format: wire::FORMAT,
        record: RecordPart { shard: 0, envelope: seq, index: at.index, bytes: Hex(record) },
        envelope,
        path: path.into_iter().map(Hex::of).collect(),
        seal: SignedPart::of(&seal.signed, public_key),
        introduced: rotations,
        day: sealed.day(disk, journal)?,
    })
}

/// Header and leaves of an envelope and the bytes of one record; `None` when it has no such record.
fn envelope(walk: &Walk, stored: &Stored, index: usize) -> Result<Option<(Envelope, Vec<u8>)>, ReadError> {
    let read = (|| {
        let mut opened = open_body(&stored.body)?;
        let (mut leaves, mut record) = (Vec::new(), None);
        let algorithm = opened.algorithm;
        opened.for_each(|number, piece| {
            if number as usize == index {
                record = Some(piece.to_vec());
            } else {
                leaves.push(Hex::of(leaf(algorithm, &piece)));
            }
            Ok(())
        })?;
        let header = Hex(opened.header_bytes.to_vec());
        Ok(record.map(|record| (Envelope { header, other_leaves: leaves }, record)))
    })();
    read.map_err(|error| walk.segment.damaged(stored.offset, stored.seq, &error))
}

/// The hashes of the envelopes from `first` to before `end`.
fn envelope_hashes(disk: &dyn Disk, journal: &Path, first: u64, end: u64) -> Result<Vec<Hash>, ReadError> {
    let mut hashes = Vec::new();
    let mut next = first;
    while next < end {
        let Some((mut walk, stored)) = find(disk, journal, Stream::Frames, next)? else { break };
        let mut stored = Some(stored);
        while let Some(envelope) = stored.filter(|stored| stored.seq < end) {
            hashes.push(hash_of(&walk.segment, &envelope)?);
            next = envelope.seq + 1;
            stored = if next < end { walk.next()? } else { None };
        }
    }
    Ok(hashes)
}

/// A seal among the others of its day.
struct Sealed {
    day: Vec<Seal>,
    index: usize,
}

/// The seal that covers a frame envelope.
fn sealed(disk: &dyn Disk, journal: &Path, seq: u64) -> Result<Option<Sealed>, OpenError> {
    let files = seal_files(disk, journal)?;
    let (mut low, mut high) = (0, files.len());
    // The first file that reaches beyond the envelope; a file without seals is the last.
    while low < high {
        let middle = low + (high - low) / 2;
        let (first, path) = &files[middle];
        let file = SealFile::read(disk, *first, path, middle + 1 == files.len())?;
        let covered = file.seals.last().and_then(|seal| seal.chain(Stream::Frames)).map_or(u64::MAX, |c| c.end_seq());
        if covered <= seq {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let Some((first, path)) = files.get(low) else { return Ok(None) };
    let day = SealFile::read(disk, *first, path, low + 1 == files.len())?.seals;
    let covers =
        |seal: &Seal| seal.chain(Stream::Frames).is_some_and(|chain| (chain.first_seq..chain.end_seq()).contains(&seq));
    Ok(day.iter().position(covers).map(|index| Sealed { day, index }))
}

impl Sealed {
    fn seal(&self) -> &Seal {
        &self.day[self.index]
    }

    fn day(&self, disk: &dyn Disk, journal: &Path) -> Result<Option<DayPart>, OpenError> {
        let number = self.seal().number;
        let heads = daily_heads(disk, journal)?;
        let found = heads.into_iter().find(|head| (head.first_seal..head.first_seal + head.seals).contains(&number));
        let Some(head) = found else { return Ok(None) };
        let first = head.first_seal;
        let hashes: Vec<Hash> =
            self.day.iter().filter(|seal| seal.number - first < head.seals).map(Seal::hash).collect();
        let path = merkle::path(head.algorithm, &hashes, (number - first) as usize);
        let signed = SignedPart::of(&head.signed, head.public_key);
        Ok(Some(DayPart { head: signed, path: path.into_iter().map(Hex::of).collect() }))
    }
}

/// The seals that introduced a key, and those keys, as far as they matter for seal `number`.
fn rotations(
    disk: &dyn Disk,
    journal: &Path,
    number: u64,
) -> Result<(Vec<wire::Introduction>, Vec<PublicKey>), OpenError> {
    let files = seal_files(disk, journal)?;
    let count = files.len();
    let (mut seals, mut keys): (Vec<Signed>, Vec<PublicKey>) = (Vec::new(), Vec::new());
    for (index, (first, path)) in files.iter().enumerate() {
        // Where one key begins a day and the next, none was introduced in between; but what is asked for may be
        // sealed by one that came and went within its day.
        let next = files.get(index + 1).and_then(|(_, next)| first_key(disk, next));
        let holds_it = *first <= number && files.get(index + 1).is_none_or(|(next, _)| *next > number);
        if !holds_it && next.is_some() && next == first_key(disk, path) {
            continue;
        }
        for seal in SealFile::read(disk, *first, path, index + 1 == count)?.seals {
            if let Some(key) = seal.next_key {
                keys.push(key);
                seals.push(seal.signed);
            }
        }
    }
    Ok((seals.iter().map(wire::Introduction::of).collect(), keys))
}
