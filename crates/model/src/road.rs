//! Roads (公路) as a layer of their own: their lines with stakes, their tunnels and service areas. A road line names
//! what lies on it by stake (桩号), as the notices do.

use std::fmt;
use std::str::FromStr;

use crate::{Direction, LineString, RoadId};

/// A text that is no stake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a stake like K103+386: {0:?}")]
pub struct StakeError(pub String);

/// A stake (桩号): metres along a road from its beginning, printed as `K103+386`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stake(pub u32);

impl Stake {
    /// Beyond this no road goes, metres.
    pub const MAX: Self = Self(9_999_999);
}

impl fmt::Display for Stake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "K{}+{:03}", self.0 / 1000, self.0 % 1000)
    }
}

impl FromStr for Stake {
    type Err = StakeError;

    /// `K103+386`; `K103` is the kilometre.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |digits: &str, longest: usize| {
            let is_number = (1..=longest).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| digits.parse::<u32>().ok()).flatten()
        };
        let parts = text.strip_prefix(['K', 'k']).and_then(|rest| match rest.split_once('+') {
            None => Some((number(rest, 4)?, 0)),
            Some((km, m)) => Some((number(km, 4)?, number(m, 3)?)),
        });
        parts.map(|(km, m)| Self(km * 1000 + m)).ok_or_else(|| StakeError(text.chars().take(64).collect()))
    }
}

macro_rules! classes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, $zh:literal;)*) => {
        /// What a road is. The numbers are kept in the journal and never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum RoadClass { $($(#[$doc])* $variant = $number,)* }

        impl RoadClass {
            /// Every class.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in the API.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The Chinese term.
            #[must_use]
            pub const fn name_zh(self) -> &'static str {
                match self { $(Self::$variant => $zh,)* }
            }
        }
    };
}

classes! {
    /// Expressway: dangerous goods at most 80 km/h, elsewhere 60 (order 29 of 2019, art. 46).
    Expressway = 1, "expressway", "高速公路";
    /// National road.
    National = 2, "national", "国道";
    /// Provincial road.
    Provincial = 3, "provincial", "省道";
    /// County road.
    County = 4, "county", "县道";
    /// Road of a town.
    Urban = 5, "urban", "城市道路";
    /// Road of a park.
    Park = 6, "park", "园区道路";
    /// Any other road.
    Other = 9, "other", "其他道路";
}

impl RoadClass {
    /// The class of that API name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|class| class.name() == name)
    }

    /// The class of that journal number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|class| *class as u32 == number)
    }
}

/// A stake that stands on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StakeOnLine {
    /// How far along the line, metres.
    pub along_m: u32,
    /// What it says.
    pub stake: Stake,
}

/// One line of a road: all of it, or one carriageway, or one side of a gap.
#[derive(Clone, Debug, PartialEq)]
pub struct RoadLine {
    /// The middle of it, WGS-84.
    pub line: LineString,
    /// The stakes on it, ascending along the line; between two of them the stake is in proportion.
    pub stakes: Vec<StakeOnLine>,
    /// Which way traffic goes on it.
    pub direction: Direction,
}

/// A tunnel of a road.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// Where it begins.
    pub from: Stake,
    /// Where it ends.
    pub to: Stake,
    /// Its name.
    pub name: String,
}

/// A service area (服务区) of a road.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceArea {
    /// Where it is.
    pub stake: Stake,
    /// Its name.
    pub name: String,
}

/// A road.
#[derive(Clone, Debug, PartialEq)]
pub struct Road {
    /// Which road.
    pub id: RoadId,
    /// Its code: G56, S11; each stands for one road.
    pub code: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub class: RoadClass,
    /// Where it is.
    pub lines: Vec<RoadLine>,
    /// The limit that its signs show, km/h, where one holds for all of it.
    pub limit_kmh: Option<u16>,
    /// Its tunnels.
    pub tunnels: Vec<Tunnel>,
    /// Its service areas.
    pub service_areas: Vec<ServiceArea>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stakes_print_and_parse() {
        for (text, metres, shown) in
            [("K103+386", 103_386, "K103+386"), ("k0+5", 5, "K0+005"), ("K125", 125_000, "K125+000")]
        {
            assert_eq!(text.parse::<Stake>().map(|stake| (stake.0, stake.to_string())), Ok((metres, shown.into())));
        }
        for bad in ["", "K", "103+386", "K1+1000", "K12345", "K1+", "K+1", "K-1", "K1+2+3", "Ké"] {
            assert!(bad.parse::<Stake>().is_err(), "{bad}");
        }
    }
}
