//! The rules that hang on the vehicle alone: what the terminal says by its alarm word, and what follows from when and how
//! it drives, stands and is silent. One module a rule; a spell is what is under way.

mod alarms;
mod spell;
mod v01;
mod v04;
mod v12;
mod v13;
mod v14;
mod v15;
mod v25;

use model::{Confidence, Fact, FactId, FactKind, Fix, Registry, Threshold, Timestamp, VehicleId, ZoneId};

use crate::fact::fact_id;
use crate::judge::Context;
use crate::link::Seen;
use crate::state::State;

pub(crate) use spell::Spell;

/// A rule over the fixes of a vehicle.
pub struct Rule {
    /// The kind of its facts; of alarm bits that are facts themselves [`FactKind::ALARMS`].
    pub kind: FactKind,
    /// How grave it is, 1 to 3 (domain reference 7.2); 0 for what is no violation. The most, where it has bands.
    pub level: u8,
    /// What it asks, in words.
    pub definition: &'static str,
    step: fn(&Beat<'_>, &mut Watch, &mut Vec<Fact>),
}

/// Every rule, in the order in which the facts of one fix are stated.
pub const RULES: &[Rule] = &[
    alarms::RULE,
    alarms::V24,
    v15::RULE,
    v04::RULE,
    v04::NIGHT,
    v14::RULE,
    v13::RULE,
    v12::RULE,
    v25::RULE,
    v01::RULE,
];

/// How grave a fact is that hangs on the vehicle alone, 1 to 3, in its band; `None` for other facts.
#[must_use]
pub fn level(registry: &Registry, fact: &Fact) -> Option<u8> {
    let rule = RULES.iter().find(|rule| rule.kind == fact.kind && rule.level > 0)?;
    Some(if rule.kind == FactKind::V01 { v01::level(registry, fact) } else { rule.level })
}

/// Kinds of facts that silence makes: while nothing is heard, they may be under way.
const OF_SILENCE: [FactKind; 2] = [FactKind::V12, FactKind::V13];

/// The row of a threshold, found while compiling.
macro_rules! row {
    ($key:literal) => {
        const { ::model::Threshold::of($key) }
    };
}
use row;

/// Whether facts of that kind hang on the vehicle alone.
pub(crate) fn watches(kind: FactKind) -> bool {
    kind.alarm_bit().is_some() || RULES.iter().any(|rule| rule.kind == kind)
}

/// One fix with what came before it.
pub(crate) struct Beat<'a> {
    pub(crate) ctx: &'a Context<'a>,
    pub(crate) seen: &'a Seen,
    /// The alarm word.
    pub(crate) alarm: u32,
    /// When the fix before was heard, on the path or not.
    pub(crate) heard: Option<Timestamp>,
    /// The fix before on the path; at rest at the mean place.
    pub(crate) last: Option<&'a Seen>,
    /// The fix before, but for fixes near a rest.
    pub(crate) latest: Option<&'a Seen>,
}

impl Beat<'_> {
    /// Whether a bit of the alarm word is set.
    pub(crate) const fn alarms(&self, bit: u8) -> bool {
        self.alarm >> bit & 1 == 1
    }

    /// A threshold as it was set when the fix was taken.
    pub(crate) fn threshold(&self, row: &'static Threshold) -> i64 {
        self.ctx.registry.records().threshold_of(row, self.seen.time)
    }

    /// One in seconds, as microseconds.
    pub(crate) fn seconds(&self, row: &'static Threshold) -> i64 {
        self.threshold(row) * 1_000_000
    }

    /// One in minutes, as microseconds.
    pub(crate) fn minutes(&self, row: &'static Threshold) -> i64 {
        self.threshold(row) * 60_000_000
    }

    /// Whether it stood before this fix.
    pub(crate) fn rested(&self) -> bool {
        self.latest.is_some_and(Seen::rests)
    }
}

/// What is under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watch {
    /// By kind, each once.
    pub(crate) spells: Vec<Spell>,
}

impl Watch {
    pub(crate) fn get(&mut self, kind: FactKind) -> Option<&mut Spell> {
        self.spells.iter_mut().find(|spell| spell.kind == kind)
    }

    /// Something begins; nothing of its kind is under way.
    pub(crate) fn begin(&mut self, spell: Spell) {
        let place = self.spells.partition_point(|other| other.kind < spell.kind);
        self.spells.insert(place, spell);
    }

    pub(crate) fn end(&mut self, kind: FactKind) -> Option<Spell> {
        let place = self.spells.iter().position(|spell| spell.kind == kind)?;
        Some(self.spells.remove(place))
    }

    /// It is no more the case since then.
    pub(crate) fn finish(&mut self, kind: FactKind, beat: &Beat<'_>, ended_at: Timestamp, facts: &mut Vec<Fact>) {
        if let Some(mut spell) = self.end(kind).filter(|spell| spell.stated) {
            spell.touch(beat);
            spell.state(beat, Some(ended_at), facts);
        }
    }

    /// When the first of what is under way began.
    pub(crate) fn since(&self) -> Timestamp {
        self.spells.iter().map(|spell| spell.started_at).min().unwrap_or(Timestamp::MAX)
    }

    /// The facts that what is under way can make, silence after the last fix included, and whether each was stated.
    pub(crate) fn open_facts(&self, vehicle: VehicleId, heard: Timestamp) -> impl Iterator<Item = (FactId, bool)> {
        let id = move |kind, at| fact_id(kind, vehicle, ZoneId::NONE, 0, at);
        let silence =
            OF_SILENCE.into_iter().filter(move |_| heard > Timestamp::MIN).map(move |kind| (id(kind, heard), false));
        self.spells.iter().map(move |spell| (id(spell.kind, spell.started_at), spell.stated)).chain(silence)
    }

    /// Whether nothing was stated that lasts.
    pub(crate) fn is_idle(&self) -> bool {
        !self.spells.iter().any(|spell| spell.stated)
    }

    /// Whether judging can have made it.
    pub(crate) fn is_possible(&self) -> bool {
        self.spells.is_sorted_by(|a, b| a.kind < b.kind) && self.spells.iter().all(|spell| watches(spell.kind))
    }
}

/// Holds a fix against every rule, before the path goes on to it.
pub(crate) fn step(ctx: &Context<'_>, state: &mut State, fix: &Fix, seen: &Seen, facts: &mut Vec<Fact>) {
    let mut watch = std::mem::take(&mut state.watch);
    let heard = Some(state.judged_to()).filter(|heard| *heard > Timestamp::MIN);
    let (last, latest) = (state.last.as_ref(), state.aside.as_ref().or(state.last.as_ref()));
    let beat = Beat { ctx, seen, alarm: fix.alarm, heard, last, latest };
    RULES.iter().for_each(|rule| (rule.step)(&beat, &mut watch, facts));
    state.watch = watch;
}
