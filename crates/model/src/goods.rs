//! Dangerous goods (危险货物): their classes, their UN numbers, and what a vehicle carries from when on.

use std::fmt;
use std::str::FromStr;

use crate::{Timestamp, VehicleId};

/// A text that names no class or no UN number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {expected}: {text:?}")]
pub struct GoodsError {
    /// What was expected, with examples.
    pub expected: &'static str,
    /// What was given, cut at 64 characters.
    pub text: String,
}

fn refuse(expected: &'static str, text: &str) -> GoodsError {
    GoodsError { expected, text: text.chars().take(64).collect() }
}

/// A class or division of dangerous goods (类别, 项别; GB 6944): `3`, `2.1`. Kept as class x 10 + division.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Division(u8);

impl Division {
    /// How many divisions each class has; the class is the place, from 1.
    const DIVISIONS: [u8; 9] = [6, 3, 0, 3, 2, 2, 0, 0, 0];

    /// From class x 10 + division, division 0 for the whole class.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        let (class, division) = (number / 10, number % 10);
        let last = *Self::DIVISIONS.get(usize::try_from(class).ok()?.checked_sub(1)?)?;
        (division <= u32::from(last)).then_some(Self(number as u8))
    }

    /// Class x 10 + division.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The class, 1 to 9.
    #[must_use]
    pub const fn class(self) -> u8 {
        self.0 / 10
    }

    /// Whether whatever is of `other` is of this one too: `2` covers `2.1`.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.0 == other.0 || (self.0.is_multiple_of(10) && self.class() == other.class())
    }

    /// Whether something may be of both.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.covers(other) || other.covers(self)
    }
}

impl fmt::Display for Division {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 10 {
            0 => write!(f, "{}", self.class()),
            division => write!(f, "{}.{division}", self.class()),
        }
    }
}

impl FromStr for Division {
    type Err = GoodsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = match *text.as_bytes() {
            [class @ b'1'..=b'9'] => Some(u32::from(class - b'0') * 10),
            [class @ b'1'..=b'9', b'.', division @ b'1'..=b'9'] => {
                Some(u32::from(class - b'0') * 10 + u32::from(division - b'0'))
            }
            _ => None,
        };
        number.and_then(Self::from_number).ok_or_else(|| refuse("a class or division of goods like 3 or 2.1", text))
    }
}

/// A UN number (联合国编号), printed as `UN1005`. Any four digits: the lists grow faster than programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnNumber(u16);

impl UnNumber {
    /// From its value.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        (number <= 9999).then_some(Self(number as u16))
    }

    /// Its value.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for UnNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UN{:04}", self.0)
    }
}

impl FromStr for UnNumber {
    type Err = GoodsError;

    /// `UN1005` or `1005`; spreadsheets drop leading zeros, so fewer digits are understood.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("UN").or_else(|| text.strip_prefix("un")).unwrap_or(text);
        let is_number = (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        let number = is_number.then(|| digits.parse().ok()).flatten();
        number.and_then(Self::from_number).ok_or_else(|| refuse("a UN number like UN1005", text))
    }
}

/// One kind of goods in a load. What the papers do not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Goods {
    /// UN number.
    pub un: Option<UnNumber>,
    /// Class or division.
    pub division: Option<Division>,
    /// Packing group (包装类别), 1 to 3.
    pub packing_group: Option<u8>,
    /// Whether it is a highly toxic chemical (剧毒化学品).
    pub highly_toxic: bool,
    /// Proper shipping name (正式运输名称).
    pub name: String,
}

/// Whether a vehicle is loaded (装载状态). The numbers are kept in the journal and never change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LoadState {
    /// Nobody has said.
    #[default]
    Unknown = 0,
    /// It carries goods (重车).
    Loaded = 1,
    /// It carries none (空车). With goods: those it carried last, not cleaned out (空罐未清洗).
    Empty = 2,
}

impl LoadState {
    /// Every state.
    pub const ALL: &'static [Self] = &[Self::Unknown, Self::Loaded, Self::Empty];

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Loaded => "loaded",
            Self::Empty => "empty",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.name() == name)
    }

    /// The state of that journal number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| *state as u32 == number)
    }
}

/// What a vehicle carries from an instant on, until the next record. Before the first one nothing is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Which vehicle.
    pub vehicle: VehicleId,
    /// Event time from which it holds; it may be recorded later.
    pub from: Timestamp,
    /// Whether it carries anything.
    pub state: LoadState,
    /// What it carries, or carried last when it is empty and was not cleaned; empty: nobody has said what.
    pub goods: Vec<Goods>,
    /// Who says so: a waybill number, a gate, a person.
    pub source: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divisions_print_parse_and_cover() {
        for text in ["1", "1.6", "2.1", "3", "4.3", "5.2", "6.1", "9"] {
            assert_eq!(text.parse::<Division>().map(|d| d.to_string()).as_deref(), Ok(text));
        }
        for bad in ["", "0", "3.1", "1.7", "2.", "10", "2.10", "2,1", "é", "UN1005"] {
            assert!(bad.parse::<Division>().is_err(), "{bad}");
        }
        let division = |text: &str| text.parse::<Division>().expect("valid");
        assert!(division("2").covers(division("2.3")) && !division("2.3").covers(division("2")));
        assert!(division("2.3").overlaps(division("2")) && !division("2.3").overlaps(division("2.1")));
        assert_eq!(Division::from_number(21), Some(division("2.1")));
        assert_eq!([0, 9, 31, 100, u32::MAX].map(Division::from_number), [None; 5]);
    }

    #[test]
    fn un_numbers_keep_their_zeros() {
        for (text, shown) in [("UN1005", "UN1005"), ("1005", "UN1005"), ("81", "UN0081"), ("un0081", "UN0081")] {
            assert_eq!(text.parse::<UnNumber>().map(|un| un.to_string()).as_deref(), Ok(shown));
        }
        for bad in ["", "UN", "UN10050", "-1", "+100", "1005a", "２"] {
            assert!(bad.parse::<UnNumber>().is_err(), "{bad}");
        }
    }
}
