//! Answers: decided when a frame is read, written when it is durable.

use jt808::{GeneralResult, Header, Message, RegisterResult, ServerTime, answer_general, answer_register, encode};
use model::Timestamp;

use crate::metrics::Outcome;
use crate::request::id;
use crate::{RegisterRefusal, Registration};

/// What leaves once the frame is durable.
#[derive(Debug)]
pub(crate) enum Reply {
    /// 0x8001 平台通用应答
    General(GeneralResult),
    /// 0x8004 查询服务器时间应答
    Time,
    /// 0x8100 终端注册应答, after the registry was asked.
    Register(Box<Registration>),
    /// Nothing: the frame is an answer itself.
    Nothing,
    /// No answer at all, but a command of ours.
    Command(Box<[u8]>),
}

/// Against whose window a frame counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charge {
    /// That of the session in this place (see [`crate::sessions::Sessions`]).
    Session(u32),
    /// That of all strangers on the connection.
    Strangers,
    /// The connection's alone (commands).
    Connection,
}

/// A frame that is not answered yet.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The header that is answered: its dialect, id and serial.
    pub(crate) to: Header,
    /// Our own serial.
    pub(crate) serial: u16,
    pub(crate) charge: Charge,
    pub(crate) reply: Reply,
    /// When it was read, us since the gateway began.
    pub(crate) read_us: u64,
    /// Whether the next one belongs to another submission to the journal.
    pub(crate) last: bool,
}

impl Answer {
    /// Appends the answer to `out`; `now` is asked only if it tells the time. A registration is answered by
    /// [`Answer::write_registered`].
    pub(crate) fn write(&self, now: impl FnOnce() -> Timestamp, out: &mut Vec<u8>) -> Outcome {
        match &self.reply {
            Reply::General(result) => {
                answer_general(out, &self.to, self.serial, *result);
                Outcome::Result(*result as u8)
            }
            Reply::Time => {
                let time = jt808::BcdTime::zulu_from_utc_s(now().secs()).map_or([0; 6], jt808::BcdTime::to_bytes);
                let message = Message::ServerTime(ServerTime { time_bcd: time });
                sent(encode(&self.to.reply(id::SERVER_TIME, self.serial), &message, out), 0)
            }
            Reply::Command(wire) => {
                out.extend_from_slice(wire);
                Outcome::Unanswered
            }
            Reply::Register(_) | Reply::Nothing => Outcome::Unanswered,
        }
    }

    /// Appends the 0x8100 that the registry's word makes of a registration.
    pub(crate) fn write_registered(&self, registered: Result<String, RegisterRefusal>, out: &mut Vec<u8>) -> Outcome {
        let (result, code) = match registered {
            Ok(code) => (RegisterResult::Success, code),
            Err(RegisterRefusal::VehicleTaken) => (RegisterResult::VehicleAlreadyRegistered, String::new()),
            Err(RegisterRefusal::NoVehicle) => (RegisterResult::NoSuchVehicle, String::new()),
            Err(RegisterRefusal::TerminalTaken) => (RegisterResult::TerminalAlreadyRegistered, String::new()),
            Err(RegisterRefusal::NoTerminal) => (RegisterResult::NoSuchTerminal, String::new()),
            Err(RegisterRefusal::Unavailable) => return Outcome::Failed,
        };
        sent(answer_register(out, &self.to, self.serial, result, &code), result as u8)
    }
}

/// Our answers fit a frame; if one ever did not, it is missing and counted.
fn sent(encoded: Result<(), jt808::EncodeError>, result: u8) -> Outcome {
    match encoded {
        Ok(()) => Outcome::Result(result),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be encoded");
            Outcome::Failed
        }
    }
}
