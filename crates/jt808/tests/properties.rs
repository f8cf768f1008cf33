//! Properties of messages: no body panics, every body prints, and what is read is written back so
//! that it reads the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use jt808::{
    BatchBodies, BcdTime, Edition, Header, LocationReport, LocationView, MESSAGES, Message, Packet, Phone,
    StreamDecoder, decode_json, encode, print_frame,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn editions() -> impl Strategy<Value = Edition> {
    prop_oneof![Just(Edition::V2011), Just(Edition::V2013), Just(Edition::V2019)]
}

fn header(id: u16, edition: Edition) -> Header {
    let phone = Phone::from_digits("13912345678", edition).unwrap();
    Header::new(id, edition, phone, 7)
}

/// Bodies that are likely to get past the first fields.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![4 => 0..=9u8, 1 => any::<u8>(), 1 => 0x20..0x7fu8];
    prop::collection::vec(byte, 0..120)
}

fn check(header: &Header, body: &[u8]) {
    let Ok(message) = Message::decode(header, body) else {
        return;
    };
    assert!(!message.print(header.edition).is_null());
    let mut again = Vec::new();
    message.encode_body(header.edition, &mut again).unwrap();
    assert_eq!(Message::decode(header, &again), Ok(message));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, rng_seed: RngSeed::Fixed(808), ..Default::default() })]

    #[test]
    fn decode_encode_decode_is_decode(row in 0..MESSAGES.len(), edition in editions(), body in bodies()) {
        check(&header(MESSAGES[row].id, edition), &body);
    }

    #[test]
    fn any_message_id_is_kept(id in any::<u16>(), edition in editions(), body in bodies()) {
        let header = header(id, edition);
        let mut wire = Vec::new();
        if let Ok(message) = Message::decode(&header, &body) {
            prop_assert_eq!(message.id(), id);
            encode(&header, &message, &mut wire).unwrap();
            prop_assert_eq!(message.name() == "unknown", jt808::message_info(id).is_none());
        }
    }

    #[test]
    fn any_line_prints(line in "\\PC{0,60}", bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        prop_assert!(!decode_json(&line).is_empty());
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        prop_assert!(!decode_json(&hex).is_empty());
    }

    #[test]
    fn view_and_report_agree(body in prop::collection::vec(any::<u8>(), 28..80)) {
        let header = header(0x0200, Edition::V2013);
        let view = LocationView::new(&body).unwrap();
        let Ok(Message::Location(report)) = Message::decode(&header, &body) else {
            panic!("28 bytes are a location");
        };
        prop_assert_eq!(view.lat_e6(), report.lat_e6());
        prop_assert_eq!(view.lon_e6(), report.lon_e6());
        prop_assert_eq!(view.altitude_m(), report.altitude_m());
        prop_assert_eq!(view.time(), report.time());
        prop_assert_eq!(view.items().count(), report.items.len());
        let mut again = Vec::new();
        Message::Location(report).encode_body(Edition::V2013, &mut again).unwrap();
        prop_assert_eq!(again, body, "lossless");
    }

    #[test]
    fn a_position_survives(lat in -90_000_000..=90_000_000i32, lon in -180_000_000..=180_000_000i32, at in 946_684_800..4_102_000_000i64) {
        let time = BcdTime::from_utc_s(at).unwrap();
        let mut report = LocationReport { status: 0xf, time_bcd: time.to_bytes(), ..Default::default() };
        report.set_position(lat, lon);
        let mut body = Vec::new();
        Message::Location(report).encode_body(Edition::V2019, &mut body).unwrap();
        let view = LocationView::new(&body).unwrap();
        prop_assert_eq!((view.lat_e6(), view.lon_e6()), (lat, lon));
        prop_assert_eq!(view.time_utc_s(), Some(at));
        prop_assert!(view.is_positioned());
    }

    #[test]
    fn a_batch_yields_what_fits(lens in prop::collection::vec(28..60usize, 0..8), cut in 0..30usize) {
        let mut body = vec![0, 9, 1];
        for len in &lens {
            body.extend((*len as u16).to_be_bytes());
            body.extend(vec![1; *len]);
        }
        prop_assert_eq!(BatchBodies::new(&body).count(), lens.len());
        let shorter = body.len().saturating_sub(cut);
        prop_assert!(BatchBodies::new(&body[..shorter]).count() + 1 + cut / 30 >= lens.len());
        check(&header(0x0704, Edition::V2013), &body[..shorter]);
    }
}

/// Two terminals upload at once; only the part that completes a message has its body.
#[test]
fn the_part_that_completes_a_message_prints_its_body() {
    let body = [&[0, 2, 1, 0, 28][..], &[1; 28], &[0, 28], &[2; 28]].concat();
    let mut wire = [Vec::new(), Vec::new()];
    for (wire, digits) in wire.iter_mut().zip(["13912345678", "13912345679"]) {
        let phone = Phone::from_digits(digits, Edition::V2013).unwrap();
        let head = Header { phone, ..header(0x0704, Edition::V2013) };
        assert_eq!(jt808::encode_parts(&head, &body, 30, wire), Ok(3));
    }
    let mut frames = Vec::new();
    for wire in &wire {
        let mut own = Vec::new();
        jt808::Deframer::new().push(wire, |piece| own.push(piece.wire.to_vec())).unwrap();
        frames.push(own);
    }
    // Of the first terminal out of order and doubled.
    let order = [(0, 2), (1, 0), (0, 0), (1, 1), (0, 0), (0, 1), (1, 2)];
    let mut decoder = StreamDecoder::new();
    for (terminal, part) in order {
        let line: String = frames[terminal][part].iter().map(|byte| format!("{byte:02x}")).collect();
        let printed = decoder.line(&line);
        assert_eq!(printed.len(), 1);
        let printed = &printed[0];
        assert_eq!(printed["packet"], serde_json::json!({ "total": 3, "number": part + 1 }));
        assert!(printed["error"].is_null());
        let completes = [(0, 1), (1, 2)].contains(&(terminal, part));
        assert_eq!(printed["body"]["reports"].as_array().map(Vec::len), completes.then_some(2));
        assert_eq!(printed["body"].is_null(), !completes);
        assert!(decode_json(&line)[0]["body"].is_null(), "alone it completes nothing");
    }
}

#[test]
fn odd_parts_say_so() {
    let mut decoder = StreamDecoder::new();
    let cases: [(u16, &[u8], &[&str]); 4] =
        [(1, b"a", &[]), (1, b"a", &[]), (1, b"b", &["part_contradicts"]), (4, b"", &["packet_number_wrong"])];
    for (number, body, odd) in cases {
        let head = Header { packet: Some(Packet { total: 3, number }), ..header(0x0704, Edition::V2013) };
        let frame = jt808::Frame { header: head, body, check_ok: true, oddities: jt808::Oddities::NONE };
        assert_eq!(decoder.frame(&frame)["oddities"], serde_json::json!(odd));
        assert!(print_frame(&frame)["body"].is_null());
    }
}
