//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::config::AdmissionMode;

/// Supervision of road transport of dangerous goods: JT/T 808 in, durable and judged facts out.
#[derive(Debug, Parser)]
#[command(name = "hazwatch", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    #[command(
        after_help = "Example:\n  hazwatch serve --data /var/lib/hazwatch --listen 0.0.0.0:6808 --http 127.0.0.1:8080"
    )]
    Serve(Serve),
    /// Run a server in a temporary folder with sample zones and a simulated fleet around Qujing, and watch it.
    #[command(after_help = "Example:\n  hazwatch demo --vehicles 200")]
    Demo(Demo),
    /// Drive a simulated fleet against a server, and report what was sent, acknowledged and lost.
    #[command(
        after_help = "Example:\n  hazwatch simulate --to 127.0.0.1:6808 --vehicles 500 --interval 30s --duration 5m"
    )]
    Simulate(Simulate),
    /// Decode frames: one JSON object a frame.
    #[command(
        after_help = "Example:\n  hazwatch decode --json 7e000200000139123456780001337e\n  cat frames.txt | hazwatch decode --json"
    )]
    Decode(Decode),
    /// Load a file into a running server: all of it, or nothing with every bad row named.
    #[command(after_help = "Example:\n  hazwatch import vehicles vehicles.csv --server http://127.0.0.1:8080")]
    Import(Import),
    /// Send a command to a terminal through a running server.
    #[command(after_help = "Example:\n  hazwatch command 云D12345:2 text 前方禁行，请绕行")]
    #[command(name = "command")]
    Send(SendCommand),
    /// Violations and the work on them: list, look, and take steps, through a running server.
    #[command(
        after_help = "Examples:\n  hazwatch case list --overdue\n  hazwatch case show x_...\n  hazwatch case remind x_... 前方禁行，请绕行\n  hazwatch case dispose x_... 已电话核实，驾驶员绕行"
    )]
    Case(Case),
    /// Ask before a zone is released, through a running server.
    #[command(
        after_help = "Examples:\n  hazwatch zone preview drawn.geojson --crs gcj02\n  hazwatch zone preview z_... --from 2026-11-16T00:00:00+08:00"
    )]
    Zone(ZoneArgs),
    /// Rebuild the views from the journal into a new folder, and compare.
    #[command(after_help = "Example:\n  hazwatch replay --data hazwatch-data --into /tmp/rebuilt")]
    Replay(Replay),
    /// Walk the hash chains of a journal, or check a proof; names the first broken record.
    #[command(
        after_help = "Examples:\n  hazwatch verify --data hazwatch-data\n  hazwatch verify --proof proof.json --key seal-key.pem --head 2026-11-23.json"
    )]
    Verify(Verify),
    /// Prove that one frame is in the journal, without anybody else's data.
    #[command(
        after_help = "Examples:\n  hazwatch prove --terminal 13912345678 --at 2026-11-23T12:05:06+08:00 > proof.json\n  hazwatch prove --place 1234.0 --data hazwatch-data > proof.json"
    )]
    Prove(Prove),
    /// Copy a data folder, also beside the server that is using it; the next backup copies what is new.
    #[command(after_help = "Example:\n  hazwatch backup --data /var/lib/hazwatch --into /mnt/backup/hazwatch")]
    Backup(Backup),
    /// Make a data folder from a backup.
    #[command(after_help = "Example:\n  hazwatch restore --from /mnt/backup/hazwatch --data /var/lib/hazwatch")]
    Restore(Restore),
    /// Users of a data folder that no server is using.
    #[command(after_help = "Example:\n  hazwatch user reset admin --data hazwatch-data")]
    User(User),
    /// Check a configuration file and print the effective values.
    #[command(after_help = "Example:\n  hazwatch check-config config/hazwatch.example.toml")]
    CheckConfig(CheckConfig),
}

/// Options of `serve`; they go over the file and the environment.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Serve {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data folder [default: hazwatch-data].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// JT/T 808 address; port 0 picks a free one [default: 0.0.0.0:6808].
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// HTTP address; port 0 picks a free one [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR")]
    pub http: Option<SocketAddr>,
    /// Who may register [default: registry].
    #[arg(long, value_enum)]
    pub admission: Option<AdmissionMode>,
    /// Written when everything is bound and recovered: {"jt808":"IP:PORT","http":"IP:PORT"}.
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
}

/// Options of `demo`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Demo {
    /// Everything that `serve` takes; the defaults are free ports on loopback and a temporary folder.
    #[command(flatten)]
    pub serve: Serve,
    /// How many trucks.
    #[arg(long, default_value_t = 120)]
    pub vehicles: u32,
    /// How often each reports.
    #[arg(long, default_value = "1s", value_parser = duration)]
    pub interval: Duration,
    /// Stop after this long; without it: until Ctrl-C.
    #[arg(long, value_parser = duration)]
    pub duration: Option<Duration>,
    /// Seed of the fleet: the same seed drives the same trucks.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Options of `simulate`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Simulate {
    /// JT/T 808 address of the server.
    #[arg(long, value_name = "HOST:PORT")]
    pub to: String,
    /// How many trucks.
    #[arg(long, default_value_t = 100)]
    pub vehicles: u32,
    /// How often each reports.
    #[arg(long, default_value = "30s", value_parser = duration)]
    pub interval: Duration,
    /// How long.
    #[arg(long, default_value = "5m", value_parser = duration)]
    pub duration: Duration,
    /// Write what was acknowledged, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Seed of the fleet.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Unanswered frames that a truck allows itself.
    #[arg(long, default_value_t = 1)]
    pub window: usize,
}

/// Options of `decode`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Decode {
    /// One JSON object a line (the only format; may be left out).
    #[arg(long)]
    pub json: bool,
    /// Frames in hex; without any: one a line from standard input.
    pub frames: Vec<String>,
}

/// How to reach a running server.
#[derive(Clone, Debug, Args)]
pub(crate) struct Server {
    /// The server's HTTP address.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", env = "HAZWATCH_SERVER")]
    pub server: String,
    /// A session token (see POST /api/v1/sessions).
    #[arg(long, env = "HAZWATCH_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Log in as this user, when there is no token.
    #[arg(long, default_value = "admin", env = "HAZWATCH_USER")]
    pub user: String,
    /// With this password.
    #[arg(long, env = "HAZWATCH_ADMIN_PASSWORD", hide_env_values = true)]
    pub password: Option<String>,
}

/// What can be imported. Tables are CSV, or the first sheet of a workbook (.xlsx).
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum ImportKind {
    /// GeoJSON, KML (.kml, .kmz), a shapefile (.zip), or a table of stake ranges: name,road,from,to,...
    Zones,
    /// GeoJSON lines with code, class, stakes, tunnels, service areas.
    Roads,
    /// Table: name,id.
    Carriers,
    /// Table: plate,colour,carrier,phone,use,scope.
    Vehicles,
    /// Table: phone,plate,colour,from,maker,model,device.
    Terminals,
    /// Table: name,certificate,phone.
    Drivers,
    /// Table: number,kind,vehicles,slots,issuer,zones.
    Permits,
    /// Table: date,kind,name.
    Calendar,
}

/// Options of `import`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Import {
    /// What the file holds.
    pub kind: ImportKind,
    /// The file.
    pub file: PathBuf,
    /// Coordinate system of a drawing.
    #[arg(long, value_parser = ["wgs84", "cgcs2000", "gcj02", "bd09"])]
    pub crs: Option<String>,
    /// Where to.
    #[command(flatten)]
    pub server: Server,
}

/// Options of `command`.
#[derive(Clone, Debug, Args)]
pub(crate) struct SendCommand {
    /// Vehicle: id, plate with colour (云D12345:2), or its terminal's phone.
    pub vehicle: String,
    /// What to do.
    #[command(subcommand)]
    pub body: CommandKind,
    /// Where to.
    #[command(flatten)]
    pub server: Server,
}

/// Commands to a terminal.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum CommandKind {
    /// Text to the cab (0x8300).
    Text {
        /// What it says.
        text: String,
        /// Urgent.
        #[arg(long)]
        urgent: bool,
        /// Read aloud.
        #[arg(long)]
        spoken: bool,
    },
    /// Ask for the position (0x8201).
    Locate,
}

/// Options of `case`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Case {
    /// What to do.
    #[command(subcommand)]
    pub action: CaseAction,
}

/// What can be done about violations.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum CaseAction {
    /// List violations, newest first.
    List(CaseList),
    /// One violation with the steps that were taken.
    Show(CaseShow),
    /// The driver is reminded (提醒); a text goes to the cab.
    Remind(CaseStep),
    /// Somebody works on it (受理).
    Acknowledge(CaseStep),
    /// Something was done about it (处置): the cause, and what.
    Dispose(CaseStep),
    /// It is over (办结).
    Close(CaseStep),
    /// It was none (误报): why.
    False(CaseStep),
    /// It is not over after all (重开): why.
    Reopen(CaseStep),
    /// Something to know about it (备注).
    Note(CaseStep),
}

/// Options of `case list`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CaseList {
    /// Only on which the work stands so.
    #[arg(long, value_parser = ["raised", "reminded", "acknowledged", "disposed", "closed", "false"])]
    pub state: Option<String>,
    /// Only of which the next step should have been taken by now.
    #[arg(long)]
    pub overdue: bool,
    /// Only of this kind, like V06.
    #[arg(long)]
    pub kind: Option<String>,
    /// Only of this level.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=3))]
    pub level: Option<u8>,
    /// Only of this vehicle: id, plate or phone.
    #[arg(long)]
    pub vehicle: Option<String>,
    /// Only of this carrier's vehicles: id or exact name.
    #[arg(long)]
    pub carrier: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 50)]
    pub limit: u16,
    /// As the server says it, one JSON object a line.
    #[arg(long)]
    pub json: bool,
    /// Where.
    #[command(flatten)]
    pub server: Server,
}

/// Options of `case show`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CaseShow {
    /// Its number, `x_...`.
    pub id: String,
    /// As the server says it.
    #[arg(long)]
    pub json: bool,
    /// Where.
    #[command(flatten)]
    pub server: Server,
}

/// Options of a step.
#[derive(Clone, Debug, Args)]
pub(crate) struct CaseStep {
    /// Its number, `x_...`.
    pub id: String,
    /// What is said.
    #[arg(default_value = "")]
    pub text: String,
    /// Where.
    #[command(flatten)]
    pub server: Server,
}

/// Options of `zone`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ZoneArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: ZoneAction,
}

/// What can be asked about zones.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ZoneAction {
    /// What it would have caught, who is inside now, who is heading there. Nothing is recorded.
    Preview(ZonePreview),
}

/// Options of `zone preview`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ZonePreview {
    /// A GeoJSON file with one zone or several, or the id of a draft (`z_...`).
    pub zone: String,
    /// Tracks from then on (RFC 3339) [default: seven days before].
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Up to then [default: now].
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Coordinate system of the drawing.
    #[arg(long, value_parser = ["wgs84", "cgcs2000", "gcj02", "bd09"])]
    pub crs: Option<String>,
    /// As the server says it, one JSON object a zone.
    #[arg(long)]
    pub json: bool,
    /// Where.
    #[command(flatten)]
    pub server: Server,
}

/// Options of `replay`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Replay {
    /// The data folder.
    #[arg(long, value_name = "DIR", default_value = "hazwatch-data")]
    pub data: PathBuf,
    /// A new folder for the rebuilt views.
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,
    /// From the first frame on, even if there is a base: what other rules judged before it will differ.
    #[arg(long)]
    pub whole: bool,
}

/// Options of `verify`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Verify {
    /// The data folder, which no server is using; or a copy of one, also on a read-only disk.
    #[arg(long, value_name = "DIR", default_value = "hazwatch-data")]
    pub data: PathBuf,
    /// Check this proof instead of a data folder.
    #[arg(long, value_name = "FILE")]
    pub proof: Option<PathBuf>,
    /// A public key that you trust, from elsewhere: 64 hex digits, or a PEM file. May be given several times.
    #[arg(long, value_name = "KEY")]
    pub key: Vec<String>,
    /// The head of a day as it was published. May be given several times.
    #[arg(long, value_name = "FILE")]
    pub head: Vec<PathBuf>,
    /// Another copy of the same journal: says where the two part (exit code 1 when they do).
    #[arg(long, value_name = "DIR", conflicts_with = "proof")]
    pub against: Option<PathBuf>,
}

impl Verify {
    /// Whether something from elsewhere was given to vouch for what is checked.
    pub(crate) const fn gives_trust(&self) -> bool {
        !self.key.is_empty() || !self.head.is_empty()
    }
}

/// Options of `prove`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Prove {
    /// Which record: `place` of a frame as `GET /terminals/{phone}/frames` lists it.
    #[arg(long, value_name = "ENVELOPE.RECORD", conflicts_with_all = ["terminal", "at"])]
    pub place: Option<String>,
    /// Whose frame.
    #[arg(long, value_name = "PHONE", requires = "at")]
    pub terminal: Option<String>,
    /// The first one that was received from then on, within a minute (RFC 3339).
    #[arg(long, value_name = "TIME", requires = "terminal")]
    pub at: Option<String>,
    /// A data folder that no server is using, instead of a server.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The server, without --data.
    #[command(flatten)]
    pub server: Server,
}

/// Options of `backup`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Backup {
    /// The data folder; a server may be using it.
    #[arg(long, value_name = "DIR", default_value = "hazwatch-data")]
    pub data: PathBuf,
    /// A new folder, or one with an earlier backup of the same data.
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,
}

/// Options of `restore`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Restore {
    /// The backup.
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// A new data folder.
    #[arg(long, value_name = "DIR", default_value = "hazwatch-data")]
    pub data: PathBuf,
}

/// Options of `user`.
#[derive(Clone, Debug, Args)]
pub(crate) struct User {
    /// What to do.
    #[command(subcommand)]
    pub action: UserAction,
    /// The data folder.
    #[arg(long, value_name = "DIR", default_value = "hazwatch-data", global = true)]
    pub data: PathBuf,
}

/// What can be done about users offline.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum UserAction {
    /// Give a user a new password: HAZWATCH_ADMIN_PASSWORD, or a generated one that is printed.
    Reset {
        /// User name.
        name: String,
    },
    /// List the users.
    List,
}

/// Options of `check-config`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CheckConfig {
    /// The file.
    pub file: PathBuf,
}

/// `30s`, `5m`, `2h`, `500ms`.
fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| format!("not a duration (like 30s, 5m, 500ms): {text:?}"))?;
    let factor = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("no unit (ms, s, m, h) in {text:?}")),
    };
    Duration::try_from_secs_f64(number * factor).map_err(|_| format!("not a duration: {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_subcommand_has_help_with_an_example() {
        let command = Cli::command();
        command.clone().debug_assert();
        for sub in command.get_subcommands() {
            let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("hazwatch"), "{} has no example", sub.get_name());
            assert!(sub.get_about().is_some(), "{} says nothing of itself", sub.get_name());
        }
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        for bad in ["", "5", "m", "5d", "-1s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
