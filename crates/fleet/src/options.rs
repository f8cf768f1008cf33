//! What a run is asked to do, and whether that makes sense. Checked before anything is opened.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use jt808::{Edition, MAX_BODY};

use crate::error::FleetError;
use crate::identity::VEHICLES_MAX;
use crate::seed::{Purpose, Seed};

/// Connections that one source address carries comfortably: the system has about 28,000 ephemeral ports for each,
/// and those of closed connections rest for a minute.
const CONNECTIONS_PER_ADDRESS: u32 = 5_000;
/// Open files a process needs besides its connections.
const OTHER_FILES: u64 = 64;

/// Weights of the protocol editions in a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Editions {
    /// JT/T 808-2011.
    pub v2011: u32,
    /// The specification of January 2013.
    pub v2013: u32,
    /// JT/T 808-2019.
    pub v2019: u32,
}

impl Default for Editions {
    fn default() -> Self {
        Self { v2011: 1, v2013: 5, v2019: 4 }
    }
}

impl Editions {
    pub(crate) fn draw(self, seed: Seed) -> Option<Edition> {
        let weights = [self.v2011, self.v2013, self.v2019];
        let index = seed.weighted(Purpose::Edition, 0, weights.into_iter())?;
        [Edition::V2011, Edition::V2013, Edition::V2019].get(index).copied()
    }
}

/// How fixes go that were stored. A terminal of 2011 knows single reports only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// Each as a late 0x0200.
    Singles,
    /// As many as fit a frame, in 0x0704 type 1 (盲区补报).
    Batches,
    /// In 0x0704 that is cut into parts (分包), each of which is answered.
    Parts {
        /// Bytes of a part's body, 64 to 1,023.
        bytes: usize,
        /// Parts of a message at most.
        max: usize,
    },
}

impl Late {
    /// Bytes of the longest body; `None` when there is but one report in it.
    pub(crate) fn body_bytes(self) -> Option<usize> {
        match self {
            Self::Singles => None,
            Self::Batches => Some(MAX_BODY),
            Self::Parts { bytes, max } => Some(bytes * max),
        }
    }

    /// Bytes at which a body is cut.
    pub(crate) fn part_bytes(self) -> usize {
        if let Self::Parts { bytes, .. } = self { bytes } else { MAX_BODY }
    }
}

/// What carries the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// A connection.
    #[default]
    Tcp,
    /// Datagrams of whole frames; a terminal is known by its phone and its address.
    Udp,
}

/// How a terminal behaves towards the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manners {
    /// Location frames that may be unanswered at a time.
    pub window: usize,
    /// T1: how long the first answer is waited for; then T(N+1) = T(N) * (N+1) (JT/T 808-2019 7.2).
    pub answer_timeout: Duration,
    /// Repetitions of a frame before the terminal gives the connection up.
    pub retries: u32,
    /// Heartbeat (0x0002) when nothing else was sent for so long.
    pub heartbeat: Duration,
    /// Fixes a terminal can keep until they are acknowledged; when full, new ones are counted as overflowed.
    pub store_max: usize,
    /// How stored fixes go.
    pub late: Late,
    /// A message in parts that was interrupted goes on with the parts that are not acknowledged, with their serials, if
    /// it began no longer ago; otherwise its fixes are sent anew. Shorter than platforms keep parts (five minutes).
    pub resume_within: Duration,
    /// Whether a refused report makes the terminal introduce itself again: where there is no connection to lose, this
    /// is how it learns that the platform has forgotten it.
    pub introduces_again: bool,
    /// The first pause before connecting again; it doubles up to thirty times itself.
    pub reconnect_pause: Duration,
    /// The first pause after a refused registration or authentication; it doubles up to sixteen times itself.
    pub refused_pause: Duration,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            window: 1,
            answer_timeout: Duration::from_secs(10),
            retries: 3,
            heartbeat: Duration::from_secs(60),
            store_max: 20_000,
            late: Late::Batches,
            resume_within: Duration::from_secs(120),
            introduces_again: false,
            reconnect_pause: Duration::from_millis(100),
            refused_pause: Duration::from_secs(4),
        }
    }
}

/// A paced run: trucks that report at an interval.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server, `HOST:PORT`.
    pub to: String,
    /// How many trucks.
    pub vehicles: u32,
    /// Time between two reports of one truck, at least 1 s (fix times are whole seconds).
    pub interval: Duration,
    /// When to stop; `None`: only on shutdown.
    pub duration: Option<Duration>,
    /// After the end, how long to wait for what is still unanswered or stored.
    pub drain: Duration,
    /// Which fleet: another seed is other phones, plates and trips.
    pub seed: u64,
    /// Index of the first truck: several processes can share a seed.
    pub first_index: u32,
    /// Virtual seconds a truck drives in one real second. Fix times stay real, so above 1 the distances between
    /// fixes imply speeds so many times the reported ones: lively to look at, implausible to judge.
    pub speedup: f64,
    /// What carries the frames.
    pub transport: Transport,
    /// Positions of so long before the run lie in each truck's store when it begins.
    pub backlog: Duration,
    /// All trucks drop their connection and their code at once, so often, and register anew without a pause.
    pub storm_every: Option<Duration>,
    /// Which editions are spoken.
    pub editions: Editions,
    /// How terminals behave.
    pub manners: Manners,
    /// Whether valleys and tunnels cut the radio: fixes are stored and come later (0x0704 type 1; 2011: late 0x0200).
    pub dead_zones: bool,
    /// Whether terminals drop their connection at random, some right after a report, some with a reset.
    pub reconnects: bool,
    /// Whether one truck in eight begins just before a bridge.
    pub showcase: bool,
    /// New connections a second while the fleet comes up.
    pub connect_rate: u32,
    /// Local addresses to connect from, in turn. Empty: the system's choice, or for a server on this machine as many
    /// 127.0.0.x as the number of trucks needs.
    pub source_addresses: Vec<IpAddr>,
    /// Where to keep the ledger of what was acknowledged.
    pub ledger: Option<PathBuf>,
}

impl Options {
    /// `vehicles` trucks towards `to` (`HOST:PORT`), one report every 30 s, until shutdown.
    #[must_use]
    pub fn new(to: impl Into<String>, vehicles: u32) -> Self {
        Self {
            to: to.into(),
            vehicles,
            interval: Duration::from_secs(30),
            duration: None,
            drain: Duration::from_secs(10),
            seed: 1,
            first_index: 0,
            speedup: 1.0,
            transport: Transport::default(),
            backlog: Duration::ZERO,
            storm_every: None,
            editions: Editions::default(),
            manners: Manners::default(),
            dead_zones: false,
            reconnects: false,
            showcase: true,
            connect_rate: 500,
            source_addresses: Vec::new(),
            ledger: None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), FleetError> {
        usage(self.interval < Duration::from_secs(1), "the interval is below 1 s: fix times are whole seconds")?;
        usage(!(self.speedup > 0.0 && self.speedup <= 3_600.0), "the speedup lies outside 0..3600")?;
        usage(self.storm_every.is_some_and(|every| every.is_zero()), "storms cannot be without a pause")?;
        self.manners.check()?;
        usage(self.connect_rate == 0, "a connect rate of 0 would never connect")?;
        check_vehicles(self.first_index, self.vehicles)
    }
}

fn usage(bad: bool, why: &str) -> Result<(), FleetError> {
    if bad { Err(FleetError::Usage(why.to_owned())) } else { Ok(()) }
}

impl Manners {
    pub(crate) fn check(&self) -> Result<(), FleetError> {
        usage(self.window == 0, "a window of 0 would never send")?;
        usage(self.store_max == 0, "a store for 0 fixes would keep nothing")?;
        if let Late::Parts { bytes, max } = self.late {
            usage(!(64..=MAX_BODY).contains(&bytes), "a part has 64 to 1023 bytes")?;
            usage(!(1..=1_024).contains(&max), "a message has 1 to 1024 parts")?;
        }
        Ok(())
    }
}

pub(crate) fn check_vehicles(first_index: u32, vehicles: u32) -> Result<(), FleetError> {
    let last = first_index.checked_add(vehicles);
    if vehicles == 0 || last.is_none_or(|last| last > VEHICLES_MAX) {
        return Err(FleetError::Usage(format!("vehicles are 1 to {VEHICLES_MAX}, the first index included")));
    }
    let needed = u64::from(vehicles) + OTHER_FILES;
    let limit = rlimit::increase_nofile_limit(needed.max(1_024)).unwrap_or(needed);
    if limit < needed { Err(FleetError::OpenFiles { needed, limit }) } else { Ok(()) }
}

pub(crate) async fn resolve(to: &str) -> Result<SocketAddr, FleetError> {
    let fail = |source| FleetError::Resolve { to: to.to_owned(), source };
    let mut found = tokio::net::lookup_host(to).await.map_err(fail)?;
    found.next().ok_or_else(|| fail(std::io::ErrorKind::NotFound.into()))
}

/// The local addresses to connect from, in turn.
pub(crate) fn sources(given: &[IpAddr], to: SocketAddr, vehicles: u32) -> Vec<IpAddr> {
    let many = vehicles.div_ceil(CONNECTIONS_PER_ADDRESS);
    match to.ip() {
        _ if !given.is_empty() => given.to_vec(),
        IpAddr::V4(ip) if ip.is_loopback() && many > 1 => {
            (0..many).map(|i| IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1 + i as u8))).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused_before_anything_is_opened() {
        let cases: [fn(&mut Options); 9] = [
            |o| o.manners.late = Late::Parts { bytes: 1_024, max: 4 },
            |o| o.storm_every = Some(Duration::ZERO),
            |o| o.interval = Duration::from_millis(999),
            |o| o.speedup = f64::NAN,
            |o| o.speedup = 0.0,
            |o| o.manners.window = 0,
            |o| o.vehicles = 0,
            |o| o.first_index = VEHICLES_MAX,
            |o| o.connect_rate = 0,
        ];
        assert!(Options::new("localhost:1", 10).check().is_ok());
        for (at, spoil) in cases.iter().enumerate() {
            let mut options = Options::new("localhost:1", 10);
            spoil(&mut options);
            assert!(matches!(options.check(), Err(FleetError::Usage(_))), "case {at}");
        }
    }

    #[test]
    fn a_large_fleet_spreads_over_loopback_addresses() {
        let here = "127.0.0.1:6808".parse().expect("an address");
        assert_eq!(sources(&[], here, 100), Vec::<IpAddr>::new());
        assert_eq!(sources(&[], here, 12_000).len(), 3);
        assert_eq!(sources(&[], "192.0.2.1:6808".parse().expect("an address"), 12_000), Vec::<IpAddr>::new());
        let own: IpAddr = "10.0.0.9".parse().expect("an address");
        assert_eq!(sources(&[own], here, 12_000), [own]);
    }
}
