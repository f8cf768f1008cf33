//! A platform for tests: takes terminals over TCP and UDP, answers as it is told to, remembers what it acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jt808::{
    BatchBodies, Deframer, Frame, GeneralResult, LocationView, RegisterResult, answer_general, answer_register,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// What the platform does with the `n`-th location frame (from 0) that a terminal has sent, over all its connections.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    Ack,
    /// Stores it and says nothing.
    Silent,
    /// Answers with this result, and does not store it.
    Refuse(GeneralResult),
    /// Closes without an answer.
    Drop,
    /// Answers, and closes.
    AckAndDrop,
}

/// What to do with the n-th location frame of a terminal.
pub(crate) type Script = fn(usize) -> Deed;

/// A position: phone, time, latitude, longitude.
pub(crate) type Position = (String, i64, i32, i32);

#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Positions with the id of the message that carried them, in order of arrival.
    pub(crate) arrived: Vec<(u16, Position)>,
    /// Positions for which result 0 was written.
    pub(crate) acked: BTreeSet<Position>,
    pub(crate) registrations: u32,
    pub(crate) connections: u32,
    /// Parts of messages (分包) that came, repeated ones counted.
    pub(crate) parts: u32,
    /// Bodies of parts by phone, serial of the first part, and number.
    open: BTreeMap<(String, u16), BTreeMap<u16, Vec<u8>>>,
    frames: BTreeMap<String, usize>,
}

pub(crate) struct Platform {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

struct Rules {
    refuse_registrations: u32,
    deed: Script,
}

impl Platform {
    /// Refuses the first registrations with result 4 (no such terminal), then does as `deed` says.
    pub(crate) async fn start(refuse_registrations: u32, deed: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Seen::default()));
        let rules = Arc::new(Rules { refuse_registrations, deed });
        let shared = Arc::clone(&seen);
        let (udp_seen, udp_rules) = (Arc::clone(&seen), Arc::clone(&rules));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                lock(&shared).connections += 1;
                tokio::spawn(serve(stream, Arc::clone(&shared), Arc::clone(&rules)));
            }
        });
        let datagrams = UdpSocket::bind(address).await.expect("the same port");
        tokio::spawn(serve_datagrams(datagrams, udp_seen, udp_rules));
        Self { address, seen }
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Seen>>, rules: Arc<Rules>) {
    let mut deframer = Deframer::new();
    let mut buffer = [0; 4_096];
    loop {
        let Ok(count @ 1..) = stream.read(&mut buffer).await else { return };
        let mut out = Vec::new();
        let mut open = true;
        deframer
            .push(&buffer[..count], |piece| {
                assert!(piece.frame.check_ok, "{:?}", piece.frame);
                if open {
                    open = answer(&piece.frame, &mut lock(&seen), &rules, &mut out);
                }
            })
            .expect("frames");
        if stream.write_all(&out).await.is_err() || !open {
            return;
        }
    }
}

/// Each datagram is answered to its source; there is nothing to close.
async fn serve_datagrams(socket: UdpSocket, seen: Arc<Mutex<Seen>>, rules: Arc<Rules>) {
    let mut buffer = [0; 4_096];
    while let Ok((count, from)) = socket.recv_from(&mut buffer).await {
        let mut out = Vec::new();
        let pushed = Deframer::new().push(&buffer[..count], |piece| {
            answer(&piece.frame, &mut lock(&seen), &rules, &mut out);
        });
        pushed.expect("a datagram has whole frames");
        // A terminal that has ended hears nothing.
        let _ = socket.send_to(&out, from).await;
    }
}

/// Keeps a part; the body when all parts are there.
fn assemble(frame: &Frame<'_>, seen: &mut Seen) -> Option<Vec<u8>> {
    let Some(packet) = frame.header.packet else { return Some(frame.body.to_vec()) };
    let key = (frame.header.phone.canonical_digits(), frame.header.serial.wrapping_sub(packet.number - 1));
    seen.parts += 1;
    let parts = seen.open.entry(key.clone()).or_default();
    parts.insert(packet.number, frame.body.to_vec());
    (parts.len() == usize::from(packet.total))
        .then(|| seen.open.remove(&key).into_iter().flatten().flat_map(|(_, b)| b).collect())
}

/// Whether the connection stays open.
fn answer(frame: &Frame<'_>, seen: &mut Seen, rules: &Rules, out: &mut Vec<u8>) -> bool {
    let header = &frame.header;
    match header.id {
        0x0100 => {
            seen.registrations += 1;
            let known = seen.registrations > rules.refuse_registrations;
            let result = if known { RegisterResult::Success } else { RegisterResult::NoSuchTerminal };
            answer_register(out, header, 0, result, "code").expect("fits");
            return true;
        }
        0x0200 | 0x0704 => {}
        _ => {
            answer_general(out, header, 0, GeneralResult::Success);
            return true;
        }
    }
    let nth = seen.frames.entry(header.phone.canonical_digits()).or_default();
    *nth += 1;
    let deed = (rules.deed)(*nth - 1);
    let positions = match deed {
        Deed::Drop | Deed::Refuse(_) => Vec::new(),
        _ => assemble(frame, seen).map_or(Vec::new(), |body| positions(frame, &body)),
    };
    seen.arrived.extend(positions.iter().map(|one| (header.id, one.clone())));
    match deed {
        Deed::Ack | Deed::AckAndDrop => {
            answer_general(out, header, 0, GeneralResult::Success);
            seen.acked.extend(positions);
            matches!(deed, Deed::Ack)
        }
        Deed::Silent => true,
        Deed::Refuse(result) => {
            answer_general(out, header, 0, result);
            true
        }
        Deed::Drop => false,
    }
}

fn positions(frame: &Frame<'_>, body: &[u8]) -> Vec<Position> {
    let found: Vec<_> = match frame.header.id {
        0x0200 => LocationView::new(body).map(|view| position(frame, view)).into_iter().collect(),
        _ => BatchBodies::new(body).map(|view| position(frame, view)).collect(),
    };
    assert!(!found.is_empty(), "a report without a position");
    found
}

fn position(frame: &Frame<'_>, view: LocationView<'_>) -> Position {
    let time = view.time_utc_s().expect("a time");
    (frame.header.phone.canonical_digits(), time, view.lat_e6(), view.lon_e6())
}
