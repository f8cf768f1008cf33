//! The gateway: what all connections share, the listener, and the way down to a terminal.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use journal::{Clock, Journal};
use jt808::{MAX_BODY, Message};
use model::{CommandId, TerminalId};
use tokio::net::{TcpListener, TcpSocket, UdpSocket};
use tokio::sync::broadcast;
use tokio_util::task::TaskTracker;

use crate::accept::Acceptor;
use crate::access::{self, Access};
use crate::budget::Budget;
use crate::flush::Flush;
use crate::gate::Gate;
use crate::handle::{Downlink, Order};
use crate::links::{LinkEvent, Links, OpenLink};
use crate::online::Online;
use crate::pool::Pool;
use crate::table::Table;
use crate::{Admission, AuthCodes, Limits, Metrics};

/// Connections that the system may hold before they are accepted: a fleet that reconnects at once.
const BACKLOG: u32 = 4_096;
/// Terminals that came online and were not yet fetched by a receiver, before it misses the oldest.
const AUTHENTICATED_KEPT: usize = 4_096;

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No authenticated connection; see [`Gateway::authenticated`].
    #[error("the terminal is not connected")]
    NotConnected,
    /// Too many commands wait for its connection.
    #[error("too many commands wait for the terminal")]
    QueueFull,
    /// It cannot be said in the terminal's edition, or not in one packet.
    #[error("the command cannot be encoded")]
    Encode(#[from] jt808::EncodeError),
}

/// How a gateway stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Connections that were cut because they were not done by the deadline.
    pub cut: usize,
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) journal: Journal,
    pub(crate) admission: Arc<dyn Admission>,
    pub(crate) codes: AuthCodes,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) online: Online,
    pub(crate) links: Links,
    pub(crate) access: Access,
    pub(crate) table: Table,
    pub(crate) budget: Budget,
    pub(crate) gate: Gate,
    /// What keeping track of missing packets takes.
    pub(crate) asking: Arc<Pool>,
    pub(crate) flush: Arc<Flush>,
    pub(crate) authenticated: broadcast::Sender<TerminalId>,
    began: Instant,
}

/// One look at the clock that only goes forward.
#[derive(Clone, Copy)]
pub(crate) struct Now {
    pub(crate) at: Instant,
    /// Since the gateway began.
    pub(crate) us: u64,
    /// Since the gateway began: what deadlines are counted in.
    pub(crate) ms: u64,
}

impl Shared {
    pub(crate) fn now(&self) -> Now {
        let at = Instant::now();
        let since = at.saturating_duration_since(self.began);
        let us = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        Now { at, us, ms: us / 1_000 }
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.now().us
    }

    /// Milliseconds since the gateway began: what deadlines are counted in.
    pub(crate) fn now_ms(&self) -> u64 {
        self.now().ms
    }
}

/// The door. Clones share it.
#[derive(Clone)]
pub struct Gateway {
    pub(crate) shared: Arc<Shared>,
}

impl Gateway {
    /// A gateway that serves nobody yet. Windows of 0 count as 1: nothing could be read otherwise.
    #[must_use]
    pub fn new(
        journal: Journal,
        admission: Arc<dyn Admission>,
        codes: AuthCodes,
        mut limits: Limits,
        metrics: Metrics,
        clock: Arc<dyn Clock>,
    ) -> Self {
        limits.window_per_terminal = limits.window_per_terminal.max(1);
        limits.window_per_connection = limits.window_per_connection.max(1);
        limits.window_per_forwarder = limits.window_per_forwarder.max(1);
        let began = Instant::now();
        let flush = Arc::new(Flush::new(std::thread::available_parallelism().map_or(1, usize::from)));
        let ring = flush.clone();
        journal.on_flush(Arc::new(move || ring.ring()));
        let shared = Shared {
            online: Online::new(metrics.online.clone()),
            links: Links::default(),
            access: Access::default(),
            table: Table::default(),
            budget: Budget::new(limits.strangers.clone(), began),
            gate: Gate::default(),
            asking: Arc::new(Pool::new(limits.asking_bytes_max)),
            flush,
            authenticated: broadcast::Sender::new(AUTHENTICATED_KEPT),
            journal,
            admission,
            codes,
            limits,
            metrics,
            clock,
            began,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Serves until `shutdown`; then accepts and reads no more, answers what becomes durable, and closes, within
    /// [`Limits::shutdown_deadline`]. Once for each gateway.
    pub async fn run(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> Stopped {
        let shared = &self.shared;
        let flushers = shared.flush.start(&shared.metrics);
        let tasks = TaskTracker::new();
        let mut sweep = tokio::time::interval(shared.limits.sweep_interval());
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut gate = pin!(shared.gate.keep(&shared.journal));
        let mut acceptor = Acceptor::new(listener, shared.metrics.clone());
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                _ = sweep.tick() => shared.table.sweep(shared.now_ms()),
                () = &mut gate => {}
                (stream, peer) = acceptor.next() => access::take_in(shared, stream, peer, &tasks),
            }
        }
        drop(acceptor);
        tasks.close();
        shared.access.stop();
        shared.table.order_all(Order::Drain);
        let deadline = tokio::time::sleep(shared.limits.shutdown_deadline);
        let mut cutting = pin!(self.cut_late(&tasks, deadline));
        let cut = loop {
            tokio::select! {
                cut = &mut cutting => break cut,
                _ = sweep.tick() => shared.table.sweep(shared.now_ms()),
                () = &mut gate => {}
            }
        };
        drop(flushers);
        Stopped { cut }
    }

    /// Until all connections are done; cuts those that are not by the deadline, and counts them.
    async fn cut_late(&self, tasks: &TaskTracker, deadline: impl Future<Output = ()>) -> usize {
        tokio::select! {
            biased;
            () = tasks.wait() => return 0,
            () = deadline => {}
        }
        let cut = self.shared.table.len();
        self.shared.table.order_all(Order::Abort);
        tasks.wait().await;
        cut
    }

    /// Serves terminals that speak UDP (see [`crate::listen_udp`]) until `shutdown`; then reads no more and answers
    /// what becomes durable, within [`Limits::shutdown_deadline`]. Beside [`Gateway::run`] or without it.
    pub async fn run_udp(&self, socket: UdpSocket, shutdown: impl Future<Output = ()>) {
        crate::udp::run(self.shared.clone(), socket, shutdown).await;
    }

    /// Queues a command for a connected terminal. Its session encodes it in the terminal's dialect under its next
    /// serial, journals it ([`journal::Kind::Command`]), and writes it once that is durable. The pipeline matches the
    /// terminal's answer by (terminal, serial, id).
    ///
    /// # Errors
    /// When it cannot be sent now. After `Ok` it may still not be sent, if the connection ends first: then it is not
    /// in the journal.
    pub fn send(&self, terminal: TerminalId, command: CommandId, message: &Message) -> Result<(), SendError> {
        let (handle, edition) = self.shared.online.find(terminal).ok_or(SendError::NotConnected)?;
        let mut body = Vec::new();
        message.encode_body(edition, &mut body)?;
        if body.len() > MAX_BODY {
            return Err(jt808::EncodeError::BodyTooLong { found: body.len() }.into());
        }
        let downlink = Downlink { terminal, command, id: message.id(), body };
        handle.send(downlink, self.shared.limits.commands_queued_max)
    }

    /// Links of forwarding platforms as they come up and go down, from now on: one event each, however many terminals
    /// they carry. Lossy: who lags by more than 1,024 looks at [`Gateway::open_links`].
    #[must_use]
    pub fn links(&self) -> broadcast::Receiver<LinkEvent> {
        self.shared.links.subscribe()
    }

    /// The links of forwarding platforms that are up.
    #[must_use]
    pub fn open_links(&self) -> Vec<OpenLink> {
        self.shared.links.list()
    }

    /// The registry changed: brings every open connection, TCP and UDP, in line with the one in force. Connections from
    /// denied addresses are closed, and so are links whose platform changed. Terminals that are no longer admitted, whose
    /// epoch is another one, or that left the list of the platform that speaks for them, end as by [`Gateway::revoke`].
    /// Whatever begins while this looks asks the registry itself.
    pub fn recheck(&self) {
        let shared = &self.shared;
        shared.table.recheck(|peer| shared.admission.is_denied(peer), |number| shared.links.is_up(number));
        shared.online.recheck(|terminal, right| right.holds(terminal, &*shared.admission));
    }

    /// Whether a terminal is connected and authenticated.
    #[must_use]
    pub fn is_online(&self, terminal: TerminalId) -> bool {
        self.shared.online.contains(terminal)
    }

    /// How many terminals are connected and authenticated.
    #[must_use]
    pub fn online_count(&self) -> usize {
        self.shared.online.count()
    }

    /// The terminals that are connected and authenticated, ascending.
    #[must_use]
    pub fn online(&self) -> Vec<TerminalId> {
        self.shared.online.list()
    }

    /// Terminals as they authenticate, from now on. Lossy: who lags by more than 4,096 is told how many it missed
    /// (`RecvError::Lagged`) and looks at [`Gateway::online`].
    #[must_use]
    pub fn authenticated(&self) -> broadcast::Receiver<TerminalId> {
        self.shared.authenticated.subscribe()
    }

    /// Ends a terminal's session after the registry revoked it; its connection closes when it holds no other. What it
    /// sent before is still answered.
    pub fn revoke(&self, terminal: TerminalId) {
        self.shared.online.revoke(terminal);
    }
}

/// Binds a listener with a backlog for a fleet that reconnects at once.
///
/// # Errors
/// The system's.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Nobody, gateway};
    use std::future::poll_fn;
    use std::task::{Context, Poll, Waker};

    #[tokio::test]
    async fn a_deadline_passes_once_even_if_no_connection_is_left_to_cut() {
        let gateway = gateway(Arc::new(Nobody), Limits::default());
        let tasks = TaskTracker::new();
        // A task whose connection has left the table.
        let ending = tasks.token();
        tasks.close();
        let mut passed = 0;
        let deadline = poll_fn(|_| {
            passed += 1;
            assert_eq!(passed, 1, "asked again after it had passed");
            Poll::Ready(())
        });
        let mut cutting = pin!(gateway.cut_late(&tasks, deadline));
        for _ in 0..3 {
            assert!(cutting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        drop(ending);
        assert_eq!(cutting.await, 0);
    }
}
