//! The contract for the outside: command line, exit codes, registry, commands to the cab, errors that help.

use std::time::{Duration, Instant};

use hazwatch_tests::server::{Client, Server, Setup, run};
use hazwatch_tests::truck::{Sent, Truck};
use jt808::{Edition, GeneralResponse, Message};
use serde_json::{Value, json};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn exit_codes_and_errors_help() {
    let missing = run(&["serve", "--config", "no-such-file.toml"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("no-such-file.toml"));
    assert_eq!(run(&["serv"]).status.code(), Some(2));
    assert_eq!(run(&["verify", "--data", "no-such-folder"]).status.code(), Some(2));
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/hazwatch.example.toml");
    let checked = run(&["check-config", example]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    for command in [
        "serve",
        "demo",
        "simulate",
        "decode",
        "import",
        "command",
        "case",
        "zone",
        "replay",
        "verify",
        "prove",
        "backup",
        "restore",
        "user",
        "check-config",
    ] {
        let help = run(&[command, "--help"]);
        assert!(help.status.success() && text(&help.stdout).contains("Example"), "{command}");
    }
}

#[test]
fn decode_prints_one_object_a_frame() {
    let mut truck = Truck::new("013912345678", "云D12345", Edition::V2013);
    let (_, frame) = truck.frame(&Message::Heartbeat(jt808::Empty::default()));
    let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
    let output = run(&["decode", "--json", &hex]);
    assert!(output.status.success());
    let object: Value = serde_json::from_str(&text(&output.stdout)).expect("JSON");
    assert_eq!((&object["id"], &object["check_ok"], &object["error"]), (&json!("0x0002"), &json!(true), &Value::Null));
    let bad = run(&["decode", "--json", "7e00zz7e"]);
    assert_eq!(bad.status.code(), Some(1));
    let object: Value = serde_json::from_str(&text(&bad.stdout)).expect("JSON");
    assert!(object["error"].is_object(), "{object}");
}

#[test]
fn a_data_folder_has_one_user_and_a_broken_record_is_named() {
    let folder = tempfile::tempdir().expect("folder");
    let data = folder.path().join("data");
    let server = Server::start(&data, &Setup::default());
    let path = data.to_str().expect("path");
    let held = run(&["verify", "--data", path]);
    assert_eq!(held.status.code(), Some(1));
    assert!(text(&held.stderr).contains(&server.pid().to_string()), "{}", text(&held.stderr));
    let mut truck = Truck::new("013912345678", "云D12345", Edition::V2013);
    truck.connect(&server.jt808).expect("connects");
    server.stop();
    assert!(run(&["verify", "--data", path]).status.success());
    let segment = data.join("journal/frames/00000000000000000001.hwj");
    let mut bytes = std::fs::read(&segment).expect("segment");
    bytes[300] ^= 4;
    std::fs::write(&segment, bytes).expect("written");
    let broken = run(&["verify", "--data", path]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(text(&broken.stderr).contains("first broken record"), "{}", text(&broken.stderr));
}

#[test]
fn a_real_terminal_is_refused_listed_admitted_and_served() {
    let folder = tempfile::tempdir().expect("folder");
    let server = Server::start(&folder.path().join("data"), &Setup { registry: true, ..Setup::default() });
    let admin = server.admin();
    let mut truck = Truck::new("013912345678", "云D12345", Edition::V2019);
    truck.dial(&server.jt808).expect("dials");
    assert_eq!(truck.register().expect("answered"), Err(4), "no such terminal");
    let unknown = admin.get("/api/v1/terminals/unknown").expect("listed");
    let entry = &unknown["items"][0];
    assert_eq!(entry["phone"], json!("13912345678"), "{unknown}");
    assert!(entry.to_string().contains("云D12345"), "{unknown}");
    let admit = json!({"plate": "云D12345", "colour": 2, "carrier": "曲靖危运"});
    admin.post("/api/v1/terminals/013912345678/admit", &admit).expect("admitted");
    truck.hang_up();
    truck.connect(&server.jt808).expect("served");
    let sent = Sent { time_s: 1_795_000_000, lat_e6: 25_500_000, lon_e6: 103_800_000 };
    assert_eq!(truck.report(&[sent]).expect("answered"), 0);
    let track = admin.get(
        "/api/v1/vehicles/%E4%BA%91D12345:2/track?from=2026-11-01T00:00:00%2B08:00&to=2026-12-01T00:00:00%2B08:00",
    );
    assert_eq!(track.expect("track")["fixes"].as_array().map(Vec::len), Some(1));
    let csv = "plate,colour,carrier,phone\n云D54321,2,曲靖危运,013900000009\n";
    admin.post_as("/api/v1/imports/vehicles", "text/csv", csv).expect("imported");
    let mut imported = Truck::new("013900000009", "云D54321", Edition::V2013);
    imported.connect(&server.jt808).expect("served");
    admin.post("/api/v1/terminals/013900000009/revoke", &json!({})).expect("revoked");
    assert!(imported.connect(&server.jt808).is_err(), "its code is void");
    server.stop();
}

#[test]
fn a_text_reaches_the_cab_and_its_answer_is_known() {
    let folder = tempfile::tempdir().expect("folder");
    let server = Server::start(&folder.path().join("data"), &Setup::default());
    let admin = server.admin();
    let mut truck = Truck::new("013912345678", "云D12345", Edition::V2013);
    truck.connect(&server.jt808).expect("connects");
    let body = json!({"type": "text", "text": "前方禁行，请绕行", "urgent": true, "spoken": true});
    let command = admin.post("/api/v1/vehicles/013912345678/commands", &body).expect("taken");
    let (header, message) = truck.receive().expect("sent");
    let Message::Text(received) = message else { panic!("{message:?}") };
    assert_eq!(received.text.decode(), "前方禁行，请绕行");
    let answer = GeneralResponse { answered_serial: header.serial, answered_id: 0x8300, result: 0 };
    truck.send(&Message::TerminalGeneral(answer)).expect("sent");
    let path = format!("/api/v1/commands/{}", command["id"].as_str().expect("id"));
    let state = wait(&admin, &path, |command| command["state"] == json!("acknowledged"));
    assert!(state["answered_at"].is_string(), "{state}");
    server.stop();
}

#[test]
fn entering_a_forbidden_zone_is_reported_and_warned_in_the_cab() {
    let folder = tempfile::tempdir().expect("folder");
    let server = Server::start(&folder.path().join("data"), &Setup::default());
    let admin = server.admin();
    let zone = json!({"type": "Feature", "properties": {"name": "白石江特大桥", "kind": "very_large_bridge",
        "rules": [{"type": "forbidden"}], "half_width_m": 20, "valid_from": "2026-01-01T00:00:00+08:00"},
        "geometry": {"type": "LineString", "coordinates": [[103.800, 25.5], [103.802, 25.5]]}});
    admin.post("/api/v1/zones", &zone).expect("zone");
    let mut truck = Truck::new("013912345678", "云D12345", Edition::V2013);
    truck.connect(&server.jt808).expect("connects");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("now").as_secs() as i64;
    // About 500 m in 30 s: the bridge of 200 m lies between two reports.
    for (step, lon_e6) in [103_793_500, 103_798_500, 103_803_500, 103_808_500].into_iter().enumerate() {
        let sent = Sent { time_s: now - 90 + 30 * step as i64, lat_e6: 25_500_000, lon_e6 };
        assert_eq!(truck.report(&[sent]).expect("answered"), 0);
    }
    let violations = admin.get("/api/v1/violations").expect("listed");
    let violation = &violations["items"][0];
    assert_eq!(violation["kind"], json!("V06"), "{violations}");
    assert!(violation["started_at"].is_string() && violation["ended_at"].is_string(), "{violation}");
    assert_eq!(violation["detected_late"], json!(false));
    let (_, message) = truck.receive().expect("warned");
    let Message::Text(text) = message else { panic!("{message:?}") };
    assert!(text.text.decode().contains("白石江特大桥"), "{}", text.text.decode());
    let visits = admin.get(&format!("/api/v1/zones/{}/visits", violation["zone"]["id"].as_str().unwrap_or_default()));
    assert_eq!(visits.expect("visits")["items"].as_array().map(Vec::len), Some(1));
    let from = "2026-11-01T00:00:00%2B08:00";
    let frames = admin.get(&format!("/api/v1/terminals/013912345678/frames?from={from}&limit=50")).expect("frames");
    let ids = frames["items"].to_string();
    assert!(ids.contains("0x0200") && ids.contains("0x8300") && ids.contains("0x0100"), "{ids}");
    server.stop();
}

fn wait(client: &Client, path: &str, done: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let value = client.get(path).expect("readable");
        if done(&value) {
            return value;
        }
        assert!(Instant::now() < deadline, "{value}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
