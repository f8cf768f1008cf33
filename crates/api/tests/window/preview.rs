//! Asking before a zone is released.

use model::VehicleId;
use serde_json::{Value, json};

use crate::support::{NOON, World, fix};

fn feature(radius_m: f64) -> Value {
    json!({"type": "Feature", "geometry": {"type": "Point", "coordinates": [103.79, 25.5]},
        "properties": {"name": "新", "kind": "custom", "radius_m": radius_m, "rules": [{"type": "forbidden"}]}})
}

#[tokio::test]
async fn a_zone_is_asked_about() {
    let world = World::new().await;
    // A minute in the middle of it.
    let vehicle: VehicleId = world.ours.vehicle;
    world.store.push_fixes(0, (3..60).map(|i| (vehicle, fix(world.ours.phone, i))).collect());
    *world.now.lock() = NOON.plus_us(120_000_000);
    let records = world.control.count();
    let answer = world.post(&world.admin, "/api/v1/zones/preview", feature(300.0)).await.is(200).json();
    assert_eq!(answer["complete"], true, "{answer}");
    assert!(answer["fixes"].as_u64().unwrap() >= 57, "{answer}");
    assert!(answer["counts"]["V06"].as_u64().unwrap() >= 1, "{answer}");
    assert_eq!(answer["inside"].as_array().unwrap().len(), 2, "{answer}");
    assert!(answer["visits"].as_u64().unwrap() >= 1);
    assert_eq!(world.control.count(), records, "nothing is recorded");
    let before = world.get(&world.admin, "/api/v1/violations").await.is(200).json();
    assert_eq!(before["items"].as_array().unwrap().len(), 2, "nothing is raised");

    world.post(&world.ours.token, "/api/v1/zones/preview", feature(300.0)).await.refused(403, "");
    let far = "/api/v1/zones/preview?from=2026-01-01T00:00:00%2B08:00";
    world.post(&world.admin, far, feature(300.0)).await.refused(400, "from");
    let mut wrong = feature(300.0);
    wrong["properties"]["colour"] = json!("red");
    world.post(&world.admin, "/api/v1/zones/preview", wrong).await.refused(422, "properties.colour");
    world.post(&world.admin, "/api/v1/zone-drafts/z_0000000000001/preview", json!(null)).await.refused(404, "");
}
