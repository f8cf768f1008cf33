//! The nouns of hazwatch: units, identities, fixes, zones, facts, changes and the registry they fold into.
//!
//! Nothing here does I/O, knows a clock, serialises itself or imports another room: the types are what the
//! rooms talk about, and each room owns its own representation (wire, rows, JSON).

mod case;
mod chain;
mod change;
mod command;
mod crew;
mod custody;
mod digest;
mod fact;
mod filter;
mod fix;
mod fleet;
mod forwarder;
mod goods;
mod id;
mod network;
mod permit;
mod plate;
mod ports;
mod position;
mod principal;
mod records;
mod region;
mod registry;
mod road;
mod schedule;
mod thresholds;
mod time;
mod zone;
mod zone_rule;

pub use case::{CaseState, CaseStep, Step, TRANSITIONS, Transition};
pub use chain::Chain;
pub use change::{Change, ControlRecord};
pub use command::{Command, CommandBody, CommandOrigin, CommandState};
pub use crew::{Driver, DriverOn};
pub use custody::{Base, Hold};
pub use digest::Digest;
pub use fact::{Confidence, Fact, FactKind, Measures, RULE_REVISION, Standing};
pub use filter::{Filter, LoadStates, Subject, Tri};
pub use fix::{BASE_LEN, Fix, FixKey, Marks};
pub use fleet::{Binding, Carrier, Terminal, Vehicle, VehicleUse};
pub use forwarder::Forwarder;
pub use goods::{Division, Goods, GoodsError, Load, LoadState, UnNumber};
pub use id::{
    CarrierId, CaseId, CommandId, DriverId, EffectId, FactId, ForwarderId, HoldId, IdError, PermitId, RoadId,
    TerminalId, VehicleId, ZoneId,
};
pub use network::Network;
pub use permit::{Permit, PermitKind};
pub use plate::{Plate, PlateColour, PlateError};
pub use ports::{
    BoxFuture, ControlError, ControlPort, DoorPort, FrameEntry, FramePage, FrameQuery, FramesError, FramesPort, Link,
    LivePosition, ProofError, Receipt, TruthPort, ViewsBehind, ViewsPort,
};
pub use position::{Position, RecordRef};
pub use principal::{Permission, Principal, Role, Scope};
pub use records::{Records, StepTaken};
pub use region::{Region, RegionError};
pub use registry::Registry;
pub use road::{Road, RoadClass, RoadLine, ServiceArea, Stake, StakeError, StakeOnLine, Tunnel};
pub use schedule::{Calendar, CalendarDay, DAY_MIN, DayKind, OnDays, Schedule, Weekly};
pub use thresholds::{THRESHOLD_PREFIX, THRESHOLDS, Threshold, ThresholdError};
pub use time::{DAY_US, Timestamp, TimestampError};
pub use zone::{Corridor, Direction, Geometry, LegalBasis, Zone, ZoneKind};
pub use zone_rule::{Ask, Exemption, RuleFault, ZoneRule, check_rules};

/// A point or vertex, WGS-84, degrees: `x` longitude, `y` latitude.
pub type Coord = geo_types::Coord<f64>;
/// A line of WGS-84 vertices.
pub type LineString = geo_types::LineString<f64>;
/// Polygons with holes, WGS-84.
pub type MultiPolygon = geo_types::MultiPolygon<f64>;
/// One polygon with holes, WGS-84.
pub type Polygon = geo_types::Polygon<f64>;
