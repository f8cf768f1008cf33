//! The gateway: what all connections share, the listener, and the way down to a terminal.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use journal::{Clock, Journal};
use jt808::{MAX_BODY, Message};
use model::{CommandId, TerminalId};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::broadcast;
use tokio_util::task::TaskTracker;

use crate::budget::Budget;
use crate::connection::Connection;
use crate::handle::{Downlink, Order};
use crate::online::Online;
use crate::table::Table;
use crate::{Admission, AuthCodes, Limits, Metrics};

/// Connections that the system may hold before they are accepted: a fleet that reconnects at once.
const BACKLOG: u32 = 4_096;
/// Terminals that came online and were not yet fetched by a receiver, before it misses the oldest.
const AUTHENTICATED_KEPT: usize = 4_096;
/// How long nothing is accepted after accepting failed (no file descriptor is free, usually).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
    pub(crate) table: Table,
    pub(crate) budget: Budget,
    pub(crate) authenticated: broadcast::Sender<TerminalId>,
    began: Instant,
}

impl Shared {
    /// Milliseconds since the gateway began: what deadlines are counted in.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The door. Clones share it.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
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
        let began = Instant::now();
        let shared = Shared {
            online: Online::new(metrics.online.clone()),
            table: Table::default(),
            budget: Budget::new(limits.strangers.clone(), began),
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
        let tasks = TaskTracker::new();
        let mut sweep = tokio::time::interval(shared.limits.sweep_interval());
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                _ = sweep.tick() => shared.table.sweep(shared.now_ms()),
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => self.take_in(stream, peer, &tasks),
                    Err(error) => self.accept_failed(&error).await,
                },
            }
        }
        drop(listener);
        tasks.close();
        shared.table.order_all(Order::Drain);
        let mut deadline = pin!(tokio::time::sleep(shared.limits.shutdown_deadline));
        loop {
            tokio::select! {
                () = tasks.wait() => return Stopped { cut: 0 },
                _ = sweep.tick() => shared.table.sweep(shared.now_ms()),
                () = &mut deadline => break,
            }
        }
        let cut = shared.table.len();
        shared.table.order_all(Order::Abort);
        tasks.wait().await;
        Stopped { cut }
    }

    fn take_in(&self, stream: TcpStream, peer: SocketAddr, tasks: &TaskTracker) {
        let shared = &self.shared;
        match shared.table.enter(peer, &shared.limits) {
            Ok(handle) => {
                // Answers are small and wanted at once; a system that refuses this only answers later.
                let _ = stream.set_nodelay(true);
                tasks.spawn(Connection::new(stream, handle, shared.clone()));
            }
            Err(refused) => {
                shared.metrics.refused.with_label_values(&[refused.name()]).inc();
                tracing::debug!(%peer, reason = refused.name(), "connection refused");
            }
        }
    }

    /// One broken connection attempt is nothing; without file descriptors the listener waits instead of spinning.
    async fn accept_failed(&self, error: &io::Error) {
        self.shared.metrics.refused.with_label_values(&["accept_error"]).inc();
        let fleeting = [
            io::ErrorKind::ConnectionAborted,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::Interrupted,
        ];
        if !fleeting.contains(&error.kind()) {
            tracing::warn!(%error, "cannot accept connections");
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
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
