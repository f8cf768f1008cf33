//! Strangers (未知终端): who spoke without being admitted, folded from the journal. Rows carry absolute values and the
//! envelope that they were last changed at, so that reading the journal again counts nothing twice.

use std::collections::{BTreeMap, BTreeSet};

use journal::Record;
use model::{TerminalId, Timestamp};
use store::Stranger;

use crate::decode::claim;

/// More strangers than this are not listed (their frames are in the journal all the same).
const STRANGERS_MAX: usize = 10_000;

#[derive(Default)]
pub(crate) struct Strangers {
    rows: BTreeMap<TerminalId, Stranger>,
}

impl Strangers {
    pub(crate) fn load(&mut self, rows: impl IntoIterator<Item = Stranger>) {
        self.rows.extend(rows.into_iter().map(|row| (row.terminal, row)));
    }

    /// Takes in the stranger frames of one envelope; returns the rows that changed.
    pub(crate) fn take(&mut self, seq: u64, records: &[(TerminalId, &Record)]) -> Vec<Stranger> {
        let mut changed = BTreeSet::new();
        for (terminal, record) in records {
            if !self.rows.contains_key(terminal) {
                self.make_room();
            }
            let row = self.rows.entry(*terminal).or_insert_with(|| unseen(*terminal, record.received));
            if row.seq >= seq && !changed.contains(terminal) {
                continue;
            }
            row.seq = seq;
            row.frames += 1;
            row.last_seen = record.received;
            row.peer.clone_from(&record.peer);
            let claimed = claim(&record.raw);
            if claimed != crate::decode::Claim::default() {
                row.plate = claimed.plate;
                row.maker = claimed.maker;
                row.model = claimed.model;
                row.device = claimed.device;
            }
            changed.insert(*terminal);
        }
        changed.iter().filter_map(|terminal| self.rows.get(terminal).cloned()).collect()
    }

    /// Forgets the one that was silent longest; its row stays in the store.
    fn make_room(&mut self) {
        if self.rows.len() < STRANGERS_MAX {
            return;
        }
        let oldest = self.rows.values().min_by_key(|row| row.last_seen).map(|row| row.terminal);
        if let Some(oldest) = oldest {
            self.rows.remove(&oldest);
        }
    }
}

const fn unseen(terminal: TerminalId, first_seen: Timestamp) -> Stranger {
    Stranger {
        terminal,
        plate: None,
        maker: String::new(),
        model: String::new(),
        device: String::new(),
        peer: String::new(),
        first_seen,
        last_seen: first_seen,
        frames: 0,
        seq: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use journal::Kind;

    #[test]
    fn an_envelope_counts_once() {
        let terminal = TerminalId::from_wire(&[1]);
        let record = Record { kind: Kind::Stranger, peer: "127.0.0.1:1".into(), ..Record::tick(Timestamp(5)) };
        let mut strangers = Strangers::default();
        let rows = strangers.take(7, &[(terminal, &record), (terminal, &record)]);
        assert_eq!((rows.len(), rows[0].frames, rows[0].seq), (1, 2, 7));
        assert!(strangers.take(7, &[(terminal, &record)]).is_empty(), "read again");
        let mut later = Strangers::default();
        later.load(rows);
        assert_eq!(later.take(8, &[(terminal, &record)])[0].frames, 3);
    }
}
