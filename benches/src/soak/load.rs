//! The mixed load of a soak: trucks of every kind, each kind with counters and a ledger of its own, and beside them
//! clients that nobody wants and readers over HTTP.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use fleet::{Editions, FleetError, Hostile, HostileOptions, HostileStats, Late, Options, Report, Stats, Transport};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cli::Soak;
use crate::error::Failure;
use crate::http::Http;
use crate::terminal::{SEED, identity};

/// Where the forwarding platform connects from.
const FORWARDER_FROM: Ipv4Addr = Ipv4Addr::new(127, 0, 9, 9);
const DRAIN: Duration = Duration::from_secs(60);
/// What a truck's store holds: a day at a position a second.
const STORE_MAX: usize = 90_000;
const STORM_EVERY: Duration = Duration::from_secs(45);
/// Between two questions of a reader.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// An answer of HTTP slower than this is counted.
const SLOW: Duration = Duration::from_secs(5);

/// A kind of truck, and its share of all in percent.
struct Kind {
    name: &'static str,
    percent: u32,
    with: fn(&mut Options, &Soak),
}

const KINDS: [Kind; 6] = [
    Kind { name: "connected", percent: 45, with: |_, _| () },
    Kind {
        name: "late",
        percent: 15,
        with: |options, _| {
            options.dead_zones = true;
            options.reconnects = true;
            options.speedup = 20.0;
        },
    },
    Kind {
        name: "in parts",
        percent: 10,
        with: |options, soak| {
            options.backlog = Duration::from_hours(soak.backlog);
            options.manners.store_max = STORE_MAX;
            options.reconnects = true;
            options.manners.late = Late::Parts { bytes: 1_000, max: 12 };
            options.editions = Editions { v2011: 0, ..options.editions };
        },
    },
    Kind { name: "storms", percent: 10, with: |options, _| options.storm_every = Some(STORM_EVERY) },
    Kind {
        name: "UDP",
        percent: 10,
        with: |options, _| {
            options.transport = Transport::Udp;
            options.manners.introduces_again = true;
            options.manners.answer_timeout = Duration::from_secs(2);
            options.manners.retries = 1;
        },
    },
    Kind { name: FORWARDED, percent: 10, with: |options, _| options.source_addresses = vec![FORWARDER_FROM.into()] },
];
const FORWARDED: &str = "forwarded";

/// Trucks of one kind on their way.
pub(super) struct Fleet {
    pub(super) name: &'static str,
    pub(super) stats: Arc<Stats>,
    pub(super) ledger: PathBuf,
    running: JoinHandle<Result<Report, FleetError>>,
}

/// All that bothers the server.
pub(super) struct Load {
    pub(super) fleets: Vec<Fleet>,
    pub(super) hostile: Arc<HostileStats>,
    pub(super) readers: Arc<Readers>,
    stop: watch::Sender<bool>,
}

/// What the readers have seen.
#[derive(Debug, Default)]
pub(super) struct Readers {
    pub(super) asked: AtomicU64,
    /// Answered 503: the views lag, or the server is full.
    pub(super) unavailable: AtomicU64,
    pub(super) slow: AtomicU64,
    pub(super) errors: AtomicU64,
    stop: AtomicBool,
}

/// Sends all kinds off. The forwarding platform and its trucks are admitted first.
pub(super) fn start(options: &Soak, jt808: SocketAddr, http: SocketAddr, folder: &Path) -> Result<Load, Failure> {
    let session = Http::log_in(http)?;
    let (stop, stopped) = watch::channel(false);
    let ended = |mut stopped: watch::Receiver<bool>| async move {
        // If the sender is gone, so is the soak.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let (mut fleets, mut first) = (Vec::new(), 0);
    for Kind { name, percent, with } in KINDS {
        let vehicles = (options.vehicles * percent / 100).max(1);
        let mut trucks = Options::new(jt808.to_string(), vehicles);
        trucks.seed = SEED;
        trucks.first_index = first;
        trucks.interval = Duration::from_secs(options.interval.max(1));
        trucks.drain = DRAIN;
        let ledger = folder.join(format!("ledger-{}.jsonl", name.replace(' ', "-")));
        trucks.ledger = Some(ledger.clone());
        with(&mut trucks, options);
        let stats = Arc::new(Stats::default());
        let until = ended(stopped.clone());
        let counted = stats.clone();
        let running = if name == FORWARDED {
            admit(&session, first, vehicles)?;
            tokio::spawn(fleet::run_forwarder(trucks, None, counted, until))
        } else {
            tokio::spawn(fleet::run_with(trucks, counted, until))
        };
        fleets.push(Fleet { name, stats, ledger, running });
        first += vehicles;
    }
    let crowd = HostileOptions {
        to: jt808.to_string(),
        clients: options.hostile.max(1),
        kinds: Hostile::ALL.to_vec(),
        seed: SEED,
        first_index: first,
        connect_rate: 100,
        source_addresses: vec![IpAddr::V4(Ipv4Addr::new(127, 0, 66, 6))],
    };
    let hostile = Arc::new(HostileStats::default());
    tokio::spawn(fleet::run_hostile(crowd, hostile.clone(), ended(stopped)));
    let readers = Arc::new(Readers::default());
    for nth in 0..2 {
        let (session, readers, all) = (session.clone(), readers.clone(), first);
        std::thread::spawn(move || readers.read(&session, nth, all));
    }
    Ok(Load { fleets, hostile, readers, stop })
}

/// Registers the trucks of the platform, and lets it in by its address.
fn admit(session: &Http, first: u32, vehicles: u32) -> Result<(), Failure> {
    let mut csv = "plate,colour,carrier,phone\n".to_owned();
    for index in first..first + vehicles {
        let one = identity(index)?;
        csv += &format!("{},{},Forwarded,{}\n", one.plate, one.plate_colour, one.phone);
    }
    session.post("imports/vehicles", "text/csv", &csv)?;
    let platform = json!({ "name": "Platform", "networks": [format!("{FORWARDER_FROM}/32")], "needs_code": false });
    session.post("forwarders", "application/json", &platform.to_string()).map(drop)
}

impl Load {
    /// Ends it all; each kind delivers what it still has. The reports, by kind.
    pub(super) async fn stop(self) -> Result<Vec<(&'static str, PathBuf, Report)>, Failure> {
        self.readers.stop.store(true, Relaxed);
        self.stop.send_replace(true);
        let mut reports = Vec::new();
        for fleet in self.fleets {
            let report = fleet.running.await.map_err(Failure::other("run a fleet"))?;
            reports.push((fleet.name, fleet.ledger, report.map_err(Failure::other("run a fleet"))?));
        }
        Ok(reports)
    }
}

impl Readers {
    /// Asks what people ask, in turn, until the soak is over.
    fn read(&self, session: &Http, nth: u64, vehicles: u32) {
        for turn in nth.. {
            if self.stop.load(Relaxed) {
                return;
            }
            let index = (turn * 7_919 % u64::from(vehicles)) as u32;
            let path = match (turn % 5, identity(index)) {
                (0, _) => "vehicles?limit=200".to_owned(),
                (1, _) => "violations?limit=100".to_owned(),
                (2, _) => "terminals/unknown?limit=100".to_owned(),
                (3, Ok(one)) => format!("vehicles/{}", one.phone),
                (_, Ok(one)) => format!("vehicles/{}/track?{}", one.phone, last_hours(6)),
                (_, Err(_)) => continue,
            };
            let at = Instant::now();
            // A truck that has not come yet is not found: no mistake of the server.
            let status = session.get(&path).map(|mut response| {
                let whole = response.body_mut().with_config().limit(256 << 20).read_to_vec().is_ok();
                if whole { response.status().as_u16() } else { 0 }
            });
            self.asked.fetch_add(1, Relaxed);
            self.slow.fetch_add(u64::from(at.elapsed() > SLOW), Relaxed);
            match status {
                Ok(200 | 404) => {}
                Ok(503) => drop(self.unavailable.fetch_add(1, Relaxed)),
                _ => drop(self.errors.fetch_add(1, Relaxed)),
            }
            std::thread::sleep(ASK_EVERY);
        }
    }
}

/// The last hours as a query.
fn last_hours(hours: i64) -> String {
    let now = jiff::Timestamp::now().as_second();
    let [from, to] = [now - hours * 3_600, now + 3_600].map(|s| jiff::Timestamp::from_second(s).unwrap_or_default());
    format!("from={from}&to={to}")
}
