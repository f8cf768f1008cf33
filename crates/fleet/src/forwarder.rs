//! A forwarding platform (转发平台): the reports of many trucks over one connection. Its trucks do not introduce themselves;
//! the platform does, if it was given a code. It speaks 0x0200 only, late fixes included.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jt808::{Edition, Header, Message, Phone, Text, encode};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::clock::Clock;
use crate::error::FleetError;
use crate::identity::Identity;
use crate::ledger::{self, LedgerLine, LedgerSender};
use crate::link::Link;
use crate::options::{self, Late, Manners, Options, Transport};
use crate::report::Report;
use crate::roads::Network;
use crate::run::conduct;
use crate::schedule::Schedule;
use crate::seed::Seed;
use crate::stats::Stats;
use crate::terminal::{Delivered, Effects, Terminal};
use crate::truck::{Beginning, Truck};
use crate::vehicle::Stage;

/// How often the platform looks which trucks have something to say.
const TICK: Duration = Duration::from_millis(20);
const READ: usize = 64 * 1_024;
/// Phone of the frame in which the platform shows its code; any will do.
const OWN_PHONE: &str = "10000000000";
const CODE_ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// Runs trucks over one connection until `options.duration` is over or `shutdown` resolves. Of the options, transport,
/// editions' stores and storms count as for any fleet; dead zones and dropped connections do not. With a code the
/// platform shows it in a 0x0102 (终端鉴权) before anything else.
///
/// # Errors
/// See [`crate::run_with`].
pub async fn run_forwarder(
    options: Options,
    code: Option<String>,
    stats: Arc<Stats>,
    shutdown: impl Future<Output = ()>,
) -> Result<Report, FleetError> {
    options.check()?;
    let to = options::resolve(&options.to).await?;
    let (ledger, writing) = match options.ledger.clone() {
        Some(path) => {
            let (sender, writing) = ledger::open(path).await?;
            (Some(sender), Some(tokio::spawn(writing)))
        }
        None => (None, None),
    };
    let clock = Clock::start();
    let (stage, watching) = watch::channel(Stage::Driving);
    let carried = carried(&options, &clock)?;
    let by_phone = carried.iter().enumerate().map(|(at, one)| (phone_key(one.terminal.identity().wire_phone()), at));
    let Options { duration, drain, .. } = options;
    let by_phone = by_phone.collect();
    let platform = Forwarder { options, to, code, clock, stats: Arc::clone(&stats), ledger, carried, by_phone };
    let mut running = JoinSet::new();
    running.spawn(platform.run(watching));
    conduct(&mut running, &stage, &clock, duration, drain, shutdown).await;
    let report = Report::of(&stats, clock.elapsed());
    drop(running);
    if let Some(writing) = writing {
        writing.await.unwrap_or(Ok(()))?;
    }
    Ok(report)
}

/// A truck whose reports the platform carries.
struct Carried {
    truck: Truck,
    terminal: Terminal,
    schedule: Schedule,
}

fn carried(options: &Options, clock: &Clock) -> Result<Vec<Carried>, FleetError> {
    let beginning = Beginning { epoch_s: clock.unix_s(0), showcase: options.showcase };
    // Who is silent is not checked here: the platform has a connection of its own.
    let never = Duration::from_secs(u64::from(u32::MAX));
    let manners = Manners { late: Late::Singles, heartbeat: never, ..options.manners };
    let mut all = Vec::new();
    for nth in 0..options.vehicles {
        let index = options.first_index + nth;
        let identity = Identity::new(options.seed, index, options.editions)?;
        let Some(truck) = Truck::new(options.seed, index, Network::qujing(), beginning) else { continue };
        let seed = Seed::of_vehicle(options.seed, index);
        let schedule = Schedule::new(seed, 0, options.interval.as_micros() as u64);
        all.push(Carried { truck, terminal: Terminal::new(identity, manners), schedule });
    }
    Ok(all)
}

/// Phones of six and of ten bytes are the same without their leading zeros.
fn phone_key(phone: Phone) -> u128 {
    phone.bytes().iter().fold(0, |key, byte| key << 8 | u128::from(*byte))
}

struct Forwarder {
    options: Options,
    to: SocketAddr,
    code: Option<String>,
    clock: Clock,
    stats: Arc<Stats>,
    ledger: Option<LedgerSender>,
    carried: Vec<Carried>,
    by_phone: BTreeMap<u128, usize>,
}

impl Forwarder {
    async fn run(mut self, mut stage: watch::Receiver<Stage>) {
        let mut connected_before = false;
        loop {
            match Link::open(self.to, self.options.source_addresses.first().copied(), Transport::Tcp).await {
                Ok(link) => {
                    self.stats.reconnects.add(u64::from(connected_before));
                    connected_before = true;
                    let over = self.carry(link, &mut stage).await.is_ok();
                    for one in &mut self.carried {
                        one.terminal.disconnected(&self.stats);
                    }
                    if over {
                        break;
                    }
                }
                Err(_) => self.stats.connect_failures.add(1),
            }
            if self.is_over(*stage.borrow_and_update()) {
                break;
            }
            self.drive();
            sleep(self.options.manners.reconnect_pause).await;
        }
        self.leave().await;
    }

    /// One connection, from its opening to its loss (an error) or the end of the run.
    async fn carry(&mut self, mut link: Link, stage: &mut watch::Receiver<Stage>) -> io::Result<()> {
        if let Some(code) = self.code.clone() {
            show_code(&mut link, &code).await?;
        }
        for one in &mut self.carried {
            one.terminal.carried(&self.stats);
        }
        loop {
            let at = *stage.borrow_and_update();
            if at == Stage::Driving {
                self.drive();
            }
            if self.is_over(at) {
                return Ok(());
            }
            let mut fx = Effects::default();
            let now_us = self.clock.now_us();
            for one in &mut self.carried {
                one.terminal.poll(now_us, &self.stats, &mut fx).map_err(|_| io::ErrorKind::TimedOut)?;
            }
            if !fx.wire.is_empty() {
                link.write(&fx.wire).await?;
            }
            if let Ok(ready) = timeout(TICK, link.readable()).await {
                ready?;
                self.read(&mut link).await?;
            }
        }
    }

    fn is_over(&self, stage: Stage) -> bool {
        match stage {
            Stage::Driving => false,
            Stage::Draining { until_us } => {
                self.clock.now_us() >= until_us || self.carried.iter().all(|one| one.terminal.kept_len() == 0)
            }
        }
    }

    /// Takes every fix that is due.
    fn drive(&mut self) {
        let now_us = self.clock.now_us();
        for one in &mut self.carried {
            while one.schedule.next_us() <= now_us {
                let due_us = one.schedule.advance();
                one.truck.advance_to(Network::qujing(), due_us / 1_000_000);
                one.terminal.take(one.truck.fix(self.clock.unix_s(due_us) as i64), &self.stats);
            }
        }
    }

    async fn read(&mut self, link: &mut Link) -> io::Result<()> {
        let (mut out, mut delivered) = (Vec::new(), Vec::<(usize, Delivered)>::new());
        let mut verdict = Ok(());
        let now_us = self.clock.now_us();
        let (carried, by_phone, stats) = (&mut self.carried, &self.by_phone, &self.stats);
        let read = link.read::<READ>(|frame| {
            let Some(at) = by_phone.get(&phone_key(frame.header.phone)).copied() else { return };
            let Some(one) = carried.get_mut(at) else { return };
            let mut fx = Effects::default();
            verdict = verdict.and(one.terminal.received(frame, now_us, stats, &mut fx));
            out.extend_from_slice(&fx.wire);
            delivered.extend(fx.delivered.into_iter().map(|one| (at, one)));
        });
        if let Some(ledger) = &self.ledger {
            for (at, one) in delivered {
                let Some(carried) = self.carried.get(at) else { continue };
                // A ledger that cannot be written is the run's error, told at its end.
                let line = LedgerLine::acked(carried.terminal.identity(), &self.clock, one, now_us);
                let _ = ledger.send(line).await;
            }
        }
        read?;
        verdict.map_err(|_| io::ErrorKind::ConnectionRefused)?;
        if out.is_empty() { Ok(()) } else { link.write(&out).await }
    }

    /// The end: enters what was never acknowledged.
    async fn leave(self) {
        let Some(ledger) = &self.ledger else { return };
        for one in &self.carried {
            for kept in one.terminal.kept() {
                let _ = ledger.send(LedgerLine::kept(one.terminal.identity(), &self.clock, kept)).await;
            }
        }
    }
}

/// Shows the account's code and waits until it is accepted.
async fn show_code(link: &mut Link, code: &str) -> io::Result<()> {
    let phone = Phone::from_digits(OWN_PHONE, Edition::V2013).map_err(io::Error::other)?;
    let authenticate = jt808::Authenticate { code: Text::from(code), imei: None, software_version: None };
    let mut wire = Vec::new();
    let header = Header::new(0x0102, Edition::V2013, phone, 0);
    encode(&header, &Message::Authenticate(authenticate), &mut wire).map_err(io::Error::other)?;
    link.write(&wire).await?;
    let mut accepted = None;
    while accepted.is_none() {
        timeout(CODE_ANSWERED_WITHIN, link.readable()).await.map_err(|_| io::ErrorKind::TimedOut)??;
        link.read::<512>(|frame| {
            if let (0x8001, [_, _, 0x01, 0x02, result]) = (frame.header.id, frame.body) {
                accepted = Some(*result == 0);
            }
        })?;
    }
    if accepted == Some(true) { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}
