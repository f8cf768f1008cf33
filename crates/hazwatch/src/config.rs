//! One composed configuration, checked before anything is bound: defaults, then the file, then the environment
//! (`HAZWATCH__SECTION__KEY`), then the command line. Unknown keys are errors.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::Network;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::error::Failure;

const ENV_PREFIX: &str = "HAZWATCH__";
/// The law asks six months of dynamic data (动态监督管理办法 art. 26): less cannot be set by mistake.
const RETENTION_DAYS_MIN: u64 = 184;

/// Who may register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AdmissionMode {
    /// Known terminals only.
    #[default]
    Registry,
    /// Whoever asks (demo, load tests).
    Open,
}

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub server: ServerConfig,
    pub gateway: GatewayConfig,
    pub api: ApiConfig,
    pub journal: JournalConfig,
    pub pipeline: PipelineConfig,
    pub retention: RetentionConfig,
    pub log: LogConfig,
}

/// Where the server lives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServerConfig {
    pub data: PathBuf,
    pub listen: SocketAddr,
    pub http: SocketAddr,
    pub admission: AdmissionMode,
    pub udp: bool,
    pub proxies: Vec<String>,
    pub open_files: u64,
}

impl ServerConfig {
    /// The networks of the proxies in front.
    pub(crate) fn proxies(&self) -> Result<Vec<Network>, Failure> {
        let read = |text: &String| text.parse().map_err(|error| Failure::Usage(format!("server.proxies: {error}")));
        self.proxies.iter().map(read).collect()
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            data: PathBuf::from("hazwatch-data"),
            listen: SocketAddr::from(([0, 0, 0, 0], 6808)),
            http: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admission: AdmissionMode::Registry,
            udp: true,
            proxies: Vec::new(),
            open_files: 65_536,
        }
    }
}

/// Limits of the door.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GatewayConfig {
    pub connections_max: usize,
    pub connections_per_address_max: usize,
    pub terminals_per_connection_max: usize,
    pub terminals_per_forwarder_max: usize,
    pub udp_sessions_max: usize,
    pub window_per_terminal: usize,
    pub window_per_connection: usize,
    pub window_per_forwarder: usize,
    pub idle_timeout_s: u64,
    pub unauthenticated_timeout_s: u64,
    pub write_timeout_s: u64,
    pub shutdown_deadline_s: u64,
    pub stranger_frames_per_s: u32,
    pub stranger_bytes_per_s: u32,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        let limits = gateway::Limits::default();
        Self {
            connections_max: limits.connections_max,
            connections_per_address_max: limits.connections_per_address_max,
            terminals_per_connection_max: limits.terminals_per_connection_max,
            terminals_per_forwarder_max: limits.terminals_per_forwarder_max,
            udp_sessions_max: limits.udp_sessions_max,
            window_per_terminal: limits.window_per_terminal,
            window_per_connection: limits.window_per_connection,
            window_per_forwarder: limits.window_per_forwarder,
            idle_timeout_s: limits.idle_timeout.as_secs(),
            unauthenticated_timeout_s: limits.unauthenticated_timeout.as_secs(),
            write_timeout_s: limits.write_timeout.as_secs(),
            shutdown_deadline_s: limits.shutdown_deadline.as_secs(),
            stranger_frames_per_s: limits.strangers.frames_per_s,
            stranger_bytes_per_s: limits.strangers.bytes_per_s,
        }
    }
}

impl GatewayConfig {
    /// As the door wants it, behind these proxies.
    pub(crate) fn limits(&self, proxies: Vec<Network>) -> gateway::Limits {
        let usual = gateway::Limits::default();
        let mut strangers = usual.strangers;
        strangers.frames_per_s = self.stranger_frames_per_s;
        strangers.frames_burst = strangers.frames_burst.max(self.stranger_frames_per_s);
        strangers.bytes_per_s = self.stranger_bytes_per_s;
        strangers.bytes_burst = strangers.bytes_burst.max(self.stranger_bytes_per_s);
        gateway::Limits {
            connections_max: self.connections_max,
            connections_per_address_max: self.connections_per_address_max,
            terminals_per_connection_max: self.terminals_per_connection_max,
            terminals_per_forwarder_max: self.terminals_per_forwarder_max,
            udp_sessions_max: self.udp_sessions_max,
            proxies,
            window_per_terminal: self.window_per_terminal,
            window_per_connection: self.window_per_connection,
            window_per_forwarder: self.window_per_forwarder,
            idle_timeout: Duration::from_secs(self.idle_timeout_s),
            unauthenticated_timeout: Duration::from_secs(self.unauthenticated_timeout_s),
            write_timeout: Duration::from_secs(self.write_timeout_s),
            shutdown_deadline: Duration::from_secs(self.shutdown_deadline_s),
            strangers,
            ..usual
        }
    }
}

/// Limits of the HTTP window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ApiConfig {
    pub body_bytes_max: usize,
    pub import_bytes_max: usize,
    pub connections_max: usize,
    pub request_timeout_s: u64,
    pub sse_connections_max: usize,
    pub track_fixes_max: usize,
}

impl Default for ApiConfig {
    fn default() -> Self {
        let usual = api::Config::default();
        Self {
            body_bytes_max: usual.body_bytes_max,
            import_bytes_max: usual.import_bytes_max,
            connections_max: api::Limits::default().connections_max,
            request_timeout_s: usual.request_timeout.as_secs(),
            sse_connections_max: usual.sse_connections_max,
            track_fixes_max: usual.track_fixes_max,
        }
    }
}

impl ApiConfig {
    /// Of connections.
    pub(crate) fn connections(&self) -> api::Limits {
        api::Limits { connections_max: self.connections_max, ..api::Limits::default() }
    }

    /// Of requests.
    pub(crate) fn requests(&self) -> api::Config {
        api::Config {
            body_bytes_max: self.body_bytes_max,
            import_bytes_max: self.import_bytes_max,
            request_timeout: Duration::from_secs(self.request_timeout_s),
            sse_connections_max: self.sse_connections_max,
            track_fixes_max: self.track_fixes_max,
            ..api::Config::default()
        }
    }
}

/// How the journal commits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct JournalConfig {
    pub queue_bytes_max: u32,
    pub batch_bytes_max: usize,
    pub tick_s: u64,
    pub hash: HashName,
    pub seal_s: u64,
    pub seal_key: u32,
    pub low_mib: u64,
    pub stop_mib: u64,
    pub heads_url: String,
}

/// What the chains are hashed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HashName {
    /// SHA-256 (FIPS 180-4).
    #[default]
    Sha256,
    /// SM3 (GB/T 32905, 商用密码).
    Sm3,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self {
            queue_bytes_max: 32 << 20,
            batch_bytes_max: 8 << 20,
            tick_s: 5,
            hash: HashName::Sha256,
            seal_s: 60,
            seal_key: 1,
            low_mib: 4096,
            stop_mib: 512,
            heads_url: String::new(),
        }
    }
}

/// How long what is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RetentionConfig {
    pub frames_days: u32,
    pub tracks_days: u32,
    pub compress_after_days: u32,
}

impl Default for RetentionConfig {
    /// Three years, where the law asks six months of dynamic data (动态监督管理办法).
    fn default() -> Self {
        Self { frames_days: 1096, tracks_days: 1096, compress_after_days: 2 }
    }
}

/// How views are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PipelineConfig {
    pub lanes: usize,
    pub checkpoint_s: u64,
    pub checkpoint_fixes_max: usize,
}

impl Default for PipelineConfig {
    fn default() -> Self {
        Self { lanes: 1, checkpoint_s: 5, checkpoint_fixes_max: 500_000 }
    }
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogConfig {
    pub level: String,
    pub format: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".into(), format: "json".into() }
    }
}

impl Config {
    /// Reads a file (none: defaults only) and the environment, and checks the whole.
    pub(crate) fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Failure> {
        let mut table = match file {
            None => Table::new(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))?;
                text.parse::<Table>().map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?
            }
        };
        // Without the environment first, so that a mistake in the file is reported with the file's name.
        let origin = file.map_or_else(|| "configuration".to_owned(), |path| path.display().to_string());
        Self::from_table(table.clone(), &origin)?;
        overlay(&mut table, environment)?;
        let config = Self::from_table(table, "environment")?;
        config.check()?;
        Ok(config)
    }

    fn from_table(table: Table, origin: &str) -> Result<Self, Failure> {
        Value::Table(table).try_into().map_err(|error: toml::de::Error| Failure::Usage(format!("{origin}: {error}")))
    }

    /// What is possible by type, but makes no sense.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let positive = [
            ("gateway.connections_max", self.gateway.connections_max),
            ("gateway.connections_per_address_max", self.gateway.connections_per_address_max),
            ("gateway.terminals_per_connection_max", self.gateway.terminals_per_connection_max),
            ("gateway.window_per_terminal", self.gateway.window_per_terminal),
            ("gateway.window_per_connection", self.gateway.window_per_connection),
            ("gateway.window_per_forwarder", self.gateway.window_per_forwarder),
            ("gateway.terminals_per_forwarder_max", self.gateway.terminals_per_forwarder_max),
            ("gateway.udp_sessions_max", self.gateway.udp_sessions_max),
            ("api.body_bytes_max", self.api.body_bytes_max),
            ("api.import_bytes_max", self.api.import_bytes_max),
            ("api.connections_max", self.api.connections_max),
            ("api.track_fixes_max", self.api.track_fixes_max),
            ("pipeline.checkpoint_fixes_max", self.pipeline.checkpoint_fixes_max),
        ];
        if let Some((key, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(Failure::Usage(format!("{key} must be at least 1")));
        }
        let ranges = [
            ("gateway.idle_timeout_s", self.gateway.idle_timeout_s, 1, 86_400),
            ("gateway.unauthenticated_timeout_s", self.gateway.unauthenticated_timeout_s, 1, 3_600),
            ("gateway.write_timeout_s", self.gateway.write_timeout_s, 1, 3_600),
            ("gateway.shutdown_deadline_s", self.gateway.shutdown_deadline_s, 1, 600),
            ("api.request_timeout_s", self.api.request_timeout_s, 1, 600),
            ("journal.tick_s", self.journal.tick_s, 1, 10),
            ("pipeline.checkpoint_s", self.pipeline.checkpoint_s, 1, 600),
            ("journal.queue_bytes_max", u64::from(self.journal.queue_bytes_max), 1 << 20, 512 << 20),
            ("journal.batch_bytes_max", self.journal.batch_bytes_max as u64, 1, 32 << 20),
            ("pipeline.lanes", self.pipeline.lanes as u64, 1, 64),
            ("journal.seal_s", self.journal.seal_s, 1, 3_600),
            ("journal.seal_key", u64::from(self.journal.seal_key), 1, 1_000),
            ("journal.stop_mib", self.journal.stop_mib, 0, 1 << 20),
            ("journal.low_mib", self.journal.low_mib, self.journal.stop_mib, 1 << 24),
            ("retention.frames_days", u64::from(self.retention.frames_days), RETENTION_DAYS_MIN, 36_600),
            ("retention.tracks_days", u64::from(self.retention.tracks_days), RETENTION_DAYS_MIN, 36_600),
            ("retention.compress_after_days", u64::from(self.retention.compress_after_days), 1, 36_600),
        ];
        crate::log::check(&self.log)?;
        self.server.proxies()?;
        match ranges.iter().find(|(_, value, min, max)| value < min || value > max) {
            Some((key, value, min, max)) => {
                Err(Failure::Usage(format!("{key} is {value}: must be from {min} to {max}")))
            }
            None => Ok(()),
        }
    }

    /// The effective values as TOML. There are no secrets among them: those lie in the data folder.
    pub(crate) fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }
}

/// Lays environment variables over the table; the default of a key says what type its text has.
fn overlay(table: &mut Table, environment: impl Iterator<Item = (String, String)>) -> Result<(), Failure> {
    let defaults = Table::try_from(Config::default())
        .map_err(|error| Failure::because("the default configuration cannot be written", error))?;
    for (name, text) in environment {
        let Some(path) = name.strip_prefix(ENV_PREFIX) else { continue };
        let path = path.to_ascii_lowercase();
        let known = path.split_once("__").and_then(|(section, key)| {
            defaults.get(section)?.as_table()?.get(key).map(|default| (section, key, default))
        });
        let Some((section, key, default)) = known else {
            return Err(Failure::Usage(format!(
                "environment variable {name}: no such key (they are {ENV_PREFIX}SECTION__KEY, as in the example file)"
            )));
        };
        let value = match default {
            Value::Integer(_) => text.parse().ok().map(Value::Integer),
            Value::Boolean(_) => text.parse().ok().map(Value::Boolean),
            Value::Array(_) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Some(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
            }
            _ => Some(Value::String(text.clone())),
        };
        let value =
            value.ok_or_else(|| Failure::Usage(format!("environment variable {name}: not a number: {text:?}")))?;
        let entry = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
        if let Some(entry) = entry.as_table_mut() {
            entry.insert(key.to_owned(), value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        let file = tempfile::NamedTempFile::new().expect("file");
        std::fs::write(file.path(), text).expect("written");
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Config::load(Some(file.path()), environment).map_err(|failure| match failure {
            Failure::Usage(message) | Failure::Failed(message, _) => message,
        })
    }

    #[test]
    fn the_environment_goes_over_the_file() {
        let text = "[gateway]\nidle_timeout_s = 60\n";
        let config = load(text, &[("HAZWATCH__GATEWAY__IDLE_TIMEOUT_S", "90"), ("PATH", "/bin")]).expect("good");
        assert_eq!(config.gateway.idle_timeout_s, 90);
        assert_eq!(config.server.listen.port(), 6808);
        let config = load("", &[("HAZWATCH__SERVER__PROXIES", "10.0.0.1, 10.1.0.0/16")]).expect("good");
        assert_eq!(config.server.proxies, ["10.0.0.1", "10.1.0.0/16"]);
    }

    #[test]
    fn mistakes_are_named() {
        type Case = (&'static str, &'static [(&'static str, &'static str)], &'static str);
        let cases: [Case; 9] = [
            ("[server]\nproxies = [\"10.0.0.0/40\"]\n", &[], "server.proxies"),
            ("[journal]\nlow_mib = 5\nstop_mib = 6\n", &[], "journal.low_mib is 5"),
            ("[retention]\nframes_days = 30\n", &[], "retention.frames_days is 30: must be from 184"),
            ("[gatway]\n", &[], "gatway"),
            ("[gateway]\nidle_timeout = 60\n", &[], "idle_timeout"),
            ("[gateway]\nidle_timeout_s = \"x\"\n", &[], "idle_timeout_s"),
            ("[journal]\ntick_s = 11\n", &[], "journal.tick_s is 11"),
            ("", &[("HAZWATCH__GATEWAY__IDLE", "1")], "HAZWATCH__GATEWAY__IDLE"),
            ("", &[("HAZWATCH__PIPELINE__LANES", "many")], "not a number"),
        ];
        for (text, environment, expected) in cases {
            let message = load(text, environment).expect_err(text);
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn the_example_is_the_defaults() {
        let example = include_str!("../../../config/hazwatch.example.toml");
        let table: Table = example.parse().expect("TOML");
        assert_eq!(Config::from_table(table.clone(), "example").ok(), Some(Config::default()));
        let defaults = Table::try_from(Config::default()).expect("table");
        for (section, keys) in &defaults {
            for key in keys.as_table().expect("section").keys() {
                assert!(table.get(section).and_then(|s| s.get(key)).is_some(), "{section}.{key} is missing");
            }
        }
    }
}
