//! Commands: journalled before they are on the wire, in the terminal's dialect, under its own serials.

use gateway::{Limits, SendError};
use journal::Kind;
use jt808::{Edition, Empty, Message, Text, TextMessage};
use model::CommandId;

use crate::harness::{House, Terminal};

fn text(text: &str) -> Message {
    Message::Text(TextMessage { flag: 0x0c, kind: None, text: Text::from(text) })
}

#[tokio::test]
async fn a_command_is_durable_before_it_is_sent() {
    for edition in [Edition::V2013, Edition::V2019] {
        let house = House::open();
        let mut terminal = Terminal::of("13912345678", edition);
        let mut client = house.online(&mut terminal).await;
        house.disk.hold();
        house.gateway.send(terminal.id(), CommandId(77), &text("慢行")).expect("queued");
        house.disk.held().await;
        client.silent().await;
        house.disk.let_go();
        let down = client.next().await.expect("the command");
        assert_eq!((down.header.id, down.header.serial), (0x8300, 1), "0 was the answer to 0x0102");
        assert_eq!(down.header.phone, terminal.header.phone);
        assert_eq!(down.header.edition, edition);
        let Message::Text(read) = &down.message else { panic!("{down:?}") };
        assert_eq!(read.text.decode(), "慢行");
        let record = house.recorded(2).await.remove(1);
        assert_eq!((record.kind, record.command), (Kind::Command, Some(CommandId(77))));
        assert_eq!(record.terminal, Some(terminal.id()));
        assert_eq!(record.raw, down.wire);
        // The terminal's word about it is an uplink frame like any other, and is not answered.
        client.send(&[terminal.raw(0x0001, &[0, 1, 0x83, 0, 0]), terminal.location()].concat()).await;
        let answer = client.next().await.expect("an answer");
        assert_eq!(answer.header.serial, 2);
        assert_eq!(house.recorded(4).await[2].kind, Kind::Uplink);
    }
}

#[tokio::test]
async fn answers_and_commands_leave_in_the_order_of_their_serials() {
    let house = House::open();
    let mut terminal = Terminal::new("1");
    let mut client = house.online(&mut terminal).await;
    for n in 0..20 {
        client.send(&terminal.location()).await;
        house.gateway.send(terminal.id(), CommandId(n + 1), &Message::LocationQuery(Empty::default())).expect("queued");
    }
    for serial in 1..=40 {
        assert_eq!(client.next().await.expect("a frame").header.serial, serial);
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_said_at_once() {
    let house = House::with(Limits { commands_queued_max: 2, ..Limits::default() });
    let mut terminal = Terminal::new("1");
    let send = |id: u64, message: &Message| house.gateway.send(Terminal::new("1").id(), CommandId(id), message);
    assert_eq!(send(1, &text("x")), Err(SendError::NotConnected));
    let mut client = house.online(&mut terminal).await;
    assert!(matches!(send(1, &text(&"x".repeat(1024))), Err(SendError::Encode(_))));
    // One fills the journal; of those behind it as many wait as may.
    house.disk.hold();
    client.send(&terminal.location()).await;
    house.disk.held().await;
    let outcomes: Vec<_> = (0..3).map(|n| send(n + 1, &text("x"))).collect();
    assert_eq!(outcomes, [Ok(()), Ok(()), Err(SendError::QueueFull)]);
    house.disk.let_go();
    for id in [0x8001, 0x8300, 0x8300] {
        assert_eq!(client.next().await.expect("a frame").header.id, id);
    }
    drop(client);
    crate::harness::eventually("offline", || send(9, &text("x")) == Err(SendError::NotConnected)).await;
}

#[tokio::test]
async fn coming_online_is_told() {
    let house = House::open();
    let mut told = house.gateway.authenticated();
    let (mut one, mut two) = (Terminal::new("1"), Terminal::new("2"));
    let _first = house.online(&mut one).await;
    let _second = house.online(&mut two).await;
    assert_eq!(told.recv().await, Ok(one.id()));
    assert_eq!(told.recv().await, Ok(two.id()));
}
