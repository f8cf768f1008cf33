//! V14: three drift points on one day.

use model::Fix;

use super::{drive, said};

fn with_jumps(jumps: &[usize], e6: i32) -> Vec<Fix> {
    let mut fixes = drive(0, 1800, 30, 60, 0);
    jumps.iter().for_each(|n| fixes[*n].lon_wire = (fixes[*n].lon_wire as i32 + e6) as u32);
    fixes
}

#[test]
fn three_points_a_day_are_drift() {
    assert_eq!(said(&with_jumps(&[10, 20, 30], 90_000)), ["V14 300..open"]);
    assert!(said(&with_jumps(&[10, 20], 90_000)).is_empty());
    assert!(said(&with_jumps(&[10, 20, 30], 3_000)).is_empty(), "300 m");
    let mut fixes = with_jumps(&[10, 20, 30], 90_000);
    fixes.push(super::at((86_400, 0, 270_000, 0, 0)));
    assert!(said(&fixes).contains(&"V14 300..900".to_owned()), "{:?}", said(&fixes));
}
