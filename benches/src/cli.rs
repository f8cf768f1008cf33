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
    #[arg(long, global = true, conflicts_with = "full")]
    pub(crate) quick: bool,
    /// What the README quotes: medians of five, a minute of load a turn, the larger histories. Takes hours.
    #[arg(long, global = true)]
    pub(crate) full: bool,
    /// Rounds that the medians are taken of [default: 3, quick 1, full 5].
    #[arg(long, global = true)]
    pub(crate) rounds: Option<usize>,
    /// Seconds measured in each turn of a load [default: 5, quick 2, full 60].
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
        self.rounds.unwrap_or(self.scaled(1, 3, 5)).max(1)
    }

    pub(crate) fn seconds(&self) -> u64 {
        self.seconds.unwrap_or(self.scaled(2, 5, 60)).max(1)
    }

    /// The value for a quick, a usual, a full run.
    pub(crate) fn scaled<T>(&self, quick: T, usual: T, full: T) -> T {
        match (self.quick, self.full) {
            (true, _) => quick,
            (_, true) => full,
            _ => usual,
        }
    }
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Location reports with five items out of a stream, in ns; bars: 1.6 x a byte loop, 6 x the crate `jt808`.
    Decode,
    /// Durable acknowledged positions a second; bars: 0.7 x a bare server that keeps nothing where a frame is unanswered
    /// at a time; 0.35 x it, and 100 x one fsync per frame, where 16 are.
    Ingest(Load),
    /// Ack latency at half of the load that `ingest` reaches; bar: p99 of 3 ms + 5 x the p99 of the disk's own fsync.
    Latency(Paced),
    /// Ack latency of good terminals beside slow, half-open and garbage ones; bar: twice the p99 of when they are alone.
    Fairness(Neighbours),
    /// Server memory per idle authenticated connection; bar: 1.5 KiB; beside a buffer of 4 KiB each.
    Memory(Crowd),
    /// Bytes that a fix takes in a track; bars: 5.0, and 7 with receive time and reference; beside rows.
    Storage,
    /// One truck-day, cold; bar: 5 x faster than rows with an index on (vehicle, time).
    Read,
    /// Storing a fix when there is 100 x as much already; bar: 1.1 x; beside rows.
    Growth,
    /// Point and path of a fix against zones, beside rstar + geo; bars: 4 x at 10,000 zones, 3 x at 100,000, 2 x where
    /// every fix is inside; reload of 100,000 zones: 1 s; a whole rule step: 8 x its geofence part.
    Judgement,
    /// 500 trucks of 6 h judged again by a zone that is recorded late; bars: 100,000 fixes/s, p99 of live reports meanwhile
    /// 1.2 x that of when they are alone.
    Late,
    /// Replay, and ready again after a kill -9 under load; bars: 300,000 frames/s, 10 s.
    Recovery(Load),
    /// All of them.
    All,
    /// A server under a mixed load for long, sampled, stopped, verified, replayed, read back.
    Soak(Soak),
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

/// Options of `ingest` and `recovery`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Load {
    /// Connections, one terminal each [default: 10000, quick 500].
    #[arg(long)]
    pub(crate) connections: Option<u32>,
    /// Unanswered frames a connection [default of ingest: a run with 1, a run with 16; of recovery: 16].
    #[arg(long)]
    pub(crate) window: Option<usize>,
    /// Who is measured, in this order.
    #[arg(long, value_delimiter = ',', value_enum,
        default_values = ["hazwatch", "bare", "null-journal", "door-journal", "fsync-each"])]
    pub(crate) only: Vec<Contender>,
}

impl Default for Load {
    fn default() -> Self {
        use Contender::{Bare, DoorJournal, FsyncEach, Hazwatch, NullJournal};
        Self { connections: None, window: None, only: vec![Hazwatch, Bare, NullJournal, DoorJournal, FsyncEach] }
    }
}

/// Options of `latency`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Paced {
    /// Connections, one terminal each [default: 10000, quick 500].
    #[arg(long)]
    pub(crate) connections: Option<u32>,
    /// Positions a second, all together; `half`: of what the server takes in a turn at full load before.
    #[arg(long, default_value = "half", value_parser = rate)]
    pub(crate) rate: Rate,
    /// Who is measured, in this order.
    #[arg(long, value_delimiter = ',', value_enum, default_values = ["hazwatch", "bare"])]
    pub(crate) only: Vec<Contender>,
}

impl Default for Paced {
    fn default() -> Self {
        Self { connections: None, rate: Rate::Half, only: vec![Contender::Hazwatch, Contender::Bare] }
    }
}

/// A rate of positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rate {
    /// Half of what is measured first.
    Half,
    /// So many a second.
    Fixed(u32),
}

fn rate(text: &str) -> Result<Rate, String> {
    match text.parse() {
        Ok(rate) if rate > 0 => Ok(Rate::Fixed(rate)),
        _ if text == "half" => Ok(Rate::Half),
        _ => Err("give positions a second, or `half`".to_owned()),
    }
}

/// Options of `fairness`.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Neighbours {
    /// Good terminals.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) good: u32,
    /// Positions a second of all good terminals together.
    #[arg(long, default_value_t = 2_000)]
    pub(crate) rate: u32,
    /// Slow, half-open and garbage connections, all together [default: 5000, quick 500].
    #[arg(long)]
    pub(crate) bad: Option<u32>,
}

impl Default for Neighbours {
    fn default() -> Self {
        Self { good: 1_000, rate: 2_000, bad: None }
    }
}

/// Options of `soak`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Soak {
    /// How long the load lasts.
    #[arg(long, default_value_t = 30)]
    pub(crate) minutes: u64,
    /// Trucks, all kinds together.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) vehicles: u32,
    /// Seconds between two positions of a truck.
    #[arg(long, default_value_t = 2)]
    pub(crate) interval: u64,
    /// Hostile connections.
    #[arg(long, default_value_t = 200)]
    pub(crate) hostile: u32,
    /// Hours of positions that the trucks with messages in parts bring when they come, 0 to 24.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(..=24))]
    pub(crate) backlog: u64,
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
    /// Slow, half-open, garbage.
    Hostile,
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
