//! The live feed, read as a browser reads it.

use axum::body::{Body, BodyDataStream};
use axum::http::Method;
use futures_util::StreamExt;
use model::{FactId, FactKind, LivePosition};
use serde_json::Value;
use store::Writes;
use tower::ServiceExt;

use crate::support::{Fleet, NOON, World, fact_row, request};

/// One event.
#[derive(Debug)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

struct Reader {
    body: BodyDataStream,
    text: String,
}

impl Reader {
    async fn open(world: &World, token: &str, last: &str) -> Self {
        let mut request = request(token, Method::GET, "/api/v1/events", "", Body::empty());
        if !last.is_empty() {
            request.headers_mut().insert("last-event-id", last.parse().unwrap());
        }
        let response = world.app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    async fn next(&mut self) -> Event {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    line.unwrap_or_default().to_owned()
                };
                let (name, id, data) = (field("event"), field("id"), field("data"));
                self.text = rest.to_owned();
                if !name.is_empty() {
                    return Event { name, id, data: serde_json::from_str(&data).unwrap() };
                }
                continue;
            }
            let bytes = self.body.next().await.expect("the feed goes on").unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }
}

async fn violate(world: &World, fleet: &Fleet, id: u128, changed: u64) {
    let mut row = fact_row(FactId(id), FactKind::V06, fleet.vehicle, fleet.carrier);
    row.changed = changed;
    world.store.write(Writes { facts: vec![row], ..Writes::default() }).await.unwrap();
    world.views.wake();
}

fn move_to(world: &World, fleet: &Fleet, lon: f64) {
    let (vehicle, lat) = (fleet.vehicle, 25.5);
    world.views.position(LivePosition { vehicle, time: NOON, lon, lat, speed_dkmh: 605, direction_deg: 90 });
}

#[tokio::test]
async fn the_feed_begins_now_and_shows_own_rows_only() {
    let world = World::new().await;
    let mut feed = Reader::open(&world, &world.ours.token, "").await;
    let ready = feed.next().await;
    assert_eq!((ready.name.as_str(), &ready.data["time"]), ("ready", &Value::from("2026-11-23T12:00:00+08:00")));
    violate(&world, &world.theirs, 90, 6).await;
    move_to(&world, &world.theirs, 1.0);
    violate(&world, &world.ours, 91, 7).await;
    let event = feed.next().await;
    assert_eq!((event.name.as_str(), event.id.as_str()), ("violation", "7.f_0000000000000000000000002v"));
    assert_eq!(event.data["vehicle"]["id"], world.ours.vehicle.to_string());
    move_to(&world, &world.theirs, 2.0);
    move_to(&world, &world.ours, 103.8);
    let event = feed.next().await;
    assert_eq!((event.name.as_str(), event.id.as_str()), ("position", ""));
    assert_eq!((&event.data["lon"], &event.data["speed_kmh"]), (&Value::from(103.8), &Value::from(60.5)));
    assert_eq!(event.data["vehicle"]["plate"], "云D12341");
}

#[tokio::test]
async fn the_feed_is_resumed_where_it_was_left() {
    let world = World::new().await;
    let mut feed = Reader::open(&world, &world.admin, "").await;
    let ready = feed.next().await;
    drop(feed);
    for i in 0..3 {
        violate(&world, &world.ours, 90 + i, 6 + i as u64).await;
    }
    let mut feed = Reader::open(&world, &world.admin, &ready.id).await;
    feed.next().await;
    let first = feed.next().await;
    let mut again = Reader::open(&world, &world.admin, &first.id).await;
    again.next().await;
    for reader in [&mut feed, &mut again] {
        assert_eq!(reader.next().await.id.split('.').next(), Some("7"));
        assert_eq!(reader.next().await.id.split('.').next(), Some("8"));
    }
    let bad = world.get(&world.admin, "/api/v1/events?last_event_id=x").await;
    bad.refused(400, "last_event_id");
}

#[tokio::test]
async fn feeds_are_limited_by_user() {
    let world = World::with(api::Config { sse_per_user_max: 1, ..api::Config::default() }).await;
    let feed = Reader::open(&world, &world.ours.token, "").await;
    let refused = world.get(&world.ours.token, "/api/v1/events").await;
    refused.refused(429, "");
    drop(Reader::open(&world, &world.theirs.token, "").await);
    drop(feed);
    drop(Reader::open(&world, &world.ours.token, "").await);
}
