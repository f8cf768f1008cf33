//! Number plates: text and colour together name a vehicle (JT/T 415-2006 table 42, JT/T 697.7-2014).

use std::fmt;
use std::str::FromStr;

/// Plate colour code (车牌颜色): 1 blue 蓝, 2 yellow 黄, 3 black 黑, 4 white 白, 5 green 绿, 9 other 其他,
/// 91 farm yellow 农黄, 92 farm green 农绿, 93 yellow-green 黄绿, 94 gradient green 渐变绿; 0 no plate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlateColour(pub u8);

impl PlateColour {
    /// Yellow 黄, the plate of most dangerous-goods trucks.
    pub const YELLOW: Self = Self(2);
    const KNOWN: [u8; 11] = [0, 1, 2, 3, 4, 5, 9, 91, 92, 93, 94];

    /// The code as it is kept: vendors that write 91..94 in hexadecimal (0x91..0x94) are understood.
    #[must_use]
    pub const fn normalised(code: u8) -> Self {
        match code {
            0x91..=0x94 => Self(code - 0x91 + 91),
            other => Self(other),
        }
    }

    /// Whether the code is one that the standards define.
    #[must_use]
    pub fn is_known(self) -> bool {
        Self::KNOWN.contains(&self.0)
    }
}

/// A number plate (车牌号码 + 车牌颜色), printed as `云D12345:2`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Plate {
    /// The characters, without separators.
    pub text: Box<str>,
    /// The colour.
    pub colour: PlateColour,
}

/// Why a text is no plate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlateError {
    /// Nothing, or too much, or characters that no plate has.
    #[error("a plate has 2 to 24 letters and digits (like 云D12345): {0:?}")]
    Text(String),
    /// No colour code of the standard.
    #[error("no plate colour: {0:?} (1 blue, 2 yellow, 3 black, 4 white, 5 green, 9 other, 91-94, 0 none)")]
    Colour(String),
}

impl Plate {
    /// A plate from its parts; separators (`·`, `-`, `.`, blanks) are dropped and letters raised to capitals.
    ///
    /// # Errors
    /// When the text or the colour is none.
    pub fn new(text: &str, colour: PlateColour) -> Result<Self, PlateError> {
        let kept: String = text
            .chars()
            .filter(|c| !matches!(c, '·' | '-' | '.' | '\u{2022}') && !c.is_whitespace())
            .flat_map(char::to_uppercase)
            .collect();
        let length = kept.chars().count();
        if !(2..=24).contains(&length) || !kept.chars().all(char::is_alphanumeric) {
            return Err(PlateError::Text(text.chars().take(64).collect()));
        }
        if !colour.is_known() {
            return Err(PlateError::Colour(colour.0.to_string()));
        }
        Ok(Self { text: kept.into_boxed_str(), colour })
    }
}

impl fmt::Display for Plate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.text, self.colour.0)
    }
}

impl FromStr for Plate {
    type Err = PlateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (plate, colour) =
            text.rsplit_once(':').ok_or_else(|| PlateError::Colour(text.chars().take(64).collect()))?;
        let code = colour.parse().map_err(|_| PlateError::Colour(colour.chars().take(64).collect()))?;
        Self::new(plate, PlateColour::normalised(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plates_are_cleaned_and_checked() {
        let cases = [("云D12345:2", "云D12345:2"), ("云d·12345:2", "云D12345:2"), ("云DA1234挂:147", "云DA1234挂:93")];
        for (given, kept) in cases {
            assert_eq!(given.parse::<Plate>().expect(given).to_string(), kept);
        }
        for bad in ["云D12345", "云D12345:7", ":2", "云D<b>:2", "云D12345:x"] {
            assert!(bad.parse::<Plate>().is_err(), "{bad}");
        }
    }
}
