//! A gateway that serves nobody, for tests of its parts.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use journal::sim::SimDisk;
use journal::{Journal, Options, system_clock};
use model::{BoxFuture, ForwarderId, TerminalId};
use tokio::net::{TcpListener, TcpStream};

use crate::{Admission, AuthCodes, Forwarder, Gateway, Limits, Metrics, RegisterRefusal, Registration};

/// A registry that knows nobody.
pub(crate) struct Nobody;

impl Admission for Nobody {
    fn epoch(&self, _terminal: TerminalId) -> Option<u32> {
        None
    }

    fn register<'a>(
        &'a self,
        _terminal: TerminalId,
        _registration: Registration,
    ) -> BoxFuture<'a, Result<u32, RegisterRefusal>> {
        Box::pin(std::future::ready(Err(RegisterRefusal::NoTerminal)))
    }
}

/// A registry that changes after the first look: then nobody may connect, and no address is a platform's any more.
#[derive(Default)]
pub(crate) struct Turning(AtomicUsize);

impl Turning {
    fn has_turned(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) > 0
    }
}

impl Admission for Turning {
    fn epoch(&self, _terminal: TerminalId) -> Option<u32> {
        None
    }

    fn register<'a>(
        &'a self,
        terminal: TerminalId,
        registration: Registration,
    ) -> BoxFuture<'a, Result<u32, RegisterRefusal>> {
        Nobody.register(terminal, registration)
    }

    fn is_denied(&self, _peer: IpAddr) -> bool {
        self.has_turned()
    }

    fn forwarder(&self, _peer: IpAddr) -> Option<Forwarder> {
        (!self.has_turned()).then_some(Forwarder { id: ForwarderId(7), code_epoch: None })
    }
}

pub(crate) fn gateway(admission: Arc<dyn Admission>, limits: Limits) -> Gateway {
    let disk = Arc::new(SimDisk::default());
    let (journal, _, _) = Journal::open(Options { disk, ..Options::new(PathBuf::from("/journal")) }).expect("opens");
    let metrics = Metrics::new(&prometheus::Registry::new()).expect("free names");
    Gateway::new(journal, admission, AuthCodes::new([7; 32]), limits, metrics, system_clock())
}

/// Both ends of a connection.
pub(crate) async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("bound");
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (near.expect("connects"), far.expect("accepted").0)
}

/// Counts how often it was woken.
#[derive(Default)]
pub(crate) struct Woken(AtomicUsize);

impl Woken {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
