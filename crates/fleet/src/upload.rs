//! A message cut into parts (分包, JT/T 808-2019 4.4.3): each part is a frame with a serial of its own and an answer of its
//! own. Knows no socket and no clock.

use std::sync::Arc;
use std::time::Duration;

use jt808::{Header, MAX_BODY, Message, Packet, encode_frame};

use crate::identity::Identity;
use crate::options::Late;
use crate::outbox::{Kept, Sending};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Flying,
    Acknowledged,
}

/// A message in parts that is on its way, with the fixes that it carries.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) fixes: Vec<Kept>,
    first_serial: u16,
    began_us: u64,
    parts: Vec<(Arc<[u8]>, State)>,
}

impl Upload {
    /// Cuts a message that does not fit one frame; `None` when it does. The parts have `first_serial` and those after it.
    pub(crate) fn cut(
        identity: &Identity,
        late: Late,
        message: &Message,
        first_serial: u16,
        now_us: u64,
    ) -> Option<Self> {
        let mut body = Vec::new();
        message.encode_body(identity.edition, &mut body).expect("our own messages fit their layouts");
        if body.len() <= MAX_BODY {
            return None;
        }
        let pieces = body.chunks(late.part_bytes());
        let total = pieces.len() as u16;
        let part = |(at, piece): (usize, &[u8])| {
            let serial = first_serial.wrapping_add(at as u16);
            let mut header = Header::new(message.id(), identity.edition, identity.wire_phone(), serial);
            header.packet = Some(Packet { total, number: at as u16 + 1 });
            let mut frame = Vec::new();
            encode_frame(&header, piece, &mut frame).expect("a part fits a frame");
            (frame.into(), State::Waiting)
        };
        let parts = pieces.enumerate().map(part).collect();
        Some(Self { fixes: Vec::new(), first_serial, began_us: now_us, parts })
    }

    /// Takes the fixes that the message was made of.
    pub(crate) fn carry(&mut self, mut fixes: Vec<Kept>) {
        let sending = Sending { serial: self.first_serial, via: 0x0704, at_us: self.began_us };
        fixes.iter_mut().for_each(|kept| kept.sending = Some(sending));
        self.fixes = fixes;
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    pub(crate) fn first_serial(&self) -> u16 {
        self.first_serial
    }

    /// The next part that waits: which (from 0), its serial, its frame.
    pub(crate) fn take_off(&mut self) -> Option<(usize, u16, Arc<[u8]>)> {
        let at = self.parts.iter().position(|(_, state)| *state == State::Waiting)?;
        let (frame, state) = self.parts.get_mut(at)?;
        *state = State::Flying;
        Some((at, self.first_serial.wrapping_add(at as u16), frame.clone()))
    }

    pub(crate) fn acknowledge(&mut self, part: usize) {
        if let Some((_, state)) = self.parts.get_mut(part) {
            *state = State::Acknowledged;
        }
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.parts.iter().all(|(_, state)| *state == State::Acknowledged)
    }

    /// The connection is gone: what was on its way waits again.
    pub(crate) fn land(&mut self) {
        self.parts
            .iter_mut()
            .filter(|(_, state)| *state == State::Flying)
            .for_each(|(_, state)| *state = State::Waiting);
    }

    /// Whether a platform can still be expected to keep the parts that it has acknowledged.
    pub(crate) fn may_resume(&self, within: Duration, now_us: u64) -> bool {
        now_us.saturating_sub(self.began_us) < within.as_micros() as u64
    }

    /// The frame of a part that went out before, by its number from 1.
    pub(crate) fn sent(&self, number: u16) -> Option<&[u8]> {
        let (frame, state) = self.parts.get(usize::from(number).checked_sub(1)?)?;
        (*state != State::Waiting).then_some(frame)
    }
}
