//! Reassembly: by table, and as properties over any order, doubling and overlap of uploads.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use jt808::{
    Abandoned, Assembler, AssemblyLimits, Deframer, Edition, Fed, Frame, GivenUp, Header, MISSING_MAX, Oddities,
    Packet, Phone, Refusal, Serials, Whole, encode_parts,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const MINUTE_US: i64 = 60_000_000;

/// One part as a test writes it: serial, total, number, body.
type Part = (u16, u16, u16, &'static [u8]);

fn header(serial: u16, total: u16, number: u16) -> Header {
    let phone = Phone::from_digits("13912345678", Edition::V2013).unwrap();
    Header { packet: Some(Packet { total, number }), ..Header::new(0x0704, Edition::V2013, phone, serial) }
}

fn frame((serial, total, number, body): Part) -> Frame<'static> {
    Frame { header: header(serial, total, number), body, check_ok: true, oddities: Oddities::NONE }
}

/// Feeds without anything being given up.
fn feed(assembler: &mut Assembler<u16>, part: Part) -> Fed<u16> {
    assembler.feed(&frame(part), part.2, 0, |gone| panic!("{gone:?}"))
}

fn whole(fed: Fed<u16>) -> Whole<u16> {
    match fed {
        Fed::Complete(whole) => whole,
        other => panic!("not complete: {other:?}"),
    }
}

/// What the last part completes, the ones before being kept.
fn completes(parts: &[Part]) -> Whole<u16> {
    let mut assembler = Assembler::new(AssemblyLimits::default());
    let (last, before) = parts.split_last().unwrap();
    for part in before {
        assert_eq!(feed(&mut assembler, *part), Fed::Kept, "{part:?}");
    }
    let whole = whole(feed(&mut assembler, *last));
    assert!(assembler.open().is_empty());
    assert_eq!(assembler.bytes(), 0);
    whole
}

#[test]
fn uploads_by_table() {
    // The parts, then: body, first serial, tags.
    type Case = (&'static [Part], &'static [u8], u16, &'static [u16]);
    let cases: [Case; 7] = [
        (&[(7, 3, 1, b"ab"), (8, 3, 2, b"cd"), (9, 3, 3, b"e")], b"abcde", 7, &[1, 2, 3]),
        (&[(9, 3, 3, b"e"), (7, 3, 1, b"ab"), (8, 3, 2, b"cd")], b"abcde", 7, &[1, 2, 3]),
        // Serials wrap.
        (&[(65_535, 3, 1, b"a"), (0, 3, 2, b"b"), (1, 3, 3, b"c")], b"abc", 65_535, &[1, 2, 3]),
        (&[(1, 3, 3, b"c"), (0, 3, 2, b"b"), (65_535, 3, 1, b"a")], b"abc", 65_535, &[1, 2, 3]),
        // Numbers from 0.
        (&[(7, 3, 0, b"a"), (8, 3, 1, b"b"), (9, 3, 2, b"c")], b"abc", 7, &[0, 1, 2]),
        // One serial for all.
        (&[(7, 3, 1, b"a"), (7, 3, 2, b"b"), (7, 3, 3, b"c")], b"abc", 7, &[1, 2, 3]),
        (&[(0, 3, 3, b"c"), (0, 3, 1, b"a"), (0, 3, 2, b"b")], b"abc", 0, &[1, 2, 3]),
    ];
    for (parts, body, first_serial, tags) in cases {
        let whole = completes(parts);
        assert_eq!((whole.body.as_slice(), whole.first_serial), (body, first_serial), "{parts:?}");
        assert_eq!(whole.tags, tags, "{parts:?}");
        assert_eq!(whole.header.serial, parts[parts.len() - 1].0, "the header is that of the last part to come");
    }
}

#[test]
fn what_is_no_part_and_what_cannot_be_one() {
    let mut assembler = Assembler::new(AssemblyLimits::default());
    let mut plain = frame((1, 2, 1, b""));
    plain.header.packet = None;
    assert_eq!(assembler.feed(&plain, 0, 0, |_| {}), Fed::NotAPart);
    for total in [0, 1] {
        assert_eq!(feed(&mut assembler, (1, total, 1, b"x")), Fed::NotAPart, "a plain message");
    }
    assert_eq!(feed(&mut assembler, (1, 2, 3, b"x")), Fed::Refused(Refusal::NumberBeyondTotal));
    let damaged = Frame { check_ok: false, ..frame((1, 2, 1, b"x")) };
    assert_eq!(assembler.feed(&damaged, 0, 0, |_| {}), Fed::Refused(Refusal::Damaged));
    assert!(assembler.is_idle());
}

#[test]
fn the_first_bytes_of_a_number_are_kept() {
    let mut assembler = Assembler::new(AssemblyLimits::default());
    assert_eq!(feed(&mut assembler, (7, 2, 1, b"first")), Fed::Kept);
    assert_eq!(feed(&mut assembler, (7, 2, 1, b"other")), Fed::Contradicts);
    assert_eq!(feed(&mut assembler, (7, 2, 1, b"first")), Fed::Repeated);
    assert_eq!(whole(feed(&mut assembler, (8, 2, 2, b"+"))).body, b"first+");
}

#[test]
fn totals_and_serials_keep_uploads_apart() {
    let mut assembler = Assembler::new(AssemblyLimits::default());
    // The same serials with another total; the same upload again under new serials.
    for part in [(7, 2, 1, &b"a"[..]), (7, 3, 1, b"A"), (20, 2, 1, b"a")] {
        assert_eq!(feed(&mut assembler, part), Fed::Kept);
    }
    assert_eq!(whole(feed(&mut assembler, (21, 2, 2, b"b"))).first_serial, 20);
    assert_eq!(whole(feed(&mut assembler, (8, 2, 2, b"b"))).first_serial, 7);
    assert_eq!(feed(&mut assembler, (9, 3, 3, b"C")), Fed::Kept);
    assert_eq!(whole(feed(&mut assembler, (8, 3, 2, b"B"))).body, b"ABC");
}

#[test]
fn a_whole_upload_that_comes_again_is_no_second_message() {
    for serials in [[7, 8], [7, 7]] {
        let [one, two] = serials;
        let mut assembler = Assembler::new(AssemblyLimits::default());
        let _ = feed(&mut assembler, (one, 2, 1, b"a"));
        let _ = whole(feed(&mut assembler, (two, 2, 2, b"b")));
        for part in [(two, 2, 2, &b"b"[..]), (one, 2, 1, b"a"), (one, 2, 1, b"a")] {
            assert_eq!(feed(&mut assembler, part), Fed::Repeated);
        }
        assert!(assembler.open().is_empty());
        // Other bytes under the same key are another message.
        assert_eq!(feed(&mut assembler, (one, 2, 1, b"c")), Fed::Kept);
        assert_eq!(whole(feed(&mut assembler, (two, 2, 2, b"b"))).body, b"cb");
        // After its time it is forgotten.
        assembler.expire(5 * MINUTE_US, |_| {});
        assert!(assembler.is_idle());
    }
}

#[test]
fn what_is_remembered_is_bounded() {
    let limits = AssemblyLimits { completed_parts_max: 4, ..AssemblyLimits::default() };
    let mut assembler = Assembler::new(limits);
    for serial in [10, 20, 30] {
        let _ = feed(&mut assembler, (serial, 2, 1, b"a"));
        let _ = whole(feed(&mut assembler, (serial + 1, 2, 2, b"b")));
    }
    assert_eq!(assembler.completed().len(), 2);
    assert_eq!(feed(&mut assembler, (31, 2, 2, b"b")), Fed::Repeated);
    assert_eq!(feed(&mut assembler, (10, 2, 1, b"a")), Fed::Kept, "the oldest was forgotten");
}

#[test]
fn age_counts_from_the_first_part() {
    let mut assembler = Assembler::new(AssemblyLimits::default());
    let mut gone = Vec::new();
    for (minute, number) in [(0, 1), (4, 2)] {
        let part = frame((number, 3, number, b"x"));
        assert_eq!(assembler.feed(&part, number, minute * MINUTE_US, |_| panic!("too early")), Fed::Kept);
    }
    let last = frame((3, 3, 3, b"x"));
    assert_eq!(assembler.feed(&last, 3, 5 * MINUTE_US, |upload| gone.push(upload)), Fed::Kept);
    let [Abandoned { why: GivenUp::Age, began_us: 0, parts, .. }] = gone.as_slice() else { panic!("{gone:?}") };
    assert_eq!(parts, &[(1, 1), (2, 2)]);
    assembler.expire(10 * MINUTE_US - 1, |_| panic!("too early"));
    assembler.expire(10 * MINUTE_US, |upload| gone.push(upload));
    assert_eq!(gone[1].parts, [(3, 3)]);
    assert!(assembler.is_idle() && assembler.bytes() == 0);
}

#[test]
fn the_oldest_makes_room_and_is_reported() {
    let limits = AssemblyLimits { open_max: 2, bytes_max: 2_000, ..AssemblyLimits::default() };
    let mut assembler = Assembler::new(limits);
    let mut gone = Vec::new();
    for serial in [10, 20, 30] {
        assert_eq!(assembler.feed(&frame((serial, 2, 1, b"a")), serial, 0, |upload| gone.push(upload)), Fed::Kept);
    }
    assert_eq!(gone.iter().map(|upload| (upload.why, upload.parts[0].1)).collect::<Vec<_>>(), [(GivenUp::Room, 10)]);
    // 900 bytes fit beside the others, 900 more do not; the upload itself may never be the one that makes room.
    const BIG: &[u8] = &[7; 900];
    for (serial, number) in [(40, 1), (41, 2)] {
        let fed = assembler.feed(&frame((serial, 3, number, BIG)), serial, 0, |upload| gone.push(upload));
        let alone_too_large = Fed::Refused(Refusal::TooLarge);
        assert_eq!(fed, if number == 1 { Fed::Kept } else { alone_too_large });
    }
    let told: Vec<_> = gone[1..].iter().map(|upload| (upload.why, upload.parts[0].1)).collect();
    assert_eq!(told, [(GivenUp::Room, 20), (GivenUp::Room, 30), (GivenUp::TooLarge, 40)]);
    let hopeless = frame((50, 60_000, 1, b""));
    assert_eq!(assembler.feed(&hopeless, 0, 0, |_| {}), Fed::Refused(Refusal::TooLarge));
    assert!(assembler.open().is_empty());
}

#[test]
fn asks_for_what_is_missing_when_the_end_or_silence_shows_it() {
    let mut assembler = Assembler::new(AssemblyLimits::default());
    let asked = |assembler: &Assembler<u16>, now_us| {
        assembler.missing(2_000_000, now_us).map(|missing| (missing.first_serial, missing.numbers)).collect::<Vec<_>>()
    };
    let _ = feed(&mut assembler, (65_535, 5, 2, b"b"));
    let _ = feed(&mut assembler, (1, 5, 4, b"d"));
    assert_eq!(asked(&assembler, 1_999_999), []);
    assert_eq!(asked(&assembler, 2_000_000), [(65_534, vec![1, 3, 5])]);
    let _ = feed(&mut assembler, (2, 5, 5, b"e"));
    assert_eq!(asked(&assembler, 0), [(65_534, vec![1, 3])]);
    // Numbers from 0, and one serial for all.
    let mut assembler = Assembler::new(AssemblyLimits::default());
    let _ = feed(&mut assembler, (7, 3, 0, b"a"));
    let _ = feed(&mut assembler, (9, 3, 2, b"c"));
    let _ = feed(&mut assembler, (50, 9, 9, b"x"));
    let _ = feed(&mut assembler, (50, 9, 8, b"x"));
    assert_eq!(asked(&assembler, 0), [(7, vec![1]), (50, (1..=7).collect())]);
    let _ = feed(&mut assembler, (60, 2_000, 2_000, b""));
    assert_eq!(asked(&assembler, 0)[2].1, (1..=MISSING_MAX as u16).collect::<Vec<_>>());
}

/// An upload of a test: where its serials begin, and its body in slices.
#[derive(Debug, Clone)]
struct Upload {
    header: Header,
    body: Vec<u8>,
    slice_len: usize,
}

impl Upload {
    /// Its frames, unescaped and owned.
    fn parts(&self) -> Vec<(Header, Vec<u8>)> {
        let mut wire = Vec::new();
        encode_parts(&self.header, &self.body, self.slice_len, &mut wire).unwrap();
        let mut parts = Vec::new();
        let keep = |piece: jt808::Piece<'_>| parts.push((piece.frame.header, piece.frame.body.to_vec()));
        Deframer::new().push(&wire, keep).unwrap();
        parts
    }
}

fn as_frame((header, body): &(Header, Vec<u8>)) -> Frame<'_> {
    Frame { header: *header, body, check_ok: true, oddities: Oddities::NONE }
}

/// Uploads whose serials do not collide, wherever the counter stands.
fn uploads() -> impl Strategy<Value = Vec<Upload>> {
    let upload = (prop::collection::vec(any::<u8>(), 2..200), 1..60usize, prop::sample::select(vec![0x0704, 0x0801]));
    (any::<u16>(), prop::collection::vec(upload, 1..6)).prop_map(|(begin, uploads)| {
        let mut serial = begin;
        let mut placed = Vec::new();
        for (body, slice_len, id) in uploads {
            let slice_len = slice_len.min(body.len() - 1);
            let header = Header { id, packet: None, serial, ..header(serial, 2, 1) };
            serial = serial.wrapping_add(body.len().div_ceil(slice_len) as u16);
            placed.push(Upload { header, body, slice_len });
        }
        placed
    })
}

/// All parts of the uploads, some of them several times, in any order.
fn arrivals() -> impl Strategy<Value = (Vec<Upload>, Vec<(Header, Vec<u8>)>)> {
    uploads().prop_flat_map(|uploads| {
        let parts: Vec<_> = uploads.iter().flat_map(Upload::parts).collect();
        let doubled = prop::collection::vec(prop::sample::select(parts.clone()), 0..20);
        let order =
            doubled.prop_map(move |again| parts.iter().cloned().chain(again).collect::<Vec<_>>()).prop_shuffle();
        (Just(uploads), order)
    })
}

fn generous() -> AssemblyLimits {
    AssemblyLimits { open_max: 64, ..AssemblyLimits::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, rng_seed: RngSeed::Fixed(808), ..Default::default() })]

    #[test]
    fn any_order_gives_exactly_the_messages((uploads, parts) in arrivals()) {
        let mut assembler = Assembler::new(generous());
        let mut messages = Vec::new();
        for part in &parts {
            if let Fed::Complete(whole) = assembler.feed(&as_frame(part), (), 0, |gone| panic!("{gone:?}")) {
                messages.push((whole.header.id, whole.first_serial, whole.body));
            }
        }
        let mut sent: Vec<_> =
            uploads.into_iter().map(|upload| (upload.header.id, upload.header.serial, upload.body)).collect();
        sent.sort();
        messages.sort();
        prop_assert_eq!(messages, sent);
        prop_assert_eq!((assembler.open().len(), assembler.bytes()), (0, 0));
    }

    #[test]
    fn a_restored_one_goes_on_alike((_, parts) in arrivals(), cut in any::<prop::sample::Index>(), tight in any::<bool>()) {
        let limits = if tight { AssemblyLimits { open_max: 2, completed_parts_max: 20, ..generous() } } else { generous() };
        let mut first = Assembler::new(limits);
        let cut = cut.index(parts.len());
        let feed = |assembler: &mut Assembler<usize>, at: usize, part| {
            let mut gone = Vec::new();
            let fed = assembler.feed(&as_frame(part), at, at as i64, |upload| gone.push(upload));
            (fed, gone, assembler.missing(5, at as i64).collect::<Vec<_>>(), assembler.bytes())
        };
        for (at, part) in parts[..cut].iter().enumerate() {
            let _ = feed(&mut first, at, part);
        }
        let mut second = Assembler::restore(limits, first.open().to_vec(), first.completed().to_vec());
        for (at, part) in parts.iter().enumerate().skip(cut) {
            prop_assert_eq!(feed(&mut first, at, part), feed(&mut second, at, part));
        }
    }

    #[test]
    fn the_bounds_always_hold(
        parts in prop::collection::vec((any::<bool>(), 0..12u16, 0..6u16, 0..6u16, 0..300usize, 0..40i64), 0..200)
    ) {
        let limits = AssemblyLimits { bytes_max: 1_500, open_max: 3, completed_parts_max: 6, age_us: 100 };
        let mut assembler = Assembler::new(limits);
        let (mut now_us, mut held) = (0, 0);
        for (id, serial, total, number, len, wait_us) in parts {
            now_us += wait_us;
            let body = vec![len as u8; len];
            let part = (Header { id: 0x0700 + u16::from(id), ..header(serial, total, number) }, body);
            let mut gone = 0;
            let fed = assembler.feed(&as_frame(&part), (), now_us, |upload| gone += upload.parts.len());
            let open: usize = assembler.open().iter().map(|upload| upload.parts.len()).sum();
            // Nothing is lost in silence, but for the surplus part of a terminal that counts both from 0 and from 1.
            match fed {
                Fed::Kept => prop_assert_eq!(held + 1, open + gone),
                Fed::Complete(whole) => prop_assert!((0..2).contains(&(held + 1 - open - gone - whole.tags.len()))),
                _ => prop_assert_eq!(held, open + gone),
            }
            held = open;
            prop_assert!(assembler.bytes() <= limits.bytes_max);
            prop_assert!(assembler.open().len() <= limits.open_max);
            prop_assert!(assembler.completed().iter().map(|done| done.digests.len()).sum::<usize>() <= 6);
            prop_assert!(assembler.open().iter().all(|upload| now_us - upload.began_us < limits.age_us));
        }
        assembler.expire(i64::MAX, |_| {});
        prop_assert!(assembler.is_idle());
        prop_assert_eq!(assembler.bytes(), 0);
    }

    #[test]
    fn parts_are_the_inverse_of_assembly(body in prop::collection::vec(any::<u8>(), 0..3000), slice_len in 0..2000usize, serial in any::<u16>()) {
        let head = Header { packet: None, ..header(serial, 2, 1) };
        let parts = Upload { header: head, body: body.clone(), slice_len }.parts();
        let slice_len = slice_len.clamp(1, 1023);
        prop_assert!(parts.iter().all(|(_, slice)| slice.len() <= slice_len));
        prop_assert_eq!(parts.len(), body.len().div_ceil(slice_len).max(1));
        let mut assembler = Assembler::new(AssemblyLimits::default());
        let fed: Vec<_> = parts.iter().map(|part| assembler.feed(&as_frame(part), (), 0, |_| {})).collect();
        match fed.last() {
            Some(Fed::Complete(whole)) => prop_assert_eq!((&whole.body, whole.first_serial), (&body, serial)),
            Some(Fed::NotAPart) => prop_assert_eq!(&parts[0].1, &body),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}

#[test]
fn serials_say_how_they_were_counted() {
    let mut assembler = Assembler::new(AssemblyLimits::default());
    let _ = feed(&mut assembler, (7, 9, 3, b""));
    assert_eq!(assembler.open()[0].key.serials, Serials::Counted { origin: 4 });
    let _ = feed(&mut assembler, (7, 9, 4, b""));
    assert_eq!(assembler.open()[0].key.serials, Serials::Constant { serial: 7 });
}
