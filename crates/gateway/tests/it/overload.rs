//! More than can be had: a stalled disk, everybody at once, and peers that are slow, silent or hostile. Nothing is lost
//! that was answered, nobody well-behaved is closed, and all of it passes without a restart.

use gateway::{Limits, StrangerBudget};
use journal::Kind;
use jt808::Edition;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

use crate::harness::{Client, House, PATIENCE, Terminal, eventually};

/// The serials of a terminal's reports, as the journal has them; below those that are escaped.
fn serials(house: &House, terminal: &Terminal) -> Vec<u16> {
    let mine = |record: &journal::Record| record.terminal == Some(terminal.id()) && record.kind == Kind::Uplink;
    let serial = |record: &journal::Record| u16::from_be_bytes([record.raw[11], record.raw[12]]);
    house.records().iter().filter(|record| mine(record)).map(serial).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_disk_leaves_what_it_cannot_take_in_the_sockets() {
    const CLIENTS: u16 = 24;
    const FRAMES: u16 = 40;
    // The queue holds about two bursts; the others are held, or not even read.
    let house = House::with_queue(Limits::default(), 8 << 10);
    let mut terminals: Vec<_> = (0..CLIENTS).map(|n| Terminal::new(&format!("70{n:02}"))).collect();
    let mut clients = Vec::new();
    for terminal in &mut terminals {
        clients.push(house.online(terminal).await);
    }
    house.disk.hold();
    for (client, terminal) in clients.iter_mut().zip(&mut terminals) {
        let frames: Vec<u8> = (0..FRAMES).flat_map(|_| terminal.location()).collect();
        client.send(&frames).await;
    }
    house.disk.held().await;
    for client in clients.iter_mut().take(4) {
        client.silent().await;
    }
    // Commands wait as well, and whoever comes new is not read.
    let mut late = Terminal::new("7999");
    house.admit(&late);
    let mut newcomer = house.connect().await;
    newcomer.send(&late.authenticate(&house.code(&late))).await;
    newcomer.silent().await;
    house.disk.let_go();
    for (client, terminal) in clients.iter_mut().zip(&terminals) {
        assert_eq!(client.results(usize::from(FRAMES)).await, vec![(0x0200, 0); usize::from(FRAMES)]);
        let in_order: Vec<_> = (1..=FRAMES).collect();
        eventually("once each, in order", || serials(&house, terminal) == in_order).await;
    }
    assert_eq!(newcomer.result().await, (0x0102, 0));
    assert!(house.counted(&format!("connections {}", CLIENTS + 1)), "nobody was closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_fleet_comes_back_at_once() {
    const TRUCKS: usize = 300;
    let strangers = StrangerBudget { frames_burst: 2 * TRUCKS as u32, ..StrangerBudget::default() };
    let house = std::sync::Arc::new(House::with(Limits { strangers, ..Limits::default() }));
    for round in 0..2 {
        let mut joining = tokio::task::JoinSet::new();
        for n in 0..TRUCKS {
            let house = house.clone();
            joining.spawn(async move {
                let mut terminal = Terminal::new(&format!("8{n:05}"));
                let mut client = house.connect().await;
                client.send(&terminal.register(Edition::V2013)).await;
                let code = client.registered().await.code.decode();
                client.send(&[terminal.authenticate(&code), terminal.location()].concat()).await;
                assert_eq!(client.results(2).await, [(0x0102, 0), (0x0200, 0)]);
                client
            });
        }
        let clients = joining.join_all().await;
        assert_eq!((clients.len(), house.gateway.online_count()), (TRUCKS, TRUCKS), "round {round}");
        drop(clients);
        eventually("all are gone", || house.gateway.online_count() == 0).await;
    }
    eventually("their places are free", || house.counted("connections 0")).await;
}

/// Connects with a small buffer for answers, and never reads any.
async fn deaf(house: &House) -> Client {
    let socket = TcpSocket::new_v4().expect("socket");
    socket.set_recv_buffer_size(4096).expect("set");
    Client::over(socket.connect(house.address).await.expect("connects"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_well_behaved_are_served_beside_the_others() {
    let house = House::open();
    let mut good = Terminal::new("1");
    let mut client = house.online(&mut good).await;
    let mut others = tokio::task::JoinSet::new();
    for n in 0..8 {
        // Half a frame, and nothing more.
        let mut half = Terminal::new(&format!("91{n}"));
        let mut open = house.connect().await;
        open.send(&half.location()[..9]).await;
        others.spawn(async move {
            std::future::pending::<()>().await;
            drop(open);
        });
        // Sends for ever, and takes no answers.
        let mut flooder = Terminal::new(&format!("92{n}"));
        house.admit(&flooder);
        let mut flood = deaf(&house).await;
        flood.send(&flooder.authenticate(&house.code(&flooder))).await;
        let frames: Vec<u8> = (0..500).flat_map(|_| flooder.raw(0x0002, &[])).collect();
        others.spawn(async move { while flood.stream.write_all(&frames).await.is_ok() {} });
        // A stranger far over its budget, and one who does not even speak the language, each again and again.
        let noise: Vec<u8> = match n % 2 {
            0 => (0..2_000).flat_map(|_| Terminal::new("93").location()).collect(),
            _ => vec![0x55; 70 << 10],
        };
        let address = house.address;
        others.spawn(async move {
            while let Ok(mut stream) = tokio::net::TcpStream::connect(address).await {
                let _ = stream.write_all(&noise).await;
            }
        });
    }
    for _ in 0..100 {
        client.send(&good.location()).await;
        assert_eq!(client.result().await, (0x0200, 0));
    }
    others.shutdown().await;
    eventually("only the good one is left", || house.counted("connections 1")).await;
    client.send(&good.location()).await;
    assert_eq!(client.result().await, (0x0200, 0));
    let in_order: Vec<_> = (1..=101).collect();
    eventually("once each, in order", || serials(&house, &good) == in_order).await;
}

#[tokio::test]
async fn a_stranger_over_the_budget_is_not_read_for_a_while() {
    let strangers = StrangerBudget { frames_per_s: 0, frames_burst: 1, ..StrangerBudget::default() };
    let house = House::with(Limits { strangers, ..Limits::default() });
    let mut stranger = Terminal::new("5");
    let mut client = house.connect().await;
    client.send(&stranger.location()).await;
    assert_eq!(client.result().await, (0x0200, 1));
    let frames: Vec<u8> = (0..200_000).flat_map(|_| stranger.location()).collect();
    let flood = tokio::time::timeout(std::time::Duration::from_millis(300), client.stream.write_all(&frames)).await;
    assert!(flood.is_err(), "8 MB were read within the time in which nothing should be");
    // Meanwhile others are as welcome as ever, and in the end so is this one.
    let mut known = Terminal::new("6");
    let mut other = house.online(&mut known).await;
    other.send(&known.location()).await;
    assert_eq!(other.result().await, (0x0200, 0));
}

#[tokio::test]
async fn a_peer_that_reads_late_gets_everything() {
    let house = House::open();
    let mut terminal = Terminal::new("1");
    house.admit(&terminal);
    let mut client = deaf(&house).await;
    client.send(&terminal.authenticate(&house.code(&terminal))).await;
    assert_eq!(client.result().await, (0x0102, 0));
    let frames: Vec<u8> = (0..60_000).flat_map(|_| terminal.raw(0x0002, &[])).collect();
    // As much as the server takes before it stops reading, and then some, which the sockets hold.
    let (mut sent, mut answered) = (0, 0);
    while sent < frames.len() {
        let sending = tokio::time::timeout(std::time::Duration::from_millis(50), client.stream.write(&frames[sent..]));
        match sending.await {
            Ok(count) => sent += count.expect("open"),
            Err(_) => {
                assert_eq!(client.result().await, (0x0002, 0));
                answered += 1;
            }
        }
    }
    let rest = tokio::time::timeout(PATIENCE, client.results(60_000 - answered)).await.expect("all answers");
    assert!(rest.iter().all(|result| *result == (0x0002, 0)));
}
