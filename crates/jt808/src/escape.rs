//! Escaping and the check code of JT/T 808-2019 4.4: bytes in, bytes out, no framing decisions.

use memchr::{memchr, memchr2};

/// Flag byte (标识位) at both ends of a frame.
pub const FLAG: u8 = 0x7e;
/// Escape byte (转义): `7d 01` stands for 7d, `7d 02` for 7e.
const ESCAPE: u8 = 0x7d;
/// Longest wire form of a frame with both flags: 21 header + 1023 body + 1 check bytes, all escaped.
pub const MAX_WIRE_FRAME: usize = 2 * (21 + 1023 + 1) + 2;

/// Room to unescape one frame in, filled only when a frame with an escape comes by.
#[derive(Default)]
pub(crate) struct Scratch(Option<[u8; MAX_WIRE_FRAME]>);

/// XOR of all bytes (校验码), word-wise.
#[inline]
pub(crate) fn xor(bytes: &[u8]) -> u8 {
    let (words, tail) = bytes.as_chunks::<8>();
    let mut wide = words.iter().fold(0, |acc, word| acc ^ u64::from_le_bytes(*word));
    match bytes.last_chunk::<8>() {
        // The last word again, less the bytes that were in the word before it.
        Some(last) if !tail.is_empty() => wide ^= u64::from_le_bytes(*last) >> (8 * (8 - tail.len())),
        _ => wide ^= tail.iter().fold(0, |acc, byte| acc ^ u64::from(*byte)),
    }
    for half in [32, 16, 8] {
        wide ^= wide >> half;
    }
    wide as u8
}

/// What an escape starting at `rest[0]` means: the bytes it yields and how many it took.
fn resolve(rest: &[u8]) -> ([u8; 2], usize, usize) {
    match rest.get(1) {
        Some(1) => ([ESCAPE, 0], 1, 2),
        Some(2) => ([FLAG, 0], 1, 2),
        // Illegal: both bytes pass through, as tolerant servers do.
        Some(&other) => ([ESCAPE, other], 2, 2),
        None => ([ESCAPE, 0], 1, 1),
    }
}

/// Unescapes the bytes between two flags; borrows them when there is nothing to do.
/// `None` when they are longer than any frame.
pub(crate) fn unescape<'a>(content: &'a [u8], scratch: &'a mut Scratch) -> Option<&'a [u8]> {
    let Some(mut run) = memchr(ESCAPE, content) else {
        return Some(content);
    };
    if content.len() > MAX_WIRE_FRAME {
        return None;
    }
    let out = scratch.0.get_or_insert([0; MAX_WIRE_FRAME]);
    let (mut len, mut rest) = (0, content);
    loop {
        out.get_mut(len..len + run)?.copy_from_slice(&rest[..run]);
        len += run;
        rest = &rest[run..];
        if rest.is_empty() {
            return out.get(..len);
        }
        let (bytes, yields, takes) = resolve(rest);
        out.get_mut(len..len + yields)?.copy_from_slice(&bytes[..yields]);
        len += yields;
        rest = &rest[takes..];
        run = memchr(ESCAPE, rest).unwrap_or(rest.len());
    }
}

/// The piece that the first flag in `rest` closes: its wire length and its unescaped bytes (`None`
/// when it is overlong). `None` when no flag closes it. One pass when there is no escape.
#[inline]
pub(crate) fn find_piece<'a>(rest: &'a [u8], scratch: &'a mut Scratch) -> Option<(usize, Option<&'a [u8]>)> {
    let at = memchr2(FLAG, ESCAPE, rest)?;
    if rest[at] == FLAG {
        let plain = &rest[..at];
        return Some((at, (at <= MAX_WIRE_FRAME).then_some(plain)));
    }
    find_escaped_piece(rest, at, scratch)
}

/// The rest of [`find_piece`], the first escape being at `at`.
fn find_escaped_piece<'a>(rest: &'a [u8], at: usize, scratch: &'a mut Scratch) -> Option<(usize, Option<&'a [u8]>)> {
    let len = at + memchr(FLAG, &rest[at..])?;
    Some((len, unescape(&rest[..len], scratch)))
}

/// Length of `content` once unescaped.
pub(crate) fn unescaped_len(content: &[u8]) -> usize {
    let (mut len, mut rest) = (0, content);
    while let Some(run) = memchr(ESCAPE, rest) {
        let (_, yields, takes) = resolve(&rest[run..]);
        len += run + yields;
        rest = &rest[run + takes..];
    }
    len + rest.len()
}

/// Unescapes without a bound, for tools that are handed a dump.
pub(crate) fn unescape_to_vec(content: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(content.len()), content);
    while let Some(run) = memchr(ESCAPE, rest) {
        let (bytes, yields, takes) = resolve(&rest[run..]);
        out.extend_from_slice(&rest[..run]);
        out.extend_from_slice(&bytes[..yields]);
        rest = &rest[run + takes..];
    }
    out.extend_from_slice(rest);
    out
}

/// Appends `plain` to `out`, escaped.
pub(crate) fn escape_into(out: &mut Vec<u8>, plain: &[u8]) {
    let mut rest = plain;
    while let Some(run) = memchr2(FLAG, ESCAPE, rest) {
        out.extend_from_slice(&rest[..run]);
        out.extend_from_slice(if rest[run] == FLAG { &[ESCAPE, 2] } else { &[ESCAPE, 1] });
        rest = &rest[run + 1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unescapes_by_table() {
        let cases: [(&[u8], &[u8]); 8] = [
            (b"", b""),
            (b"abc", b"abc"),
            (&[0x7d, 1], &[0x7d]),
            (&[0x7d, 2, 0x7d, 1], &[0x7e, 0x7d]),
            // The standard's example: 30 7e 08 7d 55.
            (&[0x30, 0x7d, 2, 8, 0x7d, 1, 0x55], &[0x30, 0x7e, 8, 0x7d, 0x55]),
            (&[0x7d, 3, 9], &[0x7d, 3, 9]),
            (&[0x7d, 0x7d, 1], &[0x7d, 0x7d, 1]),
            (&[1, 0x7d], &[1, 0x7d]),
        ];
        for (wire, plain) in cases {
            let mut scratch = Scratch::default();
            assert_eq!(unescape(wire, &mut scratch), Some(plain));
            assert_eq!(unescape_to_vec(wire), plain);
            assert_eq!(unescaped_len(wire), plain.len());
        }
    }

    #[test]
    fn escape_is_the_inverse() {
        let plain: Vec<u8> = (0..=255).chain([0x7d, 0x7d, 0x7e]).collect();
        let mut wire = Vec::new();
        escape_into(&mut wire, &plain);
        assert_eq!(unescape_to_vec(&wire), plain);
        for len in 0..plain.len() {
            assert_eq!(xor(&plain[..len]), plain[..len].iter().fold(0, |a, b| a ^ b));
        }
    }
}
