//! The table of routes, walked: nobody, two roles, two carriers.

use std::collections::BTreeSet;

use api::{Access, ROUTES, Route, openapi_json};
use axum::http::{Method, StatusCode};
use model::{CaseId, FactId, Role};
use serde_json::Value;

use crate::support::{FILE, Fleet, HOLD, PLATFORM, World, ZONE};

/// How a route is called about one fleet.
fn uris(route: &Route, fleet: &Fleet) -> Vec<String> {
    let times = "?from=2026-11-23T00:00:00%2B08:00&to=2026-11-24T00:00:00%2B08:00";
    let query = if route.path.ends_with("/track") { times } else { "" };
    let id = |id: String| vec![route.path.replace("{id}", &id) + query];
    if route.path.contains("/vehicles/{id}") {
        let references =
            [fleet.vehicle.to_string(), fleet.plate.to_string(), fleet.plate.text.to_string(), fleet.phone.to_string()];
        return references.into_iter().flat_map(id).collect();
    }
    match route.path {
        "/api/v1/commands/{id}" => id(fleet.command.to_string()),
        path if path.contains("/violations/{id}") => id(fleet.violation.clone()),
        path if path.contains("/zones/{id}") => id(ZONE.to_string()),
        path if path.contains("/forwarders/{id}") => id(PLATFORM.to_string()),
        "/api/v1/journal/blobs/{id}" => id(FILE.to_owned()),
        "/api/v1/holds/{id}" => id(HOLD.to_string()),
        "/api/v1/journal/proof" => vec![format!("{}?place=9.0", route.path)],
        "/api/v1/denied" if route.method == Method::DELETE => vec![format!("{}?network=192.0.2.9", route.path)],
        path => vec![path.replace("{phone}", &fleet.phone.to_string()) + query],
    }
}

/// Routes about one vehicle, command or violation: another carrier's does not exist.
fn is_about_one(route: &Route) -> bool {
    ["/vehicles/{id}", "/commands/{id}", "/violations/{id}"].iter().any(|part| route.path.contains(part))
}

#[test]
fn the_table_is_what_is_routed_and_described() {
    let api: Value = serde_json::from_str(&openapi_json()).unwrap();
    let described: BTreeSet<String> = api["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let listed: BTreeSet<String> = ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(described, listed, "every handler stands in the table, and nothing else does");
    for route in ROUTES {
        let operation = &api["paths"][route.path][route.method.as_str().to_lowercase()];
        assert_eq!(operation["security"].is_array(), route.access != Access::Public, "{route:?}");
        assert!(operation["responses"]["default"]["content"]["application/problem+json"].is_object(), "{route:?}");
        assert!(operation["operationId"].is_string() && operation["summary"].is_string(), "{route:?}");
    }
}

#[test]
fn the_description_holds_together() {
    let text = openapi_json();
    let api: Value = serde_json::from_str(&text).unwrap();
    let refs: BTreeSet<&str> = text.split("\"$ref\": \"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(refs.len() > 30, "{refs:?}");
    for pointer in refs {
        assert!(api.pointer(pointer).is_some(), "{pointer} is described nowhere");
    }
}

#[tokio::test]
async fn nobody_gets_nothing() {
    let world = World::new().await;
    for route in ROUTES.iter().filter(|route| route.access != Access::Public) {
        for token in ["", "0000", "Bearer"] {
            let answer = world.ask(token, route.method.clone(), &uris(route, &world.ours)[0]).await;
            answer.refused(401, "");
            assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"hazwatch\"");
        }
    }
}

#[tokio::test]
async fn roles_do_what_the_permissions_say() {
    let world = World::new().await;
    for route in ROUTES {
        let Access::Needs(permission) = route.access else { continue };
        for (role, token) in [(Role::Admin, &world.admin), (Role::Carrier, &world.ours.token)] {
            let answer = call(&world, token, route, &uris(route, &world.ours)[0]).await;
            let forbidden = answer == StatusCode::FORBIDDEN;
            assert_eq!(forbidden, !role.may(permission), "{route:?} as {role:?}: {answer}");
            assert_ne!(answer, StatusCode::UNAUTHORIZED, "{route:?}");
            let exists = answer != StatusCode::METHOD_NOT_ALLOWED && !answer.is_server_error();
            assert!(exists, "{route:?} as {role:?}: {answer}");
            if route.method == Method::GET && !forbidden {
                assert_eq!(answer, StatusCode::OK, "{route:?} as {role:?}");
            }
        }
    }
}

/// The status alone: a live feed never ends.
async fn call(world: &World, token: &str, route: &Route, uri: &str) -> StatusCode {
    use tower::ServiceExt;
    let request = crate::support::request(token, route.method.clone(), uri, "", axum::body::Body::empty());
    world.app.clone().oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn what_is_anothers_does_not_exist() {
    let world = World::new().await;
    let (us, them) = (&world.ours, &world.theirs);
    let may = |route: &&Route| matches!(route.access, Access::Needs(p) if Role::Carrier.may(p));
    for route in ROUTES.iter().filter(|route| is_about_one(route)).filter(may) {
        for (uri, own) in uris(route, them).into_iter().zip(uris(route, us)) {
            let body = match route.path.ends_with("/steps") {
                true => serde_json::json!({"step": "acknowledge"}),
                false => serde_json::json!({"type": "locate"}),
            };
            let refused = if route.method == Method::POST {
                world.post(&us.token, &uri, body.clone()).await
            } else {
                world.ask(&us.token, route.method.clone(), &uri).await
            };
            refused.refused(404, "");
            // It looks like something that never was.
            let nothing = uri
                .replace(&them.vehicle.to_string(), "v_0000000000000")
                .replace(&*them.plate.text, "云D99999")
                .replace(&them.phone.to_string(), "999")
                .replace(&them.command.to_string(), "c_0000000000000")
                .replace(&them.violation, &CaseId(FactId(0).0).to_string());
            let never = if route.method == Method::POST {
                world.post(&us.token, &nothing, body).await
            } else {
                world.ask(&us.token, route.method.clone(), &nothing).await
            };
            let (a, b) = (refused.json(), never.refused(404, ""));
            assert_eq!((&a["type"], &a["title"]), (&b["type"], &b["title"]));
            if route.method == Method::GET {
                world.get(&us.token, &own).await.is(200);
            }
        }
    }
}

#[tokio::test]
async fn lists_show_own_rows_only() {
    let world = World::new().await;
    let (us, them) = (&world.ours, &world.theirs);
    let lists: Vec<_> = ROUTES
        .iter()
        .filter(|r| r.method == Method::GET && !is_about_one(r) && r.path != "/api/v1/events")
        .filter(|r| matches!(r.access, Access::Needs(p) if Role::Carrier.may(p)))
        .collect();
    assert!(lists.len() >= 4, "{lists:?}");
    for route in lists {
        let uri = &uris(route, them)[0];
        let seen = world.get(&us.token, uri).await.is(200).text;
        for mark in them.marks() {
            assert!(!seen.contains(&mark), "{route:?} shows {mark}: {seen}");
        }
        let all = world.get(&world.admin, uri).await.is(200).text;
        assert_eq!(seen.contains(&us.vehicle.to_string()), all.contains(&us.vehicle.to_string()), "{route:?}");
    }
    let theirs = them.vehicle;
    for filter in ["violations?vehicle=", "zones/z_000000000002d/visits?vehicle="] {
        world.get(&us.token, &format!("/api/v1/{filter}{theirs}")).await.refused(404, "vehicle");
    }
    let page = world.get(&us.token, &format!("/api/v1/vehicles?carrier={}", them.carrier)).await.is(200).json();
    assert_eq!(page["items"], serde_json::json!([]));
}
