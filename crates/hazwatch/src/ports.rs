//! The plugs: what rooms ask of each other without importing each other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use control::{Control, Downlink, Head, NotSent};
use gateway::{AuthCodes, Gateway, SendError};
use journal::{Clock, Journal, Watermark};
use jt808::{Empty, Message, TextMessage};
use model::{
    BoxFuture, Change, CommandBody, CommandId, ControlError, ControlPort, DoorPort, ForwarderId, Link, LivePosition,
    Principal, Receipt, Registry, TerminalId, Timestamp, ViewsBehind, ViewsPort,
};
use parking_lot::Mutex;
use pipeline::Views;

/// How long a reader waits for the views.
const CAUGHT_UP_MAX: Duration = Duration::from_secs(5);

/// The views, for control.
pub(crate) struct HeadOf {
    pub views: Views,
    pub watermark: Watermark,
    pub clock: Arc<dyn Clock>,
}

impl Head for HeadOf {
    fn registry(&self) -> Arc<Registry> {
        self.views.registry()
    }

    fn applied(&self, seq: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if !self.views.wait_applied(seq).await {
                // The pipeline has stopped: nothing will ever be applied, and the caller's deadline decides.
                std::future::pending::<()>().await;
            }
        })
    }

    fn caught_up(&self) -> BoxFuture<'_, ()> {
        self.applied(self.watermark.committed())
    }

    fn now(&self) -> Timestamp {
        self.clock.now().max(self.views.registry().recorded_at())
    }
}

/// Control, for the API: a terminal that was revoked is also shown the door, and so is who may no longer come in.
pub(crate) struct ControlOf {
    pub control: Arc<Control>,
    pub gateway: Gateway,
}

impl ControlPort for ControlOf {
    fn submit<'a>(&'a self, who: &'a Principal, changes: Vec<Change>) -> BoxFuture<'a, Result<Receipt, ControlError>> {
        let revoked: Vec<_> = changes.iter().filter_map(revoked).collect();
        let door = changes.iter().any(is_of_the_door);
        Box::pin(async move {
            let receipt = self.control.submit(who, changes).await?;
            revoked.into_iter().for_each(|terminal| self.gateway.revoke(terminal));
            if door {
                self.gateway.recheck();
            }
            Ok(receipt)
        })
    }

    fn registry(&self) -> Arc<Registry> {
        ControlPort::registry(&*self.control)
    }
}

const fn revoked(change: &Change) -> Option<TerminalId> {
    if let Change::Revoke { terminal } = change { Some(*terminal) } else { None }
}

/// Whether connections that are open may have to close because of it.
const fn is_of_the_door(change: &Change) -> bool {
    matches!(
        change,
        Change::ForwarderPut(_) | Change::ForwarderDelete { .. } | Change::DenyPut { .. } | Change::DenyDelete { .. }
    )
}

/// The door, for the API.
pub(crate) struct DoorOf {
    pub gateway: Gateway,
    pub codes: AuthCodes,
}

impl DoorPort for DoorOf {
    fn forwarder_code(&self, id: ForwarderId, epoch: u32) -> String {
        self.codes.forwarder_code(id, epoch)
    }

    fn links(&self) -> Vec<Link> {
        let links = self.gateway.open_links().into_iter();
        let view = |link: gateway::OpenLink| Link {
            forwarder: link.forwarder,
            peer: link.peer.to_string(),
            since: link.since,
            terminals: link.terminals,
        };
        links.map(view).collect()
    }
}

/// Views that have not moved for this long, though there is something to do, are stuck.
const STUCK: Duration = Duration::from_secs(20);

/// The views, for the API.
pub(crate) struct ViewsOf {
    pub views: Views,
    pub journal: Journal,
    pub watermark: Watermark,
    pub gateway: Gateway,
    /// How far they were when they were last seen to move or to have nothing to do, and when that was.
    pub moved: Mutex<(u64, Instant)>,
}

impl ViewsOf {
    /// Why nothing comes through, if so: then nobody is answered either, or soon will not be.
    fn stuck(&self) -> Result<(), String> {
        if self.views.has_stopped() {
            return Err("the views have stopped; the log says why".to_owned());
        }
        let (applied, committed) = (self.views.applied(), self.watermark.committed());
        let mut moved = self.moved.lock();
        if applied != moved.0 || applied >= committed {
            *moved = (applied, Instant::now());
        }
        let since = moved.1.elapsed();
        if since < STUCK { Ok(()) } else { Err(format!("the views have not moved for {} s", since.as_secs())) }
    }

    fn behind(&self, seq: u64) -> ViewsBehind {
        ViewsBehind { behind: seq.saturating_sub(self.views.applied()) }
    }
}

impl ViewsPort for ViewsOf {
    fn caught_up(&self) -> BoxFuture<'_, Result<(), ViewsBehind>> {
        let seq = self.watermark.committed();
        Box::pin(async move {
            match tokio::time::timeout(CAUGHT_UP_MAX, self.views.wait_applied(seq)).await {
                Ok(true) => Ok(()),
                Ok(false) | Err(_) => Err(self.behind(seq)),
            }
        })
    }

    fn settled(&self) -> u64 {
        self.views.applied()
    }

    fn ready(&self) -> Result<(), String> {
        self.journal.failure().map_or_else(|| self.stuck(), |error| Err(error.to_string()))
    }

    fn positions(&self, cursor: u64) -> (Vec<LivePosition>, u64) {
        self.views.positions(cursor)
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        let mut applied = self.views.watch();
        Box::pin(async move {
            if applied.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }

    fn is_online(&self, terminal: TerminalId) -> bool {
        self.gateway.is_online(terminal)
    }

    fn online_count(&self) -> usize {
        self.gateway.online_count()
    }
}

/// Text flags of 0x8300 (JT/T 808-2013 table 49).
mod flag {
    pub(super) const URGENT: u8 = 1;
    pub(super) const DISPLAY: u8 = 1 << 2;
    pub(super) const SPOKEN: u8 = 1 << 3;
}
/// Text type of 0x8300 in 2019: 1 a notice (通知).
const NOTICE: u8 = 1;

/// The door, for the dispatcher of commands.
pub(crate) struct DownlinkOf(pub Gateway);

impl Downlink for DownlinkOf {
    fn send(&self, terminal: TerminalId, id: CommandId, body: &CommandBody) -> Result<(), NotSent> {
        let message = match body {
            CommandBody::Text { text, urgent, spoken } => {
                let mut bits = flag::DISPLAY;
                bits |= if *urgent { flag::URGENT } else { 0 };
                bits |= if *spoken { flag::SPOKEN } else { 0 };
                Message::Text(TextMessage { flag: bits, kind: Some(NOTICE), text: text.as_str().into() })
            }
            CommandBody::Locate => Message::LocationQuery(Empty::default()),
        };
        self.0.send(terminal, id, &message).map_err(|error| match error {
            SendError::NotConnected | SendError::QueueFull => NotSent::NotNow,
            SendError::Encode(error) => NotSent::Never(error.to_string()),
        })
    }
}
