//! The plain way to decode: one byte after the other through a small machine, fields put together by hand, no heap.

use crate::decode::Seen;

/// Longest unescaped frame.
const FRAME_MAX: usize = 21 + 1_023 + 1;
const DAY_S: i64 = 86_400;
const GMT8_S: i64 = 8 * 3_600;

/// The machine.
pub(crate) struct ByteLoop {
    frame: [u8; FRAME_MAX],
    len: usize,
    xor: u8,
    escaped: bool,
}

impl Default for ByteLoop {
    fn default() -> Self {
        Self { frame: [0; FRAME_MAX], len: 0, xor: 0, escaped: false }
    }
}

impl ByteLoop {
    /// Takes what was read.
    pub(crate) fn read(&mut self, bytes: &[u8], seen: &mut Seen) {
        for &byte in bytes {
            let plain = match byte {
                0x7e => {
                    if self.len > 0 && self.xor == 0 {
                        decode(&self.frame[..self.len], seen);
                    }
                    self.len = 0;
                    self.xor = 0;
                    self.escaped = false;
                    continue;
                }
                0x7d => {
                    self.escaped = true;
                    continue;
                }
                1 if self.escaped => 0x7d,
                2 if self.escaped => 0x7e,
                byte => byte,
            };
            self.escaped = false;
            if let Some(place) = self.frame.get_mut(self.len) {
                *place = plain;
                self.len += 1;
                self.xor ^= plain;
            }
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from(bytes[at]) << 8 | u16::from(bytes[at + 1])
}

fn dword(bytes: &[u8], at: usize) -> u32 {
    u32::from(word(bytes, at)) << 16 | u32::from(word(bytes, at + 2))
}

/// Reads a whole frame, if it is as long as it says.
fn decode(frame: &[u8], seen: &mut Seen) {
    if frame.len() < 13 {
        return;
    }
    let (id, props) = (word(frame, 0), word(frame, 2));
    let (phone_at, serial_at) = if props & 0x4000 == 0 { (4, 10) } else { (5, 15) };
    let body_at = serial_at + 2;
    let body_len = usize::from(props & 0x3ff);
    if id != 0x0200 || props & 0x2000 != 0 || frame.len() != body_at + body_len + 1 || body_len < 28 {
        return;
    }
    let body = &frame[body_at..body_at + body_len];
    let status = dword(body, 4);
    let signed = |raw: u32, bit: u32| if status & bit == 0 { i64::from(raw) } else { -i64::from(raw) };
    let altitude = word(body, 16);
    let altitude_m = if altitude > 0x8000 { i64::from(altitude as i16) } else { i64::from(altitude) };
    let fields = [
        u64::from(dword(body, 0)),
        u64::from(status),
        signed(dword(body, 8), 4) as u64,
        signed(dword(body, 12), 8) as u64,
        altitude_m as u64,
        u64::from(word(body, 18)),
        u64::from(word(body, 20)),
    ];
    seen.add_base(&frame[phone_at..serial_at], id, word(frame, serial_at), fields, utc_s(&body[22..28]).unwrap_or(0));
    items(&body[28..], seen);
}

fn items(mut rest: &[u8], seen: &mut Seen) {
    while rest.len() >= 2 {
        let (id, len) = (rest[0], usize::from(rest[1]));
        if rest.len() < 2 + len {
            return;
        }
        let raw = &rest[2..2 + len];
        let value = match (id, len) {
            (0x01, 4) => u64::from(dword(raw, 0)),
            (0x02 | 0x03, 2) => u64::from(word(raw, 0)),
            (0x30 | 0x31, 1) => u64::from(raw[0]),
            _ => 0,
        };
        seen.items = seen.items.wrapping_add(value);
        seen.item_bytes += 2 + len as u64;
        rest = &rest[2 + len..];
    }
}

/// Seconds since 1970 of six BCD bytes in GMT+8; `None` when they are no calendar time.
pub(crate) fn utc_s(bcd: &[u8]) -> Option<i64> {
    let mut parts = [0_i64; 6];
    for (part, byte) in parts.iter_mut().zip(bcd) {
        let (tens, ones) = (byte >> 4, byte & 15);
        if tens > 9 || ones > 9 {
            return None;
        }
        *part = i64::from(tens * 10 + ones);
    }
    let [year, month, day, hour, minute, second] = parts;
    let leap = year % 4 == 0;
    let month_days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day < 1 || day > month_days || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days since the first of March 2000, the month counted from March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year.div_euclid(4) + (153 * month + 2) / 5 + day - 1;
    const MARCH_2000_DAYS: i64 = 11_017;
    Some((MARCH_2000_DAYS + days) * DAY_S + hour * 3_600 + minute * 60 + second - GMT8_S)
}
