//! Message bodies, one file a layout. The table in `message.rs` says which id has which.

mod authenticate;
mod batch_location;
mod driver_identity;
mod empty;
mod general_response;
mod location_query_response;
mod packet_request;
mod register;
mod register_response;
mod server_time;
mod text_message;
mod waybill;

pub use authenticate::Authenticate;
pub use batch_location::{BatchBodies, BatchKind, BatchLocation};
pub use driver_identity::{CardEvent, Driver, DriverIdentity};
pub use empty::Empty;
pub use general_response::GeneralResponse;
pub use location_query_response::LocationQueryResponse;
pub use packet_request::PacketRequest;
pub use register::Register;
pub use register_response::RegisterResponse;
pub use server_time::ServerTime;
pub use text_message::TextMessage;
pub use waybill::Waybill;

use crate::{EncodeError, Text};

/// Appends a fixed-width text, filled behind with 0x00.
pub(crate) fn put_padded(out: &mut Vec<u8>, field: &'static str, text: &Text, width: usize) -> Result<(), EncodeError> {
    let wire = text.wire();
    if wire.len() > width {
        return Err(EncodeError::FieldTooLong { field, max: width, found: wire.len() });
    }
    out.extend_from_slice(wire);
    out.resize(out.len() + width - wire.len(), 0);
    Ok(())
}

/// Appends a text behind a length byte.
pub(crate) fn put_counted(out: &mut Vec<u8>, field: &'static str, text: &Text) -> Result<(), EncodeError> {
    let wire = text.wire();
    let len = u8::try_from(wire.len()).map_err(|_| EncodeError::FieldTooLong {
        field,
        max: usize::from(u8::MAX),
        found: wire.len(),
    })?;
    out.push(len);
    out.extend_from_slice(wire);
    Ok(())
}
