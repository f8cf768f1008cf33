//! A fleet against a platform that acknowledges, refuses, stays silent and drops connections: nothing is lost, nothing
//! stands in the ledger twice, and the ledger claims nothing that the platform did not say.

mod platform;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fleet::{FleetError, Ledger, LedgerLine, Options, RawOptions, Report, Snapshot, Stats};
use jt808::GeneralResult;
use platform::{Deed, Platform, Position, Script};

fn options(platform: &Platform, vehicles: u32) -> Options {
    let mut options = Options::new(platform.address.to_string(), vehicles);
    options.interval = Duration::from_secs(1);
    options.drain = Duration::from_secs(30);
    options.connect_rate = 10_000;
    options.manners.answer_timeout = Duration::from_millis(200);
    options.manners.reconnect_pause = Duration::from_millis(20);
    options.manners.refused_pause = Duration::from_millis(50);
    options
}

/// Resolves when the counters say so.
async fn until(stats: Arc<Stats>, enough: impl Fn(Snapshot) -> bool) {
    while !enough(stats.snapshot()) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Runs until every truck has taken some four positions.
async fn run(mut options: Options, folder: &Path) -> (Report, Ledger) {
    let path = folder.join("ledger.jsonl");
    options.ledger = Some(path.clone());
    let (stats, taken) = (Arc::new(Stats::default()), 4 * u64::from(options.vehicles));
    let enough = until(Arc::clone(&stats), move |now| now.generated >= taken);
    let report = fleet::run_with(options, stats, enough).await.expect("runs");
    (report, Ledger::read(path).expect("reads"))
}

fn position(line: &LedgerLine) -> Position {
    let time = line.time.trim_end_matches("+08:00").replace(['-', 'T', ':'], "");
    let bcd: Vec<u8> =
        (2..14).step_by(2).map(|at| u8::from_str_radix(&time[at..at + 2], 16).expect("digits")).collect();
    let time = jt808::BcdTime::parse(bcd.try_into().expect("six bytes")).expect("a time").utc_s();
    (line.phone.clone(), time, line.lat_e6 as i32, line.lon_e6 as i32)
}

/// Checks the run against what the platform saw; returns the acknowledged positions.
fn reconcile(platform: &Platform, report: &Report, ledger: &Ledger) -> BTreeSet<Position> {
    let acked: BTreeSet<Position> = ledger.acked.iter().map(position).collect();
    assert_eq!(acked.len(), ledger.acked.len(), "a position stands twice in the ledger");
    assert_eq!(report.acked, ledger.acked.len() as u64);
    assert_eq!(report.lost, (ledger.unacked.len() + ledger.unsent.len()) as u64);
    assert!(acked.is_subset(&platform.seen().acked), "the ledger claims what the platform never said");
    assert!(!ledger.torn);
    acked
}

#[tokio::test]
async fn everything_is_acknowledged_and_entered_once() {
    let platform = Platform::start(0, |_| Deed::Ack).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (report, ledger) = run(options(&platform, 20), folder.path()).await;
    let acked = reconcile(&platform, &report, &ledger);
    assert_eq!((report.lost, report.refused, report.reconnects), (0, 0, 0), "{report}");
    assert_eq!(acked, platform.seen().acked);
    assert!(acked.len() >= 80, "{report}");
    assert!(report.p50.is_some() && report.p50 <= report.p999);
    let mut phones: Vec<_> = acked.iter().map(|one| one.0.clone()).collect();
    phones.dedup();
    assert_eq!(phones.len(), 20);
}

#[tokio::test]
async fn silence_drops_and_refusals_lose_nothing() {
    let scripts: [(&str, Script); 4] = [
        ("silent", |nth| if nth % 3 == 0 { Deed::Silent } else { Deed::Ack }),
        ("dropping", |nth| if nth % 3 == 0 { Deed::Drop } else { Deed::Ack }),
        ("answers and drops", |nth| if nth % 2 == 0 { Deed::AckAndDrop } else { Deed::Ack }),
        ("refusing", |nth| if nth % 3 == 1 { Deed::Refuse(GeneralResult::Failure) } else { Deed::Ack }),
    ];
    let mut runs = tokio::task::JoinSet::new();
    for (name, deed) in scripts {
        for window in [1, 4] {
            runs.spawn(async move {
                let platform = Platform::start(2, deed).await;
                let folder = tempfile::tempdir().expect("a folder");
                let mut options = options(&platform, 8);
                options.manners.window = window;
                options.reconnects = true;
                options.dead_zones = true;
                let (report, ledger) = run(options, folder.path()).await;
                reconcile(&platform, &report, &ledger);
                assert_eq!(report.lost, 0, "{name}, window {window}: {report}");
                assert!(report.acked >= 32, "{name}, window {window}: {report}");
                assert!(report.refusals.iter().any(|one| (one.message_id, one.result, one.count) == (0x0100, 4, 2)));
            });
        }
    }
    while let Some(ended) = runs.join_next().await {
        ended.expect("holds");
    }
}

#[tokio::test]
async fn what_nobody_acknowledges_stands_in_the_ledger_as_unacknowledged() {
    let platform = Platform::start(0, |_| Deed::Silent).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = options(&platform, 3);
    options.drain = Duration::from_millis(100);
    let (report, ledger) = run(options, folder.path()).await;
    reconcile(&platform, &report, &ledger);
    assert_eq!((report.acked, ledger.acked.len()), (0, 0));
    assert!(!ledger.unacked.is_empty() && report.lost >= 12, "{report}");
    let sent: BTreeSet<Position> = platform.seen().arrived.iter().map(|(_, one)| one.clone()).collect();
    assert!(ledger.unacked.iter().map(position).all(|one| sent.contains(&one)));
    assert!(ledger.unsent.iter().map(position).all(|one| !sent.contains(&one)));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_no_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut absent = Options::new("127.0.0.1:1", 2);
    absent.drain = Duration::from_millis(50);
    absent.ledger = Some(folder.path().join("ledger.jsonl"));
    let stats = Arc::new(Stats::default());
    let enough = until(Arc::clone(&stats), |now| now.connect_failures > 2);
    let report = fleet::run_with(absent, stats, enough).await.expect("runs");
    let ledger = Ledger::read(folder.path().join("ledger.jsonl")).expect("reads");
    assert_eq!((report.acked, report.sent, report.lost), (0, 0, ledger.unsent.len() as u64));
    assert!(!ledger.unsent.is_empty());
    let nowhere = fleet::run(Options::new("no port", 1), std::future::pending()).await;
    assert!(matches!(nowhere, Err(FleetError::Resolve { .. })));
}

#[tokio::test]
async fn a_run_ends_by_its_duration_or_by_shutdown() {
    let platform = Platform::start(0, |_| Deed::Ack).await;
    let mut brief = options(&platform, 2);
    brief.duration = Some(Duration::from_millis(1));
    let report = fleet::run(brief, std::future::pending()).await.expect("runs");
    assert_eq!(report.lost, 0, "{report}");
    let stats = Arc::new(Stats::default());
    let enough = until(Arc::clone(&stats), |now| now.acked >= 4);
    let report = fleet::run_with(options(&platform, 2), Arc::clone(&stats), enough).await.expect("runs");
    assert_eq!((report.lost, stats.snapshot().online), (0, 0));
}

#[tokio::test]
async fn raw_load_counts_what_is_acknowledged_and_survives_drops() {
    let platform = Platform::start(0, |nth| if nth == 500 { Deed::Drop } else { Deed::Ack }).await;
    let raw = RawOptions::new(platform.address.to_string(), 4, 16);
    let stats = Arc::new(Stats::default());
    let enough = until(Arc::clone(&stats), |now| now.reconnects >= 4 && now.acked >= 4_000);
    let report = fleet::run_raw(raw, stats, enough).await.expect("runs");
    assert_eq!((report.lost, report.refused), (0, 0), "{report}");
    assert_eq!(report.reconnects, 4, "{report}");
    assert_eq!(report.acked, platform.seen().acked.len() as u64);
}
