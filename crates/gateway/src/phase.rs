//! How far a connection is, and why it ends.

use std::time::Duration;

use crate::handle::NEVER_MS;

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer closed it.
    Peer,
    /// The socket failed.
    Socket,
    /// Too much that is no frame.
    Garbage,
    /// Silence.
    Idle,
    /// Nobody authenticated in time.
    Unauthenticated,
    /// The peer takes no answers.
    WriteTimeout,
    /// A newer connection speaks for its terminal.
    Superseded,
    /// The registry revoked its terminal.
    Revoked,
    /// Nobody may connect from its address any more.
    Denied,
    /// The journal failed.
    JournalFailed,
    /// The server stops.
    Shutdown,
    /// The server could not wait any longer.
    Aborted,
}

impl End {
    /// The label in the metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Socket => "socket",
            Self::Garbage => "garbage",
            Self::Idle => "idle",
            Self::Unauthenticated => "unauthenticated",
            Self::WriteTimeout => "write_timeout",
            Self::Superseded => "superseded",
            Self::Revoked => "revoked",
            Self::Denied => "denied",
            Self::JournalFailed => "journal_failed",
            Self::Shutdown => "shutdown",
            Self::Aborted => "aborted",
        }
    }
}

/// How far a connection is. Times are ms since the gateway began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Reads and answers.
    Open,
    /// Reads no more; answers what is still to be answered.
    Draining(End),
    /// All is answered and our side is closed; waits for the peer's side, so that the last answers arrive.
    Lingering(End, u64),
    /// The journal failed: neither reads nor answers.
    Failed(u64),
}

/// When a time is over that began then.
pub(crate) fn after_ms(since_ms: u64, timeout: Duration) -> u64 {
    since_ms.saturating_add(u64::try_from(timeout.as_millis()).unwrap_or(NEVER_MS))
}
