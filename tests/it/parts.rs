//! Messages in parts (分包), through the whole house: out of order, doubled, asked for, and across a kill.

use hazwatch_tests::crash::read_track;
use hazwatch_tests::server::{Server, Setup};
use hazwatch_tests::truck::{Sent, Transport, Truck, Upload};
use jt808::{Edition, Message};

const T0: i64 = 1_790_000_000;
const PHONE: &str = "013912345678";

fn positions(count: i64) -> Vec<Sent> {
    (0..count).map(|n| Sent { time_s: T0 + n, lat_e6: 25_500_000, lon_e6: 103_800_000 + n as i32 }).collect()
}

fn truck(edition: Edition, transport: Transport) -> Truck {
    Truck::new(PHONE, "云D12345", edition).over(transport)
}

fn uploaded(truck: &mut Truck, count: i64) -> Upload {
    let upload = truck.cut(positions(count), 200);
    assert!(upload.total() >= 5, "{}", upload.total());
    upload
}

fn stored(server: &Server) -> Vec<Sent> {
    let track = read_track(&server.admin(), PHONE, T0, T0 + 1_000).expect("track");
    assert!(track.values().all(|count| *count == 1), "a position is in the track twice: {track:?}");
    track.into_keys().collect()
}

#[test]
fn parts_that_come_in_any_order_and_twice_are_one_message() {
    for (edition, transport) in
        [(Edition::V2013, Transport::Tcp), (Edition::V2019, Transport::Tcp), (Edition::V2013, Transport::Udp)]
    {
        let folder = tempfile::tempdir().expect("folder");
        let server = Server::start(&folder.path().join("data"), &Setup::default());
        let mut truck = truck(edition, transport);
        truck.connect(&server.jt808).expect("connects");
        let mut upload = uploaded(&mut truck, 30);
        let order: Vec<usize> = upload.open().into_iter().rev().collect();
        for number in order.iter().chain(&order[..2]) {
            assert_eq!(truck.deliver(&mut upload, &[*number]).expect("answered"), 0);
        }
        assert_eq!(stored(&server), positions(30), "{edition:?} over {transport:?}");
        server.stop();
    }
}

#[test]
fn a_part_that_was_acknowledged_before_a_kill_is_never_orphaned() {
    let folder = tempfile::tempdir().expect("folder");
    let data = folder.path().join("data");
    let mut truck = truck(Edition::V2019, Transport::Tcp);
    let mut server = Server::start(&data, &Setup::default());
    truck.connect(&server.jt808).expect("connects");
    let mut upload = uploaded(&mut truck, 40);
    // One part a life of the server.
    while let Some(number) = upload.open().pop() {
        assert_eq!(truck.deliver(&mut upload, &[number]).expect("answered"), 0);
        server.kill();
        truck.hang_up();
        server = Server::start(&data, &Setup::default());
        truck.connect(&server.jt808).expect("connects");
    }
    assert_eq!(stored(&server), positions(40));
    server.stop();
}

#[test]
fn a_missing_part_is_asked_for() {
    let folder = tempfile::tempdir().expect("folder");
    let server = Server::start(&folder.path().join("data"), &Setup::default());
    let mut truck = truck(Edition::V2019, Transport::Tcp);
    truck.connect(&server.jt808).expect("connects");
    let mut upload = uploaded(&mut truck, 30);
    let all_but_two: Vec<usize> = upload.open().into_iter().filter(|number| ![1, 3].contains(number)).collect();
    assert_eq!(truck.deliver(&mut upload, &all_but_two).expect("answered"), 0);
    let wanted = loop {
        if let (_, Message::PacketRequest(wanted)) = truck.receive().expect("asked") {
            break wanted;
        }
    };
    assert_eq!(wanted.numbers, [2, 4]);
    let missing: Vec<usize> = wanted.numbers.iter().map(|number| usize::from(*number) - 1).collect();
    assert_eq!(truck.deliver(&mut upload, &missing).expect("answered"), 0);
    assert_eq!(stored(&server), positions(30));
    server.stop();
}
