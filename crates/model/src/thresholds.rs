//! The thresholds of the rules: one table of names, units, defaults and ranges. A value that somebody set is the
//! setting of that name, and holds from its control record on.

/// What the names of thresholds begin with: `rules.<code>.<name>`.
pub const THRESHOLD_PREFIX: &str = "rules.";

/// One threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// The name of its setting: `rules.<code>.<name>`, the unit last.
    pub key: &'static str,
    /// When nobody has set it.
    pub default: i64,
    /// The least that makes sense.
    pub min: i64,
    /// The most that makes sense.
    pub max: i64,
    /// What it means.
    pub about: &'static str,
}

const fn row(key: &'static str, default: i64, range: (i64, i64), about: &'static str) -> Threshold {
    Threshold { key, default, min: range.0, max: range.1, about }
}

const SPEED: (i64, i64) = (5, 200);
const SHARE: (i64, i64) = (0, 1000);
const HOUR_S: (i64, i64) = (0, 3600);
const DAY_S: (i64, i64) = (0, 7 * 86_400);
const DAY_MIN: (i64, i64) = (1, 1440);
const CLOCK_MIN: (i64, i64) = (0, 1440);
const METRES: (i64, i64) = (0, 100_000);
const COUNT: (i64, i64) = (1, 1000);

/// Every threshold, by name.
pub const THRESHOLDS: &[Threshold] = &[
    row("rules.V01.for_s", 30, HOUR_S, "overspeed on an expressway: as long as this"),
    row("rules.V01.limit_kmh", 80, SPEED, "limit on an expressway (order 29 of 2019, art. 46)"),
    row("rules.V01.severe_percent", 20, SHARE, "band of severe overspeed, above the limit"),
    row("rules.V02.counted_percent", 10, SHARE, "overspeed on other roads counts from here, above the limit"),
    row("rules.V02.for_s", 30, HOUR_S, "overspeed on another road: as long as this"),
    row("rules.V02.grave_percent", 50, SHARE, "band of grave overspeed, above the limit"),
    row("rules.V02.limit_kmh", 60, SPEED, "limit on other roads (order 29 of 2019, art. 46)"),
    row("rules.V02.severe_percent", 20, SHARE, "band of severe overspeed, above the limit"),
    row("rules.V03.for_s", 30, HOUR_S, "overspeed in a zone: as long as this"),
    row("rules.V04.drive_min", 240, DAY_MIN, "legal profile: longest driving without a stop"),
    row("rules.V04.night_drive_min", 120, DAY_MIN, "assessment profile: longest driving without a stop by night"),
    row("rules.V04.rest_min", 20, DAY_MIN, "a stop of this length ends a spell of driving"),
    row("rules.V05.drive_min", 480, DAY_MIN, "longest driving in 24 hours"),
    row("rules.V06.deep_m", 50, METRES, "one fix this deep inside is enough"),
    row("rules.V06.fixes", 2, COUNT, "else this many fixes inside"),
    row("rules.V08.approved_for_s", 60, DAY_S, "off a route that the police approved: as long as this"),
    row("rules.V08.approved_tolerance_m", 200, METRES, "off a route that the police approved: as far as this"),
    row("rules.V08.for_s", 180, DAY_S, "outside what may not be left: as long as this"),
    row("rules.V08.tolerance_m", 500, METRES, "outside what may not be left: as far as this"),
    row("rules.V09.bridge_after_s", 120, DAY_S, "a stop on a bridge or in a tunnel"),
    row("rules.V09.congestion_vehicles", 3, COUNT, "this many standing together are congestion"),
    row("rules.V09.water_after_s", 300, DAY_S, "a stop in a water zone"),
    row("rules.V10.empty_after_s", 7200, DAY_S, "a long stop, not loaded"),
    row("rules.V10.expressway_after_s", 600, DAY_S, "a long stop on an expressway"),
    row("rules.V10.loaded_after_s", 1800, DAY_S, "a long stop, loaded"),
    row("rules.V11.after_s", 3600, DAY_S, "parking outside a lot"),
    row("rules.V11.from_min", 1320, CLOCK_MIN, "parking outside a lot: from this minute of the day"),
    row("rules.V11.high_risk_after_s", 1800, DAY_S, "the same, classes 1 and 2.3 and 6.1 packing group I"),
    row("rules.V11.to_min", 360, CLOCK_MIN, "parking outside a lot: to this minute of the day"),
    row("rules.V12.loaded_after_s", 600, DAY_S, "offline, loaded and moving"),
    row("rules.V12.moving_after_s", 1800, DAY_S, "offline, otherwise moving"),
    row("rules.V12.standing_after_s", 86_400, DAY_S, "offline, standing"),
    row("rules.V13.distance_m", 5000, METRES, "offline displacement: way between the fixes around the gap"),
    row("rules.V13.gap_s", 600, DAY_S, "offline displacement: length of the gap"),
    row("rules.V14.distance_m", 500, METRES, "drift point: farther than this from the one before"),
    row("rules.V14.points", 3, COUNT, "this many drift points a day are drift"),
    row("rules.V14.speed_kmh", 160, (50, 1000), "drift point: faster than this from the one before"),
    row("rules.V15.for_s", 60, HOUR_S, "antenna cut or power off: as long as this"),
    row("rules.V24.ring_after_s", 60, HOUR_S, "an emergency that nobody claims rings on after this"),
    row("rules.V25.silence_s", 300, HOUR_S, "suspected accident: silence after a hard stop"),
    row("rules.approach.again_s", 1800, DAY_S, "who was told of a forbidden zone ahead is told again after this"),
    row("rules.approach.lead_s", 120, HOUR_S, "who reaches a forbidden zone within this is told; 0: nobody is"),
    row("rules.case.acknowledge_2_min", 10, DAY_MIN, "a case of level 2 is acknowledged within this"),
    row("rules.case.acknowledge_3_min", 5, DAY_MIN, "a case of level 3 is acknowledged within this"),
    row("rules.case.dispose_2_min", 120, DAY_MIN, "a case of level 2 is disposed of within this"),
    row("rules.case.dispose_3_min", 30, DAY_MIN, "a case of level 3 is disposed of within this"),
    row("rules.case.remind_3_s", 60, HOUR_S, "in a case of level 3 the driver is reminded within this"),
    row("rules.case.review_days", 3, (1, 100), "what was disposed of is closed within so many working days"),
    row("rules.night.from_min", 1320, CLOCK_MIN, "night begins at this minute of the day"),
    row("rules.night.to_min", 360, CLOCK_MIN, "night ends at this minute of the day"),
];

const fn is_same(a: &[u8], b: &[u8]) -> bool {
    let mut place = 0;
    while place < a.len() && place < b.len() && a[place] == b[place] {
        place += 1;
    }
    place == a.len() && place == b.len()
}

/// Why a value is none for a threshold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// There is none of that name.
    #[error("no threshold {0:?}")]
    Unknown(String),
    /// It is no whole number, or makes no sense.
    #[error("must be a whole number, {min} to {max}, not {value:?}")]
    Value {
        /// What was given, cut at 64 characters.
        value: String,
        /// The least that makes sense.
        min: i64,
        /// The most that makes sense.
        max: i64,
    },
}

impl Threshold {
    /// The threshold of a name that is known while compiling: panics on one that is none.
    #[must_use]
    pub const fn of(key: &str) -> &'static Self {
        let mut place = 0;
        while place < THRESHOLDS.len() && !is_same(THRESHOLDS[place].key.as_bytes(), key.as_bytes()) {
            place += 1;
        }
        assert!(place < THRESHOLDS.len(), "no threshold of that name");
        &THRESHOLDS[place]
    }

    /// The threshold of that name.
    #[must_use]
    pub fn named(key: &str) -> Option<&'static Self> {
        THRESHOLDS.binary_search_by(|row| row.key.cmp(key)).ok().and_then(|place| THRESHOLDS.get(place))
    }

    /// A value that somebody wants to set.
    ///
    /// # Errors
    /// When there is no such threshold, or the value is none for it.
    pub fn read(key: &str, value: &str) -> Result<i64, ThresholdError> {
        let row = Self::named(key).ok_or_else(|| ThresholdError::Unknown(key.chars().take(64).collect()))?;
        let number = value.parse().ok().filter(|number| (row.min..=row.max).contains(number));
        let (min, max) = (row.min, row.max);
        number.ok_or_else(|| ThresholdError::Value { value: value.chars().take(64).collect(), min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sound() {
        assert!(THRESHOLDS.is_sorted_by(|a, b| a.key < b.key), "by name, each once");
        for row in THRESHOLDS {
            assert!(row.key.starts_with(THRESHOLD_PREFIX) && row.key.split('.').count() == 3, "{}", row.key);
            assert_eq!(Threshold::read(row.key, &row.default.to_string()), Ok(row.default), "{}", row.key);
        }
    }

    #[test]
    fn values_are_held_to_their_range() {
        assert_eq!(Threshold::read("rules.V01.limit_kmh", "60"), Ok(60));
        for bad in ["", "4", "201", "80.5", "eighty", "99999999999999999999"] {
            assert!(matches!(Threshold::read("rules.V01.limit_kmh", bad), Err(ThresholdError::Value { .. })), "{bad}");
        }
        assert!(matches!(Threshold::read("rules.V99.x", "1"), Err(ThresholdError::Unknown(_))));
    }
}
