//! `hazwatch import`: a file into a running server.

use std::process::ExitCode;

use super::say;
use crate::cli::{Import, ImportKind};
use crate::client::Client;
use crate::error::Failure;

pub(super) fn run(options: &Import) -> Result<ExitCode, Failure> {
    let content = std::fs::read(&options.file)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", options.file.display())))?;
    let (path, content_type) = match options.kind {
        ImportKind::Zones => ("/imports/zones", "application/geo+json"),
        ImportKind::Vehicles => ("/imports/vehicles", "text/csv"),
    };
    let answer = Client::connect(&options.server)?.post(path, content_type, &content)?;
    say(&answer.to_string());
    Ok(ExitCode::SUCCESS)
}
