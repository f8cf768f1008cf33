//! Logs: JSON lines on stderr, or text for people.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::LogConfig;
use crate::error::Failure;

/// Whether level and format are ones that there are.
pub(crate) fn check(config: &LogConfig) -> Result<EnvFilter, Failure> {
    if !["json", "text"].contains(&config.format.as_str()) {
        return Err(Failure::Usage(format!("log.format {:?}: must be \"json\" or \"text\"", config.format)));
    }
    EnvFilter::try_new(&config.level).map_err(|error| Failure::Usage(format!("log.level {:?}: {error}", config.level)))
}

/// Starts logging. A second call changes nothing.
pub(crate) fn init(config: &LogConfig) -> Result<(), Failure> {
    let filter = check(config)?;
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let outcome =
        if config.format == "json" { builder.json().flatten_event(true).try_init() } else { builder.try_init() };
    // Already started: by the test harness, or by the command that this one is part of.
    drop(outcome);
    Ok(())
}
