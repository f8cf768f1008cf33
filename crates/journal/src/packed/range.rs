//! A binary arithmetic coder with adaptive odds: decisions of unequal odds in fractions of a bit. All arithmetic is
//! integer, so machines agree; `storage.md` has the numbers.

/// The odds of one binary decision.
#[derive(Clone, Copy)]
pub(super) struct Bit {
    /// Probability of a one, 1/65536.
    one: u16,
    count: u8,
}

/// After so many decisions a model stops slowing down.
const COUNT_MAX: u8 = 60;
/// How far the odds move with the n-th decision: 1/(n + 1.5), 1/65536.
const RATES: [u16; COUNT_MAX as usize + 1] = rates();

const fn rates() -> [u16; COUNT_MAX as usize + 1] {
    let mut rates = [0; COUNT_MAX as usize + 1];
    let mut n = 0;
    while n < rates.len() {
        rates[n] = (131_072 / (2 * n + 3)) as u16;
        n += 1;
    }
    rates
}

impl Bit {
    pub(super) const NEW: Self = Self { one: 1 << 15, count: 0 };

    #[inline]
    pub(super) fn learn(&mut self, bit: bool) {
        let rate = u32::from(RATES[usize::from(self.count.min(COUNT_MAX))]);
        let one = u32::from(self.one);
        let step = if bit { ((65_535 - one) * rate) >> 16 } else { (one * rate) >> 16 };
        self.one = if bit { one + step } else { one - step } as u16;
        self.count = (self.count + 1).min(COUNT_MAX);
    }

    /// What it costs to say `bit`, 1/256 of a bit, roughly.
    #[inline]
    pub(super) fn cost(self, bit: bool) -> u32 {
        let odds = if bit { self.one } else { 65_535 - self.one };
        u32::from(COSTS[usize::from(odds >> 8)])
    }
}

/// `-log2((i + 1/2) / 256)` in 1/256, by integer steps: the position of the highest bit and a linear rest.
const COSTS: [u16; 256] = costs();

const fn costs() -> [u16; 256] {
    let mut costs = [0; 256];
    let mut i = 0;
    while i < 256 {
        // Halves, so that 0 has a logarithm.
        let halves = 2 * i as u32 + 1;
        let log = 31 - halves.leading_zeros();
        let rest = ((halves << 8) >> log) - 256;
        costs[i] = (9 * 256 - (log * 256 + rest)) as u16;
        i += 1;
    }
    costs
}

/// Writes decisions.
pub(super) struct Encoder {
    low: u32,
    high: u32,
    out: Vec<u8>,
}

impl Encoder {
    pub(super) const fn new() -> Self {
        Self { low: 0, high: u32::MAX, out: Vec::new() }
    }

    #[inline]
    fn split(&mut self, one: u16, bit: bool) {
        let middle = middle(self.low, self.high, one);
        if bit {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
        while (self.low ^ self.high) >> 24 == 0 {
            self.out.push((self.high >> 24) as u8);
            self.low <<= 8;
            self.high = (self.high << 8) | 0xff;
        }
    }

    #[inline]
    pub(super) fn bit(&mut self, model: &mut Bit, bit: bool) {
        self.split(model.one, bit);
        model.learn(bit);
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.out.extend_from_slice(&self.low.to_be_bytes());
        self.out
    }
}

/// Somewhere strictly below `high`, so that both outcomes keep room.
#[inline]
fn middle(low: u32, high: u32, one: u16) -> u32 {
    let odds = u64::from(one.clamp(32, 65_503));
    low + ((u64::from(high - low) * odds) >> 16) as u32
}

/// Reads decisions. Behind the end it reads zeros: whoever asks must bound what it takes.
pub(super) struct Decoder<'a> {
    low: u32,
    high: u32,
    code: u32,
    input: &'a [u8],
    at: usize,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        let mut decoder = Self { low: 0, high: u32::MAX, code: 0, input, at: 0 };
        for _ in 0..4 {
            decoder.code = (decoder.code << 8) | decoder.byte();
        }
        decoder
    }

    #[inline]
    fn byte(&mut self) -> u32 {
        let byte = self.input.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        u32::from(byte)
    }

    #[inline]
    fn split(&mut self, one: u16) -> bool {
        let middle = middle(self.low, self.high, one);
        let bit = self.code <= middle;
        if bit {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
        while (self.low ^ self.high) >> 24 == 0 {
            self.low <<= 8;
            self.high = (self.high << 8) | 0xff;
            self.code = (self.code << 8) | self.byte();
        }
        bit
    }

    #[inline]
    pub(super) fn bit(&mut self, model: &mut Bit) -> bool {
        let bit = self.split(model.one);
        model.learn(bit);
        bit
    }

    /// Whether more was read than there is.
    pub(super) const fn is_exhausted(&self) -> bool {
        self.at > self.input.len() + 4
    }
}

/// A coder of either direction, so that writing and reading are one piece of code and cannot drift apart: `bit` takes
/// the value to write (ignored when reading) and gives back the value that counts.
pub(super) trait Coder {
    fn bit(&mut self, model: &mut Bit, bit: bool) -> bool;
    fn even(&mut self, bit: bool) -> bool;
}

impl Coder for Encoder {
    #[inline]
    fn bit(&mut self, model: &mut Bit, bit: bool) -> bool {
        Self::bit(self, model, bit);
        bit
    }

    #[inline]
    fn even(&mut self, bit: bool) -> bool {
        self.split(1 << 15, bit);
        bit
    }
}

impl Coder for Decoder<'_> {
    #[inline]
    fn bit(&mut self, model: &mut Bit, _bit: bool) -> bool {
        Self::bit(self, model)
    }

    #[inline]
    fn even(&mut self, _bit: bool) -> bool {
        self.split(1 << 15)
    }
}

/// A byte by a tree of decisions, its highest bit first.
pub(super) type Tree = [Bit; 256];

pub(super) const TREE: Tree = [Bit::NEW; 256];

#[inline]
pub(super) fn byte(coder: &mut impl Coder, tree: &mut Tree, value: u8) -> u8 {
    let mut node = 1;
    for i in (0..8).rev() {
        let bit = coder.bit(&mut tree[node & 0xff], (value >> i) & 1 == 1);
        node = node * 2 + usize::from(bit);
    }
    node as u8
}

/// Whole numbers of any size: how many bits, by how many the one before had; the three bits below the highest; the
/// rest at even odds.
pub(super) struct Number {
    length: [[Bit; 128]; 3],
    fine: Vec<[Bit; 8]>,
    class: usize,
}

impl Number {
    pub(super) fn new() -> Self {
        Self { length: [[Bit::NEW; 128]; 3], fine: vec![[Bit::NEW; 8]; 128], class: 0 }
    }

    pub(super) fn code(&mut self, coder: &mut impl Coder, value: u64) -> u64 {
        let bits = 64 - value.leading_zeros();
        let mut node = 1;
        for i in (0..7).rev() {
            let bit = coder.bit(&mut self.length[self.class][node & 127], (bits >> i) & 1 == 1);
            node = node * 2 + usize::from(bit);
        }
        let bits = (node as u32 - 128).min(64);
        self.class = if bits == 0 { 0 } else { 1 + usize::from(bits > 5) };
        let Some(below) = bits.checked_sub(1) else { return 0 };
        let mut result = 1_u64;
        let mut node = 1;
        for i in (0..below).rev() {
            let bit = (value >> i) & 1 == 1;
            let bit = if node < 8 { coder.bit(&mut self.fine[bits as usize][node], bit) } else { coder.even(bit) };
            node = node * 2 + usize::from(bit);
            node = if node > 15 { 8 } else { node };
            result = (result << 1) | u64::from(bit);
        }
        result
    }

    pub(super) fn signed(&mut self, coder: &mut impl Coder, value: i64) -> i64 {
        let folded = ((value << 1) ^ (value >> 63)) as u64;
        let folded = self.code(coder, folded);
        (folded >> 1) as i64 ^ -((folded & 1) as i64)
    }
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
            for value in &values {
                model.signed(&mut coder, *value);
            }
            let bytes = coder.finish();
            let mut coder = Decoder::new(&bytes);
            let mut model = Number::new();
            for value in values {
                prop_assert_eq!(model.signed(&mut coder, 0), value);
            }
            prop_assert!(!coder.is_exhausted());
        }

        #[test]
        fn bytes_come_back(values in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut coder = Encoder::new();
            let mut tree = TREE;
            for value in &values {
                byte(&mut coder, &mut tree, *value);
            }
            let bytes = coder.finish();
            let mut coder = Decoder::new(&bytes);
            let mut tree = TREE;
            for value in values {
                prop_assert_eq!(byte(&mut coder, &mut tree, 0), value);
            }
        }
    }

    #[test]
    fn what_never_changes_costs_next_to_nothing() {
        let mut coder = Encoder::new();
        let mut model = Number::new();
        for _ in 0..4_096 {
            model.code(&mut coder, 0);
        }
        assert!(coder.finish().len() < 64);
    }
}
