//! 0x8004 查询服务器时间应答 (2019).

use crate::message::Body;
use crate::reader::Reader;
use crate::{BcdTime, BodyError, Edition, EncodeError, Oddity};
use serde_json::{Value, json};

/// The platform's time: the one time field of the protocol in UTC. JT/T 808-2019 8.10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerTime {
    /// YY MM DD hh mm ss, UTC; see [`BcdTime::zulu_from_utc_s`].
    pub time_bcd: [u8; 6],
}

impl Body for ServerTime {
    fn decode(reader: &mut Reader<'_>, _: Edition) -> Result<Self, BodyError> {
        let time_bcd = reader.array("time")?;
        reader.oddities.note_if(BcdTime::parse(time_bcd).is_none(), Oddity::TimeInvalid);
        Ok(Self { time_bcd })
    }

    fn encode(&self, _: Edition, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend(self.time_bcd);
        Ok(())
    }

    fn print(&self, _: Edition) -> Value {
        json!({ "time": BcdTime::parse(self.time_bcd).map(BcdTime::to_rfc3339_zulu) })
    }
}
