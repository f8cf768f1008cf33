//! Varints and slices: a reader that names the field it failed on, and the writer to it.

use super::ChunkError;

/// Reads from the front of a slice.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], ChunkError> {
        let (head, tail) = self.0.split_at_checked(len).ok_or(ChunkError::Short(field))?;
        self.0 = tail;
        Ok(head)
    }

    pub(super) fn byte(&mut self, field: &'static str) -> Result<u8, ChunkError> {
        let (first, rest) = self.0.split_first().ok_or(ChunkError::Short(field))?;
        self.0 = rest;
        Ok(*first)
    }

    /// An unsigned LEB128 number.
    pub(super) fn varint(&mut self, field: &'static str) -> Result<u128, ChunkError> {
        let mut value = 0_u128;
        for shift in (0..128).step_by(7) {
            let byte = self.byte(field)?;
            let bits = u128::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(ChunkError::Limit(field));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ChunkError::Limit(field))
    }

    /// A varint that is at most `max`.
    pub(super) fn count(&mut self, max: usize, field: &'static str) -> Result<usize, ChunkError> {
        let value = self.varint(field)?;
        usize::try_from(value).ok().filter(|v| *v <= max).ok_or(ChunkError::Limit(field))
    }
}

/// Appends an unsigned LEB128 number.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u128) {
    while value >= 0x80 {
        out.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_come_back_and_have_an_end() {
        for value in [0, 1, 127, 128, u128::from(u64::MAX), u128::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(Reader(&out).varint("x"), Ok(value));
            assert_eq!(Reader(&out[..out.len() - 1]).varint("x"), Err(ChunkError::Short("x")));
        }
        assert_eq!(Reader(&[0xff; 30]).varint("x"), Err(ChunkError::Limit("x")));
    }
}
