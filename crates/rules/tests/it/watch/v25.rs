//! V25: what may be an accident, and what only looks like one.

use model::Fix;

use super::{at, said};

fn v25(fixes: &[Fix]) -> Vec<String> {
    said(fixes).into_iter().filter(|line| line.starts_with("V25")).collect()
}

#[test]
fn a_bit_and_then_it_stands() {
    let path = |words: [(u32, u16); 4]| -> Vec<Fix> {
        let mut north = 0;
        let rows = (0..).zip(words).map(|(n, (word, kmh))| {
            north += i32::from(kmh) * 25;
            at((n * 10, 0, north, kmh, word))
        });
        rows.collect()
    };
    let bit = 1 << 29;
    assert_eq!(v25(&path([(0, 60), (bit, 40), (bit, 0), (bit, 0)])), ["V25 10..open"]);
    assert_eq!(v25(&path([(0, 60), (bit, 40), (bit, 0), (0, 60)])), ["V25 10..30"]);
    assert!(v25(&path([(0, 60), (bit, 60), (0, 60), (0, 0)])).is_empty(), "a warning");
    assert!(v25(&path([(0, 0), (bit, 0), (bit, 0), (0, 0)])).is_empty(), "somebody bumped into a parked truck");
}

#[test]
fn a_hard_stop_and_then_silence() {
    let path = |brake_s: i64, silent_s: i64, north: i32| -> Vec<Fix> {
        let stop = 30 + brake_s;
        [(0, 0, 60), (30, 4500, 60), (stop, 4600, 0), (stop + silent_s, 4600 + north, 0)]
            .map(|(s, n, kmh)| at((s, 0, n, kmh, 0)))
            .to_vec()
    };
    assert_eq!(v25(&path(3, 300, 0)), ["V25 33..open"]);
    assert!(v25(&path(10, 300, 0)).is_empty(), "it braked");
    assert!(v25(&path(3, 60, 0)).is_empty(), "it is heard");
    assert!(v25(&path(3, 300, 9000)).is_empty(), "it drove on");
}
