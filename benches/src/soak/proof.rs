//! After a soak: everything that was acknowledged is in its track once, and nothing that was never sent; the chain
//! verifies, and a replay gives the same views.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use fleet::{Ledger, LedgerLine};
use serde_json::Value;

use crate::error::Failure;
use crate::http::Http;

const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_millis(200);

/// A position of a track: time to the second, latitude and longitude in 1e-6 degree.
type Place = (String, i64, i64);

/// What reading back a ledger found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) acked: u64,
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) invented: u64,
}

/// Holds a ledger against the tracks.
pub(super) fn hold(session: &Http, ledger: &Path) -> Result<Held, Failure> {
    let ledger = Ledger::read(ledger).map_err(Failure::other("read a ledger"))?;
    let mut by_phone: BTreeMap<&str, Vec<(&LedgerLine, bool)>> = BTreeMap::new();
    let lines = ledger.acked.iter().map(|line| (line, true)).chain(ledger.unsent.iter().map(|line| (line, false)));
    for (line, acked) in lines {
        by_phone.entry(&line.phone).or_default().push((line, acked));
    }
    let mut held = Held::default();
    for (phone, lines) in by_phone {
        let stored = track(session, phone, &lines)?;
        for (line, acked) in lines {
            let count = stored.get(&place(line)).copied().unwrap_or(0);
            match (acked, count) {
                (true, count) => {
                    held.acked += 1;
                    held.lost += u64::from(count == 0);
                    held.doubled += u64::from(count > 1);
                }
                (false, count) => held.invented += u64::from(count > 0),
            }
        }
    }
    Ok(held)
}

fn place(line: &LedgerLine) -> Place {
    (line.time.chars().take(19).collect(), i64::from(line.lat_e6), i64::from(line.lon_e6))
}

fn track(session: &Http, phone: &str, lines: &[(&LedgerLine, bool)]) -> Result<BTreeMap<Place, u32>, Failure> {
    let times = || lines.iter().filter_map(|(line, _)| line.time.parse::<jiff::Timestamp>().ok());
    let from = times().min().unwrap_or_default();
    let to = times().max().unwrap_or_default() + Duration::from_secs(1);
    let path = format!("vehicles/{phone}/track?from={from}&to={to}");
    let deadline = Instant::now() + CAUGHT_UP_WITHIN;
    loop {
        let mut response = session.get(&path)?;
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(256 << 20).read_to_string().unwrap_or_default();
        match status {
            200 => return Ok(places(&serde_json::from_str(&text).unwrap_or_default())),
            // Nothing of it was ever acknowledged, or it would be known.
            404 => return Ok(BTreeMap::new()),
            503 if Instant::now() < deadline => std::thread::sleep(RETRY),
            _ => return Err(Failure::Wrong(format!("the track of {phone} is answered with {status}: {text}"))),
        }
    }
}

fn places(track: &Value) -> BTreeMap<Place, u32> {
    let mut found = BTreeMap::new();
    for fix in track["fixes"].as_array().into_iter().flatten() {
        let micro = |key: &str| (fix[key].as_f64().unwrap_or_default() * 1e6).round() as i64;
        let time = fix["time"].as_str().unwrap_or_default().chars().take(19).collect();
        *found.entry((time, micro("lat"), micro("lon"))).or_insert(0) += 1;
    }
    found
}

/// Runs a subcommand on the folder of a server that has stopped; what it says when it does not succeed.
pub(super) fn succeeds(server: &Path, arguments: &[&str]) -> Result<Option<String>, Failure> {
    let output = Command::new(server).args(arguments).output();
    let output = output.map_err(Failure::io(format!("run {} {arguments:?}", server.display())))?;
    let said = [output.stdout, output.stderr].concat();
    Ok((!output.status.success()).then(|| String::from_utf8_lossy(&said).trim().to_owned()))
}
