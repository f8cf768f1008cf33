//! `hazwatch serve`.

use std::path::Path;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Serve;
use crate::config::Config;
use crate::error::Failure;
use crate::house::{self, House};
use crate::log;

/// Descriptors that are no connections: journal, databases, listeners, HTTP.
const DESCRIPTORS_RESERVED: u64 = 500;

pub(super) async fn run(options: Serve) -> Result<ExitCode, Failure> {
    let mut config = Config::load(options.config.as_deref(), std::env::vars())?;
    apply(&options, &mut config);
    log::init(&config.log)?;
    raise_open_files(&mut config);
    tracing::info!(config = config.to_toml(), version = env!("CARGO_PKG_VERSION"), "starting");
    let house = house::start(&config).await?;
    announce(&house, options.ready_file.as_deref())?;
    wait_for_end(&house).await?;
    tracing::info!("stopping");
    let end = house.journal_end();
    house.shut_down().await?;
    match end {
        Some(reason) => Err(Failure::plain(format!("the journal ended, so nothing was answered any more: {reason}"))),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// The command line goes over the file and the environment.
pub(super) fn apply(options: &Serve, config: &mut Config) {
    if let Some(data) = &options.data {
        config.server.data.clone_from(data);
    }
    config.server.listen = options.listen.unwrap_or(config.server.listen);
    config.server.http = options.http.unwrap_or(config.server.http);
    config.server.admission = options.admission.unwrap_or(config.server.admission);
}

/// Raises the limit on open files, and lowers the cap on connections to what it allows.
pub(super) fn raise_open_files(config: &mut Config) {
    let got = rlimit::increase_nofile_limit(config.server.open_files).unwrap_or(1024);
    let room = usize::try_from(got.saturating_sub(DESCRIPTORS_RESERVED)).unwrap_or(usize::MAX).max(1);
    if config.gateway.connections_max > room {
        tracing::warn!(open_files = got, connections_max = room, "fewer connections: the open-file limit is low");
        config.gateway.connections_max = room;
    }
    tracing::info!(open_files = got, connections_max = config.gateway.connections_max, "open-file limit");
}

/// Says where it listens, in the log and in the ready file.
pub(super) fn announce(house: &House, ready_file: Option<&Path>) -> Result<(), Failure> {
    tracing::info!(jt808 = %house.jt808, http = %house.http, "ready");
    if let Some(password) = &house.generated_password {
        super::say(&format!("The user admin was made. Its password, shown once: {password}"));
    }
    let Some(path) = ready_file else { return Ok(()) };
    let ready = serde_json::json!({"jt808": house.jt808.to_string(), "http": house.http.to_string()});
    let mut unfinished = path.to_path_buf();
    unfinished.as_mut_os_string().push(".tmp");
    std::fs::write(&unfinished, format!("{ready}\n"))
        .and_then(|()| std::fs::rename(&unfinished, path))
        .map_err(|error| Failure::because(format!("cannot write {}", path.display()), error))
}

/// How long the process goes on without a journal, so that connections are closed and `/readyz` says why, seconds.
const END_GRACE_S: u32 = 60;

/// Ctrl-C, SIGTERM, or a journal that has ended. One that failed tries again by itself.
async fn wait_for_end(house: &House) -> Result<(), Failure> {
    let cannot = |error| Failure::because("cannot wait for signals", error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut look = tokio::time::interval(std::time::Duration::from_secs(1));
    let mut ended_for_s = 0;
    loop {
        tokio::select! {
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = look.tick() => {
                ended_for_s = if house.journal_end().is_some() { ended_for_s + 1 } else { 0 };
                if ended_for_s > END_GRACE_S {
                    return Ok(());
                }
            }
        }
    }
}
