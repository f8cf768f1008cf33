//! What was strange about a frame although it could be read: a set of flags with names.

/// A deviation that was tolerated. Names are short snake_case and part of the printed contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Oddity {
    /// The check code is wrong.
    CheckWrong,
    /// The body length in the header is none that the frame can have.
    LengthFieldWrong,
    /// A 2019 header that lacks the version flag.
    Bit14Missing,
    /// A 2011/2013 header that carries the version flag.
    Bit14Unexpected,
    /// A sub-package item without its flag.
    Bit13Missing,
    /// The sub-package flag without its item.
    Bit13Unexpected,
    /// The body claims to be encrypted; it is kept raw.
    Encrypted,
    /// Bytes after the last field that fits.
    TrailingBytes,
    /// The body ends before its last field.
    ShortBody,
    /// A time that is no calendar time.
    TimeInvalid,
    /// A count that the items contradict.
    CountWrong,
    /// An inner length that the bytes contradict.
    InnerLengthWrong,
    /// A body where the standard has none.
    UnexpectedBody,
    /// A packet number beyond the total.
    PacketNumberWrong,
    /// Other bytes than came before under the same packet number of the same message.
    PartContradicts,
}

const NAMES: [(Oddity, &str); 15] = [
    (Oddity::CheckWrong, "check_wrong"),
    (Oddity::LengthFieldWrong, "length_field_wrong"),
    (Oddity::Bit14Missing, "bit14_missing"),
    (Oddity::Bit14Unexpected, "bit14_unexpected"),
    (Oddity::Bit13Missing, "bit13_missing"),
    (Oddity::Bit13Unexpected, "bit13_unexpected"),
    (Oddity::Encrypted, "encrypted"),
    (Oddity::TrailingBytes, "trailing_bytes"),
    (Oddity::ShortBody, "short_body"),
    (Oddity::TimeInvalid, "time_invalid"),
    (Oddity::CountWrong, "count_wrong"),
    (Oddity::InnerLengthWrong, "inner_length_wrong"),
    (Oddity::UnexpectedBody, "unexpected_body"),
    (Oddity::PacketNumberWrong, "packet_number_wrong"),
    (Oddity::PartContradicts, "part_contradicts"),
];

/// A set of [`Oddity`] that costs no allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Oddities(u16);

impl Oddities {
    /// Nothing strange.
    pub const NONE: Self = Self(0);

    /// Adds one.
    pub fn note(&mut self, oddity: Oddity) {
        self.0 |= 1 << oddity as u8;
    }

    /// Adds one when `when` holds.
    pub fn note_if(&mut self, when: bool, oddity: Oddity) {
        self.0 |= u16::from(when) << oddity as u8;
    }

    /// Both sets together.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `oddity` was noted.
    #[must_use]
    pub fn contains(self, oddity: Oddity) -> bool {
        self.0 & (1 << oddity as u8) != 0
    }

    /// Whether nothing was noted.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of what was noted, in a fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().filter(move |(oddity, _)| self.contains(*oddity)).map(|(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_oddity_has_its_own_name() {
        for (at, (oddity, name)) in NAMES.into_iter().enumerate() {
            let mut set = Oddities::NONE;
            set.note(oddity);
            assert_eq!(oddity as usize, at);
            assert_eq!(set.names().collect::<Vec<_>>(), [name]);
        }
    }
}
