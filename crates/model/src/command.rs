//! Commands to terminals (下行指令): requested by a control record, journalled again when they go out.

use crate::{CommandId, EffectId, TerminalId, Timestamp};

/// What is asked of the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandBody {
    /// Text to the cab (文本信息下发, 0x8300).
    Text {
        /// What it says; at most 1,024 bytes in GBK.
        text: String,
        /// Urgent (紧急).
        urgent: bool,
        /// Read aloud (TTS).
        spoken: bool,
    },
    /// Ask for the position (位置信息查询, 0x8201).
    Locate,
}

impl CommandBody {
    /// The name in the API.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Locate => "locate",
        }
    }
}

/// Why a command was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandOrigin {
    /// A person or a program asked for it over the API.
    Person,
    /// It is the effect of a fact; the id makes sure that it is sent once.
    Effect(EffectId),
}

/// A command as requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Which command.
    pub id: CommandId,
    /// To which terminal.
    pub terminal: TerminalId,
    /// What is asked.
    pub body: CommandBody,
    /// Why.
    pub origin: CommandOrigin,
    /// When it is no longer worth sending or waiting for.
    pub expires_at: Timestamp,
}

/// Where a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CommandState {
    /// Recorded, waiting for the terminal to be connected.
    Requested = 1,
    /// Journalled and handed to the socket.
    Sent = 2,
    /// The terminal answered that it did it.
    Acknowledged = 3,
    /// The terminal answered that it failed, or does not know the command.
    Refused = 4,
    /// Never sent before it expired.
    Expired = 5,
    /// Sent, and no answer came before it expired: nobody knows.
    Unknown = 6,
}

impl CommandState {
    const ALL: [Self; 6] =
        [Self::Requested, Self::Sent, Self::Acknowledged, Self::Refused, Self::Expired, Self::Unknown];

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Sent => "sent",
            Self::Acknowledged => "acknowledged",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
        }
    }

    /// The state kept under that number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as u8 == number)
    }
}
