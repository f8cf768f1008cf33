//! How long a location report with five items takes out of a stream: cut, unescape, check, every field read.

use std::hint::black_box;

use jt808::{Deframer, Edition, Header, Item, ItemValue, LocationReport, LocationView, Message, Phone, encode};

use rustix::time::{ClockId, clock_gettime};

use crate::cli::Cli;
use crate::error::Failure;
use crate::peers::byte_loop::ByteLoop;
use crate::peers::crate_jt808::Peer;
use crate::table::{Bar, Row, Table, median};

/// Frames in the stream: what a receive buffer of some hundred KiB holds.
const FRAMES: u32 = 4_096;
/// Bytes that each read gives.
const READ: usize = 16 * 1_024;
/// Times that a slice reads the stream: some milliseconds.
const PASSES: u32 = 10;
const NS: &str = "ns/frame";

/// What was read: sums of the fields, so that nothing can be left out, and so that all ways can be held against each
/// other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Frames.
    pub(crate) frames: u64,
    /// Header and basic info, time as seconds.
    pub(crate) base: u64,
    /// Values of the items.
    pub(crate) items: u64,
    /// Bytes of the items with id and length.
    pub(crate) item_bytes: u64,
}

impl Seen {
    pub(crate) fn add_base(&mut self, phone: &[u8], id: u16, serial: u16, fields: [u64; 7], utc_s: i64) {
        self.frames += 1;
        let phone = phone.iter().fold(0_u64, |digits, byte| digits << 8 | u64::from(*byte));
        let header = phone.wrapping_add(u64::from(id)).wrapping_add(u64::from(serial));
        let sum = fields.iter().fold(header, |sum, field| sum.wrapping_add(*field));
        self.base = self.base.wrapping_add(sum).wrapping_add(utc_s as u64);
    }

    /// What the crate `jt808` can be held to: it keeps items to itself, and takes their length byte for a value.
    fn without_items(self) -> Self {
        Self { items: 0, item_bytes: 0, ..self }
    }
}

/// Ours: [`Deframer`] and [`LocationView`].
#[derive(Default)]
struct Ours {
    deframer: Deframer,
}

impl Ours {
    fn read(&mut self, bytes: &[u8], seen: &mut Seen) -> Result<(), Failure> {
        let pushed = self.deframer.push(bytes, |piece| {
            let (header, Some(view)) = (&piece.frame.header, LocationView::new(piece.frame.body)) else { return };
            if !piece.frame.check_ok || header.id != 0x0200 {
                return;
            }
            let fields = [
                u64::from(view.alarm()),
                u64::from(view.status()),
                view.lat_e6() as u64,
                view.lon_e6() as u64,
                view.altitude_m() as u64,
                u64::from(view.speed_dkmh()),
                u64::from(view.direction_deg()),
            ];
            seen.add_base(header.phone.bytes(), header.id, header.serial, fields, view.time_utc_s().unwrap_or(0));
            for item in view.items() {
                seen.item_bytes += 2 + item.raw.len() as u64;
                let value = match item.value() {
                    Some(ItemValue::Mileage(value)) => u64::from(value),
                    Some(ItemValue::Fuel(value) | ItemValue::RecorderSpeed(value)) => u64::from(value),
                    Some(ItemValue::SignalStrength(value) | ItemValue::Satellites(value)) => u64::from(value),
                    _ => 0,
                };
                seen.items = seen.items.wrapping_add(value);
            }
        });
        pushed.map_err(Failure::other("cut the stream"))
    }
}

/// A stream of reports as of many terminals. Dates have the same bytes in BCD and binary and escapes are at most two a
/// frame, because the crate `jt808` 0.1.1 panics or fails on others.
fn stream() -> Result<Vec<u8>, Failure> {
    let mut wire = Vec::new();
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    for number in 0..FRAMES {
        for _ in 0..3 {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
        }
        let edition = if number % 2 == 0 { Edition::V2013 } else { Edition::V2019 };
        let phone =
            Phone::from_digits(&format!("139{number:08}"), edition).map_err(Failure::other("name a terminal"))?;
        let header = Header::new(0x0200, edition, phone, (dice >> 48) as u16);
        let mut frame = Vec::new();
        encode(&header, &Message::Location(report(number, dice)), &mut frame).map_err(Failure::other("encode"))?;
        if frame.iter().filter(|byte| **byte == 0x7d).count() <= 2 {
            wire.append(&mut frame);
        }
    }
    Ok(wire)
}

fn report(number: u32, dice: u64) -> LocationReport {
    let digit = |shift: u32, from: u64, many: u64| (from + (dice >> shift) % many) as u8;
    LocationReport {
        alarm: (dice & 0x10) as u32,
        status: 0x000c_0003,
        latitude_raw: 25_000_000 + (dice >> 8 & 0xf_ffff) as u32,
        longitude_raw: 103_000_000 + (dice >> 28 & 0xf_ffff) as u32,
        altitude_raw: 1_900 + (dice & 0xff) as u16,
        speed_dkmh: (dice >> 12) as u16 % 800,
        direction_deg: (dice >> 20) as u16 % 360,
        time_bcd: [5, digit(3, 1, 9), digit(9, 1, 9), digit(15, 0, 10), digit(21, 0, 10), digit(27, 0, 10)],
        items: vec![
            Item::new(0x01, &(100_000 + number).to_be_bytes()),
            Item::new(0x02, &(3_000 + (dice >> 30) as u16 % 999).to_be_bytes()),
            Item::new(0x03, &((dice >> 12) as u16 % 800).to_be_bytes()),
            Item::new(0x30, &[14 + digit(36, 0, 16)]),
            Item::new(0x31, &[8 + digit(41, 0, 8)]),
        ],
        tail: Vec::new(),
    }
}

/// Processor time of this thread, ns: other work on the machine is not charged to us.
fn cpu_ns() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Reads the stream so many times; ns of processor a frame.
fn time(
    stream: &[u8],
    passes: u32,
    mut read: impl FnMut(&[u8], &mut Seen) -> Result<(), Failure>,
) -> Result<(f64, Seen), Failure> {
    let mut seen = Seen::default();
    let began = cpu_ns();
    for _ in 0..passes {
        for chunk in black_box(stream).chunks(READ) {
            read(chunk, &mut seen)?;
        }
    }
    let took = cpu_ns() - began;
    Ok((took / seen.frames.max(1) as f64, black_box(seen)))
}

/// One round: the three ways in turn, slice by slice; the median slice of each, ns a frame.
fn round(stream: &[u8], slices: u32) -> Result<[f64; 3], Failure> {
    let mut ns = [const { Vec::new() }; 3];
    for _ in 0..slices {
        let (mut ours, mut bytes, mut peer) = (Ours::default(), ByteLoop::default(), Peer::default());
        let (ours, seen) = time(stream, PASSES, |chunk, seen| ours.read(chunk, seen))?;
        let (bytes, bytes_seen) = time(stream, PASSES, |chunk, seen| {
            bytes.read(chunk, seen);
            Ok(())
        })?;
        let (peer, peer_seen) = time(stream, PASSES, |chunk, seen| peer.read(chunk, seen))?;
        if seen != bytes_seen || peer_seen != seen.without_items() {
            return Err(Failure::Wrong(format!("three ways, three results: {seen:?} {bytes_seen:?} {peer_seen:?}")));
        }
        for (list, value) in ns.iter_mut().zip([ours, bytes, peer]) {
            list.push(value);
        }
    }
    Ok(ns.map(|slices| median(&slices)))
}

/// The bench.
pub(crate) fn run(cli: &Cli) -> Result<Table, Failure> {
    let stream = stream()?;
    let slices = if cli.quick { 5 } else { 40 };
    round(&stream, 2)?;
    let rounds = (0..cli.rounds()).map(|_| round(&stream, slices)).collect::<Result<Vec<_>, _>>()?;
    let column = |of: fn(&[f64; 3]) -> f64| rounds.iter().map(of).collect::<Vec<_>>();
    let mut table = Table::new(format!(
        "decode: 0x0200 with 5 items out of a stream, {} B a frame, reads of {READ} B, medians of {} rounds",
        stream.len() as u32 / FRAMES,
        cli.rounds()
    ));
    table.rows.push(Row::new("hazwatch-jt808", NS, column(|[ours, ..]| *ours)));
    table.rows.push(Row::new("byte loop", NS, column(|[_, bytes, _]| *bytes)));
    table.rows.push(Row::new("crate jt808 0.1.1", NS, column(|[.., peer]| *peer)));
    let to_bytes = median(&column(|[ours, bytes, _]| bytes / ours));
    let to_peer = median(&column(|[ours, _, peer]| peer / ours));
    table.bars.push(Bar::at_least("x the byte loop", to_bytes, 1.6));
    table.bars.push(Bar::at_least("x the crate jt808 0.1.1", to_peer, 6.0));
    let less = "the crate checks no check code and reads items wrongly (their length as a value): it does less than the others";
    table.notes.push(less.to_owned());
    Ok(table)
}

#[cfg(test)]
mod tests {
    use jt808::BcdTime;

    use crate::peers::byte_loop::utc_s;

    use super::*;

    #[test]
    fn all_ways_see_the_same_however_the_stream_is_cut() {
        let stream = stream().expect("a stream");
        let whole = time(&stream, 1, |chunk, seen| Ours::default().read(chunk, seen)).map(|_| ());
        assert!(whole.is_ok());
        for cut in [7, 64, 4_093, stream.len()] {
            let (mut ours, mut bytes, mut peer) = (Ours::default(), ByteLoop::default(), Peer::default());
            let mut seen = [Seen::default(); 3];
            for chunk in stream.chunks(cut) {
                ours.read(chunk, &mut seen[0]).expect("ours");
                bytes.read(chunk, &mut seen[1]);
                peer.read(chunk, &mut seen[2]).expect("the crate");
            }
            assert_eq!(seen[0], seen[1], "cut at {cut}");
            assert_eq!(seen[2], seen[0].without_items(), "cut at {cut}");
            assert!(seen[0].frames > 4_000 && seen[0].items > 0);
        }
    }

    #[test]
    fn the_byte_loop_knows_the_calendar() {
        for bcd in [[0x05, 1, 1, 0, 0, 0], [0x24, 0x02, 0x29, 0x23, 0x59, 0x59], [0x99, 0x12, 0x31, 0, 0, 1]] {
            let ours = BcdTime::parse(bcd).map(BcdTime::utc_s);
            assert_eq!(utc_s(&bcd), ours, "{bcd:x?}");
        }
        assert_eq!(utc_s(&[0x26, 0x13, 1, 0, 0, 0]), None);
    }
}
