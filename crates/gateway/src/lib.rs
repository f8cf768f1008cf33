//! The door: connections of terminals, who may speak, what is answered and when. It judges nothing, stores nothing
//! but the journal, and knows no view.
//!
//! The way of a frame: [`Gateway::run`] accepts; a connection cuts what it reads into frames, and each frame belongs
//! to the terminal in its header. All frames of one read go to the journal together, and their answers leave when
//! that is durable: never before, never when it fails. The way back: [`Gateway::send`] journals a command before the
//! terminal sees it.

mod admission;
mod answer;
mod budget;
mod burst;
mod codes;
mod connection;
mod desk;
mod gateway;
mod handle;
mod limits;
mod metrics;
mod online;
mod outbox;
mod phase;
mod request;
mod table;

pub use admission::{Admission, RegisterRefusal, Registration};
pub use codes::AuthCodes;
pub use gateway::{Gateway, SendError, Stopped, listen};
pub use limits::{Limits, StrangerBudget};
pub use metrics::Metrics;
