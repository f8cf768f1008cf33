//! The messages of `proto/hazwatch/pipeline/v1/assemblies.proto`, field by field; what they mean is in `assemblies`.

use bytes::Bytes;
use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Assemblies {
    #[prost(message, repeated, tag = "1")]
    pub(crate) terminals: Vec<Terminal>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Terminal {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) terminal: Bytes,
    #[prost(message, repeated, tag = "2")]
    pub(crate) open: Vec<Open>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) completed: Vec<Completed>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) resent: Vec<Open>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Key {
    #[prost(uint32, tag = "1")]
    pub(crate) id: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) total: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) serial: u32,
    #[prost(bool, tag = "4")]
    pub(crate) constant: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Open {
    #[prost(message, optional, tag = "1")]
    pub(crate) key: Option<Key>,
    #[prost(sint64, tag = "2")]
    pub(crate) began_us: i64,
    #[prost(sint64, tag = "3")]
    pub(crate) touched_us: i64,
    #[prost(message, repeated, tag = "4")]
    pub(crate) parts: Vec<Part>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Part {
    #[prost(uint32, tag = "1")]
    pub(crate) number: u32,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) body: Bytes,
    #[prost(uint32, tag = "3")]
    pub(crate) shard: u32,
    #[prost(uint64, tag = "4")]
    pub(crate) seq: u64,
    #[prost(uint32, tag = "5")]
    pub(crate) index: u32,
    #[prost(sint64, tag = "6")]
    pub(crate) received_us: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Completed {
    #[prost(message, optional, tag = "1")]
    pub(crate) key: Option<Key>,
    #[prost(sint64, tag = "2")]
    pub(crate) completed_us: i64,
    #[prost(uint32, tag = "3")]
    pub(crate) base: u32,
    #[prost(fixed64, repeated, tag = "4")]
    pub(crate) digests: Vec<u64>,
}
