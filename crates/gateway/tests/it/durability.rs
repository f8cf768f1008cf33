//! An answer means durable (decision D2), whatever happens to the journal.

use std::time::Duration;

use gateway::Limits;
use jt808::{Edition, Message};

use crate::harness::{House, Terminal, eventually};

#[tokio::test]
async fn nothing_is_answered_before_it_is_durable() {
    let house = House::open();
    let (mut one, mut two) = (Terminal::new("1"), Terminal::new("2"));
    let mut known = house.online(&mut one).await;
    let mut stranger = house.connect().await;
    house.disk.hold();
    known.send(&one.location()).await;
    house.disk.held().await;
    known.send(&[one.raw(0x0002, &[]), one.raw(0x0004, &[])].concat()).await;
    stranger.send(&[two.register(Edition::V2013), two.location()].concat()).await;
    known.silent().await;
    stranger.silent().await;
    assert!(house.registry.registered.lock().is_empty(), "the registry is asked when the frame is durable");
    house.disk.let_go();
    assert_eq!(known.results(2).await, [(0x0200, 0), (0x0002, 0)]);
    assert!(matches!(known.next().await.expect("an answer").message, Message::ServerTime(_)));
    assert_eq!(stranger.registered().await.result, 0);
    assert_eq!(stranger.result().await, (0x0200, 1));
}

#[tokio::test]
async fn a_failed_journal_answers_nobody_and_closes_after_its_grace() {
    let grace = Duration::from_millis(300);
    let house = House::with(Limits { journal_failed_grace: grace, ..Limits::default() });
    let (mut one, mut two) = (Terminal::new("1"), Terminal::new("2"));
    let mut client = house.online(&mut one).await;
    let mut other = house.online(&mut two).await;
    house.disk.sim.fail_sync_after(0);
    let sent = std::time::Instant::now();
    client.send(&[one.location(), one.raw(0x0002, &[]), one.register(Edition::V2013)].concat()).await;
    client.closed().await;
    assert!(sent.elapsed() >= grace, "closed before its grace");
    // Long failed by now: whoever comes is not even read.
    other.send(&two.location()).await;
    other.closed().await;
    let mut late = house.connect().await;
    late.send(&two.location()).await;
    late.closed().await;
    assert!(house.counted(r#"frames_total{id="0x0200",result="failed"} 1"#));
    assert!(house.counted(r#"connections_closed_total{reason="journal_failed"} 3"#));
    // The journal works again, and so does the door.
    house.disk.sim.heal();
    let mut client = house.connect().await;
    client.send(&one.authenticate(&house.code(&one))).await;
    while client.next().await.is_none() {
        client = house.connect().await;
        client.send(&one.authenticate(&house.code(&one))).await;
    }
    client.send(&one.location()).await;
    assert_eq!(client.result().await, (0x0200, 0));
}

#[tokio::test]
async fn whoever_lost_nothing_outlives_a_failure_of_the_journal() {
    let house = House::open();
    let (mut one, mut two) = (Terminal::new("1"), Terminal::new("2"));
    let mut unlucky = house.online(&mut one).await;
    let mut lucky = house.online(&mut two).await;
    house.disk.sim.fail_sync_after(0);
    unlucky.send(&one.location()).await;
    eventually("failed", || house.counted(r#"frames_total{id="0x0200",result="failed"} 1"#)).await;
    let mut new = house.connect().await;
    for _ in 0..3 {
        lucky.send(&two.location()).await;
    }
    new.send(&one.authenticate(&house.code(&one))).await;
    lucky.silent().await;
    new.silent().await;
    house.disk.sim.heal();
    assert_eq!(lucky.results(3).await, [(0x0200, 0); 3]);
    assert_eq!(new.result().await, (0x0102, 0));
    unlucky.closed().await;
    house.closes_counted("superseded").await;
}

#[tokio::test]
async fn a_full_window_stops_reading_and_goes_on_later() {
    let house = House::with(Limits { window_per_terminal: 4, ..Limits::default() });
    let mut terminal = Terminal::new("1");
    let mut client = house.online(&mut terminal).await;
    house.disk.hold();
    let frames: Vec<u8> = (0..200).flat_map(|_| terminal.location()).collect();
    client.send(&frames).await;
    eventually("the window is full", || house.counted("windows_full_total 1")).await;
    client.silent().await;
    house.disk.let_go();
    assert_eq!(client.results(200).await, [(0x0200, 0); 200]);
    house.recorded(201).await;
    // What one commit holds was unanswered at one time.
    assert!(house.batch_sizes().iter().all(|size| *size <= 4), "{:?}", house.batch_sizes());
}

#[tokio::test]
async fn a_connection_has_a_window_of_its_own() {
    let house = House::with(Limits { window_per_connection: 3, ..Limits::default() });
    let mut terminals: Vec<_> = (1..=9).map(|n| Terminal::new(&n.to_string())).collect();
    let mut client = house.connect().await;
    for terminal in &mut terminals {
        house.admit(terminal);
        client.send(&terminal.authenticate(&house.code(terminal))).await;
    }
    assert_eq!(client.results(9).await, [(0x0102, 0); 9]);
    house.disk.hold();
    let frames: Vec<u8> =
        (0..20).flat_map(|_| terminals.iter_mut().flat_map(Terminal::location).collect::<Vec<_>>()).collect();
    client.send(&frames).await;
    house.disk.held().await;
    house.disk.let_go();
    assert_eq!(client.results(180).await, [(0x0200, 0); 180]);
    assert!(house.batch_sizes().iter().all(|size| *size <= 3), "{:?}", house.batch_sizes());
}

#[tokio::test]
async fn a_shutdown_answers_what_becomes_durable() {
    let mut house = House::open();
    let mut terminal = Terminal::new("1");
    let mut client = house.online(&mut terminal).await;
    let mut idle = house.connect().await;
    house.disk.hold();
    client.send(&terminal.location()).await;
    house.disk.held().await;
    house.begin_shutdown();
    idle.closed().await;
    client.send(&terminal.location()).await;
    client.silent().await;
    assert!(tokio::net::TcpStream::connect(house.address).await.is_err(), "nothing is accepted");
    house.disk.let_go();
    assert_eq!(client.result().await, (0x0200, 0));
    client.closed().await;
    drop((client, idle));
    assert_eq!(house.stopped().await.cut, 0);
}

#[tokio::test]
async fn a_shutdown_waits_for_its_deadline_only() {
    let deadline = Duration::from_millis(100);
    let mut house = House::with(Limits { shutdown_deadline: deadline, ..Limits::default() });
    let mut terminal = Terminal::new("1");
    let mut client = house.online(&mut terminal).await;
    house.disk.hold();
    client.send(&terminal.location()).await;
    house.disk.held().await;
    house.begin_shutdown();
    client.closed().await;
    let disk = house.disk.clone();
    assert_eq!(house.stopped().await.cut, 1);
    disk.let_go();
}
