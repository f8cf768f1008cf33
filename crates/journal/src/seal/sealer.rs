//! Making seals: what became durable since the last one, under one signature; and at the turn of the day in China the
//! seals of that day. A minute in which nothing runs has no seal; the next covers it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use model::Timestamp;

use super::day::{self, DailyHead};
use super::files::{self, SealFile, seal_files};
use super::{FORMAT, KeyId, PublicKey, Seal, SealedChain, Secret};
use crate::decode::open_body;
use crate::disk::{Disk, DiskFile};
use crate::hash::{Algorithm, GENESIS, Hash};
use crate::merkle::{EMPTY, Root};
use crate::proto::journal as pb;
use crate::reader::{ReadError, find, hash_of, segments, stored_hash};
use crate::segment::{OpenError, Stream, io_error};
use crate::source::{Run, Segment, Stored, Walk};
use crate::writer::Watermark;

/// Why nothing can be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The seals cannot be read or written, or are damaged.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The journal cannot be read.
    #[error("cannot read what is to be sealed")]
    Read(#[from] ReadError),
    /// The seals were made by a key that is neither given as the key nor as the former one.
    #[error("the last seal is to be followed by one of key {expected}, but key {given} is configured")]
    OtherKey {
        /// The key that is due.
        expected: KeyId,
        /// The key that was given.
        given: KeyId,
    },
    /// The journal is not the one that was sealed.
    #[error(
        "seal {seal} names envelope {seq} of {} with another hash than the journal has (or the journal ends before \
         it): this is another journal, or an old copy",
        stream.folder()
    )]
    Parted {
        /// The last seal.
        seal: u64,
        /// The chain.
        stream: Stream,
        /// The envelope.
        seq: u64,
    },
}

/// How seals are made.
pub struct SealerOptions {
    /// The file system.
    pub disk: Arc<dyn Disk>,
    /// The journal's folder.
    pub journal: PathBuf,
    /// The secret of the key that signs (Ed25519 seed, 32 random bytes).
    pub secret: [u8; 32],
    /// After a change of keys: the one that signed before. The first seal then introduces the new key, signed by this.
    pub former: Option<[u8; 32]>,
    /// By which function trees and seals are hashed.
    pub algorithm: Algorithm,
    /// How far the journal is durable.
    pub watermark: Watermark,
}

/// Makes seals. There must be one only, of the process that writes the journal.
pub struct Sealer {
    disk: Arc<dyn Disk>,
    journal: PathBuf,
    secret: Secret,
    former: Option<Secret>,
    algorithm: Algorithm,
    watermark: Watermark,
    /// `None` after a failure: then it is found out anew from the disk.
    state: Option<State>,
}

struct State {
    number: u64,
    hash: Hash,
    sealed: Timestamp,
    /// The key that must sign next; `None` before the first seal.
    due: Option<KeyId>,
    frames: Place,
    control: Place,
    file: Option<(i32, Box<dyn DiskFile>)>,
    last_head: Option<DailyHead>,
}

/// Up to where a chain is sealed.
struct Place {
    next_seq: u64,
    head: Hash,
    /// The control record that the last sealed envelope names.
    control_seq: u64,
    /// Where the next envelope is: in which segment (by its first sequence) and where there.
    resume: Option<(u64, Run)>,
}

impl Sealer {
    /// Finds out where the seals end, cutting a torn tail, and holds them against the journal.
    ///
    /// # Errors
    /// When seals or journal cannot be read, do not fit each other, or another key is due.
    pub fn open(options: SealerOptions) -> Result<Self, SealError> {
        let mut sealer = Self {
            disk: options.disk,
            journal: options.journal,
            secret: Secret::new(&options.secret),
            former: options.former.as_ref().map(Secret::new),
            algorithm: options.algorithm,
            watermark: options.watermark,
            state: None,
        };
        let state = sealer.load()?;
        sealer.signer(&state)?;
        sealer.state = Some(state);
        Ok(sealer)
    }

    /// The key that signs, once a change of keys is through.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.secret.public()
    }

    /// Seals what became durable since the last seal; `None` when that is nothing. For a thread that may wait for the
    /// disk, once a minute.
    ///
    /// # Errors
    /// When the journal cannot be read or the seal not be written; the next call begins anew from the disk.
    pub fn seal(&mut self, now: Timestamp) -> Result<Option<Seal>, SealError> {
        let mut state = self.take_state()?;
        let seal = self.next(&mut state, now, None)?;
        self.state = Some(state);
        Ok(seal)
    }

    /// Introduces a new key by a seal that the present one signs; from the next seal on the new one signs.
    ///
    /// # Errors
    /// As [`Sealer::seal`].
    pub fn rotate(&mut self, secret: &[u8; 32], now: Timestamp) -> Result<Option<Seal>, SealError> {
        let mut state = self.take_state()?;
        let new = Secret::new(secret);
        let seal = self.next(&mut state, now, Some(new.public()))?;
        self.former = Some(std::mem::replace(&mut self.secret, new));
        self.state = Some(state);
        Ok(seal)
    }

    /// Signs every day that is over in China and has seals but no daily head yet. Call it after [`Sealer::seal`].
    ///
    /// # Errors
    /// When the seals cannot be read or the daily head not be written.
    pub fn close_days(&mut self, now: Timestamp) -> Result<Vec<DailyHead>, SealError> {
        let mut state = self.take_state()?;
        let made = self.close(&mut state, now.china_day())?;
        self.state = Some(state);
        Ok(made)
    }

    fn take_state(&mut self) -> Result<State, SealError> {
        self.state.take().map_or_else(|| self.load(), Ok)
    }

    /// The key that signs next, and whether it introduces the new one.
    fn signer(&self, state: &State) -> Result<(&Secret, bool), SealError> {
        let given = self.secret.public().id();
        match (state.due, &self.former) {
            (None, _) => Ok((&self.secret, false)),
            (Some(due), _) if due == given => Ok((&self.secret, false)),
            (Some(due), Some(former)) if due == former.public().id() => Ok((former, true)),
            (Some(expected), _) => Err(SealError::OtherKey { expected, given }),
        }
    }

    fn next(
        &self,
        state: &mut State,
        now: Timestamp,
        introduced: Option<PublicKey>,
    ) -> Result<Option<Seal>, SealError> {
        let (secret, introduces) = self.signer(state)?;
        let next_key = introduced.or(introduces.then(|| self.secret.public()));
        let (disk, journal) = (&*self.disk, &*self.journal);
        let until = self.watermark.committed();
        let frames = state.frames.cover(disk, journal, Stream::Frames, self.algorithm, |seq, _| seq <= until)?;
        // A control record is durable when a durable frame envelope brings it into force.
        let in_force = state.frames.control_seq;
        let control =
            state.control.cover(disk, journal, Stream::Control, self.algorithm, |_, last| last <= in_force)?;
        if frames.count + control.count == 0 && next_key.is_none() {
            return Ok(None);
        }
        // Not before the last seal, nor in a day that is closed.
        let closed = state.last_head.as_ref().map_or(Timestamp::MIN, |head| Timestamp::china_day_start(head.day + 1));
        let sealed = now.max(state.sealed).max(closed);
        let seal = pb::Seal {
            format: FORMAT,
            number: state.number + 1,
            sealed_us: sealed.0,
            previous: Bytes::copy_from_slice(&state.hash),
            algorithm: self.algorithm.to_pb() as i32,
            chains: vec![frames.to_pb(), control.to_pb()],
            key_id: Bytes::copy_from_slice(&secret.public().id().0),
            next_key: next_key.map_or_else(Bytes::new, |key| Bytes::copy_from_slice(&key.0)),
        };
        let seal = Seal::sign(&seal, secret).expect("it was just made by the contract");
        self.append(state, &seal)?;
        state.number = seal.number;
        state.hash = seal.hash();
        state.sealed = sealed;
        state.due = Some(next_key.map_or(seal.key, |key| key.id()));
        Ok(Some(seal))
    }

    fn append(&self, state: &mut State, seal: &Seal) -> Result<(), SealError> {
        let day = seal.sealed.china_day();
        let path = SealFile::path(&self.journal, seal.number);
        if state.file.as_ref().is_none_or(|(of, _)| *of != day) {
            let folder = files::folder(&self.journal);
            self.disk.make_folder(&folder).map_err(|e| io_error("make", &folder, e))?;
            let file = self.disk.create(&path, &files::header(seal.number)).map_err(|e| io_error("make", &path, e))?;
            state.file = Some((day, file));
        }
        if let Some((_, file)) = &mut state.file {
            let written = file.append(&files::entry(seal)).and_then(|()| file.sync());
            written.map_err(|e| io_error("write a seal to", &path, e))?;
        }
        Ok(())
    }

    fn load(&self) -> Result<State, SealError> {
        let files = seal_files(&*self.disk, &self.journal)?;
        let mut last = None;
        let mut file = None;
        for (index, (first, path)) in files.iter().enumerate().rev() {
            let is_last = index + 1 == files.len();
            let mut read = SealFile::read(&*self.disk, *first, path, is_last)?;
            last = read.seals.pop();
            if is_last && let Some(seal) = &last {
                let failed = |e| SealError::from(io_error("open", path, e));
                let mut handle = self.disk.open_append(path).map_err(failed)?;
                if read.torn > 0 {
                    handle.truncate(read.end).map_err(failed)?;
                }
                file = Some((seal.sealed.china_day(), handle));
            }
            if last.is_some() {
                break;
            }
        }
        let last_head = self.last_head()?;
        let (disk, journal) = (&*self.disk, &*self.journal);
        let place = |stream| Place::find(disk, journal, stream, last.as_ref());
        Ok(State {
            frames: place(Stream::Frames)?,
            control: place(Stream::Control)?,
            number: last.as_ref().map_or(0, |seal| seal.number),
            hash: last.as_ref().map_or(GENESIS, Seal::hash),
            sealed: last.as_ref().map_or(Timestamp::MIN, |seal| seal.sealed),
            due: last.as_ref().map(|seal| seal.next_key.map_or(seal.key, |key| key.id())),
            file,
            last_head,
        })
    }

    fn last_head(&self) -> Result<Option<DailyHead>, SealError> {
        let folder = day::folder(&self.journal);
        let names = self.disk.list(&folder).map_err(|e| io_error("list", &folder, e))?;
        let newest = names.into_iter().filter(|name| name.ends_with(".json")).max();
        Ok(newest.map(|name| day::read(&*self.disk, &folder.join(name))).transpose()?)
    }

    fn close(&self, state: &mut State, today: i32) -> Result<Vec<DailyHead>, SealError> {
        let closed = state.last_head.as_ref().map_or(i32::MIN, |head| head.day);
        let from = state.last_head.as_ref().map_or(0, |head| head.first_seal + head.seals);
        if state.number == 0 || from > state.number || (state.sealed.china_day() >= today && closed == today - 1) {
            return Ok(Vec::new());
        }
        let mut made = Vec::new();
        for (first, path) in seal_files(&*self.disk, &self.journal)?.into_iter().filter(|(first, _)| *first >= from) {
            let seals = SealFile::read(&*self.disk, first, &path, true)?.seals;
            let Some(day) = seals.first().map(|seal| seal.sealed.china_day()).filter(|day| *day < today) else {
                continue;
            };
            let (secret, _) = self.signer(state)?;
            let Some(head) = DailyHead::make(day, &seals, state.last_head.as_ref(), secret) else { continue };
            let folder = day::folder(&self.journal);
            self.disk.make_folder(&folder).map_err(|e| io_error("make", &folder, e))?;
            let path = day::path(&self.journal, day);
            let text = format!("{:#}\n", head.to_json());
            self.disk.create(&path, text.as_bytes()).map_err(|e| io_error("write", &path, e))?;
            state.last_head = Some(head.clone());
            // What comes now belongs to another day, also when the clock is set back.
            state.file = state.file.take().filter(|(of, _)| *of != day);
            made.push(head);
        }
        Ok(made)
    }
}

impl Place {
    /// Behind what the last seal covers; without one, at the first envelope that is there.
    fn find(disk: &dyn Disk, journal: &Path, stream: Stream, last: Option<&Seal>) -> Result<Self, SealError> {
        let segments = segments(disk, journal, stream)?;
        let start = |seq, head| Self { next_seq: seq, head, control_seq: 0, resume: None };
        let Some((seal, sealed)) = last.and_then(|seal| Some((seal, seal.chain(stream)?))) else {
            let Some((first, path)) = segments.first() else { return Ok(start(1, GENESIS)) };
            return Ok(start(*first, Segment::open(disk, path)?.header.previous));
        };
        let seq = sealed.end_seq().saturating_sub(1);
        let mut place = start(sealed.end_seq(), sealed.head);
        let is_removed = segments.first().is_some_and(|(first, _)| *first > seq);
        if seq == 0 || is_removed {
            return Ok(place);
        }
        if stored_hash(disk, journal, stream, seq)? != Some(sealed.head) {
            return Err(SealError::Parted { seal: seal.number, stream, seq });
        }
        if let Some((walk, stored)) = find(disk, journal, stream, seq)? {
            let opened = open_body(&stored.body);
            place.control_seq =
                opened.map_err(|e| walk.segment.damaged(stored.offset, stored.seq, &e))?.header.control_seq;
        }
        Ok(place)
    }

    /// Covers what follows, as long as `wanted` (told the sequence and the control record that the envelope names).
    fn cover(
        &mut self,
        disk: &dyn Disk,
        journal: &Path,
        stream: Stream,
        algorithm: Algorithm,
        wanted: impl Fn(u64, u64) -> bool,
    ) -> Result<SealedChain, ReadError> {
        let first_seq = self.next_seq;
        let mut cover = Cover { root: Root::new(algorithm), last: None, stream, wanted };
        let mut segments = segments(disk, journal, stream)?;
        let keep = segments.partition_point(|(first, _)| *first <= first_seq).saturating_sub(1);
        segments.drain(..keep);
        let count = segments.len();
        for (index, (first, path)) in segments.into_iter().enumerate() {
            let segment = Segment::open(disk, &path)?;
            if index > 0 && first != self.next_seq {
                let reason = format!("the segment before it ends before envelope {}", self.next_seq);
                return Err(ReadError::Broken(segment.broken(0, first, None, reason)));
            }
            let (start, end, is_packed) = (segment.start(), segment.length, segment.is_packed);
            let resume = self.resume.filter(|(of, _)| *of == first && !is_packed).map_or(start, |(_, run)| run);
            let mut walk = segment.walk(resume, end);
            walk.skip_to(self.next_seq)?;
            let goes_on = self.cover_segment(&mut cover, &mut walk, index + 1 == count)?;
            self.resume = Some((first, walk.here()));
            if !goes_on {
                break;
            }
        }
        if let Some((segment, stored)) = cover.last {
            self.head = hash_of(&Segment::open(disk, &segment)?, &stored)?;
            cover.root.push(&self.head);
        }
        let count = cover.root.count();
        let root = if count == 0 { EMPTY } else { cover.root.finish() };
        Ok(SealedChain { stream, first_seq, count, root, head: self.head })
    }

    /// Covers what is wanted of a segment; says whether the next may hold more.
    fn cover_segment<W: Fn(u64, u64) -> bool>(
        &mut self,
        cover: &mut Cover<W>,
        walk: &mut Walk,
        is_last: bool,
    ) -> Result<bool, ReadError> {
        loop {
            let here = walk.here();
            // The tail may be half written; what is wanted is not.
            if cover.stream == Stream::Frames && !(cover.wanted)(self.next_seq, 0) {
                return Ok(false);
            }
            let stored = match walk.next() {
                // Of the control chain nobody says where the durable part ends: a damaged tail is the end for now.
                Err(ReadError::Broken(_)) if cover.stream == Stream::Control && is_last => None,
                next => next?,
            };
            let Some(stored) = stored else { return Ok(true) };
            let opened = open_body(&stored.body).map_err(|e| walk.segment.damaged(stored.offset, stored.seq, &e))?;
            if !(cover.wanted)(stored.seq, opened.header.control_seq) {
                walk.go_back(here);
                return Ok(false);
            }
            // An envelope names the hash of the one before, so only the last must be hashed again.
            if cover.last.is_some() {
                cover.root.push(&opened.header.previous.first_chunk().copied().unwrap_or(EMPTY));
            }
            self.control_seq = opened.header.control_seq;
            self.next_seq = stored.seq + 1;
            cover.last = Some((walk.segment.path().to_path_buf(), stored));
        }
    }
}

/// What is being covered.
struct Cover<W> {
    root: Root,
    last: Option<(PathBuf, Stored)>,
    stream: Stream,
    wanted: W,
}
