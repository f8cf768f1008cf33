//! Where a connection begins: the deny list, load balancers that say whose it is, and the limits on how many there are.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::Connection;
use crate::gateway::Shared;
use crate::handle::{Handle, Order};
use crate::proxy;

/// Connections of load balancers whose header has not come yet.
const HEADERS_MAX: usize = 1_024;

/// What those at the door share.
pub(crate) struct Access {
    headers: Arc<Semaphore>,
    stopping: CancellationToken,
}

impl Default for Access {
    fn default() -> Self {
        Self { headers: Arc::new(Semaphore::new(HEADERS_MAX)), stopping: CancellationToken::new() }
    }
}

impl Access {
    /// Nobody is waited for any more.
    pub(crate) fn stop(&self) {
        self.stopping.cancel();
    }
}

/// Takes a connection in, as a task of its own, or closes it.
pub(crate) fn take_in(shared: &Arc<Shared>, stream: TcpStream, peer: SocketAddr, tasks: &TaskTracker) {
    let proxies = &shared.limits.proxies;
    if shared.admission.is_denied(peer.ip()) {
        return refuse(shared, peer, "denied");
    }
    if !proxies.iter().any(|network| network.contains(peer.ip())) {
        if let Some(handle) = enter(shared, peer) {
            tasks.spawn(connection(shared.clone(), stream, handle));
        }
        return;
    }
    let Ok(waiting) = shared.access.headers.clone().try_acquire_owned() else {
        return refuse(shared, peer, "proxies_full");
    };
    let shared = shared.clone();
    tasks.spawn(async move {
        let mut stream = stream;
        let source = behind_proxy(&shared, &mut stream, peer).await;
        drop(waiting);
        if let Some(handle) = source.and_then(|source| enter(&shared, source)) {
            if shared.access.stopping.is_cancelled() {
                handle.order(Order::Drain);
            }
            connection(shared, stream, handle).await;
        }
    });
}

/// Who stands behind a load balancer; `None` when it is closed instead.
async fn behind_proxy(shared: &Shared, stream: &mut TcpStream, proxy: SocketAddr) -> Option<SocketAddr> {
    let read = tokio::time::timeout(shared.limits.proxy_timeout, proxy::read(stream));
    let read = tokio::select! {
        () = shared.access.stopping.cancelled() => return None,
        read = read => read,
    };
    let refused = match read {
        Ok(Ok(None)) => return Some(proxy),
        Ok(Ok(Some(source))) if !shared.admission.is_denied(source.ip()) => return Some(source),
        Ok(Ok(Some(_))) => "denied",
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => "proxy_header",
        Ok(Err(_)) => "proxy_closed",
        Err(_) => "proxy_timeout",
    };
    refuse(shared, proxy, refused);
    None
}

/// A place among all connections, if the limits give one.
fn enter(shared: &Shared, peer: SocketAddr) -> Option<Arc<Handle>> {
    let entered = shared.table.enter(peer, &shared.limits);
    let handle = entered.map_err(|refused| refuse(shared, peer, refused.name())).ok()?;
    // Who was denied since it was looked was not yet among those who are told to go.
    if shared.admission.is_denied(handle.peer.ip()) {
        shared.table.leave(&handle);
        refuse(shared, peer, "denied");
        return None;
    }
    Some(handle)
}

fn connection(shared: Arc<Shared>, stream: TcpStream, handle: Arc<Handle>) -> Connection {
    // Answers are small and wanted at once; a system that refuses this only answers later.
    let _ = stream.set_nodelay(true);
    Connection::new(stream, handle, shared)
}

fn refuse(shared: &Shared, peer: SocketAddr, reason: &str) {
    shared.metrics.refused.with_label_values(&[reason]).inc();
    tracing::debug!(%peer, reason, "connection refused");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::testing::{Turning, gateway, sockets};

    #[tokio::test]
    async fn whoever_is_denied_while_coming_in_does_not_come_in() {
        let shared = gateway(Arc::new(Turning::default()), Limits::default()).shared;
        let (near, _far) = sockets().await;
        let (peer, tasks) = (near.local_addr().expect("bound"), TaskTracker::new());
        take_in(&shared, near, peer, &tasks);
        assert_eq!((shared.table.len(), tasks.len()), (0, 0));
        assert_eq!(shared.metrics.refused.with_label_values(&["denied"]).get(), 1);
    }
}
