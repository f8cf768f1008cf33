//! Tests of the terminal: scripted answers, a made-up clock, no socket.

use std::time::Duration;

use jt808::{BatchBodies, Deframer, LocationView, RegisterResult, answer_general, answer_register};

use super::*;
use crate::options::{Editions, Late};

const SECOND: u64 = 1_000_000;

fn fix(second: i64) -> Fix {
    Fix {
        time_s: 1_795_406_706 + second,
        lat_e6: 25_500_000 + second as u32,
        lon_e6: 103_800_000,
        altitude_m: 1_900,
        speed_dkmh: 605,
        direction_deg: 90,
        alarm: 0,
        status: 3,
        mileage_hm: 1,
        recorder_dkmh: 607,
        satellites: 9,
        signal: 20,
        extended: None,
    }
}

/// A frame that the terminal sent: header, and the seconds of the fixes in it.
type Sent = (Header, Vec<i64>);

struct Bench {
    terminal: Terminal,
    stats: Stats,
    now_us: u64,
    delivered: Vec<i64>,
}

impl Bench {
    fn new(edition: (u32, u32, u32), window: usize) -> Self {
        let editions = Editions { v2011: edition.0, v2013: edition.1, v2019: edition.2 };
        let identity = Identity::new(1, 1, editions).expect("an identity");
        let manners = Manners { window, store_max: 100, ..Manners::default() };
        Self { terminal: Terminal::new(identity, manners), stats: Stats::default(), now_us: 0, delivered: Vec::new() }
    }

    fn after(&mut self, fx: &Effects) -> Vec<Sent> {
        self.delivered.extend(fx.delivered.iter().map(|one| one.fix.time_s - fix(0).time_s));
        let mut sent = Vec::new();
        Deframer::new()
            .push(&fx.wire, |piece| {
                let (header, body) = (piece.frame.header, piece.frame.body);
                let second = |view: LocationView<'_>| view.time_utc_s().expect("a time") - fix(0).time_s;
                let seconds = match header.id {
                    0x0200 => LocationView::new(body).map(second).into_iter().collect(),
                    0x0704 => BatchBodies::new(body).map(second).collect(),
                    _ => Vec::new(),
                };
                sent.push((header, seconds));
            })
            .expect("frames");
        sent
    }

    fn connect(&mut self) -> Vec<Sent> {
        let mut fx = Effects::default();
        self.terminal.connected(self.now_us, &mut fx);
        self.after(&fx)
    }

    fn poll(&mut self, at_us: u64) -> Result<Vec<Sent>, HangUp> {
        self.now_us = at_us;
        let mut fx = Effects::default();
        self.terminal.poll(at_us, &self.stats, &mut fx)?;
        Ok(self.after(&fx))
    }

    fn hear(&mut self, wire: &[u8]) -> Result<Vec<Sent>, HangUp> {
        let mut fx = Effects::default();
        let mut verdict = Ok(());
        let (terminal, stats, now_us) = (&mut self.terminal, &self.stats, self.now_us);
        Deframer::new()
            .push(wire, |piece| verdict = terminal.received(&piece.frame, now_us, stats, &mut fx))
            .expect("frames");
        let sent = self.after(&fx);
        verdict.map(|()| sent)
    }

    fn answer(&mut self, to: &Header, result: GeneralResult) -> Result<Vec<Sent>, HangUp> {
        let mut wire = Vec::new();
        answer_general(&mut wire, to, 0, result);
        self.hear(&wire)
    }

    /// Connects, registers if asked to, authenticates.
    fn online(&mut self) {
        let mut sent = self.connect();
        if let [(asked, _)] = sent.as_slice()
            && asked.id == 0x0100
        {
            let mut wire = Vec::new();
            answer_register(&mut wire, asked, 0, RegisterResult::Success, "a code").expect("fits");
            sent = self.hear(&wire).expect("goes on");
        }
        let [(asked, _)] = sent.as_slice() else { panic!("{sent:?}") };
        assert_eq!(asked.id, 0x0102);
        self.answer(&asked.clone(), GeneralResult::Success).expect("is online");
        assert!(self.terminal.is_online());
    }

    fn take(&mut self, second: i64) {
        self.terminal.take(fix(second), &self.stats);
    }
}

#[test]
fn one_report_at_a_time_and_the_next_only_after_its_answer() {
    for edition in [(1, 0, 0), (0, 1, 0), (0, 0, 1)] {
        let mut bench = Bench::new(edition, 1);
        bench.online();
        bench.take(0);
        bench.take(1);
        let sent = bench.poll(SECOND).expect("sends");
        let [(first, seconds)] = sent.as_slice() else { panic!("{sent:?}") };
        assert_eq!((first.id, seconds.as_slice()), (0x0200, &[0][..]));
        assert!(bench.poll(2 * SECOND).expect("waits").is_empty());
        bench.answer(first, GeneralResult::Success).expect("goes on");
        // The same answer again, to the repetition that never was: nothing is delivered twice.
        bench.answer(first, GeneralResult::Success).expect("goes on");
        assert_eq!(bench.delivered, [0]);
        assert_eq!(bench.poll(2 * SECOND).expect("sends")[0].1, [1]);
    }
}

#[test]
fn a_silent_server_gets_the_same_frame_at_growing_intervals_and_then_loses_the_terminal() {
    let mut bench = Bench::new((0, 1, 0), 1);
    bench.online();
    bench.take(0);
    let first = bench.poll(0).expect("sends");
    // T1 = 10 s, T2 = T1 * 2, T3 = T2 * 3, T4 = T3 * 4.
    for due_s in [10, 30, 90] {
        assert_eq!(bench.terminal.wake_us(), Some(due_s * SECOND));
        assert!(bench.poll(due_s * SECOND - 1).expect("waits").is_empty());
        assert_eq!(bench.poll(due_s * SECOND).expect("repeats"), first);
    }
    assert_eq!(bench.poll(330 * SECOND), Err(HangUp::Unanswered));
    assert_eq!(bench.stats.resent.get(), 3);

    bench.terminal.disconnected(&bench.stats);
    bench.online();
    let again = bench.poll(331 * SECOND).expect("sends");
    assert_eq!(again[0].1, [0]);
    assert_ne!(again[0].0.serial, first[0].0.serial);
    bench.answer(&again[0].0, GeneralResult::Success).expect("goes on");
    assert_eq!((bench.delivered.as_slice(), bench.terminal.kept_len()), (&[0][..], 0));
}

#[test]
fn what_was_stored_in_a_dead_zone_comes_in_order_between_live_reports() {
    for (edition, via) in [((1, 0, 0), 0x0200), ((0, 1, 0), 0x0704), ((0, 0, 1), 0x0704)] {
        let mut bench = Bench::new(edition, 1);
        (0..40).for_each(|second| bench.take(second));
        bench.online();
        (40..43).for_each(|second| bench.take(second));
        let (mut stored, mut order) = (Vec::new(), Vec::new());
        while bench.terminal.kept_len() > 0 {
            let sent = bench.poll(SECOND).expect("sends");
            let [(header, seconds)] = sent.as_slice() else { panic!("{sent:?}") };
            if seconds[0] < 40 {
                assert_eq!(header.id, via);
                stored.extend(seconds.iter().copied());
            }
            order.push(seconds[0] < 40);
            bench.answer(header, GeneralResult::Success).expect("goes on");
        }
        assert_eq!(stored, (0..40).collect::<Vec<_>>());
        assert_eq!(order[..4], [false, true, false, true], "live and backlog take turns");
        assert_eq!(bench.delivered.len(), 43);
    }
}

#[test]
fn a_lost_connection_brings_everything_back_in_order() {
    let mut bench = Bench::new((0, 1, 0), 3);
    bench.online();
    (0..6).for_each(|second| bench.take(second));
    assert_eq!(bench.poll(0).expect("sends").len(), 3);
    bench.terminal.disconnected(&bench.stats);
    bench.take(6);
    bench.online();
    let sent = bench.poll(SECOND).expect("sends");
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].0.id, sent[0].1.as_slice()), (0x0704, &[0, 1, 2, 3, 4, 5, 6][..]));
    assert_eq!(bench.terminal.kept().filter(|kept| kept.sending.is_some()).count(), 7);
}

#[test]
fn a_refused_report_is_kept_counted_and_tried_again_later() {
    let mut bench = Bench::new((0, 1, 0), 1);
    bench.online();
    bench.take(0);
    let sent = bench.poll(0).expect("sends");
    bench.answer(&sent[0].0, GeneralResult::Failure).expect("goes on");
    assert_eq!((bench.stats.refusals().get(&(0x0200, 1)), bench.terminal.kept_len()), (Some(&1), 1));
    assert!(bench.poll(9 * SECOND).expect("holds").is_empty());
    let again = bench.poll(10 * SECOND).expect("sends");
    assert_eq!(again[0].1, [0]);
    bench.answer(&again[0].0, GeneralResult::Success).expect("goes on");
    assert_eq!(bench.delivered, [0]);
}

#[test]
fn refused_registration_and_authentication_hang_up_and_begin_anew() {
    let mut bench = Bench::new((0, 0, 1), 1);
    let asked = bench.connect()[0].0;
    let mut wire = Vec::new();
    answer_register(&mut wire, &asked, 0, RegisterResult::NoSuchTerminal, "").expect("fits");
    assert_eq!(bench.hear(&wire), Err(HangUp::Refused));
    bench.terminal.disconnected(&bench.stats);

    bench.online();
    bench.terminal.disconnected(&bench.stats);
    let asked = bench.connect()[0].0;
    assert_eq!(asked.id, 0x0102, "the code is remembered");
    assert_eq!(bench.answer(&asked, GeneralResult::Failure), Err(HangUp::Refused));
    bench.terminal.disconnected(&bench.stats);
    assert_eq!(bench.connect()[0].0.id, 0x0100, "and forgotten when refused");
    assert_eq!(bench.stats.refusals().len(), 2);
}

#[test]
fn commands_are_answered_and_a_query_with_the_position_too() {
    let mut bench = Bench::new((0, 1, 0), 1);
    bench.online();
    bench.take(0);
    let sent = bench.poll(0).expect("sends");
    let command = |message: &Message| {
        let mut wire = Vec::new();
        let header = Header { id: 0, serial: 99, ..sent[0].0 };
        encode(&header, message, &mut wire).expect("fits");
        wire
    };
    let text = jt808::TextMessage { flag: 4, kind: None, text: Text::from("前方禁行") };
    let ids = |sent: Vec<Sent>| sent.iter().map(|(header, _)| header.id).collect::<Vec<_>>();
    assert_eq!(ids(bench.hear(&command(&Message::Text(text))).expect("goes on")), [0x0001]);
    assert_eq!(bench.stats.texts.get(), 1);
    let query = Message::LocationQuery(jt808::Empty { extra: Vec::new() });
    assert_eq!(ids(bench.hear(&command(&query)).expect("goes on")), [0x0001, 0x0201]);
    let unknown = Message::Unknown(jt808::Unknown { id: 0x8500, raw: vec![0] });
    assert_eq!(ids(bench.hear(&command(&unknown)).expect("goes on")), [0x0001]);
}

#[test]
fn an_idle_terminal_beats_and_a_full_store_counts() {
    let mut bench = Bench::new((0, 1, 0), 1);
    bench.online();
    let due_us = bench.terminal.wake_us().expect("a heartbeat");
    assert_eq!(due_us, Duration::from_secs(60).as_micros() as u64);
    let sent = bench.poll(due_us).expect("beats");
    assert_eq!(sent[0].0.id, 0x0002);
    bench.answer(&sent[0].0, GeneralResult::Success).expect("goes on");
    (0..105).for_each(|second| bench.take(second));
    assert_eq!((bench.terminal.kept_len(), bench.stats.overflowed.get()), (100, 5));
}

/// A terminal of 2019 with forty stored fixes in parts of 300 bytes, and its parts as they leave.
fn uploading(window: usize) -> (Bench, Vec<Sent>) {
    let mut bench = Bench::new((0, 0, 1), window);
    bench.terminal.manners.late = Late::Parts { bytes: 300, max: 10 };
    (0..40).for_each(|second| bench.take(second));
    bench.online();
    let sent = bench.poll(SECOND).expect("sends");
    (bench, sent)
}

fn numbers(sent: &[Sent]) -> Vec<(u16, u16)> {
    sent.iter().filter_map(|(header, _)| Some((header.packet?.number, header.serial))).collect()
}

#[test]
fn an_upload_counts_when_its_last_part_is_acknowledged() {
    let (mut bench, sent) = uploading(64);
    let total = sent[0].0.packet.expect("a part").total;
    assert_eq!((sent.len(), total), (7, 7));
    let serials: Vec<u16> = sent.iter().map(|(header, _)| header.serial).collect();
    assert!(serials.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{serials:?}");
    for (header, _) in sent.iter().rev().take(6) {
        bench.answer(header, GeneralResult::Success).expect("goes on");
        assert_eq!((bench.delivered.len(), bench.terminal.kept_len()), (0, 40));
    }
    bench.answer(&sent[0].0, GeneralResult::Success).expect("goes on");
    assert_eq!((bench.delivered.len(), bench.terminal.kept_len()), (40, 0));
}

#[test]
fn after_a_lost_connection_only_open_parts_go_again_with_their_serials() {
    let (mut bench, sent) = uploading(64);
    for at in [0, 2, 3] {
        bench.answer(&sent[at].0, GeneralResult::Success).expect("goes on");
    }
    bench.terminal.disconnected(&bench.stats);
    assert_eq!(bench.terminal.kept_len(), 40);
    bench.online();
    let again = bench.poll(2 * SECOND).expect("sends");
    let open: Vec<_> = [1, 4, 5, 6].map(|at| numbers(&sent)[at]).to_vec();
    assert_eq!(numbers(&again), open);
    for (header, _) in &again {
        bench.answer(header, GeneralResult::Success).expect("goes on");
    }
    assert_eq!((bench.delivered.len(), bench.terminal.kept_len()), (40, 0));
}

#[test]
fn an_upload_that_is_too_old_or_refused_is_sent_anew() {
    let (mut bench, sent) = uploading(64);
    bench.answer(&sent[0].0, GeneralResult::Success).expect("goes on");
    bench.terminal.disconnected(&bench.stats);
    bench.now_us = 1_000 * SECOND;
    bench.online();
    let again = bench.poll(1_000 * SECOND).expect("sends");
    assert_eq!(again.len(), 7);
    assert_ne!(numbers(&again)[1], numbers(&sent)[1], "new serials: another upload");
    bench.answer(&again[3].0, GeneralResult::Failure).expect("goes on");
    assert_eq!((bench.delivered.len(), bench.terminal.kept_len()), (0, 40));
    let anew = bench.poll(1_010 * SECOND).expect("sends");
    assert_eq!(anew.len(), 7);
}

#[test]
fn wanted_parts_go_again_unchanged() {
    let (mut bench, sent) = uploading(64);
    let wanted = |first_serial, numbers: &[u16]| {
        let mut wire = Vec::new();
        let message = Message::PacketRequest(PacketRequest::new(first_serial, numbers.to_vec()));
        encode(&Header { packet: None, ..sent[0].0 }, &message, &mut wire).expect("fits");
        wire
    };
    let first_serial = sent[0].0.serial;
    let again = bench.hear(&wanted(first_serial, &[2, 5, 9])).expect("goes on");
    assert_eq!(numbers(&again), [numbers(&sent)[1], numbers(&sent)[4]], "part 9 never was");
    assert!(bench.hear(&wanted(first_serial + 1, &[1])).expect("goes on").is_empty());
    for (header, _) in &sent {
        bench.answer(header, GeneralResult::Success).expect("goes on");
    }
    let late = bench.hear(&wanted(first_serial, &[1])).expect("goes on");
    assert_eq!(numbers(&late), [numbers(&sent)[0]], "a platform may ask after its answers");
}

#[test]
fn a_small_window_holds_for_parts_too() {
    let (mut bench, sent) = uploading(2);
    assert_eq!(sent.len(), 2);
    assert!(bench.poll(SECOND).expect("waits").is_empty());
    bench.answer(&sent[1].0, GeneralResult::Success).expect("goes on");
    assert_eq!(numbers(&bench.poll(SECOND).expect("sends"))[0].0, 3);
}
