//! Who may speak: asked of the registry through a trait, because this room knows no registry.

use std::net::IpAddr;

use model::{BoxFuture, ForwarderId, Plate, TerminalId};

/// What a terminal says of itself when it registers (终端注册, 0x0100).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registration {
    /// The plate; with colour 0 its text is the VIN. `None` when there is none, or what stands there is no plate.
    pub plate: Option<Plate>,
    /// Maker (制造商ID).
    pub maker: String,
    /// Model (终端型号).
    pub model: String,
    /// Terminal id (终端ID), given by the maker.
    pub device: String,
}

/// Why a registration has no success. The numbers are those of 0x8100 (JT/T 808-2019 8.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterRefusal {
    /// 车辆已被注册
    #[error("the vehicle is registered to another terminal")]
    VehicleTaken = 1,
    /// 数据库中无该车辆
    #[error("no such vehicle")]
    NoVehicle = 2,
    /// 终端已被注册
    #[error("the terminal is registered to another vehicle")]
    TerminalTaken = 3,
    /// 数据库中无该终端
    #[error("no such terminal")]
    NoTerminal = 4,
    /// Nobody can say now; the terminal gets no answer and asks again.
    #[error("registration is not possible now")]
    Unavailable,
}

/// A forwarding platform (转发平台) as the door sees it: one connection speaks for many terminals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forwarder {
    /// Its account.
    pub id: ForwarderId,
    /// With a number, a link must first show the account's code of that epoch in a 0x0102 of any phone (see
    /// [`crate::AuthCodes::forwarder_code`]); without, the address is enough.
    pub code_epoch: Option<u32>,
}

/// The registry as the door sees it. All but [`Admission::register`] are look-ups in a snapshot: no I/O, no waiting.
pub trait Admission: Send + Sync {
    /// The epoch of an admitted terminal's codes; `None` for one that may not speak.
    fn epoch(&self, terminal: TerminalId) -> Option<u32>;

    /// A terminal registers; its frame is in the journal. Returns the epoch of its code. In open mode vehicle and
    /// binding are durable and visible (also to [`Admission::epoch`]) before this returns.
    fn register<'a>(
        &'a self,
        terminal: TerminalId,
        registration: Registration,
    ) -> BoxFuture<'a, Result<u32, RegisterRefusal>>;

    /// Whether nobody may connect from this address.
    fn is_denied(&self, _peer: IpAddr) -> bool {
        false
    }

    /// The forwarding platform that connects from this address.
    fn forwarder(&self, _peer: IpAddr) -> Option<Forwarder> {
        None
    }

    /// Whether a forwarding platform may speak for a terminal: it is admitted, and its vehicle is on the account's
    /// list.
    fn forwards(&self, _id: ForwarderId, _terminal: TerminalId) -> bool {
        false
    }
}
