//! Generated from `proto/hazwatch/journal/v1/journal.proto` by `cargo xtask proto`; do not edit.

#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Header {
    /// Version of this contract: 1.
    #[prost(uint32, tag = "1")]
    pub format: u32,
    #[prost(enumeration = "Stream", tag = "2")]
    pub stream: i32,
    /// The file engine has one shard, number 0.
    #[prost(uint32, tag = "3")]
    pub shard: u32,
    /// 16 random bytes, new at each start of a process.
    #[prost(bytes = "bytes", tag = "4")]
    pub writer: ::prost::bytes::Bytes,
    /// Number of the envelope within its writer and stream, from 0.
    #[prost(uint64, tag = "5")]
    pub writer_seq: u64,
    /// Hash of the envelope before it in the chain; 32 zero bytes for the first of all.
    #[prost(bytes = "bytes", tag = "6")]
    pub previous: ::prost::bytes::Bytes,
    #[prost(enumeration = "Algorithm", tag = "7")]
    pub algorithm: i32,
    /// Frames: the control records up to here are in force from this envelope on, before its first record.
    /// Control: the number of the envelope's last record.
    #[prost(uint64, tag = "8")]
    pub control_seq: u64,
    /// Microseconds since the epoch; the received time of the first record, or of the commit when it is empty.
    #[prost(int64, tag = "9")]
    pub first_received_us: i64,
    #[prost(uint32, tag = "10")]
    pub count: u32,
    /// Only with writer_seq 0: the writer of the envelope before, empty for the first of all. `previous` is then its
    /// head, so that a restored backup shows as a fork.
    #[prost(bytes = "bytes", tag = "11")]
    pub predecessor: ::prost::bytes::Bytes,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Record {
    /// Microseconds since the epoch; never decreasing within a chain.
    #[prost(int64, tag = "1")]
    pub received_us: i64,
    #[prost(enumeration = "Kind", tag = "2")]
    pub kind: i32,
    /// The terminal's phone field read as one number, big-endian, without leading zero bytes.
    #[prost(bytes = "bytes", tag = "3")]
    pub terminal: ::prost::bytes::Bytes,
    /// Number of the connection, counted from 1 by each writer.
    #[prost(uint64, tag = "4")]
    pub connection: u64,
    #[prost(bytes = "bytes", tag = "5")]
    pub raw: ::prost::bytes::Bytes,
    /// With KIND_COMMAND: the id of the command.
    #[prost(fixed64, tag = "6")]
    pub command: u64,
    /// With KIND_STRANGER: address and port that it came from.
    #[prost(string, tag = "7")]
    pub peer: ::prost::alloc::string::String,
    /// When it came through a forwarding platform: the id of that account.
    #[prost(fixed64, tag = "8")]
    pub forwarder: u64,
}
/// A seal vouches for all that both chains got since the seal before it. Its hash, like the signature, is over the stored
/// bytes of the seal, never re-encoded:
///
///    leaf(envelope)  = H(0x02 || hash(envelope))       leaves of the tree of a chain, in order
///    node(a, b)      = H(0x03 || a || b)               the tree of RFC 6962: the left part is the largest power of two
///    hash(seal)      = H(0x04 || seal bytes || signature)
///    leaf(seal)      = H(0x02 || hash(seal))           leaves of the tree of a day
///    signature       = Ed25519("hazwatch seal 1" 0x00 || seal bytes), daily heads: "hazwatch day 1" 0x00
///
/// H is the algorithm that the seal (or daily head) names.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Seal {
    /// Version of this contract: 1.
    #[prost(uint32, tag = "1")]
    pub format: u32,
    /// From 1, without gaps.
    #[prost(uint64, tag = "2")]
    pub number: u64,
    /// Microseconds since the epoch; never decreasing.
    #[prost(int64, tag = "3")]
    pub sealed_us: i64,
    /// Hash of the seal before it; 32 zero bytes for the first.
    #[prost(bytes = "bytes", tag = "4")]
    pub previous: ::prost::bytes::Bytes,
    #[prost(enumeration = "Algorithm", tag = "5")]
    pub algorithm: i32,
    /// Both, also one that got nothing: its count is 0, its root 32 zero bytes.
    #[prost(message, repeated, tag = "6")]
    pub chains: ::prost::alloc::vec::Vec<SealedChain>,
    /// The key that signed: the first 16 bytes of SHA-256 of the public key.
    #[prost(bytes = "bytes", tag = "7")]
    pub key_id: ::prost::bytes::Bytes,
    /// Only when the key changes: the public key (32 bytes) that signs from the next seal on.
    #[prost(bytes = "bytes", tag = "8")]
    pub next_key: ::prost::bytes::Bytes,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct SealedChain {
    #[prost(enumeration = "Stream", tag = "1")]
    pub stream: i32,
    #[prost(uint64, tag = "2")]
    pub first_seq: u64,
    #[prost(uint64, tag = "3")]
    pub count: u64,
    /// Of the tree over the hashes of these envelopes.
    #[prost(bytes = "bytes", tag = "4")]
    pub root: ::prost::bytes::Bytes,
    /// Hash of the last of them.
    #[prost(bytes = "bytes", tag = "5")]
    pub head: ::prost::bytes::Bytes,
}
/// The seals of one day in China under one signature: what is published.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct DailyHead {
    /// Version of this contract: 1.
    #[prost(uint32, tag = "1")]
    pub format: u32,
    /// Days since 1970-01-01, GMT+8.
    #[prost(int32, tag = "2")]
    pub day: i32,
    #[prost(uint64, tag = "3")]
    pub first_seal: u64,
    #[prost(uint64, tag = "4")]
    pub seals: u64,
    /// Of the tree over the hashes of these seals.
    #[prost(bytes = "bytes", tag = "5")]
    pub root: ::prost::bytes::Bytes,
    /// Hash of the last of them, and when it was made.
    #[prost(bytes = "bytes", tag = "6")]
    pub last_seal: ::prost::bytes::Bytes,
    #[prost(int64, tag = "7")]
    pub last_sealed_us: i64,
    /// SHA-256 of the content of the daily head before it; empty for the first.
    #[prost(bytes = "bytes", tag = "8")]
    pub previous: ::prost::bytes::Bytes,
    #[prost(enumeration = "Algorithm", tag = "9")]
    pub algorithm: i32,
    /// Where each chain stood at the last seal; `count` is what the day brought, `root` is empty.
    #[prost(message, repeated, tag = "10")]
    pub chains: ::prost::alloc::vec::Vec<SealedChain>,
    #[prost(bytes = "bytes", tag = "11")]
    pub key_id: ::prost::bytes::Bytes,
}
/// Something with its signature, both as stored.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Signed {
    #[prost(bytes = "bytes", tag = "1")]
    pub content: ::prost::bytes::Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub signature: ::prost::bytes::Bytes,
}
/// The two chains of a shard. They lie in separate files with separate retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum Stream {
    Unspecified = 0,
    /// Frames and ticks.
    Frames = 1,
    /// Control records; never deleted.
    Control = 2,
}
impl Stream {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "STREAM_UNSPECIFIED",
            Self::Frames => "STREAM_FRAMES",
            Self::Control => "STREAM_CONTROL",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "STREAM_UNSPECIFIED" => Some(Self::Unspecified),
            "STREAM_FRAMES" => Some(Self::Frames),
            "STREAM_CONTROL" => Some(Self::Control),
            _ => None,
        }
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum Algorithm {
    Unspecified = 0,
    Sha256 = 1,
    /// GB/T 32905; never mixed within a segment of a chain.
    Sm3 = 2,
}
impl Algorithm {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "ALGORITHM_UNSPECIFIED",
            Self::Sha256 => "ALGORITHM_SHA256",
            Self::Sm3 => "ALGORITHM_SM3",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "ALGORITHM_UNSPECIFIED" => Some(Self::Unspecified),
            "ALGORITHM_SHA256" => Some(Self::Sha256),
            "ALGORITHM_SM3" => Some(Self::Sm3),
            _ => None,
        }
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum Kind {
    Unspecified = 0,
    /// A frame from an authenticated terminal, as it came off the wire, flags included.
    Uplink = 1,
    /// A frame from somebody who was not authenticated; kept within a budget, never judged.
    Stranger = 2,
    /// A command frame, journalled before it goes to the socket.
    Command = 3,
    /// The clock; at most 10 s apart.
    Tick = 4,
    /// A control record; `raw` is a hazwatch.control.v1.Entry.
    Control = 5,
}
impl Kind {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "KIND_UNSPECIFIED",
            Self::Uplink => "KIND_UPLINK",
            Self::Stranger => "KIND_STRANGER",
            Self::Command => "KIND_COMMAND",
            Self::Tick => "KIND_TICK",
            Self::Control => "KIND_CONTROL",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "KIND_UNSPECIFIED" => Some(Self::Unspecified),
            "KIND_UPLINK" => Some(Self::Uplink),
            "KIND_STRANGER" => Some(Self::Stranger),
            "KIND_COMMAND" => Some(Self::Command),
            "KIND_TICK" => Some(Self::Tick),
            "KIND_CONTROL" => Some(Self::Control),
            _ => None,
        }
    }
}
