//! One track out of many pieces: what came twice is one fix, what says the same moment is one judged fix.

use model::Fix;

use crate::{Source, StoreError, TrackFix, sabotage};

/// Sorts fixes into track order and keeps of equal ones the earliest in the journal.
pub(crate) fn collapse(fixes: &mut Vec<Fix>) {
    fixes.sort_unstable_by(Fix::track_order);
    if !sabotage::keeps_duplicates() {
        fixes.dedup_by(|later, first| later.identity_order(first).is_eq());
    }
}

fn same_moment(a: &Fix, b: &Fix) -> bool {
    a.time == b.time && a.base() == b.base()
}

/// Judged fixes out of collapsed ones.
pub(crate) fn judged(fixes: Vec<Fix>) -> Vec<TrackFix> {
    let mut track: Vec<TrackFix> = Vec::with_capacity(fixes.len());
    for fix in fixes {
        let source = Source { source: fix.source, terminal: fix.terminal, received: fix.received };
        match track.last_mut() {
            Some(last) if same_moment(&last.fix, &fix) && !sabotage::keeps_duplicates() => {
                last.sources.push(source);
                if fix.items.len() > last.fix.items.len() {
                    last.fix = fix;
                }
            }
            _ => track.push(TrackFix { fix, sources: vec![source] }),
        }
    }
    track.iter_mut().for_each(|t| t.sources.sort_unstable());
    track
}

/// Gathers fixes for one answer, and gives up as soon as it is certain that there are too many.
pub(crate) struct Gather {
    fixes: Vec<Fix>,
    limit: usize,
    /// Looks again when there are more than this.
    patience: usize,
}

impl Gather {
    pub(crate) fn new(fixes: Vec<Fix>, limit: usize) -> Self {
        Self { fixes, limit, patience: limit.saturating_mul(2) }
    }

    pub(crate) fn add(&mut self, fixes: impl Iterator<Item = Fix>) -> Result<(), StoreError> {
        self.fixes.extend(fixes);
        if self.fixes.len() > self.patience {
            self.look()?;
            self.patience = self.fixes.len().saturating_mul(2).max(self.limit.saturating_mul(2));
        }
        Ok(())
    }

    fn look(&mut self) -> Result<(), StoreError> {
        collapse(&mut self.fixes);
        let moments = self.fixes.windows(2).filter(|w| !matches!(w, [a, b] if same_moment(a, b))).count();
        let moments = moments + usize::from(!self.fixes.is_empty());
        if moments > self.limit { Err(StoreError::TooMany { limit: self.limit }) } else { Ok(()) }
    }

    /// Every report once, in track order.
    pub(crate) fn reports(mut self) -> Vec<Fix> {
        collapse(&mut self.fixes);
        self.fixes
    }

    pub(crate) fn finish(mut self) -> Result<Vec<TrackFix>, StoreError> {
        self.look()?;
        Ok(judged(self.fixes))
    }
}
