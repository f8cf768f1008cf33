//! Every threshold of the judgement, with its unit, in one table; they become control records later.

// Links between fixes

/// A gap up to this long costs no confidence, microseconds.
pub const GAP_FULL_US: i64 = 60_000_000;
/// From this gap on confidence stays at [`CONFIDENCE_FLOOR`], microseconds.
pub const GAP_FLOOR_US: i64 = 600_000_000;
/// Beyond this gap a path is guesswork: a stay across it loses its certainty, or is cut, microseconds.
pub const GAP_MAX_US: i64 = 1_800_000_000;
/// A vehicle that is found this near after a long gap has stood, metres.
pub const STANDING_M: f64 = 200.0;
/// What positions scatter by; taken off a distance before a speed is derived from it, metres.
pub const NOISE_M: f64 = 30.0;
/// Above this implied speed a link is doubtful, km/h (the range of the speed field, domain reference 3.3).
pub const DOUBTFUL_SPEED_KMH: f64 = 160.0;
/// Above this implied speed, and beyond [`JUMP_M`], a fix is set aside, km/h.
pub const JUMP_SPEED_KMH: f64 = 250.0;
/// A shorter step is never a jump, whatever the speed, metres.
pub const JUMP_M: f64 = 500.0;

// Confidence, per mille

/// The least confidence that a long gap leaves.
pub const CONFIDENCE_FLOOR: u16 = 100;
/// What is left of confidence after a jump, at an implausible speed, or with swapped coordinates.
pub const CONFIDENCE_LOW: u16 = 200;
/// What is left of confidence when a stay spans, begins or ends at a gap above [`GAP_MAX_US`].
pub const CONFIDENCE_GAP: u16 = 500;
/// The least confidence of a stay with one sound fix inside or a sure crossing, however vague its beginning and end.
pub const CONFIDENCE_SEEN_ONCE: u16 = 600;
/// The least confidence of a stay with two or more sound fixes inside.
pub const CONFIDENCE_SEEN: u16 = 800;
/// A crossing without a fix inside makes a visit from this confidence on (a gap of about 8 minutes).
pub const CROSSING_VISIT_MIN: u16 = 300;
/// A crossing without a fix inside makes a violation from this confidence on (a gap of 4 minutes).
pub const CROSSING_CONFIDENT_MIN: u16 = 700;

// Entering and leaving

/// One fix this far outside confirms that the zone was left, metres.
pub const OUTSIDE_M: f64 = 30.0;
/// V06, areas: fixes inside that make a violation.
pub const V06_FIXES: u32 = 2;
/// V06, areas: one fix this deep makes a violation, metres (in small areas a quarter of the shorter side).
pub const V06_DEEP_M: f64 = 50.0;
/// V06, areas: a crossing counts when its middle is this deep, metres (in small areas an eighth of the shorter side).
pub const V06_CROSSING_DEPTH_M: f64 = 15.0;
/// V06, corridors: least way along the axis, metres (on short ones half the axis).
pub const V06_ALONG_M: f64 = 30.0;
/// V06, corridors: how many times the way across the axis the way along it must be; a road that passes over or
/// under at more than about 18 degrees stays below.
pub const V06_ALONG_RATIO: i64 = 3;
/// V06, corridors: share of a path along the axis from which on its gap in time does not matter.
pub const V06_AXIS_SHARE: f64 = 0.5;

// State

/// Stays that one vehicle may have open at once. Further zones are not entered until one of them is left.
pub const OPEN_MAX: usize = 64;
/// How many of [`OPEN_MAX`] are kept for forbidden zones.
pub const OPEN_RESERVED: usize = 16;
