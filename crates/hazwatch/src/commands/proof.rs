//! `hazwatch verify --proof`: what a proof proves, with nothing but the proof and what its reader trusts.

use std::path::Path;
use std::process::ExitCode;

use journal::{DailyHead, KeyTrust, PROOF_BYTES_MAX, Proof, PublicKey, Trust, Verdict};

use super::say;
use crate::cli::Verify;
use crate::error::Failure;

/// The keys and heads that were given.
pub(super) fn trust(options: &Verify) -> Result<Trust, Failure> {
    Ok(Trust {
        keys: options.key.iter().map(|key| read_key(key)).collect::<Result<_, _>>()?,
        days: options.head.iter().map(|head| read_head(head)).collect::<Result<_, _>>()?,
    })
}

pub(super) fn run(file: &Path, trust: &Trust) -> Result<ExitCode, Failure> {
    let proof = Proof::from_json(&read(file)?)
        .map_err(|error| Failure::because(format!("{} is no proof", file.display()), error))?;
    let verdict = journal::check(&proof, trust).map_err(|error| Failure::plain(format!("NOT PROVEN: {error}")))?;
    tell(&verdict);
    let was_given = !trust.keys.is_empty() || !trust.days.is_empty();
    if was_given && !verdict.is_anchored() {
        return Err(Failure::plain("NOT PROVEN: none of the keys and heads that you gave vouches for it"));
    }
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let cannot = |error| Failure::Usage(format!("cannot read {}: {error}", file.display()));
    let length = std::fs::metadata(file).map_err(cannot)?.len();
    if length > PROOF_BYTES_MAX as u64 {
        return Err(Failure::Usage(format!("{} is too large ({length} bytes)", file.display())));
    }
    std::fs::read(file).map_err(cannot)
}

/// A key in hex, or the name of a file with one.
fn read_key(text: &str) -> Result<PublicKey, Failure> {
    let refused = |error| Failure::Usage(format!("--key {text}: {error}"));
    match text.parse() {
        Ok(key) => Ok(key),
        Err(error) if !Path::new(text).is_file() => Err(refused(error)),
        Err(_) => String::from_utf8_lossy(&read(Path::new(text))?).trim().parse().map_err(refused),
    }
}

fn read_head(file: &Path) -> Result<DailyHead, Failure> {
    let no_head = || Failure::Usage(format!("{} is no signed head of a day", file.display()));
    DailyHead::from_json(&read(file)?).ok_or_else(no_head)
}

fn trust_in(trust: KeyTrust) -> &'static str {
    match trust {
        KeyTrust::Trusted => "which you trust",
        KeyTrust::Introduced => "which a key that you trust introduced",
        KeyTrust::Unknown => "which only the proof itself names",
    }
}

fn tell(verdict: &Verdict) {
    let Verdict { at, record, seal, sealed, key, key_trust, day, .. } = verdict;
    let terminal = record.terminal.map_or_else(|| "nobody".to_owned(), |terminal| terminal.to_string());
    let raw: String = record.raw.iter().map(|byte| format!("{byte:02x}")).collect();
    say(&format!(
        "record {}.{}, received {} from terminal {terminal}:\n  {raw}",
        at.position.seq, at.index, record.received
    ));
    say(&format!(
        "is in the journal since {sealed} at the latest: seal {seal}, by key {key}, {}",
        trust_in(*key_trust)
    ));
    if let Some(day) = day {
        let hash: String = day.hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let published =
            if day.is_published { "as you have it from elsewhere" } else { "which you have not from elsewhere" };
        say(&format!("that seal is under the head of {} ({hash}), {published}", day.date));
    }
    if verdict.is_anchored() {
        say("PROVEN. What the terminal measured, and that nothing else was received, it does not prove.");
    } else {
        say(
            "CONSISTENT ONLY: give --key or --head that you have from elsewhere; by itself a proof can be made up whole.",
        );
    }
}
