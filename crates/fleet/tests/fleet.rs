//! A fleet against a platform that acknowledges, refuses, stays silent and drops connections: nothing is lost, nothing
//! stands in the ledger twice, and the ledger claims nothing that the platform did not say.

mod platform;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fleet::{
    Editions, FleetError, Hostile, HostileOptions, HostileStats, Late, Ledger, LedgerLine, Options, Report, Snapshot,
    Stats, Transport,
};
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
async fn a_backlog_in_parts_is_whole_whatever_happens_to_its_parts() {
    // Every deed hits parts too: with 128 bytes a part, a batch of a backlog has many.
    let scripts: [Script; 3] = [
        |_| Deed::Ack,
        |nth| if nth % 7 == 3 { Deed::AckAndDrop } else { Deed::Ack },
        |nth| if nth % 11 == 5 { Deed::Drop } else { Deed::Ack },
    ];
    for script in scripts {
        let folder = tempfile::tempdir().expect("a folder");
        let platform = Platform::start(0, script).await;
        let mut options = options(&platform, 3);
        options.backlog = Duration::from_secs(120);
        options.editions = Editions { v2011: 0, v2013: 1, v2019: 1 };
        options.manners.late = Late::Parts { bytes: 128, max: 20 };
        let (report, ledger) = run(options, folder.path()).await;
        let acked = reconcile(&platform, &report, &ledger);
        assert_eq!(report.lost, 0, "{report}");
        assert!(acked.len() >= 3 * 120 && platform.seen().parts > 60, "{report}");
    }
}

#[tokio::test]
async fn datagrams_carry_a_fleet_as_a_connection_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = Platform::start(0, |nth| if nth % 5 == 1 { Deed::Silent } else { Deed::Ack }).await;
    let mut options = options(&platform, 4);
    options.transport = Transport::Udp;
    let (report, ledger) = run(options, folder.path()).await;
    reconcile(&platform, &report, &ledger);
    assert_eq!((report.lost, platform.seen().connections), (0, 0), "{report}");
    assert!(report.resent > 0, "silence makes a terminal repeat: {report}");
}

#[tokio::test]
async fn a_storm_takes_all_connections_and_codes_and_nothing_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = Platform::start(0, |_| Deed::Ack).await;
    let mut options = options(&platform, 5);
    options.storm_every = Some(Duration::from_millis(900));
    let (report, ledger) = run(options, folder.path()).await;
    reconcile(&platform, &report, &ledger);
    assert_eq!(report.lost, 0, "{report}");
    assert!(report.reconnects >= 5 && platform.seen().registrations >= 10, "{report}");
}

#[tokio::test]
async fn a_forwarder_speaks_for_many_over_one_connection_in_single_reports() {
    for (code, script) in
        [(None, (|nth| if nth == 2 { Deed::Drop } else { Deed::Ack }) as Script), (Some("secret"), |_| Deed::Ack)]
    {
        let folder = tempfile::tempdir().expect("a folder");
        let platform = Platform::start(0, script).await;
        let mut options = options(&platform, 6);
        let path = folder.path().join("ledger.jsonl");
        options.ledger = Some(path.clone());
        let stats = Arc::new(Stats::default());
        let enough = until(Arc::clone(&stats), |now| now.generated >= 24);
        let report = fleet::run_forwarder(options, code.map(str::to_owned), stats, enough).await.expect("runs");
        let acked = reconcile(&platform, &report, &Ledger::read(path).expect("reads"));
        assert_eq!((report.lost, platform.seen().registrations), (0, 0), "{report}");
        let phones: BTreeSet<_> = acked.into_iter().map(|(phone, ..)| phone).collect();
        assert_eq!(phones.len(), 6);
        assert!(platform.seen().arrived.iter().all(|(id, _)| *id == 0x0200));
        assert!(platform.seen().connections <= 7, "one connection, and again after each drop");
    }
}

#[tokio::test]
async fn a_crowd_that_nobody_wants_comes_and_comes_again() {
    let platform = Platform::start(0, |_| Deed::Ack).await;
    let options = HostileOptions {
        to: platform.address.to_string(),
        clients: 10,
        kinds: vec![Hostile::NeverReads, Hostile::HalfOpen, Hostile::Drips],
        seed: 9,
        first_index: 0,
        connect_rate: 1_000,
        source_addresses: Vec::new(),
    };
    let stats = Arc::new(HostileStats::default());
    let watched = Arc::clone(&stats);
    let enough = async {
        while watched.bytes() < 1_000 || watched.opened() < 10 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    fleet::run_hostile(options, Arc::clone(&stats), enough).await.expect("bothers");
    assert_eq!((stats.opened(), stats.closed()), (10, 0));
}
