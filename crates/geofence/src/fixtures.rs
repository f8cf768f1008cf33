//! What the tests of several modules share.

use proptest::test_runner::{Config, FileFailurePersistence, RngSeed};

/// The same cases every time, and no files beside the source.
pub(crate) fn config(seed: u64) -> Config {
    Config {
        cases: 512,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..Config::default()
    }
}
