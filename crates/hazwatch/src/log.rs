//! Logs: JSON lines on stderr, or text for people.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::LogConfig;
use crate::error::Failure;

/// Starts logging. A second call changes nothing.
pub(crate) fn init(config: &LogConfig) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&config.level)
        .map_err(|error| Failure::Usage(format!("log.level {:?}: {error}", config.level)))?;
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let outcome = match config.format.as_str() {
        "json" => builder.json().flatten_event(true).try_init(),
        "text" => builder.try_init(),
        other => return Err(Failure::Usage(format!("log.format {other:?}: must be \"json\" or \"text\""))),
    };
    // Already started: by the test harness, or by the command that this one is part of.
    drop(outcome);
    Ok(())
}
