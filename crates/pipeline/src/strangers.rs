//! Strangers (未知终端): who spoke without being admitted, folded from the journal. Rows carry absolute values and the
//! envelope that they were last changed at, so that reading the journal again counts nothing twice.

use std::collections::{BTreeMap, BTreeSet};

use journal::Record;
use model::{TerminalId, Timestamp};
use store::Stranger;

use crate::decode::claim;

/// More strangers than this are not listed (their frames are in the journal all the same).
pub(crate) const STRANGERS_MAX: usize = 10_000;

#[derive(Default)]
pub(crate) struct Strangers {
    rows: BTreeMap<TerminalId, Stranger>,
    /// Who was silent longest comes first.
    silent: BTreeSet<(Timestamp, TerminalId)>,
}

impl Strangers {
    pub(crate) fn load(&mut self, rows: impl IntoIterator<Item = Stranger>) {
        for row in rows {
            self.silent.insert((row.last_seen, row.terminal));
            self.rows.insert(row.terminal, row);
        }
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
            self.silent.remove(&(row.last_seen, *terminal));
            row.last_seen = record.received;
            self.silent.insert((row.last_seen, *terminal));
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
        if self.rows.len() >= STRANGERS_MAX
            && let Some((_, longest)) = self.silent.pop_first()
        {
            self.rows.remove(&longest);
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
    fn who_was_silent_longest_makes_room() {
        let mut strangers = Strangers::default();
        let terminal = |number: usize| TerminalId::from_wire(&(number as u32).to_be_bytes());
        for number in 0..STRANGERS_MAX + 5 {
            let at = if number == 0 { 1 } else { number as i64 };
            let record = Record { kind: Kind::Stranger, ..Record::tick(Timestamp(at)) };
            strangers.take(number as u64 + 1, &[(terminal(number), &record), (terminal(0), &record)]);
        }
        assert_eq!((strangers.rows.len(), strangers.silent.len()), (STRANGERS_MAX, STRANGERS_MAX));
        assert!(strangers.rows.contains_key(&terminal(0)) && !strangers.rows.contains_key(&terminal(1)));
    }

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
