//! The load mode: connections that send prebuilt reports as fast as answers come, a window of them unanswered at a
//! time. Built to cost little beside the server it measures: only time, serial and check code differ from frame to
//! frame. Fix times run one second a report from the past, so that a server judges a plausible drive.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jt808::{BASE_LEN, BcdTime, Edition, Frame, Header, Message, encode_frame};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::clock::Clock;
use crate::error::FleetError;
use crate::identity::Identity;
use crate::link::Link;
use crate::options::{self, Editions, Manners};
use crate::report::Report;
use crate::roads::Network;
use crate::run::conduct;
use crate::stats::Stats;
use crate::terminal::{Effects, Terminal};
use crate::truck::{Beginning, Truck};
use crate::vehicle::Stage;

/// Reports prepared a truck; then it drives the same way back.
const PREPARED: u64 = 256;
/// A connection on which nothing was heard for so long is given up.
const SILENCE: Duration = Duration::from_secs(30);
const RECONNECT_PAUSE: Duration = Duration::from_millis(200);
const READ: usize = 16 * 1_024;
/// Offset of the time field in a report (JT/T 808-2019 table 23).
const TIME_AT: usize = 22;
/// Half of the serial numbers: a wider window could not tell old answers from new.
const WINDOW_MAX: usize = 1 << 15;

/// A run at full speed.
#[derive(Clone, Debug)]
pub struct RawOptions {
    /// The server, `HOST:PORT`.
    pub to: String,
    /// How many connections, one terminal each.
    pub connections: u32,
    /// Unanswered reports a connection.
    pub window: usize,
    /// When to stop; `None`: only on shutdown.
    pub duration: Option<Duration>,
    /// After the end, how long to wait for answers.
    pub drain: Duration,
    /// Which fleet.
    pub seed: u64,
    /// Index of the first terminal.
    pub first_index: u32,
    /// Which editions are spoken.
    pub editions: Editions,
    /// How long ago fix times begin. Each terminal moves on one second a report.
    pub age: Duration,
    /// New connections a second while the run comes up.
    pub connect_rate: u32,
    /// See [`crate::Options::source_addresses`].
    pub source_addresses: Vec<IpAddr>,
}

impl RawOptions {
    /// So many connections with so many unanswered reports each, until shutdown.
    #[must_use]
    pub fn new(to: impl Into<String>, connections: u32, window: usize) -> Self {
        Self {
            to: to.into(),
            connections,
            window,
            duration: None,
            drain: Duration::from_secs(10),
            seed: 1,
            first_index: 0,
            editions: Editions::default(),
            age: Duration::from_hours(30 * 24),
            connect_rate: 1_000,
            source_addresses: Vec::new(),
        }
    }

    fn check(&self) -> Result<(), FleetError> {
        if !(1..=WINDOW_MAX).contains(&self.window) {
            return Err(FleetError::Usage(format!("a window is 1 to {WINDOW_MAX} reports")));
        }
        if self.connect_rate == 0 {
            return Err(FleetError::Usage("a connect rate of 0 would never connect".to_owned()));
        }
        options::check_vehicles(self.first_index, self.connections)
    }
}

/// Runs at full speed until the duration is over or `shutdown` resolves. Counters go to `stats`. Positions are lost
/// when they are refused, or still unanswered after the drain; those on a broken connection are sent again.
///
/// # Errors
/// See [`crate::run_with`]; there is no ledger.
pub async fn run_raw(
    options: RawOptions,
    stats: Arc<Stats>,
    shutdown: impl Future<Output = ()>,
) -> Result<Report, FleetError> {
    options.check()?;
    let to = options::resolve(&options.to).await?;
    let sources = options::sources(&options.source_addresses, to, options.connections);
    let clock = Clock::start();
    let (stage, watching) = watch::channel(Stage::Driving);
    let mut lanes = JoinSet::new();
    for nth in 0..options.connections {
        let identity = Identity::new(options.seed, options.first_index + nth, options.editions)?;
        let from = (nth as usize).checked_rem(sources.len()).and_then(|at| sources.get(at)).copied();
        let begin = Duration::from_secs_f64(f64::from(nth) / f64::from(options.connect_rate));
        let Some(lane) = Lane::new(&options, nth, identity, clock, Arc::clone(&stats)) else { continue };
        lanes.spawn(lane.run(to, from, begin, watching.clone()));
    }
    conduct(&mut lanes, &stage, &clock, options.duration, options.drain, shutdown).await;
    Ok(Report::of(&stats, clock.elapsed()))
}

/// A report on its way.
#[derive(Clone, Copy, Debug)]
struct Flight {
    number: u64,
    sent_us: u64,
}

/// One connection's worth of reports.
struct Lane {
    clock: Clock,
    stats: Arc<Stats>,
    terminal: Terminal,
    header: Header,
    /// Bodies of one drive there and back; report `number` uses the one at its remainder.
    bodies: Vec<Box<[u8]>>,
    begin_s: i64,
    window: usize,
    /// By serial, modulo a power of two.
    flights: Vec<Option<Flight>>,
    flying: usize,
    next: u64,
    again: VecDeque<u64>,
}

impl Lane {
    fn new(options: &RawOptions, nth: u32, identity: Identity, clock: Clock, stats: Arc<Stats>) -> Option<Self> {
        let bodies = drive(options.seed, options.first_index + nth, identity.edition)?;
        let header = Header::new(0x0200, identity.edition, identity.wire_phone(), 0);
        Some(Self {
            clock,
            stats,
            terminal: Terminal::new(identity, Manners::default()),
            header,
            bodies,
            begin_s: clock.unix_s(0).saturating_sub(options.age.as_secs()) as i64,
            window: options.window,
            flights: vec![None; options.window.next_power_of_two()],
            flying: 0,
            next: 0,
            again: VecDeque::new(),
        })
    }

    async fn run(mut self, to: SocketAddr, from: Option<IpAddr>, begin: Duration, mut stage: watch::Receiver<Stage>) {
        let mut connected_before = false;
        let mut pause = begin;
        loop {
            tokio::select! {
                () = sleep(pause) => {}
                changed = stage.changed() => if changed.is_err() || self.again.is_empty() { return },
            }
            match Link::open(to, from).await {
                Ok(link) => {
                    self.stats.reconnects.add(u64::from(connected_before));
                    connected_before = true;
                    if self.talk(link, &mut stage).await.is_ok() {
                        return;
                    }
                }
                Err(_) => self.stats.connect_failures.add(1),
            }
            self.land_all();
            pause = RECONNECT_PAUSE;
        }
    }

    /// One connection from its opening to its loss (an error) or the end of the run.
    async fn talk(&mut self, mut link: Link, stage: &mut watch::Receiver<Stage>) -> io::Result<()> {
        let mut fx = Effects::default();
        self.terminal.connected(self.clock.now_us(), &mut fx);
        let mut out = fx.wire;
        loop {
            let driving = *stage.borrow_and_update() == Stage::Driving;
            if self.terminal.is_online() {
                self.fill(driving, &mut out);
            }
            if !driving && self.flying == 0 {
                return Ok(());
            }
            if !out.is_empty() {
                link.write(&out).await?;
                out.clear();
            }
            tokio::select! {
                ready = timeout(SILENCE, link.readable()) => ready.map_err(|_| io::ErrorKind::TimedOut)??,
                _ = stage.changed() => continue,
            }
            self.read(&mut link, &mut out)?;
        }
    }

    /// Writes as many reports as the window has room for.
    fn fill(&mut self, driving: bool, out: &mut Vec<u8>) {
        let now_us = self.clock.now_us();
        let (mut fresh, mut repeated) = (0, 0);
        while self.flying < self.window {
            let serial = self.header.serial;
            let slot = usize::from(serial) & (self.flights.len() - 1);
            let Some(flight @ None) = self.flights.get_mut(slot) else { break };
            let number = match self.again.pop_front() {
                Some(number) => {
                    repeated += 1;
                    number
                }
                None if driving => {
                    self.next += 1;
                    fresh += 1;
                    self.next - 1
                }
                None => break,
            };
            *flight = Some(Flight { number, sent_us: now_us });
            self.flying += 1;
            self.write_report(number, out);
            self.header.serial = serial.wrapping_add(1);
        }
        self.stats.generated.add(fresh);
        self.stats.sent.add(fresh + repeated);
        self.stats.resent.add(repeated);
    }

    fn write_report(&mut self, number: u64, out: &mut Vec<u8>) {
        let at = (number % self.bodies.len() as u64) as usize;
        let Some(body) = self.bodies.get_mut(at) else { return };
        let time = BcdTime::from_utc_s(self.begin_s + number as i64).map_or([0; 6], BcdTime::to_bytes);
        if let Some(field) = body.get_mut(TIME_AT..BASE_LEN) {
            field.copy_from_slice(&time);
        }
        encode_frame(&self.header, body, out).expect("a report fits a frame");
    }

    fn read(&mut self, link: &mut Link, out: &mut Vec<u8>) -> io::Result<()> {
        let now_us = self.clock.now_us();
        let mut acked = 0;
        let mut hung_up = false;
        link.read::<READ>(|frame| match answered_report(frame) {
            Some((serial, result)) => acked += u64::from(self.land(serial, result, now_us)),
            None => hung_up |= self.other(frame, now_us, out),
        })?;
        self.stats.acked.add(acked);
        if hung_up { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    /// What is no answer to a report is the terminal's to handle. Whether it wants to hang up.
    fn other(&mut self, frame: &Frame<'_>, now_us: u64, out: &mut Vec<u8>) -> bool {
        let was_online = self.terminal.is_online();
        self.terminal.set_serial(self.header.serial);
        let mut fx = Effects::default();
        let verdict = self.terminal.received(frame, now_us, &self.stats, &mut fx);
        out.extend_from_slice(&fx.wire);
        self.header.serial = self.terminal.next_serial();
        debug_assert!(was_online || self.flying == 0, "no report leaves before authentication");
        verdict.is_err()
    }

    /// An answer to a report. Whether it acknowledged one that was still open.
    fn land(&mut self, serial: u16, result: u8, now_us: u64) -> bool {
        let slot = usize::from(serial) & (self.flights.len() - 1);
        let Some(flight) = self.flights.get_mut(slot).and_then(Option::take) else { return false };
        self.flying -= 1;
        if result == 0 {
            self.stats.latency.record(now_us.saturating_sub(flight.sent_us));
        } else {
            self.stats.refuse(0x0200, result);
        }
        result == 0
    }

    /// The connection is gone: what was on its way goes first on the next one.
    fn land_all(&mut self) {
        self.terminal.disconnected(&self.stats);
        let mut numbers: Vec<u64> = self
            .flights
            .iter_mut()
            .filter_map(Option::take)
            .map(|flight| flight.number)
            .chain(self.again.drain(..))
            .collect();
        numbers.sort_unstable();
        self.again = numbers.into();
        self.flying = 0;
    }
}

/// (serial, result) of a general answer to a location report.
fn answered_report(frame: &Frame<'_>) -> Option<(u16, u8)> {
    match (frame.header.id, frame.body) {
        (0x8001, &[s0, s1, 0x02, 0x00, result]) if frame.check_ok => Some((u16::from_be_bytes([s0, s1]), result)),
        _ => None,
    }
}

/// Bodies of a drive, a second apart, there and back.
fn drive(seed: u64, index: u32, edition: Edition) -> Option<Vec<Box<[u8]>>> {
    let network = Network::qujing();
    let mut truck = Truck::new(seed, index, network, Beginning { epoch_s: 0, showcase: false })?;
    let mut fixes = Vec::new();
    for second in 0..PREPARED {
        truck.advance_to(network, second);
        fixes.push(truck.fix(0));
    }
    let back: Vec<_> = fixes.iter().rev().copied().collect();
    fixes.extend(back.into_iter().map(|mut fix| {
        fix.direction_deg = (fix.direction_deg + 180) % 360;
        fix
    }));
    let body = |fix: &crate::gnss::Fix| {
        let mut body = Vec::new();
        Message::Location(fix.report(edition)).encode_body(edition, &mut body).ok()?;
        Some(body.into_boxed_slice())
    };
    fixes.iter().map(body).collect()
}
