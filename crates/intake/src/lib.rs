//! Files in and out: zones as GeoJSON, KML, shapefiles and tables of stake ranges, roads as GeoJSON, carriers, vehicles,
//! terminals, permits, drivers and the calendar as tables (CSV or XLSX), tracks as GeoJSON, GPX and CSV, and the
//! coordinate systems of Chinese maps.
//!
//! Everything is a pure function of bytes and nouns: no sockets, no store, no clock, no identities made here. A file
//! is taken whole or not at all, and a refusal lists every bad row.

mod archive;
mod calendar;
mod carriers;
mod crs;
mod dbf;
mod drawing;
mod drivers;
mod fault;
mod geometry;
mod kml;
mod permits;
mod reader;
mod roads;
mod rules;
mod sheet;
mod shp;
mod stakes;
mod table;
mod terminals;
mod text;
mod track;
mod vehicles;
mod xml;
mod zones;

pub use calendar::read_calendar;
pub use carriers::{CarrierRow, read_carriers};
pub use crs::Crs;
pub use drivers::{DriverRow, read_drivers};
pub use fault::Fault;
pub use geometry::{Frame, shapes};
pub use kml::read_kml_zones;
pub use permits::{PermitRow, read_permits};
pub use roads::{ROADS_MAX, RoadDraft, corridors_between, read_roads, write_road};
pub use shp::read_shapefile_zones;
pub use stakes::read_stake_zones;
pub use table::ROWS_MAX;
pub use terminals::{TerminalRow, read_terminals};
pub use text::{csv_cell, decode_text, gbk_len};
pub use track::{TrackFormat, TrackWriter, mark_names};
pub use vehicles::{VehicleRow, read_vehicles};
pub use zones::{ZONES_MAX, ZoneDraft, read_zone, read_zones, write_zone};
