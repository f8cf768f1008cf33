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

// Motion between fixes

/// Beyond this gap speeds and directions say nothing about the way, microseconds.
pub const CURVE_GAP_MAX_US: i64 = 180_000_000;
/// A path that leaves the straight line by less is judged as straight, metres.
pub const CURVE_LEAST_M: f64 = 2.0;
/// How far a leg of a curved path may be from it, metres, until there are [`CURVE_LEGS_MAX`] of them.
pub const CURVE_CHORD_M: f64 = 1.5;
/// Straight legs that a curved path is judged as, at most.
pub const CURVE_LEGS_MAX: u32 = 8;
/// How much longer than the straight line the way is that speeds and directions may speak of.
pub const CURVE_STRETCH: f64 = 1.6;
/// A fix this far from where speeds and directions lead waits for the next one, metres.
pub const DOUBT_M: f64 = 100.0;
/// It was an outlier when the next path undoes it but for this share.
pub const DOUBT_UNDONE: f64 = 0.5;
/// Density of the acceleration of a vehicle that drives on calmly, m2/s3.
pub const UNREST_MIN: f64 = 0.15;
/// The same where nothing is known of speed or direction, m2/s3.
pub const UNREST_UNKNOWN: f64 = 6.0;
/// Weight of the way that speeds and directions do not explain.
pub const UNREST_ASTRAY: f64 = 1.0;
/// Weight of the change of speed and direction.
pub const UNREST_CHANGE: f64 = 0.3;
/// The same when it stopped or started: nobody knows when.
pub const UNREST_STOP: f64 = 3.0;
/// What the noise of positions moves an edge by, in 95 of 100 cases, metres.
pub const ERROR_NOISE_M: f64 = 9.0;
/// Whoever nears an edge more slowly is taken to near it at this speed, m/s.
pub const ERROR_NEARING_MPS: f64 = 0.3;

// Standing

/// A speed field up to this is that of a vehicle at rest, 0.1 km/h.
pub const REST_SPEED_DKMH: u16 = 50;
/// A fix this near the mean of a rest belongs to it, metres.
pub const REST_NEAR_M: f64 = 30.0;
/// From this many fixes on a rest is not ended by one that is not near.
pub const REST_SETTLED: u32 = 3;
/// Three fixes in a row this far from the mean of a rest end it whatever their speed field says, metres.
pub const REST_FAR_M: f64 = 150.0;
/// So do this many that are not near.
pub const REST_AWAY: u32 = 5;
/// If they last this long, microseconds.
pub const REST_AWAY_US: i64 = 600_000_000;
/// What the place of a first fix at rest may be off by, metres.
pub const REST_MARGIN_M: f64 = 15.0;
/// In this time the noise of positions has forgotten itself, microseconds: the mean of a rest gets better with the
/// square root of how often it fits in.
pub const REST_MEMORY_US: i64 = 600_000_000;

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
/// A crossing between two fixes is no visit when it is less deep, metres (in small zones a sixteenth of the shorter
/// side): the edge itself is not known better.
pub const GRAZE_M: f64 = 2.0;
/// A fix this deep inside is no drift, metres (in small areas a quarter of the shorter side).
pub const DEEP_M: f64 = 15.0;
/// Whoever drives at this speed was where the fix says, drift or not, 0.1 km/h.
pub const DRIVING_DKMH: u16 = 100;
/// V06, areas: fixes inside while driving that make a violation.
pub const V06_FIXES: u32 = 2;
/// V06, areas: a crossing counts when its middle is this deep, and so does a fix while driving, metres (in small areas an
/// eighth of the shorter side).
pub const V06_CROSSING_DEPTH_M: f64 = 10.0;
/// V06, corridors: least way along the axis, metres (on short ones half the axis).
pub const V06_ALONG_M: f64 = 30.0;
/// V06, corridors: how many times the way across the axis the way along it must be; a road that passes over or
/// under at more than about 18 degrees stays below.
pub const V06_ALONG_RATIO: u64 = 3;
/// V06, corridors: share of a path along the axis from which on its gap in time does not matter.
pub const V06_AXIS_SHARE: f64 = 0.5;

// The vehicle alone

/// Nobody is taken to drive faster through a silence when it is asked whether a rest found room in it, km/h.
pub const WAY_SPEED_KMH: f64 = 80.0;
/// Whoever is silent in a tunnel is granted the time that this speed takes, km/h.
pub const TUNNEL_SPEED_KMH: f64 = 20.0;
/// Whoever drives slower has no accident that is told from afar, 0.1 km/h.
pub const ACCIDENT_SPEED_DKMH: u16 = 300;
/// A stop is hard from this deceleration on, 0.1 m/s2.
pub const HARD_STOP_DMPS2: i64 = 40;

// Rules of zones

/// The most confidence of a violation when what the vehicle carries decides and is not known.
pub const CONFIDENCE_UNSURE: u16 = 500;
/// Changes of how a rule binds that are looked at between two fixes; after that many none is.
pub const EDGES_MAX: u32 = 2_000;

// Warnings

/// Who reaches a forbidden zone this soon is told at the first fix, seconds.
pub const APPROACH_SOON_S: f64 = 30.0;
/// Zones that one vehicle is kept to be near of at once.
pub const APPROACHES_MAX: usize = 16;

// State

/// Stays that one vehicle may have open at once. Further zones are not entered until one of them is left.
pub const OPEN_MAX: usize = 64;
/// How many of [`OPEN_MAX`] are kept for forbidden zones.
pub const OPEN_RESERVED: usize = 16;
/// Rules that a zone has at most; each makes at most one bout of a stay at a time.
pub const BOUTS_MAX: usize = 32;
/// Zones that may not be left, and were, that are kept track of at once.
pub const OUTINGS_MAX: usize = 16;
