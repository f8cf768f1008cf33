//! Other ways in: datagrams, and a forwarding platform that speaks for many.

use hazwatch_tests::crash::read_track;
use hazwatch_tests::server::{Server, Setup};
use hazwatch_tests::truck::{Sent, Transport, Truck};
use jt808::{Authenticate, Edition, Message};
use serde_json::json;

const T0: i64 = 1_790_000_000;

fn sent(number: i64) -> Sent {
    Sent { time_s: T0 + number, lat_e6: 25_500_000, lon_e6: 103_800_000 + number as i32 }
}

fn track_len(server: &Server, phone: &str) -> usize {
    read_track(&server.admin(), phone, T0, T0 + 1_000).expect("track").len()
}

#[test]
fn a_truck_over_datagrams_is_served_and_known_by_its_address() {
    let folder = tempfile::tempdir().expect("folder");
    let data = folder.path().join("data");
    let server = Server::start(&data, &Setup::default());
    for (edition, phone) in
        [(Edition::V2011, "013900000001"), (Edition::V2013, "013900000002"), (Edition::V2019, "013900000003")]
    {
        let mut truck = Truck::new(phone, "云D12345", edition).over(Transport::Udp);
        truck.connect(&server.jt808).expect("connects");
        for number in 0..20 {
            assert_eq!(truck.report(&[sent(number)]).expect("answered"), 0);
        }
        // From another address it is nobody until it authenticates: no answer, and nothing in its track.
        truck.dial(&server.jt808).expect("dials");
        let (_, frame) = truck.frame(&Message::Heartbeat(jt808::Empty::default()));
        truck.send_raw(&frame).expect("sent");
        assert!(truck.receive().is_err(), "a stranger's datagram is not answered");
        truck.connect(&server.jt808).expect("connects again");
        assert_eq!(truck.report(&[sent(20)]).expect("answered"), 0);
        assert_eq!(track_len(&server, phone), 21);
    }
    server.stop();
}

/// A server that lets a platform in from this machine, and two of three trucks on its list.
fn platform(server: &Server, needs_code: bool) -> Option<String> {
    let admin = server.admin();
    let csv = "plate,colour,carrier,phone\n云D00001,2,曲靖危运,013900000001\n云D00002,2,曲靖危运,013900000002\n\
               云D00003,2,曲靖危运,013900000003\n";
    admin.post_as("/api/v1/imports/vehicles", "text/csv", csv).expect("imported");
    let body = json!({"name": "Provincial platform", "networks": ["127.0.0.0/8"], "needs_code": needs_code,
        "vehicles": ["云D00001:2", "云D00002:2"]});
    let made = admin.post("/api/v1/forwarders", &body).expect("made");
    let id = made["id"].as_str().expect("id").to_owned();
    needs_code.then(|| {
        let answer = admin.post(&format!("/api/v1/forwarders/{id}/code"), &json!({})).expect("a code");
        answer["code"].as_str().expect("code").to_owned()
    })
}

#[test]
fn a_platform_speaks_for_the_trucks_on_its_list_without_their_codes() {
    let folder = tempfile::tempdir().expect("folder");
    let server = Server::start(&folder.path().join("data"), &Setup { registry: true, ..Setup::default() });
    platform(&server, false);
    let mut link = Truck::new("013900000001", "", Edition::V2013);
    link.dial(&server.jt808).expect("dials");
    for phone in ["013900000001", "013900000002", "013900000003"] {
        link.phone = phone.to_owned();
        for number in 0..5 {
            let (serial, frame) = link.frame(&sent(number).message());
            link.send_raw(&frame).expect("sent");
            if phone != "013900000003" {
                assert_eq!(link.answer_to(serial).expect("answered"), 0, "{phone}");
            }
        }
    }
    for (phone, count) in [("013900000001", 5), ("013900000002", 5), ("013900000003", 0)] {
        assert_eq!(track_len(&server, phone), count, "{phone}");
    }
    let links = server.admin().get("/api/v1/forwarders").expect("listed");
    assert_eq!(links["items"][0]["links"][0]["terminals"], json!(2), "{links}");
    // A truck that is also connected by itself keeps both ways; what comes twice is in its track once.
    let mut own = Truck::new("013900000001", "云D00001", Edition::V2013);
    own.connect(&server.jt808).expect("connects");
    for number in 3..8 {
        assert_eq!(own.report(&[sent(number)]).expect("answered"), 0);
        link.phone = "013900000001".to_owned();
        let (serial, frame) = link.frame(&sent(number).message());
        link.send_raw(&frame).expect("the platform's link is still open");
        assert_eq!(link.answer_to(serial).expect("answered"), 0);
    }
    assert_eq!(track_len(&server, "013900000001"), 8);
    server.stop();
}

#[test]
fn a_platform_with_a_code_shows_it_first() {
    let folder = tempfile::tempdir().expect("folder");
    let server = Server::start(&folder.path().join("data"), &Setup { registry: true, ..Setup::default() });
    let code = platform(&server, true).expect("a code");
    let show = |link: &mut Truck, code: &str| {
        link.dial(&server.jt808).expect("dials");
        let message = Authenticate { code: code.into(), imei: None, software_version: None };
        link.ask(&Message::Authenticate(message))
    };
    let mut link = Truck::new("010000000000", "", Edition::V2013);
    assert!(!matches!(show(&mut link, "not it"), Ok(0)), "a wrong code is not accepted");
    assert_eq!(show(&mut link, &code).expect("answered"), 0);
    link.phone = "013900000002".to_owned();
    assert_eq!(link.ask(&sent(1).message()).expect("answered"), 0);
    assert_eq!(track_len(&server, "013900000002"), 1);
    server.stop();
}
