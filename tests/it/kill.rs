//! Killed at random moments under load, nothing acknowledged is lost or doubled; and the saboteurs that break the
//! promise are seen.

use hazwatch_tests::crash::kill_rounds;

fn rounds() -> u32 {
    std::env::var("HAZWATCH_CRASH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5)
}

#[test]
fn kill_loop() {
    println!("{}", kill_rounds(rounds(), None).expect("every acknowledged position is there once"));
}

#[test]
fn kill_loop_sees_an_answer_before_the_commit() {
    let broken = kill_rounds(10, Some("answer-before-commit")).expect_err("the saboteur must be seen");
    assert!(broken.contains("lost"), "{broken}");
}

#[test]
fn kill_loop_sees_missing_deduplication() {
    let broken = kill_rounds(10, Some("dedupe-off")).expect_err("the saboteur must be seen");
    assert!(broken.contains("times") || broken.contains("replay"), "{broken}");
}
