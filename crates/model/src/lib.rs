//! The nouns of hazwatch: units, identities, fixes, zones, facts, changes and the registry they fold into.
//!
//! Nothing here does I/O, knows a clock, serialises itself or imports another room: the types are what the
//! rooms talk about, and each room owns its own representation (wire, rows, JSON).

mod chain;
mod change;
mod command;
mod custody;
mod digest;
mod fact;
mod fix;
mod forwarder;
mod id;
mod network;
mod plate;
mod ports;
mod position;
mod principal;
mod registry;
mod time;
mod zone;

pub use chain::Chain;
pub use change::{Change, ControlRecord};
pub use command::{Command, CommandBody, CommandOrigin, CommandState};
pub use custody::{Base, Hold};
pub use digest::Digest;
pub use fact::{Confidence, Fact, FactKind, Measures, RULE_REVISION, Standing};
pub use fix::{BASE_LEN, Fix, FixKey, Marks};
pub use forwarder::Forwarder;
pub use id::{
    CarrierId, CaseId, CommandId, EffectId, FactId, ForwarderId, HoldId, IdError, TerminalId, VehicleId, ZoneId,
};
pub use network::Network;
pub use plate::{Plate, PlateColour, PlateError};
pub use ports::{
    BoxFuture, ControlError, ControlPort, DoorPort, FrameEntry, FramePage, FrameQuery, FramesError, FramesPort, Link,
    LivePosition, ProofError, Receipt, TruthPort, ViewsBehind, ViewsPort,
};
pub use position::{Position, RecordRef};
pub use principal::{Permission, Principal, Role, Scope};
pub use registry::{Binding, Carrier, Registry, Terminal, Vehicle};
pub use time::{DAY_US, Timestamp, TimestampError};
pub use zone::{Direction, Geometry, Zone, ZoneKind, ZoneRule};

/// A point or vertex, WGS-84, degrees: `x` longitude, `y` latitude.
pub type Coord = geo_types::Coord<f64>;
/// A line of WGS-84 vertices.
pub type LineString = geo_types::LineString<f64>;
/// Polygons with holes, WGS-84.
pub type MultiPolygon = geo_types::MultiPolygon<f64>;
/// One polygon with holes, WGS-84.
pub type Polygon = geo_types::Polygon<f64>;
