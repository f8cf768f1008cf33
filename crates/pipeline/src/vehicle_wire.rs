//! The messages of `proto/hazwatch/pipeline/v1/vehicle.proto`, field by field; what they mean is in `memory` and `again`.

use bytes::Bytes;
use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Vehicle {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) state: Bytes,
    #[prost(uint32, tag = "2")]
    pub(crate) count: u32,
    #[prost(int64, optional, tag = "3")]
    pub(crate) from_us: Option<i64>,
    #[prost(int64, optional, tag = "4")]
    pub(crate) to_us: Option<i64>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) known: Vec<Known>,
    #[prost(message, repeated, tag = "6")]
    pub(crate) near: Vec<Near>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Near {
    #[prost(uint64, tag = "1")]
    pub(crate) zone: u64,
    #[prost(int64, tag = "2")]
    pub(crate) last_us: i64,
    #[prost(bool, tag = "3")]
    pub(crate) told: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Known {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) id: Bytes,
    #[prost(uint32, tag = "2")]
    pub(crate) revision: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) standing: u32,
    #[prost(uint32, tag = "4")]
    pub(crate) case_state: u32,
    #[prost(int64, tag = "5")]
    pub(crate) started_us: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Again {
    #[prost(bool, tag = "1")]
    pub(crate) is_spent: bool,
    #[prost(int64, optional, tag = "2")]
    pub(crate) from_us: Option<i64>,
    #[prost(int64, optional, tag = "3")]
    pub(crate) to_us: Option<i64>,
    #[prost(bool, tag = "4")]
    pub(crate) is_everywhere: bool,
    #[prost(message, repeated, tag = "5")]
    pub(crate) places: Vec<Place>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Place {
    #[prost(sint32, tag = "1")]
    pub(crate) west_e6: i32,
    #[prost(sint32, tag = "2")]
    pub(crate) south_e6: i32,
    #[prost(sint32, tag = "3")]
    pub(crate) east_e6: i32,
    #[prost(sint32, tag = "4")]
    pub(crate) north_e6: i32,
}
