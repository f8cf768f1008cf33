//! Any stream, cut anywhere, gives the same pieces, keeps memory bounded and never panics.
#![no_main]

use jt808::{DeframeError, Deframer, FLAG, MAX_WIRE_FRAME, Piece, decode_json};
use libfuzzer_sys::fuzz_target;

type Seen = (Vec<Vec<u8>>, Result<(), DeframeError>, u64);

fn feed<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Seen {
    let (mut deframer, mut wires) = (Deframer::new(), Vec::new());
    let mut see = |piece: Piece<'_>| {
        assert!(piece.wire.starts_with(&[FLAG]) && piece.wire.ends_with(&[FLAG]));
        wires.push(piece.wire.to_vec());
    };
    let mut result = Ok(());
    for chunk in chunks {
        result = deframer.push(chunk, &mut see);
        assert!(deframer.held_bytes() <= 2 * MAX_WIRE_FRAME);
        if result.is_err() {
            break;
        }
    }
    if result.is_ok() {
        deframer.finish(&mut see);
    }
    (wires, result, deframer.garbage_bytes())
}

// The first byte chooses how the rest is cut.
fuzz_target!(|input: &[u8]| {
    let Some((cut, stream)) = input.split_first() else {
        return;
    };
    let whole = feed([stream].into_iter());
    assert_eq!(feed(stream.chunks(usize::from(*cut).max(1))), whole);
    assert_eq!(feed(stream.chunks(1)), whole);
    // A frame that was found alone is found again.
    for wire in &whole.0 {
        let hex: String = wire.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!decode_json(&hex).is_empty());
    }
});
