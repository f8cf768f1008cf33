//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Measures hazwatch beside its peers, interleaved in the same run, medians of several rounds.
///
/// Build the server first: cargo build --release -p hazwatch
#[derive(Debug, Parser)]
#[command(name = "hazwatch-benches", max_term_width = 100)]
pub(crate) struct Cli {
    /// What to measure.
    #[command(subcommand)]
    pub(crate) bench: Bench,
    /// Write the results as JSON too.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// A short check that all works; its figures mean little.
    #[arg(long, global = true)]
    pub(crate) quick: bool,
    /// Rounds that the medians are taken of [default: 5, quick 1].
    #[arg(long, global = true)]
    pub(crate) rounds: Option<usize>,
    /// Seconds measured in each round of load [default: 10, quick 2].
    #[arg(long, global = true)]
    pub(crate) seconds: Option<u64>,
    /// The server [default: `hazwatch` beside this program].
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) server: Option<PathBuf>,
    /// Where data folders are made, on the disk to be measured [default: beside this program].
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

impl Cli {
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 }).max(1)
    }

    pub(crate) fn seconds(&self) -> u64 {
        self.seconds.unwrap_or(if self.quick { 2 } else { 10 }).max(1)
    }
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Location reports with five items out of a stream, in ns; bars: 1.4 x a byte loop, 5 x the crate `jt808`.
    Decode,
    /// Durable acknowledged positions a second; bar: 0.5 x a bare server that keeps nothing.
    Ingest(Load),
    /// Ack latency at half of the load that `ingest` reaches, beside the disk's own fsync.
    Latency(Paced),
    /// Server memory per idle authenticated connection, beside a buffer of 4 KiB each.
    Memory(Crowd),
    /// All of them.
    All,
    /// The load, in a process of its own.
    #[command(hide = true, name = "client")]
    Client(Client),
    /// A peer of the server, in a process of its own.
    #[command(hide = true, name = "serve")]
    Serve(Serve),
}

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Contender {
    /// The server: journal, judgement, tracks.
    Hazwatch,
    /// Deframes and answers, keeps nothing.
    Bare,
    /// Like `bare`, with a buffer of 4 KiB for each connection.
    BareBuffers,
    /// Our door before a journal whose disk does nothing.
    NullJournal,
    /// Our door and journal on the disk; nobody judges.
    DoorJournal,
    /// Writes and fsyncs every frame before its answer.
    FsyncEach,
}

/// Options of `ingest`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Load {
    /// Connections, one terminal each.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) connections: u32,
    /// Unanswered frames a connection.
    #[arg(long, default_value_t = 1)]
    pub(crate) window: usize,
    /// Who is measured, in this order.
    #[arg(long, value_delimiter = ',', value_enum,
        default_values = ["hazwatch", "bare", "null-journal", "door-journal", "fsync-each"])]
    pub(crate) only: Vec<Contender>,
}

impl Default for Load {
    fn default() -> Self {
        use Contender::{Bare, DoorJournal, FsyncEach, Hazwatch, NullJournal};
        Self { connections: 1_000, window: 1, only: vec![Hazwatch, Bare, NullJournal, DoorJournal, FsyncEach] }
    }
}

/// Options of `latency`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Paced {
    /// Connections, one terminal each.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) connections: u32,
    /// Positions a second, all together [default: half of what a short `ingest` of the server reaches].
    #[arg(long)]
    pub(crate) rate: Option<u32>,
    /// Who is measured, in this order.
    #[arg(long, value_delimiter = ',', value_enum, default_values = ["hazwatch", "bare"])]
    pub(crate) only: Vec<Contender>,
}

impl Default for Paced {
    fn default() -> Self {
        Self { connections: 1_000, rate: None, only: vec![Contender::Hazwatch, Contender::Bare] }
    }
}

/// Options of `memory`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Crowd {
    /// Connections, one authenticated terminal each [default: 10000, quick 1000].
    #[arg(long)]
    pub(crate) connections: Option<u32>,
}

/// Kinds of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Manner {
    /// As fast as answers come.
    Full,
    /// At a rate, whatever the answers do.
    Paced,
    /// Authenticate and say nothing.
    Idle,
}

/// Options of the load process.
#[derive(Clone, Debug, Args)]
pub(crate) struct Client {
    pub(crate) manner: Manner,
    #[arg(long)]
    pub(crate) to: SocketAddr,
    #[arg(long)]
    pub(crate) connections: u32,
    #[arg(long, default_value_t = 0)]
    pub(crate) first: u32,
    #[arg(long, default_value_t = 1)]
    pub(crate) window: usize,
    #[arg(long, default_value_t = 0)]
    pub(crate) rate: u32,
    #[arg(long, default_value_t = 1)]
    pub(crate) seconds: u64,
    /// Where the terminals keep their codes, to register only once.
    #[arg(long)]
    pub(crate) codes: Option<PathBuf>,
}

/// Options of a peer's process.
#[derive(Clone, Debug, Args)]
pub(crate) struct Serve {
    pub(crate) contender: Contender,
    /// Its folder.
    #[arg(long)]
    pub(crate) data: PathBuf,
}
