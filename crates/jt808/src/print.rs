//! Prints frames as JSON, field by field: for logs, for support, and as what fuzzing looks at.
//! The keys and their order are a contract with whoever parses the output.

use crate::escape::{FLAG, unescape_to_vec};
use crate::{Assembler, AssemblyLimits, Deframer, Edition, Fed, Frame, Message, Oddities, Oddity, Refusal, Whole};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fmt::Write;

/// Terminals whose uploads are put together at a time; the oldest gives way.
const TERMINALS_MAX: usize = 64;

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// A message id as it is written in the standard.
pub(crate) fn id_hex(id: u16) -> String {
    format!("0x{id:04X}")
}

/// Names of the set bits that have one.
pub(crate) fn bit_names(bits: u32, table: &[(u8, &'static str)]) -> Vec<&'static str> {
    table.iter().filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, name)| *name).collect()
}

/// Prints the frames of a stream one after another. A part of a sub-packaged message prints its
/// packet and no body; the one that completes the message prints the body.
#[derive(Debug, Default)]
pub struct StreamDecoder {
    /// By phone; only those of which parts are missing.
    open: VecDeque<(u128, Assembler<()>)>,
}

impl StreamDecoder {
    /// A decoder that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One frame as one JSON object.
    pub fn frame(&mut self, frame: &Frame<'_>) -> Value {
        let (whole, odd) = if frame.header.is_part() { self.assemble(frame) } else { (None, Oddities::NONE) };
        print_with(frame, whole.as_ref(), odd)
    }

    /// The message that this part completes, and what is odd about it beside the others. Frames out of their stream
    /// have no time: nothing ages here.
    fn assemble(&mut self, part: &Frame<'_>) -> (Option<Whole<()>>, Oddities) {
        let phone = part.header.phone.canonical();
        let known = self.open.iter().position(|(of, _)| *of == phone).and_then(|at| self.open.remove(at));
        let limits = AssemblyLimits { completed_parts_max: 0, ..AssemblyLimits::default() };
        let mut assembler = known.map_or_else(|| Assembler::new(limits), |(_, assembler)| assembler);
        let (mut whole, mut odd) = (None, Oddities::NONE);
        match assembler.feed(part, (), 0, |_| {}) {
            Fed::Complete(message) => whole = Some(message),
            Fed::Contradicts => odd.note(Oddity::PartContradicts),
            Fed::Refused(Refusal::NumberBeyondTotal) => odd.note(Oddity::PacketNumberWrong),
            Fed::NotAPart | Fed::Kept | Fed::Repeated | Fed::Refused(_) => {}
        }
        if !assembler.is_idle() {
            self.open.truncate(TERMINALS_MAX - 1);
            self.open.push_front((phone, assembler));
        }
        (whole, odd)
    }

    /// One line of hex as JSON objects, one a frame: with or without flags, in either case, with
    /// or without spaces or a 0x in front. What holds no frame gives one object that says why.
    pub fn line(&mut self, line: &str) -> Vec<Value> {
        let bytes = match parse_hex(line) {
            Ok(bytes) => bytes,
            Err(message) => return vec![print_error("hex", &message)],
        };
        let mut printed = Vec::new();
        let mut deframer = Deframer::new();
        // Too much garbage behind the frames of one line takes nothing from them.
        let _ = deframer.push(&bytes, |piece| printed.push(self.frame(&piece.frame)));
        deframer.finish(|piece| printed.push(self.frame(&piece.frame)));
        if printed.is_empty() {
            printed.push(self.bare(&bytes));
        }
        printed
    }

    /// Bytes in which the deframer finds nothing: a frame without flags, escaped or not, or one so
    /// broken that only its header can be shown.
    fn bare(&mut self, bytes: &[u8]) -> Value {
        let start = bytes.iter().take_while(|byte| **byte == FLAG).count();
        let content = &bytes[start..];
        let end = content.iter().rev().take_while(|byte| **byte == FLAG);
        let content = &content[..content.len() - end.count()];
        let unescaped = unescape_to_vec(content);
        let read = [unescaped.as_slice(), content].map(Frame::parse);
        let right = |frame: &Frame<'_>| frame.check_ok && !frame.oddities.contains(Oddity::LengthFieldWrong);
        let best = read.iter().flatten().find(|frame| right(frame));
        match (best, &read[0]) {
            (Some(frame), _) | (None, Ok(frame)) => self.frame(frame),
            (None, Err(error)) => print_error(error.field(), &error.to_string()),
        }
    }
}

/// One line of hex as JSON objects, one a frame; see [`StreamDecoder::line`].
#[must_use]
pub fn decode_json(line: &str) -> Vec<Value> {
    StreamDecoder::new().line(line)
}

/// One frame as one JSON object; a part of a sub-packaged message without its body.
#[must_use]
pub fn print_frame(frame: &Frame<'_>) -> Value {
    print_with(frame, None, Oddities::NONE)
}

/// The same, with the body of the message that the frame completed.
fn print_with(frame: &Frame<'_>, whole: Option<&Whole<()>>, odd: Oddities) -> Value {
    let header = &frame.header;
    let info = crate::message_info(header.id);
    let (mut oddities, mut edition) = (frame.oddities.union(odd), header.edition);
    let (mut body, mut error) = (Value::Null, Value::Null);
    let content = whole.map(|whole| whole.body.as_slice()).or((!header.is_part()).then_some(frame.body));
    if let Some(content) = content {
        match Message::decode_noting(header, content) {
            Ok((message, noted)) => {
                oddities = oddities.union(noted);
                edition = message.edition_shown().unwrap_or(edition);
                body = message.print(edition);
            }
            Err(e) => error = json!({ "field": e.field(), "message": e.to_string() }),
        }
    }
    json!({
        "id": id_hex(header.id),
        "name": info.map_or("unknown", |info| info.name),
        "name_zh": info.map_or("未知", |info| info.name_zh),
        "version": edition.year(),
        "phone": header.phone.wire_digits(),
        "serial": header.serial,
        "packet": header.packet.map(|p| json!({ "total": p.total, "number": p.number })),
        "check_ok": frame.check_ok,
        "oddities": oddities.names().collect::<Vec<_>>(),
        "error": error,
        "body": body,
    })
}

/// The object for input in which there is no frame: every key, all null but the error.
fn print_error(field: &str, message: &str) -> Value {
    json!({
        "id": null, "name": null, "name_zh": null, "version": null, "phone": null, "serial": null,
        "packet": null, "check_ok": null, "oddities": [],
        "error": { "field": field, "message": message },
        "body": null,
    })
}

fn parse_hex(line: &str) -> Result<Vec<u8>, String> {
    let line = line.trim();
    let line = line.strip_prefix("0x").unwrap_or(line);
    let mut nibbles = Vec::with_capacity(line.len());
    for (at, c) in line.char_indices().filter(|(_, c)| !c.is_whitespace()) {
        let Some(nibble) = c.to_digit(16) else {
            return Err(format!("{c:?} at byte {at} is no hex digit"));
        };
        nibbles.push(nibble as u8);
    }
    let (pairs, odd) = nibbles.as_chunks::<2>();
    if nibbles.is_empty() {
        return Err("no hex digits".to_owned());
    }
    if !odd.is_empty() {
        return Err(format!("an odd number of hex digits: {}", nibbles.len()));
    }
    Ok(pairs.iter().map(|[hi, lo]| hi << 4 | lo).collect())
}

impl Message {
    /// The edition that the body shows where the header cannot: 2011, by a short registration.
    #[must_use]
    pub fn edition_shown(&self) -> Option<Edition> {
        match self {
            Self::Register(register) => Some(register.layout),
            _ => None,
        }
    }
}
