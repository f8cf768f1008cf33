//! As fast as answers come: every connection writes its whole window in one go, and again when all of it is answered.
//! No runtime: a thread waits for its share of the connections and serves them in turn, so that a position costs the
//! load little more than one read and one write of the system.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use jt808::{Deframer, Header};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;

use super::drives::{Drive, Drives};
use super::{BEGIN, END, Outcome, WARM_UP, begin_s, idle};
use crate::cli::Client;
use crate::error::Failure;
use crate::fsync::Latencies;
use crate::terminal::Terminal;

/// Answers that one read can take.
const READ: usize = 16 * 1_024;
/// Connections served after one wait.
const EVENTS: usize = 512;
/// How long a thread waits before it looks whether the run is over.
const WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
const DRAIN: Duration = Duration::from_secs(20);

/// What the threads share.
#[derive(Default)]
struct Stage {
    measuring: AtomicBool,
    over: AtomicBool,
    acked: AtomicU64,
}

/// One connection.
struct Line {
    stream: TcpStream,
    deframer: Deframer,
    header: Header,
    drive: Drive,
    sent: u64,
    unanswered: usize,
    written_us: u64,
}

/// What one thread found.
#[derive(Default)]
struct Found {
    acked: u64,
    unanswered: u64,
    /// From the writing of a window to its last answer, microseconds; of the measured time.
    us: Vec<u32>,
}

/// A thread's share.
struct Share {
    lines: Vec<Line>,
    drives: Drives,
    window: usize,
    stage: Arc<Stage>,
    clock: Instant,
    wire: Vec<u8>,
    flying: u64,
    found: Found,
}

impl Share {
    fn run(mut self) -> io::Result<Found> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (at, line) in self.lines.iter().enumerate() {
            line.stream.set_nonblocking(true)?;
            epoll::add(&poll, &line.stream, epoll::EventData::new_u64(at as u64), epoll::EventFlags::IN)?;
        }
        for at in 0..self.lines.len() {
            self.fill(at)?;
        }
        let mut deadline = None;
        let (mut events, mut buffer) = (Vec::with_capacity(EVENTS), vec![0; READ]);
        while self.flying > 0 && deadline.is_none_or(|deadline| Instant::now() < deadline) {
            self.wait(&poll, &mut events)?;
            let over = self.stage.over.load(Relaxed);
            if over && deadline.is_none() {
                deadline = Some(Instant::now() + DRAIN);
            }
            for event in events.drain(..) {
                let at = event.data.u64() as usize;
                if self.read(at, &mut buffer)? && !over {
                    self.fill(at)?;
                }
            }
        }
        self.found.unanswered = self.flying;
        Ok(self.found)
    }

    fn wait(&self, poll: &OwnedFd, events: &mut Vec<epoll::Event>) -> io::Result<()> {
        match epoll::wait(poll, spare_capacity(events), Some(&WAIT)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a window of reports.
    fn fill(&mut self, at: usize) -> io::Result<()> {
        let Some(line) = self.lines.get_mut(at) else { return Ok(()) };
        self.wire.clear();
        for _ in 0..self.window {
            self.drives.write(line.drive, line.sent, &line.header, &mut self.wire);
            line.header.serial = line.header.serial.wrapping_add(1);
            line.sent += 1;
        }
        line.written_us = self.clock.elapsed().as_micros() as u64;
        line.unanswered = self.window;
        self.flying += self.window as u64;
        // Never more than a window is on its way: the socket has room, or the server does not read.
        if line.stream.write(&self.wire)? == self.wire.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Takes what came; whether the window is answered.
    fn read(&mut self, at: usize, buffer: &mut [u8]) -> io::Result<bool> {
        let Some(line) = self.lines.get_mut(at) else { return Ok(false) };
        let count = match line.stream.read(buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        };
        let (mut acked, mut refused) = (0, None);
        let bytes = buffer.get(..count).unwrap_or_default();
        let pushed = line.deframer.push(bytes, |piece| match (piece.frame.header.id, piece.frame.body) {
            (0x8001, &[_, _, 0x02, 0x00, 0]) => acked += 1,
            (0x8001, &[_, _, 0x02, 0x00, result]) => refused = Some(result),
            _ => {}
        });
        pushed.map_err(io::Error::other)?;
        if let Some(result) = refused {
            return Err(io::Error::other(format!("a report was answered {result}")));
        }
        let done = line.unanswered.saturating_sub(acked);
        self.flying -= (line.unanswered - done) as u64;
        line.unanswered = done;
        self.found.acked += acked as u64;
        if self.stage.measuring.load(Relaxed) {
            self.stage.acked.fetch_add(acked as u64, Relaxed);
            if done == 0 {
                let us = (self.clock.elapsed().as_micros() as u64).saturating_sub(line.written_us);
                self.found.us.push(us as u32);
            }
        }
        Ok(done == 0)
    }
}

impl Line {
    fn new(terminal: Terminal) -> Result<Self, Failure> {
        let stream = terminal.stream.into_std().map_err(Failure::io("take a connection over"))?;
        let drive = Drives::of(terminal.index, terminal.identity.edition);
        let header = terminal.header;
        Ok(Self { stream, deframer: Deframer::new(), header, drive, sent: 0, unanswered: 0, written_us: 0 })
    }
}

/// The load.
pub(super) async fn run(command: &Client) -> Result<Outcome, Failure> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut shares: Vec<Vec<Line>> = (0..threads).map(|_| Vec::new()).collect();
    for (nth, terminal) in idle::connect_all(command).await?.into_iter().enumerate() {
        shares[nth % threads].push(Line::new(terminal)?);
    }
    let (stage, clock) = (Arc::new(Stage::default()), Instant::now());
    let mut working = Vec::new();
    for lines in shares {
        let (drives, stage) = (Drives::new(begin_s())?, stage.clone());
        let share = Share {
            lines,
            drives,
            window: command.window,
            stage,
            clock,
            wire: Vec::new(),
            flying: 0,
            found: Found::default(),
        };
        let builder = std::thread::Builder::new().name("load".into());
        working.push(builder.spawn(|| share.run()).map_err(Failure::io("start a thread"))?);
    }
    std::thread::sleep(WARM_UP);
    println!("{BEGIN}");
    let began = Instant::now();
    stage.measuring.store(true, Relaxed);
    std::thread::sleep(Duration::from_secs(command.seconds));
    stage.measuring.store(false, Relaxed);
    let (acked_in_time, took) = (stage.acked.load(Relaxed), began.elapsed());
    println!("{END}");
    stage.over.store(true, Relaxed);
    let (mut outcome, mut us) = (Outcome::default(), Vec::new());
    for thread in working {
        let found = thread.join().map_err(|_| Failure::Child("a thread of the load has panicked".into()))?;
        let mut found = found.map_err(Failure::io("load the server"))?;
        outcome.acked += found.acked;
        outcome.lost += found.unanswered;
        us.append(&mut found.us);
    }
    outcome.acked_per_s = acked_in_time as f64 / took.as_secs_f64();
    outcome.latency_ms = Latencies::of(us).usual_ms();
    Ok(outcome)
}
