//! Randomness without state: every draw is a pure function of (seed, vehicle, purpose, counter), so that a truck is
//! the same truck whatever else the process does. Not for secrets.

/// What a draw is for; keeps the streams of one vehicle apart.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Trip = 1,
    Start,
    Driver,
    Dwell,
    Noise,
    Items,
    Alarm,
    Edition,
    Coverage,
    Drop,
    Backoff,
    Phase,
    Garbage,
}

/// The source of all draws of one vehicle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(u64);

/// The finaliser of SplitMix64: a bijection in which every input bit reaches every output bit.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Seed {
    /// The draws of vehicle `index` of the fleet `seed`.
    pub(crate) const fn of_vehicle(seed: u64, index: u32) -> Self {
        Self(mix(mix(seed.wrapping_add(GOLDEN)) ^ (index as u64).wrapping_mul(GOLDEN)))
    }

    /// 64 random bits, the `counter`-th of that purpose.
    pub(crate) const fn bits(self, purpose: Purpose, counter: u64) -> u64 {
        mix(self.0 ^ mix((purpose as u64) << 56 ^ counter).wrapping_add(GOLDEN))
    }

    /// Uniform in `0.0..1.0`.
    pub(crate) fn unit(self, purpose: Purpose, counter: u64) -> f64 {
        (self.bits(purpose, counter) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `low..high`.
    pub(crate) fn between(self, purpose: Purpose, counter: u64, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit(purpose, counter)
    }

    /// Two numbers, near enough to normal with mean 0 and deviation 1 (each the sum of four 16-bit uniforms;
    /// bounded by 3.46, which a receiver's filter would cut as well).
    pub(crate) fn normal_pair(self, purpose: Purpose, counter: u64) -> (f64, f64) {
        let one = |bits: u64| {
            let sum: u64 = (0..4).map(|i| (bits >> (16 * i)) & 0xffff).sum();
            (sum as f64 / 65_535.0 - 2.0) * 3f64.sqrt()
        };
        (one(self.bits(purpose, 2 * counter)), one(self.bits(purpose, 2 * counter + 1)))
    }

    /// An index below `weights.sum()`, drawn by weight; `None` when all weights are zero.
    pub(crate) fn weighted(
        self,
        purpose: Purpose,
        counter: u64,
        weights: impl Iterator<Item = u32> + Clone,
    ) -> Option<usize> {
        let total: u64 = weights.clone().map(u64::from).sum();
        let mut left = self.bits(purpose, counter).checked_rem(total)?;
        for (index, weight) in weights.enumerate() {
            match left.checked_sub(u64::from(weight)) {
                Some(rest) => left = rest,
                None => return Some(index),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_repeatable_and_differ() {
        let (a, b) = (Seed::of_vehicle(1, 7), Seed::of_vehicle(1, 8));
        assert_eq!(a.bits(Purpose::Trip, 3), Seed::of_vehicle(1, 7).bits(Purpose::Trip, 3));
        assert_ne!(a.bits(Purpose::Trip, 3), b.bits(Purpose::Trip, 3));
        assert_ne!(a.bits(Purpose::Trip, 3), a.bits(Purpose::Trip, 4));
        assert_ne!(a.bits(Purpose::Trip, 3), a.bits(Purpose::Start, 3));
    }

    #[test]
    fn normals_have_mean_0_and_deviation_1() {
        let seed = Seed::of_vehicle(5, 5);
        let (mut sum, mut squares) = (0.0, 0.0);
        for counter in 0..20_000 {
            let (x, y) = seed.normal_pair(Purpose::Noise, counter);
            sum += x + y;
            squares += x * x + y * y;
        }
        assert!((sum / 40_000.0).abs() < 0.02, "{sum}");
        assert!((squares / 40_000.0 - 1.0).abs() < 0.03, "{squares}");
    }

    #[test]
    fn weights_are_honoured() {
        let seed = Seed::of_vehicle(2, 2);
        let mut counts = [0; 3];
        for counter in 0..6_000 {
            counts[seed.weighted(Purpose::Trip, counter, [1, 0, 2].into_iter()).expect("weights")] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((1_800..2_200).contains(&counts[0]), "{counts:?}");
        assert_eq!(seed.weighted(Purpose::Trip, 0, [0, 0].into_iter()), None);
    }
}
