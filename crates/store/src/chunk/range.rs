//! Binary range coder with adaptive models: turns decisions of unequal odds into fractions of a bit.
//!
//! The coder is the one of LZMA (32-bit range, carry by a cached byte) without its leading zero byte and with up to
//! four trailing zero bytes cut; the model counts, so that it learns fast from the few values that a block has.
//! All arithmetic is integer: machines agree. The format document has the numbers.

use super::ChunkError;

const PROB_BITS: u32 = 16;
const RANGE_MIN: u32 = 1 << 24;
/// How many zero bytes a decoder may imagine behind the end: what the encoder cuts.
const CUT_MAX: usize = 4;
/// After so many decisions a model stops slowing down.
const COUNT_MAX: u8 = 62;

/// The odds of one binary decision.
#[derive(Clone, Copy)]
pub(super) struct Bit {
    /// Probability of a zero, 1/65536.
    zero: u16,
    count: u8,
}

impl Bit {
    pub(super) const NEW: Self = Self { zero: 1 << (PROB_BITS - 1), count: 0 };

    #[inline]
    fn bound(self, range: u32) -> u32 {
        // A probability of 0 or 1 would leave no room for the other outcome.
        (range >> 12) * (u32::from(self.zero) >> 4).max(1)
    }

    #[inline]
    fn learn(&mut self, bit: bool) {
        // The mask only spares a check: a count is never beyond COUNT_MAX.
        let rate = RATES[usize::from(self.count & 63)];
        let zero = u32::from(self.zero);
        let step = ((if bit { zero } else { 65_535 - zero }) * rate) >> 16;
        self.zero = if bit { zero - step } else { zero + step } as u16;
        self.count += u8::from(self.count < COUNT_MAX);
    }
}

/// How far the odds move, 1/65536 of the way, by how often they have moved.
const RATES: [u32; 64] = {
    let mut rates = [0; 64];
    let mut count = 0;
    while count < 64 {
        rates[count] = 131_072 / (2 * count as u32 + 3);
        count += 1;
    }
    rates
};

/// Writes decisions.
pub(super) struct Encoder {
    low: u64,
    range: u32,
    cache: u8,
    pending: usize,
    out: Vec<u8>,
}

impl Encoder {
    pub(super) const fn new() -> Self {
        Self { low: 0, range: u32::MAX, cache: 0, pending: 0, out: Vec::new() }
    }

    fn shift(&mut self) {
        if self.low < 0xff00_0000 || self.low > 0xffff_ffff {
            let carry = (self.low >> 32) as u8;
            self.out.push(self.cache.wrapping_add(carry));
            self.out.resize(self.out.len() + self.pending, 0xff_u8.wrapping_add(carry));
            self.pending = 0;
            self.cache = (self.low >> 24) as u8;
        } else {
            self.pending += 1;
        }
        self.low = (self.low & 0x00ff_ffff) << 8;
    }

    #[inline]
    fn normalise(&mut self) {
        while self.range < RANGE_MIN {
            self.range <<= 8;
            self.shift();
        }
    }

    #[inline]
    pub(super) fn bit(&mut self, model: &mut Bit, bit: bool) {
        let bound = model.bound(self.range);
        self.low += if bit { u64::from(bound) } else { 0 };
        self.range = if bit { self.range - bound } else { bound };
        model.learn(bit);
        self.normalise();
    }

    /// The lowest `bits` bits of `value` at even odds.
    pub(super) fn even(&mut self, value: u64, bits: u32) {
        for i in (0..bits).rev() {
            self.range >>= 1;
            self.low += if (value >> i) & 1 == 1 { u64::from(self.range) } else { 0 };
            self.normalise();
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        // Of all numbers that mean the same, the one with the most zero bytes at its end.
        let last = self.low + u64::from(self.range) - 1;
        for zeros in [0xff_ffff_u64, 0xffff, 0xff] {
            let rounded = (self.low + zeros) & !zeros;
            if rounded <= last {
                self.low = rounded;
                break;
            }
        }
        for _ in 0..5 {
            self.shift();
        }
        for _ in 0..CUT_MAX {
            if self.out.last() == Some(&0) && self.out.len() > 1 {
                self.out.pop();
            }
        }
        // The first byte is the cache that nothing had filled: always zero.
        self.out.remove(0);
        self.out
    }
}

/// Reads decisions.
pub(super) struct Decoder<'a> {
    input: &'a [u8],
    at: usize,
    range: u32,
    code: u32,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        let mut decoder = Self { input, at: 0, range: u32::MAX, code: 0 };
        for _ in 0..4 {
            decoder.code = (decoder.code << 8) | decoder.byte();
        }
        decoder
    }

    fn byte(&mut self) -> u32 {
        let byte = self.input.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        u32::from(byte)
    }

    #[inline]
    fn normalise(&mut self) {
        while self.range < RANGE_MIN {
            self.range <<= 8;
            self.code = (self.code << 8) | self.byte();
        }
    }

    #[inline]
    pub(super) fn bit(&mut self, model: &mut Bit) -> bool {
        let bound = model.bound(self.range);
        let bit = self.code >= bound;
        // Which way it goes cannot be foreseen: no jumps.
        self.code -= if bit { bound } else { 0 };
        self.range = if bit { self.range - bound } else { bound };
        model.learn(bit);
        self.normalise();
        bit
    }

    pub(super) fn even(&mut self, bits: u32) -> u64 {
        let mut value = 0;
        for _ in 0..bits {
            self.range >>= 1;
            let bit = self.code >= self.range;
            self.code -= if bit { self.range } else { 0 };
            value = (value << 1) | u64::from(bit);
            self.normalise();
        }
        value
    }

    /// Fails when more was read than there is: what came was imagined. Ask after every value, so that a short
    /// input cannot make a long output.
    pub(super) const fn check(&self) -> Result<(), ChunkError> {
        if self.at > self.input.len() + CUT_MAX { Err(ChunkError::Short("range-coded column")) } else { Ok(()) }
    }
}

const BUCKETS: usize = 128;
const FINE: usize = 8;

/// Odds of whole numbers of any size: how many bits they have, by how many the one before had; the upper bits below
/// the highest; the rest at even odds.
pub(super) struct Number {
    length: Box<[[Bit; BUCKETS]; CLASSES]>,
    fine: Box<[[Bit; FINE]; 65]>,
    class: usize,
}

const CLASSES: usize = 3;

impl Number {
    pub(super) fn new() -> Self {
        Self { length: Box::new([[Bit::NEW; BUCKETS]; CLASSES]), fine: Box::new([[Bit::NEW; FINE]; 65]), class: 0 }
    }

    const fn class_after(bits: u32) -> usize {
        match bits {
            0 => 0,
            1..=5 => 1,
            _ => 2,
        }
    }

    pub(super) fn write(&mut self, coder: &mut Encoder, value: i64) {
        let folded = fold(value);
        let bits = 64 - folded.leading_zeros();
        let mut node = 1;
        let length = &mut self.length[self.class];
        for i in (0..7).rev() {
            let bit = (bits >> i) & 1 == 1;
            coder.bit(&mut length[node & (BUCKETS - 1)], bit);
            node = node * 2 + usize::from(bit);
        }
        self.class = Self::class_after(bits);
        let below = bits.saturating_sub(1);
        let fine = below.min(FINE.trailing_zeros());
        let mut node = 1;
        let odds = &mut self.fine[bits as usize];
        for i in 0..fine {
            let bit = (folded >> (below - 1 - i)) & 1 == 1;
            coder.bit(&mut odds[node & (FINE - 1)], bit);
            node = node * 2 + usize::from(bit);
        }
        coder.even(folded, below - fine);
    }

    pub(super) fn read(&mut self, coder: &mut Decoder<'_>) -> Result<i64, ChunkError> {
        let mut node = 1;
        let length = &mut self.length[self.class];
        for _ in 0..7 {
            let bit = coder.bit(&mut length[node & (BUCKETS - 1)]);
            node = node * 2 + usize::from(bit);
        }
        let bits = (node - BUCKETS) as u32;
        if bits > 64 {
            return Err(ChunkError::Limit("bits of a number"));
        }
        self.class = Self::class_after(bits);
        if bits == 0 {
            return coder.check().map(|()| 0);
        }
        let below = bits - 1;
        let fine = below.min(FINE.trailing_zeros());
        let mut node = 1;
        let mut folded = 1_u64;
        let odds = &mut self.fine[bits as usize];
        for _ in 0..fine {
            let bit = coder.bit(&mut odds[node & (FINE - 1)]);
            node = node * 2 + usize::from(bit);
            folded = (folded << 1) | u64::from(bit);
        }
        let rest = below - fine;
        folded = (folded << rest) | coder.even(rest);
        coder.check().map(|()| unfold(folded))
    }
}

/// Zigzag: small numbers of either sign become small numbers.
pub(super) const fn fold(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`fold`].
pub(super) const fn unfold(folded: u64) -> i64 {
    (folded >> 1) as i64 ^ -((folded & 1) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(values in prop::collection::vec(prop_oneof![any::<i64>(), -40_i64..40, Just(0)], 0..300)) {
            let mut coder = Encoder::new();
            let mut model = Number::new();
            values.iter().for_each(|v| model.write(&mut coder, *v));
            let bytes = coder.finish();
            let mut coder = Decoder::new(&bytes);
            let mut model = Number::new();
            for value in values {
                prop_assert_eq!(model.read(&mut coder).expect("whole"), value);
            }
        }

        #[test]
        fn garbage_ends(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut coder = Decoder::new(&bytes);
            let mut model = Number::new();
            let read = std::iter::from_fn(|| model.read(&mut coder).ok()).take(1_000_000).count();
            prop_assert!(read < 100_000, "a short input must not make a long output");
        }
    }

    #[test]
    fn what_never_changes_costs_next_to_nothing() {
        let mut coder = Encoder::new();
        let mut model = Number::new();
        (0..1024).for_each(|_| model.write(&mut coder, 0));
        assert!(coder.finish().len() < 40);
    }
}
