//! Limits on everything that a peer could make grow or last.

use std::time::Duration;

use model::Network;

/// What all strangers together may put into the journal. Beyond it their frames are counted, and neither journalled
/// nor answered. A right authentication code costs nothing: whoever shows it is no stranger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrangerBudget {
    /// Frames a second.
    pub frames_per_s: u32,
    /// Frames that may come at once, after a quiet time.
    pub frames_burst: u32,
    /// Bytes a second.
    pub bytes_per_s: u32,
    /// Bytes that may come at once, after a quiet time.
    pub bytes_burst: u32,
}

impl Default for StrangerBudget {
    /// 2,000 frames and 1 MiB a second; a fleet of 20,000 may register at once.
    fn default() -> Self {
        Self { frames_per_s: 2_000, frames_burst: 20_000, bytes_per_s: 1 << 20, bytes_burst: 8 << 20 }
    }
}

/// The limits of a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time. Keep it below the limit on open files less what files and HTTP need.
    pub connections_max: usize,
    /// Connections at a time from one address. Whole fleets come through one address of a mobile operator, so the
    /// default is no tighter than `connections_max`.
    pub connections_per_address_max: usize,
    /// Terminals that one connection may speak for.
    pub terminals_per_connection_max: usize,
    /// Terminals that the connection of a forwarding platform may speak for.
    pub terminals_per_forwarder_max: usize,
    /// Terminals that speak over UDP at a time.
    pub udp_sessions_max: usize,
    /// Networks of load balancers that begin each connection with a PROXY header (version 1 or 2). From there it is
    /// required; what anybody else says of the kind is garbage.
    pub proxies: Vec<Network>,
    /// How long a load balancer may take for its header.
    pub proxy_timeout: Duration,
    /// Unanswered frames a terminal before its connection is no longer read.
    pub window_per_terminal: usize,
    /// Unanswered frames a connection before it is no longer read.
    pub window_per_connection: usize,
    /// The same for the connection of a forwarding platform.
    pub window_per_forwarder: usize,
    /// What keeping track of missing packets may take for all terminals together, bytes. When it is full, terminals are
    /// not asked for packets (0x8003 补传分包请求), and counted; what they send is kept as ever.
    pub asking_bytes_max: usize,
    /// Commands that may wait for a terminal before [`crate::SendError::QueueFull`].
    pub commands_queued_max: usize,
    /// Silence after which a connection is closed.
    pub idle_timeout: Duration,
    /// How long a connection may stay without an authenticated terminal.
    pub unauthenticated_timeout: Duration,
    /// How long a peer may take none of its answers.
    pub write_timeout: Duration,
    /// How long a connection stays open, unread and unanswered, after the journal failed.
    pub journal_failed_grace: Duration,
    /// How long a closing connection waits for the peer to close too, so that the last answers arrive.
    pub linger: Duration,
    /// How long a shutdown may take before connections are cut.
    pub shutdown_deadline: Duration,
    /// What strangers may put into the journal.
    pub strangers: StrangerBudget,
}

impl Default for Limits {
    /// | limit | default |
    /// |---|---|
    /// | connections, in all and from one address | 19,500: 20,000 open files less a reserve |
    /// | terminals a connection, a forwarding platform's, over UDP | 1,024, 2,000, 20,000 |
    /// | window a terminal, a connection, a forwarding platform's | 64, 1,024, 8,192 frames |
    /// | missing packets of all terminals | 64 MiB |
    /// | commands waiting a terminal | 32 |
    /// | load balancers | none; 5 s for the header |
    /// | idle, unauthenticated, write, journal grace | 10 min, 30 s, 30 s, 30 s |
    /// | linger, shutdown | 2 s, 10 s |
    fn default() -> Self {
        Self {
            connections_max: 19_500,
            connections_per_address_max: 19_500,
            terminals_per_connection_max: 1_024,
            terminals_per_forwarder_max: 2_000,
            udp_sessions_max: 20_000,
            proxies: Vec::new(),
            proxy_timeout: Duration::from_secs(5),
            window_per_terminal: 64,
            window_per_connection: 1_024,
            window_per_forwarder: 8_192,
            asking_bytes_max: 64 << 20,
            commands_queued_max: 32,
            idle_timeout: Duration::from_secs(600),
            unauthenticated_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            journal_failed_grace: Duration::from_secs(30),
            linger: Duration::from_secs(2),
            shutdown_deadline: Duration::from_secs(10),
            strangers: StrangerBudget::default(),
        }
    }
}

impl Limits {
    /// How often deadlines are looked at: a quarter of the shortest, between 5 ms and 1 s.
    pub(crate) fn sweep_interval(&self) -> Duration {
        let timeouts = [
            self.idle_timeout,
            self.unauthenticated_timeout,
            self.write_timeout,
            self.journal_failed_grace,
            self.linger,
        ];
        let shortest = timeouts.into_iter().min().unwrap_or_default();
        (shortest / 4).clamp(Duration::from_millis(5), Duration::from_secs(1))
    }
}
