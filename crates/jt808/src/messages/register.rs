//! 0x0100 终端注册, in the three layouts of its three editions.

use super::put_padded;
use crate::message::Body;
use crate::reader::Reader;
use crate::text::is_clean;
use crate::{BodyError, Edition, EncodeError, Oddity, Text};
use serde_json::{Value, json};

/// Widths of the fixed texts, and with them the offsets of everything behind.
struct Layout {
    edition: Edition,
    maker: usize,
    model: usize,
    terminal_id: usize,
}

const LAYOUTS: [Layout; 3] = [
    Layout { edition: Edition::V2011, maker: 5, model: 8, terminal_id: 7 },
    Layout { edition: Edition::V2013, maker: 5, model: 20, terminal_id: 7 },
    Layout { edition: Edition::V2019, maker: 11, model: 30, terminal_id: 30 },
];

/// Highest plate colour code of JT/T 415 and JT/T 697.7.
const COLOUR_MAX: u8 = 9;

impl Layout {
    fn of(edition: Edition) -> &'static Self {
        let [v2011, v2013, v2019] = &LAYOUTS;
        match edition {
            Edition::V2011 => v2011,
            Edition::V2013 => v2013,
            Edition::V2019 => v2019,
        }
    }

    /// Where the plate colour lies.
    fn colour_at(&self) -> usize {
        4 + self.maker + self.model + self.terminal_id
    }

    /// Whether `body` read this way has a possible colour and a plate that is text.
    fn reads_clean(&self, body: &[u8]) -> bool {
        match body.get(self.colour_at()..) {
            Some([colour, plate @ ..]) => *colour <= COLOUR_MAX && is_clean(plate),
            _ => false,
        }
    }

    /// The 2011 and the 2013 body stand under the same header: told apart by length, and a 2011
    /// body with a VIN, which is as long as a 2013 one, by what reads clean.
    fn detect(edition: Edition, body: &[u8]) -> &'static Self {
        let [v2011, v2013, v2019] = &LAYOUTS;
        if edition == Edition::V2019 {
            return v2019;
        }
        let old = body.len() <= v2013.colour_at() || !v2013.reads_clean(body) && v2011.reads_clean(body);
        if old { v2011 } else { v2013 }
    }
}

/// A terminal introduces itself and its vehicle. JT/T 808-2019 8.6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// Whose layout the body has; here the 2011 edition shows.
    pub layout: Edition,
    /// First two digits of the GB/T 2260 code (省域ID), as a number.
    pub province: u16,
    /// Its last four digits (市县域ID).
    pub city: u16,
    /// Maker (制造商ID).
    pub maker: Text,
    /// Model (终端型号).
    pub model: Text,
    /// Terminal id (终端ID), given by the maker.
    pub terminal_id: Text,
    /// Plate colour (车牌颜色): 1 blue, 2 yellow, 3 black, 4 white, 5 green, 9 other, 0 no plate.
    pub plate_colour: u8,
    /// Plate (车牌), or the VIN when the colour is 0. Read it with [`Text::decode_plate`].
    pub plate: Text,
}

impl Body for Register {
    fn decode(reader: &mut Reader<'_>, edition: Edition) -> Result<Self, BodyError> {
        let layout = Layout::detect(edition, reader.peek());
        let (province, city) = (reader.word("province")?, reader.word("city")?);
        let maker = reader.text_as_far(layout.maker);
        let model = reader.text_as_far(layout.model);
        let terminal_id = reader.text_as_far(layout.terminal_id);
        let colour = reader.byte("plate_colour");
        reader.oddities.note_if(colour.is_err(), Oddity::ShortBody);
        Ok(Self {
            layout: layout.edition,
            province,
            city,
            maker,
            model,
            terminal_id,
            plate_colour: colour.unwrap_or(0),
            plate: reader.rest_text(),
        })
    }

    /// Written in [`Register::layout`], whatever the header's edition is.
    fn encode(&self, _: Edition, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let layout = Layout::of(self.layout);
        out.extend(self.province.to_be_bytes());
        out.extend(self.city.to_be_bytes());
        put_padded(out, "maker", &self.maker, layout.maker)?;
        put_padded(out, "model", &self.model, layout.model)?;
        put_padded(out, "terminal_id", &self.terminal_id, layout.terminal_id)?;
        out.push(self.plate_colour);
        out.extend_from_slice(self.plate.wire());
        Ok(())
    }

    fn print(&self, _: Edition) -> Value {
        json!({
            "province": self.province,
            "city": self.city,
            "maker": self.maker.decode(),
            "model": self.model.decode(),
            "terminal_id": self.terminal_id.decode(),
            "plate_colour": self.plate_colour,
            "plate": self.plate.decode_plate(),
        })
    }
}
