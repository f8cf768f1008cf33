//! The table of messages. One row a message: id, type, names, direction, first edition. The type's
//! file in `messages/` holds its layout; nothing else has to know a message.

use crate::header::Edition::{V2011, V2013, V2019};
use crate::messages::{
    Authenticate, BatchLocation, DriverIdentity, Empty, GeneralResponse, LocationQueryResponse, PacketRequest,
    Register, RegisterResponse, ServerTime, TextMessage, Waybill,
};
use crate::reader::Reader;
use crate::{BodyError, Edition, EncodeError, Header, LocationReport, Oddities, Oddity};
use Direction::{Down, Up};
use serde_json::{Value, json};

/// Who sends a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Terminal to platform (上行).
    Up,
    /// Platform to terminal (下行).
    Down,
}

/// A row of the table of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageInfo {
    /// Message id.
    pub id: u16,
    /// English name, snake_case.
    pub name: &'static str,
    /// Chinese name, as in the standard.
    pub name_zh: &'static str,
    /// Who sends it.
    pub direction: Direction,
    /// The first edition that has it.
    pub since: Edition,
}

/// A message whose id has no row in the table, or whose body is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// Message id.
    pub id: u16,
    /// The body as it came.
    pub raw: Vec<u8>,
}

/// One layout. `decode` takes what it knows; bytes it leaves are noted as trailing.
pub(crate) trait Body: Sized {
    fn decode(reader: &mut Reader<'_>, edition: Edition) -> Result<Self, BodyError>;
    fn encode(&self, edition: Edition, out: &mut Vec<u8>) -> Result<(), EncodeError>;
    /// Field by field, units in names.
    fn print(&self, edition: Edition) -> Value;
}

macro_rules! messages {
    ($($id:literal $variant:ident($body:ty) $name:literal $zh:literal $direction:ident $since:ident;)*) => {
        /// A message body, decoded.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Message {
            $(#[doc = concat!("`", stringify!($id), "` ", $zh)] $variant($body),)*
            /// Not in the table, or encrypted: kept raw.
            Unknown(Unknown),
        }

        /// All messages this crate reads and writes.
        pub const MESSAGES: &[MessageInfo] = &[
            $(MessageInfo { id: $id, name: $name, name_zh: $zh, direction: $direction, since: $since },)*
        ];

        impl Message {
            fn decode_known(header: &Header, reader: &mut Reader<'_>) -> Result<Self, BodyError> {
                match header.id {
                    $($id => <$body as Body>::decode(reader, header.edition).map(Self::$variant),)*
                    id => Ok(Self::unknown(id, reader.rest())),
                }
            }

            /// The message id.
            #[must_use]
            pub fn id(&self) -> u16 {
                match self {
                    $(Self::$variant(_) => $id,)*
                    Self::Unknown(unknown) => unknown.id,
                }
            }

            /// Appends the body as `edition` writes it to `out`.
            ///
            /// # Errors
            /// A field that is too long for its layout.
            pub fn encode_body(&self, edition: Edition, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                match self {
                    $(Self::$variant(body) => body.encode(edition, out),)*
                    Self::Unknown(unknown) => {
                        out.extend_from_slice(&unknown.raw);
                        Ok(())
                    }
                }
            }

            /// The body field by field, units in names.
            #[must_use]
            pub fn print(&self, edition: Edition) -> Value {
                match self {
                    $(Self::$variant(body) => body.print(edition),)*
                    Self::Unknown(unknown) => json!({ "raw": crate::print::hex(&unknown.raw) }),
                }
            }
        }
    };
}

messages! {
    0x0001 TerminalGeneral(GeneralResponse) "terminal_general_response" "终端通用应答" Up V2011;
    0x8001 PlatformGeneral(GeneralResponse) "platform_general_response" "平台通用应答" Down V2011;
    0x0002 Heartbeat(Empty) "heartbeat" "终端心跳" Up V2011;
    0x0003 Unregister(Empty) "unregister" "终端注销" Up V2011;
    0x0004 ServerTimeRequest(Empty) "server_time_request" "查询服务器时间请求" Up V2019;
    0x8004 ServerTime(ServerTime) "server_time_response" "查询服务器时间应答" Down V2019;
    0x0005 TerminalPacketRequest(PacketRequest) "terminal_packet_request" "终端补传分包请求" Up V2019;
    0x8003 PacketRequest(PacketRequest) "packet_request" "补传分包请求" Down V2013;
    0x0100 Register(Register) "register" "终端注册" Up V2011;
    0x8100 RegisterResponse(RegisterResponse) "register_response" "终端注册应答" Down V2011;
    0x0102 Authenticate(Authenticate) "authenticate" "终端鉴权" Up V2011;
    0x0200 Location(LocationReport) "location_report" "位置信息汇报" Up V2011;
    0x8201 LocationQuery(Empty) "location_query" "位置信息查询" Down V2011;
    0x0201 LocationQueryResponse(LocationQueryResponse) "location_query_response" "位置信息查询应答" Up V2011;
    0x0704 BatchLocation(BatchLocation) "batch_location" "定位数据批量上传" Up V2013;
    0x8300 Text(TextMessage) "text_message" "文本信息下发" Down V2011;
    0x0701 Waybill(Waybill) "electronic_waybill" "电子运单上报" Up V2011;
    0x0702 DriverIdentity(DriverIdentity) "driver_identity" "驾驶员身份信息采集上报" Up V2011;
}

/// The table's row for `id`.
#[must_use]
pub fn message_info(id: u16) -> Option<&'static MessageInfo> {
    MESSAGES.iter().find(|info| info.id == id)
}

impl Message {
    /// Reads the body of the message under `header`. For a part of a sub-packaged message
    /// ([`Header::is_part`]) this makes no sense: reassemble first.
    ///
    /// # Errors
    /// A body that ends within a field that its layout cannot do without.
    pub fn decode(header: &Header, body: &[u8]) -> Result<Self, BodyError> {
        Self::decode_noting(header, body).map(|(message, _)| message)
    }

    /// Like [`Message::decode`], with what had to be tolerated.
    ///
    /// # Errors
    /// See [`Message::decode`].
    pub fn decode_noting(header: &Header, body: &[u8]) -> Result<(Self, Oddities), BodyError> {
        let mut reader = Reader::new(body);
        if header.is_encrypted() {
            reader.oddities.note(Oddity::Encrypted);
            return Ok((Self::unknown(header.id, body), reader.oddities));
        }
        let message = Self::decode_known(header, &mut reader)?;
        reader.oddities.note_if(reader.len() > 0, Oddity::TrailingBytes);
        Ok((message, reader.oddities))
    }

    fn unknown(id: u16, raw: &[u8]) -> Self {
        Self::Unknown(Unknown { id, raw: raw.to_vec() })
    }

    /// English name, `"unknown"` without a row in the table.
    #[must_use]
    pub fn name(&self) -> &'static str {
        message_info(self.id()).map_or("unknown", |info| info.name)
    }

    /// Chinese name, `"未知"` without a row in the table.
    #[must_use]
    pub fn name_zh(&self) -> &'static str {
        message_info(self.id()).map_or("未知", |info| info.name_zh)
    }
}
