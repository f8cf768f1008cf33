//! The last few reports of a vehicle, to recognise one that comes again at once: a retransmission after a lost answer,
//! or a batch that repeats live reports. What comes again later is found when the track is packed, compacted or read,
//! so that forgetting (eviction, a restart) costs room for a while and changes no view.

use std::hash::{BuildHasher, Hasher, RandomState};

use model::Fix;

/// How many are remembered.
const RECENT: usize = 16;

/// The newest [`RECENT`] reports as hashes over identity: terminal, base with the time in it, items.
#[derive(Default)]
pub(crate) struct Recent {
    hashes: [u64; RECENT],
    next: u8,
}

/// Makes the hashes. The key is drawn anew in each process, so nobody can make two reports that are taken for one.
#[derive(Clone, Default)]
pub(crate) struct Fingerprint(RandomState);

impl Fingerprint {
    fn of(&self, fix: &Fix) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write_u128(fix.terminal.value());
        hasher.write(&fix.base());
        hasher.write(&fix.items);
        // 0 is an empty place.
        hasher.finish().max(1)
    }
}

impl Recent {
    /// Whether this very report was here a moment ago; remembers it otherwise. `is_first` says that it is taken in any
    /// case: because nothing as young was here, or because it may lie before the one that is remembered. The track
    /// keeps the earliest in the journal, so only what lies after its like may be passed over.
    pub(crate) fn is_repeated(&mut self, fingerprint: &Fingerprint, fix: &Fix, is_first: bool) -> bool {
        let hash = fingerprint.of(fix);
        if !is_first && !crate::dedupe_is_off() && self.hashes.contains(&hash) {
            return true;
        }
        if let Some(place) = self.hashes.get_mut(usize::from(self.next)) {
            *place = hash;
        }
        self.next = (self.next + 1) % RECENT as u8;
        false
    }
}
