//! Any body of any message, in any edition: decode, print, encode, decode again, compare.
#![no_main]

use jt808::{Edition, Header, MESSAGES, Message, Phone};
use libfuzzer_sys::fuzz_target;

// Two bytes choose message and edition, the rest is the body.
fuzz_target!(|input: &[u8]| {
    let [row, edition, body @ ..] = input else {
        return;
    };
    let edition = [Edition::V2011, Edition::V2013, Edition::V2019][usize::from(edition % 3)];
    let id = MESSAGES.get(usize::from(*row)).map_or(0x0f00 | u16::from(*row), |info| info.id);
    let phone = Phone::from_digits("13912345678", edition).expect("eleven digits fit");
    let header = Header::new(id, edition, phone, 7);
    let Ok(message) = Message::decode(&header, body) else {
        return;
    };
    assert!(!message.print(edition).is_null());
    let mut again = Vec::new();
    message.encode_body(edition, &mut again).expect("what was read can be written");
    assert_eq!(Message::decode(&header, &again).as_ref(), Ok(&message));
});
