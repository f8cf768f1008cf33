//! The guesses behind the number codecs. Integers only: encoder and decoder must agree on every machine, for ever.

use super::ChunkError;
use super::numbers::Codec;

/// Columns that stand before the one at hand and help to guess it.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    /// Fix time, seconds.
    pub(super) time: &'a [i64],
    /// Speed, 0.1 km/h.
    pub(super) speed: &'a [i64],
    /// Direction, degrees.
    pub(super) direction: &'a [i64],
    /// Whether the column at hand is latitude; if not, it is longitude where that matters.
    pub(super) northward: bool,
    /// Latitude, 1e-6 degree.
    pub(super) latitude: &'a [i64],
    /// Received time, milliseconds after the fix time.
    pub(super) received: &'a [i64],
}

fn at(column: &[i64], row: usize) -> i64 {
    column.get(row).copied().unwrap_or(0)
}

/// sin(0..=90 degrees), 1/16384, rounded to nearest.
const SINE: [i32; 91] = [
    0, 286, 572, 857, 1143, 1428, 1713, 1997, 2280, 2563, 2845, 3126, 3406, 3686, 3964, 4240, 4516, 4790, 5063, 5334,
    5604, 5872, 6138, 6402, 6664, 6924, 7182, 7438, 7692, 7943, 8192, 8438, 8682, 8923, 9162, 9397, 9630, 9860, 10087,
    10311, 10531, 10749, 10963, 11174, 11381, 11585, 11786, 11982, 12176, 12365, 12551, 12733, 12911, 13085, 13255,
    13421, 13583, 13741, 13894, 14044, 14189, 14330, 14466, 14598, 14726, 14849, 14968, 15082, 15191, 15296, 15396,
    15491, 15582, 15668, 15749, 15826, 15897, 15964, 16026, 16083, 16135, 16182, 16225, 16262, 16294, 16322, 16344,
    16362, 16374, 16382, 16384,
];

fn sine(degrees: i64) -> i64 {
    let d = degrees.rem_euclid(360);
    let (d, sign) = if d >= 180 { (d - 180, -1) } else { (d, 1) };
    let d = if d > 90 { 180 - d } else { d };
    sign * i64::from(SINE.get(d as usize).copied().unwrap_or(0))
}

/// Seconds over which speed and direction say something about the way.
const RECKON_MAX_S: i64 = 120;

/// How far a coordinate moved on the way to `row`, 1e-6 degree: the mean of both ends' speed and direction.
fn reckoned(row: usize, context: Context<'_>) -> i64 {
    let dt = at(context.time, row).wrapping_sub(at(context.time, row - 1));
    if !(1..=RECKON_MAX_S).contains(&dt) {
        return 0;
    }
    let part = |row: usize| {
        let speed = at(context.speed, row).clamp(0, 0xffff);
        let direction = at(context.direction, row).clamp(0, 0xffff);
        speed * if context.northward { sine(direction + 90) } else { sine(direction) }
    };
    // 0.1 km/h * s / 36 = m; 1e-6 degree of latitude = 0.111195 m; half of the sum of both ends: 0.124908 = 8186/65536.
    let moved = dt * (part(row) + part(row - 1)) * 8186;
    if context.northward {
        return moved >> 30;
    }
    let latitude = at(context.latitude, row).clamp(0, 85_000_000);
    let (degree, rest) = (latitude / 1_000_000, latitude % 1_000_000);
    let cosine = sine(degree + 90) + (sine(degree + 91) - sine(degree + 90)) * rest / 1_000_000;
    (moved >> 16) / cosine.max(1)
}

/// What is kept between rows.
#[derive(Default)]
struct Memory {
    /// Way since the odometer last turned over, 1/7200 of its unit.
    fraction: i64,
    /// The last residual.
    off: i64,
}

const TURN: i64 = 7200;

impl Memory {
    /// The guess for `row` from the rows before.
    fn guess(&mut self, past: &[i64], codec: Codec, context: Context<'_>) -> i64 {
        let row = past.len();
        let (Some(last), before) = (past.last().copied(), row.checked_sub(2).map(|r| at(past, r))) else { return 0 };
        match codec {
            Codec::Constant | Codec::Plain => 0,
            Codec::Delta | Codec::Circle => last,
            Codec::DeltaDelta => last.wrapping_add(before.map_or(0, |b| last.wrapping_sub(b))),
            Codec::Reckoned(gain) => {
                let correction = self.off.clamp(-1_000_000, 1_000_000) * i64::from(gain) / 8;
                last.wrapping_add(reckoned(row, context)).wrapping_sub(correction)
            }
            Codec::Odometer => {
                let dt = at(context.time, row).wrapping_sub(at(context.time, row - 1)).clamp(0, RECKON_MAX_S);
                let speeds = at(context.speed, row).clamp(0, 0xffff) + at(context.speed, row - 1).clamp(0, 0xffff);
                self.fraction += speeds * dt;
                last.wrapping_add(self.fraction / TURN)
            }
            Codec::Paced => {
                let received = |r: usize| at(context.time, r).wrapping_mul(1000).wrapping_add(at(context.received, r));
                let Some(before) = before else { return last };
                let pace_ms = i128::from(received(row - 1).wrapping_sub(received(row - 2)));
                let step = i128::from(last.wrapping_sub(before));
                let now_ms = i128::from(received(row).wrapping_sub(received(row - 1)));
                let guess = if pace_ms > 0 && now_ms >= 0 { step * now_ms / pace_ms } else { step };
                last.wrapping_add(guess as i64)
            }
            Codec::Absolute => {
                let dt = at(context.time, row).wrapping_sub(at(context.time, row - 1));
                last.wrapping_sub(dt.wrapping_mul(1000))
            }
        }
    }

    /// Learns what the value was.
    fn learn(&mut self, last: Option<i64>, guess: i64, value: i64, codec: Codec) {
        // The first guess is none: to correct by it would spoil the second.
        self.off = last.map_or(0, |_| value.wrapping_sub(guess));
        if let (Codec::Odometer, Some(last)) = (codec, last) {
            let turned = value.wrapping_sub(last).clamp(0, 1 << 20);
            self.fraction = (self.fraction - turned * TURN).clamp(0, TURN - 1);
        }
    }
}

/// How far each guess was off; `None` when the codec cannot hold these values.
pub(super) fn residuals(values: &[i64], codec: Codec, context: Context<'_>) -> Option<Vec<i64>> {
    if codec == Codec::Circle && !values.iter().all(|v| (0..360).contains(v)) {
        return None;
    }
    let mut memory = Memory::default();
    let mut out = Vec::with_capacity(values.len());
    for (row, value) in values.iter().enumerate() {
        let past = values.get(..row)?;
        let guess = memory.guess(past, codec, context);
        let off = value.wrapping_sub(guess);
        out.push(if codec == Codec::Circle { (off + 180).rem_euclid(360) - 180 } else { off });
        memory.learn(past.last().copied(), guess, *value, codec);
    }
    Some(out)
}

/// The values again, from the residuals that `next` yields.
pub(super) fn values(
    count: usize,
    codec: Codec,
    context: Context<'_>,
    mut next: impl FnMut() -> Result<i64, ChunkError>,
) -> Result<Vec<i64>, ChunkError> {
    let mut memory = Memory::default();
    let mut out: Vec<i64> = Vec::with_capacity(count);
    for _ in 0..count {
        let guess = memory.guess(&out, codec, context);
        let value = guess.wrapping_add(next()?);
        let value = if codec == Codec::Circle { value.rem_euclid(360) } else { value };
        memory.learn(out.last().copied(), guess, value, codec);
        out.push(value);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    const CODECS: [Codec; 10] = [
        Codec::Plain,
        Codec::Delta,
        Codec::DeltaDelta,
        Codec::Circle,
        Codec::Reckoned(0),
        Codec::Reckoned(3),
        Codec::Reckoned(8),
        Codec::Odometer,
        Codec::Paced,
        Codec::Absolute,
    ];

    /// Series without a pattern, the same on every machine.
    fn series(seed: u64, count: usize, min: i64, max: i64) -> Vec<i64> {
        let mut x = seed;
        let mut next = || {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            min + ((x >> 33) as i64) % (max - min)
        };
        (0..count).map(|_| next()).collect()
    }

    fn sums(steps: &[i64], start: i64) -> Vec<i64> {
        steps
            .iter()
            .scan(start, |sum, step| {
                *sum += step;
                Some(*sum)
            })
            .collect()
    }

    /// What encoder and decoder guess is the format: a change of this number makes old chunks unreadable.
    #[test]
    fn guesses_are_frozen_and_invertible() {
        let time = sums(&series(1, 200, 0, 150), 1_795_000_000);
        let (speed, direction) = (series(2, 200, 0, 1200), series(3, 200, 0, 360));
        let latitude = sums(&series(4, 200, -9000, 9000), 32_000_000);
        let received = series(5, 200, 100, 90_000);
        let mut hash = Sha256::new();
        for northward in [false, true] {
            let context = Context {
                time: &time,
                speed: &speed,
                direction: &direction,
                northward,
                latitude: &latitude,
                received: &received,
            };
            for codec in CODECS {
                let values = match codec {
                    Codec::Circle => direction.clone(),
                    Codec::Odometer => sums(&series(6, 200, 0, 20), 1000),
                    _ => sums(&series(7, 200, -20_000, 20_000), 118_000_000),
                };
                let residuals = residuals(&values, codec, context).expect("fits");
                residuals.iter().for_each(|r| hash.update(r.to_be_bytes()));
                let mut rest = residuals.into_iter();
                let back = super::values(200, codec, context, || rest.next().ok_or(ChunkError::Limit("test")));
                assert_eq!(back, Ok(values), "{codec:?}");
            }
        }
        assert_eq!(hex::encode(&hash.finalize()[..8]), "3e9e0f19fa66ada8");
    }

    #[test]
    fn the_way_of_a_truck_is_guessed_to_the_metre() {
        // 72 km/h for 30 s, due north and due east at 60 degrees north: 600 m.
        for (northward, direction, want) in [(true, 0, 5396), (false, 90, 10_792), (true, 90, 0), (false, 180, 0)] {
            let context = Context {
                time: &[0, 30],
                speed: &[720, 720],
                direction: &[direction, direction],
                northward,
                latitude: &[60_000_000, 60_000_000],
                received: &[],
            };
            let moved = reckoned(1, context);
            assert!((moved - want).abs() <= 9, "{northward} {direction}: {moved}");
        }
    }
}
