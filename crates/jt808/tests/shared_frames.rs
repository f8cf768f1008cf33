//! The annotated frames of the wire reference, where it lies beside the repository: what we decode
//! is formatted in its notation and compared with what it prints.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use jt808::{Deframer, Edition, Frame, Message, StreamDecoder, decode_json, encode, encode_frame};
use serde_json::Value;
use std::path::Path;

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/jt808.md");
/// Its header is wrong on purpose, and the values beside it are the wrong reading.
const WRONG_HEADER: &str = "F-74";
/// A flag byte that is not escaped on the wire.
const UNESCAPED: &str = "F-15";

struct Sample {
    name: String,
    title: String,
    hex: String,
    header: String,
    body: String,
}

/// `**F-01** title`, a fenced line of hex, a line about the header, a line about the body.
fn samples(markdown: &str) -> Vec<Sample> {
    let blocks = markdown.split("\n**").skip(1);
    blocks
        .filter_map(|block| {
            let (name, title) = block.lines().next()?.split_once(' ')?;
            let name = name.trim_end_matches("**");
            let mut fenced = block.split("```");
            let hex = fenced.nth(1)?.trim();
            let mut text = fenced.next()?.trim().lines();
            let known = name.starts_with("F-") || name.starts_with('C') && hex.starts_with("7e");
            known.then(|| Sample {
                name: name.to_owned(),
                title: title.to_owned(),
                hex: hex.to_owned(),
                header: text.next().unwrap_or_default().to_owned(),
                body: text.next().unwrap_or_default().to_owned(),
            })
        })
        .collect()
}

fn with_frame<T>(hex: &str, see: impl Fn(&Frame<'_>) -> T) -> T {
    let wire: Vec<u8> =
        (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
    let mut seen = Vec::new();
    Deframer::new()
        .push(&wire, |piece| {
            assert_eq!(piece.wire, wire);
            seen.push(see(&piece.frame));
        })
        .unwrap();
    assert_eq!(seen.len(), 1, "one frame in {hex}");
    seen.remove(0)
}

/// The reference's line about the header.
fn header_line(frame: &Frame<'_>) -> String {
    let header = &frame.header;
    let edition = match header.edition {
        Edition::V2019 => "2019",
        _ => "2011/13",
    };
    let packet =
        header.packet.map_or(String::new(), |packet| format!(", packet {} of {}", packet.number, packet.total));
    format!(
        "0x{:04X}, {edition} header, phone {}, serial {}, body {}, properties 0x{:04X}{packet}.",
        header.id,
        header.phone,
        header.serial,
        frame.body.len(),
        header.props
    )
}

fn quoted(value: &Value) -> String {
    // The reference shows control characters as its own tool prints them.
    format!("'{}'", value.as_str().unwrap().replace('\u{1}', "\\x01"))
}

fn location(body: &Value) -> String {
    let time = body["time"].as_str().unwrap().replace('T', " ");
    let mut out = format!(
        "alarm=0x{:08X} status=0x{:08X} lat={:.6} lon={:.6} alt={} m speed={:.1} km/h dir={} time={}",
        body["alarm"].as_u64().unwrap(),
        body["status"].as_u64().unwrap(),
        body["lat"].as_f64().unwrap(),
        body["lon"].as_f64().unwrap(),
        body["altitude_m"],
        body["speed_kmh"].as_f64().unwrap(),
        body["direction_deg"],
        time.trim_end_matches(":00")
    );
    let items = body["items"].as_array().unwrap();
    if !items.is_empty() {
        out += " items:";
    }
    for item in items {
        let raw = item["raw"].as_str().unwrap();
        let id = item["id"].as_str().unwrap();
        out += &format!(" {id}[{}]={raw}", raw.len() / 2);
    }
    out
}

fn driver(body: &Value) -> String {
    let bcd: String = body["time"].as_str().unwrap()[2..19].chars().filter(char::is_ascii_digit).collect();
    let mut out = format!(
        "status={} time={bcd} read={} name={} cert={} issuer={} valid={}",
        body["status"],
        body["read_result"],
        quoted(&body["name"]),
        quoted(&body["licence_no"]),
        quoted(&body["issuer"]),
        body["valid_until"].as_str().unwrap()
    );
    if body.get("id_card").is_some() {
        out += &format!(" idcard={}", quoted(&body["id_card"]));
    }
    out
}

/// The reference's line about the body; `None` for messages that are not read yet.
fn body_line(printed: &Value, frame: &Frame<'_>) -> Option<String> {
    let body = &printed["body"];
    Some(match frame.header.id {
        0x0001 | 0x8001 => format!(
            "ack_sn={} ack_id={} result={}",
            body["answered_serial"],
            body["answered_id"].as_str().unwrap(),
            body["result"]
        ),
        0x0005 | 0x8003 => {
            let numbers = body["numbers"].to_string().replace(',', ", ");
            format!("orig_sn={} count={} ids={numbers}", body["first_serial"], body["count"])
        }
        0x0002 | 0x0003 | 0x8201 => body["raw"].as_str().unwrap_or("empty").to_owned(),
        0x0100 => format!(
            "{}prov={} city={} maker={} model={} tid={} color={} plate={}",
            match printed["version"].as_str().unwrap() {
                "2019" => String::new(),
                shown => format!("{shown}: "),
            },
            body["province"],
            body["city"],
            quoted(&body["maker"]),
            quoted(&body["model"]),
            quoted(&body["terminal_id"]),
            body["plate_colour"],
            quoted(&body["plate"])
        ),
        0x0102 if body.get("imei").is_some() => format!(
            "code={} imei={} sw={}",
            quoted(&body["code"]),
            quoted(&body["imei"]),
            quoted(&body["software_version"])
        ),
        0x0102 => format!("code={}", quoted(&body["code"])),
        0x8100 => {
            format!("ack_sn={} result={} code={}", body["answered_serial"], body["result"], quoted(&body["code"]))
        }
        0x0200 => location(body),
        0x0201 => format!("ack_sn={} {}", body["answered_serial"], location(&body["location"])),
        0x0704 => {
            let lens = frame_item_lens(frame);
            let reports = body["reports"].as_array().unwrap().iter();
            let items: String =
                reports.zip(lens).map(|(report, len)| format!(" len={len} {{{}}}", location(report))).collect();
            format!("count={} type={}{items}", body["count"], body["kind"])
        }
        0x8300 => {
            let kind = body.get("kind").map_or(String::new(), |kind| format!(" type={kind}"));
            let flag = body["flag"].as_u64().unwrap();
            format!("flag=0x{flag:02X}{kind} text={}", quoted(&body["text"]))
        }
        0x0702 => driver(body),
        _ => return None,
    })
}

fn frame_item_lens(frame: &Frame<'_>) -> Vec<usize> {
    jt808::BatchBodies::new(frame.body)
        .map(|view| {
            let items: usize = view.items().map(|item| 2 + item.raw.len()).sum();
            jt808::BASE_LEN + items
        })
        .collect()
}

fn check_wrong_header(printed: &Value) {
    assert_eq!(printed["version"], "2019");
    assert_eq!(printed["phone"], "00000000012345678910");
    assert_eq!(printed["serial"], 1);
    assert_eq!(printed["oddities"], serde_json::json!(["bit14_missing"]));
}

/// Own vectors of the reference: what stands there in prose.
fn check_constructed(sample: &Sample, frame: &Frame<'_>, body: &Value) {
    let edition = match frame.header.edition {
        Edition::V2019 => "2019",
        _ => "2011/13",
    };
    let start = format!("{edition} header, body {}.", frame.body.len());
    assert!(sample.header.starts_with(&start), "{}", sample.name);
    let keys: &[&str] = match frame.header.id {
        0x0701 => &["content"],
        0x0702 => &["name", "id_card", "licence_no", "issuer"],
        0x8004 => &["time"],
        _ => &[],
    };
    for key in keys {
        let value = body[key].as_str().unwrap().replace('T', " ").replace('Z', " UTC");
        let prose = format!("{} {}", sample.title, sample.header);
        assert!(prose.contains(&value), "{}: {value}", sample.name);
    }
}

fn check(sample: &Sample) {
    let name = &sample.name;
    let objects = decode_json(&sample.hex);
    assert_eq!(objects.len(), 1, "{name}");
    let printed = &objects[0];
    assert_eq!(printed["check_ok"], true, "{name}");
    assert_eq!(printed["error"], Value::Null, "{name}");
    with_frame(&sample.hex, |frame| {
        if name == WRONG_HEADER {
            return check_wrong_header(printed);
        }
        assert!(frame.oddities.is_empty(), "{name}");
        if name != UNESCAPED {
            check_reencoding(sample, frame);
        }
        if name.starts_with('C') {
            return check_constructed(sample, frame, &printed["body"]);
        }
        assert_eq!(header_line(frame), sample.header, "{name}");
        if frame.header.packet.is_some() {
            assert_eq!(printed["body"], Value::Null, "{name}");
        } else if let Some(line) = body_line(printed, frame) {
            let expected = format!("Body: {line}.");
            assert!(sample.body.starts_with(&expected), "{name}\n{expected}\n{}", sample.body);
        }
    });
}

/// Frame and message are written back as they came.
fn check_reencoding(sample: &Sample, frame: &Frame<'_>) {
    let hex = |wire: &[u8]| -> String { wire.iter().map(|byte| format!("{byte:02x}")).collect() };
    let mut wire = Vec::new();
    encode_frame(&frame.header, frame.body, &mut wire).unwrap();
    assert_eq!(hex(&wire), sample.hex, "{}", sample.name);
    if frame.header.packet.is_none() {
        let message = Message::decode(&frame.header, frame.body).unwrap();
        let mut wire = Vec::new();
        encode(&frame.header, &message, &mut wire).unwrap();
        assert_eq!(hex(&wire), sample.hex, "{}", sample.name);
    }
}

/// One registration in three packets, with the values that the reference gives beside the first.
fn check_assembly(samples: &[Sample]) {
    let mut decoder = StreamDecoder::new();
    let parts = samples.iter().filter(|sample| ["F-50", "F-51", "F-52"].contains(&sample.name.as_str()));
    let mut printed: Vec<_> = parts.flat_map(|sample| decoder.line(&sample.hex)).collect();
    let whole = printed.pop().unwrap();
    assert_eq!(printed.len(), 2);
    assert!(printed.iter().all(|part| part["body"].is_null()));
    assert_eq!((&whole["body"]["plate"], &whole["body"]["maker"]), (&"甘J-123459".into(), &"id987654321".into()));
}

#[test]
fn reference_frames_read_as_printed() {
    if !Path::new(REFERENCE).exists() {
        println!("96 skipped: no wire reference beside the repository");
        return;
    }
    let markdown = std::fs::read_to_string(REFERENCE).unwrap();
    let samples = samples(&markdown);
    for sample in &samples {
        check(sample);
    }
    check_assembly(&samples);
    assert!(samples.len() >= 96, "{} samples found", samples.len());
    println!("{} frames compared", samples.len());
}
