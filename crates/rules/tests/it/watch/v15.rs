//! V15: power off while driving, and not for less than a minute, nor where it is parked.

use super::{at, said};

#[test]
fn power_is_off_while_it_drives() {
    let path = |words: &[u32], kmh| -> Vec<_> {
        (0..).zip(words).map(|(n, word)| at((n * 30, 0, i32::from(kmh) * 75 * n as i32, kmh, *word))).collect()
    };
    let off = 1 << 8;
    assert_eq!(said(&path(&[0, off, off, off, off, 0], 60)), ["V15 30..150", "alarm-08 30..150"]);
    assert_eq!(said(&path(&[0, off, off, off], 60)), ["V15 30..open", "alarm-08 30..open"]);
    assert_eq!(said(&path(&[0, off, off, 0, 0, 0], 60)), ["alarm-08 30..90"], "too short");
    assert_eq!(said(&path(&[0, off, off, off, off, 0], 0)), ["alarm-08 30..150"], "the main breaker, in the evening");
}
