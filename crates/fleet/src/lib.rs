//! Simulated trucks for demonstration, load and crash tests: they drive an illustrative road network, speak JT/T 808 over
//! TCP or UDP, keep every position until it is acknowledged, and enter in a ledger what was acknowledged. Not a client library:
//! it knows of the server what a terminal knows, the wire.
//!
//! * [`run`], [`run_with`]: trucks that report at an interval, with [`Options`]; [`simulate`] shows their progress.
//! * [`run_forwarder`]: many trucks over one connection, as a forwarding platform has them.
//! * [`run_hostile`]: clients that nobody wants.
//! * [`Ledger::read`]: what was acknowledged, to be held against the tracks that the server gives back.
//! * [`Truck`], [`Fix`], [`Identity`]: the same trucks without a socket, for tests and benches of others.
//! * [`DEMO_ZONES`]: zones that these trucks cross at times.
//!
//! Everything about a truck is a function of (seed, vehicle index, virtual time).

mod clock;
mod error;
mod forwarder;
mod geo;
mod gnss;
mod histogram;
mod hostile;
mod identity;
mod ledger;
mod link;
mod options;
mod outbox;
mod path;
mod progress;
mod report;
mod roads;
mod run;
mod schedule;
mod seed;
mod stats;
mod terminal;
mod truck;
mod upload;
mod vehicle;
mod wire;

/// Sample zones for a demonstration (GeoJSON, the contract of the API's zones), marked illustrative: bridges, tunnels, water
/// sources, a crowded place. Drawn onto the road network of this crate.
pub const DEMO_ZONES: &str = include_str!("../../../config/demo/zones.geojson");

pub use error::FleetError;
pub use forwarder::run_forwarder;
pub use geo::Point;
pub use gnss::Fix;
pub use hostile::{Hostile, HostileOptions, HostileStats, run_hostile};
pub use identity::{Identity, SEEDS_APART, VEHICLES_MAX};
pub use ledger::{Ledger, LedgerLine};
pub use options::{Editions, Late, Manners, Options, Transport};
pub use progress::{simulate, watch};
pub use report::{Refusal, Report};
pub use roads::Network;
pub use run::{run, run_with};
pub use stats::{Recent, Snapshot, Stats};
pub use truck::{Beginning, Truck};
