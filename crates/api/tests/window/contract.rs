//! What the contract says of single routes, and of refusals.

use axum::body::Body;
use axum::http::Method;
use serde_json::json;

use crate::support::{NOON, PASSWORD, World, fix, request};
use model::ControlError;
use std::sync::atomic::Ordering;

const DAY: &str = "from=2026-11-23T00:00:00%2B08:00&to=2026-11-24T00:00:00%2B08:00";

#[test]
fn the_description_is_the_golden_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let now = api::openapi_json() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &now).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    assert!(golden == now, "openapi.json differs: review the change and run with UPDATE_GOLDEN=1");
}

#[tokio::test]
async fn sessions_begin_and_end() {
    let world = World::new().await;
    let body = json!({"username": "user-1", "password": PASSWORD});
    let session = world.post("", "/api/v1/sessions", body).await.is(201).json();
    assert_eq!(
        session["user"],
        json!({"name": "user-1", "role": "carrier",
        "carrier": {"id": world.ours.carrier.to_string(), "name": "carrier-1"}})
    );
    assert_eq!(session["expires_at"], "2026-11-24T00:00:00+08:00");
    let token = session["token"].as_str().unwrap();
    world.get(token, "/api/v1/vehicles").await.is(200);
    world.ask(token, Method::DELETE, "/api/v1/sessions/current").await.is(204);
    world.get(token, "/api/v1/vehicles").await.refused(401, "");
}

#[tokio::test]
async fn failed_logins_are_limited() {
    let world = World::new().await;
    let wrong = || json!({"username": "admin", "password": "wrong"});
    for _ in 0..10 {
        world.post("", "/api/v1/sessions", wrong()).await.refused(401, "");
    }
    let right = || json!({"username": "admin", "password": PASSWORD});
    let answer = world.post("", "/api/v1/sessions", right()).await;
    answer.refused(429, "");
    assert_eq!(answer.header("retry-after"), "60");
    world.post("", "/api/v1/sessions", json!({"username": "user-1", "password": PASSWORD})).await.is(201);
    *world.now.lock() = NOON.plus_us(60_000_000);
    for _ in 0..20 {
        world.post("", "/api/v1/sessions", right()).await.is(201);
    }
}

#[tokio::test]
async fn a_track_has_its_shape() {
    let world = World::new().await;
    let us = &world.ours;
    let track = world.get(&us.token, &format!("/api/v1/vehicles/{}/track?{DAY}", us.plate)).await.is(200).json();
    assert_eq!(track["vehicle"], json!({"id": us.vehicle.to_string(), "plate": "云D12341", "colour": 2}));
    assert_eq!(track["fixes"].as_array().unwrap().len(), 3);
    let expect = json!({"time": "2026-11-23T12:00:01+08:00", "received_at": "2026-11-23T12:00:01.25+08:00",
        "lon": 103.790_001, "lat": 25.5, "speed_kmh": 60.5, "direction_deg": 90, "altitude_m": 1900, "alarm": 0,
        "status": 3, "mileage_km": 1234.5, "marks": [], "sources": [{"terminal": us.phone.to_string(),
        "place": "0/2/0", "received_at": "2026-11-23T12:00:01.25+08:00"}]});
    assert_eq!(track["fixes"][1], expect);
    // `from` inclusive, `to` exclusive; an unencoded plus is understood.
    let span = "from=2026-11-23T12:00:01+08:00&to=2026-11-23T04:00:02Z";
    let uri = format!("/api/v1/vehicles/{}/track?{span}", us.vehicle);
    assert_eq!(world.get(&us.token, &uri).await.is(200).json()["fixes"], json!([expect]));
    let gcj = world.get(&us.token, &format!("{uri}&crs=gcj02")).await.is(200).json();
    let lon = gcj["fixes"][0]["lon"].as_f64().unwrap();
    assert!((0.001..0.003).contains(&(lon - 103.790_001)), "{lon}");
}

#[tokio::test]
async fn tracks_come_as_files() {
    let world = World::new().await;
    for (format, kind, part) in [
        ("csv", "text/csv; charset=utf-8; header=present", "云D12341:2,2026-11-23T12:00:00+08:00,"),
        ("gpx", "application/gpx+xml", "<time>2026-11-23T04:00:02Z</time>"),
        ("geojson", "application/geo+json", "\"LineString\""),
    ] {
        let uri = format!("/api/v1/vehicles/{}/track?{DAY}&format={format}", world.ours.phone);
        let answer = world.get(&world.admin, &uri).await.is(200);
        assert_eq!(answer.header("content-type"), kind);
        assert!(answer.header("content-disposition").ends_with(&format!(".{format}\"")));
        assert!(answer.text.contains(part), "{}", answer.text);
    }
}

#[tokio::test]
async fn tracks_are_whole_or_refused() {
    let world = World::with(api::Config { track_fixes_max: 2, ..api::Config::default() }).await;
    let track = |query: &str| format!("/api/v1/vehicles/{}/track?{query}", world.ours.vehicle);
    for (query, status, field) in [
        (DAY, 413, "to"),
        ("from=2026-10-01T00:00:00Z&to=2026-11-01T00:00:00.000001Z", 413, "to"),
        ("from=2026-10-01T00:00:00Z", 400, "to"),
        ("to=2026-10-01T00:00:00Z", 400, "from"),
        ("from=&to=2026-10-01T00:00:00Z", 400, "from"),
        ("from=2026-10-01&to=2026-10-02T00:00:00Z", 400, "from"),
        ("from=2026-10-02T00:00:00Z&to=2026-10-02T00:00:00Z", 400, "from"),
        ("from=2026-10-01T00:00:00Z&to=2026-10-02T00:00:00Z&format=kml", 400, "format"),
        ("from=2026-10-01T00:00:00Z&to=2026-10-02T00:00:00Z&until=1", 400, "until"),
        ("from=2026-10-01T00:00:00Z&from=2026-10-01T00:00:00Z&to=2026-10-02T00:00:00Z", 400, "from"),
    ] {
        world.get(&world.admin, &track(query)).await.refused(status, field);
    }
    let month = "from=2026-10-01T00:00:00Z&to=2026-11-01T00:00:00Z";
    assert_eq!(world.get(&world.admin, &track(month)).await.is(200).json()["fixes"], json!([]));
}

#[tokio::test]
async fn a_hundred_thousand_fixes_come_through() {
    let world = World::new().await;
    let us = &world.ours;
    let many = (3..100_000).map(|i| (us.vehicle, fix(us.phone, i))).collect();
    world.store.push_fixes(0, many);
    let span = "from=2026-11-23T00:00:00Z&to=2026-11-25T12:00:00Z";
    let track = world.get(&us.token, &format!("/api/v1/vehicles/{}/track?{span}", us.vehicle)).await.is(200).json();
    assert_eq!(track["fixes"].as_array().unwrap().len(), 100_000);
}

#[tokio::test]
async fn reads_wait_for_the_views_or_say_how_far_they_are() {
    let world = World::new().await;
    world.views.behind.store(7, Ordering::Relaxed);
    let us = &world.ours;
    for uri in [
        "/api/v1/vehicles".to_owned(),
        format!("/api/v1/vehicles/{}", us.vehicle),
        format!("/api/v1/vehicles/{}/track?{DAY}", us.vehicle),
        format!("/api/v1/vehicles/{}/commands", us.vehicle),
        format!("/api/v1/commands/{}", us.command),
        "/api/v1/violations".to_owned(),
        format!("/api/v1/violations/{}", us.violation),
        format!("/api/v1/zones/{}/visits", crate::support::ZONE),
        "/api/v1/terminals/unknown".to_owned(),
        "/api/v1/events".to_owned(),
    ] {
        let answer = world.get(&world.admin, &uri).await;
        assert_eq!(answer.refused(503, "")["behind_envelopes"], 7, "{uri}");
        assert_eq!(answer.header("retry-after"), "2");
    }
}

#[tokio::test]
async fn violations_show_what_the_contract_asks() {
    let world = World::new().await;
    let us = &world.ours;
    let page = world.get(&us.token, "/api/v1/violations?kind=V06&open=true").await.is(200).json();
    assert_eq!(page["next"], json!(null));
    let violation = &page["items"][0];
    assert_eq!(violation["id"], us.violation);
    assert_eq!(violation["zone"]["name"], "特大桥");
    assert_eq!(violation["started_at"], "2026-11-23T12:00:00+08:00");
    assert_eq!(violation["ended_at"], json!(null));
    assert_eq!((&violation["confidence"], &violation["state"]), (&json!(0.9), &json!("raised")));
    assert_eq!(violation["evidence"], json!(["0/5/1"]));
    let one = world.get(&us.token, &format!("/api/v1/violations/{}", us.violation)).await.is(200).json();
    assert_eq!(one["id"], us.violation);
    assert_eq!(one["revisions"].as_array().unwrap().len(), 1);
    // A visit is a fact too, and no violation.
    let visit = model::CaseId(11).to_string();
    world.get(&us.token, &format!("/api/v1/violations/{visit}")).await.refused(404, "");
    let visits = world.get(&world.admin, &format!("/api/v1/zones/{}/visits?limit=1", crate::support::ZONE)).await;
    let visits = visits.is(200).json();
    assert_eq!(visits["items"].as_array().unwrap().len(), 1);
    let next = visits["next"].as_str().unwrap();
    let rest = world.get(&world.admin, &format!("/api/v1/zones/{}/visits?cursor={next}", crate::support::ZONE)).await;
    assert_eq!(rest.is(200).json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn frames_are_shown_with_their_decoding() {
    let world = World::new().await;
    let uri = format!("/api/v1/terminals/0{}/frames", world.ours.phone);
    let page = world.get(&world.admin, &format!("{uri}?limit=1")).await.is(200).json();
    assert_eq!(page["items"][0]["decoded"]["phone"], world.ours.phone.to_string());
    assert_eq!((&page["items"][0]["place"], &page["next"]), (&json!("9.0"), &json!("9.0")));
    let page = world.get(&world.admin, &format!("{uri}?limit=1&cursor=9.0")).await.is(200).json();
    assert_eq!((&page["items"][0]["place"], &page["next"]), (&json!("8.0"), &json!(null)));
    world.get(&world.admin, &format!("{uri}?cursor=x")).await.refused(400, "cursor");
    world.get(&world.admin, "/api/v1/terminals/xyz/frames").await.refused(400, "phone");
}

#[tokio::test]
async fn refusals_name_what_is_wrong() {
    let world = World::new().await;
    let admin = &world.admin;
    world.get(admin, "/api/v1/nothing").await.refused(404, "");
    world.get("", "/").await.refused(404, "");
    let answer = world.ask(admin, Method::DELETE, "/api/v1/vehicles").await;
    answer.refused(405, "");
    assert_eq!(answer.header("allow"), "GET, POST");
    for (uri, field) in [("?limit=0", "limit"), ("?limit=1001", "limit"), ("?limit=x", "limit"), ("?limt=5", "limt")] {
        world.get(admin, &format!("/api/v1/vehicles{uri}")).await.refused(400, field);
    }
    world.get(admin, "/api/v1/vehicles?cursor=v_1").await.refused(400, "cursor");
    world.get(admin, "/api/v1/vehicles?crs=mars").await.refused(400, "crs");
    let send = |kind: &'static str, body: &'static str| {
        world.send(request(admin, Method::POST, "/api/v1/vehicles", kind, Body::from(body)))
    };
    send("application/json", "{\"plate\":").await.refused(400, "plate");
    send("application/json", "").await.refused(400, "");
    send("application/json", "{}x").await.refused(422, "plate");
    send("application/json", "{\"plate\":\"云D1\",\"colour\":2}x").await.refused(400, "");
    send("application/json", "{\"plate\":\"云D1\"}").await.refused(422, "colour");
    send("application/json", "{\"plate\":\"云D1\",\"colour\":\"2\"}").await.refused(422, "colour");
    send("application/json", "{\"plate\":\"云D1\",\"colour\":2,\"color\":2}").await.refused(422, "color");
    send("text/plain", "{}").await.refused(415, "Content-Type");
    send("", "{}").await.refused(415, "Content-Type");
    let large = Body::from(vec![b' '; (1 << 20) + 1]);
    world.send(request(admin, Method::POST, "/api/v1/vehicles", "application/json", large)).await.refused(413, "");
    let endless = Body::from_stream(futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>("    ")));
    world.send(request(admin, Method::POST, "/api/v1/vehicles", "application/json", endless)).await.refused(413, "");
}

#[tokio::test]
async fn slow_bodies_and_slow_answers_end() {
    let short = std::time::Duration::from_millis(20);
    for (config, status) in [
        (api::Config { body_timeout: short, ..api::Config::default() }, 408),
        (api::Config { request_timeout: short, ..api::Config::default() }, 503),
    ] {
        let world = World::with(config).await;
        let never = Body::from_stream(futures_util::stream::pending::<Result<&str, std::io::Error>>());
        let answer = world.send(request(&world.admin, Method::POST, "/api/v1/zones", "application/json", never)).await;
        answer.refused(status, "");
    }
}

#[tokio::test]
async fn what_the_control_room_says_is_passed_on() {
    let world = World::new().await;
    let new = || json!({"plate": "云D7", "colour": 2});
    let unavailable = |unknown| ControlError::Unavailable { message: "disk".to_owned(), unknown };
    for (error, status, field, kind) in [
        (ControlError::Invalid { field: "plate".to_owned(), message: "no".to_owned() }, 422, "plate", "invalid"),
        (ControlError::Conflict("there is one".to_owned()), 409, "", "conflict"),
        (ControlError::NotFound("gone".to_owned()), 404, "", "not-found"),
        (unavailable(false), 503, "", "unavailable"),
        (unavailable(true), 503, "", "outcome-unknown"),
    ] {
        *world.control.failure.lock() = Some(error);
        let problem = world.post(&world.admin, "/api/v1/vehicles", new()).await.refused(status, field);
        assert_eq!(problem["type"], format!("urn:hazwatch:problem:{kind}"));
    }
    *world.control.failure.lock() = None;
    world.control.late.store(true, Ordering::Relaxed);
    let answer = world.post(&world.admin, "/api/v1/vehicles", new()).await.is(202);
    let pending = answer.json();
    assert_eq!((&pending["control_seq"], &pending["applied"]), (&json!(world.control.count()), &json!(false)));
    assert_eq!(answer.header("location"), format!("/api/v1/vehicles/{}", pending["id"].as_str().unwrap()));
}

#[tokio::test]
async fn the_service_speaks_of_itself() {
    let world = World::new().await;
    assert_eq!(world.get("", "/healthz").await.is(200).json(), json!({"status": "ok", "version": "0.0.0"}));
    world.get("", "/readyz").await.is(200);
    *world.views.not_ready.lock() = Some("the journal cannot record".to_owned());
    assert_eq!(world.get("", "/readyz").await.refused(503, "")["detail"], "the journal cannot record");
    world.ask("", Method::HEAD, "/healthz").await.is(200);
    world.get(&world.admin, &format!("/api/v1/vehicles/{}", world.ours.vehicle)).await.is(200);
    let metrics = world.get("", "/metrics").await.is(200).text;
    let line = "hazwatch_http_requests_total{method=\"GET\",route=\"/api/v1/vehicles/{id}\",status=\"200\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    assert_eq!(world.get("", "/api/openapi.json").await.is(200).text, api::openapi_json());
}
