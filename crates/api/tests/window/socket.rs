//! The socket: connections that dawdle, come in crowds, or are open when the server closes.

use std::net::SocketAddr;
use std::time::Duration;

use api::{Limits, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::World;

async fn start(world: &World, limits: Limits) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(serve(listener, world.app.clone(), limits, async {
        let _ = stopped.await;
    }));
    (address, stop, task)
}

async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let (mut text, mut buffer) = (String::new(), [0; 1024]);
    while !text.contains(end) {
        let n = stream.read(&mut buffer).await.unwrap();
        assert!(n > 0, "closed after {text:?}");
        text.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
    }
    text
}

#[tokio::test]
async fn a_header_that_dribbles_is_cut() {
    let world = World::new().await;
    let limits = Limits { header_timeout: Duration::from_millis(50), ..Limits::default() };
    let (address, stop, task) = start(&world, limits).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost:").await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    drop(stop);
    task.await.unwrap();
}

#[tokio::test]
async fn a_crowd_waits_for_places() {
    let world = World::new().await;
    let (address, stop, task) = start(&world, Limits { connections_max: 1, ..Limits::default() }).await;
    let get = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(get).await.unwrap();
    read_until(&mut first, "0.0.0").await;
    let mut second = TcpStream::connect(address).await.unwrap();
    second.write_all(get).await.unwrap();
    first.write_all(get).await.unwrap();
    read_until(&mut first, "0.0.0").await;
    drop(first);
    read_until(&mut second, "0.0.0").await;
    drop((stop, second));
    task.await.unwrap();
}

#[tokio::test]
async fn a_live_feed_ends_with_the_server() {
    let world = World::new().await;
    let (address, stop, task) = start(&world, Limits::default()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let token = &world.admin;
    let get = format!("GET /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(get.as_bytes()).await.unwrap();
    let head = read_until(&mut stream, "event: ready").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    drop(stop);
    task.await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
}

#[tokio::test]
async fn logins_are_limited_by_address() {
    let config = api::Config { login_failures_per_address: 1, ..api::Config::default() };
    let world = World::with(config).await;
    let (address, stop, task) = start(&world, Limits::default()).await;
    for (name, status) in [("nobody", "401"), ("no-one", "429")] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let body = format!("{{\"username\":\"{name}\",\"password\":\"x\"}}");
        let length = body.len();
        let head = format!("content-type: application/json\r\ncontent-length: {length}");
        let post = format!("POST /api/v1/sessions HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n{body}");
        stream.write_all(post.as_bytes()).await.unwrap();
        let answer = read_until(&mut stream, "\r\n\r\n").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    drop(stop);
    task.await.unwrap();
}
