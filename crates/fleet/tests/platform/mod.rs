//! A platform for tests: takes terminals over TCP, answers as it is told to, remembers what it acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jt808::{
    BatchBodies, Deframer, Frame, GeneralResult, LocationView, RegisterResult, answer_general, answer_register,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

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
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                lock(&shared).connections += 1;
                tokio::spawn(serve(stream, Arc::clone(&shared), Arc::clone(&rules)));
            }
        });
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

/// Whether the connection stays open.
fn answer(frame: &Frame<'_>, seen: &mut Seen, rules: &Rules, out: &mut Vec<u8>) -> bool {
    let header = &frame.header;
    let positions: Vec<Position> = match header.id {
        0x0100 => {
            seen.registrations += 1;
            let known = seen.registrations > rules.refuse_registrations;
            let result = if known { RegisterResult::Success } else { RegisterResult::NoSuchTerminal };
            answer_register(out, header, 0, result, "code").expect("fits");
            return true;
        }
        0x0200 => LocationView::new(frame.body).map(|view| position(frame, view)).into_iter().collect(),
        0x0704 => BatchBodies::new(frame.body).map(|view| position(frame, view)).collect(),
        _ => {
            answer_general(out, header, 0, GeneralResult::Success);
            return true;
        }
    };
    assert!(!positions.is_empty(), "a report without a position");
    seen.arrived.extend(positions.iter().map(|one| (header.id, one.clone())));
    let nth = seen.frames.entry(header.phone.canonical_digits()).or_default();
    *nth += 1;
    match (rules.deed)(*nth - 1) {
        deed @ (Deed::Ack | Deed::AckAndDrop) => {
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

fn position(frame: &Frame<'_>, view: LocationView<'_>) -> Position {
    let time = view.time_utc_s().expect("a time");
    (frame.header.phone.canonical_digits(), time, view.lat_e6(), view.lon_e6())
}
