//! When the process may open no more files. In a process of its own, because the limit is the process's.

#[expect(dead_code, reason = "shared with the other tests")]
#[path = "it/harness.rs"]
mod harness;

use std::fs::File;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpSocket;

use harness::{Client, House, Terminal, eventually};

/// Opens files until there are no more numbers for them.
fn exhaust() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

#[tokio::test]
async fn at_the_limit_on_open_files_whoever_comes_is_refused_and_later_welcome() {
    let open = File::open("/dev/null").map(|file| std::os::fd::AsRawFd::as_raw_fd(&file)).expect("opens");
    let limit = Rlimit { current: Some(open as u64 + 60), ..getrlimit(Resource::Nofile) };
    setrlimit(Resource::Nofile, limit).expect("may be lowered");
    let house = House::open();
    let (mut one, mut two) = (Terminal::new("1"), Terminal::new("2"));
    let mut client = house.online(&mut one).await;
    for round in 1..=2 {
        eventually("no other connection is closing", || house.counted("connections 1")).await;
        // Their numbers are taken before there are none left.
        let sockets: Vec<_> = (0..5).map(|_| TcpSocket::new_v4().expect("socket")).collect();
        let hoard = exhaust();
        let mut refused = Vec::new();
        for socket in sockets {
            let stream = socket.connect(house.address).await.expect("the system accepts");
            let mut other = Client::over(stream);
            other.closed().await;
            refused.push(other);
            let line =
                format!("connections_refused_total{{reason=\"no_descriptor\"}} {}", 5 * round - 5 + refused.len());
            eventually(&line, || house.counted(&line)).await;
        }
        client.send(&one.location()).await;
        assert_eq!(client.result().await, (0x0200, 0), "who is in is served");
        drop((hoard, refused));
        let mut other = house.online(&mut two).await;
        other.send(&two.location()).await;
        assert_eq!(other.result().await, (0x0200, 0), "round {round}");
    }
}
