//! The deframer against streams that no standard allows: tables of garbage, and the property that
//! reads may split a stream anywhere.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use jt808::{DeframeError, Deframer, Edition, FLAG, GARBAGE_MAX, Header, MAX_WIRE_FRAME, Phone, encode_frame};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// (serial, check_ok) of every piece, in order.
type Expected = Vec<(u16, bool)>;

/// (serial, check_ok, body, wire) of a piece.
type Seen = (u16, bool, Vec<u8>, Vec<u8>);

fn feed(chunks: &[&[u8]]) -> (Vec<Seen>, Result<(), DeframeError>, u64) {
    let (mut deframer, mut seen) = (Deframer::new(), Vec::new());
    let mut result = Ok(());
    for chunk in chunks {
        let mut note = |piece: jt808::Piece<'_>| {
            seen.push((
                piece.frame.header.serial,
                piece.frame.check_ok,
                piece.frame.body.to_vec(),
                piece.wire.to_vec(),
            ));
        };
        result = deframer.push(chunk, &mut note);
        assert!(deframer.held_bytes() <= 2 * MAX_WIRE_FRAME);
        if result.is_err() {
            break;
        }
    }
    if result.is_ok() {
        deframer.finish(|piece| {
            seen.push((
                piece.frame.header.serial,
                piece.frame.check_ok,
                piece.frame.body.to_vec(),
                piece.wire.to_vec(),
            ));
        });
        assert!(deframer.is_idle());
    }
    (seen, result, deframer.garbage_bytes())
}

fn frame(serial: u16, body: &[u8]) -> Vec<u8> {
    let phone = Phone::from_digits("13912345678", Edition::V2013).unwrap();
    let mut out = Vec::new();
    encode_frame(&Header::new(0x0200, Edition::V2013, phone, serial), body, &mut out).unwrap();
    out
}

/// The frame as a terminal sends it that never escapes.
fn raw_frame(serial: u16, body: &[u8]) -> Vec<u8> {
    let phone = Phone::from_digits("13912345678", Edition::V2013).unwrap();
    let mut plain = vec![2, 0];
    plain.extend((body.len() as u16).to_be_bytes());
    plain.extend(phone.bytes());
    plain.extend(serial.to_be_bytes());
    plain.extend(body);
    plain.push(plain.iter().fold(0, |a, b| a ^ b));
    [&[FLAG], plain.as_slice(), &[FLAG]].concat()
}

fn with_wrong_check(mut wire: Vec<u8>) -> Vec<u8> {
    let at = wire.len() - 2;
    wire[at] ^= 0x10;
    wire
}

fn with_announced(serial: u16, body: &[u8], announced: u16) -> Vec<u8> {
    let mut wire = raw_frame(serial, body);
    let [hi, lo] = announced.to_be_bytes();
    let change = wire[3] ^ hi ^ wire[4] ^ lo;
    (wire[3], wire[4]) = (hi, lo);
    let at = wire.len() - 2;
    wire[at] ^= change;
    wire
}

const BODY: [u8; 28] = [0x11; 28];

/// A stream, and the (serial, check_ok) of what must come out of it, in order.
fn table() -> Vec<(&'static str, Vec<u8>, Expected)> {
    let (a, b) = (frame(1, &BODY), frame(2, &BODY));
    let mut holed = BODY;
    holed[9] = FLAG;
    holed[20] = FLAG;
    let mut doubled = BODY;
    (doubled[12], doubled[13]) = (FLAG, FLAG);
    let mut escaped = BODY;
    (escaped[3], escaped[4]) = (0x7d, 0x7e);
    let half = &a[..20];
    let join = |parts: &[&[u8]]| parts.concat();
    vec![
        ("nothing", vec![], vec![]),
        ("two frames", join(&[&a, &b]), vec![(1, true), (2, true)]),
        ("a shared flag", join(&[&a, &b[1..]]), vec![(1, true), (2, true)]),
        ("runs of flags", join(&[&[FLAG; 9], &a, &[FLAG; 40], &b, &[FLAG; 3]]), vec![(1, true), (2, true)]),
        (
            "text before, between, behind",
            join(&[b"GET / HTTP/1.1\r\n\r\n", &a, b"\0\0 hello \x7d", &b, b"bye"]),
            vec![(1, true), (2, true)],
        ),
        ("half a frame, then whole ones", join(&[half, &a, half, half, &b]), vec![(1, true), (2, true)]),
        ("the second half of a frame first", join(&[&a[20..], &b]), vec![(2, true)]),
        (
            "wrong check code between good frames",
            join(&[&a, &with_wrong_check(frame(7, &BODY)), &b]),
            vec![(1, true), (7, false), (2, true)],
        ),
        ("wrong check code alone", with_wrong_check(frame(7, &BODY)), vec![(7, false)]),
        (
            "half a frame, then a wrong check code",
            join(&[half, &with_wrong_check(frame(7, &BODY)), &b]),
            vec![(7, false), (2, true)],
        ),
        (
            "announced length too long, check code right",
            join(&[&with_announced(5, &BODY, 90), &b]),
            vec![(5, true), (2, true)],
        ),
        (
            "announced length too short, check code right",
            join(&[&with_announced(5, &BODY, 2), &b]),
            vec![(5, true), (2, true)],
        ),
        (
            "announced length too long, check code wrong",
            join(&[&with_wrong_check(with_announced(5, &BODY, 1000)), &a, &b]),
            vec![(1, true), (2, true)],
        ),
        (
            "one flag byte not escaped",
            join(&[&a, &raw_frame(3, &holed[..15]), &b]),
            vec![(1, true), (3, true), (2, true)],
        ),
        ("two flag bytes not escaped", join(&[&a, &raw_frame(3, &holed), &b]), vec![(1, true), (3, true), (2, true)]),
        ("two flag bytes in a row not escaped", join(&[&raw_frame(3, &doubled), &b]), vec![(3, true), (2, true)]),
        (
            "a flag byte in the serial not escaped",
            join(&[&raw_frame(0x7e07, &BODY), &b]),
            vec![(0x7e07, true), (2, true)],
        ),
        (
            "a flag byte in the length not escaped",
            join(&[&raw_frame(3, &[0x22; 0x7e]), &b]),
            vec![(3, true), (2, true)],
        ),
        (
            "garbage, then a flag byte not escaped",
            join(&[b"\x7exyz\x7e", &raw_frame(3, &holed), &b]),
            vec![(3, true), (2, true)],
        ),
        (
            "half a frame, then a flag byte not escaped",
            join(&[half, &raw_frame(3, &holed), &b]),
            vec![(3, true), (2, true)],
        ),
        (
            "wrong check code and a flag byte not escaped",
            join(&[&with_wrong_check(raw_frame(3, &holed)), &a, &b]),
            vec![(1, true), (2, true)],
        ),
        ("escapes", join(&[&frame(4, &escaped), &b]), vec![(4, true), (2, true)]),
        ("an overlong piece", join(&[&[FLAG], &vec![7; MAX_WIRE_FRAME], &a, &b]), vec![(1, true), (2, true)]),
        ("the longest frame", join(&[&frame(6, &[FLAG; 1023]), &b]), vec![(6, true), (2, true)]),
    ]
}

#[test]
fn good_frames_are_served_whatever_is_around_them() {
    for (name, stream, expected) in table() {
        let (seen, result, _) = feed(&[&stream]);
        assert_eq!(result, Ok(()), "{name}");
        let got: Vec<_> = seen.iter().map(|piece| (piece.0, piece.1)).collect();
        assert_eq!(got, expected, "{name}");
        for (.., wire) in &seen {
            assert!(wire.len() > 2 && wire.starts_with(&[FLAG]) && wire.ends_with(&[FLAG]));
        }
    }
}

#[test]
fn one_byte_writes_change_nothing() {
    for (name, stream, _) in table() {
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(feed(&bytes), feed(&[&stream]), "{name}");
    }
}

#[test]
fn a_good_frame_leaves_before_the_next_byte() {
    for before in [&b""[..], b"\x7ehalf", b"text", b"\x7e\x02\x00\x03\xff123"] {
        let mut deframer = Deframer::new();
        let mut count = 0;
        let stream = [before, &frame(1, &BODY)].concat();
        deframer.push(&stream, |_| count += 1).unwrap();
        assert_eq!(count, 1);
        assert!(deframer.is_idle());
    }
}

#[test]
fn garbage_has_a_budget_and_a_good_frame_renews_it() {
    let junk = vec![b'x'; GARBAGE_MAX];
    let mut deframer = Deframer::new();
    assert_eq!(deframer.push(&junk, |_| ()), Ok(()));
    assert_eq!(deframer.push(&frame(1, &BODY), |_| ()), Ok(()));
    assert_eq!(deframer.push(&junk[1..], |_| ()), Ok(()));
    assert_eq!(deframer.garbage_bytes(), 2 * GARBAGE_MAX as u64 - 1);
    let closed = Err(DeframeError::TooMuchGarbage);
    assert_eq!(deframer.push(b"xxxx", |_| ()), closed);
    assert_eq!(deframer.push(&frame(1, &BODY), |_| ()), closed);
}

#[test]
fn every_kind_of_garbage_runs_out_of_budget() {
    let wrong = with_wrong_check(frame(1, &BODY));
    let kinds: [&[u8]; 5] = [&[FLAG], b"\x7ex", &wrong, b"\x7e\x02\x00\x03\xff", &[0x7d]];
    for kind in kinds {
        let stream = kind.repeat(2 * GARBAGE_MAX / kind.len());
        let (_, result, _) = feed(&[&stream]);
        assert_eq!(result, Err(DeframeError::TooMuchGarbage), "{kind:x?}");
    }
}

#[test]
fn a_terminal_that_lies_about_the_length_lives_on() {
    let stream = with_announced(5, &BODY, 90).repeat(GARBAGE_MAX / 20);
    let (seen, result, garbage) = feed(&[&stream]);
    assert_eq!((seen.len(), result, garbage), (GARBAGE_MAX / 20, Ok(()), 0));
}

/// Streams made of frames, broken frames and noise.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let body = || prop::collection::vec(prop_oneof![3 => any::<u8>(), 1 => Just(0x7e), 1 => Just(0x7d)], 0..60);
    let part = prop_oneof![
        (any::<u16>(), body()).prop_map(|(serial, body)| frame(serial, &body)),
        (any::<u16>(), body()).prop_map(|(serial, body)| raw_frame(serial, &body)),
        (any::<u16>(), body()).prop_map(|(serial, body)| with_wrong_check(frame(serial, &body))),
        (any::<u16>(), body(), 0..60usize).prop_map(|(serial, body, keep)| {
            let wire = frame(serial, &body);
            wire[..keep.min(wire.len())].to_vec()
        }),
        body(),
        Just(vec![0; MAX_WIRE_FRAME + 5]),
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(808), ..Default::default() })]

    #[test]
    fn any_split_gives_the_same(stream in streams(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        prop_assert_eq!(feed(&chunks), feed(&[&stream]));
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(feed(&bytes), feed(&[&stream]));
    }

    #[test]
    fn frames_survive_noise_between_them(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 1..6),
        noise in prop::collection::vec(any::<u8>().prop_filter("no flag", |byte| *byte != 0x7e), 0..200),
    ) {
        let mut stream = Vec::new();
        for (serial, body) in bodies.iter().enumerate() {
            stream.extend(&noise);
            stream.extend(frame(serial as u16, body));
        }
        let (seen, result, _) = feed(&[&stream]);
        prop_assert_eq!(result, Ok(()));
        let wires: Vec<_> = seen.into_iter().map(|(.., wire)| wire).collect();
        for (serial, body) in bodies.iter().enumerate() {
            prop_assert!(wires.contains(&frame(serial as u16, body)));
        }
    }
}
