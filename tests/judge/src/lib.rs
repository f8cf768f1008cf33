//! Is the judgement right? Scenes with a known truth, the rules and a naive method over what a terminal would report of
//! them, and how both did; not how fast.

pub mod area;
pub mod chance;
pub mod family;
pub mod found;
pub mod plane;
pub mod road;
pub mod scene;
pub mod score;
pub mod table;
pub mod terminal;
pub mod truth;

use std::collections::BTreeMap;

use model::FactKind;

use family::Family;
use scene::Scene;
use score::{Score, score};

/// First seed of what is reported and tested; thresholds were chosen on seeds from 1 on.
pub const HOLD_OUT: u64 = 1_000_000;

/// How the rules did, and the naive method.
#[derive(Default)]
pub struct Scores {
    /// The rules.
    pub rules: BTreeMap<FactKind, Score>,
    /// Point in polygon at the fixes.
    pub naive: BTreeMap<FactKind, Score>,
}

/// Judges the scenes of a family under `count` seeds from `first` on.
pub fn judge(family: &Family, first: u64, count: u64) -> Scores {
    let mut scores = Scores::default();
    for seed in first..first + count {
        let scene = Scene::of(family, seed);
        let label = format!("{} {seed}", family.name);
        let sides = [
            (&mut scores.rules, found::by_rules(&scene), &label),
            (&mut scores.naive, found::by_points(&scene), &label),
        ];
        for (into, found, label) in sides {
            for (kind, one) in score(&scene, &found, label) {
                into.entry(kind).or_default().add(one);
            }
        }
    }
    scores
}
