//! `hazwatch check-config`.

use std::process::ExitCode;

use super::say;
use crate::cli::CheckConfig;
use crate::config::Config;
use crate::error::Failure;

pub(super) fn run(options: &CheckConfig) -> Result<ExitCode, Failure> {
    let config = Config::load(Some(&options.file), std::env::vars())?;
    say(&format!("# {} is good; the effective values:\n{}", options.file.display(), config.to_toml().trim_end()));
    Ok(ExitCode::SUCCESS)
}
