//! The door and custody: platforms, deny list, holds, heads, proofs, the audit trail.

use axum::http::Method;
use serde_json::json;

use crate::support::{FILE, PLATFORM, World, request};

#[tokio::test]
async fn a_platform_is_let_in_listed_and_shut_out() {
    let world = World::new().await;
    let body = json!({"name": "省平台", "networks": ["10.30.0.0/16", "::ffff:10.31.0.1"], "vehicles": [world.ours.plate.text]});
    let made = world.post(&world.admin, "/api/v1/forwarders", body).await.is(201).json();
    assert_eq!(made["networks"], json!(["10.30.0.0/16", "10.31.0.1/32"]));
    assert_eq!(made["needs_code"], true);
    assert_eq!(made["vehicles"][0]["id"], world.ours.vehicle.to_string());
    assert_eq!(made["links"], json!([]));
    let uri = format!("/api/v1/forwarders/{}", made["id"].as_str().unwrap());
    let first = world.post(&world.admin, &format!("{uri}/code"), json!({})).await.is(200).json();
    let second = world.post(&world.admin, &format!("{uri}/code"), json!({})).await.is(200).json();
    assert_ne!(first["code"], second["code"], "a new code makes the one before void");
    let page = world.get(&world.admin, "/api/v1/forwarders?limit=1").await.is(200).json();
    let next = page["next"].as_str().expect("more than one");
    let rest = world.get(&world.admin, &format!("/api/v1/forwarders?limit=5&cursor={next}")).await.is(200).json();
    let listed = [&page["items"][0], &rest["items"][0]].map(|item| item["id"].as_str().unwrap().to_owned());
    assert!(listed.contains(&PLATFORM.to_string()) && listed.contains(&made["id"].as_str().unwrap().to_owned()));
    world.ask(&world.admin, Method::DELETE, &uri).await.is(204);
    world.get(&world.admin, &uri).await.refused(404, "");
    let link = world.get(&world.admin, &format!("/api/v1/forwarders/{PLATFORM}")).await.is(200).json();
    assert_eq!(link["links"][0]["terminals"], 800);
}

#[tokio::test]
async fn bad_networks_and_vehicles_are_named() {
    let world = World::new().await;
    for (body, status, field) in [
        (json!({"name": "x", "networks": ["10.0.0.0/40"]}), 422, "networks"),
        (json!({"name": "x", "networks": ["10.0.0.1"], "vehicles": ["云D99999"]}), 404, "vehicles"),
        (json!({"name": "x", "network": []}), 422, "network"),
    ] {
        world.post(&world.admin, "/api/v1/forwarders", body).await.refused(status, field);
    }
    world.post(&world.admin, "/api/v1/denied", json!({"network": "nowhere"})).await.refused(422, "network");
}

#[tokio::test]
async fn the_deny_list_and_holds_come_and_go() {
    let world = World::new().await;
    let deny = json!({"network": "203.0.113.7/24", "reason": "scans"});
    let denied = world.post(&world.admin, "/api/v1/denied", deny).await.is(201).json();
    assert_eq!(denied["network"], "203.0.113.0/24");
    let list = world.get(&world.admin, "/api/v1/denied").await.is(200).json();
    assert_eq!(list["items"], json!([{"network": "203.0.113.0/24", "reason": "scans"}]));
    world.ask(&world.admin, Method::DELETE, "/api/v1/denied?network=203.0.113.0/24").await.is(204);
    let list = world.get(&world.admin, "/api/v1/denied").await.is(200).json();
    assert_eq!(list["items"], json!([]));

    let hold = json!({"vehicle": world.theirs.phone.to_string(), "from": "2026-11-23T08:00:00+08:00",
        "to": "2026-11-23T20:00:00+08:00", "reason": "事故 12"});
    let made = world.post(&world.admin, "/api/v1/holds", hold).await.is(201).json();
    assert_eq!(made["vehicle"]["id"], world.theirs.vehicle.to_string());
    let uri = format!("/api/v1/holds/{}", made["id"].as_str().unwrap());
    world.ask(&world.admin, Method::DELETE, &uri).await.is(204);
    world.ask(&world.admin, Method::DELETE, &uri).await.refused(404, "");
}

#[tokio::test]
async fn heads_are_public_and_proofs_are_not() {
    let world = World::new().await;
    let page = world.get("", "/api/v1/journal/heads?limit=2").await.is(200).json();
    assert_eq!(page, json!({"items": [{"day": "2026-11-22"}, {"day": "2026-11-21"}], "next": "2026-11-21"}));
    let rest = world.get("", "/api/v1/journal/heads?limit=2&cursor=2026-11-21").await.is(200).json();
    assert_eq!(rest, json!({"items": [{"day": "2026-11-20"}], "next": null}));
    assert_eq!(world.get("", "/api/v1/journal/key").await.is(200).json(), json!({"key_id": "k"}));

    world.get("", "/api/v1/journal/proof?place=9.0").await.refused(401, "");
    assert_eq!(world.get(&world.admin, "/api/v1/journal/proof?place=9.0").await.is(200).json(), json!({"proof": 1}));
    world.get(&world.admin, "/api/v1/journal/proof?place=10.0").await.refused(409, "");
    world.get(&world.admin, "/api/v1/journal/proof?place=11.0").await.refused(404, "");
    world.get(&world.admin, "/api/v1/journal/proof?place=x").await.refused(400, "place");
    let trail = world.get(&world.admin, "/api/v1/audit?limit=1").await.is(200).json();
    let entry = &trail["items"][0];
    assert_eq!(
        (&entry["action"], &entry["subject"]),
        (&json!("record.prove"), &json!("9.0")),
        "who asked is on record"
    );
    let next = trail["next"].as_str().unwrap();
    let older = world.get(&world.admin, &format!("/api/v1/audit?cursor={next}")).await.is(200).json();
    assert!(older["items"].as_array().unwrap().iter().any(|entry| entry["action"] == "forwarder_put"));
}

#[tokio::test]
async fn the_file_of_an_import_is_kept() {
    let world = World::new().await;
    let csv = "plate,colour\n云D77777,2\n";
    let send = || request(&world.admin, Method::POST, "/api/v1/imports/vehicles", "text/csv", csv.into());
    world.send(send()).await.is(200);
    let trail = world.get(&world.admin, "/api/v1/audit?limit=1").await.is(200).json();
    let entry = &trail["items"][0];
    assert_eq!((&entry["action"], &entry["subject"]), (&json!("import.vehicles"), &json!(FILE)));
    let file = world.get(&world.admin, &format!("/api/v1/journal/blobs/{FILE}")).await.is(200);
    assert_eq!(file.text, csv);
    world.get(&world.admin, "/api/v1/journal/blobs/00").await.refused(404, "");
    let count = world.control.count();
    world.send(send()).await.is(200);
    assert_eq!(world.control.count(), count, "what changes nothing is not recorded");
}
