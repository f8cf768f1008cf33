//! Where and when a path runs through one zone: stretches cut to the span that the revision governs.

use geofence::{Interval, Point};
use model::Timestamp;

use crate::link::Link;
use crate::zones::{Ground, Zones};

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

/// What the path meets, by zone and revision, with its stretches inside: leg by leg, joined where legs meet.
pub(crate) fn met<'a>(zones: &'a Zones, link: &Link) -> Vec<(&'a Ground, Vec<Stretch>)> {
    let mut parts: Vec<(&Ground, Interval)> = Vec::new();
    for (leg, (a, b)) in link.legs().enumerate() {
        zones.touching(a, b, |ground, inside| {
            parts.extend(inside.iter().map(|part| (ground, link.part_of_leg(leg, *part))));
        });
    }
    // Stable: within a zone the parts stay in the order of the path.
    parts.sort_by_key(|(ground, _)| ground.key());
    let same = |a: &(&Ground, Interval), b: &(&Ground, Interval)| a.0.key() == b.0.key();
    let passages = parts.chunk_by(same).filter_map(|parts| {
        let ground = parts.first()?.0;
        let stretches = cut(ground, link, &joined(parts));
        (!stretches.is_empty()).then_some((ground, stretches))
    });
    passages.collect()
}

/// Parts that end and begin at one place are one; a touch where two legs meet is none.
fn joined(parts: &[(&Ground, Interval)]) -> Vec<Interval> {
    let mut whole: Vec<Interval> = Vec::with_capacity(parts.len());
    for (_, part) in parts {
        match whole.last_mut() {
            Some(last) if part.t_in <= last.t_out => last.t_out = last.t_out.max(part.t_out),
            _ => whole.push(*part),
        }
    }
    whole.retain(|part| part.t_in < part.t_out || part.t_in == 0.0 || part.t_out == 1.0);
    whole
}

/// The stretches of the path within the span, in order. A touch of no duration is kept only at an end of the path.
fn cut(ground: &Ground, link: &Link, inside: &[Interval]) -> Vec<Stretch> {
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
