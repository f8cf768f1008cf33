//! Forwarding platforms: many terminals on one connection, without codes of their own.

use gateway::{Forwarder, Limits, LinkEvent};
use journal::Kind;
use jt808::{Edition, Empty, Message};
use model::{CommandId, ForwarderId};

use crate::harness::{Client, House, Terminal, eventually};

const PLATFORM: ForwarderId = ForwarderId(7);
const ADDRESS: &str = "127.0.0.9";

/// A house with that account, which may speak for these terminals.
fn house(code_epoch: Option<u32>, terminals: &[&Terminal], limits: Limits) -> House {
    let house = House::with(limits);
    let forwarder = Forwarder { id: PLATFORM, code_epoch };
    house.registry.forwarders.lock().push((ADDRESS.parse().expect("network"), forwarder));
    for terminal in terminals {
        house.admit(terminal);
        house.registry.forwarded.lock().insert((PLATFORM, terminal.id()));
    }
    house
}

fn query(house: &House, terminal: &Terminal, id: u64) {
    let message = Message::LocationQuery(Empty::default());
    house.gateway.send(terminal.id(), CommandId(id), &message).expect("queued");
}

async fn next_id(client: &mut Client) -> u16 {
    client.next().await.expect("a frame").header.id
}

#[tokio::test]
async fn one_link_speaks_for_many_in_the_dialect_of_each() {
    let mut trucks = [Terminal::new("1"), Terminal::of("2", Edition::V2019), Terminal::new("3")];
    let mut foreign = Terminal::new("4");
    let house = house(None, &[&trucks[0], &trucks[1], &trucks[2]], Limits::default());
    house.admit(&foreign);
    let mut events = house.gateway.links();
    let mut told = house.gateway.authenticated();
    let mut link = house.connect_from(ADDRESS).await;
    let frames: Vec<u8> =
        trucks.iter_mut().flat_map(|truck| [truck.location(), truck.raw(0x0102, b"any")].concat()).collect();
    link.send(&[frames, foreign.location()].concat()).await;
    for truck in &trucks {
        for (serial, id) in [(0, 0x0200), (1, 0x0102)] {
            let answer = link.next().await.expect("an answer");
            let Message::PlatformGeneral(general) = answer.message else { panic!("{answer:?}") };
            assert_eq!((general.answered_id, general.result), (id, 0));
            assert_eq!(
                (answer.header.serial, answer.header.phone),
                (serial, truck.header.phone),
                "each counts for itself"
            );
        }
        assert_eq!(told.recv().await, Ok(truck.id()));
    }
    assert_eq!(link.result().await, (0x0200, 1), "the account's list does not name it");
    let records = house.recorded(7).await;
    let through: Vec<_> = records.iter().map(|record| (record.kind, record.forwarder)).collect();
    assert_eq!(through[..6], [(Kind::Uplink, Some(PLATFORM)); 6]);
    assert_eq!(through[6], (Kind::Stranger, None));
    let [open] = house.gateway.open_links()[..] else { panic!("one link") };
    assert_eq!((open.forwarder, open.terminals, house.gateway.online_count()), (PLATFORM, 3, 3));
    query(&house, &trucks[1], 5);
    let down = link.next().await.expect("a command");
    assert_eq!((down.header.id, down.header.phone, down.header.serial), (0x8201, trucks[1].header.phone, 2));
    // Losing it is one event, and takes all offline.
    drop(link);
    eventually("offline", || house.gateway.online_count() == 0).await;
    let up = events.recv().await.expect("an event");
    assert_eq!((up.forwarder, up.up, up.terminals), (PLATFORM, true, 0));
    assert_eq!(events.recv().await, Ok(LinkEvent { up: false, terminals: 3, ..up }));
    assert!(events.try_recv().is_err() && house.gateway.open_links().is_empty());
}

#[tokio::test]
async fn with_a_code_the_link_must_show_it_first() {
    for known_phone in [true, false] {
        let mut truck = Terminal::new("1");
        let house = house(Some(3), &[&truck], Limits::default());
        let mut link = house.connect_from(ADDRESS).await;
        link.send(&truck.location()).await;
        assert_eq!(link.result().await, (0x0200, 1));
        let mut speaker = if known_phone { Terminal::new("1") } else { Terminal::new("99") };
        link.send(&speaker.authenticate(&house.codes.forwarder_code(PLATFORM, 2))).await;
        assert_eq!(link.result().await, (0x0102, 1), "a code of another epoch");
        assert!(house.gateway.open_links().is_empty());
        link.send(&speaker.authenticate(&house.codes.forwarder_code(PLATFORM, 3))).await;
        assert_eq!(link.result().await, (0x0102, 0));
        link.send(&truck.location()).await;
        assert_eq!(link.result().await, (0x0200, 0));
        assert_eq!(house.recorded(4).await[3].forwarder, Some(PLATFORM));
        let mut elsewhere = house.connect().await;
        elsewhere.send(&speaker.authenticate(&house.codes.forwarder_code(PLATFORM, 3))).await;
        assert_eq!(elsewhere.result().await, (0x0102, 1), "from another address it is no code at all");
    }
}

#[tokio::test]
async fn a_truck_may_be_connected_and_forwarded() {
    let mut truck = Terminal::new("1");
    let house = house(None, &[&truck], Limits::default());
    let mut link = house.connect_from(ADDRESS).await;
    link.send(&truck.location()).await;
    assert_eq!(link.result().await, (0x0200, 0));
    query(&house, &truck, 1);
    assert_eq!(next_id(&mut link).await, 0x8201);
    let mut direct = house.online(&mut truck).await;
    for client in [&mut link, &mut direct] {
        client.send(&truck.location()).await;
        assert_eq!(client.result().await, (0x0200, 0), "both are heard");
    }
    query(&house, &truck, 2);
    assert_eq!(next_id(&mut direct).await, 0x8201, "its own connection is preferred");
    link.silent().await;
    assert_eq!(house.gateway.online_count(), 1);
    drop(direct);
    eventually("gone", || house.counted("connections 1")).await;
    query(&house, &truck, 3);
    assert_eq!(next_id(&mut link).await, 0x8201);
    let heard: Vec<_> = house
        .recorded(7)
        .await
        .iter()
        .filter(|record| record.kind == Kind::Uplink)
        .map(|record| record.forwarder)
        .collect();
    assert_eq!(heard, [Some(PLATFORM), Some(PLATFORM), None]);
}

#[tokio::test]
async fn what_the_registry_takes_back_ends_at_once() {
    let (mut one, mut two) = (Terminal::new("1"), Terminal::new("2"));
    let house = house(None, &[&one, &two], Limits::default());
    let mut link = house.connect_from(ADDRESS).await;
    link.send(&[one.location(), two.location()].concat()).await;
    assert_eq!(link.results(2).await, [(0x0200, 0); 2]);
    house.registry.forwarded.lock().remove(&(PLATFORM, one.id()));
    house.gateway.recheck();
    assert!(!house.gateway.is_online(one.id()));
    link.send(&[one.location(), two.location()].concat()).await;
    assert_eq!(link.results(2).await, [(0x0200, 1), (0x0200, 0)]);
    assert_eq!(house.gateway.open_links()[0].terminals, 1);
    // Revoked, but still on the list of this registry: it speaks again with its next frame.
    house.gateway.revoke(two.id());
    eventually("two is gone", || !house.gateway.is_online(two.id())).await;
    link.send(&two.location()).await;
    assert_eq!(link.result().await, (0x0200, 0));
    house.registry.forwarders.lock().clear();
    house.gateway.recheck();
    link.closed().await;
    house.closes_counted("revoked").await;
}

#[tokio::test]
async fn a_link_is_limited_apart_from_other_connections() {
    let limits = Limits { terminals_per_connection_max: 1, terminals_per_forwarder_max: 2, ..Limits::default() };
    let mut trucks = ["1", "2", "3"].map(Terminal::new);
    let house = house(None, &trucks.each_ref(), limits);
    let mut link = house.connect_from(ADDRESS).await;
    for (truck, result) in trucks.iter_mut().zip([0, 0, 1]) {
        link.send(&truck.location()).await;
        assert_eq!(link.result().await, (0x0200, result));
    }
}
