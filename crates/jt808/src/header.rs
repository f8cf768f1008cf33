//! The message header (消息头) of the three editions, JT/T 808-2019 4.4.3, and the length rule that
//! tells them apart when the flags lie.

use crate::{Oddities, Oddity, Phone};

/// Bits 0-9 of the body properties: length of this packet's body.
pub(crate) const LENGTH_MASK: u16 = 0x03ff;
/// Bits 10-12: encryption.
pub(crate) const ENCRYPTION_MASK: u16 = 0x1c00;
/// Bit 13: a packet of a long message.
pub(crate) const PACKET_FLAG: u16 = 0x2000;
/// Bit 14: version flag, fixed 1 in 2019.
pub(crate) const VERSION_FLAG: u16 = 0x4000;
/// Bit 15: reserved.
pub(crate) const RESERVED_FLAG: u16 = 0x8000;

/// Offsets both header forms share.
mod at {
    pub(super) const ID: usize = 0;
    pub(super) const PROPERTIES: usize = 2;
    /// 2011 and 2013.
    pub(super) const PHONE_6: usize = 4;
    /// 2019.
    pub(super) const PROTOCOL_VERSION: usize = 4;
    /// 2019.
    pub(super) const PHONE_10: usize = 5;
    /// Header length without a sub-package item, which follows; the serial comes last.
    pub(super) const BASE: usize = 12;
    /// The same, 2019.
    pub(super) const BASE_2019: usize = 17;
}

/// Edition of JT/T 808 that a terminal speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Edition {
    /// JT/T 808-2011.
    V2011,
    /// The technical specification of January 2013; also what is assumed when nothing shows.
    V2013,
    /// JT/T 808-2019.
    V2019,
}

impl Edition {
    /// The year, as printed.
    #[must_use]
    pub fn year(self) -> &'static str {
        match self {
            Self::V2011 => "2011",
            Self::V2013 => "2013",
            Self::V2019 => "2019",
        }
    }

    /// Bytes of the phone field.
    #[must_use]
    pub fn phone_len(self) -> usize {
        if self == Self::V2019 { 10 } else { 6 }
    }
}

/// Sub-package item (消息包封装项) of a message that was cut into packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Packet {
    /// Total number of packets.
    pub total: u16,
    /// This packet, from 1.
    pub number: u16,
}

/// A message header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Message id (消息ID).
    pub id: u16,
    /// Body properties (消息体属性) as on the wire. When encoding, the length and bit 13 are set
    /// anew; bit 14 and the encryption bits are taken from here.
    pub props: u16,
    /// Edition by the header's shape: 2013 or 2019. 2011 cannot be seen here; whoever has learnt
    /// it from a registration may set it.
    pub edition: Edition,
    /// Protocol version byte (协议版本号), 2019 only.
    pub protocol_version: Option<u8>,
    /// Terminal phone.
    pub phone: Phone,
    /// Serial number (消息流水号).
    pub serial: u16,
    /// Sub-package item.
    pub packet: Option<Packet>,
}

/// What the length rule says about a frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) edition: Edition,
    pub(crate) packet: bool,
}

impl Shape {
    /// What bits 13 and 14 say.
    #[inline]
    pub(crate) fn by_flags(props: u16) -> Self {
        Self {
            edition: if props & VERSION_FLAG == 0 { Edition::V2013 } else { Edition::V2019 },
            packet: props & PACKET_FLAG != 0,
        }
    }

    /// The shape whose header has this many bytes.
    fn by_len(len: usize) -> Option<Self> {
        let (edition, packet) = match len {
            12 => (Edition::V2013, false),
            16 => (Edition::V2013, true),
            17 => (Edition::V2019, false),
            21 => (Edition::V2019, true),
            _ => return None,
        };
        Some(Self { edition, packet })
    }

    /// Header bytes of this shape.
    #[inline]
    pub(crate) fn len(self) -> usize {
        let base = if self.edition == Edition::V2019 { at::BASE_2019 } else { at::BASE };
        base + if self.packet { 4 } else { 0 }
    }

    /// Shape of a frame of `frame_len` unescaped bytes (check code included): where the length
    /// contradicts the flags but fits another header, the length is believed.
    pub(crate) fn detect(props: u16, frame_len: usize, oddities: &mut Oddities) -> Self {
        let flags = Self::by_flags(props);
        let body = usize::from(props & LENGTH_MASK);
        let fits = |shape: &Self| shape.len() + body + 1 == frame_len;
        let by_len = || frame_len.checked_sub(1 + body).and_then(Self::by_len);
        let Some(shape) = Some(flags).filter(fits).or_else(by_len) else {
            oddities.note(Oddity::LengthFieldWrong);
            return flags;
        };
        let (new, flagged) = (shape.edition == Edition::V2019, props & VERSION_FLAG != 0);
        oddities.note_if(new && !flagged, Oddity::Bit14Missing);
        oddities.note_if(!new && flagged, Oddity::Bit14Unexpected);
        oddities.note_if(shape.packet && !flags.packet, Oddity::Bit13Missing);
        oddities.note_if(!shape.packet && flags.packet, Oddity::Bit13Unexpected);
        shape
    }
}

/// Big-endian word at `offset`.
#[inline]
pub(crate) fn word(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().map(|chunk| u16::from_be_bytes(*chunk))
}

/// Body properties of a frame that may be too short to have any.
#[inline]
pub(crate) fn peek_props(plain: &[u8]) -> Option<u16> {
    word(plain, at::PROPERTIES)
}

impl Header {
    /// A header to send: whole message, plain body, flags as the edition wants them.
    #[must_use]
    pub fn new(id: u16, edition: Edition, phone: Phone, serial: u16) -> Self {
        let new = edition == Edition::V2019;
        Self {
            id,
            props: if new { VERSION_FLAG } else { 0 },
            edition,
            protocol_version: new.then_some(1),
            phone,
            serial,
            packet: None,
        }
    }

    /// Header of an answer or command to whoever sent `self`: same dialect, that is bit 14, the
    /// version byte and the raw phone bytes are copied.
    #[must_use]
    pub fn reply(&self, id: u16, serial: u16) -> Self {
        Self { id, props: self.props & VERSION_FLAG, serial, packet: None, ..*self }
    }

    /// Whether bits 10-12 announce an encrypted body.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.props & ENCRYPTION_MASK != 0
    }

    /// Whether this is one packet of several. A total of 0 or 1 is a plain message.
    #[must_use]
    pub fn is_part(&self) -> bool {
        self.packet.is_some_and(|packet| packet.total > 1)
    }

    /// Reads a header of `shape`; `None` when `plain` is too short for it.
    #[inline]
    pub(crate) fn read(plain: &[u8], shape: Shape) -> Option<Self> {
        let (protocol_version, phone, base) = if shape.edition == Edition::V2019 {
            let base: &[u8; at::BASE_2019] = plain.first_chunk()?;
            let phone = base[at::PHONE_10..].first_chunk()?;
            (Some(base[at::PROTOCOL_VERSION]), Phone::from_bcd10(*phone), base.as_slice())
        } else {
            let base: &[u8; at::BASE] = plain.first_chunk()?;
            let phone = base[at::PHONE_6..].first_chunk()?;
            (None, Phone::from_bcd6(*phone), base.as_slice())
        };
        let packet = if shape.packet {
            let at = base.len();
            Some(Packet { total: word(plain, at)?, number: word(plain, at + 2)? })
        } else {
            None
        };
        Some(Self {
            id: word(base, at::ID)?,
            props: word(base, at::PROPERTIES)?,
            edition: shape.edition,
            protocol_version,
            phone,
            serial: u16::from_be_bytes(*base.last_chunk()?),
            packet,
        })
    }

    /// Appends the header to `out`, unescaped, announcing `body_len` bytes.
    pub(crate) fn write(&self, body_len: u16, out: &mut impl Extend<u8>) {
        let kept = self.props & (VERSION_FLAG | ENCRYPTION_MASK | RESERVED_FLAG);
        let packet = if self.packet.is_some() { PACKET_FLAG } else { 0 };
        let props = kept | packet | body_len & LENGTH_MASK;
        out.extend(self.id.to_be_bytes());
        out.extend(props.to_be_bytes());
        out.extend(self.protocol_version);
        out.extend(self.phone.bytes().iter().copied());
        out.extend(self.serial.to_be_bytes());
        if let Some(packet) = self.packet {
            out.extend(packet.total.to_be_bytes());
            out.extend(packet.number.to_be_bytes());
        }
    }
}
