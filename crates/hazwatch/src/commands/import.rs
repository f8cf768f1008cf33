//! `hazwatch import`: a file into a running server.

use std::process::ExitCode;

use super::say;
use crate::cli::{Import, ImportKind};
use crate::client::Client;
use crate::error::Failure;

pub(super) fn run(options: &Import) -> Result<ExitCode, Failure> {
    let content = std::fs::read(&options.file)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", options.file.display())))?;
    let ends_in = |wanted| options.file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(wanted));
    let (kind, content_type) = match options.kind {
        ImportKind::Zones if ends_in("csv") => ("zones", "text/csv"),
        ImportKind::Zones if ends_in("kml") => ("zones", "application/vnd.google-earth.kml+xml"),
        ImportKind::Zones => ("zones", "application/geo+json"),
        ImportKind::Roads => ("roads", "application/geo+json"),
        ImportKind::Vehicles => ("vehicles", "text/csv"),
        ImportKind::Permits => ("permits", "text/csv"),
        ImportKind::Calendar => ("calendar", "text/csv"),
        ImportKind::Drivers => ("drivers", "text/csv"),
    };
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
