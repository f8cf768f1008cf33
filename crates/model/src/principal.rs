//! Who asks, what they may do, and whose data they see. One table, walked by a test.

use crate::CarrierId;

/// What somebody may do. Every handler names exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// See vehicles, their terminals and last positions.
    VehiclesRead,
    /// Create and change vehicles, admit terminals, import registers.
    VehiclesWrite,
    /// See tracks.
    TracksRead,
    /// See zones.
    ZonesRead,
    /// Create, change and withdraw zones.
    ZonesWrite,
    /// See visits and violations.
    ViolationsRead,
    /// Send commands to terminals.
    CommandsSend,
    /// See commands and their state.
    CommandsRead,
    /// See raw frames and terminals that were refused.
    FramesRead,
    /// Follow the live feed.
    EventsRead,
    /// See the audit trail.
    AuditRead,
    /// Create and change users.
    UsersWrite,
    /// See forwarding platforms and the deny list.
    DoorRead,
    /// Change forwarding platforms and the deny list.
    DoorWrite,
    /// See the journal's seals and daily heads, holds and bases; ask for proofs.
    JournalRead,
    /// Seal data against retention, and release it.
    HoldsWrite,
    /// See permits.
    PermitsRead,
    /// Record and revoke permits.
    PermitsWrite,
    /// See drivers, and who drove what.
    DriversRead,
    /// Record drivers, and who drives what.
    DriversWrite,
    /// See thresholds and other settings.
    SettingsRead,
    /// Set thresholds and other settings.
    SettingsWrite,
    /// Work on violations: remind, acknowledge, dispose, note.
    CasesWork,
    /// Decide on them: close, false, reopen.
    CasesDecide,
}

impl Permission {
    /// Every permission.
    pub const ALL: &'static [Self] = &[
        Self::VehiclesRead,
        Self::VehiclesWrite,
        Self::TracksRead,
        Self::ZonesRead,
        Self::ZonesWrite,
        Self::ViolationsRead,
        Self::CommandsSend,
        Self::CommandsRead,
        Self::FramesRead,
        Self::EventsRead,
        Self::AuditRead,
        Self::UsersWrite,
        Self::DoorRead,
        Self::DoorWrite,
        Self::JournalRead,
        Self::HoldsWrite,
        Self::PermitsRead,
        Self::PermitsWrite,
        Self::DriversRead,
        Self::DriversWrite,
        Self::SettingsRead,
        Self::SettingsWrite,
        Self::CasesWork,
        Self::CasesDecide,
    ];
}

/// What somebody is. The numbers are kept in the user table and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Runs the platform: everything, everywhere.
    Admin = 1,
    /// A carrier's monitor (企业监控员): watches and warns its own fleet.
    Carrier = 2,
}

impl Role {
    /// Every role.
    pub const ALL: &'static [Self] = &[Self::Admin, Self::Carrier];

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Carrier => "carrier",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.name() == name)
    }

    /// The role kept under that number.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| *role as i64 == number)
    }

    /// The permission table.
    #[must_use]
    pub const fn may(self, permission: Permission) -> bool {
        match self {
            Self::Admin => true,
            Self::Carrier => matches!(
                permission,
                Permission::VehiclesRead
                    | Permission::TracksRead
                    | Permission::ZonesRead
                    | Permission::ViolationsRead
                    | Permission::CommandsSend
                    | Permission::CommandsRead
                    | Permission::EventsRead
                    | Permission::PermitsRead
                    | Permission::CasesWork
            ),
        }
    }
}

/// Whose rows a query may return. Every store query takes one: row scope that is added later leaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everybody's.
    All,
    /// Only those of one carrier.
    Carrier(CarrierId),
}

impl Scope {
    /// Whether something that belongs to `owner` may be seen.
    #[must_use]
    pub fn sees(self, owner: Option<CarrierId>) -> bool {
        match self {
            Self::All => true,
            Self::Carrier(own) => owner == Some(own),
        }
    }
}

/// Who asks. Every handler takes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// User name; `system` for what the server does by itself.
    pub name: String,
    /// What they are.
    pub role: Role,
    /// Whose data they see.
    pub scope: Scope,
}

impl Principal {
    /// The server itself.
    #[must_use]
    pub fn system() -> Self {
        Self { name: "system".to_owned(), role: Role::Admin, scope: Scope::All }
    }

    /// Whether they may.
    #[must_use]
    pub const fn may(&self, permission: Permission) -> bool {
        self.role.may(permission)
    }
}
