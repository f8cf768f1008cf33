//! Files in and out: zones as GeoJSON, KML and CSV of stake ranges, roads as GeoJSON, vehicles, permits, drivers and the
//! calendar as CSV, tracks as GeoJSON, GPX and CSV, and the coordinate systems of Chinese maps.
//!
//! Everything is a pure function of bytes and nouns: no sockets, no store, no clock, no identities made here. A file
//! is taken whole or not at all, and a refusal lists every bad row.

mod calendar;
mod crs;
mod drivers;
mod fault;
mod geometry;
mod kml;
mod permits;
mod reader;
mod roads;
mod rules;
mod stakes;
mod table;
mod text;
mod track;
mod vehicles;
mod xml;
mod zones;

pub use calendar::read_calendar;
pub use crs::Crs;
pub use drivers::{DriverRow, read_drivers};
pub use fault::Fault;
pub use geometry::{Frame, shapes};
pub use kml::read_kml_zones;
pub use permits::{PermitRow, read_permits};
pub use roads::{ROADS_MAX, RoadDraft, corridors_between, read_roads, write_road};
pub use stakes::read_stake_zones;
pub use table::ROWS_MAX;
pub use text::{csv_cell, decode_text, gbk_len};
pub use track::{TrackFormat, TrackWriter, mark_names};
pub use vehicles::{VehicleRow, read_vehicles};
pub use zones::{ZONES_MAX, ZoneDraft, read_zone, read_zones, write_zone};
