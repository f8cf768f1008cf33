//! The only way anything changes: validate against the head of the control stream, append to the journal, wait until
//! every lane has passed it. And the dispatcher that turns effects into commands and hands commands to the door.
//!
//! It holds no socket: frames leave through the [`Downlink`] that the house plugs in.

mod admit;
mod case;
mod dispatcher;
mod door;
mod ground;
mod submit;
mod validate;
mod zone;

pub use admit::{Registering, open_registration};
pub use dispatcher::{Dispatcher, Downlink, NotSent};
pub use submit::{AtEnd, Control, Head};

/// A new random identity, never zero.
///
/// # Errors
/// When the system has no randomness to give.
pub fn random_id() -> Result<u64, model::ControlError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| model::ControlError::Unavailable {
        message: format!("no randomness: {error}"),
        unknown: false,
    })?;
    Ok(u64::from_le_bytes(bytes).max(1))
}
