//! The wire: JT/T 808 frames, headers and messages of 2011, 2013 and 2019, decoded, encoded and
//! printed. Sans-I/O: no sockets, no clock, no model of ours, and no input makes it panic.
//!
//! The way of a byte: [`Deframer`] cuts the stream into [`Frame`]s, whose [`Header`] says who
//! speaks; an [`Assembler`] puts together what was cut into packets; [`Message::decode`] reads the
//! body, or [`LocationView`] without allocating. Back:
//! [`encode`], [`encode_parts`] for long bodies, or [`answer_general`] in the dialect of the request.

mod assemble;
mod deframe;
mod encode;
mod escape;
mod frame;
mod header;
mod location;
mod message;
mod messages;
mod oddity;
mod phone;
mod print;
mod reader;
mod text;
mod time;

pub use assemble::{
    Abandoned, Assembler, AssemblyLimits, CompletedUpload, Fed, GivenUp, HeldPart, MISSING_MAX, Missing, OpenUpload,
    Refusal, Serials, UploadKey, Whole, part_digest,
};
pub use deframe::{DeframeError, Deframer, GARBAGE_MAX, MAX_HELD_PIECES, Piece};
pub use encode::{
    EncodeError, GeneralResult, MAX_BODY, RegisterResult, answer_general, answer_register, encode, encode_frame,
    encode_parts,
};
pub use escape::{FLAG, MAX_WIRE_FRAME};
pub use frame::{Frame, FrameError};
pub use header::{Edition, Header, Packet};
pub use location::{BASE_LEN, Item, ItemValue, ItemView, Items, LocationReport, LocationView, status};
pub use message::{Direction, MESSAGES, Message, MessageInfo, Unknown, message_info};
pub use messages::{
    Authenticate, BatchBodies, BatchKind, BatchLocation, CardEvent, Driver, DriverIdentity, Empty, GeneralResponse,
    LocationQueryResponse, PacketRequest, Register, RegisterResponse, ServerTime, TextMessage, Waybill,
};
pub use oddity::{Oddities, Oddity};
pub use phone::{Phone, PhoneError};
pub use print::{StreamDecoder, decode_json, print_frame};
pub use reader::BodyError;
pub use text::Text;
pub use time::BcdTime;
