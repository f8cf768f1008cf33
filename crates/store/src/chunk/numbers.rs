//! Number columns: each codec is a guess at the next value; what is stored is how far it was off.

use super::ChunkError;
use super::bytes::{Reader, put_varint};
use super::predict::{self, Context};
use super::range::{Decoder, Encoder, Number, fold, unfold};

/// How a number column is stored. The numbers are the format: never reused, only added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    /// One value for all rows.
    Constant,
    /// Off from zero.
    Plain,
    /// Off from the row before.
    Delta,
    /// Off from the step before.
    DeltaDelta,
    /// Degrees: off from the row before, the short way round.
    Circle,
    /// Latitude or longitude: off from where speed and direction would have led, corrected by so many eighths of how
    /// far it was off before.
    Reckoned(u8),
    /// Odometer: off from what the speed would have added.
    Odometer,
    /// Journal sequence: off from what the received time would have added at the pace before.
    Paced,
    /// Offset from the fix time: off from the absolute instant before.
    Absolute,
}

impl Codec {
    pub(super) const fn id(self) -> u8 {
        match self {
            Self::Constant => 0,
            Self::Plain => 1,
            Self::Delta => 2,
            Self::DeltaDelta => 3,
            Self::Circle => 4,
            Self::Odometer => 5,
            Self::Paced => 6,
            Self::Absolute => 7,
            Self::Reckoned(gain) => 16 + gain,
        }
    }

    pub(super) const fn from_id(id: u8) -> Option<Self> {
        Some(match id {
            0 => Self::Constant,
            1 => Self::Plain,
            2 => Self::Delta,
            3 => Self::DeltaDelta,
            4 => Self::Circle,
            5 => Self::Odometer,
            6 => Self::Paced,
            7 => Self::Absolute,
            16..=24 => Self::Reckoned(id - 16),
            _ => return None,
        })
    }
}

/// Stores a column: the candidate that promises the fewest bits.
pub(super) fn encode(values: &[i64], candidates: &[Codec], context: Context<'_>) -> (Codec, Vec<u8>) {
    if let Some(first) = values.first()
        && values.iter().all(|v| v == first)
    {
        let mut out = Vec::new();
        put_varint(&mut out, u128::from(fold(*first)));
        return (Codec::Constant, out);
    }
    let mut best: Option<(u64, Codec, Vec<i64>)> = None;
    for codec in candidates {
        let Some(residuals) = predict::residuals(values, *codec, context) else { continue };
        let bits = promise(&residuals);
        if best.as_ref().is_none_or(|(least, ..)| bits < *least) {
            best = Some((bits, *codec, residuals));
        }
    }
    let (codec, residuals) = best.map_or_else(|| (Codec::Plain, values.to_vec()), |(_, c, r)| (c, r));
    let mut coder = Encoder::new();
    let mut model = Number::new();
    residuals.iter().for_each(|r| model.write(&mut coder, *r));
    (codec, coder.finish())
}

/// About how much room residuals will take, 1/16 bit: what the coder makes of the length and the two bits below the
/// highest, when it has learned them, and the rest as it is. In integers, so that every machine chooses alike.
fn promise(residuals: &[i64]) -> u64 {
    /// What it costs to learn one more kind of residual.
    const NEW: u64 = 5 * 16;
    let mut kinds = [0_u64; 65 * 4];
    let mut cost = 0;
    for residual in residuals {
        let folded = fold(*residual);
        let bits = 64 - folded.leading_zeros();
        let rest = bits.saturating_sub(3);
        let below = (folded >> rest) & 3;
        kinds[bits as usize * 4 + below as usize] += 1;
        cost += u64::from(rest) * 16;
    }
    let whole = log2_x16(residuals.len() as u64);
    kinds.iter().filter(|count| **count > 0).fold(cost, |cost, count| cost + NEW + count * (whole - log2_x16(*count)))
}

/// 16 log2, linear between powers of two.
fn log2_x16(value: u64) -> u64 {
    let whole = value.max(1).ilog2();
    u64::from(whole) * 16 + ((value.max(1) - (1 << whole)) << 4 >> whole)
}

/// Reads a column of `count` rows back.
pub(super) fn decode(payload: &[u8], codec: Codec, count: usize, context: Context<'_>) -> Result<Vec<i64>, ChunkError> {
    if codec == Codec::Constant {
        let value = Reader(payload).varint("constant")?;
        let value = u64::try_from(value).map_err(|_| ChunkError::Limit("constant"))?;
        return Ok(vec![unfold(value); count]);
    }
    let mut coder = Decoder::new(payload);
    let mut model = Number::new();
    predict::values(count, codec, context, || model.read(&mut coder))
}
