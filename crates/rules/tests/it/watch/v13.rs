//! V13: silent, and heard again elsewhere.

use model::Fix;

use super::{at, said};

fn v13(fixes: &[Fix]) -> Vec<String> {
    said(fixes).into_iter().filter(|line| line.starts_with("V13")).collect()
}

#[test]
fn a_vehicle_is_found_elsewhere_after_a_silence() {
    let path = |gap_s: i64, north: i32, on: i32| {
        let found = (60 + gap_s, 0, 9000 + north);
        let after = (90 + gap_s, 0, 9000 + north + on);
        [(0, 0, 4500), (60, 0, 9000), found, after].map(|(s, e, n)| at((s, e, n, 60, 0)))
    };
    assert_eq!(v13(&path(900, 54_000, 4500)), ["V13 60..960"], "6 km");
    assert!(v13(&path(900, 54_000, 4500)[..3]).is_empty(), "the next fix tells");
    assert!(v13(&path(900, 40_000, 4500)).is_empty(), "4.4 km");
    assert!(v13(&path(500, 54_000, 4500)).is_empty(), "too short");
    assert!(v13(&path(900, 54_000, -54_000)).is_empty(), "an outlier");
    assert!(v13(&path(900, 900_000, 4500)).is_empty(), "nobody is there by then");
}
