//! What comes down the wire: garbage, pieces, damage, unknown messages. The good frames around it are all served.

use journal::Kind;
use jt808::{Message, Packet};

use crate::harness::{House, Terminal, eventually};

fn damaged(mut frame: Vec<u8>) -> Vec<u8> {
    let body = frame.len() - 5;
    frame[body] ^= 0x01;
    frame
}

/// Bytes, and the id and result of their answer if there is one.
type Row = (Vec<u8>, Option<(u16, u8)>);

/// Good and bad in one stream, with what is answered.
fn mixture(terminal: &mut Terminal) -> (Vec<u8>, Vec<(u16, u8)>) {
    let mut part = Terminal { header: terminal.header };
    part.header.packet = Some(Packet { total: 3, number: 2 });
    let rows: Vec<Row> = vec![
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), None),
        (terminal.location(), Some((0x0200, 0))),
        (vec![0x7e, 0x7e, 0x7e], None),
        (damaged(terminal.location()), Some((0x0200, 2))),
        (terminal.raw(0x0002, &[1, 2, 3]), Some((0x0002, 0))),
        (vec![0x00, 0xff], None),
        (terminal.raw(0x6006, b"hello"), Some((0x6006, 3))),
        (terminal.raw(0x8103, &[0]), Some((0x8103, 3))),
        (terminal.raw(0x0001, &[0, 1, 0x83, 0, 0]), None),
        (terminal.raw(0x0200, &[1; 27]), Some((0x0200, 2))),
        (terminal.raw(0x0704, &[0]), Some((0x0704, 2))),
        (part.raw(0x0704, &[0]), Some((0x0704, 0))),
        (terminal.raw(0x0200, &[0x7e; 40]), Some((0x0200, 0))),
        (vec![0x7e; 2], None),
        (terminal.location(), Some((0x0200, 0))),
    ];
    let answers = rows.iter().filter_map(|(_, answer)| *answer).collect();
    (rows.into_iter().flat_map(|(bytes, _)| bytes).collect(), answers)
}

#[tokio::test]
async fn good_frames_survive_whatever_is_around_them() {
    let house = House::open();
    for (row, chunk) in [usize::MAX, 1, 2, 3, 7, 19, 64].into_iter().enumerate() {
        let mut terminal = Terminal::new(&format!("100{row}"));
        let mut client = house.online(&mut terminal).await;
        let (bytes, expected) = mixture(&mut terminal);
        for piece in bytes.chunks(chunk) {
            client.send(piece).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(client.results(expected.len()).await, expected, "in chunks of {chunk}");
        let id = Some(terminal.id());
        let uplink = || house.records().into_iter().filter(|r| r.terminal == id && r.kind == Kind::Uplink).count();
        eventually("all are kept, the unanswered one too", || uplink() == expected.len() + 1).await;
    }
}

#[tokio::test]
async fn frames_are_kept_as_they_came() {
    let house = House::open();
    let mut terminal = Terminal::new("1");
    let mut client = house.online(&mut terminal).await;
    let frames = [terminal.location(), damaged(terminal.raw(0x0200, &[0x7d; 30])), terminal.raw(0x6006, &[0x7e])];
    client.send(&frames.concat()).await;
    client.results(3).await;
    let kept: Vec<_> = house.recorded(4).await[1..].iter().map(|record| record.raw.to_vec()).collect();
    assert_eq!(kept, frames);
}

#[tokio::test]
async fn strangers_may_be_damaged_too() {
    let house = House::open();
    let mut terminal = Terminal::new("1");
    house.admit(&terminal);
    let code = house.code(&terminal);
    let mut client = house.connect().await;
    client.send(&[damaged(terminal.authenticate(&code)), terminal.location()].concat()).await;
    assert_eq!(client.results(2).await, [(0x0102, 2), (0x0200, 1)]);
    client.send(&terminal.raw(0x0100, &[0, 1, 2])).await;
    assert_eq!(client.result().await, (0x0100, 2));
}

#[tokio::test]
async fn nothing_but_garbage_closes_after_the_good_is_answered() {
    let house = House::open();
    let mut terminal = Terminal::new("1");
    let mut client = house.online(&mut terminal).await;
    client.send(&terminal.location()).await;
    client.send(&vec![b'x'; 70 * 1024]).await;
    assert_eq!(client.result().await, (0x0200, 0));
    client.closed().await;
    house.closes_counted("garbage").await;
}

#[tokio::test]
async fn whoever_closes_its_side_still_gets_its_answers() {
    let house = House::open();
    let mut terminal = Terminal::new("1");
    let mut client = house.online(&mut terminal).await;
    client.send(&[terminal.location(), terminal.location()].concat()).await;
    tokio::io::AsyncWriteExt::shutdown(&mut client.stream).await.expect("half-closes");
    assert_eq!(client.results(2).await, [(0x0200, 0); 2]);
    client.closed().await;
    house.closes_counted("peer").await;
}

#[tokio::test]
async fn the_time_is_told_in_utc() {
    let house = House::open();
    let mut terminal = Terminal::new("1");
    let mut client = house.online(&mut terminal).await;
    let before = journal::system_clock().now().secs();
    client.send(&terminal.raw(0x0004, &[])).await;
    let Message::ServerTime(told) = client.next().await.expect("an answer").message else { panic!("no time") };
    let told = jt808::BcdTime::parse(told.time_bcd).expect("a time").zulu_utc_s();
    assert!((before..=journal::system_clock().now().secs()).contains(&told));
}
