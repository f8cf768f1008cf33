//! Any parts at any time: nothing panics, the bounds hold, no part is lost in silence, and one that was restored
//! halfway goes on alike.
#![no_main]

use jt808::{Assembler, AssemblyLimits, Edition, Fed, Frame, Header, Oddities, Packet, Phone};
use libfuzzer_sys::fuzz_target;

const LIMITS: AssemblyLimits = AssemblyLimits { bytes_max: 4_096, open_max: 3, completed_parts_max: 8, age_us: 1_000 };

/// Parts held before and after, and what came out of it.
fn feed(assembler: &mut Assembler<usize>, frame: &Frame<'_>, at: usize, now_us: i64) -> (Fed<usize>, usize) {
    let held = |assembler: &Assembler<usize>| assembler.open().iter().map(|upload| upload.parts.len()).sum::<usize>();
    let resent: usize = assembler.resent().iter().map(|upload| upload.parts.len()).sum();
    let (before, mut gone) = (held(assembler), 0);
    let fed = assembler.feed(frame, at, now_us, |abandoned| gone += abandoned.upload.parts.len());
    let after = held(assembler);
    // What came again may become part of an upload that begins.
    match &fed {
        Fed::Kept | Fed::Contradicts => assert!((0..=resent).contains(&(after + gone - before - 1))),
        Fed::Complete(whole) => {
            assert_eq!(whole.tags.len(), usize::from(frame.header.packet.map_or(0, |packet| packet.total)));
            // A terminal that counts both from 0 and from 1 has one too many.
            assert!((0..=resent + 1).contains(&(after + gone + whole.tags.len() - before)));
        }
        _ => assert_eq!(before, after + gone),
    }
    assert!(assembler.bytes() <= LIMITS.bytes_max);
    assert!(assembler.open().len() <= LIMITS.open_max && assembler.resent().len() <= LIMITS.open_max);
    for missing in assembler.missing(100, now_us) {
        assert!(!missing.numbers.is_empty());
    }
    (fed, gone)
}

// Six bytes a part: time that passes, serial, total, number, length and byte of its body.
fuzz_target!(|input: &[u8]| {
    let phone = Phone::from_digits("13912345678", Edition::V2013).expect("eleven digits fit");
    let mut assembler = Assembler::new(LIMITS);
    let mut twin = assembler.clone();
    let mut now_us = 0;
    let (parts, _) = input.as_chunks::<6>();
    for (at, &[wait, serial, total, number, len, byte]) in parts.iter().enumerate() {
        now_us += i64::from(wait);
        let mut header = Header::new(0x0704, Edition::V2013, phone, u16::from(serial).wrapping_sub(128));
        header.packet = Some(Packet { total: u16::from(total), number: u16::from(number) });
        let body = vec![byte; 4 * usize::from(len)];
        let frame = Frame { header, body: &body, check_ok: byte != 0, oddities: Oddities::NONE };
        let fed = feed(&mut assembler, &frame, at, now_us);
        assert_eq!(feed(&mut twin, &frame, at, now_us), fed);
        if at % 8 == 7 {
            twin = Assembler::restore(LIMITS, twin.open().to_vec(), twin.completed().to_vec(), twin.resent().to_vec());
        }
    }
    assembler.expire(i64::MAX, |_| {});
    assert!(assembler.is_idle() && assembler.bytes() == 0);
});
