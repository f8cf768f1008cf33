//! The bars of the judgement on a few scenes of each family, from seeds of their own: precision, recall, instants and
//! their bounds, nights; never how fast.

use judge::family::FAMILIES;
use judge::score::Score;
use judge::{Scores, judge};
use model::FactKind;

/// Apart from the seeds that thresholds were chosen on, and from those that are reported.
const FIRST: u64 = 2_000_000;

fn scores(name: &str, count: u64) -> Scores {
    let family = FAMILIES.iter().find(|family| family.name == name).expect("a family of that name");
    judge(family, FIRST, count)
}

fn of(scores: &Scores, kind: FactKind) -> &Score {
    scores.rules.get(&kind).expect("every kind is scored")
}

/// What can be told from the reports is told, and nothing else.
#[test]
fn visits_and_violations_are_found() {
    // (family, least precision of all claims, also of what cannot be told). Bridges are 20 to 36 m wide, and under half
    // of them a truck passes aslant, or turns about: whether it was on one cannot always be told.
    for (family, precision) in [
        ("steady", 0.98),
        ("expressway", 0.98),
        ("mountain", 0.98),
        ("hairpins", 0.98),
        ("town", 0.97),
        ("bridges", 0.94),
        ("poor", 0.97),
    ] {
        let scores = scores(family, 120);
        for kind in [FactKind::VISIT, FactKind::V06] {
            let score = of(&scores, kind);
            let figures = (score.recall(true), score.precision(false), score.precision(true));
            let good = figures.0 >= 0.98 && figures.1 >= precision && figures.2 >= 0.98;
            let clear: Vec<&str> =
                score.cases.iter().map(String::as_str).filter(|case| case.contains("clear")).collect();
            assert!(good, "{family} {kind}: {figures:?}\n{}", clear.join("\n"));
        }
    }
}

#[test]
fn instants_hold_their_bounds() {
    for family in ["steady", "expressway", "mountain", "hairpins", "town", "bridges", "poor"] {
        let scores = scores(family, 15);
        let visits = of(&scores, FactKind::VISIT);
        assert!(visits.bounds_true() >= 0.95, "{family}: {}", visits.bounds_true());
    }
    let steady = scores("steady", 15);
    assert!(of(&steady, FactKind::VISIT).within_a_second(|instant| instant.steady) >= 0.98);
}

#[test]
fn parked_trucks_cause_nothing() {
    let (outside, inside) = (scores("night-outside", 60), scores("night-inside", 60));
    let made_up = |scores: &Scores| of(scores, FactKind::VISIT).made_up[0];
    assert_eq!(made_up(&outside), 0, "{:?}", of(&outside, FactKind::VISIT).cases);
    assert_eq!(of(&outside, FactKind::V06).made_up[0], 0, "{:?}", of(&outside, FactKind::V06).cases);
    assert_eq!(made_up(&inside), 0, "{:?}", of(&inside, FactKind::VISIT).cases);
    assert!(of(&inside, FactKind::VISIT).recall(false) >= 0.99);
    assert!(outside.naive[&FactKind::VISIT].made_up[0] + inside.naive[&FactKind::VISIT].made_up[0] >= 20);
}
