//! Fixes of any kind, for the tests of codecs.

use model::{Fix, Marks, Position, RecordRef, TerminalId, Timestamp};
use proptest::prelude::*;

fn any_terminal() -> impl Strategy<Value = TerminalId> {
    prop::collection::vec(any::<u8>(), 0..=10).prop_map(|b| TerminalId::from_wire(&b))
}

prop_compose! {
    fn any_source()(shard in any::<u16>(), seq in any::<u64>(), index in any::<u32>(), item in any::<u16>()) -> RecordRef {
        RecordRef { position: Position { shard, seq }, index, item }
    }
}

prop_compose! {
    /// Nothing about it makes sense.
    pub(crate) fn wild()(
        terminal in any_terminal(), time in any::<i64>(), received in any::<i64>(), source in any_source(),
        words in any::<(u32, u32, u32, u32)>(), shorts in any::<(u16, u16, u16, u16)>(), time_bcd in any::<[u8; 6]>(),
        mileage_hm in any::<Option<u32>>(), items in prop::collection::vec(any::<u8>(), 0..40),
    ) -> Fix {
        Fix {
            terminal, source, time_bcd, mileage_hm,
            time: Timestamp(time), received: Timestamp(received),
            alarm: words.0, status: words.1, lat_wire: words.2, lon_wire: words.3,
            altitude_wire: shorts.0, speed_dkmh: shorts.1, direction_deg: shorts.2, marks: Marks(shorts.3),
            items: items.into_boxed_slice(),
        }
    }
}

prop_compose! {
    /// What terminals send, more or less; the odometer item sometimes leads, sometimes lies, sometimes stands alone.
    pub(crate) fn tame()(
        seconds in 1_795_000_000_i64..1_795_100_000, late_ms in 0_i64..100_000, seq in 0_u64..5000,
        lat in 32_000_000_u32..32_100_000, lon in 118_000_000_u32..118_100_000, speed in 0_u16..1200,
        direction in 0_u16..360, mileage in 0_u32..1000, lead in 0_u8..4, tail in prop::collection::vec(any::<u8>(), 0..6),
        bcd in prop_oneof![9 => Just(None), 1 => any::<[u8; 6]>().prop_map(Some)],
    ) -> Fix {
        let mut items = match lead {
            0 => vec![],
            1 => vec![1, 4, 9, 9, 9, 9],
            _ => [&[1, 4][..], &mileage.to_be_bytes()].concat(),
        };
        items.extend(tail);
        Fix {
            terminal: TerminalId::from_wire(&[1, 0x39]),
            time: Timestamp::from_secs(seconds), received: Timestamp::from_secs(seconds).plus_us(late_ms * 1000),
            source: RecordRef { position: Position { shard: 0, seq }, index: 0, item: 0 },
            alarm: 0, status: 3, lat_wire: lat, lon_wire: lon, altitude_wire: 15, speed_dkmh: speed,
            direction_deg: direction, time_bcd: bcd.unwrap_or([0x26, 0x11, 0x23, 0x12, 0x05, 0x06]),
            mileage_hm: (lead != 3).then_some(mileage), items: items.into_boxed_slice(), marks: Marks::default(),
        }
    }
}
