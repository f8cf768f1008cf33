//! Carriers, vehicles, and the terminals that speak for them.

use crate::{CarrierId, Division, Plate, TerminalId, Timestamp, VehicleId, ZoneId};

/// A carrier (承运人).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carrier {
    /// Which carrier.
    pub id: CarrierId,
    /// Its name.
    pub name: String,
}

/// What a vehicle is for. The numbers are kept in the journal and never change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VehicleUse {
    /// Dangerous goods (危险货物运输车辆).
    #[default]
    DangerousGoods = 1,
    /// Anything else; what is asked of dangerous goods does not bind it.
    Ordinary = 2,
}

impl VehicleUse {
    /// Every use.
    pub const ALL: &'static [Self] = &[Self::DangerousGoods, Self::Ordinary];

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DangerousGoods => "dangerous_goods",
            Self::Ordinary => "ordinary",
        }
    }

    /// The use of that API name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The use of that journal number; 0 is a record from before there was one.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        if number == 0 {
            return Some(Self::default());
        }
        Self::ALL.iter().copied().find(|kind| *kind as u32 == number)
    }
}

/// A vehicle (车辆).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vehicle {
    /// Which vehicle.
    pub id: VehicleId,
    /// Its plate; `None` for a vehicle that registered without one.
    pub plate: Option<Plate>,
    /// Who runs it.
    pub carrier: Option<CarrierId>,
    /// What it is for.
    pub kind: VehicleUse,
    /// What it is licensed for (经营范围); empty: not known.
    pub scope: Vec<Division>,
    /// The lots where it belongs (停放场地).
    pub home: Vec<ZoneId>,
}

/// From when on a terminal speaks for a vehicle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Event time from which it holds, until the next one.
    pub from: Timestamp,
    /// The vehicle.
    pub vehicle: VehicleId,
}

/// A terminal (终端) and what it speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Which terminal.
    pub id: TerminalId,
    /// Manufacturer id (制造商ID).
    pub maker: String,
    /// Model (终端型号).
    pub model: String,
    /// Terminal id (终端ID).
    pub device: String,
    /// Raised when its codes are revoked; part of the authentication code.
    pub epoch: u32,
    /// Whether it may speak.
    pub admitted: bool,
    /// By `from`, ascending.
    pub bindings: Vec<Binding>,
}

impl Terminal {
    /// Whose position a report of that event time is.
    #[must_use]
    pub fn vehicle_at(&self, time: Timestamp) -> Option<VehicleId> {
        self.bindings.iter().rev().find(|binding| binding.from <= time).map(|binding| binding.vehicle)
    }

    /// Whom it speaks for now.
    #[must_use]
    pub fn vehicle(&self) -> Option<VehicleId> {
        self.bindings.last().map(|binding| binding.vehicle)
    }
}
