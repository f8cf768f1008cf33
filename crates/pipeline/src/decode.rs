//! From a journal record to what the stages work on.

use journal::{Kind, Record};
use jt808::{BASE_LEN, BatchBodies, Deframer, FLAG, Frame, Header, LocationView, Message};
use model::{Fix, Marks, Plate, PlateColour, RecordRef, TerminalId};

use crate::assemblies::{Assemblies, Head, Part};
use crate::fix::{Origin, fix};
use crate::metrics::Metrics;

/// Ids of the messages that carry positions or answers.
pub(crate) mod id {
    pub(super) const GENERAL_RESPONSE: u16 = 0x0001;
    pub(super) const REGISTER: u16 = 0x0100;
    pub(super) const LOCATION: u16 = 0x0200;
    pub(super) const LOCATION_ANSWER: u16 = 0x0201;
    pub(crate) const BATCH: u16 = 0x0704;
}
/// What escapes are made with on the wire.
const ESCAPE: u8 = 0x7d;
/// The 0x0704 kind byte for blind-area supplements (盲区补报).
const BLIND_AREA: u8 = 1;

/// What a terminal answered to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Serial number of the command frame.
    pub serial: u16,
    /// Message id of the command frame.
    pub id: u16,
    /// Whether it did it.
    pub done: bool,
}

/// What a stranger said of itself when it tried to register.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    pub plate: Option<Plate>,
    pub maker: String,
    pub model: String,
    pub device: String,
}

/// Calls `found` with the frame in a record's bytes. What was journalled as a frame is one, but the rules for what
/// is a frame may have changed since: then there is nothing to do.
pub(crate) fn with_frame<T>(raw: &[u8], found: impl FnOnce(&Frame<'_>) -> T) -> Option<T> {
    match plain_frame(raw) {
        Some(frame) => Some(found(&frame)),
        None => with_odd_frame(raw, found),
    }
}

/// The usual frame: nothing in it is escaped, and nothing is odd about it.
fn plain_frame(raw: &[u8]) -> Option<Frame<'_>> {
    let [FLAG, plain @ .., FLAG] = raw else { return None };
    if plain.contains(&FLAG) || plain.contains(&ESCAPE) {
        return None;
    }
    Frame::parse(plain).ok().filter(|frame| frame.check_ok && frame.oddities.is_empty())
}

/// Whatever else the deframer makes a frame of.
fn with_odd_frame<T>(raw: &[u8], found: impl FnOnce(&Frame<'_>) -> T) -> Option<T> {
    let mut found = Some(found);
    let mut outcome = None;
    let mut emit = |piece: jt808::Piece<'_>| {
        if let Some(found) = found.take() {
            outcome = Some(found(&piece.frame));
        }
    };
    let mut deframer = Deframer::new();
    // A record is one short frame: it cannot spend the budget for garbage.
    let _ = deframer.push(raw, &mut emit);
    if !deframer.is_idle() {
        deframer.finish(&mut emit);
    }
    outcome
}

/// Where what is found in frames goes.
pub(crate) struct Found<F, A> {
    /// Takes a fix.
    pub fix: F,
    /// Takes an answer to a command.
    pub answer: A,
}

/// Whether a message carries anything that this crate reads. What does not need not be put together either.
pub(crate) const fn is_read(message: u16) -> bool {
    matches!(message, id::LOCATION | id::LOCATION_ANSWER | id::BATCH | id::GENERAL_RESPONSE)
}

/// The fixes and the answer in an uplink record, and in the message that it completes.
pub(crate) fn uplink<F: FnMut(Fix), A: FnMut(Answer)>(
    record: &Record,
    terminal: TerminalId,
    source: RecordRef,
    metrics: &Metrics,
    assemblies: &mut Assemblies,
    found: &mut Found<F, A>,
) {
    debug_assert_eq!(record.kind, Kind::Uplink);
    let origin = Origin { terminal, received: record.received, source, marks: Marks::default() };
    let outcome = with_frame(&record.raw, |frame| {
        if !frame.check_ok {
            return Err("check_code");
        }
        if frame.header.is_encrypted() || !is_read(frame.header.id) {
            return Ok(());
        }
        if !frame.header.is_part() {
            return message(&frame.header, frame.body, origin, found);
        }
        let part = Part { source, received: record.received };
        let (whole, outcome) = assemblies.feed(frame, terminal, part);
        metrics.parts.with_label_values(&[outcome]).inc();
        whole.map_or(Ok(()), |whole| message(&whole.header, &whole.body, origin, found))
    });
    if let Err(kind) = outcome.unwrap_or(Err("no_frame")) {
        metrics.decode_errors.with_label_values(&[kind]).inc();
    }
}

/// The fixes in the beginning of a batch report that was given up: as many as are whole. They count as received with
/// the last part of that beginning.
pub(crate) fn salvage(terminal: TerminalId, head: &Head, mut fixes: impl FnMut(Fix)) {
    let Part { source, received } = head.last;
    let origin = Origin { terminal, received, source, marks: Marks::default() };
    // That the last one is cut off is why it is here.
    let _ = batch(&head.body, origin, &mut fixes);
}

fn message<F: FnMut(Fix), A: FnMut(Answer)>(
    header: &Header,
    body: &[u8],
    origin: Origin,
    found: &mut Found<F, A>,
) -> Result<(), &'static str> {
    match header.id {
        id::LOCATION => location(body, origin, &mut found.fix),
        id::LOCATION_ANSWER => location_answer(header, body, origin, &mut found.fix, &mut found.answer),
        id::BATCH => batch(body, origin, &mut found.fix),
        id::GENERAL_RESPONSE => general_response(header, body, &mut found.answer),
        _ => Ok(()),
    }
}

fn location(body: &[u8], origin: Origin, fixes: &mut impl FnMut(Fix)) -> Result<(), &'static str> {
    let view = LocationView::new(body).ok_or("location_too_short")?;
    fixes(fix(&view, &body[BASE_LEN..], origin));
    Ok(())
}

/// 位置信息查询应答, 0x0201: the serial that it answers, then a location body.
fn location_answer(
    header: &Header,
    body: &[u8],
    origin: Origin,
    fixes: &mut impl FnMut(Fix),
    answer: &mut impl FnMut(Answer),
) -> Result<(), &'static str> {
    let Ok(Message::LocationQueryResponse(message)) = Message::decode(header, body) else {
        return Err("location_answer");
    };
    if let Some(serial) = message.answered_serial {
        answer(Answer { serial, id: 0x8201, done: true });
    }
    let start = if message.answered_serial.is_some() { 2 } else { 0 };
    location(body.get(start..).unwrap_or_default(), origin, fixes)
}

fn batch(body: &[u8], origin: Origin, fixes: &mut impl FnMut(Fix)) -> Result<(), &'static str> {
    let mut marks = Marks::BATCH;
    if body.get(2) == Some(&BLIND_AREA) {
        marks = marks.with(Marks::BACKFILL);
    }
    // Bytes before the first item: count and kind.
    let mut at = 3;
    let mut bodies = BatchBodies::new(body);
    let mut item = 0u16;
    while let Some(view) = bodies.next() {
        let end = body.len() - bodies.rest().len();
        let tail = body.get(at + 2 + BASE_LEN..end).unwrap_or_default();
        let source = RecordRef { item, ..origin.source };
        fixes(fix(&view, tail, Origin { source, marks, ..origin }));
        at = end;
        item = item.saturating_add(1);
    }
    if bodies.rest().is_empty() && item > 0 { Ok(()) } else { Err("batch_item") }
}

fn general_response(header: &Header, body: &[u8], answer: &mut impl FnMut(Answer)) -> Result<(), &'static str> {
    let Ok(Message::TerminalGeneral(message)) = Message::decode(header, body) else {
        return Err("general_response");
    };
    answer(Answer { serial: message.answered_serial, id: message.answered_id, done: message.result == 0 });
    Ok(())
}

/// What a stranger's frame says of it; empty for anything but a registration.
pub(crate) fn claim(raw: &[u8]) -> Claim {
    let claimed = with_frame(raw, |frame| {
        if frame.header.id != id::REGISTER || !frame.check_ok {
            return None;
        }
        match Message::decode(&frame.header, frame.body) {
            Ok(Message::Register(register)) => Some(Claim {
                plate: Plate::new(&register.plate.decode_plate(), PlateColour::normalised(register.plate_colour)).ok(),
                maker: register.maker.decode(),
                model: register.model.decode(),
                device: register.terminal_id.decode(),
            }),
            _ => None,
        }
    });
    claimed.flatten().unwrap_or_default()
}
