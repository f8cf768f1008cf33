//! `hazwatch prove`: a proof that one frame is in the journal, from a running server or from a folder.

use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;

use journal::{DataLock, RealDisk, Sought};
use model::{Position, RecordRef, TerminalId, Timestamp};
use serde_json::Value;
use store::Store;

use super::say;
use crate::cli::Prove;
use crate::client::Client;
use crate::error::Failure;
use crate::house::JOURNAL;
use crate::truth::seal_secret;

/// How long after the given instant the frame may have been received.
const WITHIN_US: i64 = 60_000_000;

/// Which record is asked for.
enum Asked {
    Place(u64, u32),
    Frame { terminal: TerminalId, at: Timestamp },
}

pub(super) async fn run(options: Prove) -> Result<ExitCode, Failure> {
    let asked = asked(&options)?;
    let proof = match &options.data {
        Some(data) => offline(data, &asked).await?,
        None => tokio::task::spawn_blocking(move || online(&options, &asked))
            .await
            .map_err(|error| Failure::because("asking broke off", error))??,
    };
    say(&proof);
    Ok(ExitCode::SUCCESS)
}

fn asked(options: &Prove) -> Result<Asked, Failure> {
    match (&options.place, &options.terminal, &options.at) {
        (Some(place), ..) => {
            let read = |text: &str| {
                let (envelope, record) = text.split_once('.')?;
                Some(Asked::Place(envelope.parse().ok()?, record.parse().ok()?))
            };
            read(place).ok_or_else(|| Failure::Usage(format!("--place {place:?}: must be like 1234.0")))
        }
        (None, Some(terminal), Some(at)) => Ok(Asked::Frame {
            terminal: terminal.parse().map_err(|error| Failure::Usage(format!("--terminal: {error}")))?,
            at: Timestamp::from_str(at).map_err(|error| Failure::Usage(format!("--at: {error}")))?,
        }),
        _ => Err(Failure::Usage("give --place, or --terminal and --at".to_owned())),
    }
}

fn none_found(terminal: TerminalId, at: Timestamp) -> Failure {
    Failure::plain(format!("no frame of terminal {terminal} was received from {at} on, within a minute"))
}

fn online(options: &Prove, asked: &Asked) -> Result<String, Failure> {
    let client = Client::connect(&options.server)?;
    let place = match asked {
        Asked::Place(envelope, record) => format!("{envelope}.{record}"),
        Asked::Frame { terminal, at } => {
            let (from, to) = (encoded(*at), encoded(at.plus_us(WITHIN_US)));
            let page = client.get(&format!("/terminals/{terminal}/frames?from={from}&to={to}&limit=1000"))?;
            let oldest = page.get("items").and_then(Value::as_array).and_then(|items| items.last());
            let place = oldest.and_then(|frame| frame.get("place")).and_then(Value::as_str);
            place.ok_or_else(|| none_found(*terminal, *at))?.to_owned()
        }
    };
    let proof = client.get(&format!("/journal/proof?place={place}"))?;
    serde_json::to_string_pretty(&proof).map_err(|error| Failure::because("the server's answer is odd", error))
}

fn encoded(time: Timestamp) -> String {
    time.to_string().replace('+', "%2B")
}

async fn offline(data: &Path, asked: &Asked) -> Result<String, Failure> {
    let folder = data.join(JOURNAL);
    if !folder.is_dir() {
        return Err(Failure::Usage(format!("there is no journal in {}", data.display())));
    }
    let _lock = DataLock::acquire(data).map_err(|error| Failure::because("cannot prove", error))?;
    let cannot = |error| Failure::because("cannot read the key of the seals", error);
    let users = Store::open(data, 1).await.map_err(cannot)?.users();
    // The first key; later ones were introduced by it, and their seals name them.
    let secret: [u8; 32] = users.secret(&seal_secret(1), 32).await.map_err(cannot)?.try_into().unwrap_or_default();
    let (envelope, record) = match asked {
        Asked::Place(envelope, record) => (*envelope, *record),
        Asked::Frame { terminal, at } => find(&folder, *terminal, *at)?,
    };
    let at = RecordRef { position: Position { shard: 0, seq: envelope }, index: record, item: 0 };
    journal::prove(&RealDisk, &folder, at, &[journal::public_key(&secret)])
        .map(|proof| proof.to_json())
        .map_err(|error| Failure::because("cannot prove it", error))
}

fn find(folder: &Path, terminal: TerminalId, at: Timestamp) -> Result<(u64, u32), Failure> {
    let until = at.plus_us(WITHIN_US);
    let sought = Sought { from: at, to: until, terminal: Some(terminal), ..Sought::default() };
    let mut oldest = None;
    let outcome = journal::look_back(&RealDisk, folder, &sought, |batch| {
        let fits = |record: &journal::Record| {
            record.terminal == Some(terminal) && record.received >= at && record.received < until
        };
        if let Some(index) = batch.records.iter().position(fits) {
            oldest = Some((batch.position.seq, index as u32));
        }
        true
    });
    outcome.map_err(|error| Failure::because("cannot read the journal", error))?;
    oldest.ok_or_else(|| none_found(terminal, at))
}
