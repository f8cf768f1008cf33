//! Fixes into messages of each edition. A fix has one body only, whichever message carries it and however often:
//! the server tells a repetition by it.

use jt808::{BatchKind, BatchLocation, BcdTime, Edition, ItemValue, LocationReport, Message};

use crate::gnss::Fix;

/// Status bits that 2011 reserves: load, doors, satellite systems.
const STATUS_2011: u32 = 0x0000_1c3f;

impl Fix {
    /// The location report (0x0200) of this fix in that edition: 2011 knows fewer status bits and items.
    #[must_use]
    pub fn report(&self, edition: Edition) -> LocationReport {
        let old = edition == Edition::V2011;
        let mut items = vec![ItemValue::Mileage(self.mileage_hm).to_item()];
        items.push(ItemValue::RecorderSpeed(self.recorder_dkmh).to_item());
        if !old {
            if let Some((signals, analogue)) = self.extended {
                items.push(ItemValue::VehicleSignals(signals).to_item());
                items.push(ItemValue::Analog((analogue & 0xffff) as u16, (analogue >> 16) as u16).to_item());
            }
            items.push(ItemValue::SignalStrength(self.signal).to_item());
            items.push(ItemValue::Satellites(self.satellites).to_item());
        }
        LocationReport {
            alarm: self.alarm,
            status: if old { self.status & STATUS_2011 } else { self.status },
            latitude_raw: self.lat_e6,
            longitude_raw: self.lon_e6,
            altitude_raw: self.altitude_m,
            speed_dkmh: self.speed_dkmh,
            direction_deg: self.direction_deg,
            time_bcd: BcdTime::from_utc_s(self.time_s).map_or([0; 6], BcdTime::to_bytes),
            items,
            tail: Vec::new(),
        }
    }

    /// Bytes of the report's body.
    fn body_len(&self, edition: Edition) -> usize {
        let base = jt808::BASE_LEN + 6 + 4;
        match (edition, self.extended) {
            (Edition::V2011, _) => base,
            (_, None) => base + 6,
            (_, Some(_)) => base + 6 + 12,
        }
    }
}

/// How many of these fixes fit one 0x0704 of that edition with a body of so many bytes.
pub(crate) fn batch_fits<'a>(fixes: impl Iterator<Item = &'a Fix>, edition: Edition, bytes: usize) -> usize {
    let mut room = bytes.saturating_sub(3);
    fixes
        .take(usize::from(u16::MAX))
        .take_while(|fix| {
            let left = room.checked_sub(2 + fix.body_len(edition));
            room = left.unwrap_or(0);
            left.is_some()
        })
        .count()
}

/// One fix as 0x0200 (位置信息汇报), several as 0x0704 type 1 (盲区补报).
pub(crate) fn location_message<'a>(fixes: impl ExactSizeIterator<Item = &'a Fix>, edition: Edition) -> Message {
    let mut reports: Vec<_> = fixes.map(|fix| fix.report(edition)).collect();
    match (reports.len(), reports.pop()) {
        (1, Some(only)) => Message::Location(only),
        (_, last) => {
            reports.extend(last);
            Message::BatchLocation(BatchLocation::new(BatchKind::BlindArea, reports))
        }
    }
}

#[cfg(test)]
mod tests {
    use jt808::{Header, MAX_BODY, Phone, encode};

    use super::*;

    fn fix(second: i64) -> Fix {
        Fix {
            time_s: 1_795_406_706 + second,
            lat_e6: 25_500_000,
            lon_e6: 103_800_000,
            altitude_m: 1_900,
            speed_dkmh: 605,
            direction_deg: 90,
            alarm: 0,
            status: 0x000c_1303,
            mileage_hm: 12_345,
            recorder_dkmh: 607,
            satellites: 9,
            signal: 20,
            extended: (second % 4 == 0).then_some((17, 0x0a05)),
        }
    }

    #[test]
    fn bodies_have_the_length_that_batches_count_with() {
        for edition in [Edition::V2011, Edition::V2013, Edition::V2019] {
            for second in 0..8 {
                let mut body = Vec::new();
                location_message([fix(second)].iter(), edition).encode_body(edition, &mut body).expect("fits");
                assert_eq!(body.len(), fix(second).body_len(edition));
            }
        }
    }

    #[test]
    fn a_full_batch_fits_a_frame_and_one_more_would_not() {
        let fixes: Vec<_> = (0..100).map(fix).collect();
        let edition = Edition::V2013;
        let count = batch_fits(fixes.iter(), edition, MAX_BODY);
        assert!((15..30).contains(&count), "{count}");
        let header = Header::new(0, edition, Phone::from_digits("13900000001", edition).expect("a phone"), 1);
        let message = |n: usize| location_message(fixes.iter().take(n), edition);
        assert!(encode(&header, &message(count), &mut Vec::new()).is_ok());
        assert!(encode(&header, &message(count + 1), &mut Vec::new()).is_err());
    }

    #[test]
    fn the_time_is_gmt8_and_2011_is_plain() {
        let report = fix(0).report(Edition::V2011);
        assert_eq!(report.time_bcd, [0x26, 0x11, 0x23, 0x12, 0x05, 0x06]);
        assert_eq!((report.status, report.items.len()), (0x1003, 2));
        assert_eq!(fix(0).report(Edition::V2019).items.len(), 6);
    }
}
