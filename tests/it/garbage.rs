//! Bad input around good frames: every good frame is served, and the server stays small.

use std::io::ErrorKind;

use hazwatch_tests::crash::read_track;
use hazwatch_tests::server::{Server, Setup};
use hazwatch_tests::truck::{Sent, Truck};
use jt808::{BcdTime, Edition, Empty, LocationReport, Message, Unknown};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const T0: i64 = 1_790_000_000;

fn location(number: i64) -> Message {
    let mut report = LocationReport { status: 0b11, ..LocationReport::default() };
    report.time_bcd = BcdTime::from_utc_s(T0 + number).expect("in range").to_bytes();
    report.set_position(25_500_000, 103_800_000 + number as i32);
    Message::Location(report)
}

fn resident_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("status");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("KiB")
}

#[test]
fn good_frames_around_garbage_are_all_served() {
    let folder = tempfile::tempdir().expect("folder");
    let server = Server::start(&folder.path().join("data"), &Setup::default());
    let mut random = ChaCha8Rng::seed_from_u64(808);
    let mut truck = Truck::new("013912345678", "云D12345", Edition::V2013);
    truck.connect(&server.jt808).expect("connects");
    let mut good = Vec::new();
    for number in 0..120i64 {
        let noise: Vec<u8> = (0..random.random_range(1..300)).map(|_| random.random()).collect();
        let (_, spoiled) = truck.frame(&location(900_000));
        match number % 6 {
            // Text and bytes that belong to nothing.
            0 => truck.send_raw(&noise).expect("sent"),
            1 => truck.send_raw(b"GET / HTTP/1.1\r\n\r\n").expect("sent"),
            // Half a frame.
            2 => truck.send_raw(&spoiled[..spoiled.len() / 2]).expect("sent"),
            // A wrong check code.
            3 => {
                let mut wrong = spoiled.clone();
                let at = wrong.len() - 2;
                wrong[at] = if wrong[at] == 0x11 { 0x12 } else { 0x11 };
                truck.send_raw(&wrong).expect("sent");
            }
            // A length that lies.
            4 => {
                let mut lying = spoiled.clone();
                lying[4] = lying[4].wrapping_add(7);
                truck.send_raw(&lying).expect("sent");
            }
            // An id that nobody knows: kept, and answered 3.
            _ => {
                let message = Message::Unknown(Unknown { id: 0x0f00, raw: vec![1, 2, 3] });
                assert_eq!(truck.ask(&message).expect("answered"), 3);
            }
        }
        let (serial, frame) = truck.frame(&location(number));
        // A flag byte first, so that what was left open before ends here.
        truck.send_raw(&[0x7e]).expect("sent");
        if number % 7 == 0 {
            for byte in &frame {
                truck.send_raw(&[*byte]).expect("sent");
            }
        } else {
            truck.send_raw(&frame).expect("sent");
        }
        good.push(serial);
    }
    for serial in good {
        assert_eq!(truck.answer_to(serial).expect("answered"), 0);
    }
    let stored = read_track(&server.admin(), "013912345678", T0, T0 + 800_000).expect("track");
    let expected: Vec<i64> = (0..120).map(|n| T0 + n).collect();
    assert_eq!(stored.keys().map(|sent: &Sent| sent.time_s).collect::<Vec<_>>(), expected);
    server.stop();
}

#[test]
fn endless_garbage_is_cut_off_and_costs_no_memory() {
    let folder = tempfile::tempdir().expect("folder");
    let server = Server::start(&folder.path().join("data"), &Setup::default());
    let before = resident_kib(&server);
    for flag in [false, true] {
        let mut noise = Truck::new("013900000001", "云D00001", Edition::V2013);
        noise.dial(&server.jt808).expect("dials");
        let block = if flag { vec![0x7e, 1, 2, 3, 4, 5, 6, 7] } else { vec![0x41; 8] }.repeat(1024);
        // Twice the budget; the server may close before it has taken all.
        let _ = (0..16).try_for_each(|_| noise.send_raw(&block));
        let end = noise.receive().expect_err("128 KiB without a good frame end the connection");
        assert!(!matches!(end.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "it was left open: {end}");
    }
    let mut truck = Truck::new("013912345678", "云D12345", Edition::V2019);
    truck.connect(&server.jt808).expect("the server still serves");
    assert_eq!(truck.ask(&Message::Heartbeat(Empty::default())).expect("answered"), 0);
    let grown = resident_kib(&server).saturating_sub(before);
    assert!(grown < 20 * 1024, "grew by {grown} KiB");
    server.stop();
}
