//! What one read brought, as records for one submission to the journal.

use std::time::Instant;

use bytes::Bytes;
use journal::Record;
use model::Timestamp;
use smallvec::SmallVec;

/// Frames of one read that room is made for at once.
const EXPECTED_MAX: usize = 64;

/// Frames on their way to the journal.
pub(crate) struct Burst {
    pub(crate) received: Timestamp,
    pub(crate) read_at: Instant,
    /// The same, us since the gateway began.
    pub(crate) read_us: u64,
    /// Bytes that may still bring frames.
    coming: usize,
    /// Without their bytes.
    records: Vec<Record>,
    /// The bytes of all frames, in one allocation that their records share.
    raw: Vec<u8>,
    /// Where in them each record's end.
    ends: SmallVec<[u32; 16]>,
}

impl Burst {
    pub(crate) fn new(received: Timestamp, read_at: Instant, read_us: u64) -> Self {
        Self { received, read_at, read_us, coming: 0, records: Vec::new(), raw: Vec::new(), ends: SmallVec::new() }
    }

    /// So many bytes are to be cut into frames.
    pub(crate) fn expect(&mut self, bytes: usize) {
        self.coming = bytes;
    }

    /// How many frames like this one may come, itself included.
    pub(crate) fn frames_like(&self, wire: &[u8]) -> usize {
        (self.coming / wire.len().max(1)).clamp(1, EXPECTED_MAX)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// A record and its bytes.
    pub(crate) fn push(&mut self, record: Record, wire: &[u8]) {
        if self.records.is_empty() {
            // Frames of one read are mostly alike: two allocations of about the right size, and of just the right one
            // where there is one frame, as trucks send them.
            let frames = self.frames_like(wire);
            self.records.reserve_exact(frames);
            self.raw.reserve_exact(frames * wire.len());
        }
        self.records.push(record);
        self.raw.extend_from_slice(wire);
        self.ends.push(self.raw.len() as u32);
    }

    /// The records, with their bytes.
    pub(crate) fn into_records(mut self) -> Vec<Record> {
        // Garbage around a frame must not be paid for while the journal keeps it.
        if self.records.capacity() > 2 * self.records.len() {
            self.records.shrink_to_fit();
            self.raw.shrink_to_fit();
        }
        let raw = Bytes::from(self.raw);
        if let [only] = self.records.as_mut_slice() {
            only.raw = raw;
            return self.records;
        }
        let mut start = 0;
        for (record, end) in self.records.iter_mut().zip(self.ends) {
            record.raw = raw.slice(start..end as usize);
            start = end as usize;
        }
        self.records
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::TerminalId;

    #[test]
    fn every_record_gets_its_own_bytes() {
        let cases: [&[&[u8]]; 3] = [&[], &[b"~one~"], &[b"~one~", b"~2~", b"~three~"]];
        for frames in cases {
            let mut burst = Burst::new(Timestamp(7), Instant::now(), 0);
            for frame in frames {
                burst.push(Record::uplink(Timestamp(7), TerminalId::from_wire(&[1]), 3, Bytes::new()), frame);
            }
            let records = burst.into_records();
            assert_eq!(records.iter().map(|record| &record.raw[..]).collect::<Vec<_>>(), frames);
        }
    }
}
