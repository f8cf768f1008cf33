//! A connection as everybody else sees it: where it can be told something, and when it is due.

use std::collections::VecDeque;
use std::mem;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};

use model::{CommandId, TerminalId};
use parking_lot::Mutex;

use crate::SendError;

/// Since the gateway began, ms: no deadline.
pub(crate) const NEVER_MS: u64 = u64::MAX;

/// What the house wants of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    /// Go on.
    #[default]
    Serve,
    /// Read no more, answer what becomes durable, close.
    Drain,
    /// Close now.
    Abort,
}

/// A binding of a terminal to this connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forget {
    pub(crate) terminal: TerminalId,
    /// Which binding: a later one of the same terminal is none of its business.
    pub(crate) generation: u64,
    pub(crate) why: Lost,
}

/// Why a connection lost a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// A newer connection authenticated as it.
    Superseded,
    /// The registry revoked it.
    Revoked,
}

/// A command on its way to a session.
#[derive(Debug)]
pub(crate) struct Downlink {
    pub(crate) terminal: TerminalId,
    pub(crate) command: CommandId,
    /// Message id.
    pub(crate) id: u16,
    pub(crate) body: Vec<u8>,
}

/// What a connection finds when it looks.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    pub(crate) order: Order,
    pub(crate) forget: Vec<Forget>,
    pub(crate) commands: VecDeque<Downlink>,
}

#[derive(Default)]
struct Inbox {
    mail: Mail,
    waker: Option<Waker>,
    closed: bool,
}

pub(crate) struct Handle {
    pub(crate) id: u64,
    pub(crate) peer: SocketAddr,
    due_ms: AtomicU64,
    inbox: Mutex<Inbox>,
}

impl Handle {
    pub(crate) fn new(id: u64, peer: SocketAddr) -> Self {
        Self { id, peer, due_ms: AtomicU64::new(NEVER_MS), inbox: Mutex::default() }
    }

    fn tell(&self, change: impl FnOnce(&mut Mail)) {
        let waker = {
            let mut inbox = self.inbox.lock();
            change(&mut inbox.mail);
            inbox.waker.clone()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn order(&self, order: Order) {
        self.tell(|mail| mail.order = mail.order.max(order));
    }

    pub(crate) fn forget(&self, forget: Forget) {
        self.tell(|mail| mail.forget.push(forget));
    }

    /// Queues a command.
    pub(crate) fn send(&self, downlink: Downlink, queued_max: usize) -> Result<(), SendError> {
        let waker = {
            let mut inbox = self.inbox.lock();
            if inbox.closed {
                return Err(SendError::NotConnected);
            }
            if inbox.mail.commands.len() >= queued_max {
                return Err(SendError::QueueFull);
            }
            inbox.mail.commands.push_back(downlink);
            inbox.waker.clone()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Takes what lies there, commands only when they are wanted, and has `cx` woken for what comes.
    pub(crate) fn take(&self, cx: &Context<'_>, commands: bool) -> Mail {
        let mut inbox = self.inbox.lock();
        if !inbox.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            inbox.waker = Some(cx.waker().clone());
        }
        let kept = if commands { VecDeque::new() } else { mem::take(&mut inbox.mail.commands) };
        let order = inbox.mail.order;
        mem::replace(&mut inbox.mail, Mail { order, forget: Vec::new(), commands: kept })
    }

    /// Nobody looks any more.
    pub(crate) fn close(&self) {
        let mut inbox = self.inbox.lock();
        inbox.closed = true;
        inbox.waker = None;
        inbox.mail.commands = VecDeque::new();
    }

    pub(crate) fn set_due(&self, due_ms: u64) {
        self.due_ms.store(due_ms, Ordering::Release);
    }

    /// Wakes the connection when its deadline has passed.
    pub(crate) fn wake_if_due(&self, now_ms: u64) {
        if self.due_ms.load(Ordering::Acquire) < now_ms {
            self.tell(|_| {});
        }
    }
}
