//! The ledger: what a run was promised. JSON lines, one a position: written at the moment of its acknowledgement, or at
//! the end for what was never acknowledged. A crash test holds it against the track that the server gives back.
//!
//! Fields of a line, in this order:
//! * `phone`: 11 digits; `time`: of the fix, RFC 3339, GMT+8, whole seconds; `lat_e6`, `lon_e6`: 1e-6 degree, WGS-84;
//! * `serial`: of the frame that carried it last, `sent_at`: when that frame was first written, `via`: `"0x0200"` or
//!   `"0x0704"`; all three null when it was never sent;
//! * `acked_at`: when its acknowledgement (result 0) was read; null when there was none.

use std::io;
use std::path::{Path, PathBuf};

use jt808::BcdTime;
use serde::{Deserialize, Serialize};
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::error::FleetError;
use crate::identity::Identity;
use crate::outbox::Kept;
use crate::terminal::Delivered;

/// Lines that may wait for the writer; a full queue holds the trucks back.
const QUEUE: usize = 4_096;
/// Lines written before the writer flushes at the latest.
const FLUSH_EVERY: usize = 256;

/// One position.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LedgerLine {
    /// Terminal phone, 11 digits.
    pub phone: String,
    /// Time of the fix, RFC 3339, GMT+8.
    pub time: String,
    /// Latitude, 1e-6 degree.
    pub lat_e6: u32,
    /// Longitude, 1e-6 degree.
    pub lon_e6: u32,
    /// Serial of the frame that carried it last.
    pub serial: Option<u16>,
    /// When that frame was first written, RFC 3339 with milliseconds.
    pub sent_at: Option<String>,
    /// When it was acknowledged with result 0.
    pub acked_at: Option<String>,
    /// Which message carried it: `0x0200` or `0x0704`.
    pub via: Option<String>,
}

impl LedgerLine {
    /// What was acknowledged at that microsecond of the run.
    pub(crate) fn acked(identity: &Identity, clock: &Clock, delivered: Delivered, acked_us: u64) -> Self {
        let kept = Kept { fix: delivered.fix, sending: Some(delivered.sending) };
        Self { acked_at: Some(instant(clock.unix_us(acked_us))), ..Self::kept(identity, clock, kept) }
    }

    /// What was not acknowledged until the end.
    pub(crate) fn kept(identity: &Identity, clock: &Clock, Kept { fix, sending }: Kept) -> Self {
        Self {
            phone: identity.phone.to_string(),
            time: second(fix.time_s),
            lat_e6: fix.lat_e6,
            lon_e6: fix.lon_e6,
            serial: sending.map(|sending| sending.serial),
            sent_at: sending.map(|sending| instant(clock.unix_us(sending.at_us))),
            acked_at: None,
            via: sending.map(|sending| format!("0x{:04x}", sending.via)),
        }
    }
}

/// A ledger read back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Positions that were acknowledged: the server must have every one of them.
    pub acked: Vec<LedgerLine>,
    /// Positions that were sent and not acknowledged: the server may have them.
    pub unacked: Vec<LedgerLine>,
    /// Positions that were never sent: the server must not have them.
    pub unsent: Vec<LedgerLine>,
    /// Whether the last line was torn (the fleet was killed while writing); it is left out.
    pub torn: bool,
}

impl Ledger {
    /// Reads a ledger. A torn last line is tolerated; unacknowledged lines are there only if the run came to its end.
    ///
    /// # Errors
    /// When the file cannot be read, or a line before the last is none.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, FleetError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| FleetError::Ledger { path: path.into(), source })?;
        let mut ledger = Self::default();
        let mut rest = bytes.as_slice();
        let mut number = 0;
        while !rest.is_empty() {
            number += 1;
            let end = rest.iter().position(|byte| *byte == b'\n');
            let (line, after) = end.map_or((rest, &[][..]), |at| (&rest[..at], &rest[at + 1..]));
            match serde_json::from_slice(line) {
                // A line without its end may be whole by chance, and is as good as torn.
                _ if end.is_none() => ledger.torn = true,
                Ok(line) => ledger.file(line),
                Err(source) => return Err(FleetError::LedgerLine { path: path.into(), line: number, source }),
            }
            rest = after;
        }
        Ok(ledger)
    }

    fn file(&mut self, line: LedgerLine) {
        match (&line.acked_at, &line.sent_at) {
            (Some(_), _) => self.acked.push(line),
            (None, Some(_)) => self.unacked.push(line),
            (None, None) => self.unsent.push(line),
        }
    }
}

/// Where trucks put their lines.
pub(crate) type LedgerSender = mpsc::Sender<LedgerLine>;

/// Opens (truncates) a ledger; the returned future writes what comes until all senders are gone.
pub(crate) async fn open(
    path: PathBuf,
) -> Result<(LedgerSender, impl Future<Output = Result<(), FleetError>>), FleetError> {
    let file = File::create(&path).await.map_err(|source| FleetError::Ledger { path: path.clone(), source })?;
    let (sender, lines) = mpsc::channel(QUEUE);
    let writing = async move { write(file, lines).await.map_err(|source| FleetError::Ledger { path, source }) };
    Ok((sender, writing))
}

/// Flushes whenever nothing more waits, so that a killed fleet loses no more than its last lines.
async fn write(file: File, mut lines: mpsc::Receiver<LedgerLine>) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    let mut batch = Vec::new();
    while lines.recv_many(&mut batch, FLUSH_EVERY).await > 0 {
        for line in batch.drain(..) {
            let mut json = serde_json::to_vec(&line)?;
            json.push(b'\n');
            file.write_all(&json).await?;
        }
        file.flush().await?;
    }
    file.get_ref().sync_all().await
}

/// An instant, RFC 3339, GMT+8, milliseconds.
fn instant(unix_us: u64) -> String {
    let whole = second((unix_us / 1_000_000) as i64);
    let (date, zone) = whole.split_at_checked(19).unwrap_or((&whole, ""));
    format!("{date}.{:03}{zone}", unix_us / 1_000 % 1_000)
}

/// A second, RFC 3339, GMT+8.
fn second(unix_s: i64) -> String {
    BcdTime::from_utc_s(unix_s).map(BcdTime::to_rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(acked: bool, sent: bool) -> LedgerLine {
        LedgerLine {
            phone: "13000100000".to_owned(),
            time: second(1_795_406_706),
            lat_e6: 25_500_000,
            lon_e6: 103_800_000,
            serial: sent.then_some(7),
            sent_at: sent.then(|| instant(1_795_406_706_012_345)),
            acked_at: acked.then(|| instant(1_795_406_706_014_000)),
            via: sent.then(|| "0x0200".to_owned()),
        }
    }

    #[test]
    fn lines_are_a_contract() {
        assert_eq!(
            serde_json::to_string(&line(true, true)).expect("a line"),
            r#"{"phone":"13000100000","time":"2026-11-23T12:05:06+08:00","lat_e6":25500000,"lon_e6":103800000,"serial":7,"sent_at":"2026-11-23T12:05:06.012+08:00","acked_at":"2026-11-23T12:05:06.014+08:00","via":"0x0200"}"#
        );
    }

    #[tokio::test]
    async fn what_is_written_is_read_and_a_torn_end_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ledger.jsonl");
        let (sender, writing) = open(path.clone()).await.expect("opens");
        for one in [line(true, true), line(false, true), line(false, false), line(true, true)] {
            sender.send(one).await.expect("the writer lives");
        }
        drop(sender);
        writing.await.expect("writes");
        let ledger = Ledger::read(&path).expect("reads");
        assert_eq!((ledger.acked.len(), ledger.unacked.len(), ledger.unsent.len(), ledger.torn), (2, 1, 1, false));

        let whole = std::fs::read(&path).expect("reads");
        for cut in 1..100 {
            std::fs::write(&path, &whole[..whole.len() - cut]).expect("writes");
            let ledger = Ledger::read(&path).expect("tolerates a torn end");
            assert_eq!((ledger.acked.len(), ledger.torn), (1, true), "cut {cut}");
        }
        std::fs::write(&path, [b"{nonsense}\n", whole.as_slice()].concat()).expect("writes");
        assert!(matches!(Ledger::read(&path), Err(FleetError::LedgerLine { line: 1, .. })));
    }
}
