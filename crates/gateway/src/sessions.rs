//! The terminals for which one connection speaks, each in a place that stays its own until it is closed and answered.
//! Usually there is one; a forwarder has thousands.

use std::collections::BTreeMap;

use jt808::Header;
use model::TerminalId;

use crate::asking::Asking;

/// So many are looked through; more get an index.
const LOOKED_THROUGH: usize = 8;

/// Our serial and their unanswered frames.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    next_serial: u16,
    pub(crate) unanswered: u32,
}

impl Tally {
    /// The serial of the next frame that we send (消息流水号: each direction counts for itself, from 0, and wraps).
    pub(crate) fn serial(&mut self) -> u16 {
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        serial
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Vacant,
    Open,
    /// Only waits for its last answers.
    Closed,
}

pub(crate) struct Session {
    pub(crate) terminal: TerminalId,
    /// Which binding in the table of all gateways' terminals this is.
    pub(crate) generation: u64,
    /// The last good header: the dialect in which commands are sent.
    pub(crate) dialect: Header,
    pub(crate) tally: Tally,
    /// Whether a forwarding platform speaks for it.
    pub(crate) is_forwarded: bool,
    /// Long messages of which packets are missing.
    pub(crate) asking: Option<Box<Asking>>,
    place: Place,
}

impl Session {
    pub(crate) fn is_open(&self) -> bool {
        self.place == Place::Open
    }
}

/// The sessions of one connection.
#[derive(Default)]
pub(crate) struct Sessions {
    places: Vec<Session>,
    /// Where each terminal's is; empty while there are few.
    index: BTreeMap<TerminalId, u32>,
    /// The place that was found last: frames of one terminal come together.
    last: u32,
    open: usize,
    vacant: usize,
}

impl Sessions {
    /// How many are open.
    pub(crate) fn open_count(&self) -> usize {
        self.open
    }

    /// How many there are, with those that wait for their last answers.
    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.vacant
    }

    pub(crate) fn get_mut(&mut self, place: u32) -> Option<&mut Session> {
        self.places.get_mut(place as usize)
    }

    /// Where the terminal's is, open or closed.
    pub(crate) fn find(&mut self, terminal: TerminalId) -> Option<u32> {
        let is_it = |session: &Session| session.terminal == terminal && session.place != Place::Vacant;
        if self.places.get(self.last as usize).is_some_and(is_it) {
            return Some(self.last);
        }
        let found = if self.places.len() <= LOOKED_THROUGH {
            self.places.iter().position(is_it).map(|at| at as u32)
        } else {
            self.index.get(&terminal).copied()
        };
        self.last = found.unwrap_or(self.last);
        found
    }

    /// Where the terminal's open one is.
    pub(crate) fn find_open(&mut self, terminal: TerminalId) -> Option<u32> {
        self.find(terminal).filter(|place| self.places.get(*place as usize).is_some_and(Session::is_open))
    }

    /// Opens one for a terminal, or goes on with the one that it has. Returns whether it is new.
    pub(crate) fn open(&mut self, terminal: TerminalId, generation: u64, dialect: Header) -> bool {
        if let Some(session) = self.find(terminal).and_then(|place| self.places.get_mut(place as usize)) {
            let is_new = !session.is_open();
            session.generation = generation;
            session.dialect = dialect;
            session.is_forwarded = false;
            if is_new {
                session.place = Place::Open;
                session.tally.next_serial = 0;
                self.open += 1;
            }
            return is_new;
        }
        self.open += 1;
        let session = Session {
            terminal,
            generation,
            dialect,
            tally: Tally::default(),
            is_forwarded: false,
            asking: None,
            place: Place::Open,
        };
        let vacant = self.places.iter().position(|session| session.place == Place::Vacant).filter(|_| self.vacant > 0);
        match vacant.and_then(|at| self.places.get_mut(at).map(|place| (at, place))) {
            Some((at, place)) => {
                *place = session;
                self.vacant -= 1;
                self.index_place(terminal, at);
            }
            None => {
                if self.places.is_empty() {
                    // Nearly every connection speaks for one terminal.
                    self.places.reserve_exact(1);
                }
                self.places.push(session);
                self.index_place(terminal, self.places.len() - 1);
            }
        }
        true
    }

    fn index_place(&mut self, terminal: TerminalId, at: usize) {
        if self.places.len() == LOOKED_THROUGH + 1 && self.index.is_empty() {
            let taken = self.places.iter().enumerate().filter(|(_, session)| session.place != Place::Vacant);
            self.index = taken.map(|(at, session)| (session.terminal, at as u32)).collect();
        } else if self.places.len() > LOOKED_THROUGH {
            self.index.insert(terminal, at as u32);
        }
    }

    /// Closes one. Its place is free when its last frame is answered.
    pub(crate) fn close(&mut self, place: u32) {
        let Some(session) = self.places.get_mut(place as usize).filter(|session| session.is_open()) else { return };
        session.place = Place::Closed;
        self.open -= 1;
        self.vacate_if_done(place);
    }

    /// Frees the place of one that is closed and answered.
    pub(crate) fn vacate_if_done(&mut self, place: u32) {
        let Some(session) = self.places.get_mut(place as usize) else { return };
        if session.place != Place::Closed || session.tally.unanswered > 0 {
            return;
        }
        session.place = Place::Vacant;
        session.asking = None;
        self.vacant += 1;
        self.index.remove(&session.terminal);
        if self.vacant == self.places.len() {
            *self = Self::default();
        }
    }

    /// The most unanswered frames that any of them has. Looks at all.
    pub(crate) fn most_unanswered(&self) -> u32 {
        self.places.iter().map(|session| session.tally.unanswered).max().unwrap_or(0)
    }

    /// What the open ones ask for.
    pub(crate) fn iter_asking(&self) -> impl Iterator<Item = &Asking> {
        self.iter_open().filter_map(|session| session.asking.as_deref())
    }

    /// All of them.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.places.iter_mut()
    }

    /// The open ones.
    pub(crate) fn iter_open(&self) -> impl Iterator<Item = &Session> {
        self.places.iter().filter(|session| session.is_open())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jt808::{Edition, Phone};

    fn terminal(n: u16) -> TerminalId {
        TerminalId::from_wire(&n.to_be_bytes())
    }

    fn header() -> Header {
        Header::new(0, Edition::V2013, Phone::from_digits("1", Edition::V2013).expect("digits"), 0)
    }

    #[test]
    fn places_are_found_kept_while_unanswered_and_used_again() {
        for count in [1, 8, 9, 300] {
            let mut sessions = Sessions::default();
            for n in 0..count {
                assert!(sessions.open(terminal(n), u64::from(n), header()));
                assert!(!sessions.open(terminal(n), u64::from(n), header()), "goes on");
            }
            for n in 0..count {
                let place = sessions.find_open(terminal(n)).expect("open");
                let session = sessions.get_mut(place).expect("there");
                assert_eq!((session.terminal, session.generation), (terminal(n), u64::from(n)));
                session.tally.unanswered = u32::from(n % 2);
                sessions.close(place);
                assert_eq!(sessions.find_open(terminal(n)), None);
                assert_eq!(sessions.find(terminal(n)), (n % 2 == 1).then_some(place), "{n} of {count}");
            }
            assert_eq!((sessions.open_count(), sessions.len()), (0, usize::from(count / 2)));
            for n in (1..count).step_by(2) {
                let place = sessions.find(terminal(n)).expect("waits");
                sessions.get_mut(place).expect("there").tally.unanswered = 0;
                // A place that is taken again by its terminal stays where it is.
                assert!(sessions.open(terminal(n), 7, header()));
                assert_eq!(sessions.find_open(terminal(n)), Some(place));
                sessions.close(place);
            }
            assert_eq!((sessions.len(), sessions.places.capacity(), sessions.index.len()), (0, 0, 0));
        }
    }

    #[test]
    fn vacant_places_are_filled_first() {
        let mut sessions = Sessions::default();
        for n in 0..20 {
            sessions.open(terminal(n), 0, header());
        }
        for n in 5..15 {
            let place = sessions.find(terminal(n)).expect("open");
            sessions.close(place);
        }
        for n in 100..110 {
            sessions.open(terminal(n), 0, header());
        }
        assert_eq!((sessions.places.len(), sessions.open_count(), sessions.index.len()), (20, 20, 20));
        for n in (0..5).chain(15..20).chain(100..110) {
            assert!(sessions.find_open(terminal(n)).is_some(), "{n}");
        }
    }
}
