//! Golden frames: hex on the left, what is printed on the right, one a line. A change of the
//! printed contract is a diff of `golden/frames.jsonl`; `BLESS=1 cargo test` writes it anew.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use jt808::{Deframer, Direction, Edition, MESSAGES, Message, decode_json, encode, message_info};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/frames.jsonl");

fn rows() -> Vec<Value> {
    let text = std::fs::read_to_string(GOLDEN).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap()
}

fn wire(row: &Value) -> Vec<u8> {
    let hex = text(row, "hex");
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
}

#[test]
fn frames_print_as_recorded() {
    let mut lines = String::new();
    for row in rows() {
        let printed = decode_json(text(&row, "hex"));
        assert_eq!(printed.len(), 1, "{}", row["name"]);
        if std::env::var_os("BLESS").is_none() {
            // As text, because the order of keys is part of the contract.
            assert_eq!(printed[0].to_string(), row["printed"].to_string(), "{}", row["name"]);
        }
        let line = json!({ "name": row["name"], "hex": row["hex"], "printed": printed[0] });
        lines += &format!("{line}\n");
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(GOLDEN, lines).unwrap();
    }
}

#[test]
fn every_message_of_the_table_has_a_frame_in_every_edition() {
    let shown: BTreeSet<(String, String)> = rows()
        .iter()
        .filter(|row| row["printed"]["error"].is_null())
        .map(|row| {
            let printed = &row["printed"];
            (text(printed, "id").to_owned(), text(printed, "version").to_owned())
        })
        .collect();
    for info in MESSAGES {
        for edition in [Edition::V2013, Edition::V2019] {
            let key = (format!("0x{:04X}", info.id), edition.year().to_owned());
            assert!(edition < info.since || shown.contains(&key), "{key:?}");
        }
    }
    assert!(shown.contains(&("0x0100".to_owned(), "2011".to_owned())));
}

/// What is read is written back so that it reads the same.
#[test]
fn decode_encode_decode_is_decode() {
    for row in rows() {
        let mut deframer = Deframer::new();
        let check = |piece: jt808::Piece<'_>| {
            let header = piece.frame.header;
            let Ok(message) = Message::decode(&header, piece.frame.body) else {
                return;
            };
            let mut again = Vec::new();
            encode(&header, &message, &mut again).unwrap();
            let mut count = 0;
            let second = |piece: jt808::Piece<'_>| {
                assert_eq!(
                    Message::decode(&piece.frame.header, piece.frame.body).as_ref(),
                    Ok(&message),
                    "{}",
                    row["name"]
                );
                count += 1;
            };
            Deframer::new().push(&again, second).unwrap();
            assert_eq!(count, 1, "{}", row["name"]);
        };
        deframer.push(&wire(&row), check).unwrap();
    }
}

#[test]
fn hex_comes_in_many_forms() {
    let row = rows().remove(0);
    let (hex, printed) = (text(&row, "hex"), &row["printed"]);
    let spaced: Vec<String> = wire(&row).iter().map(|b| format!("{b:02X}")).collect();
    let bare = hex.trim_start_matches("7e").trim_end_matches("7e");
    let forms =
        [hex.to_uppercase(), format!("  0x{hex}\t"), spaced.join(" "), bare.to_owned(), format!("{hex}{}", &hex[2..])];
    for form in forms {
        for object in decode_json(&form) {
            assert_eq!(&object, printed, "{form}");
        }
    }
    assert_eq!(decode_json(&format!("{hex}{hex}")).len(), 2);
}

/// A dump without flags may be unescaped already; 7d01 in it is then no escape.
#[test]
fn bare_hex_may_be_unescaped() {
    for row in rows() {
        if row["printed"]["check_ok"] == json!(false) {
            continue;
        }
        let hex = text(&row, "hex");
        let content = &hex[2..hex.len() - 2];
        let mut plain = String::new();
        let mut bytes = wire(&row).into_iter().skip(1);
        while let Some(byte) = bytes.next() {
            let byte = match byte {
                0x7e => break,
                // 7d 01 is 7d, 7d 02 is 7e.
                0x7d => 0x7c + bytes.next().unwrap(),
                byte => byte,
            };
            plain += &format!("{byte:02x}");
        }
        for form in [content, &plain] {
            assert_eq!(decode_json(form), [row["printed"].clone()], "{}", row["name"]);
        }
    }
}

#[test]
fn what_is_no_frame_says_why() {
    let cases =
        [("", "hex"), ("7g", "hex"), ("7e1", "hex"), ("7e7e", "header"), ("7e02007e", "header"), ("ffff", "header")];
    for (line, field) in cases {
        let objects = decode_json(line);
        assert_eq!(objects.len(), 1, "{line}");
        assert_eq!(objects[0]["error"]["field"], field, "{line}");
        assert_eq!(objects[0]["id"], Value::Null);
        assert_eq!(objects[0]["body"], Value::Null);
    }
}

#[test]
fn ids_are_unique_and_names_are_snake_case() {
    let ids: BTreeSet<u16> = MESSAGES.iter().map(|info| info.id).collect();
    assert_eq!(ids.len(), MESSAGES.len());
    for info in MESSAGES {
        assert_eq!(message_info(info.id), Some(info));
        assert_eq!(info.id & 0x8000 != 0, info.direction == Direction::Down);
        let snake = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(info.name.chars().all(snake), "{}", info.name);
    }
}
