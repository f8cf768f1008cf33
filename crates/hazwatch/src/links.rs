//! The links of forwarding platforms: their rise and fall is one entry of the audit trail each, however many trucks
//! they carry.

use std::sync::Arc;

use control::Control;
use gateway::LinkEvent;
use model::{Change, ControlPort, Principal};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// Records them until it is aborted.
pub(crate) async fn record(mut events: Receiver<LinkEvent>, control: Arc<Control>) {
    loop {
        match events.recv().await {
            Ok(event) => entry(event, &control).await,
            Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "rises and falls of links are not on record"),
            Err(RecvError::Closed) => return,
        }
    }
}

async fn entry(event: LinkEvent, control: &Control) {
    let LinkEvent { forwarder, peer, up, terminals } = event;
    let action = if up { "link.up" } else { "link.down" };
    if up {
        tracing::info!(%forwarder, %peer, "a forwarding platform is connected");
    } else {
        tracing::warn!(%forwarder, %peer, terminals, "a forwarding platform has lost its link");
    }
    let detail = if up { format!("from {peer}") } else { format!("from {peer}, {terminals} terminals") };
    let change = Change::Audit { action: action.to_owned(), subject: forwarder.to_string(), detail };
    if let Err(error) = control.submit(&Principal::system(), vec![change]).await {
        tracing::warn!(%error, %forwarder, action, "not on record");
    }
}
