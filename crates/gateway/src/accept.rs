//! Accepting connections, also when the process may open no more files: then whoever comes is refused, instead of being
//! left in the dark until it times out.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};

use crate::Metrics;

/// How long nothing is accepted after accepting failed for no reason that we know a way around.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the log says that connections are refused.
const TELL_EVERY: Duration = Duration::from_secs(60);

pub(crate) struct Acceptor {
    listener: TcpListener,
    metrics: Metrics,
    /// An open file, to be closed when no other can be opened: its number takes in the connection that is refused.
    spare: Option<File>,
    told: Option<Instant>,
    /// Refused since the log was told.
    refused: u64,
}

impl Acceptor {
    pub(crate) fn new(listener: TcpListener, metrics: Metrics) -> Self {
        Self { listener, metrics, spare: spare(), told: None, refused: 0 }
    }

    /// The next connection.
    pub(crate) async fn next(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => return accepted,
                Err(error) => self.failed(&error).await,
            }
        }
    }

    /// One broken connection attempt is nothing. Whatever else it is, the listener does not spin.
    async fn failed(&mut self, error: &io::Error) {
        let fleeting = [
            io::ErrorKind::ConnectionAborted,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::Interrupted,
        ];
        if fleeting.contains(&error.kind()) {
            return self.count("accept_error", 1);
        }
        let exhausted = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE].map(rustix::io::Errno::raw_os_error);
        if error.raw_os_error().is_some_and(|code| exhausted.contains(&code)) && self.refuse().await {
            return;
        }
        self.count("accept_error", 1);
        self.tell(error);
        tokio::time::sleep(PAUSE).await;
    }

    /// Takes in those who wait and closes them at once; `false` when there was no number even for that. Without numbers
    /// the system says so even when nobody waits.
    async fn refuse(&mut self) -> bool {
        let had_spare = self.spare.is_some();
        let mut refused = 0;
        while self.spare.take().is_some() {
            let mut accept = pin!(self.listener.accept());
            // Whoever waited may have gone: nobody is waited for while the spare is closed.
            let taken = std::future::poll_fn(|cx| Poll::Ready(accept.as_mut().poll(cx))).await;
            let is_refused = matches!(taken, Poll::Ready(Ok(_)));
            drop(taken);
            self.spare = spare();
            if !is_refused {
                break;
            }
            refused += 1;
        }
        if refused > 0 {
            self.count("no_descriptor", refused);
            self.tell(&io::Error::from(rustix::io::Errno::MFILE));
        }
        self.spare = self.spare.take().or_else(spare);
        had_spare
    }

    fn count(&mut self, reason: &str, count: u64) {
        self.refused += count;
        self.metrics.refused.with_label_values(&[reason]).inc_by(count);
    }

    fn tell(&mut self, error: &io::Error) {
        if self.told.is_some_and(|at| at.elapsed() < TELL_EVERY) {
            return;
        }
        self.told = Some(Instant::now());
        let refused = std::mem::take(&mut self.refused);
        tracing::warn!(%error, refused, "connections are refused");
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}
