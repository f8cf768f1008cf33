//! Starts who is measured, each in a process and a data folder of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tempfile::TempDir;

use crate::child::Child;
use crate::cli::{Cli, Contender};
use crate::error::Failure;

/// The password of the server's first user, which lives as long as its temporary folder.
pub(crate) const PASSWORD: &str = "measured-and-gone";
const READY_WITHIN: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

impl Contender {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hazwatch => "hazwatch",
            Self::Bare => "bare server",
            Self::BareBuffers => "bare server, 4 KiB each",
            Self::NullJournal => "door, null journal",
            Self::DoorJournal => "door, journal",
            Self::FsyncEach => "one fsync per frame",
        }
    }

    const fn argument(self) -> &'static str {
        match self {
            Self::Hazwatch => "hazwatch",
            Self::Bare => "bare",
            Self::BareBuffers => "bare-buffers",
            Self::NullJournal => "null-journal",
            Self::DoorJournal => "door-journal",
            Self::FsyncEach => "fsync-each",
        }
    }
}

/// Where a server listens: its ready file, or the first line of a peer.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Ready {
    pub(crate) jt808: SocketAddr,
    pub(crate) http: Option<SocketAddr>,
}

/// A running server.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) at: Ready,
}

/// Finds programs and makes folders.
pub(crate) struct Ground {
    server: PathBuf,
    folders: PathBuf,
}

impl Ground {
    /// Checks what will be needed before anything is measured.
    pub(crate) fn of(cli: &Cli, contenders: &[Contender]) -> Result<Self, Failure> {
        let beside = std::env::current_exe().map_err(Failure::io("find this program"))?;
        let beside = beside.parent().unwrap_or(Path::new(".")).to_path_buf();
        let server = cli.server.clone().unwrap_or_else(|| beside.join("hazwatch"));
        if contenders.contains(&Contender::Hazwatch) && !server.is_file() {
            let path = server.display();
            return Err(Failure::Child(format!(
                "no server at {path}: build it (cargo build --release -p hazwatch), or name it (--server PATH)"
            )));
        }
        Ok(Self { server, folders: cli.dir.clone().unwrap_or(beside) })
    }

    /// A data folder, removed when dropped.
    pub(crate) fn folder(&self) -> Result<TempDir, Failure> {
        let made = tempfile::Builder::new().prefix("bench-").tempdir_in(&self.folders);
        made.map_err(Failure::io(format!("make a folder in {}", self.folders.display())))
    }

    /// The server's program.
    pub(crate) fn server(&self) -> &Path {
        &self.server
    }

    /// What the folders lie on.
    pub(crate) fn file_system(&self) -> String {
        crate::process::file_system(&self.folders)
    }

    /// Starts a contender on a data folder, and waits until it is ready.
    pub(crate) fn start(&self, contender: Contender, data: &Path) -> Result<Running, Failure> {
        if contender == Contender::Hazwatch {
            return self.start_server(data);
        }
        let arguments = ["serve", contender.argument(), "--data", &data.display().to_string()].map(str::to_owned);
        let child = Child::of_self(contender.name(), &arguments)?;
        let line = child.line(READY_WITHIN)?;
        let at = serde_json::from_str(&line).map_err(Failure::other("read where a peer listens"))?;
        Ok(Running { child, at })
    }

    fn start_server(&self, data: &Path) -> Result<Running, Failure> {
        let (ready, log) = (data.join("ready.json"), data.join("server.log"));
        // Of the last start, if the folder is used again.
        let _ = std::fs::remove_file(&ready);
        let log_file = std::fs::File::create(&log).map_err(Failure::io("write the server's log"))?;
        let mut command = Command::new(&self.server);
        command.arg("serve").arg("--data").arg(data.join("data"));
        command.args(["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--admission", "open", "--ready-file"]);
        command.arg(&ready).env("HAZWATCH_ADMIN_PASSWORD", PASSWORD).stderr(Stdio::from(log_file));
        let mut child = Child::spawn("hazwatch", &mut command)?;
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            // Written by rename: whole or absent.
            if let Ok(text) = std::fs::read_to_string(&ready) {
                let at = serde_json::from_str(&text).map_err(Failure::other("read the ready file"))?;
                return Ok(Running { child, at });
            }
            if !child.is_alive() || Instant::now() > deadline {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                let tail = said.lines().rev().take(5).collect::<Vec<_>>().join("\n  ");
                return Err(Failure::Child(format!("the server does not get ready:\n  {tail}")));
            }
            std::thread::sleep(POLL);
        }
    }
}
