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
fn other_bytes_for_a_number_begin_another_upload() {
    let mut assembler = Assembler::new(AssemblyLimits::default());
    let mut gone = Vec::new();
    assert_eq!(feed(&mut assembler, (7, 3, 1, b"first")), Fed::Kept);
    assert_eq!(feed(&mut assembler, (9, 3, 3, b"end")), Fed::Kept);
    let other = frame((7, 3, 1, b"other"));
    assert_eq!(assembler.feed(&other, 1, 0, |upload| gone.push(upload)), Fed::Contradicts);
    let [Abandoned { why: GivenUp::Superseded, upload }] = gone.as_slice() else { panic!("{gone:?}") };
    let parts: Vec<_> = upload.parts.iter().map(|part| (part.number, &*part.body)).collect();
    assert_eq!(parts, [(1, &b"first"[..]), (3, b"end")]);
    assert_eq!(feed(&mut assembler, (7, 3, 1, b"first")), Fed::Repeated, "late, of the one before");
    assert_eq!(feed(&mut assembler, (7, 3, 1, b"other")), Fed::Repeated);
    assert_eq!(feed(&mut assembler, (8, 3, 2, b"+")), Fed::Kept);
    assert_eq!(whole(feed(&mut assembler, (9, 3, 3, b"new"))).body, b"other+new");
    assert_eq!((assembler.bytes(), assembler.resent()), (0, &[][..]));
}

/// What became of each part, a whole message by its body.
fn outcomes(assembler: &mut Assembler<u16>, parts: &[Part]) -> Vec<String> {
    let outcome = |part: &Part| match assembler.feed(&frame(*part), part.2, 0, |_| {}) {
        Fed::Complete(whole) => String::from_utf8(whole.body).unwrap(),
        other => format!("{other:?}"),
    };
    parts.iter().map(outcome).collect()
}

#[test]
fn an_upload_that_begins_like_the_one_before_it_is_whole() {
    const OLD: &[Part] = &[(7, 3, 1, b"a"), (8, 3, 2, b"b"), (9, 3, 3, b"c")];
    const OLD_PART: &[Part] = &[(7, 3, 1, b"a"), (8, 3, 2, b"b")];
    const OLD_CONSTANT: &[Part] = &[(7, 3, 1, b"a"), (7, 3, 2, b"b"), (7, 3, 3, b"c")];
    const OLD_FROM_0: &[Part] = &[(7, 3, 0, b"a"), (8, 3, 1, b"b"), (9, 3, 2, b"c")];
    type Case<'a> = (&'a [Part], &'a [Part], &'a [&'a str]);
    let cases: [Case; 10] = [
        (OLD, &[(7, 3, 1, b"a"), (8, 3, 2, b"B"), (9, 3, 3, b"C")], &["Repeated", "Kept", "aBC"]),
        (OLD, &[(7, 3, 1, b"a"), (8, 3, 2, b"b"), (9, 3, 3, b"C")], &["Repeated", "Repeated", "abC"]),
        (OLD, &[(7, 3, 1, b"A"), (8, 3, 2, b"b"), (9, 3, 3, b"C")], &["Kept", "Kept", "AbC"]),
        (OLD_CONSTANT, &[(7, 3, 1, b"a"), (7, 3, 2, b"B"), (7, 3, 3, b"C")], &["Repeated", "Kept", "aBC"]),
        (OLD_FROM_0, &[(7, 3, 0, b"a"), (8, 3, 1, b"b"), (9, 3, 2, b"C")], &["Repeated", "Repeated", "abC"]),
        // All of it came again, or the link failed over it: what begins then has none of it.
        (
            OLD,
            &[OLD[0], OLD[1], OLD[2], (7, 3, 1, b"A"), OLD[1], OLD[2]],
            &["Repeated", "Repeated", "Repeated", "Kept", "Kept", "Abc"],
        ),
        (OLD, &[OLD[0], OLD[1], (7, 3, 1, b"A"), (8, 3, 2, b"B")], &["Repeated", "Repeated", "Kept", "Kept"]),
        (
            OLD,
            &[OLD[1], OLD[0], OLD[0], (8, 3, 2, b"B"), (9, 3, 3, b"C")],
            &["Repeated", "Repeated", "Repeated", "Kept", "aBC"],
        ),
        // The one before it never became whole.
        (OLD_PART, &[OLD[0], (8, 3, 2, b"B"), (9, 3, 3, b"C")], &["Repeated", "Contradicts", "aBC"]),
        (OLD_PART, &[(7, 3, 1, b"A"), (8, 3, 2, b"B"), (9, 3, 3, b"C")], &["Contradicts", "Kept", "ABC"]),
    ];
    for (old, new, expected) in cases {
        let mut assembler = Assembler::new(AssemblyLimits::default());
        let _ = outcomes(&mut assembler, old);
        assert_eq!(outcomes(&mut assembler, new), expected, "{old:?} {new:?}");
        assert!(assembler.resent().is_empty());
    }
}

#[test]
fn what_came_again_is_bounded_and_makes_room_first() {
    const BODY: &[u8] = &[7; 400];
    let limits = AssemblyLimits { open_max: 2, bytes_max: 2_000, ..AssemblyLimits::default() };
    let mut assembler = Assembler::new(limits);
    for serial in [10, 20, 30] {
        let _ = outcomes(&mut assembler, &[(serial, 2, 1, BODY)]);
        let _ = assembler.feed(&frame((serial + 1, 2, 2, b"b")), 2, 0, |_| {});
    }
    for serial in [10, 20, 30] {
        assert_eq!(feed(&mut assembler, (serial, 2, 1, BODY)), Fed::Repeated);
    }
    assert_eq!(assembler.resent().len(), 2, "as many as may be open");
    let held = assembler.bytes();
    assert!(held > 800 && held <= limits.bytes_max);
    for (serial, left) in [(40, 2), (50, 0)] {
        for number in 1..=if left == 0 { 2 } else { 1 } {
            assert_eq!(feed(&mut assembler, (serial + number, 3, number, BODY)), Fed::Kept);
        }
        assert!(assembler.resent().len() <= left && assembler.bytes() <= limits.bytes_max);
    }
    // There is none for what comes again, either, beside what is open.
    assert_eq!(feed(&mut assembler, (41, 3, 1, BODY)), Fed::Repeated);
    assert!(assembler.resent().is_empty());
    assembler.expire(5 * MINUTE_US, |_| {});
    assert!(assembler.is_idle() && assembler.bytes() == 0);
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
    let [Abandoned { why: GivenUp::Age, upload }] = gone.as_slice() else { panic!("{gone:?}") };
    let parts: Vec<_> = upload.parts.iter().map(|part| (part.number, part.tag)).collect();
    assert_eq!((upload.began_us, parts), (0, vec![(1, 1), (2, 2)]));
    assembler.expire(10 * MINUTE_US - 1, |_| panic!("too early"));
    assembler.expire(10 * MINUTE_US, |upload| gone.push(upload));
    assert_eq!(gone[1].upload.parts[0].number, 3);
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
    let told =
        |gone: &[Abandoned<u16>]| gone.iter().map(|gone| (gone.why, gone.upload.parts[0].tag)).collect::<Vec<_>>();
    assert_eq!(told(&gone), [(GivenUp::Room, 10)]);
    // 900 bytes fit beside the others, 900 more do not; the upload itself may never be the one that makes room.
    const BIG: &[u8] = &[7; 900];
    for (serial, number) in [(40, 1), (41, 2)] {
        let fed = assembler.feed(&frame((serial, 3, number, BIG)), serial, 0, |upload| gone.push(upload));
        let alone_too_large = Fed::Refused(Refusal::TooLarge);
        assert_eq!(fed, if number == 1 { Fed::Kept } else { alone_too_large });
    }
    assert_eq!(told(&gone[1..]), [(GivenUp::Room, 20), (GivenUp::Room, 30), (GivenUp::TooLarge, 40)]);
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

/// As a restart would leave it.
fn restarted<T: Clone>(one: &Assembler<T>, limits: AssemblyLimits) -> Assembler<T> {
    Assembler::restore(limits, one.open().to_vec(), one.completed().to_vec(), one.resent().to_vec())
}

/// Of an upload under the key of another: which of its parts differ, which of them come twice, and whether all serials
/// are the same.
fn rebuilt() -> impl Strategy<Value = (Vec<bool>, Vec<bool>, bool)> {
    let part = (any::<bool>(), any::<bool>());
    (prop::collection::vec(part, 2..8), any::<bool>()).prop_map(|(parts, constant)| {
        let (differs, doubled) = parts.into_iter().unzip();
        (differs, doubled, constant)
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
        prop_assert!(assembler.open().is_empty());
        assembler.expire(i64::MAX, |_| {});
        prop_assert_eq!(assembler.bytes(), 0);
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
        let mut second = restarted(&first, limits);
        for (at, part) in parts.iter().enumerate().skip(cut) {
            prop_assert_eq!(feed(&mut first, at, part), feed(&mut second, at, part));
        }
    }

    /// A terminal sends an upload, of which some parts are lost at its end, begins its serials anew, and sends another
    /// one from its first part to its last, each perhaps twice.
    #[test]
    fn a_rebuilt_upload_is_never_lost_nor_mixed(
        (differs, doubled, constant) in rebuilt(),
        came in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        resends in 0..3usize,
    ) {
        let total = differs.len();
        let part = |number: usize, byte: u8| {
            let serial = if constant { 50 } else { 50 + number as u16 };
            (header(serial, total as u16, number as u16), vec![byte, number as u8])
        };
        let came = 1 + came.index(total);
        let old: Vec<_> = (1..=came).map(|number| part(number, b'o')).collect();
        let byte = |number: usize| if differs[number - 1] { b'n' } else { b'o' };
        let new: Vec<_> = (1..=total).map(|number| part(number, byte(number))).collect();
        let again = new.iter().zip(&doubled).flat_map(|(part, twice)| vec![part.clone(); 1 + usize::from(*twice)]);
        let sends: Vec<_> = (0..=resends).flat_map(|_| old.clone()).chain(again).collect();
        let (mut assembler, mut messages, mut gone) = (Assembler::new(generous()), Vec::new(), Vec::new());
        for (at, part) in sends.iter().enumerate() {
            if at == cut.index(sends.len()) {
                assembler = restarted(&assembler, generous());
            }
            let fed = assembler.feed(&as_frame(part), (), at as i64, |abandoned| gone.push(abandoned));
            if let Fed::Complete(whole) = fed {
                messages.push(whole.body);
            }
        }
        let body = |parts: &[(Header, Vec<u8>)]| parts.iter().flat_map(|(_, body)| body.clone()).collect::<Vec<_>>();
        let mut sent = vec![body(&new)];
        if came == total && differs.contains(&true) {
            sent.insert(0, body(&old));
        }
        prop_assert_eq!(messages, sent);
        prop_assert_eq!((assembler.open(), assembler.resent(), assembler.bytes()), (&[][..], &[][..], 0));
        // What is given up is the old one as it came.
        let superseded = came < total && differs[..came].contains(&true);
        prop_assert_eq!(gone.len(), usize::from(superseded));
        prop_assert!(gone.iter().all(|gone| gone.why == GivenUp::Superseded && gone.upload.parts.len() == came));
    }

    #[test]
    fn the_bounds_always_hold(
        parts in prop::collection::vec((any::<bool>(), 0..12u16, 0..6u16, 0..6u16, 0..300usize, 0..40i64), 0..200),
        few in any::<bool>()
    ) {
        let limits = AssemblyLimits { bytes_max: 1_500, open_max: 3, completed_parts_max: 6, age_us: 100 };
        let mut assembler = Assembler::new(limits);
        let (mut now_us, mut held) = (0, 0);
        for (id, serial, total, number, len, wait_us) in parts {
            now_us += wait_us;
            // Mostly other bytes for a number, or mostly the same.
            let len = if few { len / 150 * 150 } else { len };
            let body = vec![len as u8; len];
            let part = (Header { id: 0x0700 + u16::from(id), ..header(serial, total, number) }, body);
            let mut gone = 0;
            let resent: usize = assembler.resent().iter().map(|upload| upload.parts.len()).sum();
            let fed = assembler.feed(&as_frame(&part), (), now_us, |abandoned| gone += abandoned.upload.parts.len());
            let open: usize = assembler.open().iter().map(|upload| upload.parts.len()).sum();
            // Nothing is lost in silence, but for the surplus part of a terminal that counts both from 0 and from 1.
            // What came again may become part of an upload that begins.
            match fed {
                Fed::Kept | Fed::Contradicts => prop_assert!((0..=resent).contains(&(open + gone - held - 1))),
                Fed::Complete(whole) => {
                    prop_assert!((0..=resent + 1).contains(&(open + gone + whole.tags.len() - held)));
                }
                _ => prop_assert_eq!(held, open + gone),
            }
            held = open;
            prop_assert!(assembler.bytes() <= limits.bytes_max);
            prop_assert!(assembler.open().len() <= limits.open_max && assembler.resent().len() <= limits.open_max);
            prop_assert!(assembler.resent().iter().all(|upload| now_us - upload.began_us < limits.age_us));
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
