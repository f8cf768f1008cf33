//! What is kept, and what vouches for it: a backup beside a running server, a restore that shows the fork, a proof of
//! one frame that nobody can alter.

use std::path::Path;
use std::time::Duration;

use hazwatch_tests::crash::read_track;
use hazwatch_tests::server::{Server, Setup, run};
use hazwatch_tests::truck::{Sent, Truck};
use jt808::Edition;
use serde_json::Value;

const T0: i64 = 1_790_000_000;
const PHONE: &str = "013900000001";

fn report(truck: &mut Truck, numbers: std::ops::Range<i64>) {
    for number in numbers {
        let sent = Sent { time_s: T0 + number, lat_e6: 25_500_000, lon_e6: 103_800_000 + number as i32 };
        assert_eq!(truck.report(&[sent]).expect("answered"), 0);
    }
}

fn sealing() -> Setup {
    Setup { environment: vec![("HAZWATCH__JOURNAL__SEAL_S".into(), "1".into())], ..Setup::default() }
}

/// Runs a command; its exit code and everything that it said.
fn command(arguments: &[&str]) -> (i32, String) {
    let output = run(arguments);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().expect("it ended by itself"), String::from_utf8(text).expect("text"))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

#[test]
fn a_backup_beside_a_running_server_is_whole_and_its_fork_shows() {
    let folder = tempfile::tempdir().expect("folder");
    let [data, backup, restored] = ["data", "backup", "restored"].map(|name| folder.path().join(name));
    let server = Server::start(&data, &sealing());
    let mut truck = Truck::new(PHONE, "云D12345", Edition::V2013);
    truck.connect(&server.jt808).expect("connects");
    report(&mut truck, 0..50);
    for from in [50, 100] {
        let (code, said) = command(&["backup", "--data", text(&data), "--into", text(&backup)]);
        assert_eq!(code, 0, "{said}");
        report(&mut truck, from..from + 50);
    }
    server.kill();

    let (code, said) = command(&["restore", "--from", text(&backup), "--data", text(&restored)]);
    assert_eq!(code, 0, "{said}");
    for (from, into) in [(&backup, &restored), (&data, &folder.path().join("new"))] {
        let (code, said) = command(&["restore", "--from", text(from), "--data", text(into)]);
        assert_eq!(code, 2, "into a folder that holds something, or from none: {said}");
    }
    // What was answered before the second backup is there, each once; the server goes on from it.
    let server = Server::start(&restored, &sealing());
    let track = read_track(&server.admin(), PHONE, T0, T0 + 1_000).expect("track");
    assert_eq!(track.len(), 100);
    truck.connect(&server.jt808).expect("its code is still good: the secrets came along");
    report(&mut truck, 200..210);
    server.stop();
    let (code, said) = command(&["verify", "--data", text(&restored), "--against", text(&data)]);
    assert!(code == 1 && said.contains("a fork"), "{said}");
    let rebuilt = folder.path().join("rebuilt");
    let (code, said) = command(&["replay", "--data", text(&restored), "--into", text(&rebuilt)]);
    assert!(code == 0 && said.contains("equal"), "{said}");
}

#[test]
fn a_proof_of_one_frame_holds_and_an_altered_one_does_not() {
    let folder = tempfile::tempdir().expect("folder");
    let data = folder.path().join("data");
    let server = Server::start(&data, &sealing());
    let mut truck = Truck::new(PHONE, "云D12345", Edition::V2013);
    truck.connect(&server.jt808).expect("connects");
    report(&mut truck, 0..3);
    let admin = server.admin();
    let frames = admin.get(&format!("/api/v1/terminals/{PHONE}/frames?limit=1")).expect("frames");
    let frame = &frames["items"][0];
    let place = frame["place"].as_str().expect("place").to_owned();
    let proof = loop {
        match admin.text(&format!("/api/v1/journal/proof?place={place}")) {
            Ok(proof) => break proof,
            Err(refused) if refused.status == 409 => std::thread::sleep(Duration::from_millis(200)),
            Err(refused) => panic!("{refused:?}"),
        }
    };
    let key: Value = admin.get("/api/v1/journal/key").expect("key");
    let key = key["public_key"].as_str().expect("hex").to_owned();
    server.stop();

    let file = folder.path().join("proof.json");
    let check = |proof: &str, more: &[&str]| {
        std::fs::write(&file, proof).expect("written");
        command(&[&["verify", "--proof", text(&file)], more].concat())
    };
    let (code, said) = check(&proof, &["--key", &key]);
    assert!(code == 0 && said.contains("PROVEN"), "{said}");
    assert!(said.contains(frame["hex"].as_str().expect("hex")), "it shows the frame: {said}");
    let (code, said) = check(&proof, &[]);
    assert!(code == 0 && said.contains("CONSISTENT ONLY"), "{said}");
    // One digit of the frame: another position.
    let hex = frame["hex"].as_str().expect("hex");
    let altered = format!("{}{}{}", &hex[..60], if &hex[60..61] == "1" { "2" } else { "1" }, &hex[61..]);
    let (code, said) = check(&proof.replace(hex, &altered), &["--key", &key]);
    assert!(code == 1 && said.contains("NOT PROVEN"), "{said}");
    // The same from the folder, without a server.
    let (code, offline) = command(&["prove", "--place", &place, "--data", text(&data)]);
    assert_eq!(code, 0, "{offline}");
    let (code, said) = check(&offline, &["--key", &key]);
    assert!(code == 0 && said.contains("PROVEN"), "{said}");
}
