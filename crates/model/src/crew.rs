//! Drivers (驾驶员), and who of them drives what from when on.

use crate::{DriverId, Timestamp, VehicleId};

/// A driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Driver {
    /// Which driver.
    pub id: DriverId,
    /// Name.
    pub name: String,
    /// Qualification certificate (从业资格证号), or empty; each stands for one driver.
    pub certificate: String,
    /// Phone, or empty.
    pub phone: String,
}

/// Somebody begins or ends to drive a vehicle, as entered by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriverOn {
    /// Which vehicle.
    pub vehicle: VehicleId,
    /// Who; `None`: nobody.
    pub driver: Option<DriverId>,
    /// Event time from which it holds, until the next one.
    pub from: Timestamp,
}
