//! Identities: what may be compared, sorted and printed, and never mistaken for one another.

use std::fmt;
use std::str::FromStr;

/// A text that is no identity of the asked kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {expected}: {text:?}")]
pub struct IdError {
    /// What was expected, with an example.
    pub expected: &'static str,
    /// What was given, cut at 64 characters.
    pub text: String,
}

fn refuse(expected: &'static str, text: &str) -> IdError {
    IdError { expected, text: text.chars().take(64).collect() }
}

/// A terminal (终端): the digits of its phone field as on the wire, in lower-case hex, leading zeros ignored
/// (JT/T 808 header, BCD\[6\] or BCD\[10\]; some terminals send hex nibbles, which are kept).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TerminalId(u128);

impl TerminalId {
    /// From the raw phone bytes of a header (at most ten).
    #[must_use]
    pub fn from_wire(phone: &[u8]) -> Self {
        Self(phone.iter().take(10).fold(0, |value, byte| (value << 8) | u128::from(*byte)))
    }

    /// The value of the digits read as one hexadecimal number.
    #[must_use]
    pub const fn value(self) -> u128 {
        self.0
    }
}

impl fmt::Display for TerminalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl FromStr for TerminalId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "a terminal phone of 1 to 20 digits";
        if text.is_empty() || text.len() > 20 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(refuse(expected, text));
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| refuse(expected, text))
    }
}

/// Crockford's base 32: no letter that a person mistakes for a digit.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn write_base32(f: &mut fmt::Formatter<'_>, value: u128, digits: u32) -> fmt::Result {
    for i in (0..digits).rev() {
        let digit = (value >> (5 * i)) & 31;
        write!(f, "{}", ALPHABET[digit as usize] as char)?;
    }
    Ok(())
}

fn read_base32(text: &str, digits: usize, bits: u32) -> Option<u128> {
    if text.len() != digits {
        return None;
    }
    let mut value: u128 = 0;
    for byte in text.bytes() {
        let digit = ALPHABET.iter().position(|a| *a == byte)?;
        value = value.checked_mul(32)?.checked_add(digit as u128)?;
    }
    (bits == 128 || value >> bits == 0).then_some(value)
}

macro_rules! identity {
    ($(#[$doc:meta])* $name:ident, $int:ty, $prefix:literal, $digits:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $int);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                write_base32(f, u128::from(self.0), $digits)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix($prefix)
                    .and_then(|rest| read_base32(rest, $digits, <$int>::BITS))
                    .and_then(|value| <$int>::try_from(value).ok())
                    .map(Self)
                    .ok_or_else(|| refuse(concat!("an id like ", $prefix, "0123456789abc"), text))
            }
        }
    };
}

identity!(
    /// A vehicle (车辆).
    VehicleId, u64, "v_", 13
);
identity!(
    /// A carrier (承运人, 运输企业).
    CarrierId, u64, "k_", 13
);
identity!(
    /// A zone (区域) under control, across all its revisions.
    ZoneId, u64, "z_", 13
);
impl ZoneId {
    /// No zone: of facts that hang on the vehicle alone.
    pub const NONE: Self = Self(0);
}
identity!(
    /// A command to a terminal (下行指令).
    CommandId, u64, "c_", 13
);
identity!(
    /// An account of a platform that forwards for other people's terminals (转发平台).
    ForwarderId, u64, "p_", 13
);
identity!(
    /// A hold: data sealed after an accident (数据封存), which retention must not touch.
    HoldId, u64, "h_", 13
);
identity!(
    /// A permit (通行证, 报备, 通知通行).
    PermitId, u64, "m_", 13
);
identity!(
    /// A road (公路).
    RoadId, u64, "r_", 13
);
identity!(
    /// A driver (驾驶员).
    DriverId, u64, "d_", 13
);
identity!(
    /// A computed fact, the same in every replay: a hash of what it is about.
    FactId, u128, "f_", 26
);
identity!(
    /// A case (违规案件) that people work on; it points at facts.
    CaseId, u128, "x_", 26
);
identity!(
    /// An effect on the world: hash of (fact, revision, kind of effect), so that it is sent once.
    EffectId, u128, "e_", 26
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_ignore_leading_zeros() {
        let twelve = TerminalId::from_wire(&[0x01, 0x39, 0x12, 0x34, 0x56, 0x78]);
        let twenty = TerminalId::from_wire(&[0, 0, 0, 0, 0x01, 0x39, 0x12, 0x34, 0x56, 0x78]);
        assert_eq!(twelve, twenty);
        assert_eq!(twelve.to_string(), "13912345678");
        assert_eq!("013912345678".parse(), Ok(twelve));
        for bad in ["", "12 34", "123456789012345678901", "12x"] {
            assert!(bad.parse::<TerminalId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn identities_round_trip_and_keep_their_kind() {
        for value in [0, 1, u64::MAX, 0x0123_4567_89ab_cdef] {
            let id = VehicleId(value);
            assert_eq!(id.to_string().parse(), Ok(id));
            assert!(id.to_string().parse::<ZoneId>().is_err());
        }
        for value in [0, u128::MAX] {
            assert_eq!(FactId(value).to_string().parse(), Ok(FactId(value)));
        }
        assert!("v_zzzzzzzzzzzzz".parse::<VehicleId>().is_err(), "more than 64 bits");
        assert!("v_é".parse::<VehicleId>().is_err());
    }
}
