//! Who may speak: registration, authentication, strangers, and several connections for one terminal.

use gateway::{Limits, RegisterRefusal, StrangerBudget};
use journal::Kind;
use jt808::Edition;
use model::TerminalId;

use crate::harness::{House, Terminal, eventually};

#[tokio::test]
async fn a_terminal_registers_authenticates_and_reports() {
    let house = House::open();
    let mut terminal = Terminal::new("13912345678");
    let mut client = house.connect().await;
    client.send(&terminal.register(Edition::V2013)).await;
    let answer = client.registered().await;
    assert_eq!((answer.answered_serial, answer.result), (0, 0));
    let code = answer.code.decode();
    assert_eq!(code, house.code(&terminal));
    let (registered, facts) = house.registry.registered.lock().first().cloned().expect("registered");
    assert_eq!(registered, terminal.id());
    assert_eq!(facts.plate.map(|plate| plate.to_string()).as_deref(), Some("云D12345:2"));
    assert_eq!((facts.maker.as_str(), facts.model.as_str(), facts.device.as_str()), ("MAKER", "MODEL", "DEVICE1"));
    assert!(!house.gateway.is_online(terminal.id()));
    client.send(&terminal.authenticate(&code)).await;
    assert_eq!(client.result().await, (0x0102, 0));
    assert_eq!(house.gateway.online(), [terminal.id()]);
    client.send(&terminal.location()).await;
    assert_eq!(client.result().await, (0x0200, 0));
    // A repeat gets the same code, from a terminal that is known.
    client.send(&terminal.register(Edition::V2013)).await;
    assert_eq!(client.registered().await.code.decode(), code);
    let records = house.recorded(4).await;
    let kinds: Vec<_> = records.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [Kind::Stranger, Kind::Stranger, Kind::Uplink, Kind::Uplink]);
    assert!(records.iter().all(|record| record.terminal == Some(terminal.id()) && record.connection == 1));
    let peer = client.stream.local_addr().expect("address").to_string();
    assert!(records[..2].iter().all(|record| record.peer == peer));
    assert!(records[2..].iter().all(|record| record.peer.is_empty()));
    drop(client);
    eventually("offline", || house.gateway.online_count() == 0).await;
    assert!(house.counted("online_terminals 0") && house.counted("connections 0"));
}

#[tokio::test]
async fn refusals_have_their_numbers_and_are_on_record() {
    let house = House::open();
    let mut client = house.connect().await;
    let mut terminal = Terminal::new("1");
    let refusals = [
        (RegisterRefusal::VehicleTaken, 1),
        (RegisterRefusal::NoVehicle, 2),
        (RegisterRefusal::TerminalTaken, 3),
        (RegisterRefusal::NoTerminal, 4),
    ];
    for (refusal, number) in refusals {
        *house.registry.refusal.lock() = Some(refusal);
        client.send(&terminal.register(Edition::V2013)).await;
        let answer = client.registered().await;
        assert_eq!((answer.result, answer.code.decode().as_str()), (number, ""));
    }
    // Nobody can say: no answer, and the next frame is answered as if nothing had been.
    *house.registry.refusal.lock() = Some(RegisterRefusal::Unavailable);
    client.send(&[terminal.register(Edition::V2013), terminal.location()].concat()).await;
    assert_eq!(client.result().await, (0x0200, 1));
    assert!(house.recorded(6).await.iter().all(|record| record.kind == Kind::Stranger));
}

#[tokio::test]
async fn only_the_right_code_opens() {
    let house = House::open();
    let (mut known, mut unknown) = (Terminal::new("1"), Terminal::new("2"));
    house.admit(&known);
    let right = house.code(&known);
    let mut client = house.connect().await;
    for wrong in ["", "x", &right[1..], &format!("{right}0"), &house.code(&unknown)] {
        client.send(&[known.authenticate(wrong), known.location()].concat()).await;
        assert_eq!(client.results(2).await, [(0x0102, 1), (0x0200, 1)], "{wrong}");
    }
    let code = house.code(&unknown);
    client.send(&unknown.authenticate(&code)).await;
    assert_eq!(client.result().await, (0x0102, 1), "not admitted");
    client.send(&[known.authenticate(&right), known.location()].concat()).await;
    assert_eq!(client.results(2).await, [(0x0102, 0), (0x0200, 0)]);
    client.send(&[known.authenticate("x"), known.location()].concat()).await;
    assert_eq!(client.results(2).await, [(0x0102, 1), (0x0200, 1)], "a wrong code ends the session");
    assert_eq!(house.gateway.online_count(), 0);
}

#[tokio::test]
async fn strangers_are_kept_refused_and_cannot_borrow_a_session() {
    let house = House::open();
    let (mut known, mut stranger) = (Terminal::new("1"), Terminal::new("2"));
    let mut client = house.online(&mut known).await;
    client.send(&[stranger.location(), known.location(), stranger.raw(0x0001, &[0; 5])].concat()).await;
    client.send(&stranger.raw(0x0002, &[])).await;
    assert_eq!(client.results(3).await, [(0x0200, 1), (0x0200, 0), (0x0002, 1)]);
    let kinds: Vec<_> = house.recorded(5).await.iter().map(|record| (record.terminal, record.kind)).collect();
    let (known, stranger) = (Some(known.id()), Some(stranger.id()));
    let expected = [
        (known, Kind::Stranger),
        (stranger, Kind::Stranger),
        (known, Kind::Uplink),
        (stranger, Kind::Stranger),
        (stranger, Kind::Stranger),
    ];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn over_the_budget_strangers_are_only_counted() {
    let strangers = StrangerBudget { frames_per_s: 0, frames_burst: 2, ..StrangerBudget::default() };
    let house = House::with(Limits { strangers, ..Limits::default() });
    let mut terminal = Terminal::new("1");
    house.admit(&terminal);
    let mut client = house.connect().await;
    client.send(&[terminal.location(), terminal.location(), terminal.location()].concat()).await;
    client.send(&terminal.register(Edition::V2013)).await;
    assert_eq!(client.results(2).await, [(0x0200, 1), (0x0200, 1)]);
    let code = house.code(&terminal);
    client.send(&[terminal.authenticate("x"), terminal.authenticate(&code)].concat()).await;
    let answer = client.next().await.expect("an answer");
    assert_eq!(answer.header.id, 0x8001);
    client.send(&terminal.location()).await;
    assert_eq!(client.result().await, (0x0200, 0));
    assert_eq!(house.recorded(4).await[2].kind, Kind::Stranger);
    assert!(house.counted("strangers_dropped_total 3"));
    assert!(house.counted(r#"frames_total{id="0x0100",result="dropped"} 1"#));
    assert!(house.registry.registered.lock().is_empty());
}

#[tokio::test]
async fn a_revoked_terminal_is_shut_out() {
    let house = House::open();
    let mut terminal = Terminal::new("1");
    let old = house.code(&terminal);
    let mut client = house.online(&mut terminal).await;
    house.registry.epochs.lock().insert(terminal.id(), 1);
    house.gateway.revoke(terminal.id());
    client.closed().await;
    assert!(!house.gateway.is_online(terminal.id()));
    house.closes_counted("revoked").await;
    let mut client = house.connect().await;
    client.send(&terminal.authenticate(&old)).await;
    assert_eq!(client.result().await, (0x0102, 1));
    client.send(&terminal.authenticate(&house.codes.code(terminal.id(), 1))).await;
    assert_eq!(client.result().await, (0x0102, 0));
}

#[tokio::test]
async fn a_recheck_ends_the_sessions_that_the_registry_no_longer_gives() {
    let house = House::open();
    let mut terminals = ["1", "2", "3", "4"].map(Terminal::new);
    let mut alone = house.online(&mut terminals[3]).await;
    let mut shared = house.connect().await;
    for terminal in &mut terminals[..3] {
        house.admit(terminal);
        shared.send(&terminal.authenticate(&house.code(terminal))).await;
        assert_eq!(shared.result().await, (0x0102, 0));
    }
    house.gateway.recheck();
    assert_eq!(house.gateway.online_count(), 4, "nothing changed");
    let [raised, gone, stays, last] = terminals.each_ref().map(Terminal::id);
    house.registry.epochs.lock().extend([(raised, 1), (last, 1)]);
    house.registry.epochs.lock().remove(&gone);
    house.gateway.recheck();
    assert_eq!(house.gateway.online(), [stays]);
    let frames: Vec<u8> = terminals[..3].iter_mut().flat_map(Terminal::location).collect();
    shared.send(&frames).await;
    assert_eq!(shared.results(3).await, [(0x0200, 1), (0x0200, 1), (0x0200, 0)]);
    // With its new code it speaks again.
    shared.send(&terminals[0].authenticate(&house.codes.code(raised, 1))).await;
    shared.send(&terminals[0].location()).await;
    assert_eq!(shared.results(2).await, [(0x0102, 0), (0x0200, 0)]);
    alone.closed().await;
    house.closes_counted("revoked").await;
}

#[tokio::test]
async fn unregistering_ends_the_session_only() {
    let house = House::open();
    let mut terminal = Terminal::new("1");
    let mut client = house.online(&mut terminal).await;
    client.send(&[terminal.raw(0x0003, &[]), terminal.location()].concat()).await;
    assert_eq!(client.results(2).await, [(0x0003, 0), (0x0200, 1)]);
    assert_eq!(house.gateway.online_count(), 0);
    client.send(&terminal.authenticate(&house.code(&terminal))).await;
    assert_eq!(client.result().await, (0x0102, 0));
}

#[tokio::test]
async fn the_newest_connection_wins() {
    let house = House::open();
    let (mut one, mut two) = (Terminal::new("1"), Terminal::new("2"));
    let mut old = house.online(&mut one).await;
    house.admit(&two);
    old.send(&two.authenticate(&house.code(&two))).await;
    assert_eq!(old.result().await, (0x0102, 0));
    assert_eq!(house.gateway.online(), [one.id(), two.id()]);
    // The old connection loses one terminal, and goes on with the other.
    let mut new = house.online(&mut one).await;
    old.send(&[one.location(), two.location()].concat()).await;
    assert_eq!(old.results(2).await, [(0x0200, 1), (0x0200, 0)]);
    new.send(&one.location()).await;
    assert_eq!(new.result().await, (0x0200, 0));
    // It loses its last one, and closes. The closing takes nothing from the new ones.
    let mut newest = house.online(&mut two).await;
    old.closed().await;
    house.closes_counted("superseded").await;
    assert_eq!(house.gateway.online(), [one.id(), two.id()]);
    newest.send(&two.location()).await;
    assert_eq!(newest.result().await, (0x0200, 0));
    assert!(house.counted("online_terminals 2"));
}

#[tokio::test]
async fn what_a_superseded_connection_sent_before_is_answered() {
    let house = House::open();
    let mut terminal = Terminal::new("1");
    let mut old = house.online(&mut terminal).await;
    house.disk.hold();
    old.send(&terminal.location()).await;
    house.disk.held().await;
    let mut new = house.connect().await;
    new.send(&terminal.authenticate(&house.code(&terminal))).await;
    eventually("both are read", || house.counted("connections 2")).await;
    old.silent().await;
    house.disk.let_go();
    assert_eq!(old.result().await, (0x0200, 0));
    old.closed().await;
    assert_eq!(new.result().await, (0x0102, 0));
}

#[tokio::test]
async fn terminals_on_one_connection_are_limited() {
    let house = House::with(Limits { terminals_per_connection_max: 1, ..Limits::default() });
    let (mut one, mut two) = (Terminal::new("1"), Terminal::new("2"));
    let mut client = house.online(&mut one).await;
    house.admit(&two);
    client.send(&two.authenticate(&house.code(&two))).await;
    assert_eq!(client.result().await, (0x0102, 1));
    client.send(&one.authenticate(&house.code(&one))).await;
    assert_eq!(client.result().await, (0x0102, 0));
}

#[tokio::test]
async fn answers_keep_the_dialect() {
    let house = House::open();
    // Layout of the registration, edition of the header, its version byte, its version flag.
    let dialects = [
        (Edition::V2011, Edition::V2013, None, 0),
        (Edition::V2013, Edition::V2013, None, 0),
        (Edition::V2019, Edition::V2019, Some(1), 0x4000),
        (Edition::V2019, Edition::V2019, Some(3), 0x4000),
        (Edition::V2019, Edition::V2019, Some(1), 0),
    ];
    for (row, (layout, edition, version, flag)) in dialects.into_iter().enumerate() {
        let mut terminal = Terminal::of(&format!("abc7d7e{row}"), edition);
        terminal.header.protocol_version = version;
        terminal.header.props = flag;
        let mut client = house.connect().await;
        client.send(&terminal.register(layout)).await;
        let registered = client.next().await.expect("an answer");
        let jt808::Message::RegisterResponse(answer) = &registered.message else { panic!("{registered:?}") };
        let code = answer.code.decode();
        client.send(&terminal.authenticate(&code)).await;
        let authenticated = client.next().await.expect("an answer");
        client.send(&terminal.location()).await;
        let located = client.next().await.expect("an answer");
        for (down, serial) in [(registered, 0), (authenticated, 0), (located, 1)] {
            assert_eq!(down.header.phone, terminal.header.phone);
            assert_eq!(down.header.protocol_version, terminal.header.protocol_version);
            assert_eq!(down.header.props & 0x4000, terminal.header.props & 0x4000);
            assert_eq!(down.header.serial, serial, "a session counts from 0");
        }
        let registered = house.registry.registered.lock();
        let (id, facts) = registered.last().expect("registered");
        assert_eq!((*id, facts.model.as_str()), (terminal.id(), "MODEL"), "row {row}");
    }
}

#[tokio::test]
async fn twelve_and_twenty_digits_are_one_terminal() {
    let house = House::open();
    let mut old = Terminal::of("13912345678", Edition::V2013);
    let mut new = Terminal::of("13912345678", Edition::V2019);
    let mut client = house.online(&mut old).await;
    client.send(&new.location()).await;
    assert_eq!(client.result().await, (0x0200, 0));
    assert_eq!(house.gateway.online(), ["13912345678".parse::<TerminalId>().expect("digits")]);
}
