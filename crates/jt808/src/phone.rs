//! The terminal phone field (终端手机号): raw bytes, shown as digits, compared without leading zeros.

use crate::Edition;
use std::fmt;

/// Phone bytes as they came off the wire: 6 (2011, 2013) or 10 (2019) BCD bytes.
///
/// Some terminals put other things here (an IMEI in binary, ASCII), so nothing is assumed about
/// the nibbles: they are echoed unchanged in every answer. JT/T 808-2019 4.4.3.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Phone {
    bytes: [u8; 10],
    len: u8,
}

/// Why a string is no terminal phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// A character that is no hexadecimal digit.
    #[error("a terminal phone holds digits only, found {0:?}")]
    NotADigit(char),
    /// More digits than the edition's header has room for.
    #[error("a terminal phone of this edition has at most {max} digits, found {found}")]
    TooLong {
        /// Digits that fit.
        max: usize,
        /// Digits that were given.
        found: usize,
    },
}

impl Phone {
    /// A 2011/2013 phone.
    #[must_use]
    #[inline]
    pub fn from_bcd6(bytes: [u8; 6]) -> Self {
        let mut wide = [0; 10];
        wide[..6].copy_from_slice(&bytes);
        Self { bytes: wide, len: 6 }
    }

    /// A 2019 phone.
    #[must_use]
    #[inline]
    pub fn from_bcd10(bytes: [u8; 10]) -> Self {
        Self { bytes, len: 10 }
    }

    /// Builds the field for `edition` from digits, filled with leading zeros. Hex digits are
    /// taken too, because terminals send them.
    ///
    /// # Errors
    /// A character that is no digit, or too many of them.
    pub fn from_digits(digits: &str, edition: Edition) -> Result<Self, PhoneError> {
        let len = edition.phone_len();
        let found = digits.chars().count();
        if found > 2 * len {
            return Err(PhoneError::TooLong { max: 2 * len, found });
        }
        let mut bytes = [0; 10];
        for (at, digit) in digits.chars().rev().enumerate() {
            let value = digit.to_digit(16).ok_or(PhoneError::NotADigit(digit))? as u8;
            bytes[len - 1 - at / 2] |= value << (4 * (at % 2));
        }
        Ok(Self { bytes, len: len as u8 })
    }

    /// The raw bytes, 6 or 10.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// All digits as on the wire, leading zeros included, lower-case hex.
    #[must_use]
    pub fn wire_digits(&self) -> String {
        self.to_string()
    }

    /// Key for look-ups: equal for the same digits with and without leading zeros, so for the
    /// 6-byte and the 10-byte form of one number.
    #[must_use]
    #[inline]
    pub fn canonical(&self) -> u128 {
        self.bytes().iter().fold(0, |key, byte| key << 8 | u128::from(*byte))
    }

    /// The key as digits: no leading zeros, `"0"` for an all-zero field.
    #[must_use]
    pub fn canonical_digits(&self) -> String {
        format!("{:x}", self.canonical())
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phone({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_by_table() {
        let cases = [
            ("13912345678", Edition::V2013, "013912345678", "13912345678"),
            ("13912345678", Edition::V2019, "00000000013912345678", "13912345678"),
            ("", Edition::V2011, "000000000000", "0"),
            ("0abc", Edition::V2013, "000000000abc", "abc"),
        ];
        for (given, edition, wire, canonical) in cases {
            let phone = Phone::from_digits(given, edition).unwrap();
            assert_eq!(phone.wire_digits(), wire);
            assert_eq!(phone.canonical_digits(), canonical);
        }
    }

    #[test]
    fn both_widths_share_a_key() {
        let old = Phone::from_digits("13912345678", Edition::V2013).unwrap();
        let new = Phone::from_digits("13912345678", Edition::V2019).unwrap();
        assert_ne!(old, new);
        assert_eq!(old.canonical(), new.canonical());
    }

    #[test]
    fn refuses_what_does_not_fit() {
        assert_eq!(Phone::from_digits("12-4", Edition::V2013), Err(PhoneError::NotADigit('-')));
        assert_eq!(
            Phone::from_digits("1234567890123", Edition::V2013),
            Err(PhoneError::TooLong { max: 12, found: 13 })
        );
    }
}
