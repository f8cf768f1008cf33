//! Seals and daily heads against themselves, and against the chains that they cover.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use model::Timestamp;

use super::VerifyError;
use crate::disk::Disk;
use crate::hash::{GENESIS, Hash};
use crate::merkle::Root;
use crate::prove::Trust;
use crate::seal::{DailyHead, PublicKey, Seal, SealFile, daily_heads, seal_files};
use crate::segment::{Broken, OpenError, Stream};

/// Longer between two seals than this, and minutes are missing: nothing ran.
const MINUTES_US: i64 = 150_000_000;

/// What the seals say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealReport {
    /// How many there are.
    pub seals: u64,
    /// When the last was made.
    pub last_sealed: Option<Timestamp>,
    /// Stretches without a seal of more than two minutes: nothing ran, or nothing could be sealed.
    pub gaps: u64,
    /// Daily heads.
    pub days: u64,
    /// Seals whose signature was checked by a key that was given, or that such a key introduced.
    pub trusted: u64,
    /// Seals whose signature was checked by a key that only the journal's own folder names.
    pub own: u64,
    /// Seals whose key is nowhere to be found, so that their signature cannot be checked.
    pub unchecked: u64,
    /// Daily heads that are among those that were given as published.
    pub published: u64,
    /// The last frame envelope that a seal covers.
    pub sealed_frames: u64,
}

/// All seals in order, file by file.
struct Seals<'a> {
    disk: &'a dyn Disk,
    files: VecDeque<(u64, PathBuf)>,
    ready: VecDeque<(PathBuf, Seal)>,
}

impl<'a> Seals<'a> {
    fn open(disk: &'a dyn Disk, journal: &Path) -> Result<Self, OpenError> {
        Ok(Self { disk, files: seal_files(disk, journal)?.into(), ready: VecDeque::new() })
    }

    fn next(&mut self) -> Result<Option<(PathBuf, Seal)>, OpenError> {
        while self.ready.is_empty() {
            let Some((first, path)) = self.files.pop_front() else { return Ok(None) };
            let seals = SealFile::read(self.disk, first, &path, self.files.is_empty())?.seals;
            self.ready = seals.into_iter().map(|seal| (path.clone(), seal)).collect();
        }
        Ok(self.ready.pop_front())
    }
}

fn broken(path: &Path, seq: u64, reason: String) -> VerifyError {
    VerifyError::Broken(Broken { file: path.display().to_string(), offset: 0, seq, record: None, reason })
}

fn unread(error: OpenError) -> VerifyError {
    match error {
        OpenError::Broken(broken) => VerifyError::Broken(broken),
        error => VerifyError::Open(error),
    }
}

/// Checks seals and daily heads as they follow each other.
pub(super) fn check_seals(disk: &dyn Disk, journal: &Path, trust: &Trust) -> Result<SealReport, VerifyError> {
    let heads = daily_heads(disk, journal).map_err(unread)?;
    let mut check = Check {
        report: SealReport::default(),
        trusted: trust.keys.clone(),
        own: heads.iter().map(|head| head.public_key).collect(),
        last: None,
        heads: heads.iter().collect(),
        day: None,
    };
    check.own.dedup();
    let mut seals = Seals::open(disk, journal).map_err(unread)?;
    while let Some((path, seal)) = seals.next().map_err(unread)? {
        check.seal(&path, seal)?;
    }
    if let Some(head) = check.heads.front() {
        let path = journal.join("seals");
        return Err(broken(&path, head.first_seal, format!("the daily head of {} covers no seals", head.date())));
    }
    let mut before: Option<&DailyHead> = None;
    for head in &heads {
        check_head(journal, head, before, trust)?;
        check.report.days += 1;
        check.report.published += u64::from(trust.days.iter().any(|known| known.content() == head.content()));
        before = Some(head);
    }
    are_here(journal, trust, &heads)?;
    Ok(check.report)
}

/// Every head that was published must be there: they are never removed, so whoever lacks one hides something or has
/// another journal.
fn are_here(journal: &Path, trust: &Trust, heads: &[DailyHead]) -> Result<(), VerifyError> {
    let is_here = |known: &&DailyHead| heads.iter().any(|head| head.content() == known.content());
    let Some(missing) = trust.days.iter().find(|known| !is_here(known)) else { return Ok(()) };
    let path = journal.join("seals").join("days");
    let reason =
        format!("the daily head of {} was published, but is not here: an old copy, or another journal", missing.date());
    Err(broken(&path, missing.first_seal, reason))
}

/// A daily head against the one before it and those that were published.
fn check_head(journal: &Path, head: &DailyHead, before: Option<&DailyHead>, trust: &Trust) -> Result<(), VerifyError> {
    let path = journal.join("seals").join("days");
    let failed = |what: &str| Err(broken(&path, head.first_seal, format!("the daily head of {} {what}", head.date())));
    if head.previous != before.map(DailyHead::hash) {
        return failed("does not continue the one before it");
    }
    let published = trust.days.iter().find(|known| known.day == head.day);
    if published.is_some_and(|known| known.content() != head.content()) {
        return failed("is not the one that was published");
    }
    Ok(())
}

struct Check<'a> {
    report: SealReport,
    trusted: Vec<PublicKey>,
    own: Vec<PublicKey>,
    last: Option<Seal>,
    /// Those whose seals were not all seen.
    heads: VecDeque<&'a DailyHead>,
    day: Option<Root>,
}

impl Check<'_> {
    fn seal(&mut self, path: &Path, seal: Seal) -> Result<(), VerifyError> {
        let failed = |reason: &str| Err(broken(path, seal.number, format!("seal {}: {reason}", seal.number)));
        let expected = self.last.as_ref().map_or((1, GENESIS), |last| (last.number + 1, last.hash()));
        if (seal.number, seal.previous) != expected {
            return failed("it does not continue the seal before it: one is missing or was changed");
        }
        if let Some(last) = &self.last {
            let due = last.next_key.map_or(last.key, |key| key.id());
            if seal.key != due {
                return failed("it is signed by a key that the one before did not introduce");
            }
            if seal.sealed < last.sealed {
                return failed("it was made before the seal before it");
            }
            let follows = |stream| match (last.chain(stream), seal.chain(stream)) {
                (Some(before), Some(chain)) => before.end_seq() == chain.first_seq,
                (before, chain) => before.is_none() && chain.is_none(),
            };
            if !follows(Stream::Frames) || !follows(Stream::Control) {
                return failed("it does not go on where the seal before it ended");
            }
            self.report.gaps += u64::from(seal.sealed.since_us(last.sealed) > MINUTES_US);
        }
        if !self.signature(&seal) {
            return failed("its signature is wrong");
        }
        self.head(path, &seal)?;
        self.report.seals += 1;
        self.report.last_sealed = Some(seal.sealed);
        self.report.sealed_frames = seal.chain(Stream::Frames).map_or(0, |chain| chain.end_seq().saturating_sub(1));
        self.last = Some(seal);
        Ok(())
    }

    /// Whether the signature is good, or cannot be checked.
    fn signature(&mut self, seal: &Seal) -> bool {
        let by = |keys: &[PublicKey]| keys.iter().find(|key| key.id() == seal.key).copied();
        let (key, keys, count) = if let Some(key) = by(&self.trusted) {
            (key, &mut self.trusted, &mut self.report.trusted)
        } else if let Some(key) = by(&self.own) {
            (key, &mut self.own, &mut self.report.own)
        } else {
            self.report.unchecked += 1;
            // What it introduces is as good as itself.
            self.own.extend(seal.next_key);
            return true;
        };
        *count += 1;
        keys.extend(seal.next_key);
        seal.is_signed_by(&key)
    }

    /// Adds a seal to the day whose head covers it.
    fn head(&mut self, path: &Path, seal: &Seal) -> Result<(), VerifyError> {
        let Some(head) = self.heads.front().copied().filter(|head| head.first_seal <= seal.number) else {
            return Ok(());
        };
        let day = self.day.get_or_insert_with(|| Root::new(head.algorithm));
        day.push(&seal.hash());
        if seal.number + 1 < head.first_seal.saturating_add(head.seals) {
            return Ok(());
        }
        let root = self.day.take().map(Root::finish);
        if root != Some(head.root) || head.last_seal != seal.hash() {
            let reason = format!("the daily head of {} covers other seals than these", head.date());
            return Err(broken(path, seal.number, reason));
        }
        self.heads.pop_front();
        Ok(())
    }
}

/// Holds one chain against the seals while it is walked.
pub(super) struct Covered<'a> {
    seals: Seals<'a>,
    stream: Stream,
    current: Option<(PathBuf, Seal)>,
    root: Option<Root>,
}

impl<'a> Covered<'a> {
    pub(super) fn open(disk: &'a dyn Disk, journal: &Path, stream: Stream) -> Result<Self, VerifyError> {
        let mut seals = Seals::open(disk, journal).map_err(unread)?;
        let current = seals.next().map_err(unread)?;
        Ok(Self { seals, stream, current, root: None })
    }

    /// The next envelope of the chain.
    pub(super) fn envelope(&mut self, seq: u64, hash: Hash) -> Result<(), VerifyError> {
        while let Some((path, seal)) = &self.current {
            let Some(chain) = seal.chain(self.stream).filter(|chain| chain.end_seq() > seq) else {
                // It covers nothing that is still there.
                self.root = None;
                self.current = self.seals.next().map_err(unread)?;
                continue;
            };
            if seq < chain.first_seq {
                return Ok(());
            }
            let root = self.root.get_or_insert_with(|| Root::new(seal.algorithm));
            root.push(&hash);
            if seq + 1 < chain.end_seq() {
                return Ok(());
            }
            // Of a range whose beginning retention took, the head is what can be compared.
            let root = self.root.take().filter(|root| root.count() == chain.count).map(Root::finish);
            if chain.head != hash || root.is_some_and(|root| root != chain.root) {
                let folder = self.stream.folder();
                let reason = format!(
                    "seal {} vouches for other envelopes of {folder} than these, {} to {seq}: they were rewritten",
                    seal.number, chain.first_seq
                );
                return Err(broken(path, chain.first_seq, reason));
            }
            self.current = self.seals.next().map_err(unread)?;
            return Ok(());
        }
        Ok(())
    }

    /// The chain ends before envelope `next_seq`.
    pub(super) fn finish(mut self, next_seq: u64) -> Result<(), VerifyError> {
        while let Some((path, seal)) = &self.current {
            if let Some(chain) = seal.chain(self.stream).filter(|chain| chain.end_seq() > next_seq) {
                let reason = format!(
                    "seal {} vouches for envelopes of {} up to {}, but the chain ends before {next_seq}: an old copy, \
                     or its end is lost",
                    seal.number,
                    self.stream.folder(),
                    chain.end_seq() - 1
                );
                return Err(broken(path, next_seq, reason));
            }
            self.current = self.seals.next().map_err(unread)?;
        }
        Ok(())
    }
}
