//! Where and when a path runs through one zone: stretches cut to the span that the revision governs.

use geofence::{Interval, Point};
use model::Timestamp;

use crate::link::Link;
use crate::zones::Ground;

/// One stretch of a path inside a zone while it governs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stretch {
    /// Which part of the path.
    pub(crate) part: Interval,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    /// It starts at a fix, or at a boundary of the span after a fix inside: an exact instant.
    pub(crate) start_exact: bool,
    /// It ends at a fix, or at a boundary of the span before a fix inside.
    pub(crate) end_exact: bool,
    /// The path ends inside, at a fix that the revision governs.
    pub(crate) reaches_end: bool,
}

impl Stretch {
    /// It enters and leaves between the two fixes.
    pub(crate) fn is_crossing(&self) -> bool {
        self.part.t_in > 0.0 && self.part.t_out < 1.0
    }

    pub(crate) fn middle(&self, link: &Link) -> Point {
        link.at(self.part.t_in + 0.5 * self.part.share())
    }
}

/// The stretches of the path within the span, in order. A touch of no duration is kept only at an end of the path.
pub(crate) fn cut(ground: &Ground, link: &Link, inside: &[Interval]) -> Vec<Stretch> {
    inside.iter().filter_map(|part| cut_one(ground, link, *part)).collect()
}

fn cut_one(ground: &Ground, link: &Link, whole: Interval) -> Option<Stretch> {
    let (start, end) = (link.instant(whole.t_in), link.instant(whole.t_out));
    if start >= ground.to || end < ground.from {
        return None;
    }
    let mut stretch = Stretch {
        part: whole,
        start,
        end,
        start_exact: whole.t_in == 0.0,
        end_exact: whole.t_out == 1.0,
        reaches_end: whole.t_out == 1.0 && end < ground.to,
    };
    // Only a path that takes time has a boundary strictly within it.
    let t_of = |instant: Timestamp| instant.since_us(link.a.time) as f64 / link.gap_us() as f64;
    if start < ground.from {
        stretch.start = ground.from;
        stretch.part.t_in = t_of(ground.from).clamp(whole.t_in, whole.t_out);
    }
    if end >= ground.to {
        stretch.end = ground.to;
        stretch.part.t_out = t_of(ground.to).clamp(whole.t_in, whole.t_out);
    }
    let at_an_end = stretch.reaches_end || whole.t_out == 0.0;
    (stretch.start < stretch.end || at_an_end || link.gap_us() == 0).then_some(stretch)
}
