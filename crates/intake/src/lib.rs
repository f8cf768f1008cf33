//! Files in and out: zones as GeoJSON, vehicles as CSV, tracks as GeoJSON, GPX and CSV, and the coordinate systems of
//! Chinese maps.
//!
//! Everything is a pure function of bytes and nouns: no sockets, no store, no clock, no identities made here. A file
//! is taken whole or not at all, and a refusal lists every bad row.

mod crs;
mod fault;
mod geometry;
mod reader;
mod rules;
mod text;
mod track;
mod vehicles;
mod zones;

pub use crs::Crs;
pub use fault::Fault;
pub use geometry::{Frame, shapes};
pub use text::{csv_cell, decode_text, gbk_len};
pub use track::{TrackFormat, TrackWriter, mark_names};
pub use vehicles::{ROWS_MAX, VehicleRow, read_vehicles};
pub use zones::{ZONES_MAX, ZoneDraft, read_zone, read_zones, write_zone};
