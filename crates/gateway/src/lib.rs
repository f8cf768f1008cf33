//! The door: connections of terminals, who may speak, what is answered and when. It judges nothing, stores nothing
//! but the journal, and knows no view.
//!
//! The way of a frame, and the file of each step:
//!
//! 1. `accept`, `gateway`: [`Gateway::run`] accepts and spawns a task a connection.
//! 2. `connection`: the task reads and cuts what it read into frames.
//! 3. `desk`, `sessions`, `request`: each frame belongs to the terminal in its header; what it may, what is answered.
//! 4. `burst`: the frames of one read are handed to the journal at once, with the `line` as their landing. While the
//!    journal takes nothing more, connections stand in line at the `gate`, unread.
//! 5. `line`, `flush`: the journal says what is durable; then a flusher's thread encodes the answers (`outbox`,
//!    `answer`) and writes them. Never before, and never when it fails.
//!
//! Beside that: `access` lets in, or not, and `proxy` reads whose a balancer's connection is; `links` are connections of
//! forwarding platforms; `udp` serves datagrams by the same rules; `asking` wants packets that did not arrive.
//!
//! The way back: [`Gateway::send`] finds the connection (`online`), puts a command into its mail (`handle`), and the
//! desk journals it before the terminal sees it.

mod accept;
mod access;
mod admission;
mod answer;
mod asking;
mod budget;
mod burst;
mod codes;
mod connection;
mod desk;
mod flush;
mod gate;
mod gateway;
mod handle;
mod limits;
mod line;
mod links;
mod metrics;
mod online;
mod outbox;
mod phase;
mod pool;
mod proxy;
mod request;
mod sessions;
mod table;
#[cfg(test)]
mod testing;
mod udp;

pub use admission::{Admission, Forwarder, RegisterRefusal, Registration};
pub use codes::AuthCodes;
pub use gateway::{Gateway, SendError, Stopped, listen};
pub use limits::{Limits, StrangerBudget};
pub use links::{LinkEvent, OpenLink};
pub use metrics::Metrics;
pub use udp::listen_udp;
