//! Control records: every change of anything that a rule, the decoder or the workflow reads.

use crate::{
    Base, CalendarDay, Carrier, CaseStep, Command, Driver, DriverOn, Forwarder, ForwarderId, Hold, HoldId, Load,
    Network, Permit, PermitId, Road, RoadId, TerminalId, Timestamp, Vehicle, VehicleId, Zone, ZoneId,
};

/// One change. The stream of them is the only way anything changes (decision D1).
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A carrier exists, or is described anew.
    CarrierPut(Carrier),
    /// A vehicle exists, or is described anew.
    VehiclePut(Vehicle),
    /// A terminal exists, or is described anew. Its bindings are untouched.
    TerminalPut {
        /// Which terminal.
        terminal: TerminalId,
        /// Manufacturer id (制造商ID) as registered.
        maker: String,
        /// Model (终端型号) as registered.
        model: String,
        /// Terminal id (终端ID) as registered.
        device: String,
    },
    /// From `from` on, what the terminal reports is about this vehicle.
    Bind {
        /// Which terminal.
        terminal: TerminalId,
        /// Which vehicle.
        vehicle: VehicleId,
        /// Event time from which it holds; [`Timestamp::MIN`] for a terminal's first binding.
        from: Timestamp,
    },
    /// The terminal's codes become void (a new epoch), and it may not speak until it is admitted again.
    Revoke {
        /// Which terminal.
        terminal: TerminalId,
    },
    /// A zone in a new revision.
    ZonePut(Zone),
    /// A zone is withdrawn from the record's instant on.
    ZoneDelete {
        /// Which zone.
        id: ZoneId,
    },
    /// A command to a terminal is requested.
    CommandRequest(Command),
    /// A value that rules or effects read.
    SettingPut {
        /// Its name.
        key: String,
        /// Its value.
        value: String,
    },
    /// Somebody did or read something that must be on record.
    Audit {
        /// What was done.
        action: String,
        /// On what.
        subject: String,
        /// Details, plain text.
        detail: String,
    },
    /// From here on facts are judged by this revision of the rules.
    RuleRevision {
        /// The revision.
        revision: u32,
    },
    /// A forwarding platform may speak, or may speak differently, from here on.
    ForwarderPut(Forwarder),
    /// A forwarding platform may speak no more.
    ForwarderDelete {
        /// Which one.
        id: ForwarderId,
    },
    /// Nobody may connect from there.
    DenyPut {
        /// From where.
        network: Network,
        /// Why, for people.
        reason: String,
    },
    /// Connecting from there is allowed again.
    DenyDelete {
        /// From where.
        network: Network,
    },
    /// Data is sealed: retention must not touch it.
    HoldPut(Hold),
    /// A hold ends.
    HoldRelease {
        /// Which one.
        id: HoldId,
    },
    /// The views were set aside, so that older frames may be removed and replay can start there.
    BaseTaken(Base),
    /// A zone that waits for a second person to release it; it binds nobody.
    ZoneDraft(Zone),
    /// A draft is given up.
    ZoneDraftDrop {
        /// Of which zone.
        id: ZoneId,
    },
    /// A wrong revision is withdrawn as if it had never been, and the facts that rest on it are void.
    ZoneVoid {
        /// Which zone.
        id: ZoneId,
        /// Which revision.
        revision: u32,
        /// Why.
        reason: String,
    },
    /// A permit exists, or is described anew.
    PermitPut(Permit),
    /// A permit counts no more from the record's instant on.
    PermitRevoke {
        /// Which permit.
        id: PermitId,
        /// Why.
        reason: String,
    },
    /// Days of the calendar; what was said of them before counts no more.
    CalendarPut {
        /// The days.
        days: Vec<CalendarDay>,
    },
    /// A road exists, or is described anew.
    RoadPut(Road),
    /// A road is not in the layer any more.
    RoadDelete {
        /// Which road.
        id: RoadId,
    },
    /// A driver exists, or is described anew.
    DriverPut(Driver),
    /// Somebody begins or ends to drive.
    DriverOn(DriverOn),
    /// What a vehicle carries from an instant on.
    LoadPut(Load),
    /// Somebody worked on a case.
    CaseStep(CaseStep),
}

impl Change {
    /// A short name, for audit lists and logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CarrierPut(_) => "carrier_put",
            Self::VehiclePut(_) => "vehicle_put",
            Self::TerminalPut { .. } => "terminal_put",
            Self::Bind { .. } => "bind",
            Self::Revoke { .. } => "revoke",
            Self::ZonePut(_) => "zone_put",
            Self::ZoneDelete { .. } => "zone_delete",
            Self::CommandRequest(_) => "command_request",
            Self::SettingPut { .. } => "setting_put",
            Self::Audit { .. } => "audit",
            Self::RuleRevision { .. } => "rule_revision",
            Self::ForwarderPut(_) => "forwarder_put",
            Self::ForwarderDelete { .. } => "forwarder_delete",
            Self::DenyPut { .. } => "deny_put",
            Self::DenyDelete { .. } => "deny_delete",
            Self::HoldPut(_) => "hold_put",
            Self::HoldRelease { .. } => "hold_release",
            Self::BaseTaken(_) => "base_taken",
            Self::ZoneDraft(_) => "zone_draft",
            Self::ZoneDraftDrop { .. } => "zone_draft_drop",
            Self::ZoneVoid { .. } => "zone_void",
            Self::PermitPut(_) => "permit_put",
            Self::PermitRevoke { .. } => "permit_revoke",
            Self::CalendarPut { .. } => "calendar_put",
            Self::RoadPut(_) => "road_put",
            Self::RoadDelete { .. } => "road_delete",
            Self::DriverPut(_) => "driver_put",
            Self::DriverOn(_) => "driver_on",
            Self::LoadPut(_) => "load_put",
            Self::CaseStep(_) => "case_step",
        }
    }
}

/// A change as it lies in the control stream.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlRecord {
    /// Its number in the control stream, from 1, without gaps.
    pub seq: u64,
    /// When it was recorded; never decreasing.
    pub recorded_at: Timestamp,
    /// Who did it: a user name, or `system`.
    pub actor: String,
    /// What changed.
    pub change: Change,
}
