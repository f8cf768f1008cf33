//! Load balancers that say whose a connection is, and addresses that nobody may connect from.

use std::time::Duration;

use gateway::Limits;
use model::Network;

use crate::harness::{Client, House, Terminal, eventually};

fn network(text: &str) -> Network {
    text.parse().expect("a network")
}

/// A house whose load balancers are at 127.0.0.7.
fn house() -> House {
    let limits =
        Limits { connections_per_address_max: 1, proxy_timeout: Duration::from_millis(1_000), ..Limits::default() };
    House::with(Limits { proxies: vec![network("127.0.0.7")], ..limits })
}

fn version_1(source: &str) -> Vec<u8> {
    format!("PROXY TCP4 {source} 127.0.0.1 40000 6808\r\n").into_bytes()
}

fn version_2(source: [u8; 4]) -> Vec<u8> {
    let head = [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f"[..], &source, &[127, 0, 0, 1, 0x9c, 0x40, 0x1a, 0x98]].concat();
    [head, vec![4, 0, 0]].concat()
}

async fn refused(house: &House, reason: &str, count: usize) {
    let line = format!("connections_refused_total{{reason=\"{reason}\"}} {count}");
    eventually(&line, || house.counted(&line)).await;
}

/// Connects as that load balancer, says this first, and then a frame of a stranger.
async fn say(house: &House, header: &[u8]) -> Client {
    let mut client = house.connect_from("127.0.0.7").await;
    client.send(&[header, &Terminal::new("9").location()].concat()).await;
    client
}

#[tokio::test]
async fn the_address_behind_the_proxy_counts() {
    let house = house();
    let mut one = say(&house, &version_1("192.0.2.1")).await;
    assert_eq!(one.result().await, (0x0200, 1));
    let mut two = say(&house, &version_2([192, 0, 2, 2])).await;
    assert_eq!(two.result().await, (0x0200, 1));
    let records = house.recorded(2).await;
    assert_eq!([&records[0].peer, &records[1].peer], ["192.0.2.1:40000", "192.0.2.2:40000"]);
    // The limits are those of whoever stands behind it.
    say(&house, &version_1("192.0.2.1")).await.closed().await;
    refused(&house, "address_full", 1).await;
    // A health check of the balancer itself.
    let mut itself = say(&house, b"PROXY UNKNOWN\r\n").await;
    assert_eq!(itself.result().await, (0x0200, 1));
}

#[tokio::test]
async fn from_a_proxy_the_header_is_required_from_others_it_is_garbage() {
    let house = house();
    say(&house, b"").await.closed().await;
    say(&house, b"PROXY TCP4 here there 1 2\r\n").await.closed().await;
    refused(&house, "proxy_header", 2).await;
    let mut slow = house.connect_from("127.0.0.7").await;
    slow.send(b"PROXY TCP4").await;
    slow.closed().await;
    refused(&house, "proxy_timeout", 1).await;
    let mut other = house.connect().await;
    other.send(&[version_1("192.0.2.1"), Terminal::new("9").location()].concat()).await;
    assert_eq!(other.result().await, (0x0200, 1));
    assert!(house.recorded(1).await[0].peer.starts_with("127.0.0.1:"));
}

#[tokio::test]
async fn a_header_may_come_byte_by_byte_and_a_shutdown_waits_for_none() {
    let mut house = House::with(Limits { proxies: vec![network("127.0.0.7")], ..Limits::default() });
    let mut client = house.connect_from("127.0.0.7").await;
    for byte in version_2([192, 0, 2, 3]) {
        client.send(&[byte]).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    client.send(&Terminal::new("9").location()).await;
    assert_eq!(client.result().await, (0x0200, 1));
    drop(client);
    let _silent = house.connect_from("127.0.0.7").await;
    house.begin_shutdown();
    assert_eq!(house.stopped().await.cut, 0);
}

#[tokio::test]
async fn denied_addresses_are_closed_at_the_door_behind_proxies_and_when_the_list_grows() {
    let house = house();
    let mut terminal = Terminal::new("1");
    let mut live = house.online(&mut terminal).await;
    let mut behind = say(&house, &version_1("192.0.2.1")).await;
    assert_eq!(behind.result().await, (0x0200, 1));
    house.registry.denied.lock().extend([network("127.0.0.0/30"), network("192.0.2.0/24")]);
    house.gateway.recheck();
    live.closed().await;
    behind.closed().await;
    let line = r#"connections_closed_total{reason="denied"} 2"#;
    eventually(line, || house.counted(line)).await;
    house.connect().await.closed().await;
    say(&house, &version_1("192.0.2.77")).await.closed().await;
    refused(&house, "denied", 2).await;
    let mut fine = say(&house, &version_1("198.51.100.1")).await;
    assert_eq!(fine.result().await, (0x0200, 1));
}
