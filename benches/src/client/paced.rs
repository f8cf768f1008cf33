//! Reports at a rate, whatever the answers do (an open loop). Latency counts from the instant at which a report was
//! due, so that a server that stops for a moment is charged for all that should have been sent meanwhile.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jt808::{Deframer, Header};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::drives::{Drive, Drives};
use super::{BEGIN, END, Outcome, WARM_UP, begin_s, idle};
use crate::cli::Client;
use crate::error::Failure;
use crate::fsync::Latencies;
use crate::terminal::Terminal;

/// Unanswered reports a connection at most.
const WINDOW: usize = 64;
const TICK: Duration = Duration::from_millis(1);
const TENTH_US: u64 = 100_000;
/// Slow moments that are told.
const SLOWEST: usize = 6;
const DRAIN: Duration = Duration::from_secs(5);
/// In a slot: no report is on its way. Otherwise the microsecond at which it was due, plus one.
const FREE: u64 = 0;

/// What sender and receiver of a connection share.
struct Shared {
    stream: TcpStream,
    /// By serial, modulo the window.
    slots: [AtomicU64; WINDOW],
    unanswered: AtomicU32,
}

/// The sending half of a connection.
struct Sender {
    shared: Arc<Shared>,
    header: Header,
    drive: Drive,
    sent: u64,
}

/// What the pacer did.
#[derive(Clone, Copy, Debug, Default)]
struct Paced {
    sent: u64,
    held_back: u64,
    began_us: u64,
    ended_us: u64,
}

impl Sender {
    fn new(terminal: Terminal) -> Self {
        let shared = Shared {
            stream: terminal.stream,
            slots: [const { AtomicU64::new(FREE) }; WINDOW],
            unanswered: AtomicU32::new(0),
        };
        let drive = Drives::of(terminal.index, terminal.identity.edition);
        Self { shared: Arc::new(shared), header: terminal.header, drive, sent: 0 }
    }

    /// Sends one report; `false` when too many are unanswered.
    fn send(&mut self, due_us: u64, drives: &mut Drives, wire: &mut Vec<u8>) -> io::Result<bool> {
        let slot = &self.shared.slots[usize::from(self.header.serial) % WINDOW];
        if slot.load(Ordering::Acquire) != FREE {
            return Ok(false);
        }
        wire.clear();
        drives.write(self.drive, self.sent, &self.header, wire);
        slot.store(due_us + 1, Ordering::Release);
        self.shared.unanswered.fetch_add(1, Ordering::AcqRel);
        if self.shared.stream.try_write(wire)? != wire.len() {
            return Err(io::Error::other("the socket takes half a frame"));
        }
        self.header.serial = self.header.serial.wrapping_add(1);
        self.sent += 1;
        Ok(true)
    }
}

/// Reads answers until the connection ends or all are in; (due, latency) in microseconds.
async fn receive(shared: Arc<Shared>, stopped: Arc<AtomicBool>, epoch: Instant) -> io::Result<Vec<(u64, u32)>> {
    let mut landed = Vec::new();
    let mut deframer = Deframer::new();
    while !(stopped.load(Ordering::Acquire) && shared.unanswered.load(Ordering::Acquire) == 0) {
        let Ok(ready) = tokio::time::timeout(DRAIN, shared.stream.readable()).await else { break };
        ready?;
        let mut buffer = [0; 4_096];
        let count = match shared.stream.try_read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        let now_us = epoch.elapsed().as_micros() as u64;
        let bytes = buffer.get(..count).unwrap_or_default();
        let pushed = deframer.push(bytes, |piece| {
            let (0x8001, &[high, low, 0x02, 0x00, 0]) = (piece.frame.header.id, piece.frame.body) else { return };
            let serial = u16::from_be_bytes([high, low]);
            let due = shared.slots[usize::from(serial) % WINDOW].swap(FREE, Ordering::AcqRel);
            if due != FREE {
                shared.unanswered.fetch_sub(1, Ordering::AcqRel);
                landed.push((due - 1, now_us.saturating_sub(due - 1) as u32));
            }
        });
        pushed.map_err(io::Error::other)?;
    }
    Ok(landed)
}

/// Sends `rate` reports a second, spread over all connections and over every millisecond. A thread of its own, because
/// the timer of the runtime is no finer than what is to be measured.
fn pace(mut senders: Vec<Sender>, mut drives: Drives, command: &Client, epoch: Instant) -> io::Result<Paced> {
    let mut paced = Paced::default();
    let rate = u64::from(command.rate);
    let (warm, during) = (WARM_UP.as_micros() as u64, command.seconds * 1_000_000);
    let start_us = epoch.elapsed().as_micros() as u64;
    let (mut wire, mut next, mut due_us) = (Vec::new(), 0_usize, start_us);
    (paced.began_us, paced.ended_us) = (start_us + warm, start_us + warm + during);
    let (mut emitted, mut said_begin) = (0_u64, false);
    while due_us < paced.ended_us {
        due_us += TICK.as_micros() as u64;
        if !said_begin && due_us >= paced.began_us {
            said_begin = true;
            println!("{BEGIN}");
        }
        std::thread::sleep((epoch + Duration::from_micros(due_us)).saturating_duration_since(Instant::now()));
        let target = (due_us - start_us) * rate / 1_000_000;
        while emitted < target {
            let at = next % senders.len();
            next += 1;
            emitted += 1;
            let Some(sender) = senders.get_mut(at) else { break };
            if sender.send(due_us, &mut drives, &mut wire)? {
                paced.sent += 1;
            } else {
                paced.held_back += 1;
            }
        }
    }
    println!("{END}");
    Ok(paced)
}

/// The slowest tenths of a second, slowest first.
fn slowest(tenths: &BTreeMap<u64, u32>) -> Vec<(f64, f64)> {
    let mut all: Vec<_> = tenths.iter().map(|(at, us)| (*at as f64 / 10.0, f64::from(*us) / 1e3)).collect();
    all.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    all.truncate(SLOWEST);
    all
}

/// The load.
pub(super) async fn run(command: &Client) -> Result<Outcome, Failure> {
    let senders: Vec<_> = idle::connect_all(command).await?.into_iter().map(Sender::new).collect();
    let drives = Drives::new(begin_s())?;
    let (epoch, stopped) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let mut receiving = JoinSet::new();
    for sender in &senders {
        receiving.spawn(receive(sender.shared.clone(), stopped.clone(), epoch));
    }
    let command = command.clone();
    let pacing = tokio::task::spawn_blocking(move || pace(senders, drives, &command, epoch));
    let paced = pacing.await.map_err(Failure::other("pace the load"))?.map_err(Failure::io("send a report"))?;
    stopped.store(true, Ordering::Release);
    let (mut us, mut acked, mut tenths) = (Vec::new(), 0, BTreeMap::<u64, u32>::new());
    while let Some(joined) = receiving.join_next().await {
        let landed = joined.map_err(Failure::other("read answers"))?.map_err(Failure::io("read answers"))?;
        acked += landed.len() as u64;
        for (due, latency) in landed.iter().filter(|(due, _)| (paced.began_us..paced.ended_us).contains(due)) {
            us.push(*latency);
            let slowest = tenths.entry((due - paced.began_us) / TENTH_US).or_default();
            *slowest = latency.max(slowest).to_owned();
        }
    }
    let seconds = (paced.ended_us - paced.began_us) as f64 / 1e6;
    let acked_per_s = us.len() as f64 / seconds;
    let latencies = Latencies::of(us);
    Ok(Outcome {
        acked_per_s,
        acked,
        lost: paced.sent - acked.min(paced.sent),
        held_back: paced.held_back,
        latency_ms: latencies.usual_ms(),
        slowest: slowest(&tenths),
    })
}
