//! A stay in one revision of a zone, from the entry until the exit is confirmed: tally, confidence, evidence.

use geofence::Point;
use model::{Confidence, Fact, Measures, RecordRef, Timestamp, ZoneId};

use crate::bout::Bout;
use crate::limits;
use crate::link::{Break, Link, Seen, rounded};
use crate::passage::Stretch;
use crate::rest::Rest;
use crate::zones::Ground;

/// A place, 1e-7 degree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) lon_e7: i32,
    pub(crate) lat_e7: i32,
}

impl From<Point> for Place {
    fn from(p: Point) -> Self {
        Self { lon_e7: rounded(p.lon * 1e7) as i32, lat_e7: rounded(p.lat * 1e7) as i32 }
    }
}

/// An exit, confirmed or not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) at: Timestamp,
    pub(crate) confidence: u16,
    /// How far `at` may be off, milliseconds.
    pub(crate) error_ms: u32,
}

/// The first and the last records of a growing list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    pub(crate) first: Vec<RecordRef>,
    pub(crate) last: Vec<RecordRef>,
}

impl Evidence {
    /// How many of the first, and of the last, are kept.
    pub(crate) const HALF: usize = Fact::EVIDENCE_MAX / 2;

    pub(crate) fn push(&mut self, record: RecordRef) {
        if self.last.last().or(self.first.last()) == Some(&record) {
            return;
        }
        if self.first.len() < Self::HALF {
            self.first.push(record);
            return;
        }
        if self.last.len() == Self::HALF {
            self.last.remove(0);
        }
        self.last.push(record);
    }

    /// Whether pushing can have made it.
    pub(crate) fn is_possible(&self) -> bool {
        let filled = self.first.len() == Self::HALF || self.last.is_empty();
        filled && self.first.len() <= Self::HALF && self.last.len() <= Self::HALF
    }

    pub(crate) fn all(&self) -> Vec<RecordRef> {
        self.first.iter().chain(&self.last).copied().collect()
    }
}

/// What is known of a stay so far. Integers only: it is stored, and must be the same on every machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stay {
    pub(crate) zone: ZoneId,
    pub(crate) revision: u32,
    pub(crate) started_at: Timestamp,
    pub(crate) start: Place,
    /// Where it was last inside, or went out.
    pub(crate) end: Place,
    /// Of the entry instant, per mille.
    pub(crate) entry_confidence: u16,
    /// How far `started_at` may be off, milliseconds.
    pub(crate) start_error_ms: u32,
    /// Upper bound of the stay's confidence, per mille.
    pub(crate) ceiling: u16,
    pub(crate) fixes_inside: u32,
    /// Fixes inside with nothing odd about them, nor about the way to them; counted up to 2.
    pub(crate) sound_fixes: u32,
    pub(crate) length_cm: u64,
    pub(crate) speed_max_dkmh: u32,
    pub(crate) depth_max_cm: u32,
    /// A fix inside was too deep for drift, or too deep for noise while driving.
    pub(crate) deep: bool,
    /// A crossing between two fixes that is sure: near in time, or along the axis of a corridor for most of the way.
    pub(crate) crossed: bool,
    /// Fixes inside while driving, counted up to 2.
    pub(crate) driven: u32,
    /// It stood inside, by more than the mean of the rest may be off.
    pub(crate) rested: bool,
    /// Way along a corridor's axis since it last turned about, forwards and backwards, on links that can be trusted.
    pub(crate) ahead_cm: u64,
    pub(crate) back_cm: u64,
    /// The most that they were.
    pub(crate) ahead_max_cm: u64,
    pub(crate) back_max_cm: u64,
    /// Way across a corridor's axis, to the left positive, on the same links.
    pub(crate) across_cm: i64,
    /// The least and the most that it was.
    pub(crate) across_min_cm: i64,
    pub(crate) across_max_cm: i64,
    /// The way out, until it is confirmed.
    pub(crate) left: Option<Exit>,
    /// The visit was stated.
    pub(crate) stated: bool,
    /// Where the rules of the zone bind, by number of the rule; each at most one.
    pub(crate) bouts: Vec<Bout>,
    /// Up to when the rules of the zone were held against it.
    pub(crate) bound_to: Timestamp,
    pub(crate) evidence: Evidence,
    /// It rests on a fix that came late.
    pub(crate) late: bool,
}

impl Stay {
    /// A stay that begins with a stretch of a path.
    pub(crate) fn entered(ground: &Ground, link: &Link, stretch: &Stretch) -> Self {
        let entry_confidence = if stretch.start_exact { link.ceiling } else { link.confidence };
        let exact = stretch.start == ground.from;
        let error_ms = if exact { 0 } else { link.error_ms(stretch.part.t_in, |p| ground.shape.depth_m(p)) };
        Self::begun(ground, stretch.start, link.at(stretch.part.t_in), entry_confidence, error_ms)
    }

    /// A stay of who stands inside, as turns out after it stopped there.
    pub(crate) fn stopped(ground: &Ground, link: &Link, rest: &Rest) -> Self {
        let error_ms = if ground.from > rest.since { 0 } else { rest.error_ms() };
        Self::begun(ground, rest.since.max(ground.from), link.b.point(), link.ceiling, error_ms)
    }

    /// A stay that begins at a fix, because nothing is known from before.
    pub(crate) fn found(ground: &Ground, seen: &Seen, after: Break, error_ms: u32) -> Self {
        let sound = if seen.swapped { limits::CONFIDENCE_LOW } else { Confidence::FULL.0 };
        let mut stay = Self::begun(ground, seen.time, seen.point(), after.entry_confidence().min(sound), error_ms);
        stay.ceiling = after.ceiling_after();
        // Without a link there is no implied speed to hold a wild speed field against.
        let believed_dkmh = if seen.speed_off { 0 } else { u32::from(seen.speed_dkmh) };
        stay.fix_inside(ground, seen, None, believed_dkmh, !seen.swapped);
        stay
    }

    fn begun(ground: &Ground, started_at: Timestamp, start: Point, entry_confidence: u16, start_error_ms: u32) -> Self {
        let (zone, revision) = ground.key();
        let start = Place::from(start);
        Self {
            zone,
            revision,
            started_at,
            start,
            end: start,
            entry_confidence,
            start_error_ms,
            ceiling: Confidence::FULL.0,
            bound_to: Timestamp::MIN,
            ..Self::default()
        }
    }

    pub(crate) fn key(&self) -> (ZoneId, u32) {
        (self.zone, self.revision)
    }

    /// Takes in what a path does in the zone: at least one stretch.
    pub(crate) fn travel(&mut self, ground: &Ground, link: &Link, rest: Option<&Rest>, stretches: &[Stretch]) {
        self.left = None;
        self.late |= link.a.late || link.b.late;
        self.evidence.push(link.a.source);
        for stretch in stretches {
            self.add_stretch(ground, link, stretch);
        }
        let Some(last) = stretches.last() else { return };
        if last.reaches_end {
            let speed_dkmh = u32::from(link.b.speed_dkmh);
            let believed = if link.b.speed_off { speed_dkmh.min(link.speed_dkmh()) } else { speed_dkmh };
            // Two reports of one instant bear each other out no more than one does.
            let same_instant = link.gap_us() == 0 && last.part.t_in == 0.0;
            let counted = (self.fixes_inside, self.sound_fixes, self.driven);
            self.fix_inside(ground, &link.b, rest, believed, link.ceiling > limits::CONFIDENCE_LOW);
            if same_instant {
                (self.fixes_inside, self.sound_fixes, self.driven) = counted;
            }
        } else {
            let confidence = if last.end_exact { link.ceiling } else { link.confidence };
            let exact = last.end == ground.to;
            let error_ms = if exact { 0 } else { link.error_ms(last.part.t_out, |p| ground.shape.depth_m(p)) };
            self.left = Some(Exit { at: last.end, confidence, error_ms });
            self.end = Place::from(link.at(last.part.t_out));
            self.evidence.push(link.b.source);
        }
        if self.fixes_inside == 0 {
            self.speed_max_dkmh = self.speed_max_dkmh.max(link.speed_dkmh());
        }
    }

    fn add_stretch(&mut self, ground: &Ground, link: &Link, stretch: &Stretch) {
        let link_m = link.length_m();
        let length_cm = rounded(link_m * stretch.part.share() * 100.0);
        self.length_cm = self.length_cm.saturating_add(length_cm.unsigned_abs());
        let confident = link.confidence >= limits::CROSSING_CONFIDENT_MIN;
        let driving = link_m * 36e6 >= f64::from(limits::DRIVING_DKMH) * link.gap_us() as f64;
        if stretch.is_crossing() || driving {
            let depth_m = ground.shape.depth_m(stretch.middle(link));
            self.deepen(depth_m);
            self.crossed |= confident && depth_m >= ground.crossing_m;
        }
        let along = || {
            link.legs()
                .enumerate()
                .filter_map(|(leg, (a, b))| ground.shape.along(a, b, link.part_in_leg(leg, stretch.part)?))
        };
        // Without fixes for minutes, as in a tunnel: a path that keeps to the axis for most of its way is no accident.
        let progress_m: f64 = along().map(|along| along.progress_m).sum();
        let keeps_to_axis = link.is_plausible()
            && stretch.part.share() >= limits::V06_AXIS_SHARE
            && progress_m.abs() >= limits::V06_AXIS_SHARE * link_m;
        self.crossed |= keeps_to_axis && stretch.is_crossing();
        if confident || keeps_to_axis || stretch.start_exact && stretch.end_exact {
            along()
                .for_each(|along| self.run_along(rounded(along.progress_m * 100.0), rounded(along.across_m() * 100.0)));
        }
    }

    /// How far apart across a corridor's axis it was. Who crosses, turns about and crosses back within one stay has gone as
    /// far as who crosses once.
    pub(crate) fn across_cm(&self) -> u64 {
        self.across_max_cm.abs_diff(self.across_min_cm)
    }

    fn run_along(&mut self, progress_cm: i64, across_cm: i64) {
        self.across_cm = self.across_cm.saturating_add(across_cm);
        self.across_min_cm = self.across_min_cm.min(self.across_cm);
        self.across_max_cm = self.across_max_cm.max(self.across_cm);
        self.ahead_cm = self.ahead_cm.saturating_add_signed(progress_cm);
        self.back_cm = self.back_cm.saturating_add_signed(progress_cm.saturating_neg());
        self.ahead_max_cm = self.ahead_max_cm.max(self.ahead_cm);
        self.back_max_cm = self.back_max_cm.max(self.back_cm);
    }

    fn fix_inside(&mut self, ground: &Ground, seen: &Seen, rest: Option<&Rest>, speed_dkmh: u32, sound: bool) {
        if self.fixes_inside == 0 {
            self.speed_max_dkmh = 0;
        }
        let depth_m = ground.shape.depth_m(seen.point());
        self.late |= seen.late;
        self.fixes_inside = self.fixes_inside.saturating_add(1);
        if sound {
            self.sound_fixes = (self.sound_fixes + 1).min(2);
        }
        self.speed_max_dkmh = self.speed_max_dkmh.max(speed_dkmh);
        match rest {
            Some(rest) => self.rested |= depth_m >= rest.margin_m().min(ground.deep_m),
            None => {
                self.deep |= depth_m > ground.deep_m;
                if seen.speed_dkmh >= limits::DRIVING_DKMH {
                    self.driven = (self.driven + 1).min(2);
                    // Who drives does not drift: it says no less than a way between two fixes whose middle is as deep.
                    self.deep |= sound && depth_m >= ground.crossing_m;
                }
            }
        }
        self.deepen(depth_m);
        self.end = Place::from(seen.point());
        self.evidence.push(seen.source);
    }

    fn deepen(&mut self, depth_m: f64) {
        self.depth_max_cm = self.depth_max_cm.max(rounded(depth_m.max(0.0) * 100.0) as u32);
    }

    /// A gap too long to vouch for what happened in it, with the stay going on.
    pub(crate) fn span_gap(&mut self) {
        self.ceiling = self.ceiling.min(limits::CONFIDENCE_GAP);
    }

    /// A fix outside, with nothing of the path to it inside.
    pub(crate) fn fix_outside(&mut self, seen: &Seen) {
        self.late |= seen.late;
        self.evidence.push(seen.source);
    }

    /// As sure as the vaguer of entry and exit; fixes inside, or a sure crossing, bear it out whatever
    /// those are.
    pub(crate) fn confidence(&self) -> Confidence {
        let instants = self.left.map_or(self.entry_confidence, |exit| exit.confidence.min(self.entry_confidence));
        let seen = match self.sound_fixes {
            0 if !self.crossed => 0,
            0 | 1 => limits::CONFIDENCE_SEEN_ONCE,
            _ => limits::CONFIDENCE_SEEN,
        };
        Confidence(instants.max(seen).min(self.ceiling))
    }

    pub(crate) fn measures(&self) -> Measures {
        Measures {
            fixes_inside: self.fixes_inside,
            length_m: u32::try_from(self.length_cm.saturating_add(50) / 100).unwrap_or(u32::MAX),
            speed_max_dkmh: self.speed_max_dkmh,
            start_lon_e7: self.start.lon_e7,
            start_lat_e7: self.start.lat_e7,
            end_lon_e7: self.end.lon_e7,
            end_lat_e7: self.end.lat_e7,
            depth_max_m: self.depth_max_cm.saturating_add(50) / 100,
            start_error_ms: self.start_error_ms,
            end_error_ms: self.left.map_or(0, |exit| exit.error_ms),
        }
    }
}
