//! A soak: a server under everything at once for long, looked at every ten seconds; then stopped, verified, replayed,
//! and read back position by position.

mod load;
mod proof;
mod sample;

use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cli::{Cli, Contender, Soak};
use crate::error::Failure;
use crate::http::Http;
use crate::servers::Ground;
use sample::{Sample, Sampler, Trend};

const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Every so many looks a line is printed.
const TELL_EVERY: usize = 6;
/// Memory that a trend has to reach for certain before it counts as growth, MiB an hour, and as a part of all.
const GROWTH_MIB: f64 = 4.0;
const GROWTH_PART: f64 = 0.02;
/// Seconds after warm-up below which nothing is said about growth: caches still fill.
const TELLING_S: f64 = 600.0;

/// A kind of truck in the end.
#[derive(Clone, Debug, Serialize)]
struct Kind {
    name: &'static str,
    acked: u64,
    not_acked: u64,
    reconnects: u64,
    refused: u64,
    p50_ms: f64,
    p99_ms: f64,
    lost: u64,
    doubled: u64,
    invented: u64,
}

/// What a soak found.
#[derive(Clone, Debug, Serialize)]
struct Found {
    minutes: f64,
    samples: Vec<Sample>,
    kinds: Vec<Kind>,
    hostile_opened: u64,
    hostile_closed: u64,
    hostile_mib: f64,
    http_asked: u64,
    http_unavailable: u64,
    http_slow: u64,
    /// Of the resident memory after the first third, MiB.
    memory: Trend,
    memory_grows: Option<bool>,
    stopped_in_s: f64,
    violations: Vec<String>,
}

/// Runs it; fails when anything was violated.
pub(crate) fn run(cli: &Cli, options: &Soak) -> Result<(), Failure> {
    rlimit::increase_nofile_limit(u64::MAX).map_err(Failure::io("raise the limit on open files"))?;
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::io("start the runtime"))?;
    let found = runtime.block_on(soak(cli, options))?;
    print(&found);
    if let Some(path) = &cli.json {
        let text = serde_json::to_string_pretty(&found).map_err(Failure::other("write the report"))?;
        std::fs::write(path, text + "\n").map_err(Failure::io(format!("write {}", path.display())))?;
    }
    match found.violations.len() {
        0 => Ok(()),
        count => Err(Failure::Wrong(format!("{count} violations"))),
    }
}

async fn soak(cli: &Cli, options: &Soak) -> Result<Found, Failure> {
    let ground = Ground::of(cli, &[Contender::Hazwatch])?;
    let folder = ground.folder()?;
    let running = ground.start(Contender::Hazwatch, folder.path())?;
    let http = running.at.http.ok_or_else(|| Failure::Wrong("the server has no HTTP address".into()))?;
    let session = Http::log_in(http)?;
    let load = load::start(options, running.at.jt808, http, folder.path())?;
    let data = folder.path().join("data");
    let now = Instant::now();
    let mut sampler =
        Sampler { began: now, pid: running.child.pid(), data: &data, session: &session, acked: 0, last: now };
    let (mut samples, over) = (Vec::new(), Duration::from_secs(60 * options.minutes.max(1)));
    while sampler.began.elapsed() < over {
        tokio::time::sleep(LOOK_EVERY).await;
        let sample = sampler.look(&load)?;
        if samples.len() % TELL_EVERY == 0 {
            println!("{}", line(&sample));
        }
        samples.push(sample);
    }
    let minutes = sampler.began.elapsed().as_secs_f64() / 60.0;
    let (hostile, readers) = (load.hostile.clone(), load.readers.clone());
    let reports = load.stop().await?;
    let mut kinds = Vec::new();
    for (name, ledger, report) in reports {
        let held = proof::hold(&session, &ledger)?;
        let ms = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64() * 1e3;
        kinds.push(Kind {
            name,
            acked: held.acked,
            not_acked: report.lost,
            reconnects: report.reconnects,
            refused: report.refused,
            p50_ms: ms(report.p50),
            p99_ms: ms(report.p99),
            lost: held.lost,
            doubled: held.doubled,
            invented: held.invented,
        });
    }
    let at = Instant::now();
    running.child.stop()?;
    let stopped_in_s = at.elapsed().as_secs_f64();
    let warm = samples.iter().skip(samples.len() / 3).map(|sample| (sample.at_s, sample.resident_mib));
    let warm: Vec<_> = warm.collect();
    let memory = Trend::of(&warm);
    let level = warm.iter().map(|(_, mib)| *mib).fold(0.0, f64::max);
    let span_s = warm.last().zip(warm.first()).map_or(0.0, |(last, first)| last.0 - first.0);
    let memory_grows = (span_s >= TELLING_S).then_some(memory.at_least_per_hour > GROWTH_MIB.max(GROWTH_PART * level));
    let mut found = Found {
        minutes,
        samples,
        kinds,
        hostile_opened: hostile.opened(),
        hostile_closed: hostile.closed(),
        hostile_mib: hostile.bytes() as f64 / f64::from(1 << 20),
        http_asked: readers.asked.load(Relaxed),
        http_unavailable: readers.unavailable.load(Relaxed),
        http_slow: readers.slow.load(Relaxed),
        memory,
        memory_grows,
        stopped_in_s,
        violations: Vec::new(),
    };
    found.violations = violations(&found, readers.errors.load(Relaxed));
    found.violations.extend(offline(ground.server(), &data)?);
    Ok(found)
}

/// What must not be.
fn violations(found: &Found, http_errors: u64) -> Vec<String> {
    let mut bad = Vec::new();
    for kind in &found.kinds {
        for (count, what) in [
            (kind.lost, "acknowledged positions are in no track"),
            (kind.doubled, "acknowledged positions are in their track twice"),
            (kind.invented, "positions are in a track and were never sent"),
            (u64::from(kind.acked == 0), "kind of truck never got an acknowledgement"),
        ] {
            if count > 0 {
                bad.push(format!("{}: {count} {what}", kind.name));
            }
        }
    }
    if found.memory_grows == Some(true) {
        bad.push(format!("memory grows by at least {:.1} MiB an hour", found.memory.at_least_per_hour));
    }
    if http_errors > 0 {
        bad.push(format!("{http_errors} questions over HTTP were answered wrongly"));
    }
    bad
}

/// The folder of the stopped server: the chain, and the views made anew.
fn offline(server: &Path, data: &Path) -> Result<Vec<String>, Failure> {
    let into = tempfile::tempdir_in(data.parent().unwrap_or(data)).map_err(Failure::io("make a folder"))?;
    let (from, into) = (data.display().to_string(), into.path().display().to_string());
    let mut bad = Vec::new();
    for (what, arguments) in
        [("verify", &["verify", "--data", &from][..]), ("replay", &["replay", "--data", &from, "--into", &into])]
    {
        bad.extend(proof::succeeds(server, arguments)?.map(|said| format!("{what}: {said}")));
    }
    Ok(bad)
}

fn line(sample: &Sample) -> String {
    format!(
        "{:>6.0} s  {:>7.1} MiB resident  {:>5} files  {:>3} threads  {:>8.1} MiB data  {:>4} behind  {:>6} online  {:>7.0} acked/s  \
         p50 {:>6.1} ms  p99 {:>7.1} ms  {} refused  {} HTTP errors",
        sample.at_s,
        sample.resident_mib,
        sample.open_files,
        sample.threads,
        sample.data_mib,
        sample.views_behind,
        sample.online,
        sample.acked_per_s,
        sample.ack_p50_ms,
        sample.ack_p99_ms,
        sample.refused,
        sample.http_errors
    )
}

fn print(found: &Found) {
    println!("\nkind          acked  not acked  reconnects  refused    p50 ms    p99 ms  lost  doubled  invented");
    for kind in &found.kinds {
        println!(
            "{:<10} {:>8} {:>10} {:>11} {:>8} {:>9.1} {:>9.1} {:>5} {:>8} {:>9}",
            kind.name,
            kind.acked,
            kind.not_acked,
            kind.reconnects,
            kind.refused,
            kind.p50_ms,
            kind.p99_ms,
            kind.lost,
            kind.doubled,
            kind.invented
        );
    }
    println!(
        "{:.1} min; hostile: {} connections opened, {} ended by the server or lost, {:.1} MiB; HTTP: {} asked, {} put off, {} slow",
        found.minutes,
        found.hostile_opened,
        found.hostile_closed,
        found.hostile_mib,
        found.http_asked,
        found.http_unavailable,
        found.http_slow
    );
    let word = match found.memory_grows {
        Some(true) => "GROWS",
        Some(false) => "does not grow",
        None => "was not watched for long enough",
    };
    println!(
        "memory after warm-up {word}: {:+.1} MiB an hour (at least {:+.1} with 95 %); stopped in {:.1} s",
        found.memory.per_hour, found.memory.at_least_per_hour, found.stopped_in_s
    );
    for violation in &found.violations {
        println!("VIOLATION  {violation}");
    }
    if found.violations.is_empty() {
        println!("no violation: nothing lost, nothing doubled, the chain verifies, a replay gives the same views");
    }
}
