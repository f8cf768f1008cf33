//! One unescaped frame as a view: header, body, check. Says what is odd, decides nothing.

use crate::escape::xor;
use crate::header::{self, RESERVED_FLAG, Shape};
use crate::{Header, Oddities, Oddity};

/// Least bytes of an unescaped frame: a 2011/2013 header and the check code.
pub(crate) const MIN_FRAME: usize = 13;

/// A frame without flags and escapes (JT/T 808-2019 4.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The header, read by the shape that the length confirms.
    pub header: Header,
    /// Everything between header and check code, whatever length the header announces.
    pub body: &'a [u8],
    /// Whether the check code (校验码) is right. A frame with a wrong one must not be judged.
    pub check_ok: bool,
    /// What had to be tolerated to read it.
    pub oddities: Oddities,
}

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Fewer bytes than the header takes.
    #[error("a frame takes at least {least} bytes between its flags, found {found}")]
    TooShort {
        /// Bytes the header and check code need.
        least: usize,
        /// Bytes there are.
        found: usize,
    },
}

impl FrameError {
    /// The part of the frame that could not be read.
    #[must_use]
    pub fn field(&self) -> &'static str {
        "header"
    }
}

impl<'a> Frame<'a> {
    /// Reads an unescaped frame: what stands between the flags, check code included.
    ///
    /// # Errors
    /// When it is shorter than its header; everything else is an oddity.
    pub fn parse(plain: &'a [u8]) -> Result<Self, FrameError> {
        let too_short = |least| FrameError::TooShort { least, found: plain.len() };
        let (Some((_, content)), Some(props)) = (plain.split_last(), header::peek_props(plain)) else {
            return Err(too_short(MIN_FRAME));
        };
        let mut oddities = Oddities::NONE;
        let shape = Shape::detect(props, plain.len(), &mut oddities);
        let (Some(header), Some(body)) = (Header::read(content, shape), content.get(shape.len()..)) else {
            return Err(too_short(shape.len() + 1));
        };
        let check_ok = xor(plain) == 0;
        oddities.note_if(!check_ok, Oddity::CheckWrong);
        Ok(Self { header, body, check_ok, oddities })
    }
}

/// What one piece between two flags is worth to the deframer.
pub(crate) enum Verdict<'a> {
    /// Length rule and check code are right.
    Good(Frame<'a>),
    /// Complete, but the check code or the length field is wrong: a frame that earns no trust.
    Flawed(Frame<'a>),
    /// Shorter than it announces: may continue behind an unescaped flag byte. Where its length
    /// fits another header than its flags say, it is a frame with a wrong check code otherwise.
    Fragment(Option<Frame<'a>>),
    /// Nothing of ours.
    Junk,
}

/// Unescaped bytes that the header at the start of `plain` announces, by its flags alone.
#[inline]
pub(crate) fn announced_len(plain: &[u8]) -> usize {
    header::peek_props(plain).map_or(MIN_FRAME, announced)
}

#[inline]
fn announced(props: u16) -> usize {
    Shape::by_flags(props).len() + usize::from(props & header::LENGTH_MASK) + 1
}

/// The good frame that one unescaped piece is.
#[inline(always)]
pub(crate) fn good(plain: &[u8]) -> Option<Frame<'_>> {
    well_formed(plain).or_else(|| match judge_odd(plain) {
        Verdict::Good(frame) => Some(frame),
        _ => None,
    })
}

/// Judges one unescaped piece.
pub(crate) fn judge(plain: &[u8]) -> Verdict<'_> {
    well_formed(plain).map_or_else(|| judge_odd(plain), Verdict::Good)
}

/// The usual frame: length as its flags announce, check code right.
#[inline(always)]
fn well_formed(plain: &[u8]) -> Option<Frame<'_>> {
    let props = header::peek_props(plain)?;
    if plain.len() != announced(props) || xor(plain) != 0 {
        return None;
    }
    let shape = Shape::by_flags(props);
    let body = plain.get(shape.len()..plain.len() - 1)?;
    Some(Frame { header: Header::read(plain, shape)?, body, check_ok: true, oddities: Oddities::NONE })
}

#[cold]
fn judge_odd(plain: &[u8]) -> Verdict<'_> {
    let short = plain.len() < announced_len(plain);
    let Ok(frame) = Frame::parse(plain) else {
        return if short { Verdict::Fragment(None) } else { Verdict::Junk };
    };
    let fits = !frame.oddities.contains(Oddity::LengthFieldWrong);
    match (frame.check_ok, fits) {
        (true, true) => Verdict::Good(frame),
        // The check code of a fragment is right once in 256: a lying length field is likelier, and
        // a terminal that waits for the answer to such a frame would wait for ever.
        (true, false) if frame.header.props & RESERVED_FLAG == 0 => Verdict::Flawed(frame),
        (false, true) if short => Verdict::Fragment(Some(frame)),
        (false, true) => Verdict::Flawed(frame),
        _ if short => Verdict::Fragment(None),
        _ => Verdict::Junk,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Edition, Packet, Phone, encode_frame};

    /// Every header form, with its flags right and with its flags lying.
    #[test]
    fn shape_by_length_when_flags_lie() {
        let cases = [
            (Edition::V2013, false, 0x0000, &[][..]),
            (Edition::V2013, true, 0x0000, &[]),
            (Edition::V2019, false, 0x4000, &[]),
            (Edition::V2019, true, 0x4000, &[]),
            (Edition::V2019, false, 0x0000, &["bit14_missing"]),
            (Edition::V2013, false, 0x4000, &["bit14_unexpected"]),
        ];
        for (edition, part, flag, odd) in cases {
            let phone = Phone::from_digits("13912345678", edition).unwrap();
            let mut sent = Header::new(0x0200, edition, phone, 7);
            sent.props = flag;
            sent.packet = part.then_some(Packet { total: 3, number: 2 });
            let mut wire = Vec::new();
            encode_frame(&sent, &[9; 28], &mut wire).unwrap();
            let frame = Frame::parse(&wire[1..wire.len() - 1]).unwrap();
            assert!(frame.check_ok);
            assert_eq!(frame.header.phone, phone);
            assert_eq!(frame.header.edition, edition);
            assert_eq!(frame.header.packet, sent.packet);
            assert_eq!(frame.body, [9; 28]);
            assert_eq!(frame.oddities.names().collect::<Vec<_>>(), odd);
        }
    }

    #[test]
    fn a_lying_length_leaves_the_body_whole() {
        let mut plain = vec![0x02, 0, 0, 40, 1, 2, 3, 4, 5, 6, 0, 1, 0xaa, 0xbb];
        plain.push(xor(&plain));
        let frame = Frame::parse(&plain).unwrap();
        assert!(frame.check_ok);
        assert_eq!(frame.body, [0xaa, 0xbb]);
        assert_eq!(frame.oddities.names().collect::<Vec<_>>(), ["length_field_wrong"]);
    }

    #[test]
    fn no_prefix_of_a_frame_panics() {
        let plain = [0x02, 0, 0x60, 40, 1, 2, 3, 4, 5, 6, 0, 1, 0xaa, 0xbb];
        for len in 0..plain.len() {
            assert!(Frame::parse(&plain[..len]).is_err());
        }
    }
}
