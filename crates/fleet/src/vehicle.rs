//! One truck with its terminal on a socket: drives by the schedule whether or not there is a connection, and keeps
//! what it has not been thanked for.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::sleep_until;

use crate::clock::Clock;
use crate::ledger::{LedgerLine, LedgerSender};
use crate::link::Link;
use crate::options::Options;
use crate::outbox::Kept;
use crate::roads::Network;
use crate::schedule::{Coverage, Schedule};
use crate::seed::Purpose;
use crate::stats::Stats;
use crate::terminal::{Effects, HangUp, Terminal};
use crate::truck::Truck;

/// One random drop in so many reports.
const DROP_EVERY: u64 = 120;
/// The longest a random drop keeps a terminal away.
const DROP_PAUSE_MAX_US: f64 = 4e6;
/// How often a pause may double.
const DOUBLINGS_MAX: u32 = 5;
const REFUSED_DOUBLINGS_MAX: u32 = 4;
/// Bytes read at once: answers are 15 to 30 bytes, texts up to 1 KiB.
const READ: usize = 2_048;

/// What all trucks of a run share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) options: Options,
    pub(crate) to: SocketAddr,
    pub(crate) sources: Vec<IpAddr>,
    pub(crate) clock: Clock,
    pub(crate) stats: Arc<Stats>,
    pub(crate) ledger: Option<LedgerSender>,
    pub(crate) coverage: Coverage,
}

/// Where a run is: trucks drive, or only deliver what they still have until the given microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Driving,
    Draining { until_us: u64 },
}

pub(crate) struct Vehicle {
    context: Arc<Context>,
    truck: Truck,
    terminal: Terminal,
    schedule: Schedule,
    source: Option<IpAddr>,
    link: Option<Link>,
    /// No connection before this.
    connect_after_us: u64,
    failures: u32,
    refusals: u32,
    connected_before: bool,
    out_of_reach: bool,
    drop_due: bool,
    /// When the next storm comes.
    storm_us: Option<u64>,
    /// The truck has driven what lies in its store before the run, so many seconds.
    before_s: u64,
}

/// Why a round ended the connection.
#[derive(Clone, Copy)]
enum Lost {
    Broken,
    HungUp(HangUp),
}

impl From<io::Error> for Lost {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

impl Vehicle {
    pub(crate) fn new(context: Arc<Context>, truck: Truck, terminal: Terminal, schedule: Schedule, nth: usize) -> Self {
        let source = nth.checked_rem(context.sources.len()).and_then(|at| context.sources.get(at)).copied();
        Self {
            connect_after_us: schedule.next_us(),
            storm_us: context.options.storm_every.map(|every| every.as_micros() as u64),
            before_s: 0,
            context,
            truck,
            terminal,
            schedule,
            source,
            link: None,
            failures: 0,
            refusals: 0,
            connected_before: false,
            out_of_reach: false,
            drop_due: false,
        }
    }

    pub(crate) async fn run(mut self, mut stage: watch::Receiver<Stage>) {
        self.fill_store();
        loop {
            let now_us = self.context.clock.now_us();
            self.weather(now_us);
            let at = *stage.borrow_and_update();
            match at {
                Stage::Driving => self.drive(now_us),
                Stage::Draining { until_us } if self.terminal.kept_len() == 0 || now_us >= until_us => break,
                // The radio comes back for good: the truck drives out of the valley.
                Stage::Draining { .. } => self.out_of_reach = false,
            }
            if let Err(lost) = self.exchange(now_us).await {
                self.lose(lost);
            }
            let wake = self.context.clock.instant(self.wake_us(at));
            tokio::select! {
                () = sleep_until(wake) => {}
                changed = stage.changed() => if changed.is_err() { break },
                ready = readable(self.link.as_ref()) => {
                    let read = match ready {
                        Ok(()) => self.read().await,
                        Err(error) => Err(error.into()),
                    };
                    if let Err(lost) = read {
                        self.lose(lost);
                    }
                }
            }
        }
        self.leave().await;
    }

    /// Drives before the run, and keeps all that for the first connection.
    fn fill_store(&mut self) {
        let options = &self.context.options;
        let (backlog_s, every_s) = (options.backlog.as_secs(), options.interval.as_secs().max(1));
        let begin_s = self.context.clock.unix_s(self.schedule.next_us());
        for second in (0..backlog_s).step_by(every_s as usize) {
            self.truck.advance_to(Network::qujing(), second);
            let fix = self.truck.fix((begin_s - backlog_s + second) as i64);
            self.terminal.take_backlog(fix, &self.context.stats);
        }
        self.before_s = backlog_s;
    }

    /// A storm takes every connection at once; nobody waits before the next one.
    fn weather(&mut self, now_us: u64) {
        let (Some(at_us), Some(every)) = (self.storm_us, self.context.options.storm_every) else { return };
        if now_us < at_us {
            return;
        }
        let every_us = every.as_micros() as u64;
        self.storm_us = Some(at_us + every_us * ((now_us - at_us) / every_us + 1));
        if let Some(link) = self.link.take() {
            link.reset();
            self.terminal.disconnected(&self.context.stats);
            self.terminal.forget_code();
            self.connect_after_us = now_us;
        }
    }

    /// Takes every fix that is due; decides whether the radio reaches.
    fn drive(&mut self, now_us: u64) {
        let context = Arc::clone(&self.context);
        while self.schedule.next_us() <= now_us {
            let due_us = self.schedule.advance();
            let virtual_s = self.before_s + (due_us as f64 / 1e6 * context.options.speedup) as u64;
            self.truck.advance_to(Network::qujing(), virtual_s);
            let fix = self.truck.fix(context.clock.unix_s(due_us) as i64);
            self.out_of_reach = context.options.dead_zones && !context.coverage.reaches(&self.truck.motion());
            self.terminal.take(fix, &context.stats);
            let dice = self.truck.seed.bits(Purpose::Drop, self.schedule.taken());
            self.drop_due |= context.options.reconnects && dice.is_multiple_of(DROP_EVERY);
        }
    }

    /// One round with the server: connect if need be, repeat, send, write.
    async fn exchange(&mut self, now_us: u64) -> Result<(), Lost> {
        if self.out_of_reach {
            if let Some(link) = self.link.take() {
                link.reset();
                self.terminal.disconnected(&self.context.stats);
            }
            return Ok(());
        }
        let mut fx = Effects::default();
        if self.link.is_none() {
            if now_us < self.connect_after_us {
                return Ok(());
            }
            self.link = Some(self.connect().await?);
            self.terminal.connected(self.context.clock.now_us(), &mut fx);
        }
        let now_us = self.context.clock.now_us();
        self.terminal.poll(now_us, &self.context.stats, &mut fx).map_err(Lost::HungUp)?;
        self.settle(fx).await?;
        if std::mem::take(&mut self.drop_due) {
            self.drop_link();
        }
        Ok(())
    }

    async fn connect(&mut self) -> io::Result<Link> {
        let stats = &self.context.stats;
        let opened = Link::open(self.context.to, self.source, self.context.options.transport).await;
        match opened {
            Ok(_) if self.connected_before => stats.reconnects.add(1),
            Ok(_) => self.connected_before = true,
            Err(_) => stats.connect_failures.add(1),
        }
        opened
    }

    /// Drops the connection for no reason, half of the time with a reset.
    fn drop_link(&mut self) {
        let dice = self.truck.seed.bits(Purpose::Backoff, self.schedule.taken());
        match self.link.take() {
            Some(link) if dice & 1 == 0 => link.reset(),
            _ => {}
        }
        self.terminal.disconnected(&self.context.stats);
        let pause_us = self.truck.seed.between(Purpose::Backoff, self.schedule.taken(), 0.0, DROP_PAUSE_MAX_US);
        self.connect_after_us = self.context.clock.now_us() + pause_us as u64;
    }

    async fn read(&mut self) -> Result<(), Lost> {
        let Some(link) = self.link.as_mut() else { return Ok(()) };
        let mut fx = Effects::default();
        let mut verdict = Ok(());
        let (terminal, context) = (&mut self.terminal, &self.context);
        let now_us = context.clock.now_us();
        let read = link.read::<READ>(|frame| {
            if verdict.is_ok() {
                verdict = terminal.received(frame, now_us, &context.stats, &mut fx);
            }
        });
        if terminal.is_online() {
            (self.failures, self.refusals) = (0, 0);
        }
        // What was acknowledged stays so, even if the connection broke right behind it.
        self.settle(fx).await?;
        read?;
        verdict.map_err(Lost::HungUp)
    }

    /// Enters what was delivered in the ledger, writes what is to be written.
    async fn settle(&mut self, fx: Effects) -> Result<(), Lost> {
        if let Some(ledger) = &self.context.ledger {
            let acked_us = self.context.clock.now_us();
            for delivered in fx.delivered {
                // A ledger that cannot be written is the run's error, told at its end.
                let line = LedgerLine::acked(self.terminal.identity(), &self.context.clock, delivered, acked_us);
                let _ = ledger.send(line).await;
            }
        }
        match self.link.as_mut() {
            Some(link) if !fx.wire.is_empty() => Ok(link.write(&fx.wire).await?),
            _ => Ok(()),
        }
    }

    fn lose(&mut self, lost: Lost) {
        self.link = None;
        self.terminal.disconnected(&self.context.stats);
        let manners = &self.context.options.manners;
        let (first, doublings) = match lost {
            Lost::HungUp(HangUp::Refused) => {
                self.refusals += 1;
                (manners.refused_pause, self.refusals.min(REFUSED_DOUBLINGS_MAX) - 1)
            }
            Lost::Broken | Lost::HungUp(HangUp::Unanswered) => {
                self.failures += 1;
                (manners.reconnect_pause, self.failures.min(DOUBLINGS_MAX + 1) - 1)
            }
        };
        let now_us = self.context.clock.now_us();
        // Some jitter, or a fleet that lost its server comes back as one wave.
        let jitter = self.truck.seed.between(Purpose::Backoff, now_us, 0.75, 1.25);
        self.connect_after_us = now_us + (first.as_micros() as f64 * f64::from(1u32 << doublings) * jitter) as u64;
    }

    fn wake_us(&self, stage: Stage) -> u64 {
        let reconnect = (self.link.is_none() && !self.out_of_reach).then_some(self.connect_after_us);
        let protocol = self.link.as_ref().and_then(|_| self.terminal.wake_us());
        let own = match stage {
            Stage::Driving => self.schedule.next_us(),
            Stage::Draining { until_us } => until_us,
        };
        [reconnect, protocol, self.storm_us].into_iter().flatten().fold(own, u64::min)
    }

    /// The end: closes, and enters what was never acknowledged.
    async fn leave(mut self) {
        let kept: Vec<Kept> = self.terminal.kept().collect();
        self.link = None;
        self.terminal.disconnected(&self.context.stats);
        if let Some(ledger) = &self.context.ledger {
            for one in kept {
                let _ = ledger.send(LedgerLine::kept(self.terminal.identity(), &self.context.clock, one)).await;
            }
        }
    }
}

/// Until the link has something to read; without a link, never.
async fn readable(link: Option<&Link>) -> io::Result<()> {
    match link {
        Some(link) => link.readable().await,
        None => std::future::pending().await,
    }
}
