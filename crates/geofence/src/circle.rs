//! A circle around the origin of its plane.

use crate::BOUNDARY_M;
use crate::interval::{Interval, Intervals};
use crate::plane::{Path, Xy};

pub(crate) fn contains(radius_m: f64, p: Xy) -> bool {
    p.norm() <= radius_m + BOUNDARY_M
}

pub(crate) fn depth_m(radius_m: f64, p: Xy) -> f64 {
    radius_m - p.norm()
}

pub(crate) fn clip(radius_m: f64, path: &Path) -> Intervals {
    chord(Xy::ORIGIN, radius_m + BOUNDARY_M, path).and_then(|(lo, hi)| Interval::clipped(lo, hi)).into_iter().collect()
}

/// Where the endless line through the path is within `radius_m` of `centre`.
///
/// Measured from the foot of the centre, not by the textbook quadratic: that one loses all digits when the path
/// starts far away.
pub(crate) fn chord(centre: Xy, radius_m: f64, path: &Path) -> Option<(f64, f64)> {
    let off_m = path.left_m(centre);
    let half2 = (radius_m - off_m) * (radius_m + off_m);
    if half2 < 0.0 {
        return None;
    }
    let (foot, half) = (path.foot(centre), half2.sqrt() / path.length_m());
    Some((foot - half, foot + half))
}
