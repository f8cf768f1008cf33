//! The case file: the frames of a terminal as the journal holds them, each with its decoding, and proofs of single
//! frames that somebody else can examine offline.

mod proof;

use std::path::PathBuf;
use std::sync::Arc;

use journal::{Batch, Disk, Kind, Record, Sought, look_back};
use jt808::decode_json;
pub use proof::{EvidenceError, ExamineError, Examined, Which, examine, find_record, prove_record};

use model::{BoxFuture, FrameEntry, FramePage, FrameQuery, FramesError, FramesPort};

/// How many envelopes, and how many records in them, one request may look through (what an index passes over does not
/// count); beyond it the page ends early, with the place to go on from.
const ENVELOPES_MAX: usize = 50_000;
const RECORDS_MAX: usize = 1_000_000;

/// Reads frames back out of the journal.
pub struct Frames {
    disk: Arc<dyn Disk>,
    journal: PathBuf,
}

impl Frames {
    /// Of the journal in that folder.
    #[must_use]
    pub const fn new(disk: Arc<dyn Disk>, journal: PathBuf) -> Self {
        Self { disk, journal }
    }
}

impl FramesPort for Frames {
    fn frames(&self, query: FrameQuery) -> BoxFuture<'_, Result<FramePage, FramesError>> {
        let (disk, journal) = (self.disk.clone(), self.journal.clone());
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || page(&*disk, &journal, query));
            read.await.map_err(|error| FramesError(error.to_string()))?
        })
    }
}

/// Newest first, within the time range, after the place that the query names.
fn page(disk: &dyn Disk, journal: &std::path::Path, query: FrameQuery) -> Result<FramePage, FramesError> {
    let mut page = FramePage::default();
    let (mut envelopes, mut records) = (0, 0);
    // The envelope that the last page ended in is read again for its earlier records.
    let before = query.before.map(|(seq, _)| seq.saturating_add(1));
    let sought = Sought { before, from: query.from, to: query.to, terminal: Some(query.terminal) };
    let outcome = look_back(disk, journal, &sought, |batch| {
        if envelopes >= ENVELOPES_MAX || records >= RECORDS_MAX {
            page.next = Some((batch.position.seq + 1, 0));
            return false;
        }
        envelopes += 1;
        records += batch.records.len();
        if batch.records.last().is_some_and(|last| last.received < query.from) {
            return false;
        }
        take(&mut page, &batch, &query)
    });
    outcome.map(|()| page).map_err(|error| FramesError(error.to_string()))
}

/// Takes what matches; `false` when the page is full.
fn take(page: &mut FramePage, batch: &Batch, query: &FrameQuery) -> bool {
    let seq = batch.position.seq;
    for (index, record) in batch.records.iter().enumerate().rev() {
        let place = (seq, index as u32);
        let in_range = (query.from..query.to).contains(&record.received);
        let is_after_page = query.before.is_none_or(|before| place < before);
        if record.terminal != Some(query.terminal) || !in_range || !is_after_page {
            continue;
        }
        if page.frames.len() == query.limit {
            page.next = page.frames.last().map(|frame| frame.place);
            return false;
        }
        page.frames.extend(entry(place, record));
    }
    true
}

fn entry(place: (u64, u32), record: &Record) -> Option<FrameEntry> {
    let direction = match record.kind {
        Kind::Uplink => "uplink",
        Kind::Stranger => "stranger",
        Kind::Command => "downlink",
        Kind::Tick | Kind::Control => return None,
    };
    let hex = hex::encode(&record.raw);
    let decoded = decode_json(&hex).into_iter().next().unwrap_or(serde_json::Value::Null);
    Some(FrameEntry { place, received: record.received, direction, hex, decoded_json: decoded.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use journal::sim::SimDisk;
    use journal::{Journal, Options};
    use model::{TerminalId, Timestamp};

    struct Stopped;

    impl journal::Clock for Stopped {
        fn now(&self) -> Timestamp {
            Timestamp(0)
        }
    }

    #[tokio::test]
    async fn pages_come_newest_first_and_without_gaps() {
        let disk = SimDisk::default();
        let folder = PathBuf::from("/j");
        let options =
            Options { disk: Arc::new(disk.clone()), clock: Arc::new(Stopped), ..Options::new(folder.clone()) };
        let (journal, _feed, _) = Journal::open(options).expect("opens");
        let (mine, other) = (TerminalId::from_wire(&[1]), TerminalId::from_wire(&[2]));
        for number in 0..20i64 {
            let record =
                |terminal, at| Record::uplink(Timestamp(at), terminal, 1, Bytes::from(vec![0x7e, number as u8]));
            let records = vec![record(mine, number * 10), record(other, number * 10), record(mine, number * 10 + 1)];
            journal.submit(records).await.expect("queued").await.expect("durable");
        }
        journal.close();
        let frames = Frames::new(Arc::new(disk), folder);
        let mut query = FrameQuery { terminal: mine, from: Timestamp(20), to: Timestamp(191), limit: 7, before: None };
        let mut received = Vec::new();
        loop {
            let page = frames.frames(query).await.expect("read");
            received.extend(page.frames.iter().map(|frame| frame.received.0));
            assert!(page.frames.len() <= 7);
            query.before = page.next;
            if query.before.is_none() {
                break;
            }
        }
        let expected: Vec<i64> = (2..20).flat_map(|n| [n * 10, n * 10 + 1]).filter(|at| *at < 191).rev().collect();
        assert_eq!(received, expected);
    }
}
