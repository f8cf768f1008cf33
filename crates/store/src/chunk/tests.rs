//! The codec against what it must survive: any fix, any damage.

use model::{Marks, Position, RecordRef, Timestamp};
use proptest::prelude::*;

use super::any::{tame, wild};
use super::*;

proptest! {
    #[test]
    fn any_fix_comes_back(fixes in prop::collection::vec(prop_oneof![wild(), tame()], 0..40)) {
        prop_assert_eq!(decode(&encode(&fixes)), Ok(fixes));
    }

    #[test]
    fn a_track_comes_back(mut fixes in prop::collection::vec(tame(), 0..300)) {
        fixes.sort_by(Fix::track_order);
        prop_assert_eq!(decode(&encode(&fixes)), Ok(fixes));
    }

    #[test]
    fn damage_is_seen(fixes in prop::collection::vec(tame(), 1..40), place in any::<prop::sample::Index>(), flip in 1_u8..) {
        let block = encode(&fixes);
        let mut flipped = block.clone();
        flipped[place.index(block.len())] ^= flip;
        prop_assert!(decode(&flipped).is_err());
        prop_assert!(decode(&block[..place.index(block.len())]).is_err());
        prop_assert!(decode(&[&block[..], &[0]].concat()).is_err());
    }

    /// Behind a checksum that fits, too: nothing panics, nothing swells.
    #[test]
    fn forged_blocks_end(
        fixes in prop::collection::vec(prop_oneof![wild(), tame()], 1..40),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut body = encode(&fixes).split_off(1 + CHECK_LEN);
        let length = body.len();
        changes.iter().for_each(|(place, byte)| body[place.index(length)] = *byte);
        if let Ok(fixes) = decode(&sealed(&body)) {
            prop_assert!(fixes.iter().map(|f| f.items.len()).sum::<usize>() < 1 << 20);
        }
    }
}

fn sealed(body: &[u8]) -> Vec<u8> {
    [&[VERSION][..], &checksum(body), body].concat()
}

#[test]
fn what_is_newer_says_so() {
    let cases: [(&[u8], ChunkError); 5] = [
        (&[0, 1, 99, 0, 0], ChunkError::Column(99)),
        (&[0, 1, 1, 99, 0], ChunkError::Codec { column: 1, codec: 99 }),
        (&[0, 0, 7], ChunkError::Trailing(1)),
        (&[0, 1, 1, 0, 5], ChunkError::Short("payload")),
        (&[0xff, 0xff, 0xff, 0x7f, 0], ChunkError::Limit("count")),
    ];
    for (body, want) in cases {
        assert_eq!(decode(&sealed(body)), Err(want));
    }
    assert_eq!(decode(&[2, 0, 0, 0, 0]), Err(ChunkError::Version(2)));
    assert_eq!(decode(&[]), Err(ChunkError::Short("version")));
}

/// The bytes are the contract: `example.hex` is read for ever. What the encoder writes may only change with care.
#[test]
fn the_format_is_frozen() {
    let golden = hex::decode(include_str!("../../../../proto/hazwatch/track/v1/example.hex").trim()).expect("hex");
    assert_eq!(hex::encode(encode(&example())), hex::encode(&golden));
    assert!(decode(&golden) == Ok(example()), "the example does not decode to what it was");
}

fn example() -> Vec<Fix> {
    let fix = |n: u32| {
        let mileage = 12_345 + n * 5;
        let time = Timestamp::from_secs(1_795_406_706 + i64::from(n) * 30);
        let seq = 1000 + u64::from(n * 33 + n % 3);
        Fix {
            terminal: TerminalId::from_wire(&[1, 0x39, 0x12, 0x34, 0x56, 0x78]),
            time,
            received: time.plus_us(400_000 + i64::from(n * n % 97) * 1000),
            source: RecordRef { position: Position { shard: 0, seq }, index: n % 2, item: 0 },
            alarm: u32::from(n == 7),
            status: 3,
            lat_wire: 32_050_000 + n * 2_200 + n * n % 41,
            lon_wire: 118_790_000 + n * 1_500 + n * n % 37,
            altitude_wire: (15 + n % 5) as u16,
            speed_dkmh: (600 + n * n % 50) as u16,
            direction_deg: ((350 + n) % 360) as u16,
            time_bcd: if n == 9 { [0; 6] } else { [0x26, 0x11, 0x23, 0x12, 0x05, 0x06] },
            mileage_hm: Some(mileage),
            items: [&[1, 4][..], &mileage.to_be_bytes(), &[0x30, 1, (20 + n % 7) as u8]].concat().into_boxed_slice(),
            marks: Marks::default(),
        }
    };
    (0..64).map(fix).collect()
}
