//! Long messages: the door asks for packets that did not arrive, once all that did arrive is durable.
#![expect(clippy::panic, reason = "helpers of tests, outside of test functions")]

use gateway::Limits;
use jt808::{Edition, Header, Message, PacketRequest, Piece};

use crate::harness::{Client, House, Terminal};

/// The frames of an upload in packets of 100 bytes.
fn upload(terminal: &mut Terminal, packets: usize) -> Vec<Vec<u8>> {
    let (mut wire, mut frames) = (Vec::new(), Vec::new());
    let header = Header { id: 0x0704, ..terminal.header };
    let sent = jt808::encode_parts(&header, &vec![1; 100 * packets], 100, &mut wire).expect("encodes");
    terminal.header.serial = terminal.header.serial.wrapping_add(sent);
    let keep = |piece: Piece<'_>| frames.push(piece.wire.to_vec());
    jt808::Deframer::new().push(&wire, keep).expect("no garbage");
    frames
}

async fn asked(client: &mut Client) -> (Header, PacketRequest) {
    let down = client.next().await.expect("a request");
    let Message::PacketRequest(request) = down.message else { panic!("{down:?}") };
    (down.header, request)
}

#[tokio::test]
async fn missing_packets_are_asked_for_when_the_others_are_durable() {
    for edition in [Edition::V2013, Edition::V2019] {
        let house = House::with(Limits::default());
        let mut terminal = Terminal::of("13912345678", edition);
        let mut client = house.online(&mut terminal).await;
        let first_serial = terminal.header.serial;
        let parts = upload(&mut terminal, 4);
        client.send(&parts[0]).await;
        assert_eq!(client.result().await, (0x0704, 0));
        client.silent().await;
        house.disk.hold();
        client.send(&parts[3]).await;
        house.disk.held().await;
        client.silent().await;
        house.disk.let_go();
        assert_eq!(client.result().await, (0x0704, 0));
        let (header, request) = asked(&mut client).await;
        assert_eq!(request, PacketRequest::new(first_serial, vec![2, 3]));
        assert_eq!((header.id, header.serial, header.edition), (0x8003, 3, edition));
        client.send(&[parts[2].as_slice(), &parts[1], &parts[1]].concat()).await;
        assert_eq!(client.results(3).await, [(0x0704, 0); 3]);
        client.silent().await;
        // What is asked follows from what is journalled, and is not journalled.
        house.recorded(6).await;
    }
}

#[tokio::test]
async fn silence_in_the_middle_is_asked_about() {
    let house = House::open();
    let mut terminal = Terminal::new("1");
    let mut client = house.online(&mut terminal).await;
    let parts = upload(&mut terminal, 3);
    client.send(&parts[0]).await;
    assert_eq!(client.result().await, (0x0704, 0));
    assert_eq!(asked(&mut client).await.1.numbers, [2, 3]);
}

#[tokio::test]
async fn strangers_are_not_asked() {
    let house = House::open();
    let mut stranger = Terminal::new("1");
    let mut client = house.connect().await;
    let parts = upload(&mut stranger, 3);
    client.send(&parts[2]).await;
    assert_eq!(client.result().await, (0x0704, 1));
    client.silent().await;
}
