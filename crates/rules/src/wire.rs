//! The messages of `proto/hazwatch/rules/v1/state.proto`, field by field; what they mean is in `codec`.

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct State {
    #[prost(message, optional, tag = "1")]
    pub(crate) last: Option<Seen>,
    #[prost(message, optional, tag = "2")]
    pub(crate) aside: Option<Seen>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) stays: Vec<Stay>,
    #[prost(message, optional, tag = "4")]
    pub(crate) rest: Option<Rest>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) outings: Vec<Stay>,
    #[prost(message, optional, tag = "10")]
    pub(crate) watch: Option<Watch>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Watch {
    #[prost(message, repeated, tag = "1")]
    pub(crate) spells: Vec<Spell>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Spell {
    #[prost(uint32, tag = "1")]
    pub(crate) kind: u32,
    #[prost(int64, tag = "2")]
    pub(crate) started_at_us: i64,
    #[prost(sint32, tag = "3")]
    pub(crate) start_lon_e7: i32,
    #[prost(sint32, tag = "4")]
    pub(crate) start_lat_e7: i32,
    #[prost(sint32, tag = "5")]
    pub(crate) end_east_e7: i32,
    #[prost(sint32, tag = "6")]
    pub(crate) end_north_e7: i32,
    #[prost(int64, optional, tag = "7")]
    pub(crate) mark_us: Option<i64>,
    #[prost(uint32, tag = "8")]
    pub(crate) count: u32,
    #[prost(uint32, tag = "9")]
    pub(crate) speed_max_dkmh: u32,
    #[prost(uint32, tag = "10")]
    pub(crate) length_m: u32,
    #[prost(bool, tag = "11")]
    pub(crate) stated: bool,
    #[prost(bool, tag = "12")]
    pub(crate) late: bool,
    #[prost(message, optional, tag = "13")]
    pub(crate) first: Option<Record>,
    #[prost(message, optional, tag = "14")]
    pub(crate) last: Option<Record>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Rest {
    #[prost(int64, tag = "1")]
    pub(crate) since_us: i64,
    #[prost(int64, tag = "2")]
    pub(crate) before_us: i64,
    #[prost(sint64, tag = "3")]
    pub(crate) lon_e9: i64,
    #[prost(sint64, tag = "4")]
    pub(crate) lat_e9: i64,
    #[prost(uint32, tag = "5")]
    pub(crate) fixes: u32,
    #[prost(uint32, tag = "6")]
    pub(crate) away: u32,
    #[prost(int64, tag = "7")]
    pub(crate) heard_us: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Seen {
    #[prost(int64, tag = "1")]
    pub(crate) time_us: i64,
    #[prost(sint32, tag = "2")]
    pub(crate) lon_e6: i32,
    #[prost(sint32, tag = "3")]
    pub(crate) lat_e6: i32,
    #[prost(uint32, tag = "4")]
    pub(crate) speed_dkmh: u32,
    #[prost(bool, tag = "5")]
    pub(crate) swapped: bool,
    #[prost(bool, tag = "6")]
    pub(crate) speed_off: bool,
    #[prost(message, optional, tag = "7")]
    pub(crate) source: Option<Record>,
    #[prost(uint32, tag = "8")]
    pub(crate) direction_deg: u32,
    #[prost(bool, tag = "9")]
    pub(crate) late: bool,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Record {
    #[prost(uint32, tag = "1")]
    pub(crate) shard: u32,
    #[prost(uint64, tag = "2")]
    pub(crate) seq: u64,
    #[prost(uint32, tag = "3")]
    pub(crate) index: u32,
    #[prost(uint32, tag = "4")]
    pub(crate) item: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Stay {
    #[prost(fixed64, tag = "1")]
    pub(crate) zone: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) revision: u32,
    #[prost(int64, tag = "3")]
    pub(crate) started_at_us: i64,
    #[prost(sint32, tag = "4")]
    pub(crate) start_lon_e7: i32,
    #[prost(sint32, tag = "5")]
    pub(crate) start_lat_e7: i32,
    #[prost(sint32, tag = "6")]
    pub(crate) end_lon_e7: i32,
    #[prost(sint32, tag = "7")]
    pub(crate) end_lat_e7: i32,
    #[prost(uint32, tag = "8")]
    pub(crate) entry_confidence: u32,
    #[prost(uint32, tag = "9")]
    pub(crate) ceiling: u32,
    #[prost(uint32, tag = "10")]
    pub(crate) fixes_inside: u32,
    #[prost(uint32, tag = "11")]
    pub(crate) sound_fixes: u32,
    #[prost(uint64, tag = "12")]
    pub(crate) length_cm: u64,
    #[prost(uint32, tag = "13")]
    pub(crate) speed_max_dkmh: u32,
    #[prost(uint32, tag = "14")]
    pub(crate) depth_max_cm: u32,
    #[prost(bool, tag = "15")]
    pub(crate) deep: bool,
    #[prost(bool, tag = "16")]
    pub(crate) crossed: bool,
    #[prost(uint64, tag = "17")]
    pub(crate) ahead_cm: u64,
    #[prost(sint64, tag = "18")]
    pub(crate) across_cm: i64,
    #[prost(message, optional, tag = "19")]
    pub(crate) left: Option<Exit>,
    #[prost(bool, tag = "20")]
    pub(crate) stated: bool,
    #[prost(message, repeated, tag = "21")]
    pub(crate) evidence_first: Vec<Record>,
    #[prost(message, repeated, tag = "22")]
    pub(crate) evidence_last: Vec<Record>,
    #[prost(uint64, tag = "23")]
    pub(crate) back_cm: u64,
    #[prost(uint64, tag = "24")]
    pub(crate) ahead_max_cm: u64,
    #[prost(uint64, tag = "25")]
    pub(crate) back_max_cm: u64,
    #[prost(uint32, tag = "26")]
    pub(crate) start_error_ms: u32,
    #[prost(uint32, tag = "27")]
    pub(crate) driven: u32,
    #[prost(bool, tag = "28")]
    pub(crate) rested: bool,
    #[prost(bool, tag = "29")]
    pub(crate) late: bool,
    #[prost(message, repeated, tag = "30")]
    pub(crate) bouts: Vec<Bout>,
    #[prost(int64, tag = "31")]
    pub(crate) bound_to_us: i64,
    #[prost(sint64, tag = "32")]
    pub(crate) across_min_cm: i64,
    #[prost(sint64, tag = "33")]
    pub(crate) across_max_cm: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Bout {
    #[prost(uint32, tag = "1")]
    pub(crate) rule: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) kind: u32,
    #[prost(bool, tag = "3")]
    pub(crate) unsure: bool,
    #[prost(bool, tag = "4")]
    pub(crate) excused: bool,
    #[prost(int64, tag = "5")]
    pub(crate) started_at_us: i64,
    #[prost(sint32, tag = "6")]
    pub(crate) start_lon_e7: i32,
    #[prost(sint32, tag = "7")]
    pub(crate) start_lat_e7: i32,
    #[prost(int64, tag = "8")]
    pub(crate) last_us: i64,
    #[prost(uint32, tag = "9")]
    pub(crate) count: u32,
    #[prost(uint32, tag = "10")]
    pub(crate) speed_max_dkmh: u32,
    #[prost(uint32, tag = "11")]
    pub(crate) fixes_before: u32,
    #[prost(uint64, tag = "12")]
    pub(crate) length_before_cm: u64,
    #[prost(bool, tag = "13")]
    pub(crate) stated: bool,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Exit {
    #[prost(int64, tag = "1")]
    pub(crate) at_us: i64,
    #[prost(uint32, tag = "2")]
    pub(crate) confidence: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) error_ms: u32,
}
