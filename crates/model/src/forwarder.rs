//! Forwarding platforms: one connection that speaks for many trucks.

use crate::{ForwarderId, Network, VehicleId};

/// An account of a forwarding platform (转发平台): its trucks' frames come over its own connections, without the
/// codes of their terminals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarder {
    /// Which account.
    pub id: ForwarderId,
    /// Its name.
    pub name: String,
    /// From where it connects. No two accounts share an address.
    pub networks: Vec<Network>,
    /// With a number, each link must first show the account's code of that epoch in a 0x0102 (终端鉴权); without,
    /// the address is enough.
    pub code_epoch: Option<u32>,
    /// The vehicles that it may speak for, ascending; `None`: every admitted one.
    pub vehicles: Option<Vec<VehicleId>>,
}
