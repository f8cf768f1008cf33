//! What a terminal makes of the truth: reports with correlated noise, whole seconds, fields as coarse as on the wire,
//! and everything that goes wrong in the field.

use std::f64::consts::TAU;

use model::{Fix, Marks, Position, RecordRef, TerminalId, Timestamp};

use crate::chance::{Chance, Span};
use crate::plane::{Xy, coord};
use crate::road::{Node, Path};

/// When every scene begins.
pub const T0: Timestamp = Timestamp::from_secs(1_795_406_700);

/// How a family's terminals are.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Seconds between reports, one of these for a whole drive.
    pub interval_s: &'static [i64],
    /// Deviation of the correlated noise on each axis, metres.
    pub noise_m: Span,
    /// Time in which the noise forgets itself, seconds.
    pub memory_s: Span,
    /// Probability a report that an excursion by reflections begins.
    pub reflections: f64,
    /// How far an excursion goes, metres.
    pub reflection_m: Span,
    /// How long an excursion lasts, seconds.
    pub reflection_s: Span,
    /// Probability a report of a single jump by 200 m.
    pub jumps: f64,
    /// Probability a report that the position freezes for a while, moving or not.
    pub freezes: f64,
    /// Probability a report that nothing is sent for a while.
    pub gaps: f64,
    /// How long freezing lasts, seconds.
    pub freeze_s: Span,
    /// How long a gap lasts, seconds.
    pub gap_s: Span,
}

/// The noise as it is now.
struct Noise {
    drift: Xy,
    deviation_m: f64,
    memory_s: f64,
    /// An excursion: where to, from when, until when.
    excursion: Option<(Xy, f64, f64)>,
}

impl Noise {
    fn step(&mut self, terminal: &Terminal, t: f64, dt: f64, chance: &mut Chance) -> Xy {
        let keep = (-dt / self.memory_s).exp();
        let fresh = self.deviation_m * (1.0 - keep * keep).sqrt();
        self.drift = self.drift * keep + Xy::new(chance.normal(), chance.normal()) * fresh;
        if self.excursion.is_none_or(|(.., until)| t >= until) {
            self.excursion = chance.coin(terminal.reflections).then(|| {
                let to = Xy::of_heading(chance.within((0.0, TAU))) * chance.within(terminal.reflection_m);
                (to, t, t + chance.within(terminal.reflection_s))
            });
        }
        let away = self.excursion.map_or(Xy::default(), |(to, from, until)| {
            // Out and back again like a tent.
            let share = (t - from) / (until - from).max(1.0);
            to * (2.0 * (0.5 - (share - 0.5).abs())).clamp(0.0, 1.0).max(0.3)
        });
        self.drift + away
    }
}

/// The reports of a drive: with each, the second at which its position was taken.
pub fn reports(path: &Path, terminal: &Terminal, interval_s: i64, chance: &mut Chance) -> Vec<(i64, Fix)> {
    let mut noise = Noise {
        drift: Xy::default(),
        deviation_m: chance.within(terminal.noise_m),
        memory_s: chance.within(terminal.memory_s),
        excursion: None,
    };
    noise.drift = Xy::new(chance.normal(), chance.normal()) * noise.deviation_m;
    let mut out: Vec<(i64, Fix)> = Vec::new();
    let (mut frozen, mut direction_deg) = (None::<(Xy, f64)>, 0_u16);
    let mut second = chance.within((0.0, interval_s as f64)) as i64;
    let mut dt = interval_s;
    while (second as f64) < path.end_s() {
        let t = second as f64;
        let truth = path.at(t);
        let error = noise.step(terminal, t, dt as f64, chance);
        let mut seen = truth.at + error;
        if chance.coin(terminal.jumps) {
            seen = seen + Xy::of_heading(chance.within((0.0, TAU))) * 200.0;
        }
        frozen = frozen.filter(|(_, until)| t < *until);
        if frozen.is_none() && chance.coin(terminal.freezes) {
            frozen = Some((seen, t + chance.within(terminal.freeze_s)));
        }
        seen = frozen.map_or(seen, |(at, _)| at);
        if truth.speed > 1.0 {
            direction_deg =
                ((truth.heading.to_degrees() + 2.0 * chance.normal()).round() as i64).rem_euclid(360) as u16;
        }
        out.push((second, fix(out.len(), second, seen, speed_dkmh(&truth, chance), direction_deg)));
        dt = interval_s;
        if chance.coin(terminal.gaps) {
            dt += chance.within(terminal.gap_s) as i64;
        }
        second += dt;
    }
    out
}

/// The speed field: whole km/h, a little off, and sometimes alive while the truck stands.
fn speed_dkmh(truth: &Node, chance: &mut Chance) -> u16 {
    let kmh = if truth.speed < 0.2 {
        if chance.coin(0.1) { chance.within((0.0, 3.0)) } else { 0.0 }
    } else {
        truth.speed * 3.6 + chance.normal()
    };
    10 * kmh.max(0.0).round() as u16
}

fn fix(number: usize, second: i64, at: Xy, speed_dkmh: u16, direction_deg: u16) -> Fix {
    let time = T0.plus_us(second * 1_000_000);
    let place = coord(at);
    Fix {
        terminal: TerminalId::from_wire(&[0x13]),
        time,
        received: time,
        source: RecordRef { position: Position { shard: 0, seq: 1 + number as u64 }, index: 0, item: 0 },
        alarm: 0,
        status: 3,
        lat_wire: (place.y * 1e6).round() as u32,
        lon_wire: (place.x * 1e6).round() as u32,
        altitude_wire: 1_900,
        speed_dkmh,
        direction_deg,
        time_bcd: [0; 6],
        mileage_hm: None,
        items: Box::default(),
        marks: Marks::default(),
    }
}
