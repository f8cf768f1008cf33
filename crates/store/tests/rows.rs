//! Facts, effects, strangers and commands: idempotent, paged without gaps, and seen only by those who may.
#![allow(clippy::unwrap_used)]

mod common;

use common::{T0, at, fact, fresh, open};
use model::{
    CarrierId, Command, CommandBody, CommandId, CommandOrigin, CommandState, EffectId, FactId, FactKind, Scope,
    TerminalId, Timestamp, VehicleId, ZoneId,
};
use store::{
    CaseState, ChangeToken, CommandRow, Effect, EffectState, FactFilter, FactRow, Settlement, Store, StoreError,
    Stranger, Writes,
};

const OWN: Scope = Scope::Carrier(CarrierId(1));
const VIOLATIONS: FactFilter = FactFilter {
    violations: true,
    kind: None,
    vehicle: None,
    zone: None,
    carrier: None,
    from: None,
    to: None,
    open: None,
    void: false,
};

async fn write_facts(store: &Store, facts: Vec<FactRow>) {
    store.write(Writes { facts, ..Writes::default() }).await.unwrap();
}

async fn all_pages(store: &Store, scope: Scope, filter: &FactFilter, limit: usize) -> Vec<u128> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = store.facts(scope, filter, after, limit).await.unwrap();
        assert!(page.items.len() <= limit);
        ids.extend(page.items.iter().map(|r| r.fact.id.0));
        after = page.next;
        if after.is_none() {
            return ids;
        }
    }
}

fn command(id: u64, carrier: Option<u64>, state: CommandState, seq: u64) -> CommandRow {
    CommandRow {
        command: Command {
            id: CommandId(id),
            terminal: TerminalId::from_wire(&[1]),
            body: if id.is_multiple_of(2) {
                CommandBody::Locate
            } else {
                CommandBody::Text { text: "慢行".to_owned(), urgent: true, spoken: false }
            },
            origin: if id == 3 { CommandOrigin::Effect(EffectId(u128::MAX)) } else { CommandOrigin::Person },
            expires_at: Timestamp(9),
        },
        vehicle: Some(VehicleId(u64::MAX)),
        carrier: carrier.map(CarrierId),
        actor: "admin".to_owned(),
        state,
        requested_at: Timestamp(id as i64),
        sent_at: None,
        answered_at: Some(Timestamp(7)),
        serial: Some(u16::MAX),
        seq,
    }
}

fn stranger(phone: u8, first_seen: i64, frames: u64, seq: u64) -> Stranger {
    Stranger {
        terminal: TerminalId::from_wire(&[phone]),
        plate: "云D12345:2".parse().ok().filter(|_| phone.is_multiple_of(2)),
        maker: "70101".to_owned(),
        model: "m".to_owned(),
        device: "d".to_owned(),
        peer: "192.0.2.1:99".to_owned(),
        first_seen: Timestamp(first_seen),
        last_seen: Timestamp(first_seen + 1),
        frames,
        seq,
    }
}

fn effect(id: u128, raised_at: i64) -> Effect {
    Effect {
        id: EffectId(id),
        fact: FactId(id),
        revision: 1,
        vehicle: VehicleId(3),
        terminal: TerminalId::from_wire(&[1]),
        text: "您已进入禁行区".to_owned(),
        raised_at: Timestamp(raised_at),
    }
}

#[tokio::test]
async fn facts_come_back_as_they_were_and_writing_again_changes_nothing() {
    let (dir, store) = fresh(16).await;
    let mut second = fact(1, Some(1), 0, 20);
    second.fact.revision = 2;
    second.fact.ended_at = None;
    second.case_state = CaseState::Reminded;
    let rows = vec![fact(1, Some(1), 0, 10), second.clone()];
    write_facts(&store, rows.clone()).await;
    let digest = store.digest().await.unwrap();
    write_facts(&store, rows.clone()).await;
    write_facts(&store, vec![rows[0].clone()]).await;
    assert_eq!(store.digest().await.unwrap(), digest);
    assert_eq!(store.fact(Scope::All, FactId(1)).await.unwrap(), vec![second.clone(), rows[0].clone()]);
    let page = store.facts(Scope::All, &VIOLATIONS, None, 10).await.unwrap();
    assert_eq!((page.items, page.next), (vec![second.clone()], None));

    let mut older = second.clone();
    older.changed = 5;
    older.case_state = CaseState::Raised;
    write_facts(&store, vec![older]).await;
    assert_eq!(store.fact(Scope::All, FactId(1)).await.unwrap()[0], second, "the greater change wins");

    let mut other = second.clone();
    other.fact.revision = 3;
    write_facts(&store, vec![other]).await;
    assert_ne!(store.digest().await.unwrap(), digest, "a revision more");
    store.close().await;
    assert_eq!(open(dir.path(), 16).await.stats().await.unwrap().facts, 1);
}

#[tokio::test]
async fn facts_are_filtered() {
    let (_dir, store) = fresh(16).await;
    let mut visit = fact(1, None, 0, 1);
    visit.fact.kind = FactKind::VISIT;
    let mut open_fact = fact(4, None, 300, 4);
    open_fact.fact.ended_at = None;
    let mut instant = fact(5, None, 400, 5);
    instant.fact.ended_at = Some(instant.fact.started_at);
    write_facts(&store, vec![visit, fact(2, None, 100, 2), fact(3, None, 200, 3), open_fact, instant]).await;
    let at = |s: i64| Some(Timestamp::from_secs(T0 + s));
    let cases: [(&str, FactFilter, &[u128]); 12] = [
        ("violations", VIOLATIONS, &[5, 4, 3, 2]),
        ("visits", FactFilter::default(), &[1]),
        ("kind", FactFilter { kind: Some(FactKind::from_number(7)), ..VIOLATIONS }, &[]),
        ("vehicle", FactFilter { vehicle: Some(VehicleId(u64::MAX - 2)), ..VIOLATIONS }, &[5, 2]),
        ("zone", FactFilter { zone: Some(ZoneId(6)), ..VIOLATIONS }, &[5, 3]),
        ("from its end", FactFilter { from: at(160), ..VIOLATIONS }, &[5, 4, 3]),
        ("from before its end", FactFilter { from: at(159), ..VIOLATIONS }, &[5, 4, 3, 2]),
        ("to its start", FactFilter { to: at(200), ..VIOLATIONS }, &[2]),
        ("open ones last", FactFilter { from: at(10_000), ..VIOLATIONS }, &[4]),
        ("an instant overlaps", FactFilter { from: at(400), to: at(401), ..VIOLATIONS }, &[5, 4]),
        ("open", FactFilter { open: Some(true), ..VIOLATIONS }, &[4]),
        ("ended", FactFilter { open: Some(false), ..VIOLATIONS }, &[5, 3, 2]),
    ];
    for (name, filter, want) in cases {
        assert_eq!(all_pages(&store, Scope::All, &filter, 2).await, want, "{name}");
    }
}

#[tokio::test]
async fn pages_are_complete_and_without_doubles_while_facts_arrive() {
    let (_dir, store) = fresh(16).await;
    // Many begin at the same instant: the id decides.
    write_facts(&store, (0..95).map(|i| fact(i, None, (i / 10) as i64, 1)).collect()).await;
    let (mut seen, mut after, mut arrived) = (Vec::new(), None, 1000);
    loop {
        let page = store.facts(Scope::All, &VIOLATIONS, after, 7).await.unwrap();
        seen.extend(page.items.iter().map(|r| r.fact.id.0));
        after = page.next;
        if after.is_none() {
            break;
        }
        write_facts(&store, vec![fact(arrived, None, 500, 1)]).await;
        arrived += 1;
    }
    let mut want: Vec<u128> = (0..95).collect();
    want.sort_by_key(|id| std::cmp::Reverse((id / 10, *id)));
    assert_eq!(seen, want);
}

#[tokio::test]
async fn the_feed_resumes_where_it_was_left() {
    let (_dir, store) = fresh(16).await;
    write_facts(&store, (0..30).map(|i| fact(i, None, 0, 1 + i as u64 / 7)).collect()).await;
    let (mut token, mut seen) = (ChangeToken::default(), Vec::new());
    loop {
        let rows = store.facts_changed_after(Scope::All, token, 4).await.unwrap();
        let Some(last) = rows.last() else { break };
        token = last.token();
        seen.extend(rows.iter().map(|r| r.fact.id.0));
    }
    assert_eq!(seen, (0..30).collect::<Vec<_>>());
    let mut changed = fact(3, None, 0, 99);
    changed.fact.revision = 2;
    write_facts(&store, vec![changed]).await;
    let rows = store.facts_changed_after(Scope::All, token, 4).await.unwrap();
    assert_eq!(rows.iter().map(|r| (r.fact.id.0, r.fact.revision)).collect::<Vec<_>>(), [(3, 2)]);
}

#[tokio::test]
async fn nobody_sees_what_belongs_to_another_carrier() {
    let (_dir, store) = fresh(16).await;
    let mut moved = fact(9, Some(1), 0, 9);
    moved.fact.revision = 2;
    let facts =
        vec![fact(1, Some(1), 0, 1), fact(2, Some(2), 0, 2), fact(3, None, 0, 3), fact(9, Some(2), 0, 4), moved];
    let commands = [1, 2].map(|c| command(c, Some(c), CommandState::Sent, 1)).to_vec();
    let strangers = vec![stranger(1, 1, 1, 1)];
    store.write(Writes { facts, commands, strangers, ..Writes::default() }).await.unwrap();

    assert_eq!(all_pages(&store, OWN, &VIOLATIONS, 1).await, [9, 1]);
    assert_eq!(all_pages(&store, Scope::All, &VIOLATIONS, 1).await, [9, 3, 2, 1]);
    let feed = store.facts_changed_after(OWN, ChangeToken::default(), 10).await.unwrap();
    assert_eq!(feed.iter().map(|r| r.fact.id.0).collect::<Vec<_>>(), [1, 9]);
    assert_eq!(store.fact(OWN, FactId(1)).await.unwrap().len(), 1);
    assert_eq!(store.fact(OWN, FactId(9)).await.unwrap().len(), 1, "only the revisions that were theirs");
    for id in [2, 3, 77] {
        assert!(matches!(store.fact(OWN, FactId(id)).await, Err(StoreError::NotFound(_))), "{id}");
    }
    assert_eq!(store.command(OWN, CommandId(1)).await.unwrap().command.id, CommandId(1));
    for id in [2, 77] {
        assert!(matches!(store.command(OWN, CommandId(id)).await, Err(StoreError::NotFound(_))), "{id}");
    }
    let vehicle = VehicleId(u64::MAX);
    assert_eq!(store.commands(OWN, vehicle, 10).await.unwrap().len(), 1);
    assert_eq!(store.commands(Scope::All, vehicle, 10).await.unwrap().len(), 2);
    assert!(store.strangers(OWN, None, 10).await.unwrap().items.is_empty());
    assert!(matches!(store.stranger(OWN, TerminalId::from_wire(&[1])).await, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn commands_and_strangers_are_guarded_by_their_sequence() {
    let (_dir, store) = fresh(16).await;
    let rows: Vec<CommandRow> = (1..5).map(|id| command(id, None, CommandState::Requested, 1)).collect();
    store.write(Writes { commands: rows.clone(), ..Writes::default() }).await.unwrap();
    for row in &rows {
        assert_eq!(&store.command(Scope::All, row.command.id).await.unwrap(), row);
    }
    let done = command(1, None, CommandState::Acknowledged, 2);
    let stale = command(2, None, CommandState::Refused, 1);
    store.write(Writes { commands: vec![done.clone(), stale], ..Writes::default() }).await.unwrap();
    assert_eq!(store.command(Scope::All, CommandId(1)).await.unwrap(), done);
    let open: Vec<u64> = store.open_commands().await.unwrap().iter().map(|c| c.command.id.0).collect();
    assert_eq!(open, [2, 3, 4]);

    let strangers: Vec<Stranger> = (1..8).map(|p| stranger(p, i64::from(p / 2), 1, 5)).collect();
    store.write(Writes { strangers, ..Writes::default() }).await.unwrap();
    let strangers = vec![stranger(1, 0, 9, 6), stranger(2, 1, 9, 5)];
    store.write(Writes { strangers, ..Writes::default() }).await.unwrap();
    let frames = async |phone| store.stranger(Scope::All, TerminalId::from_wire(&[phone])).await.unwrap().frames;
    assert_eq!((frames(1).await, frames(2).await), (9, 1));
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.strangers(Scope::All, after, 2).await.unwrap();
        seen.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let phones: Vec<u128> = seen.iter().map(|s| s.terminal.value()).collect();
    assert_eq!(phones, [7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(seen[1], stranger(6, 3, 1, 5));
}

#[tokio::test]
async fn an_effect_waits_once_whatever_comes_first() {
    let (_dir, store) = fresh(16).await;
    let settled = |id, state| Settlement { id: EffectId(id), state, command: Some(CommandId(id as u64)) };
    let effects = vec![effect(1, 30), effect(2, 20), effect(3, 10)];
    let early = Writes { settlements: vec![settled(2, EffectState::Dispatched)], ..Writes::default() };
    store.write(early).await.unwrap();
    let writes = Writes { effects: effects.clone(), ..Writes::default() };
    store.write(writes.clone()).await.unwrap();
    let waiting = async || store.pending_effects(10).await.unwrap();
    assert_eq!(waiting().await, [effect(3, 10), effect(1, 30)], "oldest first; the settled one never waits");
    assert_eq!(store.pending_effects(1).await.unwrap().len(), 1);
    store.settle_effect(settled(3, EffectState::Expired)).await.unwrap();
    store.settle_effect(settled(3, EffectState::Dispatched)).await.unwrap();
    store.write(writes).await.unwrap();
    assert_eq!(waiting().await, [effect(1, 30)], "a replay sends nothing twice");
    let states = [(1, Some(EffectState::Pending)), (3, Some(EffectState::Expired)), (9, None)];
    for (id, want) in states {
        assert_eq!(store.effect_state(EffectId(id)).await.unwrap(), want, "{id}");
    }
    assert_eq!(store.stats().await.unwrap().effects_pending, 1);
}

/// What was judged after the checkpoint is taken back, whether it was new, went on, was revised or was put in its place.
#[tokio::test]
async fn facts_ahead_of_the_checkpoint_are_taken_back() {
    let (_dir, store) = fresh(1).await;
    let write = async |facts: Vec<FactRow>| store.write(Writes { facts, ..Writes::default() }).await.unwrap();
    let row = |id, revision, as_of| {
        let mut row = fact(id, None, 10, as_of);
        (row.fact.revision, row.as_of) = (revision, as_of);
        row
    };
    let open = |mut row: FactRow| {
        row.fact.ended_at = None;
        row
    };
    let all = async || {
        let mut all = Vec::new();
        for id in 1..=3 {
            all.extend(store.fact(Scope::All, FactId(id)).await.unwrap_or_default());
        }
        all
    };
    write(vec![open(row(1, 1, 3)), row(2, 1, 4)]).await;
    let before = all().await;
    // One write has what the checkpoint holds, and what comes after it.
    write(vec![row(1, 1, 6), row(1, 2, 7), FactRow { changed: 9, ..row(2, 2, 5) }, row(3, 1, 8)]).await;
    store.checkpoint(at(4)).await.unwrap();
    store.rewind().await.unwrap();
    assert_eq!(all().await, before);
    let latest = store.facts_of_vehicle(before[0].fact.vehicle, Timestamp::MIN).await.unwrap();
    assert_eq!(latest, before[..1]);

    write(vec![row(1, 1, 6), row(1, 2, 7), FactRow { changed: 9, ..row(2, 2, 5) }, row(3, 1, 8)]).await;
    store.checkpoint(at(6)).await.unwrap();
    store.rewind().await.unwrap();
    let found: Vec<_> = all().await.iter().map(|row| (row.fact.id.0, row.fact.revision, row.as_of)).collect();
    assert_eq!(found, [(1, 1, 6), (2, 2, 5), (2, 1, 4)], "what a later envelope told as of an earlier one stays");
}
