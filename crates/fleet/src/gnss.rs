//! The receiver in the cab: a truth goes in, a fix comes out, with drift that remembers itself (Gauss-Markov),
//! satellites, and the additional items a terminal adds. Pure.

use crate::seed::{Purpose, Seed};
use crate::truck::{Motion, Truck};

/// Standard deviation of the drift per axis, metres, under open sky and in a tunnel (dead reckoning).
const SIGMA_M: f64 = 2.5;
const SIGMA_TUNNEL_M: f64 = 12.0;
/// How long the drift remembers itself, seconds.
const MEMORY_S: f64 = 30.0;

/// The error of the position, metres east and north: a first-order Gauss-Markov process, one step a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Drift {
    east_m: f32,
    north_m: f32,
}

impl Drift {
    /// As after a long time under open sky.
    pub(crate) fn settled(seed: Seed) -> Self {
        let (east, north) = seed.normal_pair(Purpose::Noise, 0);
        Self { east_m: (east * SIGMA_M) as f32, north_m: (north * SIGMA_M) as f32 }
    }

    pub(crate) fn step(&mut self, seed: Seed, second: u64, tunnel: bool) {
        let kept = (-1.0 / MEMORY_S).exp();
        let sigma = if tunnel { SIGMA_TUNNEL_M } else { SIGMA_M };
        let fresh = sigma * (1.0 - kept * kept).sqrt();
        let (east, north) = seed.normal_pair(Purpose::Noise, second);
        self.east_m = (f64::from(self.east_m) * kept + east * fresh) as f32;
        self.north_m = (f64::from(self.north_m) * kept + north * fresh) as f32;
    }
}

/// One position as a terminal knows it, in wire units (JT/T 808 8.12). Small, because a fleet stores many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fix {
    /// Unix second of the fix.
    pub time_s: i64,
    /// Latitude, 1e-6 degree north.
    pub lat_e6: u32,
    /// Longitude, 1e-6 degree east.
    pub lon_e6: u32,
    /// Altitude (高程), metres.
    pub altitude_m: u16,
    /// Speed (速度), 0.1 km/h.
    pub speed_dkmh: u16,
    /// Direction (方向), degrees.
    pub direction_deg: u16,
    /// Alarm flags (报警标志).
    pub alarm: u32,
    /// Status bits (状态位), as of 2013; [`Fix::report`] takes away what 2011 does not know.
    pub status: u32,
    /// Odometer, 0.1 km (item 0x01).
    pub mileage_hm: u32,
    /// Recorder speed, 0.1 km/h (item 0x03).
    pub recorder_dkmh: u16,
    /// Satellites (item 0x31).
    pub satellites: u8,
    /// Signal strength (item 0x30).
    pub signal: u8,
    /// Vehicle signals (item 0x25) and analogue inputs (item 0x2B), which come at times.
    pub extended: Option<(u32, u32)>,
}

/// Height of the ground, metres: a smooth field around 1,900 m, falling towards the south-east.
fn ground_m(lon: f64, lat: f64) -> f64 {
    let (x, y) = (lon - 103.8, lat - 25.5);
    1_900.0 - 160.0 * x + 90.0 * y + 70.0 * (9.0 * x).sin() * (7.0 * y).cos() + 35.0 * (23.0 * x + 17.0 * y).sin()
}

const STATUS_ACC_ON: u32 = 1;
const STATUS_POSITIONED: u32 = 1 << 1;
const STATUS_FULL: u32 = 0b11 << 8;
const STATUS_DOORS_LOCKED: u32 = 1 << 12;
const STATUS_GPS: u32 = 1 << 18;
const STATUS_BEIDOU: u32 = 1 << 19;

const ALARM_EMERGENCY: u32 = 1;
const ALARM_UNDER_VOLTAGE: u32 = 1 << 7;
const ALARM_CAMERA: u32 = 1 << 11;

impl Truck {
    /// The fix of the present virtual second, stamped with `time_s`.
    #[must_use]
    pub fn fix(&self, time_s: i64) -> Fix {
        let motion = self.motion();
        let at = motion.at.moved_m(f64::from(self.drift.east_m), f64::from(self.drift.north_m));
        let dice = self.seed.bits(Purpose::Items, self.now_s);
        let speed_kmh = motion.speed_ms * 3.6;
        let satellites = if motion.around.is_tunnel() { 0 } else { 8 + (dice & 7) as u8 };
        Fix {
            time_s,
            lat_e6: (at.lat * 1e6).round() as u32,
            lon_e6: (at.lon * 1e6).round() as u32,
            altitude_m: (ground_m(at.lon, at.lat) + f64::from(self.drift.north_m)).round() as u16,
            speed_dkmh: (speed_kmh * 10.0).round() as u16,
            direction_deg: motion.course_deg.floor() as u16 % 360,
            alarm: self.alarm(),
            status: status(&motion),
            mileage_hm: (motion.odometer_m / 100.0) as u32,
            recorder_dkmh: (speed_kmh * (1_000 + (dice >> 8 & 15)) as f64 / 100.0).round() as u16,
            satellites,
            signal: 14 + (dice >> 12 & 15) as u8,
            extended: (dice >> 16).is_multiple_of(4).then(|| (signals(&motion), 0x0a00 + (dice >> 24 & 0xff) as u32)),
        }
    }

    /// Alarm flags, seldom: faults that hold for some minutes, and very rarely the emergency button.
    fn alarm(&self) -> u32 {
        let spell = self.seed.bits(Purpose::Alarm, self.now_s >> 8);
        let fault = match spell % 600 {
            0 => ALARM_CAMERA,
            1 => ALARM_UNDER_VOLTAGE,
            _ => 0,
        };
        let pressed = self.seed.bits(Purpose::Alarm, 1 << 40 | self.now_s >> 4).is_multiple_of(20_000);
        fault | if pressed { ALARM_EMERGENCY } else { 0 }
    }
}

fn status(motion: &Motion) -> u32 {
    let mut status = STATUS_POSITIONED | STATUS_DOORS_LOCKED;
    if motion.ignition {
        status |= STATUS_ACC_ON;
    }
    if motion.loaded {
        status |= STATUS_FULL;
    }
    if !motion.around.is_tunnel() {
        status |= STATUS_GPS | STATUS_BEIDOU;
    }
    status
}

/// Item 0x25: low beam by night and in tunnels, brake, neutral when standing.
fn signals(motion: &Motion) -> u32 {
    let dark = motion.night || motion.around.is_tunnel();
    u32::from(dark && motion.ignition) | u32::from(motion.braking) << 4 | u32::from(motion.speed_ms == 0.0) << 10
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roads::Network;
    use crate::truck::Beginning;

    #[test]
    fn drift_is_correlated_over_seconds_and_not_over_minutes() {
        let seed = Seed::of_vehicle(3, 3);
        let mut drift = Drift::settled(seed);
        let track: Vec<f64> = (1..40_000)
            .map(|second| {
                drift.step(seed, second, false);
                f64::from(drift.east_m)
            })
            .collect();
        let correlation = |lag: usize| {
            let products: f64 = track.iter().zip(&track[lag..]).map(|(a, b)| a * b).sum();
            products / track.iter().map(|a| a * a).sum::<f64>()
        };
        assert!(correlation(1) > 0.95, "{}", correlation(1));
        assert!((correlation(30) - (-1f64).exp()).abs() < 0.1, "{}", correlation(30));
        assert!(correlation(300).abs() < 0.1, "{}", correlation(300));
        let rms = (track.iter().map(|a| a * a).sum::<f64>() / track.len() as f64).sqrt();
        assert!((rms - SIGMA_M).abs() < 0.4, "{rms}");
    }

    #[test]
    fn fixes_stay_near_the_truth_and_in_range() {
        let beginning = Beginning { epoch_s: 1_795_399_200, showcase: false };
        let mut alarms = 0;
        for index in 0..10 {
            let mut truck = Truck::new(1, index, Network::qujing(), beginning).expect("places");
            let mut mileage = 0;
            for second in (0..6_000).step_by(5) {
                truck.advance_to(Network::qujing(), second);
                let (fix, motion) = (truck.fix(second as i64), truck.motion());
                let at = crate::geo::Point { lon: f64::from(fix.lon_e6) / 1e6, lat: f64::from(fix.lat_e6) / 1e6 };
                assert!(at.distance_m(motion.at) < 60.0);
                assert!((1_300..2_500).contains(&fix.altitude_m), "{fix:?}");
                assert!(fix.speed_dkmh <= 800 && fix.direction_deg < 360 && fix.mileage_hm >= mileage);
                assert_eq!(fix.status & 2, 2);
                mileage = fix.mileage_hm;
                alarms += u32::from(fix.alarm != 0);
            }
        }
        assert!(alarms < 600, "{alarms} of 12,000 carry an alarm");
    }
}
