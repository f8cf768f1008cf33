//! UDP on the port of TCP: whole frames with flags, one or more a datagram. The standard leaves the packing open
//! (JT/T 808-2019 4.1 only names UDP); this is what terminals do.
//!
//! * A session belongs to a terminal **and** its address: whoever comes from elsewhere authenticates anew, and the last
//!   address gets the commands.
//! * Answers leave to the source once the frame is durable, as over TCP. If the journal fails there is none.
//! * Nobody is amplified: an address that has not authenticated gets answers to 0x0100 and 0x0102 only, and never more
//!   bytes than its frame had. What it sends is a stranger's, within the budget of all strangers.
//! * Reading a socket less makes no terminal slower here: a frame beyond its terminal's window is dropped and counted.
//!   The terminal gets no answer and repeats it. The same happens in the system's buffer while the journal is full.
//!
//! One task reads and serves, another answers; what lies between them is bounded.

mod answers;
mod sessions;

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use journal::Record;
use jt808::{Deframer, GeneralResult, Piece};
use model::TerminalId;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use crate::answer::{Answer, Charge, Reply};
use crate::burst::Burst;
use crate::gateway::Shared;
use crate::handle::{Handle, Mail};
use crate::metrics::Outcome;
use crate::online::Right;
use crate::request::Request;
use answers::{Answering, Batch, Owed};
use sessions::Sessions;

/// Longest datagram.
const DATAGRAM_MAX: usize = 64 * 1024;
/// Datagrams that are served before they are submitted to the journal as one.
const AT_ONCE: usize = 128;
/// Submissions that may wait for the journal or for being answered.
const BATCHES_MAX: usize = 64;

/// Binds the socket for [`crate::Gateway::run_udp`].
///
/// # Errors
/// The system's.
pub fn listen_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    // A fleet may speak at once; a system that gives less room loses more of it, and the terminals repeat that.
    let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, 8 << 20);
    UdpSocket::from_std(socket)
}

/// Serves the socket until `shutdown`, then answers what becomes durable, within the deadline of a shutdown.
pub(crate) async fn run(shared: Arc<Shared>, socket: UdpSocket, shutdown: impl Future<Output = ()>) {
    let socket = Arc::new(socket);
    let (owed, batches) = mpsc::channel(BATCHES_MAX);
    let answering = tokio::spawn(Answering::new(shared.clone(), socket.clone()).run(batches));
    let peer = socket.local_addr().unwrap_or_else(|_| SocketAddr::new(IpAddr::from([0; 4]), 0));
    let handle = shared.table.open_door(peer);
    let mut door = Door { sessions: Sessions::new(shared.metrics.udp_sessions.clone()), shared, socket, handle };
    tokio::select! {
        () = shutdown => {}
        () = door.serve(&owed) => {}
    }
    drop(owed);
    door.handle.close();
    door.sessions.close(&door.shared.online);
    let aborter = answering.abort_handle();
    if tokio::time::timeout(door.shared.limits.shutdown_deadline, answering).await.is_err() {
        aborter.abort();
    }
}

/// What the reading task holds.
struct Door {
    shared: Arc<Shared>,
    socket: Arc<UdpSocket>,
    /// Where commands and losses of all its terminals arrive.
    handle: Arc<Handle>,
    sessions: Sessions,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.shared.table.leave(&self.handle);
    }
}

/// What is served in one go.
struct Going {
    burst: Burst,
    owed: Vec<Owed>,
    now_ms: u64,
}

/// A frame and where it came from.
struct Heard<'a, 'b> {
    piece: &'a Piece<'b>,
    terminal: TerminalId,
    peer: SocketAddr,
    /// Which datagram of this go it came in.
    datagram: u32,
}

impl Door {
    /// Until the answering task is gone.
    async fn serve(&mut self, owed: &mpsc::Sender<Batch>) {
        let mut sweep = tokio::time::interval(self.shared.limits.sweep_interval());
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut buffer = vec![0; DATAGRAM_MAX];
        loop {
            let mut swept = false;
            tokio::select! {
                _ = sweep.tick() => swept = true,
                () = mail(&self.handle) => {}
                ready = self.socket.readable() => if let Err(error) = ready {
                    tracing::warn!(%error, "the UDP socket cannot be read");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
            let now = self.shared.now();
            let burst = Burst::new(self.shared.clock.now(), now.at, now.us);
            let mut going = Going { burst, owed: Vec::new(), now_ms: now.ms };
            if swept {
                self.sessions.expire(&self.shared, going.now_ms);
                self.ask(&going);
            }
            self.take_mail(&mut going);
            self.read(&mut buffer, &mut going);
            if !self.submit(going, owed).await {
                return;
            }
        }
    }

    fn take_mail(&mut self, going: &mut Going) {
        if !self.handle.has_mail() {
            return;
        }
        let Mail { forget, recheck, commands, .. } = self.handle.take(true);
        if recheck {
            self.sessions.expire(&self.shared, going.now_ms);
        }
        forget.iter().for_each(|forget| self.sessions.forget(forget.terminal, forget.generation));
        for downlink in commands {
            let Some(session) = self.sessions.get_mut(downlink.terminal) else { continue };
            let (to, serial) = (session.dialect, session.serial());
            let mut wire = Vec::new();
            if let Err(error) = jt808::encode_frame(&to.reply(downlink.id, serial), &downlink.body, &mut wire) {
                tracing::error!(%error, command = %downlink.command, "a command cannot be encoded");
                continue;
            }
            let received = going.burst.received;
            let record =
                Record::command(received, downlink.terminal, session.connection, downlink.command, Bytes::new());
            going.burst.push(record, &wire);
            let reply = Reply::Command(wire.into());
            let answer =
                Answer { to, serial, charge: Charge::Connection, reply, read_us: going.burst.read_us, last: false };
            going.owed.push(Owed { answer, to: session.peer, datagram: u32::MAX, bytes_max: usize::MAX, window: None });
        }
    }

    /// Serves what lies in the socket.
    fn read(&mut self, buffer: &mut [u8], going: &mut Going) {
        for datagram in 0..AT_ONCE as u32 {
            let Ok((len, peer)) = self.socket.try_recv_from(buffer) else { return };
            let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
            self.shared.metrics.udp_datagrams.inc();
            if self.shared.admission.is_denied(peer.ip()) {
                self.drop_one("denied");
                continue;
            }
            let mut deframer = Deframer::new();
            let mut serve = |piece: Piece<'_>| {
                let terminal = TerminalId::from_wire(piece.frame.header.phone.bytes());
                self.serve_frame(&Heard { piece: &piece, terminal, peer, datagram }, going);
            };
            // Garbage costs its sender nothing but this datagram.
            let _ = deframer.push(buffer.get(..len).unwrap_or_default(), &mut serve);
            deframer.finish(&mut serve);
            self.shared.metrics.garbage_bytes.inc_by(deframer.garbage_bytes());
        }
    }

    fn drop_one(&self, reason: &str) {
        self.shared.metrics.udp_dropped.with_label_values(&[reason]).inc();
    }

    fn serve_frame(&mut self, heard: &Heard<'_, '_>, going: &mut Going) {
        let request = Request::read(&heard.piece.frame);
        if self.sessions.find(heard.terminal, heard.peer).is_none() {
            return self.serve_stranger(heard, request, going);
        }
        if self.sessions.is_full(heard.terminal, self.shared.limits.window_per_terminal) {
            return self.drop_one("window");
        }
        let (reply, ends) = request.answered(|code| self.authenticate(heard, code, going.now_ms));
        self.push_uplink(heard, reply, going);
        if ends {
            self.sessions.end(heard.terminal, &self.shared.online);
        }
    }

    fn push_uplink(&mut self, heard: &Heard<'_, '_>, reply: Reply, going: &mut Going) {
        let Some(session) = self.sessions.get_mut(heard.terminal) else { return };
        session.heard(&heard.piece.frame, going.now_ms, going.burst.received.0, &self.shared);
        let connection = session.connection;
        let record = Record::uplink(going.burst.received, heard.terminal, connection, Bytes::new());
        let serial = if matches!(reply, Reply::Nothing) { 0 } else { session.serial() };
        let window = Some(session.window());
        going.push(heard, record, Charge::Session(0), serial, reply, usize::MAX, window);
    }

    /// A frame of somebody who has not authenticated from this address.
    fn serve_stranger(&mut self, heard: &Heard<'_, '_>, request: Request, going: &mut Going) {
        let (received, peer) = (going.burst.received, heard.peer.to_string());
        if let Request::Authenticate(code) = &request
            && self.authenticate(heard, code, going.now_ms)
            && let Some(session) = self.sessions.get_mut(heard.terminal)
        {
            let record = Record::stranger(received, Some(heard.terminal), session.connection, peer, Bytes::new());
            let (serial, window) = (session.serial(), Some(session.window()));
            let reply = Reply::General(GeneralResult::Success);
            return going.push(heard, record, Charge::Session(0), serial, reply, heard.piece.wire.len(), window);
        }
        if !self.shared.budget.take(heard.piece.wire.len(), going.burst.read_at) {
            self.shared.metrics.strangers_dropped.inc();
            return self.shared.metrics.frames(heard.piece.frame.header.id, Outcome::Dropped, 1);
        }
        let reply = match request {
            Request::Register(registration) => Reply::Register(registration),
            Request::Authenticate(_) => Reply::General(GeneralResult::Failure),
            _ => Reply::Nothing,
        };
        let record = Record::stranger(received, Some(heard.terminal), self.handle.id, peer, Bytes::new());
        going.push(heard, record, Charge::Strangers, 0, reply, heard.piece.wire.len(), None);
    }

    /// Opens a session for a terminal that shows its code, and ends the one that it had from another address.
    fn authenticate(&mut self, heard: &Heard<'_, '_>, code: &str, now_ms: u64) -> bool {
        let Self { shared, sessions, handle, .. } = self;
        let terminal = heard.terminal;
        let Some(epoch) = shared.admission.epoch(terminal) else { return false };
        if !shared.codes.verify(terminal, epoch, code) || !sessions.has_room(terminal, shared.limits.udp_sessions_max) {
            return false;
        }
        let header = heard.piece.frame.header;
        let right = Right::Code { epoch };
        let generation = shared.online.bind(terminal, handle, header.edition, right);
        // A revocation between the look-up and the binding found nobody to tell.
        if !right.holds(terminal, &*shared.admission) {
            shared.online.unbind(terminal, generation);
            return false;
        }
        if sessions.open(terminal, heard.peer, generation, header, now_ms, || shared.table.number()) {
            // Commands that wait are offered to a new session only. Nobody may be listening.
            let _ = shared.authenticated.send(terminal);
        }
        true
    }

    /// Asks terminals for packets that did not arrive, all that did arrive being durable. It is not journalled: it
    /// follows from what is.
    fn ask(&mut self, going: &Going) {
        for (to, datagram) in self.sessions.ask(going.burst.received.0) {
            // As with any datagram: what is lost is asked for again.
            let _ = self.socket.try_send_to(&datagram, to);
        }
    }

    /// Hands everything to the journal and its answers to the answering task; waits for both when they are full.
    /// `false` when nobody answers any more.
    async fn submit(&self, going: Going, owed: &mpsc::Sender<Batch>) -> bool {
        let records = going.burst.into_records();
        if records.is_empty() {
            return true;
        }
        let Ok(place) = owed.reserve().await else { return false };
        let ticket = self.shared.journal.submit(records).await;
        place.send(Batch { ticket: ticket.ok(), owed: going.owed });
        true
    }
}

impl Going {
    #[allow(clippy::too_many_arguments, reason = "they are one frame, its record and its answer")]
    fn push(
        &mut self,
        heard: &Heard<'_, '_>,
        record: Record,
        charge: Charge,
        serial: u16,
        reply: Reply,
        bytes_max: usize,
        window: Option<sessions::Window>,
    ) {
        self.burst.push(record, heard.piece.wire);
        let to = heard.piece.frame.header;
        let answer = Answer { to, serial, charge, reply, read_us: self.burst.read_us, last: false };
        self.owed.push(Owed { answer, to: heard.peer, datagram: heard.datagram, bytes_max, window });
    }
}

/// Returns when something lies in the mail.
async fn mail(handle: &Handle) {
    poll_fn(|cx| {
        handle.watch(cx);
        if handle.has_mail() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
