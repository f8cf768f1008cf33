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

#[test]
fn parts_print_their_packet_and_no_body() {
    let mut head = header(0x0200, Edition::V2013);
    let mut decoder = StreamDecoder::new();
    for number in 1..=3 {
        head.packet = Some(Packet { total: 3, number });
        let mut wire = Vec::new();
        jt808::encode_frame(&head, &[0; 10], &mut wire).unwrap();
        jt808::Deframer::new()
            .push(&wire, |piece| {
                let printed = decoder.frame(&piece.frame);
                assert_eq!(printed["packet"]["number"], number);
                assert!(printed["body"].is_null() && printed["error"].is_null());
                assert_eq!(printed, print_frame(&piece.frame));
            })
            .unwrap();
    }
}
