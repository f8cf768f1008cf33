//! UDP: authenticated by terminal and address, answered when durable, amplifying nobody.
#![expect(clippy::panic, reason = "helpers of tests, outside of test functions")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use gateway::Limits;
use journal::Kind;
use jt808::{Deframer, Edition, Empty, GeneralResult, Message};
use model::CommandId;
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::harness::{Down, House, PATIENCE, Terminal, eventually};

/// A house that serves UDP, too.
struct Udp {
    house: House,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Udp {
    fn with(limits: Limits) -> Self {
        let house = House::with(limits);
        let socket = gateway::listen_udp("127.0.0.1:0".parse().expect("address")).expect("binds");
        let address = socket.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = house.gateway.clone();
        let running = tokio::spawn(async move {
            serving
                .run_udp(socket, async {
                    let _ = stopped.await;
                })
                .await;
        });
        Self { house, address, stop, running }
    }

    async fn client(&self) -> Datagrams {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("binds");
        socket.connect(self.address).await.expect("connects");
        Datagrams { socket, came: VecDeque::new(), datagrams: 0 }
    }

    async fn online(&self, terminal: &mut Terminal) -> Datagrams {
        self.house.admit(terminal);
        let mut client = self.client().await;
        client.send(&terminal.authenticate(&self.house.code(terminal))).await;
        assert_eq!(client.result().await, (0x0102, 0));
        client
    }

    async fn dropped(&self, reason: &str, count: usize) {
        let line = format!("udp_dropped_total{{reason=\"{reason}\"}} {count}");
        eventually(&line, || self.house.counted(&line)).await;
    }
}

/// A terminal's socket.
struct Datagrams {
    socket: UdpSocket,
    came: VecDeque<Down>,
    datagrams: usize,
}

impl Datagrams {
    async fn send(&self, bytes: &[u8]) {
        self.socket.send(bytes).await.expect("sends");
    }

    async fn next(&mut self) -> Down {
        let mut buffer = [0; 4096];
        while self.came.is_empty() {
            let read = tokio::time::timeout(PATIENCE, self.socket.recv(&mut buffer)).await.expect("an answer");
            let bytes = &buffer[..read.expect("a datagram")];
            self.datagrams += 1;
            let came = &mut self.came;
            let keep = |piece: jt808::Piece<'_>| {
                let message = Message::decode(&piece.frame.header, piece.frame.body).expect("decodes");
                came.push_back(Down { header: piece.frame.header, wire: piece.wire.to_vec(), message });
            };
            Deframer::new().push(bytes, keep).expect("no garbage");
        }
        self.came.pop_front().expect("a frame")
    }

    async fn result(&mut self) -> (u16, u8) {
        match self.next().await.message {
            Message::PlatformGeneral(answer) => (answer.answered_id, answer.result),
            other => panic!("{other:?}"),
        }
    }

    async fn silent(&mut self) {
        assert!(tokio::time::timeout(Duration::from_millis(80), self.next()).await.is_err(), "an answer");
    }
}

#[tokio::test]
async fn answers_go_to_the_source_once_durable() {
    let udp = Udp::with(Limits::default());
    for edition in [Edition::V2013, Edition::V2019] {
        let mut terminal = Terminal::of("13912345678", edition);
        let mut client = udp.online(&mut terminal).await;
        udp.house.disk.hold();
        client.send(&terminal.location()).await;
        udp.house.disk.held().await;
        client.silent().await;
        udp.house.disk.let_go();
        let answer = client.next().await;
        assert_eq!((answer.header.serial, answer.header.edition), (1, edition));
        assert_eq!(answer.header.phone, terminal.header.phone);
    }
    let records = udp.house.recorded(4).await;
    let kinds: Vec<_> = records.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [Kind::Stranger, Kind::Uplink, Kind::Stranger, Kind::Uplink]);
    assert_eq!(records[0].connection, records[1].connection);
    assert_ne!(records[1].connection, records[3].connection, "another address is another connection");
}

#[tokio::test]
async fn the_frames_of_one_datagram_are_answered_together() {
    let udp = Udp::with(Limits::default());
    let mut terminal = Terminal::new("1");
    let mut client = udp.online(&mut terminal).await;
    let before = client.datagrams;
    let frames: Vec<u8> = (0..3).flat_map(|_| terminal.location()).collect();
    client.send(&[b"garbage", frames.as_slice(), &terminal.raw(0x0001, &[0, 0, 0x83, 0, 0])].concat()).await;
    for serial in 1..=3 {
        assert_eq!(client.next().await.header.serial, serial);
    }
    assert_eq!(client.datagrams, before + 1);
    udp.house.recorded(5).await;
}

#[tokio::test]
async fn nobody_is_amplified() {
    let udp = Udp::with(Limits::default());
    let (mut known, mut new) = (Terminal::new("1"), Terminal::new("2"));
    udp.house.admit(&known);
    let mut client = udp.client().await;
    // Neither what strangers may not ask, nor what would be longer than the question.
    client.send(&known.location()).await;
    client.send(&known.raw(0x0004, &[])).await;
    client.send(&known.raw(0x6006, &[1])).await;
    client.send(&new.raw(0x0100, &[0, 53, 0, 100])).await;
    client.send(&new.raw(0x0102, b"x")).await;
    let mut damaged = new.register(Edition::V2013);
    let last = damaged.len() - 2;
    damaged[last] ^= 1;
    client.send(&damaged).await;
    client.silent().await;
    let wrong = known.authenticate("a code that is wrong");
    client.send(&wrong).await;
    let answer = client.next().await;
    assert!(answer.wire.len() <= wrong.len());
    assert!(
        matches!(answer.message, Message::PlatformGeneral(general) if general.result == GeneralResult::Failure as u8)
    );
    let register = new.register(Edition::V2013);
    client.send(&register).await;
    let answer = client.next().await;
    assert!(answer.wire.len() <= register.len());
    assert!(matches!(&answer.message, Message::RegisterResponse(registered) if registered.result == 0));
    assert!(udp.house.recorded(8).await.iter().all(|record| record.kind == Kind::Stranger && !record.peer.is_empty()));
    assert_eq!(udp.house.gateway.online_count(), 0);
}

#[tokio::test]
async fn another_address_authenticates_anew() {
    let udp = Udp::with(Limits::default());
    let mut terminal = Terminal::new("1");
    let mut old = udp.online(&mut terminal).await;
    let mut new = udp.client().await;
    new.send(&terminal.location()).await;
    new.silent().await;
    old.send(&terminal.location()).await;
    assert_eq!(old.result().await, (0x0200, 0), "the session stays where it was");
    new.send(&terminal.authenticate(&udp.house.code(&terminal))).await;
    assert_eq!(new.result().await, (0x0102, 0));
    old.send(&terminal.location()).await;
    old.silent().await;
    let query = Message::LocationQuery(Empty::default());
    udp.house.gateway.send(terminal.id(), CommandId(7), &query).expect("queued");
    assert_eq!(new.next().await.header.id, 0x8201, "commands go to the last address");
    assert_eq!(udp.house.recorded(6).await[5].command, Some(CommandId(7)));
    udp.house.gateway.revoke(terminal.id());
    eventually("ended", || udp.house.counted("udp_sessions 0")).await;
    new.send(&terminal.location()).await;
    new.silent().await;
}

#[tokio::test]
async fn the_newest_of_both_ways_wins() {
    let udp = Udp::with(Limits::default());
    let mut terminal = Terminal::new("1");
    let mut datagrams = udp.online(&mut terminal).await;
    let mut stream = udp.house.online(&mut terminal).await;
    eventually("superseded", || udp.house.counted("udp_sessions 0")).await;
    datagrams.send(&terminal.location()).await;
    datagrams.silent().await;
    datagrams.send(&terminal.authenticate(&udp.house.code(&terminal))).await;
    assert_eq!(datagrams.result().await, (0x0102, 0));
    stream.closed().await;
    assert_eq!(udp.house.gateway.online_count(), 1);
}

#[tokio::test]
async fn beyond_the_window_frames_are_dropped_and_counted() {
    let udp = Udp::with(Limits { window_per_terminal: 4, ..Limits::default() });
    let mut terminal = Terminal::new("1");
    let mut client = udp.online(&mut terminal).await;
    udp.house.disk.hold();
    let frames: Vec<_> = (0..6).map(|_| terminal.location()).collect();
    for frame in &frames {
        client.send(frame).await;
    }
    udp.dropped("window", 2).await;
    udp.house.disk.let_go();
    for _ in 0..4 {
        assert_eq!(client.result().await, (0x0200, 0));
    }
    client.silent().await;
    // It repeats what was not answered.
    client.send(&frames[4]).await;
    assert_eq!(client.result().await, (0x0200, 0));
}

#[tokio::test]
async fn a_failed_journal_answers_nobody_and_recovers() {
    let udp = Udp::with(Limits::default());
    let mut terminal = Terminal::new("1");
    let mut client = udp.online(&mut terminal).await;
    udp.house.disk.sim.fail_sync_after(0);
    client.send(&terminal.location()).await;
    let failed = r#"frames_total{id="0x0200",result="failed"} 1"#;
    eventually(failed, || udp.house.counted(failed)).await;
    client.silent().await;
    udp.house.disk.sim.heal();
    let mut answered = false;
    for _ in 0..100 {
        client.send(&terminal.raw(0x0002, &[])).await;
        if tokio::time::timeout(Duration::from_millis(100), client.next()).await.is_ok() {
            answered = true;
            break;
        }
    }
    assert!(answered, "the journal works again, and so does the door");
}

#[tokio::test]
async fn sessions_are_bounded_end_when_idle_and_denied_addresses_are_not_heard() {
    let idle_timeout = Duration::from_millis(2_000);
    let udp = Udp::with(Limits { udp_sessions_max: 1, idle_timeout, ..Limits::default() });
    let (mut one, mut two) = (Terminal::new("1"), Terminal::new("2"));
    let _first = udp.online(&mut one).await;
    udp.house.admit(&two);
    let mut second = udp.client().await;
    second.send(&two.authenticate(&udp.house.code(&two))).await;
    assert_eq!(second.result().await, (0x0102, 1));
    eventually("idle", || udp.house.gateway.online_count() == 0).await;
    second.send(&two.authenticate(&udp.house.code(&two))).await;
    assert_eq!(second.result().await, (0x0102, 0));
    udp.house.registry.denied.lock().push("127.0.0.0/8".parse().expect("network"));
    second.send(&two.location()).await;
    udp.dropped("denied", 1).await;
    second.silent().await;
}

#[tokio::test]
async fn a_recheck_ends_the_sessions_that_the_registry_no_longer_gives() {
    let udp = Udp::with(Limits::default());
    let (mut raised, mut gone, mut stays) = (Terminal::new("1"), Terminal::new("2"), Terminal::new("3"));
    let mut clients = Vec::new();
    for terminal in [&mut raised, &mut gone, &mut stays] {
        clients.push(udp.online(terminal).await);
    }
    udp.house.registry.epochs.lock().insert(raised.id(), 1);
    udp.house.registry.epochs.lock().remove(&gone.id());
    udp.house.gateway.recheck();
    assert_eq!(udp.house.gateway.online(), [stays.id()]);
    for (client, terminal) in clients.iter_mut().zip([&mut raised, &mut gone]) {
        client.send(&terminal.location()).await;
        client.silent().await;
    }
    clients[2].send(&stays.location()).await;
    assert_eq!(clients[2].result().await, (0x0200, 0));
    assert!(udp.house.counted("udp_sessions 1"));
    clients[0].send(&raised.authenticate(&udp.house.codes.code(raised.id(), 1))).await;
    assert_eq!(clients[0].result().await, (0x0102, 0));
    udp.house.registry.denied.lock().push("127.0.0.0/8".parse().expect("network"));
    udp.house.gateway.recheck();
    eventually("denied", || udp.house.counted("udp_sessions 0") && udp.house.gateway.online_count() == 0).await;
}

#[tokio::test]
async fn a_shutdown_answers_what_becomes_durable() {
    let udp = Udp::with(Limits::default());
    let mut terminal = Terminal::new("1");
    let mut client = udp.online(&mut terminal).await;
    udp.house.disk.hold();
    client.send(&terminal.location()).await;
    udp.house.disk.held().await;
    udp.stop.send(()).expect("runs");
    eventually("ended", || udp.house.gateway.online_count() == 0).await;
    udp.house.disk.let_go();
    assert_eq!(client.result().await, (0x0200, 0));
    tokio::time::timeout(PATIENCE, udp.running).await.expect("stops").expect("does not panic");
}
