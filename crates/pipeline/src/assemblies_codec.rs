//! What is open as the bytes of a checkpoint, and back; refuses what no checkpoint holds.

use bytes::Bytes;
use jt808::{Assembler, CompletedUpload, HeldPart, OpenUpload, Serials, UploadKey};
use model::{Position, RecordRef, TerminalId, Timestamp};
use prost::Message;

use crate::assemblies::{Assemblies, Part};
use crate::wire;

/// Why the bytes of a checkpoint are no assemblies.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AssembliesError {
    /// Bytes that are no message.
    #[error("open sub-packages cannot be read")]
    Message(#[from] prost::DecodeError),
    /// A value out of its range.
    #[error("open sub-packages have an impossible {0}")]
    Value(&'static str),
}

impl Assemblies {
    /// The bytes; none when nothing is open.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let terminals = self.by_terminal.iter().map(|(terminal, assembler)| wire::Terminal {
            terminal: significant(*terminal),
            open: assembler.open().iter().map(open_to).collect(),
            completed: assembler.completed().iter().map(completed_to).collect(),
            resent: assembler.resent().iter().map(open_to).collect(),
        });
        wire::Assemblies { terminals: terminals.collect() }.encode_to_vec()
    }

    /// Takes in what [`Assemblies::encode`] gave.
    pub(crate) fn restore(&mut self, bytes: Vec<u8>) -> Result<(), AssembliesError> {
        for terminal in wire::Assemblies::decode(Bytes::from(bytes))?.terminals {
            let open = terminal.open.into_iter().map(open_from).collect::<Result<_, _>>()?;
            let completed = terminal.completed.into_iter().map(completed_from).collect::<Result<_, _>>()?;
            let resent = terminal.resent.into_iter().map(open_from).collect::<Result<_, _>>()?;
            let assembler = Assembler::restore(self.limits, open, completed, resent);
            self.put(TerminalId::from_wire(&terminal.terminal), assembler);
        }
        Ok(())
    }
}

fn significant(terminal: TerminalId) -> Bytes {
    let bytes = terminal.value().to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Bytes::copy_from_slice(bytes.get(zeros..).unwrap_or_default())
}

fn short(value: u32, what: &'static str) -> Result<u16, AssembliesError> {
    u16::try_from(value).map_err(|_| AssembliesError::Value(what))
}

fn key_to(key: UploadKey) -> wire::Key {
    let (serial, constant) = match key.serials {
        Serials::Counted { origin } => (origin, false),
        Serials::Constant { serial } => (serial, true),
    };
    wire::Key { id: key.id.into(), total: key.total.into(), serial: serial.into(), constant }
}

fn key_from(key: Option<wire::Key>) -> Result<UploadKey, AssembliesError> {
    let key = key.ok_or(AssembliesError::Value("key"))?;
    let serial = short(key.serial, "serial")?;
    let serials = if key.constant { Serials::Constant { serial } } else { Serials::Counted { origin: serial } };
    Ok(UploadKey { id: short(key.id, "message id")?, total: short(key.total, "total")?, serials })
}

fn open_to(open: &OpenUpload<Part>) -> wire::Open {
    let parts = open.parts.iter().map(|part| wire::Part {
        number: part.number.into(),
        body: Bytes::copy_from_slice(&part.body),
        shard: part.tag.source.position.shard.into(),
        seq: part.tag.source.position.seq,
        index: part.tag.source.index,
        received_us: part.tag.received.0,
    });
    wire::Open {
        key: Some(key_to(open.key)),
        began_us: open.began_us,
        touched_us: open.touched_us,
        parts: parts.collect(),
    }
}

fn open_from(open: wire::Open) -> Result<OpenUpload<Part>, AssembliesError> {
    let part = |part: wire::Part| {
        let position = Position { shard: short(part.shard, "shard")?, seq: part.seq };
        let source = RecordRef { position, index: part.index, item: 0 };
        let tag = Part { source, received: Timestamp(part.received_us) };
        Ok(HeldPart { number: short(part.number, "packet number")?, body: part.body[..].into(), tag })
    };
    Ok(OpenUpload {
        key: key_from(open.key)?,
        began_us: open.began_us,
        touched_us: open.touched_us,
        parts: open.parts.into_iter().map(part).collect::<Result<_, AssembliesError>>()?,
    })
}

fn completed_to(done: &CompletedUpload) -> wire::Completed {
    wire::Completed {
        key: Some(key_to(done.key)),
        completed_us: done.completed_us,
        base: done.base.into(),
        digests: done.digests.clone(),
    }
}

fn completed_from(done: wire::Completed) -> Result<CompletedUpload, AssembliesError> {
    Ok(CompletedUpload {
        key: key_from(done.key)?,
        completed_us: done.completed_us,
        base: short(done.base, "first number")?,
        digests: done.digests,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assemblies::Lost;
    use jt808::{AssemblyLimits, Edition, Header, Phone, encode_parts};

    /// The frames of a message of `len` bytes in parts of 10, by a terminal.
    fn frames(terminal: &str, id: u16, serial: u16, len: u8) -> Vec<Vec<u8>> {
        cut(terminal, id, serial, &(0..len).collect::<Vec<_>>())
    }

    fn cut(terminal: &str, id: u16, serial: u16, body: &[u8]) -> Vec<Vec<u8>> {
        let phone = Phone::from_digits(terminal, Edition::V2013).expect("phone");
        let mut wire = Vec::new();
        encode_parts(&Header::new(id, Edition::V2013, phone, serial), body, 10, &mut wire).expect("encodes");
        let mut frames: Vec<Vec<u8>> = Vec::new();
        let mut deframer = jt808::Deframer::new();
        deframer.push(&wire, |piece| frames.push(piece.wire.to_vec())).expect("frames");
        frames
    }

    fn feed(assemblies: &mut Assemblies, terminal: &str, frame: &[u8], at_us: i64) -> Option<(Vec<u8>, u32)> {
        let terminal: TerminalId = terminal.parse().expect("digits");
        let source = RecordRef { index: at_us as u32, ..RecordRef::default() };
        let part = Part { source, received: Timestamp(at_us) };
        let fed = crate::decode::with_frame(frame, |frame| assemblies.feed(frame, terminal, part).0);
        fed.flatten().map(|whole| (whole.body, whole.tags.len() as u32))
    }

    /// As a checkpoint and a restart would leave it.
    fn restarted(assemblies: &Assemblies) -> Assemblies {
        let mut again = Assemblies::new(assemblies.limits, usize::MAX);
        again.restore(assemblies.encode()).expect("reads back");
        assert_eq!((again.bytes(), again.encode()), (assemblies.bytes(), assemblies.encode()));
        again
    }

    const TRUCK: &str = "13912345678";

    #[test]
    fn a_restart_between_any_two_parts_loses_none() {
        let frames = frames(TRUCK, 0x0704, 65_534, 35);
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
            let mut assemblies = Assemblies::default();
            let mut whole = None;
            for (place, at) in order.into_iter().zip(1..) {
                whole = feed(&mut assemblies, TRUCK, &frames[place], at);
                assemblies = restarted(&assemblies);
                assert_eq!(feed(&mut assemblies, TRUCK, &frames[place], at), None, "it came before");
            }
            assert_eq!(whole, Some(((0..35).collect(), 4)), "{order:?}");
            assert!(assemblies.take_lost().is_empty());
        }
    }

    fn heads(lost: Vec<Lost>) -> Vec<(&'static str, Option<usize>)> {
        lost.into_iter().map(|lost| (lost.why, lost.head.map(|head| head.body.len()))).collect()
    }

    #[test]
    fn what_is_given_up_hands_its_beginning_back() {
        let age_us = AssemblyLimits::default().age_us;
        let cases: [(u16, &[usize], Option<usize>); 5] = [
            (0x0704, &[0, 1], Some(20)),
            (0x0704, &[1, 0, 3], Some(20)),
            (0x0704, &[0, 2, 3], Some(10)),
            (0x0704, &[1, 2], None),
            (0x0200, &[0, 1], None),
        ];
        for (id, came, head) in cases {
            let frames = frames(TRUCK, id, 7, 35);
            let mut assemblies = Assemblies::default();
            for place in came {
                assert_eq!(feed(&mut assemblies, TRUCK, &frames[*place], 1), None);
            }
            assemblies.expire(Timestamp(age_us));
            assert!(assemblies.take_lost().is_empty());
            let mut assemblies = restarted(&assemblies);
            assemblies.expire(Timestamp(age_us + 1));
            assert_eq!(heads(assemblies.take_lost()), [("age", head)], "{id:x} {came:?}");
            assert_eq!(assemblies.bytes(), 0);
        }
    }

    /// The frames of a message in three parts under one key, by the bytes that its parts are filled with.
    fn filled(bytes: [u8; 3]) -> Vec<Vec<u8>> {
        cut(TRUCK, 0x0704, 2, &bytes.map(|byte| [byte; 10]).concat())
    }

    #[test]
    fn another_message_under_the_key_of_one_before_it() {
        // What came of the old one, then: the new one, the messages that are whole, and what is handed back.
        type Case = (usize, [u8; 3], &'static [[u8; 3]], Option<usize>);
        let cases: [Case; 7] = [
            (1, [4, 5, 6], &[[4, 5, 6]], Some(10)),
            (2, [4, 5, 6], &[[4, 5, 6]], Some(20)),
            (2, [1, 5, 6], &[[1, 5, 6]], Some(20)),
            (2, [1, 2, 6], &[[1, 2, 6]], None),
            (3, [1, 5, 6], &[[1, 2, 3], [1, 5, 6]], None),
            (3, [1, 2, 6], &[[1, 2, 3], [1, 2, 6]], None),
            (3, [1, 2, 3], &[[1, 2, 3]], None),
        ];
        for (came, new, whole, head) in cases {
            let frames: Vec<_> = filled([1, 2, 3]).into_iter().take(came).chain(filled(new)).collect();
            for restart_at in 0..=frames.len() {
                let mut assemblies = Assemblies::default();
                let (mut found, mut lost) = (Vec::new(), Vec::new());
                for (at, frame) in frames.iter().enumerate() {
                    if at == restart_at {
                        assemblies = restarted(&assemblies);
                    }
                    found.extend(feed(&mut assemblies, TRUCK, frame, at as i64).map(|(body, _)| body));
                    lost.extend(assemblies.take_lost());
                }
                let expected: Vec<_> = whole.iter().map(|whole| whole.map(|byte| [byte; 10]).concat()).collect();
                assert_eq!(found, expected, "{came} {new:?}");
                let handed_back = head.map(|len| ("superseded", Some(len)));
                assert_eq!(heads(lost), handed_back.into_iter().collect::<Vec<_>>(), "{came} {new:?}");
                assemblies.expire(Timestamp::MAX);
                assert_eq!((assemblies.take_lost(), assemblies.bytes()), (vec![], 0));
            }
        }
    }

    #[test]
    fn bounds_hold_for_one_terminal_and_for_all() {
        let limits = AssemblyLimits { open_max: 2, ..AssemblyLimits::default() };
        let mut assemblies = Assemblies::new(limits, 3_000);
        for (serial, at) in [(0, 1), (100, 2), (200, 3)] {
            feed(&mut assemblies, TRUCK, &frames(TRUCK, 0x0704, serial, 35)[0], at);
        }
        assert_eq!(heads(assemblies.take_lost()), [("room", Some(10))]);
        for (number, at) in (0..20).zip(4..) {
            let other = format!("1{number:010}");
            feed(&mut assemblies, &other, &frames(&other, 0x0704, 0, 35)[0], at);
            assert!(assemblies.bytes() <= 3_000);
        }
        let lost = assemblies.take_lost();
        assert_eq!(lost.first().map(|lost| lost.terminal), TRUCK.parse().ok(), "who began first goes first");
        assert!(lost.iter().all(|lost| lost.why == "room_overall" && lost.head.is_some()));
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let mut assemblies = Assemblies::default();
        assert!(matches!(assemblies.restore(vec![0xff]), Err(AssembliesError::Message(_))));
        let key = wire::Key { total: 70_000, ..wire::Key::default() };
        let open = wire::Open { key: Some(key), ..wire::Open::default() };
        let terminal = wire::Terminal { open: vec![open], ..wire::Terminal::default() };
        let bytes = wire::Assemblies { terminals: vec![terminal] }.encode_to_vec();
        assert_eq!(assemblies.restore(bytes), Err(AssembliesError::Value("total")));
    }
}
