//! 0x0702 驾驶员身份信息采集上报, in the layouts of 2011, 2013 and 2019.

use super::{put_counted, put_padded};
use crate::message::Body;
use crate::print::hex;
use crate::reader::Reader;
use crate::{BcdTime, BodyError, Edition, EncodeError, Oddity, Text};
use serde_json::{Value, json};

const LICENCE_LEN: usize = 20;
const LICENCE_LEN_2011: usize = 40;
const ID_CARD_LEN: usize = 20;
/// Status 1: card inserted, the driver goes on duty.
const INSERTED: u8 = 1;
/// Status 2: card pulled, the driver goes off duty.
const PULLED: u8 = 2;
/// Bytes of a 2011 body besides name and issuer.
const FIXED_LEN_2011: usize = 62;

/// The card event that the layouts since 2013 begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardEvent {
    /// Status (状态): 1 card inserted, 2 card pulled.
    pub status: u8,
    /// When (插卡/拔卡时间), YY MM DD hh mm ss, GMT+8; see [`BcdTime::parse`].
    pub time_bcd: [u8; 6],
    /// IC card read result (IC卡读取结果), 0 is good. Absent in a body of 7 bytes.
    pub read_result: Option<u8>,
}

/// Who drives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driver {
    /// Name (驾驶员姓名).
    pub name: Text,
    /// Number of the 从业资格证 (从业资格证编码).
    pub licence_no: Text,
    /// Issuer of it (发证机构名称).
    pub issuer: Text,
    /// Valid until (证件有效期), BCD YYYYMMDD, may be all 0. Not in 2011.
    pub valid_until_bcd: Option<[u8; 4]>,
    /// Identity card number (驾驶员身份证号). Not in 2013.
    pub id_card: Option<Text>,
}

/// A driver's card was inserted or pulled. JT/T 808-2019 8.47.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverIdentity {
    /// What happened; absent in the 2011 layout, which means "on duty now".
    pub card: Option<CardEvent>,
    /// The driver; absent when the card was pulled or could not be read.
    pub driver: Option<Driver>,
    /// What follows the last field known.
    pub tail: Vec<u8>,
}

/// The 2011 layout begins with the length of a name, later ones with 1 or 2.
fn is_2011(body: &[u8]) -> bool {
    match body {
        [2, _, _, ..] => body
            .get(FIXED_LEN_2011 + 1)
            .is_some_and(|issuer_len| usize::from(*issuer_len) + FIXED_LEN_2011 + 2 == body.len()),
        [1, ..] | [] => false,
        _ => true,
    }
}

fn read_2011(reader: &mut Reader<'_>) -> Result<Driver, BodyError> {
    let name_len = usize::from(reader.byte("name_length")?);
    let name = reader.text("name", name_len)?;
    let id_card = Some(reader.text("id_card", ID_CARD_LEN)?);
    let licence_no = reader.text("licence_no", LICENCE_LEN_2011)?;
    let issuer_len = usize::from(reader.byte("issuer_length")?);
    Ok(Driver { name, licence_no, issuer: reader.text("issuer", issuer_len)?, valid_until_bcd: None, id_card })
}

fn read_2013(reader: &mut Reader<'_>) -> Result<Driver, BodyError> {
    let name_len = usize::from(reader.byte("name_length")?);
    let name = reader.text("name", name_len)?;
    let licence_no = reader.text("licence_no", LICENCE_LEN)?;
    let issuer_len = usize::from(reader.byte("issuer_length")?);
    let issuer = reader.text("issuer", issuer_len)?;
    let valid_until_bcd = Some(reader.array("valid_until")?);
    // 2019 adds it, and the bytes that are left over tell better than the header.
    let id_card = if reader.len() >= ID_CARD_LEN { Some(reader.text("id_card", ID_CARD_LEN)?) } else { None };
    Ok(Driver { name, licence_no, issuer, valid_until_bcd, id_card })
}

impl Body for DriverIdentity {
    fn decode(reader: &mut Reader<'_>, _: Edition) -> Result<Self, BodyError> {
        if is_2011(reader.peek()) {
            return Ok(Self { card: None, driver: Some(read_2011(reader)?), tail: reader.tail() });
        }
        let (status, time_bcd) = (reader.byte("status")?, reader.array("time")?);
        reader.oddities.note_if(BcdTime::parse(time_bcd).is_none(), Oddity::TimeInvalid);
        let read_result = reader.byte("read_result").ok();
        let mut driver = None;
        if read_result == Some(0) {
            let mut ahead = Reader::new(reader.peek());
            match read_2013(&mut ahead) {
                Ok(read) => {
                    driver = Some(read);
                    reader.bytes("driver", reader.len() - ahead.len())?;
                }
                // Only an inserted card that was read has to be followed by a driver.
                Err(error) if status == INSERTED => return Err(error),
                Err(_) => {}
            }
        }
        Ok(Self { card: Some(CardEvent { status, time_bcd, read_result }), driver, tail: reader.tail() })
    }

    fn encode(&self, _: Edition, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if let Some(card) = &self.card {
            out.push(card.status);
            out.extend(card.time_bcd);
            out.extend(card.read_result);
        }
        if let Some(driver) = &self.driver {
            put_driver(out, driver, self.card.is_none())?;
        }
        out.extend_from_slice(&self.tail);
        Ok(())
    }

    fn print(&self, _: Edition) -> Value {
        let mut printed = json!({});
        if let Some(card) = &self.card {
            printed["status"] = json!(card.status);
            printed["status_name"] = json!(match card.status {
                INSERTED => Some("card_inserted"),
                PULLED => Some("card_pulled"),
                _ => None,
            });
            printed["time"] = json!(BcdTime::parse(card.time_bcd).map(BcdTime::to_rfc3339));
            printed["read_result"] = json!(card.read_result);
        }
        if let Some(driver) = &self.driver {
            print_driver(&mut printed, driver);
        }
        if !self.tail.is_empty() {
            printed["tail"] = json!(hex(&self.tail));
        }
        printed
    }
}

fn put_driver(out: &mut Vec<u8>, driver: &Driver, as_2011: bool) -> Result<(), EncodeError> {
    let blank = Text::default();
    put_counted(out, "name", &driver.name)?;
    if as_2011 {
        let id_card = driver.id_card.as_ref().unwrap_or(&blank);
        put_padded(out, "id_card", id_card, ID_CARD_LEN)?;
        put_padded(out, "licence_no", &driver.licence_no, LICENCE_LEN_2011)?;
        return put_counted(out, "issuer", &driver.issuer);
    }
    put_padded(out, "licence_no", &driver.licence_no, LICENCE_LEN)?;
    put_counted(out, "issuer", &driver.issuer)?;
    out.extend(driver.valid_until_bcd.unwrap_or_default());
    match &driver.id_card {
        Some(id_card) => put_padded(out, "id_card", id_card, ID_CARD_LEN),
        None => Ok(()),
    }
}

fn print_driver(printed: &mut Value, driver: &Driver) {
    printed["name"] = json!(driver.name.decode());
    printed["licence_no"] = json!(driver.licence_no.decode());
    printed["issuer"] = json!(driver.issuer.decode());
    if let Some(valid_until) = driver.valid_until_bcd {
        printed["valid_until"] = json!(hex(&valid_until));
    }
    if let Some(id_card) = &driver.id_card {
        printed["id_card"] = json!(id_card.decode());
    }
}
