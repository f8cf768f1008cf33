//! What judging again makes of the facts that stand: kept, revised, void, new; and who takes whose place.

use std::collections::{BTreeMap, BTreeSet};

use model::{CarrierId, Fact, FactId, Standing, Timestamp, VehicleId};
use rules::State;
use store::{CaseState, FactRow};

/// What is compared.
pub(crate) struct Compared<'a> {
    pub(crate) vehicle: VehicleId,
    pub(crate) carrier: Option<CarrierId>,
    /// Envelope as of which it was judged again.
    pub(crate) as_of: u64,
    /// When that envelope was received.
    pub(crate) received: Timestamp,
    /// The state that judging began with.
    pub(crate) start: &'a State,
    /// The stored state that was met; `None` when it went on to the end.
    pub(crate) met: Option<&'a State>,
    /// What was found: stated while judging, or open at the start.
    pub(crate) found: &'a BTreeMap<FactId, Fact>,
    /// The facts that were found before, of at least that window.
    pub(crate) before: &'a BTreeMap<FactId, FactRow>,
}

impl Compared<'_> {
    /// The rows that change.
    pub(crate) fn rows(&self) -> Vec<FactRow> {
        let mut voided: Vec<FactRow> = self.gone().into_iter().map(|row| self.void(row)).collect();
        let mut rows = Vec::new();
        for fact in self.found.values() {
            match self.before.get(&fact.id) {
                Some(row) if self.is_decided_later(row) => {}
                Some(row) if row.fact.standing == fact.standing && is_same(&row.fact, fact) => {}
                Some(row) => rows.push(self.revise(row, fact)),
                None => rows.push(self.raise(fact, &voided)),
            }
        }
        rows.append(&mut voided);
        rows
    }

    /// Facts that stood and are not found any more.
    fn gone(&self) -> Vec<&FactRow> {
        let at_start: BTreeSet<FactId> = self.start.open_facts(self.vehicle).map(|(id, _)| id).collect();
        let stood = self.before.values().filter(|row| row.fact.standing != Standing::Void);
        let in_window = stood.filter(|row| {
            at_start.contains(&row.fact.id) || row.fact.started_at >= self.start.begins_from(row.fact.kind)
        });
        in_window.filter(|row| !self.found.contains_key(&row.fact.id) && !self.is_decided_later(row)).collect()
    }

    /// Whether what the fact is follows from the state that was met, which was the same before.
    fn is_decided_later(&self, row: &FactRow) -> bool {
        let Some(met) = self.met else { return false };
        let open = met.open_facts(self.vehicle).find(|(id, _)| *id == row.fact.id);
        match open {
            Some((_, is_stated)) => !is_stated || row.fact.ended_at.is_some(),
            None => row.fact.started_at >= met.begins_from(row.fact.kind) && !self.found.contains_key(&row.fact.id),
        }
    }

    fn void(&self, row: &FactRow) -> FactRow {
        let fact = Fact { revision: row.fact.revision + 1, standing: Standing::Void, ..row.fact.clone() };
        let successor = self
            .found
            .values()
            .filter(|found| (found.kind, found.zone) == (fact.kind, fact.zone))
            .filter_map(|found| Some((overlap_us(&fact, found)?, found)))
            .max_by_key(|(overlap, found)| (*overlap, std::cmp::Reverse((found.started_at, found.id))));
        let superseded_by = successor.map(|(_, found)| found.id);
        FactRow { fact, superseded_by, as_of: self.as_of, changed: self.as_of, ..*row }
    }

    fn revise(&self, row: &FactRow, fact: &Fact) -> FactRow {
        let detected_late = fact.detected_late || row.fact.detected_late;
        let fact = Fact { revision: row.fact.revision + 1, detected_late, ..fact.clone() };
        self.row(fact, row.case_state, row.raised_at)
    }

    /// A new fact takes over the case of the one that it replaces for the longest.
    fn raise(&self, fact: &Fact, voided: &[FactRow]) -> FactRow {
        let replaced = voided.iter().filter(|row| row.superseded_by == Some(fact.id));
        let heir_of = replaced.max_by_key(|row| (overlap_us(&row.fact, fact), std::cmp::Reverse(row.fact.id)));
        let (state, since) = heir_of.map_or((CaseState::Raised, self.received), |row| (row.case_state, row.raised_at));
        self.row(fact.clone(), state, since)
    }

    const fn row(&self, fact: Fact, case_state: CaseState, raised_at: Timestamp) -> FactRow {
        let (carrier, as_of) = (self.carrier, self.as_of);
        FactRow { fact, carrier, changed: as_of, case_state, as_of, superseded_by: None, raised_at }
    }
}

/// Whether they say the same: the evidence may be other records of the same reports.
fn is_same(a: &Fact, b: &Fact) -> bool {
    (a.started_at, a.ended_at, a.confidence, a.measures, a.rule_revision)
        == (b.started_at, b.ended_at, b.confidence, b.measures, b.rule_revision)
}

/// For how long both last; `None` when they do not meet.
fn overlap_us(a: &Fact, b: &Fact) -> Option<i64> {
    let end = |fact: &Fact| fact.ended_at.unwrap_or(Timestamp::MAX);
    let overlap = end(a).min(end(b)).since_us(a.started_at.max(b.started_at));
    (overlap >= 0).then_some(overlap)
}
