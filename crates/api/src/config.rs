//! What the window is given: its limits, and the rooms behind it.

use std::sync::Arc;
use std::time::Duration;

use model::{ControlPort, DoorPort, FramesPort, Timestamp, TruthPort, ViewsPort};
use store::Store;

/// Limits of requests. The defaults suit one server for a province.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Largest JSON body, bytes: 1 MiB.
    pub body_bytes_max: usize,
    /// Largest imported file, bytes: 16 MiB.
    pub import_bytes_max: usize,
    /// How long a body may take to arrive: 30 s, then 408.
    pub body_timeout: Duration,
    /// How long an answer may take to begin: 60 s, then 503. Longer than a change waits for its lanes (10 s) and a
    /// read for the views (5 s) together with a large body.
    pub request_timeout: Duration,
    /// Most rows of a page: 1,000.
    pub page_max: usize,
    /// Rows of a page when nobody says: 50.
    pub page_default: usize,
    /// Most fixes of a track: 100,000.
    pub track_fixes_max: usize,
    /// Longest track, days: 31.
    pub track_days_max: i64,
    /// Most live feeds at the same time: 256.
    pub sse_connections_max: usize,
    /// Most live feeds of one user: 8.
    pub sse_per_user_max: usize,
    /// A comment keeps a quiet feed alive this often: 15 s.
    pub sse_keep_alive: Duration,
    /// Least time between two looks of a feed at what changed: 250 ms.
    pub sse_interval: Duration,
    /// Failed logins a minute from one address (IPv6: one /64): 30.
    pub login_failures_per_address: u32,
    /// Failed logins a minute under one name: 10.
    pub login_failures_per_name: u32,
    /// How long a command is worth sending: 10 min.
    pub command_ttl: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            body_bytes_max: 1 << 20,
            import_bytes_max: 16 << 20,
            body_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(60),
            page_max: 1000,
            page_default: 50,
            track_fixes_max: 100_000,
            track_days_max: 31,
            sse_connections_max: 256,
            sse_per_user_max: 8,
            sse_keep_alive: Duration::from_secs(15),
            sse_interval: Duration::from_millis(250),
            login_failures_per_address: 30,
            login_failures_per_name: 10,
            command_ttl: Duration::from_secs(600),
        }
    }
}

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The rooms behind the window.
#[derive(Clone)]
pub struct Deps {
    /// Tracks, facts, users.
    pub store: Store,
    /// The only way anything changes, and the registry.
    pub control: Arc<dyn ControlPort>,
    /// How far the views are, and the live feed.
    pub views: Arc<dyn ViewsPort>,
    /// Raw frames.
    pub frames: Arc<dyn FramesPort>,
    /// Seals, heads, proofs, the control stream.
    pub truth: Arc<dyn TruthPort>,
    /// Codes and links of forwarding platforms.
    pub door: Arc<dyn DoorPort>,
    /// Where everybody's metrics are registered; `/metrics` prints it.
    pub metrics: prometheus::Registry,
    /// The time.
    pub clock: Clock,
    /// What `/healthz` says about the binary.
    pub version: String,
}
