//! The region (辖区) that zones and roads must lie in: a box, against swapped axes and misplaced drawings.

use std::fmt;
use std::str::FromStr;

use crate::Coord;

/// A text that is no region.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a region like 97.5,21.1,106.2,29.3 (west, south, east, north): {0:?}")]
pub struct RegionError(pub String);

/// A box of longitudes and latitudes, degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    min: Coord,
    max: Coord,
}

impl Region {
    /// The name of its setting.
    pub const SETTING: &'static str = "zones.region";

    /// Whether a place lies in it.
    #[must_use]
    pub fn contains(&self, c: Coord) -> bool {
        (self.min.x..=self.max.x).contains(&c.x) && (self.min.y..=self.max.y).contains(&c.y)
    }
}

/// China with its seas: where every zone lies unless somebody draws the region closer.
impl Default for Region {
    fn default() -> Self {
        Self { min: Coord { x: 72.0, y: 0.8 }, max: Coord { x: 138.0, y: 56.0 } }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{},{}", self.min.x, self.min.y, self.max.x, self.max.y)
    }
}

impl FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers: Option<Vec<f64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
        let region = match numbers.as_deref() {
            Some(&[west, south, east, north]) => {
                Some(Self { min: Coord { x: west, y: south }, max: Coord { x: east, y: north } })
            }
            _ => None,
        };
        let on_globe = |r: &Self| {
            -180.0 <= r.min.x
                && r.min.x < r.max.x
                && r.max.x <= 180.0
                && -90.0 <= r.min.y
                && r.min.y < r.max.y
                && r.max.y <= 90.0
        };
        region.filter(on_globe).ok_or_else(|| RegionError(text.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_boxes_on_the_globe() {
        let yunnan: Region = "97.5, 21.1, 106.2, 29.3".parse().expect("valid");
        assert!(yunnan.contains(Coord { x: 103.8, y: 25.5 }) && !yunnan.contains(Coord { x: 25.5, y: 103.8 }));
        assert_eq!(yunnan.to_string().parse(), Ok(yunnan));
        for bad in ["", "1,2,3", "1,2,3,4,5", "2,2,1,3", "NaN,1,2,3", "1,2,inf,3", "0,0,181,1"] {
            assert!(bad.parse::<Region>().is_err(), "{bad}");
        }
    }
}
