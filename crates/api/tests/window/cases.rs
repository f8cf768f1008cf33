//! The work on violations: who may take which step when, what is recorded, and what becomes of it when a violation is
//! found otherwise.

use model::{FactId, FactKind, Standing};
use serde_json::{Value, json};
use store::{FactRow, Writes};

use crate::support::{NOON, World, fact_row};

fn steps_of(one: &Value) -> Vec<(String, String)> {
    let text = |step: &Value, key: &str| step[key].as_str().unwrap().to_owned();
    one["steps"].as_array().unwrap().iter().map(|step| (text(step, "step"), text(step, "by"))).collect()
}

#[tokio::test]
async fn a_case_goes_its_way() {
    let world = World::new().await;
    let (us, uri) = (&world.ours, format!("/api/v1/violations/{}", world.ours.violation));
    let take = async |token: &str, step: &str, text: &str| {
        world.post(token, &format!("{uri}/steps"), json!({"step": step, "text": text})).await
    };
    let fresh = world.get(&us.token, &uri).await.is(200).json();
    assert_eq!((&fresh["state"], &fresh["level"], &fresh["overdue"]), (&json!("raised"), &json!(3), &json!(false)));
    assert_eq!(fresh["due"], json!({"step": "remind", "by": "2026-11-23T12:01:00+08:00"}));
    assert_eq!(fresh["raised_at"], "2026-11-23T12:00:00+08:00");

    take(&us.token, "close", "").await.refused(403, "");
    take(&us.token, "dispose", " ").await.refused(422, "text");
    take(&us.token, "fly", "").await.refused(422, "step");
    take(&world.admin, "close", "").await.refused(409, "");
    let one = take(&us.token, "acknowledge", "").await.is(200).json();
    assert_eq!((&one["state"], &one["due"]["step"]), (&json!("acknowledged"), &json!("dispose")));
    // Once more is no other step, of somebody else it is.
    let again = take(&us.token, "acknowledge", "").await.is(200).json();
    assert_eq!(steps_of(&again).len(), 1);
    take(&world.admin, "acknowledge", "").await.refused(409, "");

    *world.now.lock() = NOON.plus_us(31 * 60_000_000);
    let late = world.get(&us.token, &uri).await.is(200).json();
    assert_eq!(late["overdue"], true);
    let listed = async |query: &str| {
        let page = world.get(&us.token, &format!("/api/v1/violations?{query}")).await.is(200).json();
        page["items"].as_array().unwrap().len()
    };
    for (query, count) in [
        ("overdue=true", 1),
        ("overdue=false", 0),
        ("state=acknowledged&level=3", 1),
        ("state=raised", 0),
        ("level=1", 0),
        ("carrier=carrier-1", 1),
    ] {
        assert_eq!(listed(query).await, count, "{query}");
    }
    for (query, field) in [("state=gone", "state"), ("level=4", "level")] {
        world.get(&us.token, &format!("/api/v1/violations?{query}")).await.refused(400, field);
    }
    world.get(&us.token, "/api/v1/violations?carrier=carrier-2").await.refused(404, "carrier");

    take(&us.token, "dispose", "驾驶员走错路，已绕行").await.is(200);
    take(&world.admin, "close", "").await.is(200);
    let one = take(&world.admin, "reopen", "被投诉").await.is(200).json();
    assert_eq!(one["state"], "acknowledged");
    let one = take(&world.admin, "false", "地图有误").await.is(200).json();
    assert_eq!((&one["state"], &one["due"]), (&json!("false"), &Value::Null));
    let taken = ["acknowledge", "dispose", "close", "reopen", "false"];
    let by = ["user-1", "user-1", "admin", "admin", "admin"];
    let expected: Vec<_> = taken.iter().zip(by).map(|(step, by)| ((*step).to_owned(), by.to_owned())).collect();
    assert_eq!(steps_of(&one), expected);
}

#[tokio::test]
async fn a_reminder_goes_to_the_cab() {
    let world = World::new().await;
    let uri = format!("/api/v1/violations/{}/steps", world.ours.violation);
    let before = world.control.count();
    world.post(&world.ours.token, &uri, json!({"step": "remind", "text": "请绕行"})).await.is(200);
    assert_eq!(world.control.names_since(before), ["command_request", "case_step"]);
    world.post(&world.ours.token, &uri, json!({"step": "remind"})).await.is(200);
    assert_eq!(world.control.names_since(before).last(), Some(&"case_step"), "by telephone");
    assert_eq!(world.control.names_since(before).len(), 3);
}

/// The text that the server sends by itself is a reminder once the terminal has acknowledged it.
#[tokio::test]
async fn who_was_told_by_the_server_is_reminded() {
    let world = World::new().await;
    let us = &world.ours;
    let uri = format!("/api/v1/violations/{}", us.violation);
    let fact = FactId(us.violation.parse::<model::CaseId>().unwrap().0);
    let id = model::EffectId(7);
    let effect = store::Effect {
        id,
        fact,
        revision: 1,
        vehicle: us.vehicle,
        terminal: us.phone,
        text: "请驶离".to_owned(),
        raised_at: NOON,
    };
    let settlement = store::Settlement { id, state: store::EffectState::Dispatched, command: Some(us.command) };
    let effects = Writes { effects: vec![effect], settlements: vec![settlement], ..Writes::default() };
    world.store.write(effects).await.unwrap();
    assert_eq!(world.get(&us.token, &uri).await.is(200).json()["state"], "raised", "it is only on its way");
    let mut command = world.store.command(model::Scope::All, us.command).await.unwrap();
    (command.state, command.seq) = (model::CommandState::Acknowledged, 100);
    world.store.write(Writes { commands: vec![command], ..Writes::default() }).await.unwrap();
    let one = world.get(&us.token, &uri).await.is(200).json();
    assert_eq!((&one["state"], &one["due"]["step"]), (&json!("reminded"), &json!("acknowledge")));
}

/// Two violations are found to be one: it stands where the two stood together, and knows what was done about both.
#[tokio::test]
async fn work_is_inherited() {
    let world = World::new().await;
    let us = &world.ours;
    let row = |id: u128| fact_row(FactId(id), FactKind::V06, us.vehicle, us.carrier);
    let write = async |facts: Vec<FactRow>| world.store.write(Writes { facts, ..Writes::default() }).await.unwrap();
    let case = |id: u128| model::CaseId(id).to_string();
    let take = async |id: u128, step: &str| {
        let uri = format!("/api/v1/violations/{}/steps", case(id));
        world.post(&us.token, &uri, json!({"step": step, "text": "t"})).await
    };
    write(vec![row(101), row(102)]).await;
    take(101, "acknowledge").await.is(200);
    take(102, "remind").await.is(200);
    let gone = |id: u128, after: u128| {
        let mut gone = row(id);
        (gone.fact.revision, gone.fact.standing, gone.superseded_by) = (2, Standing::Void, Some(FactId(after)));
        FactRow { changed: 6, ..gone }
    };
    write(vec![gone(101, 103), gone(102, 103), FactRow { changed: 6, ..row(103) }]).await;
    let one = world.get(&us.token, &format!("/api/v1/violations/{}", case(103))).await.is(200).json();
    assert_eq!(one["state"], "acknowledged");
    assert_eq!(steps_of(&one).iter().map(|(step, _)| step.as_str()).collect::<Vec<_>>(), ["acknowledge", "remind"]);
    assert_eq!(one["steps"][0]["violation"], case(101));
    let refused = take(101, "dispose").await;
    assert!(refused.refused(409, "")["detail"].as_str().unwrap().contains(&case(103)));
    // And on: it is found otherwise once more.
    take(103, "dispose").await.is(200);
    write(vec![gone(103, 104), FactRow { changed: 7, ..row(104) }]).await;
    let one = world.get(&us.token, &format!("/api/v1/violations/{}", case(104))).await.is(200).json();
    assert_eq!((&one["state"], steps_of(&one).len()), (&json!("disposed"), 3));
    let void = world.get(&us.token, &format!("/api/v1/violations/{}", case(103))).await.is(200).json();
    assert_eq!((&void["standing"], &void["due"]), (&json!("void"), &Value::Null));
}

#[tokio::test]
async fn rules_are_told_and_lots_counted() {
    let world = World::new().await;
    let rules = world.get(&world.ours.token, "/api/v1/rules").await.is(200).json();
    let v06 = rules["items"].as_array().unwrap().iter().find(|rule| rule["kind"] == "V06").unwrap();
    assert_eq!((&v06["level"], &v06["settings"]), (&json!(3), &json!(["rules.V06.deep_m", "rules.V06.fixes"])));
    let inside = world.get(&world.ours.token, &format!("/api/v1/zones/{}/occupancy", crate::support::ZONE)).await;
    let inside = inside.is(200).json();
    assert_eq!((&inside["inside"], &inside["capacity"], &inside["is_full"]), (&json!(2), &Value::Null, &json!(false)));
    assert_eq!(inside["vehicles"].as_array().unwrap().len(), 1, "only our own by name");
}
