//! `hazwatch import`: a file into a running server.

use std::process::ExitCode;

use super::say;
use crate::cli::{Import, ImportKind};
use crate::client::Client;
use crate::error::Failure;

const GEOJSON: &str = "application/geo+json";
const CSV: &str = "text/csv";
/// Media types by the ends of names; the server says what it takes of what.
const TYPES: [(&str, &str); 7] = [
    ("geojson", GEOJSON),
    ("json", GEOJSON),
    ("csv", CSV),
    ("kml", "application/vnd.google-earth.kml+xml"),
    ("kmz", "application/vnd.google-earth.kmz"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("zip", "application/zip"),
];

pub(super) fn run(options: &Import) -> Result<ExitCode, Failure> {
    let content = std::fs::read(&options.file)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", options.file.display())))?;
    let extension = options.file.extension().and_then(|text| text.to_str()).unwrap_or_default().to_ascii_lowercase();
    let (kind, otherwise) = match options.kind {
        ImportKind::Zones => ("zones", GEOJSON),
        ImportKind::Roads => ("roads", GEOJSON),
        ImportKind::Carriers => ("carriers", CSV),
        ImportKind::Vehicles => ("vehicles", CSV),
        ImportKind::Terminals => ("terminals", CSV),
        ImportKind::Drivers => ("drivers", CSV),
        ImportKind::Permits => ("permits", CSV),
        ImportKind::Calendar => ("calendar", CSV),
    };
    let known = TYPES.iter().find(|(end, _)| *end == extension).map(|(_, content_type)| *content_type);
    let content_type = known.unwrap_or(otherwise);
    let drawn = matches!(options.kind, ImportKind::Zones | ImportKind::Roads);
    let path = match &options.crs {
        None => format!("/imports/{kind}"),
        Some(crs) if drawn => format!("/imports/{kind}?crs={crs}"),
        Some(_) => return Err(Failure::Usage(format!("--crs goes with zones and roads, not with {kind}"))),
    };
    let answer = Client::connect(&options.server)?.post(&path, content_type, &content)?;
    say(&answer.to_string());
    Ok(ExitCode::SUCCESS)
}
