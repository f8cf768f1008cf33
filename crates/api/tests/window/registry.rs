//! How a registry is filled: vehicles, terminals, registers as files, users; and commands to what is in it.

use axum::body::Body;
use axum::http::Method;
use model::ControlPort;
use model::{CarrierId, Change, Scope, TerminalId, Vehicle, VehicleId};
use serde_json::json;

use crate::support::{Answer, PASSWORD, World, request};

#[tokio::test]
async fn a_vehicle_is_made_and_found_in_every_way() {
    let world = World::new().await;
    let from = world.control.count();
    let new = json!({"plate": "云d·54321", "colour": 2, "carrier": "新公司", "phone": "013900000001"});
    let made = world.post(&world.admin, "/api/v1/vehicles", new.clone()).await.is(201);
    assert_eq!(world.control.names_since(from), ["carrier_put", "vehicle_put", "terminal_put", "bind"]);
    let vehicle = made.json();
    let id = vehicle["id"].as_str().unwrap();
    assert_eq!((&vehicle["plate"], &vehicle["carrier"]["name"]), (&json!("云D54321"), &json!("新公司")));
    assert_eq!(vehicle["terminal"]["phone"], "13900000001");
    assert_eq!(made.header("location"), format!("/api/v1/vehicles/{id}"));
    for reference in [id, "云D54321:2", "云D54321", "云D·54321", "13900000001", "013900000001"] {
        let found = world.get(&world.admin, &format!("/api/v1/vehicles/{reference}")).await.is(200).json();
        assert_eq!(found["id"], id, "{reference}");
    }
    world.post(&world.admin, "/api/v1/vehicles", new).await.refused(409, "plate");
    let stolen = json!({"plate": "云D54322", "colour": 2, "phone": "13900000001"});
    world.post(&world.admin, "/api/v1/vehicles", stolen).await.refused(409, "phone");
    for (body, field) in [
        (json!({"plate": "<b>", "colour": 2}), "plate"),
        (json!({"plate": "云D1", "colour": 7}), "colour"),
        (json!({"plate": "云D1", "colour": 2, "phone": "12x"}), "phone"),
        (json!({"plate": "云D1", "colour": 2, "carrier": CarrierId(9).to_string()}), "carrier"),
    ] {
        world.post(&world.admin, "/api/v1/vehicles", body).await.refused(422, field);
    }
}

#[tokio::test]
async fn a_plate_without_colour_must_be_unique() {
    let world = World::new().await;
    let text = &world.ours.plate.text;
    world.post(&world.admin, "/api/v1/vehicles", json!({"plate": text, "colour": 1})).await.is(201);
    let uri = format!("/api/v1/vehicles/{text}");
    let problem = world.get(&world.admin, &uri).await.refused(409, "");
    assert_eq!(problem["candidates"], json!([format!("{text}:1"), format!("{text}:2")]));
    let own = world.get(&world.ours.token, &uri).await.is(200).json();
    assert_eq!(own["id"], world.ours.vehicle.to_string(), "what is not seen makes nothing ambiguous");
    world.get(&world.theirs.token, &uri).await.refused(404, "");
}

#[tokio::test]
async fn vehicles_are_listed_by_filter_and_page() {
    let world = World::new().await;
    world.views.online.lock().insert(world.ours.phone);
    let list = async |query: &str| {
        let page = world.get(&world.admin, &format!("/api/v1/vehicles?{query}")).await.is(200).json();
        let ids = page["items"].as_array().unwrap().iter().map(|v| v["plate"].as_str().unwrap().to_owned());
        (ids.collect::<Vec<_>>(), page["next"].as_str().map(str::to_owned))
    };
    let (a, b) = ("云D12341".to_owned(), "云D12342".to_owned());
    assert_eq!(list("").await, (vec![a.clone(), b.clone()], None));
    assert_eq!(list("online=true").await, (vec![a.clone()], None));
    assert_eq!(list("online=false").await, (vec![b.clone()], None));
    assert_eq!(list("plate=d1234").await.0.len(), 2);
    assert_eq!(list("plate=12342").await, (vec![b.clone()], None));
    assert_eq!(list("carrier=carrier-2").await, (vec![b.clone()], None));
    assert_eq!(list("carrier=nobody").await, (vec![], None));
    let (first, next) = list("limit=1").await;
    assert_eq!(first, [a]);
    assert_eq!(list(&format!("limit=1&cursor={}", next.unwrap())).await, (vec![b], None));
    let page = world.get(&world.ours.token, "/api/v1/vehicles?crs=wgs84").await.is(200).json();
    let vehicle = &page["items"][0];
    assert_eq!((&vehicle["online"], &vehicle["position"]["lon"]), (&json!(true), &json!(103.790_002)));
}

#[tokio::test]
async fn terminals_are_let_in_moved_and_shut_out() {
    let world = World::new().await;
    let strangers = async || {
        let page = world.get(&world.admin, "/api/v1/terminals/unknown").await.is(200).json();
        page["items"].as_array().unwrap().len()
    };
    assert_eq!(strangers().await, 2);
    let admit = async |phone: &str, body: serde_json::Value| {
        world.post(&world.admin, &format!("/api/v1/terminals/{phone}/admit"), body).await
    };
    let body = json!({"plate": "云D77", "colour": 2, "carrier": "carrier-1"});
    let from = world.control.count();
    let terminal = admit("7701", body.clone()).await.is(200).json();
    assert_eq!((&terminal["maker"], &terminal["admitted"]), (&json!("SM"), &json!(true)), "as it described itself");
    assert_eq!(terminal["vehicle"]["plate"], "云D77");
    assert_eq!(world.control.names_since(from), ["vehicle_put", "terminal_put", "bind"]);
    assert_eq!(strangers().await, 1);

    let from = world.control.count();
    admit("0007701", body.clone()).await.is(200);
    assert_eq!(world.control.names_since(from), [""; 0], "it is so already");
    admit("7701", json!({"plate": "云D78", "colour": 2})).await.is(200);
    assert_eq!(world.control.names_since(from), ["vehicle_put", "bind"]);
    let terminal = TerminalId::from_wire(&[0x77, 1]);
    assert_eq!(world.control.registry().terminal(terminal).unwrap().bindings.len(), 2, "the past stays where it was");

    let revoked = world.ask(&world.admin, Method::POST, "/api/v1/terminals/7701/revoke").await.is(200).json();
    assert_eq!(revoked["admitted"], false);
    assert_eq!(strangers().await, 2);
    let from = world.control.count();
    admit("7701", json!({"plate": "云D78", "colour": 2})).await.is(200);
    assert_eq!(world.control.names_since(from), ["terminal_put"]);
    world.ask(&world.admin, Method::POST, "/api/v1/terminals/7799/revoke").await.refused(404, "");
}

#[tokio::test]
async fn a_vehicle_that_came_without_a_plate_gets_one() {
    let world = World::new().await;
    let terminal = TerminalId::from_wire(&[0x55]);
    let nameless = Vehicle { id: VehicleId(5), plate: None, carrier: None, ..Vehicle::default() };
    let bind = Change::Bind { terminal, vehicle: nameless.id, from: model::Timestamp::MIN };
    world.control.apply("system", vec![Change::VehiclePut(nameless), bind]);
    world.post(&world.admin, "/api/v1/terminals/55/admit", json!({"plate": "云D55", "colour": 2})).await.is(200);
    let registry = world.control.registry();
    assert_eq!(registry.vehicle_at(terminal, model::Timestamp(0)), Some(VehicleId(5)));
    assert_eq!(registry.vehicle(VehicleId(5)).unwrap().plate.as_ref().unwrap().to_string(), "云D55:2");
}

async fn import(world: &World, csv: &str) -> Answer {
    let body = Body::from(csv.to_owned());
    world.send(request(&world.admin, Method::POST, "/api/v1/imports/vehicles", "text/csv; charset=utf-8", body)).await
}

#[tokio::test]
async fn registers_are_imported_whole_and_once() {
    let world = World::new().await;
    let before = world.control.count();
    let problem = import(&world, "plate,colour\n云D1,2\n,2\n云D3,7\n").await.refused(422, "plate");
    let rows: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|e| e["row"].clone()).collect();
    assert_eq!(rows, [3, 4]);
    let unknown = format!("plate,colour,carrier\n云D1,2,{}\n", CarrierId(1));
    assert_eq!(import(&world, &unknown).await.refused(422, "carrier")["errors"][0]["row"], 2);
    assert_eq!(world.control.count(), before);

    let file = "plate,colour,carrier,phone\n云D1,2,新公司,1\n云D2,黄,新公司,2\n云D12341,2,新公司,\n";
    let report = import(&world, file).await.is(200).json();
    assert_eq!(report, json!({"rows": 3, "created": 2, "updated": 1, "unchanged": 0}));
    let registry = world.control.registry();
    let carrier = registry.carrier_by_name("新公司").unwrap().id;
    assert_eq!(registry.vehicles(Scope::Carrier(carrier), None).count(), 3);
    let report = import(&world, file).await.is(200).json();
    assert_eq!(report, json!({"rows": 3, "created": 0, "updated": 0, "unchanged": 3}));
    let json = request(&world.admin, Method::POST, "/api/v1/imports/vehicles", "application/json", Body::from("[]"));
    world.send(json).await.refused(415, "Content-Type");
    world.ask(&world.admin, Method::POST, "/api/v1/imports/weather").await.refused(404, "");
}

#[tokio::test]
async fn users_are_made() {
    let world = World::new().await;
    let from = world.control.count();
    let new = json!({"name": "monitor", "password": "long enough", "role": "carrier", "carrier": "another"});
    let user = world.post(&world.admin, "/api/v1/users", new.clone()).await.is(201).json();
    assert_eq!((&user["role"], &user["carrier"]["name"]), (&json!("carrier"), &json!("another")));
    assert_eq!(world.control.names_since(from), ["carrier_put", "audit"]);
    world.post("", "/api/v1/sessions", json!({"username": "monitor", "password": "long enough"})).await.is(201);
    world.post(&world.admin, "/api/v1/users", new).await.refused(409, "name");
    for (body, field) in [
        (json!({"name": "x", "password": PASSWORD, "role": "king"}), "role"),
        (json!({"name": "x", "password": PASSWORD, "role": "admin", "carrier": "a"}), "carrier"),
        (json!({"name": "x", "password": PASSWORD, "role": "carrier"}), "carrier"),
        (json!({"name": "x", "password": "short", "role": "admin"}), "password"),
        (json!({"name": "x y", "password": PASSWORD, "role": "admin"}), "name"),
    ] {
        world.post(&world.admin, "/api/v1/users", body).await.refused(422, field);
    }
    assert_eq!(world.control.count(), from + 3, "the login is on record, what is refused is not");
    let page = world.get(&world.admin, "/api/v1/users?limit=3").await.is(200).json();
    let names: Vec<_> = page["items"].as_array().unwrap().iter().map(|u| u["name"].as_str().unwrap()).collect();
    assert_eq!((names, &page["next"]), (vec!["admin", "monitor", "user-1"], &json!("user-1")));
}

#[tokio::test]
async fn commands_are_asked_for_and_followed() {
    let world = World::new().await;
    let us = &world.ours;
    let uri = format!("/api/v1/vehicles/{}/commands", us.plate);
    let text = json!({"type": "text", "text": "前方禁行,请绕行", "urgent": true, "spoken": true});
    let sent = world.post(&us.token, &uri, text).await.is(201);
    let command = sent.json();
    assert_eq!((&command["state"], &command["phone"]), (&json!("requested"), &json!(us.phone.to_string())));
    assert_eq!(
        (&command["requested_by"], &command["expires_at"]),
        (&json!("user-1"), &json!("2026-11-23T12:10:00+08:00"))
    );
    assert_eq!(sent.header("location"), format!("/api/v1/commands/{}", command["id"].as_str().unwrap()));
    let Some(Change::CommandRequest(asked)) = world.control.records.lock().last().map(|r| r.change.clone()) else {
        panic!("a command is recorded");
    };
    assert_eq!((asked.terminal, asked.id.to_string()), (us.phone, command["id"].as_str().unwrap().to_owned()));
    world.post(&us.token, &uri, json!({"type": "locate"})).await.is(201);
    for (body, field) in [
        (json!({"type": "text", "text": ""}), "text"),
        (json!({"type": "text", "text": "🚚"}), "text"),
        (json!({"type": "text", "text": "长".repeat(513)}), "text"),
        (json!({"type": "text"}), "text"),
        (json!({"type": "locate", "loud": true}), "loud"),
        (json!({"text": "x"}), "type"),
        (json!({"type": "reboot"}), "type"),
    ] {
        world.post(&us.token, &uri, body).await.refused(422, field);
    }
    let listed = world.get(&us.token, &uri).await.is(200).json();
    assert_eq!(listed["items"][0]["id"], us.command.to_string());
    let one = world.get(&us.token, &format!("/api/v1/commands/{}", us.command)).await.is(200).json();
    assert_eq!((&one["state"], &one["text"], &one["urgent"]), (&json!("sent"), &json!("减速"), &json!(true)));
    world.ask(&world.admin, Method::POST, &format!("/api/v1/terminals/{}/revoke", us.phone)).await.is(200);
    world.post(&us.token, &uri, json!({"type": "locate"})).await.refused(409, "");
}
