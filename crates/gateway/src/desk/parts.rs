//! How a desk asks for packets that did not arrive (0x8003 补传分包请求).

use jt808::Piece;

use super::{Desk, Serving};
use crate::asking::{self, Asking};
use crate::handle::NEVER_MS;

/// What this may take for all terminals of one connection, bytes, before no new one is taken up.
const ASKING_BYTES_MAX: usize = 256 * 1024;

impl Desk {
    /// Takes note of a part of a long message, so that the others can be asked for.
    pub(super) fn note_part(&mut self, place: u32, piece: &Piece<'_>, to: &Serving<'_>) {
        let is_full = self.asking_bytes as usize >= ASKING_BYTES_MAX;
        let Some(session) = self.sessions.get_mut(place) else { return };
        if session.asking.is_none() && is_full {
            return;
        }
        let before = session.asking.as_ref().map_or(0, |asking| asking.bytes());
        let asking = session.asking.get_or_insert_with(|| Box::new(Asking::new(to.shared.asking.clone())));
        if asking.note(&piece.frame, to.burst.read_us as i64) {
            to.shared.metrics.asking_left_alone.inc();
        }
        self.asking_bytes = (self.asking_bytes as usize + asking.bytes()).saturating_sub(before) as u32;
    }

    /// When a terminal is to be asked for missing packets, ms since the gateway began.
    pub(crate) fn ask_due_ms(&self) -> u64 {
        if self.asking_bytes == 0 {
            return NEVER_MS;
        }
        let due_us = self.sessions.iter_asking().filter_map(Asking::due_us).min();
        due_us.and_then(|us| u64::try_from(us).ok()).map_or(NEVER_MS, |us| us / 1_000)
    }

    /// Encodes the requests for missing packets that are due, if all that came is answered. They follow from what is
    /// journalled, and are not journalled themselves.
    pub(crate) fn ask(&mut self, now_us: u64, out: &mut Vec<u8>) {
        if self.asking_bytes == 0 || self.unanswered > 0 {
            return;
        }
        let mut bytes = 0;
        for session in self.sessions.iter_mut() {
            let Some(asking) = session.asking.as_mut() else { continue };
            let missing = asking.ask(now_us as i64);
            if asking.is_idle() {
                session.asking = None;
            } else {
                bytes += asking.bytes();
            }
            if session.is_open() {
                let (dialect, tally) = (&session.dialect, &mut session.tally);
                missing.iter().for_each(|missing| asking::write(missing, dialect, tally.serial(), out));
            }
        }
        self.asking_bytes = bytes as u32;
    }
}
