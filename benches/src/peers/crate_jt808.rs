//! The public crate `jt808` 0.1.1, used as its own documentation does: its codec, then the body by its type.

use std::hint::black_box;

use bytes::BytesMut;
use jt_util::bytes::IBuffRead;
use jt808_peer::bytes::JtBytes;
use jt808_peer::codec::Jt808Codec;
use jt808_peer::models::Jt808BodyTrans;
use jt808_peer::models::jt0x0200::Jt0x0200;
use tokio_util::codec::Decoder;

use crate::decode::Seen;
use crate::error::Failure;

const GMT8_S: i64 = 8 * 3_600;

/// The codec with its buffer.
#[derive(Default)]
pub(crate) struct Peer {
    codec: Jt808Codec,
    buffer: BytesMut,
}

impl Peer {
    /// Takes what was read. The crate reads times in the zone of the machine; seconds are made as if that was GMT+8.
    pub(crate) fn read(&mut self, bytes: &[u8], seen: &mut Seen) -> Result<(), Failure> {
        self.buffer.extend_from_slice(bytes);
        while let Some(message) =
            self.codec.decode(&mut self.buffer).map_err(Failure::other("decode with the crate"))?
        {
            if message.id != 0x0200 {
                continue;
            }
            let mut body = JtBytes::from(message.get_body());
            debug_assert!(body.len() >= 28, "the stream has whole reports");
            let report = Jt0x0200::fill_new(&mut body, &message);
            let gps = &report.gps;
            let fields = [
                u64::from(gps.alarm_data),
                u64::from(gps.state),
                u64::from(gps.lat),
                u64::from(gps.lng),
                u64::from(gps.altitude),
                u64::from(gps.speed),
                u64::from(gps.direction),
            ];
            let utc_s = gps.time.naive_local().and_utc().timestamp() - GMT8_S;
            seen.add_base(&message.sim.get_bytes(), message.id, message.sn, fields, utc_s);
            // Its map of items is private, and wrong; it has to be made all the same.
            black_box(&report.extend);
        }
        Ok(())
    }
}
