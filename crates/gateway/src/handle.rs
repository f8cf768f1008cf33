//! A connection as everybody else sees it: where it can be told something, and when it is due.

use std::collections::VecDeque;
use std::mem;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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
    /// Nobody may connect from its address any more: close now.
    Deny,
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
    /// The registry changed whom a forwarding platform's connection, or a door of UDP, may hear.
    pub(crate) recheck: bool,
    pub(crate) commands: VecDeque<Downlink>,
}

#[derive(Default)]
struct Inbox {
    /// Most connections never get any.
    mail: Option<Box<Mail>>,
    waker: Option<Waker>,
    closed: bool,
}

pub(crate) struct Handle {
    pub(crate) id: u64,
    pub(crate) peer: SocketAddr,
    due_ms: AtomicU64,
    has_mail: AtomicBool,
    /// Where it stands in line at the gate; 0: nowhere.
    place: AtomicU64,
    inbox: Mutex<Inbox>,
}

impl Handle {
    pub(crate) fn new(id: u64, peer: SocketAddr) -> Self {
        Self {
            id,
            peer,
            due_ms: AtomicU64::new(NEVER_MS),
            has_mail: AtomicBool::new(false),
            place: AtomicU64::new(0),
            inbox: Mutex::default(),
        }
    }

    /// Puts something into the mail and has the connection look.
    fn tell(&self, change: impl FnOnce(&mut Mail) -> Result<(), SendError>) -> Result<(), SendError> {
        let waker = {
            let mut inbox = self.inbox.lock();
            if inbox.closed {
                return Err(SendError::NotConnected);
            }
            change(inbox.mail.get_or_insert_default())?;
            self.has_mail.store(true, Ordering::Release);
            inbox.waker.clone()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Has the connection look.
    pub(crate) fn wake(&self) {
        let waker = self.inbox.lock().waker.clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn order(&self, order: Order) {
        // One that is closed has what any order asks for.
        let _ = self.tell(|mail| {
            mail.order = mail.order.max(order);
            Ok(())
        });
    }

    /// The registry changed: has a forwarding platform's connection or a door of UDP look whom it still may hear, and one
    /// that is denied close.
    pub(crate) fn recheck(&self, is_denied: bool) {
        let _ = self.tell(|mail| {
            if is_denied {
                mail.order = mail.order.max(Order::Deny);
            } else {
                mail.recheck = true;
            }
            Ok(())
        });
    }

    pub(crate) fn forget(&self, forget: Forget) {
        // One that is closed speaks for nobody.
        let _ = self.tell(|mail| {
            mail.forget.push(forget);
            Ok(())
        });
    }

    /// Queues a command, unless that many wait for its terminal already.
    pub(crate) fn send(&self, downlink: Downlink, queued_max: usize) -> Result<(), SendError> {
        self.tell(|mail| {
            let waiting = mail.commands.iter().filter(|other| other.terminal == downlink.terminal);
            if waiting.count() >= queued_max {
                return Err(SendError::QueueFull);
            }
            mail.commands.push_back(downlink);
            Ok(())
        })
    }

    /// Has `cx` woken for what comes.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        let mut inbox = self.inbox.lock();
        if !inbox.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            inbox.waker = Some(cx.waker().clone());
        }
    }

    /// Whether something lies there.
    pub(crate) fn has_mail(&self) -> bool {
        self.has_mail.load(Ordering::Acquire)
    }

    /// Takes what lies there, commands only when they are wanted.
    pub(crate) fn take(&self, commands: bool) -> Mail {
        let mut inbox = self.inbox.lock();
        let mut taken = inbox.mail.take().map_or_else(Mail::default, |mail| *mail);
        if !commands && !taken.commands.is_empty() {
            let kept = mem::take(&mut taken.commands);
            inbox.mail = Some(Box::new(Mail { commands: kept, ..Mail::default() }));
        }
        self.has_mail.store(inbox.mail.is_some(), Ordering::Release);
        taken
    }

    /// Nobody looks any more.
    pub(crate) fn close(&self) {
        let mut inbox = self.inbox.lock();
        inbox.closed = true;
        inbox.waker = None;
        inbox.mail = None;
    }

    /// Notes that the connection stands in line at the gate, in a place from 1 on; `false` if it did before.
    pub(crate) fn park(&self, place: u64) -> bool {
        self.place.compare_exchange(0, place, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Where it stands in line.
    pub(crate) fn place(&self) -> Option<u64> {
        Some(self.place.load(Ordering::Acquire)).filter(|place| *place > 0)
    }

    /// Lets it go on.
    pub(crate) fn unpark(&self) {
        self.place.store(0, Ordering::Release);
        self.wake();
    }

    pub(crate) fn set_due(&self, due_ms: u64) {
        self.due_ms.store(due_ms, Ordering::Release);
    }

    pub(crate) fn is_due(&self, now_ms: u64) -> bool {
        self.due_ms.load(Ordering::Acquire) < now_ms
    }

    /// Wakes the connection when its deadline has passed.
    pub(crate) fn wake_if_due(&self, now_ms: u64) {
        if self.is_due(now_ms) {
            self.wake();
        }
    }
}
