//! Chance out of a seed: ranges, coins and bells; the same on every machine.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// From, to.
pub type Span = (f64, f64);

/// A source of chance.
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// The chance of one scene: different for every family and seed.
    pub fn of(family: &str, seed: u64) -> Self {
        let name = family
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(ChaCha8Rng::seed_from_u64(name ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// Somewhere in the span, evenly.
    pub fn within(&mut self, (from, to): Span) -> f64 {
        if from < to { self.0.random_range(from..to) } else { from }
    }

    /// Whether something of that probability happens.
    pub fn coin(&mut self, probability: f64) -> bool {
        self.0.random_range(0.0..1.0) < probability
    }

    /// Plus or minus one.
    pub fn sign(&mut self) -> f64 {
        if self.coin(0.5) { 1.0 } else { -1.0 }
    }

    /// One of the items.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.0.random_range(0..items.len())]
    }

    /// A normal deviate of mean 0 and deviation 1: by the central limit, twelve even ones.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.0.random_range(0.0..1.0)).sum::<f64>() - 6.0
    }
}
