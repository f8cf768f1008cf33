//! Which terminals speak where in a closed segment: a small file beside it, so that looking for one terminal passes
//! over what cannot hold it. Derived: it may be missing, and is made again from the segment.
//!
//! ```text
//! 0  8  "HWIDX001"   8  8  length of the segment   16  4  runs   20  4  CRC32C of what follows
//! then for each run: offset (8), first sequence (8), received time of the first (8, us), length of the filter (4),
//! the filter: a Bloom filter of terminals, 12 bits for each, 6 of them set
//! ```
//!
//! With 2^32 - 1 for the runs, and nothing behind it, it is the mark of a damaged segment: it cannot be indexed or
//! packed, and is not tried again while it is as long as it was. Whoever repairs it removes the mark.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bytes::{BufMut, BytesMut};
use model::TerminalId;

use crate::disk::Disk;
use crate::reader::{ReadError, decode, segments};
use crate::segment::{Broken, Stream, io_error};
use crate::source::{Run, Segment};

const MAGIC: &[u8; 8] = b"HWIDX001";
const HEADER: usize = 24;
/// In the place of the number of runs: the segment is damaged.
const DAMAGED: u32 = u32::MAX;
const BITS_PER_TERMINAL: usize = 12;
const PROBES: u64 = 6;
/// No more is read.
const INDEX_BYTES_MAX: u64 = 64 << 20;

/// A set of terminals that may say yes wrongly, never no.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter(Vec<u8>);

impl Filter {
    fn of(terminals: &BTreeSet<TerminalId>) -> Self {
        let mut filter = Self(vec![0; (terminals.len() * BITS_PER_TERMINAL).div_ceil(8).max(8)]);
        for terminal in terminals {
            for bit in filter.bits(*terminal) {
                filter.0[(bit / 8) as usize] |= 1 << (bit % 8);
            }
        }
        filter
    }

    fn bits(&self, terminal: TerminalId) -> impl Iterator<Item = u64> + use<> {
        let value = terminal.value();
        let first = mix(value as u64 ^ mix((value >> 64) as u64));
        let second = mix(first) | 1;
        let length = (self.0.len() as u64 * 8).max(1);
        (0..PROBES).map(move |probe| first.wrapping_add(probe.wrapping_mul(second)) % length)
    }

    pub(crate) fn may_hold(&self, terminal: TerminalId) -> bool {
        self.bits(terminal).all(|bit| self.0.get((bit / 8) as usize).is_none_or(|byte| byte >> (bit % 8) & 1 == 1))
    }
}

/// The finisher of SplitMix64.
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// One run of envelopes and who speaks in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub run: Run,
    pub received_us: i64,
    pub filter: Filter,
}

struct Header {
    segment_length: u64,
    runs: u32,
    crc: u32,
}

impl Header {
    fn encode(&self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[..8].copy_from_slice(MAGIC);
        out[8..16].copy_from_slice(&self.segment_length.to_le_bytes());
        out[16..20].copy_from_slice(&self.runs.to_le_bytes());
        out[20..].copy_from_slice(&self.crc.to_le_bytes());
        out
    }

    fn decode(bytes: &[u8; HEADER]) -> Option<Self> {
        Some(Self {
            segment_length: u64::from_le_bytes(*bytes[8..].first_chunk()?),
            runs: u32::from_le_bytes(*bytes[16..].first_chunk()?),
            crc: u32::from_le_bytes(*bytes[20..].first_chunk()?),
        })
        .filter(|_| &bytes[..8] == MAGIC)
    }
}

/// The index of one segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Index {
    pub runs: Vec<Entry>,
}

impl Index {
    fn encode(&self, segment_length: u64) -> BytesMut {
        let mut runs = BytesMut::new();
        for entry in &self.runs {
            runs.put_u64_le(entry.run.offset);
            runs.put_u64_le(entry.run.first_seq);
            runs.put_i64_le(entry.received_us);
            runs.put_u32_le(entry.filter.0.len() as u32);
            runs.put_slice(&entry.filter.0);
        }
        let mut out = BytesMut::with_capacity(HEADER + runs.len());
        let crc = crc32c::crc32c(&runs);
        out.put_slice(&Header { segment_length, runs: self.runs.len() as u32, crc }.encode());
        out.put_slice(&runs);
        out
    }

    fn decode(bytes: &[u8], segment_length: u64) -> Option<Self> {
        let (header, mut rest) = bytes.split_first_chunk::<HEADER>()?;
        let header = Header::decode(header)?;
        if header.segment_length != segment_length || header.crc != crc32c::crc32c(rest) {
            return None;
        }
        let mut runs = Vec::new();
        for _ in 0..header.runs {
            let (head, after) = rest.split_first_chunk::<28>()?;
            let number = |at: usize| head[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
            let filter = u32::from_le_bytes(*head[24..].first_chunk()?) as usize;
            let (filter, after) = after.split_at_checked(filter)?;
            let run = Run { offset: number(0), first_seq: number(8) };
            runs.push(Entry { run, received_us: number(16) as i64, filter: Filter(filter.to_vec()) });
            rest = after;
        }
        rest.is_empty().then_some(Self { runs })
    }
}

/// Where the index of a segment lies.
pub(crate) fn index_path(segment: &Path) -> PathBuf {
    segment.with_extension("hwi")
}

/// The index of a closed segment, if there is one that fits it.
pub(crate) fn read_index(disk: &dyn Disk, segment: &Path, segment_length: u64) -> Option<Index> {
    let file = disk.open_read(&index_path(segment)).ok()?;
    let length = file.len().ok().filter(|length| *length <= INDEX_BYTES_MAX)?;
    let mut bytes = vec![0; length as usize];
    let read = file.read_at(&mut bytes, 0).ok()?;
    Index::decode(&bytes[..read], segment_length)
}

/// What lies beside a closed segment, as far as it fits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    Nothing,
    Index,
    /// The mark of a damaged segment.
    Mark,
}

/// Looks at the header only: whoever reads the index looks at its checksum.
pub(crate) fn beside(disk: &dyn Disk, segment: &Path) -> Result<Beside, ReadError> {
    let length = disk.open_read(segment).and_then(|file| file.len()).map_err(|e| io_error("open", segment, e))?;
    let Ok(file) = disk.open_read(&index_path(segment)) else { return Ok(Beside::Nothing) };
    let mut bytes = [0; HEADER];
    let read = file.read_at(&mut bytes, 0).unwrap_or(0);
    let header = Header::decode(&bytes).filter(|header| read == HEADER && header.segment_length == length);
    Ok(match header {
        None => Beside::Nothing,
        Some(header) if header.runs == DAMAGED => Beside::Mark,
        Some(_) => Beside::Index,
    })
}

/// Reports a closed segment that is damaged, and marks it, so that it is told and tried once.
pub(crate) fn mark(disk: &dyn Disk, segment: &Path, broken: &Broken) -> Result<(), ReadError> {
    tracing::error!(%broken, "a closed file of the journal is damaged: it stays as it is, without index and unpacked");
    let length = disk.open_read(segment).and_then(|file| file.len()).map_err(|e| io_error("open", segment, e))?;
    let header = Header { segment_length: length, runs: DAMAGED, crc: crc32c::crc32c(&[]) };
    let path = index_path(segment);
    disk.create(&path, &header.encode()).map(drop).map_err(|e| io_error("write", &path, e).into())
}

/// Makes the index of one closed segment, from the front to the newest, that has none yet (or one that does not fit
/// any more). Says which; `None` when all have theirs. A damaged one is stepped over: it is logged once, and marked. For
/// a thread of low priority: it reads the whole segment.
///
/// # Errors
/// When the system does not let it read a segment or write the index.
pub fn index_next(disk: &dyn Disk, journal: &Path) -> Result<Option<u64>, ReadError> {
    let segments = segments(disk, journal, Stream::Frames)?;
    let Some((_, closed)) = segments.split_last() else { return Ok(None) };
    for (first, path) in closed {
        if beside(disk, path)? != Beside::Nothing {
            continue;
        }
        match build(disk, path) {
            Ok((length, index)) => {
                let path = index_path(path);
                disk.create(&path, &index.encode(length)).map_err(|e| io_error("write", &path, e))?;
                return Ok(Some(*first));
            }
            Err(ReadError::Broken(broken)) => mark(disk, path, &broken)?,
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn build(disk: &dyn Disk, path: &Path) -> Result<(u64, Index), ReadError> {
    let segment = Segment::open(disk, path)?;
    let (start, length) = (segment.start(), segment.length);
    let runs = segment.walk(start, length).runs()?;
    let mut walk = Segment::open(disk, path)?.walk(start, length);
    let mut index = Index::default();
    for (number, (run, received_us)) in runs.iter().enumerate() {
        let next = runs.get(number + 1).map_or(u64::MAX, |(next, _)| next.first_seq);
        let mut terminals = BTreeSet::new();
        while walk.next_seq() < next
            && let Some(stored) = walk.next()?
        {
            terminals.extend(decode(&walk.segment, &stored)?.records.into_iter().filter_map(|r| r.terminal));
        }
        index.runs.push(Entry { run: *run, received_us: *received_us, filter: Filter::of(&terminals) });
    }
    Ok((length, index))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminals(range: std::ops::Range<u64>) -> BTreeSet<TerminalId> {
        range.map(|n| TerminalId::from_wire(&n.to_be_bytes())).collect()
    }

    #[test]
    fn a_filter_never_says_no_wrongly_and_seldom_yes() {
        let filter = Filter::of(&terminals(0..5_000));
        assert!(terminals(0..5_000).into_iter().all(|terminal| filter.may_hold(terminal)));
        let wrong = terminals(5_000..25_000).into_iter().filter(|terminal| filter.may_hold(*terminal)).count();
        assert!(wrong < 200, "{wrong} of 20,000");
    }

    #[test]
    fn the_mark_of_a_damaged_segment_is_no_index() {
        let mark = Header { segment_length: 700, runs: DAMAGED, crc: crc32c::crc32c(&[]) }.encode();
        assert_eq!(Index::decode(&mark, 700), None);
    }

    #[test]
    fn damaged_bytes_are_no_index() {
        let run = Run { offset: 80, first_seq: 4 };
        let index = Index { runs: vec![Entry { run, received_us: 9, filter: Filter::of(&terminals(0..9)) }] };
        let bytes = index.encode(700);
        assert_eq!(Index::decode(&bytes, 700), Some(index));
        assert_eq!(Index::decode(&bytes, 701), None);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Index::decode(&damaged, 700), None, "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(Index::decode(&bytes[..length], 700), None);
        }
    }
}
