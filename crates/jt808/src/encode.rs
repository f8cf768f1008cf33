//! Writes frames: header, body, check code, escapes, flags; and cuts a long body into packets.

use crate::escape::{FLAG, escape_into, xor};
use crate::header::LENGTH_MASK;
use crate::{Edition, Header, Message, Packet};
use smallvec::SmallVec;

/// Longest body of one packet.
pub const MAX_BODY: usize = LENGTH_MASK as usize;

/// Why a message cannot be sent. Always our own fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The body does not fit one packet.
    #[error("a body of {found} bytes does not fit one packet of {MAX_BODY}")]
    BodyTooLong {
        /// Bytes of the body.
        found: usize,
    },
    /// The body does not fit 65,535 packets of the size asked for.
    #[error("a body of {found} bytes takes more packets than can be numbered")]
    TooManyPackets {
        /// Bytes of the body.
        found: usize,
    },
    /// A field is longer than the layout has room for.
    #[error("{field} takes at most {max} bytes, found {found}")]
    FieldTooLong {
        /// The field.
        field: &'static str,
        /// Bytes that fit.
        max: usize,
        /// Bytes that were given.
        found: usize,
    },
    /// A phone of the other width, or a version byte where the edition has none.
    #[error("phone width and protocol version do not belong to one edition")]
    MixedHeader,
}

/// Result in a general answer (结果), JT/T 808-2019 8.1, 8.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum GeneralResult {
    /// 成功
    Success = 0,
    /// 失败
    Failure = 1,
    /// 消息有误
    MessageError = 2,
    /// 不支持
    Unsupported = 3,
    /// 报警处理确认; only in 0x8001, not in 2011.
    AlarmConfirmed = 4,
}

/// Result of a registration (结果), JT/T 808-2019 8.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RegisterResult {
    /// 成功
    Success = 0,
    /// 车辆已被注册
    VehicleAlreadyRegistered = 1,
    /// 数据库中无该车辆
    NoSuchVehicle = 2,
    /// 终端已被注册
    TerminalAlreadyRegistered = 3,
    /// 数据库中无该终端
    NoSuchTerminal = 4,
}

/// Appends one whole frame around `body` to `out`. Length and bit 13 of the properties are set
/// here; the id is taken from `header`.
///
/// # Errors
/// A body over [`MAX_BODY`], or a header that mixes editions; `out` is unchanged then.
pub fn encode_frame(header: &Header, body: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    if body.len() > MAX_BODY {
        return Err(EncodeError::BodyTooLong { found: body.len() });
    }
    let long = header.phone.bytes().len() == Edition::V2019.phone_len();
    if long != header.protocol_version.is_some() {
        return Err(EncodeError::MixedHeader);
    }
    write_frame(header, body, out);
    Ok(())
}

fn write_frame(header: &Header, body: &[u8], out: &mut Vec<u8>) {
    let mut head = SmallVec::<[u8; 24]>::new();
    header.write(body.len() as u16, &mut head);
    out.reserve(head.len() + body.len() + 8);
    out.push(FLAG);
    escape_into(out, &head);
    escape_into(out, body);
    escape_into(out, &[xor(&head) ^ xor(body)]);
    out.push(FLAG);
}

/// Appends `message` as one frame to `out`, with the id of the message, in the edition and with
/// the phone and serial of `header`.
///
/// # Errors
/// See [`encode_frame`]; also a field that is too long for its layout. `out` is unchanged then.
pub fn encode(header: &Header, message: &Message, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let mut body = Vec::new();
    message.encode_body(header.edition, &mut body)?;
    let header = Header { id: message.id(), ..*header };
    encode_frame(&header, &body, out)
}

/// Appends `body` to `out` as one frame, or cut into slices of at most `slice_len` bytes (1 to [`MAX_BODY`]; other values
/// count as the nearest), each in a frame of its own with the next serial and its packet number. Returns how many frames,
/// so how many serials, that took. [`Assembler`](crate::Assembler) is the inverse. JT/T 808-2019 4.4.3, S13 7.12.
///
/// # Errors
/// See [`encode_frame`]; also more slices than a packet number can count. `out` is unchanged then.
pub fn encode_parts(header: &Header, body: &[u8], slice_len: usize, out: &mut Vec<u8>) -> Result<u16, EncodeError> {
    let slice_len = slice_len.clamp(1, MAX_BODY);
    let packets = body.len().div_ceil(slice_len).max(1);
    let total = u16::try_from(packets).map_err(|_| EncodeError::TooManyPackets { found: body.len() })?;
    if total == 1 {
        return encode_frame(&Header { packet: None, ..*header }, body, out).map(|()| total);
    }
    for (number, slice) in (1..=total).zip(body.chunks(slice_len)) {
        let serial = header.serial.wrapping_add(number - 1);
        encode_frame(&Header { serial, packet: Some(Packet { total, number }), ..*header }, slice, out)?;
    }
    Ok(total)
}

/// Appends the platform's general answer 0x8001 (平台通用应答) to the message under `to`, in its
/// dialect, with our `serial`. Allocates nothing besides `out`. JT/T 808-2019 8.2.
pub fn answer_general(out: &mut Vec<u8>, to: &Header, serial: u16, result: GeneralResult) {
    let ([s0, s1], [i0, i1]) = (to.serial.to_be_bytes(), to.id.to_be_bytes());
    write_frame(&to.reply(0x8001, serial), &[s0, s1, i0, i1, result as u8], out);
}

/// Appends the answer 0x8100 (终端注册应答) to the registration under `to`, in its dialect. `code`
/// (鉴权码, ASCII, at most 40 characters as some terminals have no room for more) is sent with
/// [`RegisterResult::Success`] only. JT/T 808-2019 8.7.
///
/// # Errors
/// A code that does not fit one packet; `out` is unchanged then.
pub fn answer_register(
    out: &mut Vec<u8>,
    to: &Header,
    serial: u16,
    result: RegisterResult,
    code: &str,
) -> Result<(), EncodeError> {
    let mut body = SmallVec::<[u8; 64]>::new();
    body.extend(to.serial.to_be_bytes());
    body.push(result as u8);
    if result == RegisterResult::Success {
        body.extend_from_slice(code.as_bytes());
    }
    encode_frame(&to.reply(0x8100, serial), &body, out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Frame, Phone};

    #[test]
    fn answers_keep_the_dialect() {
        // A 2019 header without bit 14: the answer lacks it too, and keeps the odd phone.
        for (edition, flag) in [(Edition::V2013, 0), (Edition::V2019, 0x4000), (Edition::V2019, 0)] {
            let mut asked = Header::new(0x0200, edition, Phone::from_digits("abc7d7e", edition).unwrap(), 0x7e7d);
            asked.props = flag | 3;
            let mut out = Vec::new();
            answer_general(&mut out, &asked, 9, GeneralResult::Unsupported);
            let mut scratch = crate::escape::Scratch::default();
            let plain = crate::escape::unescape(&out[1..out.len() - 1], &mut scratch).unwrap();
            let frame = Frame::parse(plain).unwrap();
            assert!(frame.check_ok);
            assert_eq!(frame.header.props, flag | 5);
            assert_eq!(frame.header.phone, asked.phone);
            assert_eq!(frame.header.protocol_version, (edition == Edition::V2019).then_some(1));
            assert_eq!((frame.header.id, frame.header.serial, frame.body), (0x8001, 9, &[0x7e, 0x7d, 2, 0, 3][..]));
        }
    }

    #[test]
    fn refuses_what_no_frame_can_hold() {
        let phone = Phone::from_digits("1", Edition::V2013).unwrap();
        let mut header = Header::new(1, Edition::V2013, phone, 1);
        let mut out = Vec::new();
        assert_eq!(encode_frame(&header, &[0; 1024], &mut out), Err(EncodeError::BodyTooLong { found: 1024 }));
        header.protocol_version = Some(1);
        assert_eq!(encode_frame(&header, &[], &mut out), Err(EncodeError::MixedHeader));
        assert!(out.is_empty());
    }
}
