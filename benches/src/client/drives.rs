//! Reports prepared once for all connections: only time, phone, serial and check code differ from frame to frame, so
//! that a load costs little beside the server that it measures.

use fleet::{Beginning, Network, Truck};
use jt808::{BASE_LEN, BcdTime, Edition, Header, Message, encode_frame};

use crate::error::Failure;
use crate::terminal::SEED;

/// Drives that the connections share; each is driven in every edition.
const DRIVES: u32 = 64;
/// Places of a drive, a second apart; then the truck drives the same way back.
const PLACES: u64 = 128;
/// Offset of the time field in a report (JT/T 808-2019 table 23).
const TIME_AT: usize = 22;
const EDITIONS: [Edition; 3] = [Edition::V2011, Edition::V2013, Edition::V2019];

/// Bodies of location reports, by edition, drive and place.
pub(super) struct Drives {
    bodies: Vec<Vec<u8>>,
    begin_s: i64,
}

/// One of the drives, as a terminal of some edition reports it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drive(usize);

impl Drives {
    /// Fix times begin at this second and go on by one a report.
    pub(super) fn new(begin_s: i64) -> Result<Self, Failure> {
        let (network, beginning) = (Network::qujing(), Beginning { epoch_s: 0, showcase: false });
        let mut bodies = Vec::with_capacity(EDITIONS.len() * DRIVES as usize * PLACES as usize);
        for edition in EDITIONS {
            for index in 0..DRIVES {
                let truck = Truck::new(SEED, index, network, beginning);
                let mut truck = truck.ok_or_else(|| Failure::Wrong(format!("no truck {index}")))?;
                for second in 0..PLACES {
                    truck.advance_to(network, second);
                    let mut body = Vec::new();
                    let report = Message::Location(truck.fix(0).report(edition));
                    report.encode_body(edition, &mut body).map_err(Failure::other("encode a report"))?;
                    bodies.push(body);
                }
            }
        }
        Ok(Self { bodies, begin_s })
    }

    /// The drive of a terminal.
    pub(super) fn of(index: u32, edition: Edition) -> Drive {
        let at = EDITIONS.iter().position(|one| *one == edition).unwrap_or_default();
        Drive(at * DRIVES as usize + (index % DRIVES) as usize)
    }

    /// Appends a terminal's report number `number` as a frame.
    pub(super) fn write(&mut self, drive: Drive, number: u64, header: &Header, out: &mut Vec<u8>) {
        // There and back again; the first and the last place only once.
        let turn = number % (2 * PLACES - 2);
        let place = turn.min(2 * PLACES - 2 - turn) as usize;
        let Some(body) = self.bodies.get_mut(drive.0 * PLACES as usize + place) else { return };
        let time = BcdTime::from_utc_s(self.begin_s + number as i64).map_or([0; 6], BcdTime::to_bytes);
        if let Some(field) = body.get_mut(TIME_AT..BASE_LEN) {
            field.copy_from_slice(&time);
        }
        encode_frame(header, body, out).expect("a report fits a frame");
    }
}

#[cfg(test)]
mod tests {
    use jt808::{Deframer, LocationView, Phone};

    use super::*;

    #[test]
    fn reports_are_a_second_apart_and_never_jump() {
        let begin_s = 1_790_000_000;
        let mut drives = Drives::new(begin_s).expect("drives");
        for edition in EDITIONS {
            let drive = Drives::of(77, edition);
            let phone = Phone::from_digits("13900000077", edition).expect("a phone");
            let (mut wire, mut seen) = (Vec::new(), Vec::new());
            for number in 0..600 {
                drives.write(drive, number, &Header::new(0x0200, edition, phone, number as u16), &mut wire);
            }
            let pushed = Deframer::new().push(&wire, |piece| {
                let view = LocationView::new(piece.frame.body).expect("a report");
                seen.push((view.time_bcd(), view.lat_e6(), view.lon_e6()));
            });
            pushed.expect("frames");
            assert_eq!(seen.len(), 600);
            for (number, pair) in seen.windows(2).enumerate() {
                let time = BcdTime::from_utc_s(begin_s + number as i64).map(BcdTime::to_bytes);
                assert_eq!(Some(pair[0].0), time);
                assert!(pair[0].1.abs_diff(pair[1].1) < 2_000 && pair[0].2.abs_diff(pair[1].2) < 2_000, "{pair:?}");
            }
        }
    }
}
