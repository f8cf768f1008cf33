//! A spell: something that has begun at a fix and lasts, and may be a fact or become one.

use super::{Beat, Confidence, Fact, FactKind, Timestamp, ZoneId, fact_id};
use geofence::Point;
use model::{Measures, RecordRef, Standing};

use crate::limits;
use crate::stay::Place;

/// What is known of a spell. Integers only: it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spell {
    pub(crate) kind: FactKind,
    pub(crate) started_at: Timestamp,
    pub(crate) start: Place,
    /// Where it was last the case.
    pub(crate) end: Place,
    /// An instant that the rule needs.
    pub(crate) mark: Option<Timestamp>,
    /// Fixes, or what the rule counts.
    pub(crate) count: u32,
    pub(crate) speed_max_dkmh: u32,
    pub(crate) length_m: u32,
    pub(crate) stated: bool,
    pub(crate) late: bool,
    pub(crate) first: RecordRef,
    pub(crate) last: RecordRef,
}

impl Spell {
    /// One that begins at a fix.
    pub(crate) fn begun(kind: FactKind, beat: &Beat<'_>) -> Self {
        let seen = beat.seen;
        let place = Place::from(seen.point());
        Self {
            kind,
            started_at: seen.time,
            start: place,
            end: place,
            mark: None,
            count: 1,
            speed_max_dkmh: seen.speed_dkmh.into(),
            length_m: 0,
            stated: false,
            late: seen.late,
            first: seen.source,
            last: seen.source,
        }
    }

    /// The fix is evidence of it.
    pub(crate) fn touch(&mut self, beat: &Beat<'_>) {
        self.last = beat.seen.source;
        self.late |= beat.seen.late;
    }

    /// It is the case at one more fix.
    pub(crate) fn go_on(&mut self, beat: &Beat<'_>) {
        self.touch(beat);
        self.end = Place::from(beat.seen.point());
        self.count = self.count.saturating_add(1);
        self.speed_max_dkmh = self.speed_max_dkmh.max(beat.seen.speed_dkmh.into());
    }

    /// States it as it stands; `ended_at` when it is over.
    pub(crate) fn state(&mut self, beat: &Beat<'_>, ended_at: Option<Timestamp>, facts: &mut Vec<Fact>) {
        self.stated = true;
        let mut evidence = vec![self.first, self.last];
        evidence.dedup();
        let swapped = beat.seen.swapped;
        facts.push(Fact {
            id: fact_id(self.kind, beat.ctx.vehicle, ZoneId::NONE, 0, self.started_at),
            revision: 1,
            kind: self.kind,
            vehicle: beat.ctx.vehicle,
            zone: ZoneId::NONE,
            zone_revision: 0,
            started_at: self.started_at,
            ended_at,
            confidence: if swapped { Confidence(limits::CONFIDENCE_LOW) } else { Confidence::FULL },
            detected_late: self.late,
            standing: Standing::Stands,
            rule_revision: beat.ctx.registry.rule_revision(),
            measures: Measures {
                fixes_inside: self.count,
                length_m: self.length_m,
                speed_max_dkmh: self.speed_max_dkmh,
                start_lon_e7: self.start.lon_e7,
                start_lat_e7: self.start.lat_e7,
                end_lon_e7: self.end.lon_e7,
                end_lat_e7: self.end.lat_e7,
                depth_max_m: 0,
                start_error_ms: 0,
                end_error_ms: 0,
            },
            evidence,
        });
    }
}

impl Place {
    pub(crate) fn point(self) -> Point {
        Point::new(f64::from(self.lon_e7) / 1e7, f64::from(self.lat_e7) / 1e7)
    }
}
