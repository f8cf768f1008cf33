//! What judgement stands on, through the window: roads, calendar, permits, drivers, loads, settings; drafts and void
//! revisions.

use axum::body::Body;
use axum::http::Method;
use model::ControlPort;
use serde_json::{Value, json};

use crate::support::{Answer, World, ZONE, request};

const ROADS: &str = r#"{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"LineString",
    "coordinates":[[103.8,25.5],[104.0,25.5]]},"properties":{"code":"S46","class":"expressway",
    "stakes":[[{"along_m":0,"stake":"K100"},{"along_m":20000,"stake":"K120"}]]}}]}"#;
const SLOT: &str = "2026-11-23T08:00:00+08:00/2026-11-23T10:00:00+08:00";

async fn import(world: &World, kind: &str, content_type: &str, file: &str) -> Answer {
    let uri = format!("/api/v1/imports/{kind}");
    let body = Body::from(file.to_owned());
    world.send(request(&world.admin, Method::POST, &uri, content_type, body)).await
}

fn report(rows: u32, created: u32, updated: u32, unchanged: u32) -> Value {
    json!({"rows": rows, "created": created, "updated": updated, "unchanged": unchanged})
}

async fn items(world: &World, uri: &str) -> Vec<Value> {
    world.get(&world.admin, uri).await.is(200).json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn stake_ranges_become_a_zone_along_an_imported_road() {
    let world = World::new().await;
    let csv = "name,road,from,to,title\n两段,S46,K101,K103+500,通告\n两段,S46,K110,K112,\n";
    let refused = import(&world, "zones", "text/csv", csv).await.refused(422, "road");
    assert_eq!(refused["errors"].as_array().unwrap().len(), 2);
    let done = import(&world, "roads", "application/geo+json", ROADS).await.is(200).json();
    assert_eq!(done, report(1, 1, 0, 0));
    let again = import(&world, "roads", "application/geo+json", ROADS).await.is(200).json();
    assert_eq!(again, report(1, 0, 0, 1));
    let roads = items(&world, "/api/v1/roads").await;
    assert_eq!(roads[0]["properties"]["stakes"][0][1]["stake"], "K120+000");

    assert_eq!(import(&world, "zones", "text/csv", csv).await.is(200).json(), report(1, 1, 0, 0));
    assert_eq!(import(&world, "zones", "text/csv", csv).await.is(200).json(), report(1, 0, 0, 1));
    let zones = items(&world, "/api/v1/zones?kind=danger_section").await;
    assert_eq!(zones[0]["geometry"]["coordinates"].as_array().unwrap().len(), 2);
    assert_eq!(zones[0]["properties"]["place"], "S46 K101+000 至 K103+500；S46 K110+000 至 K112+000");
    let id = roads[0]["id"].as_str().unwrap();
    world.ask(&world.admin, Method::DELETE, &format!("/api/v1/roads/{id}")).await.is(204);
    assert_eq!(items(&world, "/api/v1/roads").await.len(), 0);
}

#[tokio::test]
async fn the_calendar_is_imported_once() {
    let world = World::new().await;
    let csv = "date,kind,name\n2026-10-01,holiday,国庆节\n2026-10-10,workday,\n";
    assert_eq!(import(&world, "calendar", "text/csv", csv).await.is(200).json(), report(2, 2, 0, 0));
    let changed = csv.replace("国庆节", "国庆");
    assert_eq!(import(&world, "calendar", "text/csv", &changed).await.is(200).json(), report(2, 0, 1, 1));
    let days = items(&world, "/api/v1/calendar").await;
    assert_eq!(days[0], json!({"date": "2026-10-01", "kind": "holiday", "name": "国庆"}));
    import(&world, "calendar", "text/csv", "date,kind\n2026-13-01,holiday\n").await.refused(422, "date");
}

#[tokio::test]
async fn permits_are_seen_by_their_carrier_only() {
    let world = World::new().await;
    let file = format!(
        "number,kind,vehicles,zones,slots\n1,pass,{};{},{ZONE},{SLOT}\n2,filed,{},,{SLOT}\n",
        world.ours.plate, world.theirs.plate, world.theirs.phone
    );
    assert_eq!(import(&world, "permits", "text/csv", &file).await.is(200).json(), report(2, 2, 0, 0));
    assert_eq!(import(&world, "permits", "text/csv", &file).await.is(200).json(), report(2, 0, 0, 2));
    let all = items(&world, "/api/v1/permits").await;
    assert_eq!(all.len(), 2);
    let seen = world.get(&world.ours.token, "/api/v1/permits").await.is(200);
    assert_eq!(seen.json()["items"].as_array().unwrap().len(), 1);
    assert!(!seen.text.contains(&world.theirs.vehicle.to_string()), "{}", seen.text);

    let one = all.iter().find(|permit| permit["number"] == "1").unwrap();
    let uri = format!("/api/v1/permits/{}/revoke", one["id"].as_str().unwrap());
    let revoked = world.post(&world.admin, &uri, json!({"reason": "超载"})).await.is(200).json();
    assert_eq!((&revoked["revoked_because"], revoked["revoked_at"].is_string()), (&json!("超载"), true));
    world.post(&world.ours.token, &uri, json!({"reason": "x"})).await.refused(403, "");
    let bad =
        format!("number,kind,vehicles,zones,slots\n3,pass,云A00000:2,,{SLOT}\n4,pass,{},桥,{SLOT}\n", world.ours.plate);
    let problem = import(&world, "permits", "text/csv", &bad).await.refused(422, "vehicles");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 2);
    let made = json!({"number": "5", "kind": "notified", "vehicles": [world.ours.vehicle.to_string()],
        "slots": [{"from": "2026-11-23T08:00:00+08:00", "to": "2026-11-23T10:00:00+08:00"}]});
    world.post(&world.admin, "/api/v1/permits", made.clone()).await.is(201);
    let mut bad = made;
    bad["kind"] = json!("visa");
    world.post(&world.admin, "/api/v1/permits", bad).await.refused(422, "kind");
}

#[tokio::test]
async fn drivers_and_loads_hold_from_an_instant_on() {
    let world = World::new().await;
    let csv = "name,certificate,phone\n李,5303,138\n";
    assert_eq!(import(&world, "drivers", "text/csv", csv).await.is(200).json(), report(1, 1, 0, 0));
    assert_eq!(items(&world, "/api/v1/drivers").await[0]["certificate"], "5303");
    let vehicle = format!("/api/v1/vehicles/{}", world.ours.vehicle);
    let from = "2026-11-23T08:00:00+08:00";
    world.post(&world.admin, &format!("{vehicle}/driver"), json!({"driver": "5303", "from": from})).await.is(204);
    let nobody = json!({"driver": "9", "from": from});
    world.post(&world.admin, &format!("{vehicle}/driver"), nobody).await.refused(422, "driver");
    let loads = format!("{vehicle}/loads");
    let goods = json!([{"un": "UN1005", "division": "2.3", "highly_toxic": true, "name": "氨"}]);
    let load = json!({"from": from, "state": "loaded", "goods": goods, "source": "运单 1"});
    world.post(&world.admin, &loads, load).await.is(204);
    let read = world.get(&world.ours.token, &loads).await.is(200).json();
    assert_eq!((&read["items"][0]["goods"][0]["un"], &read["items"][0]["state"]), (&json!("UN1005"), &json!("loaded")));
    let bad = json!({"from": from, "state": "loaded", "goods": [{"division": "12"}]});
    world.post(&world.admin, &loads, bad).await.refused(422, "goods[0].division");
    world.post(&world.admin, &loads, json!({"from": from, "state": "half"})).await.refused(422, "state");
}

#[tokio::test]
async fn settings_keep_what_they_were() {
    let world = World::new().await;
    let put = async |key: &str, value: &str| {
        let uri = format!("/api/v1/settings/{key}");
        let body = Body::from(json!({"value": value}).to_string());
        world.send(request(&world.admin, Method::PUT, &uri, "application/json", body)).await
    };
    let set = put("rules.V01.limit_kmh", "60").await.is(200).json();
    assert_eq!((&set["value"], &set["default"], &set["min"]), (&json!("60"), &json!("80"), &json!(5)));
    assert_eq!(set["history"].as_array().unwrap().len(), 1);
    put("zones.two_person", "true").await.is(200);
    put("rules.V01.colour", "1").await.refused(404, "");
    put("journal.secret", "1").await.refused(404, "");
    world.get(&world.ours.token, "/api/v1/settings").await.refused(403, "");
    let listed = items(&world, "/api/v1/settings").await;
    assert!(listed.iter().any(|s| s["key"] == "zones.two_person" && s["value"] == "true"));
}

#[tokio::test]
async fn drafts_are_released_and_wrong_revisions_are_void() {
    let world = World::new().await;
    let circle = json!({"type": "Feature", "geometry": {"type": "Point", "coordinates": [103.8, 25.5]},
        "properties": {"name": "库", "radius_m": 300, "rules": [{"type": "no_stopping"}]}});
    let drafted = world.post(&world.admin, "/api/v1/zone-drafts", circle).await.is(201).json();
    assert_eq!(drafted["properties"]["drafted_by"], "admin");
    let id = drafted["id"].as_str().unwrap();
    world.get(&world.admin, &format!("/api/v1/zones/{id}")).await.refused(404, "");
    assert_eq!(items(&world, "/api/v1/zone-drafts").await.len(), 1);
    let released =
        world.post(&world.admin, &format!("/api/v1/zone-drafts/{id}/release"), json!({})).await.is(200).json();
    assert_eq!(released["properties"]["rules"][0], json!({"number": 1, "type": "no_stopping", "after_s": 120}));
    assert_eq!(items(&world, "/api/v1/zone-drafts").await.len(), 0);
    let void = format!("/api/v1/zones/{id}/void");
    world.post(&world.admin, &void, json!({"revision": 1, "reason": "错库"})).await.is(204);
    world.get(&world.admin, &format!("/api/v1/zones/{id}")).await.refused(404, "");
    let uri = format!("/api/v1/zone-drafts/{ZONE}");
    world.ask(&world.admin, Method::DELETE, &uri).await.refused(404, "");
}

#[tokio::test]
async fn refusals_of_drawings_are_drawn() {
    let world = World::new().await;
    let kml = |corner: &str| {
        format!(
            "<kml><Document><Placemark><name>园</name><Polygon><outerBoundaryIs><LinearRing><coordinates>103.8,25.5 \
             {corner} 103.9,25.5 103.8,25.6 103.8,25.5</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>\
             </Document></kml>"
        )
    };
    let media = "application/vnd.google-earth.kml+xml";
    let problem = import(&world, "zones", media, &kml("103.9,25.6")).await.refused(422, "geometry.coordinates");
    let drawn = &problem["drawing"]["features"][0];
    assert_eq!((&drawn["properties"]["row"], &drawn["geometry"]["type"]), (&json!(1), &json!("MultiLineString")));
    assert_eq!(drawn["geometry"]["coordinates"][0], json!([[103.8, 25.5], [103.9, 25.6]]));
    assert_eq!(import(&world, "zones", media, &kml("103.85,25.4")).await.is(200).json(), report(1, 1, 0, 0));
    import(&world, "zones", "application/zip", "no zip").await.refused(422, "");
    import(&world, "zones", "text/html", "").await.refused(415, "Content-Type");
}

#[tokio::test]
async fn with_two_persons_imported_zones_are_drafts() {
    let world = World::new().await;
    let body = Body::from(json!({"value": "true"}).to_string());
    world
        .send(request(&world.admin, Method::PUT, "/api/v1/settings/zones.two_person", "application/json", body))
        .await
        .is(200);
    let circle = r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[103.8,25.5]},"properties":{"name":"站","radius_m":30}}"#;
    assert_eq!(import(&world, "zones", "application/geo+json", circle).await.is(200).json(), report(1, 1, 0, 0));
    assert_eq!(import(&world, "zones", "application/geo+json", circle).await.is(200).json(), report(1, 0, 0, 1));
    let drafts = items(&world, "/api/v1/zone-drafts").await;
    assert_eq!((drafts.len(), &drafts[0]["properties"]["name"]), (1, &json!("站")));
    assert_eq!(
        items(&world, "/api/v1/zones").await.iter().filter(|zone| zone["properties"]["name"] == "站").count(),
        0
    );
}

#[tokio::test]
async fn carriers_and_dated_bindings_are_imported() {
    let world = World::new().await;
    let csv = "name,id\n新运输,\n";
    assert_eq!(import(&world, "carriers", "text/csv", csv).await.is(200).json(), report(1, 1, 0, 0));
    assert_eq!(import(&world, "carriers", "text/csv", csv).await.is(200).json(), report(1, 0, 0, 1));
    import(&world, "carriers", "text/csv", "name,id\nx,k_0000000000009\n").await.refused(422, "id");

    let (plate, colour, other) = (&world.ours.plate.text, 2, &world.theirs.plate.text);
    let file = format!(
        "phone,plate,colour,from,maker\n19900000001,{other},{colour},2026-01-01,M\n19900000001,{plate},{colour},2026-03-01 08:00,\n"
    );
    assert_eq!(import(&world, "terminals", "text/csv", &file).await.is(200).json(), report(2, 2, 0, 0));
    assert_eq!(import(&world, "terminals", "text/csv", &file).await.is(200).json(), report(2, 0, 0, 2));
    let bindings = world.control.registry().terminal("19900000001".parse().unwrap()).unwrap().bindings.clone();
    let from: Vec<_> = bindings.iter().map(|binding| binding.from.to_string()).collect();
    assert_eq!(from, ["2026-01-01T00:00:00+08:00", "2026-03-01T08:00:00+08:00"]);

    let vehicle = format!("/api/v1/vehicles/{}/history", world.ours.vehicle);
    let history = world.get(&world.ours.token, &vehicle).await.is(200).json();
    let bound = json!({"phone": "19900000001", "from": "2026-03-01T08:00:00+08:00", "to": null});
    assert!(history["terminals"].as_array().unwrap().contains(&bound), "{history}");
    world.get(&world.theirs.token, &vehicle).await.refused(404, "");

    let first: String = file.lines().take(2).map(|line| format!("{line}\n")).collect();
    import(&world, "terminals", "text/csv", &first).await.refused(422, "from");
    let later = format!("phone,plate,colour,from\n19900000001,{plate},{colour},\n");
    assert_eq!(import(&world, "terminals", "text/csv", &later).await.is(200).json(), report(1, 0, 0, 1));
    let unknown = format!("phone,plate,colour\n19900000002,云A00000,{colour}\n");
    import(&world, "terminals", "text/csv", &unknown).await.refused(422, "plate");
}
