//! Zones through the window: made, read, changed, withdrawn, imported.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, World, ZONE, request};

fn bridge(name: &str) -> Value {
    json!({"type": "Feature",
        "geometry": {"type": "LineString", "coordinates": [[103.8, 25.5], [103.82, 25.5]]},
        "properties": {"name": name, "kind": "very_large_bridge", "rules": [{"type": "forbidden"}], "half_width_m": 15,
            "valid_from": "2026-01-01T00:00:00Z"}})
}

/// Makes a good zone a bad one.
type Spoil = fn(&mut Value);

async fn send(world: &World, method: Method, uri: &str, body: &Value, if_match: Option<&str>) -> Answer {
    let mut request = request(&world.admin, method, uri, "application/geo+json", Body::from(body.to_string()));
    if let Some(tag) = if_match {
        request.headers_mut().insert("if-match", tag.parse().unwrap());
    }
    world.send(request).await
}

#[tokio::test]
async fn a_zone_lives() {
    let world = World::new().await;
    let made = send(&world, Method::POST, "/api/v1/zones", &bridge("南盘江大桥"), None).await.is(201);
    let zone = made.json();
    let uri = format!("/api/v1/zones/{}", zone["id"].as_str().unwrap());
    assert_eq!((made.header("location"), made.header("etag")), (uri.as_str(), "\"1\""));
    let properties = &zone["properties"];
    assert_eq!((&properties["revision"], &properties["direction"]), (&json!(1), &json!("both")));
    assert_eq!(properties["valid_from"], "2026-01-01T08:00:00+08:00");
    assert_eq!(properties["recorded_at"], "2026-11-23T12:00:00+08:00");
    let read = world.get(&world.ours.token, &uri).await.is(200);
    assert_eq!((read.json(), read.header("etag")), (zone.clone(), "\"1\""));

    // What was read can be written back, in the next revision.
    let changed = send(&world, Method::PUT, &uri, &zone, Some("\"1\"")).await.is(200);
    assert_eq!((changed.json()["properties"]["revision"].clone(), changed.header("etag")), (json!(2), "\"2\""));
    send(&world, Method::PUT, &uri, &zone, Some("\"1\"")).await.refused(412, "If-Match");
    let other = format!("/api/v1/zones/{ZONE}");
    send(&world, Method::PUT, &other, &zone, None).await.refused(422, "id");

    send(&world, Method::DELETE, &uri, &json!(null), Some("\"1\"")).await.refused(412, "If-Match");
    send(&world, Method::DELETE, &uri, &json!(null), Some("\"2\"")).await.is(204);
    world.get(&world.admin, &uri).await.refused(404, "");
    send(&world, Method::PUT, &uri, &bridge("x"), None).await.refused(404, "");
    world.get(&world.admin, &format!("{uri}/visits")).await.is(200);
    world.get(&world.admin, "/api/v1/zones/z_1").await.refused(404, "");
}

#[tokio::test]
async fn bad_zones_are_refused_by_name() {
    let world = World::new().await;
    let cases: [(Spoil, &str); 6] = [
        (|zone| zone["properties"]["max_kmh"] = json!(40), "properties.max_kmh"),
        (|zone| zone["properties"]["kind"] = json!("bridge"), "properties.kind"),
        (|zone| zone["properties"]["half_width_m"] = json!(null), "properties.half_width_m"),
        (|zone| zone["properties"]["half_width_m"] = json!(-3), "properties.half_width_m"),
        (|zone| zone["geometry"]["coordinates"] = json!([[25.5, 103.8], [25.5, 103.9]]), "geometry.coordinates"),
        (|zone| zone["id"] = json!("z_000000000002d"), "id"),
    ];
    let before = world.control.count();
    for (spoil, field) in cases {
        let mut zone = bridge("x");
        spoil(&mut zone);
        send(&world, Method::POST, "/api/v1/zones", &zone, None).await.refused(422, field);
    }
    let mut zone = bridge("x");
    zone["geometry"] = json!({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]});
    zone["properties"]["half_width_m"] = json!(null);
    let problem = send(&world, Method::POST, "/api/v1/zones", &zone, None).await.refused(422, "geometry.coordinates");
    assert!(problem["detail"].as_str().unwrap().contains("ring 0, vertex 0"), "{problem}");
    assert_eq!(world.control.count(), before);
}

#[tokio::test]
async fn zones_are_listed_by_page_and_kind() {
    let world = World::new().await;
    for name in ["a", "b"] {
        send(&world, Method::POST, "/api/v1/zones", &bridge(name), None).await.is(201);
    }
    let mut seen = Vec::new();
    let mut uri = "/api/v1/zones?limit=2&kind=very_large_bridge".to_owned();
    loop {
        let page = world.get(&world.ours.token, &uri).await.is(200).json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|zone| zone["id"].to_string()));
        let Some(next) = page["next"].as_str() else { break };
        uri = format!("/api/v1/zones?limit=2&cursor={next}");
    }
    assert_eq!(seen.len(), 3);
    assert!(seen.is_sorted());
    let none = world.get(&world.ours.token, "/api/v1/zones?kind=tunnel").await.is(200).json();
    assert_eq!(none, json!({"items": [], "next": null}));
    world.get(&world.ours.token, "/api/v1/zones?kind=canal").await.refused(400, "kind");
}

#[tokio::test]
async fn collections_are_imported_whole_and_once() {
    let world = World::new().await;
    let import = async |features: Vec<Value>| {
        let body = json!({"type": "FeatureCollection", "features": features});
        send(&world, Method::POST, "/api/v1/imports/zones", &body, None).await
    };
    let mut bad = bridge("bad");
    bad["properties"]["colour"] = json!("red");
    bad["properties"]["kind"] = json!(1);
    let before = world.control.count();
    let problem = import(vec![bridge("a"), bad.clone(), bad]).await.refused(422, "properties.colour");
    let rows: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|e| e["row"].as_u64().unwrap()).collect();
    assert_eq!(rows, [2, 2, 3, 3]);
    assert_eq!(world.control.count(), before);

    let report = import(vec![bridge("a"), bridge("b")]).await.is(200).json();
    assert_eq!(report, json!({"rows": 2, "created": 2, "updated": 0, "unchanged": 0}));
    let mut known = bridge("特大桥 2");
    known["id"] = json!(ZONE.to_string());
    let report = import(vec![bridge("a"), bridge("c"), known.clone()]).await.is(200).json();
    assert_eq!(report, json!({"rows": 3, "created": 1, "updated": 1, "unchanged": 1}));
    import(vec![known.clone(), bridge("d"), known]).await.is(200);
    known_twice(&world).await;
}

/// The same zone twice with different content cannot both be the next revision.
async fn known_twice(world: &World) {
    let twice = ["x", "y"].map(|name| {
        let mut zone = bridge(name);
        zone["id"] = json!(ZONE.to_string());
        zone
    });
    let body = json!({"type": "FeatureCollection", "features": twice});
    send(world, Method::POST, "/api/v1/imports/zones", &body, None).await.refused(422, "id");
}
