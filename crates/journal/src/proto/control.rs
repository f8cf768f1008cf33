//! Generated from `proto/hazwatch/control/v1/control.proto` by `cargo xtask proto`; do not edit.

#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Entry {
    /// From 1, without gaps.
    #[prost(uint64, tag = "1")]
    pub seq: u64,
    /// User name, or `system`.
    #[prost(string, tag = "2")]
    pub actor: ::prost::alloc::string::String,
    /// A reader that finds none of these set is older than the writer and must stop.
    #[prost(
        oneof = "entry::Change",
        tags = "10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39"
    )]
    pub change: ::core::option::Option<entry::Change>,
}
/// Nested message and enum types in `Entry`.
pub mod entry {
    /// A reader that finds none of these set is older than the writer and must stop.
    #[derive(Clone, PartialEq, ::prost::Oneof)]
    pub enum Change {
        #[prost(message, tag = "10")]
        CarrierPut(super::Carrier),
        #[prost(message, tag = "11")]
        VehiclePut(super::Vehicle),
        #[prost(message, tag = "12")]
        TerminalPut(super::TerminalPut),
        #[prost(message, tag = "13")]
        Bind(super::Bind),
        #[prost(message, tag = "14")]
        Revoke(super::Revoke),
        #[prost(message, tag = "15")]
        ZonePut(super::Zone),
        #[prost(message, tag = "16")]
        ZoneDelete(super::ZoneDelete),
        #[prost(message, tag = "17")]
        CommandRequest(super::Command),
        #[prost(message, tag = "18")]
        SettingPut(super::Setting),
        #[prost(message, tag = "19")]
        Audit(super::Audit),
        #[prost(message, tag = "20")]
        RuleRevision(super::RuleRevision),
        #[prost(message, tag = "21")]
        ForwarderPut(super::Forwarder),
        #[prost(message, tag = "22")]
        ForwarderDelete(super::ForwarderDelete),
        #[prost(message, tag = "23")]
        DenyPut(super::Deny),
        #[prost(message, tag = "24")]
        DenyDelete(super::Deny),
        #[prost(message, tag = "25")]
        HoldPut(super::Hold),
        #[prost(message, tag = "26")]
        HoldRelease(super::HoldRelease),
        #[prost(message, tag = "27")]
        BaseTaken(super::Base),
        #[prost(message, tag = "28")]
        ZoneDraft(super::Zone),
        #[prost(message, tag = "29")]
        ZoneDraftDrop(super::ZoneDelete),
        #[prost(message, tag = "30")]
        ZoneVoid(super::ZoneVoid),
        #[prost(message, tag = "31")]
        PermitPut(super::Permit),
        #[prost(message, tag = "32")]
        PermitRevoke(super::PermitRevoke),
        #[prost(message, tag = "33")]
        CalendarPut(super::CalendarPut),
        #[prost(message, tag = "34")]
        RoadPut(super::Road),
        #[prost(message, tag = "35")]
        RoadDelete(super::RoadDelete),
        #[prost(message, tag = "36")]
        DriverPut(super::Driver),
        #[prost(message, tag = "37")]
        DriverOn(super::DriverOn),
        #[prost(message, tag = "38")]
        LoadPut(super::Load),
        #[prost(message, tag = "39")]
        CaseStep(super::CaseStep),
    }
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Carrier {
    #[prost(fixed64, tag = "1")]
    pub id: u64,
    #[prost(string, tag = "2")]
    pub name: ::prost::alloc::string::String,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Vehicle {
    #[prost(fixed64, tag = "1")]
    pub id: u64,
    /// Empty: no plate.
    #[prost(string, tag = "2")]
    pub plate: ::prost::alloc::string::String,
    /// JT/T 415 / JT/T 697.7 colour code.
    #[prost(uint32, tag = "3")]
    pub plate_colour: u32,
    /// Absent: none.
    #[prost(fixed64, optional, tag = "4")]
    pub carrier: ::core::option::Option<u64>,
    /// 0 and 1 dangerous goods, 2 ordinary.
    #[prost(uint32, tag = "5")]
    pub kind: u32,
    /// What it is licensed for, class x 10 + division; none: not known.
    #[prost(uint32, repeated, tag = "6")]
    pub scope: ::prost::alloc::vec::Vec<u32>,
    /// Its lots.
    #[prost(fixed64, repeated, tag = "7")]
    pub home: ::prost::alloc::vec::Vec<u64>,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct TerminalPut {
    /// As Record.terminal.
    #[prost(bytes = "bytes", tag = "1")]
    pub terminal: ::prost::bytes::Bytes,
    #[prost(string, tag = "2")]
    pub maker: ::prost::alloc::string::String,
    #[prost(string, tag = "3")]
    pub model: ::prost::alloc::string::String,
    #[prost(string, tag = "4")]
    pub device: ::prost::alloc::string::String,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Bind {
    #[prost(bytes = "bytes", tag = "1")]
    pub terminal: ::prost::bytes::Bytes,
    #[prost(fixed64, tag = "2")]
    pub vehicle: u64,
    /// Event time, microseconds since the epoch; the least 64-bit number for "always".
    #[prost(sint64, tag = "3")]
    pub from_us: i64,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Revoke {
    #[prost(bytes = "bytes", tag = "1")]
    pub terminal: ::prost::bytes::Bytes,
}
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct Coord {
    #[prost(double, tag = "1")]
    pub lon: f64,
    #[prost(double, tag = "2")]
    pub lat: f64,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Line {
    /// lon, lat, lon, lat, ... degrees, WGS-84.
    #[prost(double, repeated, tag = "1")]
    pub coords: ::prost::alloc::vec::Vec<f64>,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Polygon {
    /// The first is the outer ring, the others are holes.
    #[prost(message, repeated, tag = "1")]
    pub rings: ::prost::alloc::vec::Vec<Line>,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct MultiPolygon {
    #[prost(message, repeated, tag = "1")]
    pub polygons: ::prost::alloc::vec::Vec<Polygon>,
}
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct Circle {
    #[prost(message, optional, tag = "1")]
    pub centre: ::core::option::Option<Coord>,
    #[prost(double, tag = "2")]
    pub radius_m: f64,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Corridor {
    #[prost(message, optional, tag = "1")]
    pub axis: ::core::option::Option<Line>,
    #[prost(double, tag = "2")]
    pub half_width_m: f64,
    /// 0 both, 1 along the axis as drawn, 2 against it.
    #[prost(uint32, tag = "3")]
    pub direction: u32,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Zone {
    #[prost(fixed64, tag = "1")]
    pub id: u64,
    #[prost(uint32, tag = "2")]
    pub revision: u32,
    #[prost(string, tag = "3")]
    pub name: ::prost::alloc::string::String,
    /// Numbers of ZoneKind in the model.
    #[prost(uint32, tag = "4")]
    pub kind: u32,
    #[prost(message, repeated, tag = "8")]
    pub rules: ::prost::alloc::vec::Vec<ZoneRule>,
    #[prost(string, tag = "9")]
    pub source_crs: ::prost::alloc::string::String,
    /// Title of the document behind it, or all that is known of it.
    #[prost(string, tag = "10")]
    pub legal_basis: ::prost::alloc::string::String,
    /// Microseconds since the epoch.
    #[prost(int64, optional, tag = "11")]
    pub valid_from_us: ::core::option::Option<i64>,
    #[prost(int64, optional, tag = "12")]
    pub valid_to_us: ::core::option::Option<i64>,
    #[prost(string, tag = "14")]
    pub place: ::prost::alloc::string::String,
    #[prost(string, tag = "15")]
    pub detour: ::prost::alloc::string::String,
    #[prost(string, tag = "16")]
    pub legal_issuer: ::prost::alloc::string::String,
    #[prost(string, tag = "17")]
    pub legal_number: ::prost::alloc::string::String,
    #[prost(string, tag = "18")]
    pub legal_url: ::prost::alloc::string::String,
    /// Empty: nobody but its actor.
    #[prost(string, tag = "19")]
    pub drafted_by: ::prost::alloc::string::String,
    #[prost(oneof = "zone::Geometry", tags = "5, 6, 7, 13")]
    pub geometry: ::core::option::Option<zone::Geometry>,
}
/// Nested message and enum types in `Zone`.
pub mod zone {
    #[derive(Clone, PartialEq, ::prost::Oneof)]
    pub enum Geometry {
        #[prost(message, tag = "5")]
        Polygon(super::MultiPolygon),
        #[prost(message, tag = "6")]
        Circle(super::Circle),
        #[prost(message, tag = "7")]
        Corridor(super::Corridor),
        #[prost(message, tag = "13")]
        Corridors(super::Corridors),
    }
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Corridors {
    #[prost(message, repeated, tag = "1")]
    pub corridors: ::prost::alloc::vec::Vec<Corridor>,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ZoneRule {
    /// 0: its place in the zone, from 1.
    #[prost(uint32, tag = "2")]
    pub number: u32,
    /// Absent: always.
    #[prost(message, optional, tag = "3")]
    pub when: ::core::option::Option<Schedule>,
    /// Absent: everybody.
    #[prost(message, optional, tag = "4")]
    pub whom: ::core::option::Option<Filter>,
    #[prost(message, repeated, tag = "5")]
    pub exemptions: ::prost::alloc::vec::Vec<Exemption>,
    /// Absent: all permits count.
    #[prost(message, optional, tag = "6")]
    pub no_permits_for: ::core::option::Option<Filter>,
    #[prost(oneof = "zone_rule::Rule", tags = "1, 7, 8, 9, 10, 11")]
    pub rule: ::core::option::Option<zone_rule::Rule>,
}
/// Nested message and enum types in `ZoneRule`.
pub mod zone_rule {
    #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Oneof)]
    pub enum Rule {
        #[prost(message, tag = "1")]
        Forbidden(super::Forbidden),
        #[prost(message, tag = "7")]
        SpeedLimit(super::SpeedLimit),
        #[prost(message, tag = "8")]
        NoStopping(super::NoStopping),
        #[prost(message, tag = "9")]
        StayInside(super::StayInside),
        #[prost(message, tag = "10")]
        Lot(super::Lot),
        #[prost(message, tag = "11")]
        NoParking(super::NoParking),
    }
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Forbidden {
    #[prost(uint32, tag = "1")]
    pub grace_s: u32,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct SpeedLimit {
    #[prost(uint32, tag = "1")]
    pub day_kmh: u32,
    /// Absent: as by day.
    #[prost(uint32, optional, tag = "2")]
    pub night_kmh: ::core::option::Option<u32>,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct NoStopping {
    #[prost(uint32, tag = "1")]
    pub after_s: u32,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct StayInside {
    #[prost(uint32, tag = "1")]
    pub tolerance_m: u32,
    #[prost(uint32, tag = "2")]
    pub for_s: u32,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Lot {
    /// Absent: not known.
    #[prost(uint32, optional, tag = "1")]
    pub capacity: ::core::option::Option<u32>,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct NoParking {
    #[prost(uint32, tag = "1")]
    pub after_s: u32,
}
/// In force within one of the spans, if there are any, and within one of the windows, if there are any.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Schedule {
    #[prost(message, repeated, tag = "1")]
    pub spans: ::prost::alloc::vec::Vec<Span>,
    #[prost(message, repeated, tag = "2")]
    pub weekly: ::prost::alloc::vec::Vec<Weekly>,
}
/// Event time, microseconds since the epoch; from inclusive, to exclusive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Span {
    #[prost(int64, tag = "1")]
    pub from_us: i64,
    #[prost(int64, tag = "2")]
    pub to_us: i64,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Weekly {
    /// Bit 0 Monday to bit 6 Sunday.
    #[prost(uint32, tag = "1")]
    pub days: u32,
    /// 0 all of them, 1 public holidays, 2 days on which people work.
    #[prost(uint32, tag = "2")]
    pub on: u32,
    /// Minutes of the day, GMT+8; an end that is not after the beginning is of the next day.
    #[prost(uint32, tag = "3")]
    pub from_min: u32,
    #[prost(uint32, tag = "4")]
    pub to_min: u32,
}
/// Every criterion that is given must hold; classes and UN numbers are one.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Filter {
    /// Class x 10 + division.
    #[prost(uint32, repeated, tag = "1")]
    pub divisions: ::prost::alloc::vec::Vec<u32>,
    #[prost(uint32, repeated, tag = "2")]
    pub un: ::prost::alloc::vec::Vec<u32>,
    /// Numbers of LoadState.
    #[prost(uint32, repeated, tag = "3")]
    pub loads: ::prost::alloc::vec::Vec<u32>,
    #[prost(fixed64, repeated, tag = "4")]
    pub vehicles: ::prost::alloc::vec::Vec<u64>,
    #[prost(fixed64, repeated, tag = "5")]
    pub carriers: ::prost::alloc::vec::Vec<u64>,
    #[prost(bool, optional, tag = "6")]
    pub highly_toxic: ::core::option::Option<bool>,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Exemption {
    #[prost(string, tag = "1")]
    pub purpose: ::prost::alloc::string::String,
    #[prost(message, optional, tag = "2")]
    pub when: ::core::option::Option<Schedule>,
    #[prost(message, optional, tag = "3")]
    pub whom: ::core::option::Option<Filter>,
    #[prost(bool, tag = "4")]
    pub needs_permit: bool,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ZoneVoid {
    #[prost(fixed64, tag = "1")]
    pub id: u64,
    #[prost(uint32, tag = "2")]
    pub revision: u32,
    #[prost(string, tag = "3")]
    pub reason: ::prost::alloc::string::String,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Permit {
    #[prost(fixed64, tag = "1")]
    pub id: u64,
    #[prost(string, tag = "2")]
    pub number: ::prost::alloc::string::String,
    #[prost(string, tag = "3")]
    pub issuer: ::prost::alloc::string::String,
    /// 1 pass, 2 filed, 3 notified.
    #[prost(uint32, tag = "4")]
    pub kind: u32,
    #[prost(fixed64, repeated, tag = "5")]
    pub vehicles: ::prost::alloc::vec::Vec<u64>,
    /// None: all zones.
    #[prost(fixed64, repeated, tag = "6")]
    pub zones: ::prost::alloc::vec::Vec<u64>,
    #[prost(message, repeated, tag = "7")]
    pub slots: ::prost::alloc::vec::Vec<Span>,
    #[prost(message, optional, tag = "8")]
    pub route: ::core::option::Option<Line>,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct PermitRevoke {
    #[prost(fixed64, tag = "1")]
    pub id: u64,
    #[prost(string, tag = "2")]
    pub reason: ::prost::alloc::string::String,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CalendarPut {
    #[prost(message, repeated, tag = "1")]
    pub days: ::prost::alloc::vec::Vec<CalendarDay>,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct CalendarDay {
    /// Days since 1970-01-01, GMT+8.
    #[prost(sint32, tag = "1")]
    pub day: i32,
    /// 1 public holiday, 2 day on which people work.
    #[prost(uint32, tag = "2")]
    pub kind: u32,
    #[prost(string, tag = "3")]
    pub name: ::prost::alloc::string::String,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Road {
    #[prost(fixed64, tag = "1")]
    pub id: u64,
    #[prost(string, tag = "2")]
    pub code: ::prost::alloc::string::String,
    #[prost(string, tag = "3")]
    pub name: ::prost::alloc::string::String,
    /// 1 expressway, 2 national, 3 provincial, 4 county, 5 urban, 6 park, 9 other.
    #[prost(uint32, tag = "4")]
    pub class: u32,
    #[prost(message, repeated, tag = "5")]
    pub lines: ::prost::alloc::vec::Vec<RoadLine>,
    /// Absent: not known.
    #[prost(uint32, optional, tag = "6")]
    pub limit_kmh: ::core::option::Option<u32>,
    #[prost(message, repeated, tag = "7")]
    pub tunnels: ::prost::alloc::vec::Vec<Tunnel>,
    #[prost(message, repeated, tag = "8")]
    pub service_areas: ::prost::alloc::vec::Vec<ServiceArea>,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct RoadLine {
    #[prost(message, optional, tag = "1")]
    pub line: ::core::option::Option<Line>,
    #[prost(message, repeated, tag = "2")]
    pub stakes: ::prost::alloc::vec::Vec<StakeOnLine>,
    /// 0 both, 1 along the line as drawn, 2 against it.
    #[prost(uint32, tag = "3")]
    pub direction: u32,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct StakeOnLine {
    #[prost(uint32, tag = "1")]
    pub along_m: u32,
    #[prost(uint32, tag = "2")]
    pub stake_m: u32,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Tunnel {
    #[prost(uint32, tag = "1")]
    pub from_stake_m: u32,
    #[prost(uint32, tag = "2")]
    pub to_stake_m: u32,
    #[prost(string, tag = "3")]
    pub name: ::prost::alloc::string::String,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ServiceArea {
    #[prost(uint32, tag = "1")]
    pub stake_m: u32,
    #[prost(string, tag = "2")]
    pub name: ::prost::alloc::string::String,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct RoadDelete {
    #[prost(fixed64, tag = "1")]
    pub id: u64,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Driver {
    #[prost(fixed64, tag = "1")]
    pub id: u64,
    #[prost(string, tag = "2")]
    pub name: ::prost::alloc::string::String,
    #[prost(string, tag = "3")]
    pub certificate: ::prost::alloc::string::String,
    #[prost(string, tag = "4")]
    pub phone: ::prost::alloc::string::String,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct DriverOn {
    #[prost(fixed64, tag = "1")]
    pub vehicle: u64,
    /// Absent: nobody.
    #[prost(fixed64, optional, tag = "2")]
    pub driver: ::core::option::Option<u64>,
    #[prost(int64, tag = "3")]
    pub from_us: i64,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Load {
    #[prost(fixed64, tag = "1")]
    pub vehicle: u64,
    #[prost(int64, tag = "2")]
    pub from_us: i64,
    /// 0 unknown, 1 loaded, 2 empty.
    #[prost(uint32, tag = "3")]
    pub state: u32,
    #[prost(message, repeated, tag = "4")]
    pub goods: ::prost::alloc::vec::Vec<Goods>,
    #[prost(string, tag = "5")]
    pub source: ::prost::alloc::string::String,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Goods {
    /// Absent: not known.
    #[prost(uint32, optional, tag = "1")]
    pub un: ::core::option::Option<u32>,
    /// Class x 10 + division; 0: not known.
    #[prost(uint32, tag = "2")]
    pub division: u32,
    /// 0: not known.
    #[prost(uint32, tag = "3")]
    pub packing_group: u32,
    #[prost(bool, tag = "4")]
    pub highly_toxic: bool,
    #[prost(string, tag = "5")]
    pub name: ::prost::alloc::string::String,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct CaseStep {
    /// 16 bytes, big-endian.
    #[prost(bytes = "bytes", tag = "1")]
    pub case_id: ::prost::bytes::Bytes,
    /// 1 remind, 2 acknowledge, 3 dispose, 4 close, 5 false, 6 reopen, 7 note.
    #[prost(uint32, tag = "2")]
    pub step: u32,
    #[prost(string, tag = "3")]
    pub text: ::prost::alloc::string::String,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ZoneDelete {
    #[prost(fixed64, tag = "1")]
    pub id: u64,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Command {
    #[prost(fixed64, tag = "1")]
    pub id: u64,
    #[prost(bytes = "bytes", tag = "2")]
    pub terminal: ::prost::bytes::Bytes,
    /// 16 bytes, big-endian, when it carries out an effect.
    #[prost(bytes = "bytes", tag = "5")]
    pub effect: ::prost::bytes::Bytes,
    #[prost(int64, tag = "6")]
    pub expires_at_us: i64,
    #[prost(oneof = "command::Body", tags = "3, 4")]
    pub body: ::core::option::Option<command::Body>,
}
/// Nested message and enum types in `Command`.
pub mod command {
    #[derive(Clone, PartialEq, Eq, Hash, ::prost::Oneof)]
    pub enum Body {
        #[prost(message, tag = "3")]
        Text(super::Text),
        #[prost(message, tag = "4")]
        Locate(super::Locate),
    }
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Text {
    #[prost(string, tag = "1")]
    pub text: ::prost::alloc::string::String,
    #[prost(bool, tag = "2")]
    pub urgent: bool,
    #[prost(bool, tag = "3")]
    pub spoken: bool,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Locate {}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Setting {
    #[prost(string, tag = "1")]
    pub key: ::prost::alloc::string::String,
    #[prost(string, tag = "2")]
    pub value: ::prost::alloc::string::String,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Audit {
    #[prost(string, tag = "1")]
    pub action: ::prost::alloc::string::String,
    #[prost(string, tag = "2")]
    pub subject: ::prost::alloc::string::String,
    #[prost(string, tag = "3")]
    pub detail: ::prost::alloc::string::String,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct RuleRevision {
    #[prost(uint32, tag = "1")]
    pub revision: u32,
}
/// CIDR notation, such as 10.20.0.0/16.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Forwarder {
    #[prost(fixed64, tag = "1")]
    pub id: u64,
    #[prost(string, tag = "2")]
    pub name: ::prost::alloc::string::String,
    #[prost(string, repeated, tag = "3")]
    pub networks: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// Absent: the address is enough.
    #[prost(uint32, optional, tag = "4")]
    pub code_epoch: ::core::option::Option<u32>,
    /// Meaningful with `listed`.
    #[prost(fixed64, repeated, tag = "5")]
    pub vehicles: ::prost::alloc::vec::Vec<u64>,
    /// Whether only `vehicles` may be spoken for; otherwise every admitted one.
    #[prost(bool, tag = "6")]
    pub listed: bool,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ForwarderDelete {
    #[prost(fixed64, tag = "1")]
    pub id: u64,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Deny {
    #[prost(string, tag = "1")]
    pub network: ::prost::alloc::string::String,
    #[prost(string, tag = "2")]
    pub reason: ::prost::alloc::string::String,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Hold {
    #[prost(fixed64, tag = "1")]
    pub id: u64,
    /// Absent: everybody's data.
    #[prost(fixed64, optional, tag = "2")]
    pub vehicle: ::core::option::Option<u64>,
    /// Microseconds since the epoch; from inclusive, to exclusive.
    #[prost(int64, tag = "3")]
    pub from_us: i64,
    #[prost(int64, tag = "4")]
    pub to_us: i64,
    #[prost(string, tag = "5")]
    pub reason: ::prost::alloc::string::String,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct HoldRelease {
    #[prost(fixed64, tag = "1")]
    pub id: u64,
}
/// A copy of the views at a frame envelope.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Base {
    #[prost(uint64, tag = "1")]
    pub seq: u64,
    /// Hash of that envelope.
    #[prost(bytes = "bytes", tag = "2")]
    pub head: ::prost::bytes::Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    pub sha256: ::prost::bytes::Bytes,
    #[prost(uint64, tag = "4")]
    pub bytes: u64,
    #[prost(uint64, tag = "5")]
    pub control_seq: u64,
    #[prost(uint32, tag = "6")]
    pub shard: u32,
}
