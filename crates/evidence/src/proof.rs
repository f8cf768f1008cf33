//! Proofs of single frames: found by place or by terminal and time, made from the journal, examined with nothing but
//! the file and what the reader trusts.

use std::fmt;
use std::path::Path;

use journal::{
    Disk, Kind, NotProven, Proof, ProofFileError, ProveError, PublicKey, ReadError, Sought, Trust, Verdict, check,
    look_back, prove,
};
use jt808::decode_json;
use model::{DAY_US, Position, RecordRef, TerminalId, Timestamp};
use serde_json::{Value, json};

/// Which frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one at this place.
    At(RecordRef),
    /// The last that was received of a terminal, or sent to it, up to this instant, at most a day before it.
    Last {
        /// Whose.
        terminal: TerminalId,
        /// Until when, inclusive.
        until: Timestamp,
    },
}

/// Why there is no proof of a frame.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The journal cannot be read.
    #[error("cannot read the journal")]
    Read(#[from] ReadError),
    /// Nothing was received.
    #[error("there is no frame of terminal {terminal} in the day before {until}")]
    NoFrame {
        /// Whose.
        terminal: TerminalId,
        /// Until when.
        until: Timestamp,
    },
    /// It cannot be proved.
    #[error(transparent)]
    Prove(#[from] ProveError),
}

/// Finds the place of a frame.
///
/// # Errors
/// When there is none, or the journal cannot be read.
pub fn find_record(disk: &dyn Disk, journal: &Path, which: Which) -> Result<RecordRef, EvidenceError> {
    let (terminal, until) = match which {
        Which::At(at) => return Ok(at),
        Which::Last { terminal, until } => (terminal, until),
    };
    let (from, to) = (until.plus_us(-DAY_US), until.plus_us(1));
    let mut found = None;
    let sought = Sought { before: None, from, to, terminal: Some(terminal) };
    look_back(disk, journal, &sought, |batch| {
        let matches = |record: &journal::Record| {
            record.terminal == Some(terminal) && (from..to).contains(&record.received) && record.kind != Kind::Tick
        };
        let index = batch.records.iter().rposition(matches);
        found = index.map(|index| RecordRef { position: batch.position, index: index as u32, item: 0 });
        found.is_none() && batch.records.last().is_none_or(|last| last.received >= from)
    })?;
    found.ok_or(EvidenceError::NoFrame { terminal, until })
}

/// Proves a frame. `keys` are the public keys that may have sealed it.
///
/// # Errors
/// When there is no such frame, it is not sealed yet, or the journal cannot be read.
pub fn prove_record(disk: &dyn Disk, journal: &Path, which: Which, keys: &[PublicKey]) -> Result<Proof, EvidenceError> {
    Ok(prove(disk, journal, find_record(disk, journal, which)?, keys)?)
}

/// Why a file proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum ExamineError {
    /// It is no proof.
    #[error(transparent)]
    File(#[from] ProofFileError),
    /// It does not hold.
    #[error(transparent)]
    NotProven(#[from] NotProven),
}

/// What a proof shows: what is proven, and what the frame says.
#[derive(Clone, Debug, PartialEq)]
pub struct Examined {
    /// What is proven.
    pub verdict: Verdict,
    /// The frame decoded (JT/T 808), as `hazwatch decode --json` prints it.
    pub decoded: Value,
}

/// Examines the file of a proof, offline.
///
/// # Errors
/// When it is no proof, or does not hold.
pub fn examine(file: &[u8], trust: &Trust) -> Result<Examined, ExamineError> {
    let verdict = check(&Proof::from_json(file)?, trust)?;
    let decoded = decode_json(&hex::encode(&verdict.record.raw)).into_iter().next().unwrap_or(Value::Null);
    Ok(Examined { verdict, decoded })
}

impl Examined {
    /// For programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let verdict = &self.verdict;
        let Position { shard, seq } = verdict.at.position;
        let day = verdict.day.as_ref().map(|day| {
            json!({
                "date": day.date,
                "hash": hex::encode(day.hash),
                "key_id": day.key.to_string(),
                "key": day.key_trust.to_string(),
                "published": day.is_published,
            })
        });
        json!({
            "anchored": verdict.is_anchored(),
            "record": { "shard": shard, "envelope": seq, "index": verdict.at.index },
            "terminal": verdict.record.terminal.map(|terminal| terminal.to_string()),
            "received_at": verdict.record.received.to_string(),
            "bytes": hex::encode(&verdict.record.raw),
            "seal": verdict.seal,
            "in_the_journal_no_later_than": verdict.sealed.to_string(),
            "key_id": verdict.key.to_string(),
            "key": verdict.key_trust.to_string(),
            "day": day,
            "decoded": self.decoded,
        })
    }
}

/// For people.
impl fmt::Display for Examined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.verdict)?;
        write!(f, "The frame says: {:#}", self.decoded)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use journal::sim::SimDisk;
    use journal::{Algorithm, Journal, Options, Record, Sealer, SealerOptions, public_key};

    use super::*;

    const SECRET: [u8; 32] = [3; 32];
    /// A heartbeat (0x0002) of 013912345678.
    const HEARTBEAT: [u8; 15] = [0x7e, 0, 2, 0, 0, 0x01, 0x39, 0x12, 0x34, 0x56, 0x78, 0, 7, 0x34, 0x7e];

    fn heartbeat() -> Bytes {
        let mut frame = HEARTBEAT;
        frame[13] = frame[1..13].iter().fold(0, |check, byte| check ^ byte);
        Bytes::copy_from_slice(&frame)
    }

    #[tokio::test]
    async fn a_frame_is_found_proved_and_examined() {
        let disk = SimDisk::default();
        let folder = PathBuf::from("/j");
        let options =
            Options { disk: Arc::new(disk.clone()), tick: Duration::from_secs(900), ..Options::new(folder.clone()) };
        let clock = options.clock.clone();
        let (journal, feed, _) = Journal::open(options).expect("opens");
        let terminal: TerminalId = "13912345678".parse().expect("digits");
        let begin = clock.now();
        for second in 0..5 {
            let record = Record::uplink(begin.plus_us(second - 5), terminal, 1, heartbeat());
            journal.submit(vec![record]).await.expect("queued").await.expect("durable");
        }
        let sealer_options = SealerOptions {
            disk: Arc::new(disk.clone()),
            journal: folder.clone(),
            secret: SECRET,
            former: None,
            algorithm: Algorithm::Sha256,
            watermark: journal.watermark(),
        };
        let mut sealer = Sealer::open(sealer_options).expect("opens");
        sealer.seal(clock.now()).expect("sealed").expect("something");
        journal.close();
        drop(feed);
        let key = public_key(&SECRET);
        let which = Which::Last { terminal, until: clock.now() };
        let at = find_record(&disk, &folder, which).expect("found");
        // The first tick may have an envelope of its own.
        assert!((5..=6).contains(&at.position.seq), "{at}");
        let proof = prove_record(&disk, &folder, which, &[key]).expect("proved").to_json();
        let trust = Trust { keys: vec![key], days: Vec::new() };
        let examined = examine(proof.as_bytes(), &trust).expect("holds");
        assert_eq!((examined.verdict.at, examined.verdict.is_anchored()), (at, true));
        assert_eq!(examined.decoded["name"], "heartbeat");
        let said = examined.to_string();
        assert!(said.contains("no later than") && said.contains("Not proven") && said.contains("0x0002"), "{said}");
        assert_eq!(examined.to_json()["bytes"], Value::String(hex::encode(heartbeat())));
        let nobody = Which::Last { terminal: TerminalId::from_wire(&[9]), until: clock.now() };
        assert!(matches!(prove_record(&disk, &folder, nobody, &[key]), Err(EvidenceError::NoFrame { .. })));
        assert!(examine(b"{}", &trust).is_err());
    }
}
