//! What a frame asks of the door. Most ask for nothing but an answer.

use jt808::{BASE_LEN, Direction, Frame, GeneralResult, Message, Register, message_info};
use model::{Plate, PlateColour};

use crate::Registration;
use crate::answer::Reply;

/// Message ids that the door itself cares for.
pub(crate) mod id {
    /// 终端通用应答
    pub(crate) const TERMINAL_GENERAL: u16 = 0x0001;
    /// 位置信息汇报
    pub(crate) const LOCATION: u16 = 0x0200;
    /// 查询服务器时间应答
    pub(crate) const SERVER_TIME: u16 = 0x8004;
}

/// What a frame asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// 0x0100
    Register(Box<Registration>),
    /// 0x0102, with the code that is shown.
    Authenticate(String),
    /// 0x0003
    Unregister,
    /// 0x0004
    Time,
    /// A general response, which is itself never answered (JT/T 808-2019 7.1).
    Acknowledgement,
    /// Anything else, with the result that it gets.
    Report(GeneralResult),
}

impl Request {
    /// Reads as much of a frame as the answer depends on.
    pub(crate) fn read(frame: &Frame<'_>) -> Self {
        let header = &frame.header;
        if header.id == id::TERMINAL_GENERAL {
            return Self::Acknowledgement;
        }
        if !frame.check_ok {
            return Self::Report(GeneralResult::MessageError);
        }
        let is_opaque = header.is_part() || header.is_encrypted();
        if header.id == id::LOCATION {
            let whole = is_opaque || frame.body.len() >= BASE_LEN;
            return Self::Report(if whole { GeneralResult::Success } else { GeneralResult::MessageError });
        }
        if message_info(header.id).is_none_or(|info| info.direction != Direction::Up) {
            return Self::Report(GeneralResult::Unsupported);
        }
        if is_opaque {
            return Self::Report(GeneralResult::Success);
        }
        match Message::decode(header, frame.body) {
            Ok(Message::Register(register)) => Self::Register(Box::new(registration(&register))),
            Ok(Message::Authenticate(shown)) => Self::Authenticate(shown.code.decode()),
            Ok(Message::Unregister(_)) => Self::Unregister,
            Ok(Message::ServerTimeRequest(_)) => Self::Time,
            Ok(_) => Self::Report(GeneralResult::Success),
            Err(_) => Self::Report(GeneralResult::MessageError),
        }
    }

    /// What an authenticated terminal is answered, and whether its session ends with that. `still_holds`: whether the
    /// code that it shows again lets it in.
    pub(crate) fn answered(self, still_holds: impl FnOnce(&str) -> bool) -> (Reply, bool) {
        match self {
            Self::Report(result) => (Reply::General(result), false),
            Self::Acknowledgement => (Reply::Nothing, false),
            Self::Time => (Reply::Time, false),
            Self::Register(registration) => (Reply::Register(registration), false),
            Self::Unregister => (Reply::General(GeneralResult::Success), true),
            Self::Authenticate(code) if still_holds(&code) => (Reply::General(GeneralResult::Success), false),
            Self::Authenticate(_) => (Reply::General(GeneralResult::Failure), true),
        }
    }
}

fn registration(register: &Register) -> Registration {
    Registration {
        plate: Plate::new(&register.plate.decode_plate(), PlateColour::normalised(register.plate_colour)).ok(),
        maker: register.maker.decode(),
        model: register.model.decode(),
        device: register.terminal_id.decode(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jt808::{Edition, Header, Packet, Phone};

    fn frame(id: u16, body: &[u8]) -> Frame<'_> {
        let phone = Phone::from_digits("13912345678", Edition::V2013).expect("digits");
        let header = Header::new(id, Edition::V2013, phone, 1);
        Frame { header, body, check_ok: true, oddities: jt808::Oddities::NONE }
    }

    #[test]
    fn results_by_table() {
        let cases: [(u16, &[u8], GeneralResult); 9] = [
            (0x0002, &[], GeneralResult::Success),
            (0x0002, &[1, 2, 3], GeneralResult::Success),
            (0x0200, &[0; 28], GeneralResult::Success),
            (0x0200, &[0; 27], GeneralResult::MessageError),
            (0x0704, &[0, 0], GeneralResult::MessageError),
            (0x0704, &[0, 0, 1], GeneralResult::Success),
            (0x0100, &[0, 0, 0], GeneralResult::MessageError),
            (0x6006, &[1], GeneralResult::Unsupported),
            (0x8001, &[0; 5], GeneralResult::Unsupported),
        ];
        for (id, body, result) in cases {
            assert_eq!(Request::read(&frame(id, body)), Request::Report(result), "{id:04x} {body:?}");
        }
    }

    #[test]
    fn damage_comes_before_meaning() {
        let damaged = Frame { check_ok: false, ..frame(0x0102, b"code") };
        assert_eq!(Request::read(&damaged), Request::Report(GeneralResult::MessageError));
        let acknowledgement = Frame { check_ok: false, ..frame(0x0001, &[0; 5]) };
        assert_eq!(Request::read(&acknowledgement), Request::Acknowledgement);
        let mut part = frame(0x0102, b"code");
        part.header.packet = Some(Packet { total: 2, number: 1 });
        assert_eq!(Request::read(&part), Request::Report(GeneralResult::Success));
        assert_eq!(Request::read(&frame(0x0102, b"code\0")), Request::Authenticate("code".into()));
    }

    #[test]
    fn a_registration_is_taken_as_far_as_it_goes() {
        let mut body = vec![0, 53, 0, 100];
        body.extend(*b"MAKER");
        body.extend(*b"MODEL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        body.extend(*b"DEV\0\0\0\0");
        body.push(2);
        body.extend("云D12345".bytes());
        let Request::Register(whole) = Request::read(&frame(0x0100, &body)) else { panic!("a registration") };
        assert_eq!(whole.plate.map(|plate| plate.to_string()).as_deref(), Some("云D12345:2"));
        assert_eq!((whole.maker.as_str(), whole.model.as_str(), whole.device.as_str()), ("MAKER", "MODEL", "DEV"));
        let Request::Register(short) = Request::read(&frame(0x0100, &body[..4])) else { panic!("a registration") };
        assert_eq!(*short, Registration::default());
    }
}
