//! The terminal's side of the protocol: register, authenticate, report, repeat, store (JT/T 808-2019 4.5, 7). Bytes and
//! time are arguments: no socket, no clock. Microseconds count from the start of the run.
//!
//! Invariant: a fix that was taken is in the outbox or pending until an acknowledgement with result 0 delivers it.

use std::collections::VecDeque;

use jt808::{
    EncodeError, Frame, GeneralResponse, GeneralResult, Header, LocationQueryResponse, Message, RegisterResponse, Text,
    encode,
};

use crate::gnss::Fix;
use crate::identity::Identity;
use crate::options::Manners;
use crate::outbox::{Kept, Outbox, Sending};
use crate::stats::Stats;
use crate::wire::location_message;

/// The longest code (鉴权码) that fits 0x0102 of 2019, whose length is a byte.
const CODE_MAX: usize = 255;

/// An acknowledged fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) fix: Fix,
    pub(crate) sending: Sending,
}

/// What an event led to: bytes to write, fixes to enter in the ledger.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) wire: Vec<u8>,
    pub(crate) delivered: Vec<Delivered>,
}

/// Why the terminal wants its connection closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HangUp {
    /// A frame stayed unanswered through all repetitions.
    Unanswered,
    /// Registration or authentication was refused.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Offline,
    Registering,
    Authenticating,
    Online,
}

/// A frame that waits for its answer.
#[derive(Debug)]
struct Pending {
    id: u16,
    serial: u16,
    fixes: Vec<Kept>,
    frame: Box<[u8]>,
    sent_us: u64,
    due_us: u64,
    timeout_us: u64,
    repeated: u32,
}

/// One terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    identity: Identity,
    manners: Manners,
    code: Option<Text>,
    phase: Phase,
    serial: u16,
    outbox: Outbox,
    pending: VecDeque<Pending>,
    last: Option<Fix>,
    last_sent_us: u64,
    /// After a refused report: nothing new before this.
    hold_until_us: u64,
}

impl Terminal {
    pub(crate) fn new(identity: Identity, manners: Manners) -> Self {
        Self {
            identity,
            manners,
            code: None,
            phase: Phase::Offline,
            serial: 0,
            outbox: Outbox::default(),
            pending: VecDeque::new(),
            last: None,
            last_sent_us: 0,
            hold_until_us: 0,
        }
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn is_online(&self) -> bool {
        self.phase == Phase::Online
    }

    /// The serial that the next frame would have.
    pub(crate) fn next_serial(&self) -> u16 {
        self.serial
    }

    /// Goes on counting from another serial: someone else speaks on the same connection.
    pub(crate) fn set_serial(&mut self, serial: u16) {
        self.serial = serial;
    }

    /// Fixes that are not acknowledged yet.
    pub(crate) fn kept_len(&self) -> usize {
        self.outbox.len() + self.pending.iter().map(|frame| frame.fixes.len()).sum::<usize>()
    }

    /// All that is not acknowledged yet, for the end of the ledger.
    pub(crate) fn kept(&self) -> impl Iterator<Item = Kept> + '_ {
        self.pending.iter().flat_map(|frame| frame.fixes.iter().copied()).chain(self.outbox.iter())
    }

    /// The truck took a fix. A full store keeps what it has and counts what it cannot take.
    pub(crate) fn take(&mut self, fix: Fix, stats: &Stats) {
        stats.generated.add(1);
        self.last = Some(fix);
        if self.kept_len() >= self.manners.store_max {
            stats.overflowed.add(1);
        } else if self.is_online() {
            self.outbox.push_live(fix);
        } else {
            self.outbox.store(fix);
        }
    }

    /// A connection is there: a terminal without a code registers, one with a code authenticates.
    pub(crate) fn connected(&mut self, now_us: u64, fx: &mut Effects) {
        self.hold_until_us = 0;
        self.introduce(now_us, fx);
    }

    fn introduce(&mut self, now_us: u64, fx: &mut Effects) {
        let (phase, message) = match self.code.clone() {
            None => (Phase::Registering, Message::Register(self.identity.register())),
            Some(code) => (Phase::Authenticating, Message::Authenticate(self.identity.authenticate(code))),
        };
        self.phase = phase;
        self.ask(&message, Vec::new(), now_us, fx);
    }

    /// The connection is gone: whatever was on its way is stored again, in order of time.
    pub(crate) fn disconnected(&mut self, stats: &Stats) {
        if self.is_online() {
            stats.online.less_one();
        }
        self.phase = Phase::Offline;
        self.outbox.store_all();
        self.outbox.put_back(self.pending.drain(..).flat_map(|frame| frame.fixes));
    }

    /// Time has passed: repeats what is overdue, sends what may go.
    pub(crate) fn poll(&mut self, now_us: u64, stats: &Stats, fx: &mut Effects) -> Result<(), HangUp> {
        for frame in self.pending.iter_mut().filter(|frame| frame.due_us <= now_us) {
            if frame.repeated >= self.manners.retries {
                return Err(HangUp::Unanswered);
            }
            frame.repeated += 1;
            frame.timeout_us = frame.timeout_us.saturating_mul(u64::from(frame.repeated) + 1);
            frame.due_us = now_us.saturating_add(frame.timeout_us);
            fx.wire.extend_from_slice(&frame.frame);
            stats.resent.add(1);
        }
        if self.is_online() && self.hold_until_us <= now_us {
            while self.reports_pending() < self.manners.window && self.send_next(now_us, stats, fx) {}
        }
        if self.is_online() && self.pending.is_empty() && now_us >= self.heartbeat_due_us() {
            self.ask(&Message::Heartbeat(jt808::Empty { extra: Vec::new() }), Vec::new(), now_us, fx);
        }
        Ok(())
    }

    /// When [`Terminal::poll`] has something to do, if nothing else happens before.
    pub(crate) fn wake_us(&self) -> Option<u64> {
        let overdue = self.pending.iter().map(|frame| frame.due_us).min();
        let idle = (self.is_online() && self.pending.is_empty()).then(|| self.heartbeat_due_us());
        let held = (self.is_online() && self.kept_len() > 0 && self.hold_until_us > 0).then_some(self.hold_until_us);
        [overdue, idle, held.filter(|_| self.pending.is_empty())].into_iter().flatten().min()
    }

    fn heartbeat_due_us(&self) -> u64 {
        self.last_sent_us + self.manners.heartbeat.as_micros() as u64
    }

    fn reports_pending(&self) -> usize {
        self.pending.iter().filter(|frame| !frame.fixes.is_empty()).count()
    }

    /// Whether there was anything to send.
    fn send_next(&mut self, now_us: u64, stats: &Stats, fx: &mut Effects) -> bool {
        let fixes = self.outbox.next(self.identity.edition);
        if fixes.is_empty() {
            return false;
        }
        stats.sent.add(fixes.len() as u64);
        stats.resent.add(fixes.iter().filter(|kept| kept.sending.is_some()).count() as u64);
        let message = location_message(fixes.iter().map(|kept| &kept.fix), self.identity.edition);
        self.ask(&message, fixes, now_us, fx);
        true
    }

    /// Sends a message that must be answered.
    fn ask(&mut self, message: &Message, mut fixes: Vec<Kept>, now_us: u64, fx: &mut Effects) {
        let (id, serial) = (message.id(), self.serial);
        let mut frame = Vec::new();
        self.say(message, &mut frame).expect("our own messages fit their layouts");
        fx.wire.extend_from_slice(&frame);
        for kept in &mut fixes {
            kept.sending = Some(Sending { serial, via: id, at_us: now_us });
        }
        let timeout_us = self.manners.answer_timeout.as_micros() as u64;
        self.pending.push_back(Pending {
            id,
            serial,
            fixes,
            frame: frame.into_boxed_slice(),
            sent_us: now_us,
            due_us: now_us + timeout_us,
            timeout_us,
            repeated: 0,
        });
        self.last_sent_us = now_us;
    }

    /// Sends a message that is an answer itself.
    fn say(&mut self, message: &Message, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let header = Header::new(message.id(), self.identity.edition, self.identity.wire_phone(), self.serial);
        encode(&header, message, out)?;
        self.serial = self.serial.wrapping_add(1);
        Ok(())
    }

    fn answer(&mut self, to: &Header, result: GeneralResult, fx: &mut Effects) {
        let answer = GeneralResponse { answered_serial: to.serial, answered_id: to.id, result: result as u8 };
        self.say(&Message::TerminalGeneral(answer), &mut fx.wire).expect("five bytes fit");
    }

    /// A frame came from the platform.
    pub(crate) fn received(
        &mut self,
        frame: &Frame<'_>,
        now_us: u64,
        stats: &Stats,
        fx: &mut Effects,
    ) -> Result<(), HangUp> {
        let Some(message) = frame.check_ok.then(|| Message::decode(&frame.header, frame.body)).and_then(Result::ok)
        else {
            return Ok(());
        };
        match message {
            Message::PlatformGeneral(answer) => return self.answered(answer, now_us, stats, fx),
            Message::RegisterResponse(answer) => return self.registered(answer, now_us, stats, fx),
            Message::Text(_) => {
                stats.texts.add(1);
                self.answer(&frame.header, GeneralResult::Success, fx);
            }
            Message::LocationQuery(_) => {
                self.answer(&frame.header, GeneralResult::Success, fx);
                if let Some(fix) = self.last {
                    let location = fix.report(self.identity.edition);
                    let serial = Some(frame.header.serial);
                    let here = LocationQueryResponse { answered_serial: serial, location };
                    self.say(&Message::LocationQueryResponse(here), &mut fx.wire).expect("a report fits");
                }
            }
            // These are answers, and are not answered.
            _ if matches!(frame.header.id, 0x8003 | 0x8004 | 0x8800) || frame.header.id < 0x8000 => {}
            _ => self.answer(&frame.header, GeneralResult::Unsupported, fx),
        }
        Ok(())
    }

    fn take_pending(&mut self, id: u16, serial: u16) -> Option<Pending> {
        let at = self.pending.iter().position(|frame| frame.serial == serial && frame.id == id)?;
        self.pending.remove(at)
    }

    fn registered(
        &mut self,
        answer: RegisterResponse,
        now_us: u64,
        stats: &Stats,
        fx: &mut Effects,
    ) -> Result<(), HangUp> {
        if self.take_pending(0x0100, answer.answered_serial).is_none() {
            return Ok(());
        }
        if answer.result != 0 || answer.code.wire().len() > CODE_MAX {
            stats.refuse(0x0100, answer.result);
            return Err(HangUp::Refused);
        }
        self.code = Some(answer.code);
        self.introduce(now_us, fx);
        Ok(())
    }

    fn answered(
        &mut self,
        answer: GeneralResponse,
        now_us: u64,
        stats: &Stats,
        fx: &mut Effects,
    ) -> Result<(), HangUp> {
        // A second answer to a repeated frame finds nothing: what is acknowledged stays so, once.
        let Some(frame) = self.take_pending(answer.answered_id, answer.answered_serial) else { return Ok(()) };
        let accepted = answer.result == GeneralResult::Success as u8;
        if !accepted {
            stats.refuse(frame.id, answer.result);
        }
        match (frame.id, accepted) {
            (0x0102, true) => {
                self.phase = Phase::Online;
                stats.online.add(1);
            }
            (0x0102, false) => {
                self.code = None;
                return Err(HangUp::Refused);
            }
            (0x0200 | 0x0704, true) => {
                stats.latency.record(now_us - frame.sent_us);
                stats.acked.add(frame.fixes.len() as u64);
                fx.delivered.extend(
                    frame.fixes.iter().filter_map(|kept| Some(Delivered { fix: kept.fix, sending: kept.sending? })),
                );
            }
            (0x0200 | 0x0704, false) => {
                self.hold_until_us = now_us + self.manners.answer_timeout.as_micros() as u64;
                self.outbox.put_back(frame.fixes);
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "terminal_tests.rs"]
mod tests;
