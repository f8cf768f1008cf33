//! Views rebuilt from the journal are the views that were made live; and the saboteurs that change them are seen.

use std::time::{SystemTime, UNIX_EPOCH};

use hazwatch_tests::Proof;
use hazwatch_tests::crash::check_folder;
use hazwatch_tests::server::{Server, Setup};
use hazwatch_tests::truck::{Sent, Truck};
use jt808::Edition;
use serde_json::json;

/// Trucks drive in and out of a forbidden circle, with late batches in between; then the server stops and the
/// folder is replayed.
fn proof(saboteur: Option<&str>) -> Proof {
    let folder = tempfile::tempdir().expect("folder");
    let data = folder.path().join("data");
    let setup = Setup::sabotaged(saboteur);
    let server = Server::start(&data, &setup);
    let admin = server.admin();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    let zone = json!({"type": "Feature",
        "properties": {"name": "Reservoir", "kind": "water_source_1", "radius_m": 300.0, "rules": [{"type": "forbidden"}],
            "valid_from": "2026-01-01T00:00:00+08:00"},
        "geometry": {"type": "Point", "coordinates": [103.8, 25.5]}});
    admin.post("/api/v1/zones", &zone).expect("zone");
    for number in 0..4 {
        let phone = format!("0138{number:08}");
        let mut truck = Truck::new(&phone, &format!("云D2000{number}"), Edition::V2013);
        truck.connect(&server.jt808).expect("connects");
        let start = now - 4000;
        // To and fro through the circle: 20 passes of 20 fixes.
        for step in 0..400i32 {
            let phase = (step % 40 - 20).abs();
            let sent = Sent {
                time_s: start + i64::from(step) * 10,
                lat_e6: 25_500_000 + number * 10,
                lon_e6: 103_790_000 + phase * 1000,
            };
            assert_eq!(truck.report(&[sent]).expect("answered"), 0);
            if step % 100 == 50 {
                let late = [1, 2, 3].map(|n| Sent { time_s: sent.time_s - n * 10 - 5, lat_e6: sent.lat_e6, ..sent });
                assert_eq!(truck.report(&late).expect("answered"), 0);
            }
        }
    }
    let violations = admin.get("/api/v1/violations?limit=1000").expect("listed");
    let count = violations["items"].as_array().map_or(0, Vec::len);
    server.stop();
    if count < 20 {
        return Err(format!("only {count} violations: the proof proves nothing"));
    }
    check_folder(&data)?;
    Ok(format!("{count} violations, replayed to the same digest"))
}

#[test]
fn replayed_views_equal_the_live_ones() {
    println!("{}", proof(None).expect("equal"));
}

#[test]
fn replay_sees_a_changed_fix() {
    let broken = proof(Some("change-fix")).expect_err("the saboteur must be seen");
    assert!(broken.contains("DIFFERENT"), "{broken}");
}

#[test]
fn replay_sees_a_changed_fact_revision() {
    let broken = proof(Some("change-fact-revision")).expect_err("the saboteur must be seen");
    assert!(broken.contains("DIFFERENT"), "{broken}");
}

#[test]
fn replay_sees_swapped_records() {
    let broken = proof(Some("swap-records")).expect_err("the saboteur must be seen");
    assert!(broken.contains("DIFFERENT") || broken.contains("proves nothing"), "{broken}");
}
