//! Limits on what a peer can make grow or last.

use std::time::Duration;

use gateway::Limits;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

use crate::harness::{Client, House, PATIENCE, Terminal, eventually};

#[tokio::test]
async fn connections_are_limited_by_address_and_in_all() {
    for (limits, reason) in [
        (Limits { connections_per_address_max: 1, ..Limits::default() }, "address_full"),
        (Limits { connections_max: 1, ..Limits::default() }, "full"),
    ] {
        let house = House::with(limits);
        let mut terminal = Terminal::new("1");
        let first = house.online(&mut terminal).await;
        house.connect().await.closed().await;
        let line = format!("connections_refused_total{{reason=\"{reason}\"}} 1");
        eventually(&line, || house.counted(&line)).await;
        drop(first);
        eventually("there is room", || house.counted("connections 0")).await;
        house.online(&mut terminal).await;
    }
}

#[tokio::test]
async fn silence_closes() {
    let house = House::with(Limits { idle_timeout: Duration::from_millis(400), ..Limits::default() });
    let mut terminal = Terminal::new("1");
    house.online(&mut terminal).await.closed().await;
    house.closes_counted("idle").await;
    assert_eq!(house.gateway.online_count(), 0);
}

#[tokio::test]
async fn whoever_does_not_authenticate_in_time_is_closed() {
    let house = House::with(Limits { unauthenticated_timeout: Duration::from_millis(400), ..Limits::default() });
    let (mut known, mut stranger) = (Terminal::new("1"), Terminal::new("2"));
    let mut authenticated = house.online(&mut known).await;
    let mut client = house.connect().await;
    client.send(&stranger.location()).await;
    assert_eq!(client.result().await, (0x0200, 1));
    client.closed().await;
    house.closes_counted("unauthenticated").await;
    authenticated.send(&known.location()).await;
    assert_eq!(authenticated.result().await, (0x0200, 0));
}

#[tokio::test]
async fn waiting_for_the_journal_is_not_silence() {
    let house = House::with(Limits { idle_timeout: Duration::from_millis(400), ..Limits::default() });
    let mut terminal = Terminal::new("1");
    let mut client = house.online(&mut terminal).await;
    house.disk.hold();
    client.send(&terminal.location()).await;
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    client.silent().await;
    house.disk.let_go();
    assert_eq!(client.result().await, (0x0200, 0));
}

#[tokio::test]
async fn whoever_takes_no_answers_is_closed() {
    let house = House::with(Limits { write_timeout: Duration::from_millis(100), ..Limits::default() });
    let mut terminal = Terminal::new("1");
    house.admit(&terminal);
    let socket = TcpSocket::new_v4().expect("socket");
    socket.set_recv_buffer_size(4096).expect("set");
    let mut client = Client::over(socket.connect(house.address).await.expect("connects"));
    client.send(&terminal.authenticate(&house.code(&terminal))).await;
    assert_eq!(client.result().await, (0x0102, 0));
    let frames: Vec<u8> = (0..5_000).flat_map(|_| terminal.raw(0x0002, &[])).collect();
    let flood = async { while client.stream.write_all(&frames).await.is_ok() {} };
    tokio::time::timeout(3 * PATIENCE, flood).await.expect("closed by the server");
    house.closes_counted("write_timeout").await;
}

/// What an idle connection costs, printed for whoever wants to know:
/// `cargo test --release -p hazwatch-gateway -- --ignored --nocapture memory`.
#[tokio::test]
#[ignore = "a measurement"]
async fn memory_of_idle_connections() {
    const CONNECTIONS: usize = 4_000;
    let house = House::open();
    let mut warm = Vec::new();
    let mut clients = Vec::with_capacity(CONNECTIONS);
    let connect = |n: usize| {
        let mut terminal = Terminal::new(&n.to_string());
        house.admit(&terminal);
        let frame = terminal.authenticate(&house.code(&terminal));
        let mut stream = std::net::TcpStream::connect(house.address).expect("connects");
        std::io::Write::write_all(&mut stream, &frame).expect("sends");
        stream
    };
    for n in 0..100 {
        warm.push(connect(n));
        tokio::task::yield_now().await;
    }
    eventually("online", || house.gateway.online_count() == 100).await;
    let before = resident_bytes();
    for n in 100..100 + CONNECTIONS {
        clients.push(connect(n));
        if n % 20 == 0 {
            let online = house.gateway.online_count();
            eventually("online", || house.gateway.online_count() >= online.max(n - 80)).await;
        }
    }
    eventually("online", || house.gateway.online_count() == 100 + CONNECTIONS).await;
    let connected = resident_bytes();
    // One more frame from each: what a record costs this test, which keeps them all in memory, three times over.
    for n in 100..100 + CONNECTIONS {
        let frame = Terminal::new(&n.to_string()).raw(0x0002, &[]);
        std::io::Write::write_all(&mut clients[n - 100], &frame).expect("sends");
        if n % 20 == 0 {
            eventually("answered", || house.records().len() + 80 >= n + CONNECTIONS).await;
        }
    }
    house.recorded(100 + 2 * CONNECTIONS).await;
    let each = connected.saturating_sub(before) / CONNECTIONS;
    let record = resident_bytes().saturating_sub(connected) / CONNECTIONS;
    println!("{each} bytes resident for each idle connection, of which {record} are this test's record of its frame");
    drop((warm, clients));
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap_or(0) * 1024
}
