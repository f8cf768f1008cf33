//! Durable acknowledged positions a second: contenders take turns, each with a fresh folder and the same load from
//! another process; after the server's turn its tracks are counted against what it acknowledged.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::child::Child;
use crate::cli::{Cli, Contender, Load, Manner};
use crate::client::{BEGIN, END, Outcome};
use crate::counted;
use crate::error::Failure;
use crate::process;
use crate::servers::{Ground, Ready};
use crate::table::{Bar, Row, Table, median};

pub(crate) const PER_S: &str = "positions/s";
/// Until all connections are up, or the rest of the load is in.
const PATIENCE: Duration = Duration::from_secs(90);
/// Threads that use less of a processor are not told.
const NOTABLE: f64 = 0.02;

/// A load to be put on a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    pub(crate) manner: Manner,
    pub(crate) connections: u32,
    pub(crate) window: usize,
    pub(crate) rate: u32,
    pub(crate) seconds: u64,
}

impl Demand {
    /// Starts the load process; terminals from `first` on, with their codes from a run before if there was one.
    pub(crate) fn start(&self, at: &Ready, first: u32, codes: Option<&Path>) -> Result<Child, Failure> {
        Child::of_self("the load", &self.arguments(at, first, codes))
    }

    /// The same for a load whose server will be killed.
    pub(crate) fn start_doomed(&self, at: &Ready) -> Result<Child, Failure> {
        Child::of_self_unheard("the load", &self.arguments(at, 0, None))
    }

    fn arguments(&self, at: &Ready, first: u32, codes: Option<&Path>) -> Vec<String> {
        let manner = match self.manner {
            Manner::Full => "full",
            Manner::Paced => "paced",
            Manner::Idle => "idle",
            Manner::Hostile => "hostile",
        };
        let mut arguments = vec!["client".to_owned(), manner.to_owned(), "--to".to_owned(), at.jt808.to_string()];
        let numbers = [
            ("--connections", u64::from(self.connections)),
            ("--first", u64::from(first)),
            ("--window", self.window as u64),
            ("--rate", u64::from(self.rate)),
            ("--seconds", self.seconds),
        ];
        arguments.extend(numbers.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_string()]));
        arguments.extend(codes.into_iter().flat_map(|path| ["--codes".to_owned(), path.display().to_string()]));
        arguments
    }
}

/// What one turn of a contender came to.
pub(crate) struct Turn {
    pub(crate) outcome: Outcome,
    /// Processors used by each kind of thread of the server.
    pub(crate) threads: BTreeMap<String, f64>,
    /// Processors used by the load.
    pub(crate) load: f64,
    /// From the end of the load until the tracks were whole, ms; of the server only.
    pub(crate) caught_up_ms: Option<f64>,
    /// Memory of the server at the end of the load, bytes.
    pub(crate) resident_bytes: u64,
}

/// Lets a contender serve a load on a fresh folder, and counts back what it can be asked for.
pub(crate) fn turn(ground: &Ground, contender: Contender, demand: &Demand) -> Result<Turn, Failure> {
    let folder = ground.folder()?;
    turn_in(ground, contender, demand, folder.path())
}

fn turn_in(ground: &Ground, contender: Contender, demand: &Demand, folder: &Path) -> Result<Turn, Failure> {
    let running = ground.start(contender, folder)?;
    let load = demand.start(&running.at, 0, None)?;
    let (server, client) = (running.child.pid(), load.pid());
    load.expect(BEGIN, PATIENCE)?;
    let before = (process::cpu_s(server), process::cpu_s(client));
    load.expect(END, PATIENCE + Duration::from_secs(demand.seconds))?;
    let after = (process::cpu_s(server), process::cpu_s(client));
    let resident_bytes = process::resident_bytes(server)?;
    let line = load.line(PATIENCE)?;
    let outcome: Outcome = serde_json::from_str(&line).map_err(Failure::other("read the outcome of a load"))?;
    // One fsync a frame does not get through such a backlog in time; that is what it is there to show.
    if outcome.lost > 0 && contender != Contender::FsyncEach {
        return Err(Failure::Wrong(format!("{}: {} positions were never answered", contender.name(), outcome.lost)));
    }
    let mut caught_up_ms = None;
    if let Some(http) = running.at.http {
        let counted = counted::positions(http, demand.connections)?;
        counted::check(counted, &outcome)?;
        caught_up_ms = Some(counted.caught_up_ms);
    }
    let seconds = demand.seconds as f64;
    let used =
        |before, after| process::cpu_between(before, after).into_iter().map(move |(name, s)| (name, s / seconds));
    let turn = Turn {
        outcome,
        threads: used(&before.0, &after.0).collect(),
        load: used(&before.1, &after.1).map(|(_, cores)| cores).sum(),
        caught_up_ms,
        resident_bytes,
    };
    load.stop()?;
    running.child.stop()?;
    Ok(turn)
}

/// Connections of a load, unless said otherwise.
pub(crate) fn connections(cli: &Cli, asked: Option<u32>) -> u32 {
    asked.unwrap_or(cli.scaled(500, 10_000, 10_000))
}

/// The bench: a table for each window.
pub(crate) fn run(cli: &Cli, load: &Load, show: impl Fn(Table) -> Table) -> Result<Vec<Table>, Failure> {
    let windows = load.window.map_or(vec![1, 16], |window| vec![window]);
    windows.into_iter().map(|window| run_window(cli, load, window).map(&show)).collect()
}

fn run_window(cli: &Cli, load: &Load, window: usize) -> Result<Table, Failure> {
    let ground = Ground::of(cli, &load.only)?;
    let connections = connections(cli, load.connections);
    let demand = Demand { manner: Manner::Full, connections, window, rate: 0, seconds: cli.seconds() };
    let mut turns: BTreeMap<Contender, Vec<Turn>> = BTreeMap::new();
    for _ in 0..cli.rounds() {
        for contender in &load.only {
            turns.entry(*contender).or_default().push(turn(&ground, *contender, &demand)?);
        }
    }
    let mut table = Table::new(format!(
        "ingest: {} connections, {} unanswered frame(s) each, {} s a turn, medians of {} rounds, on {}",
        connections,
        window,
        cli.seconds(),
        cli.rounds(),
        ground.file_system()
    ));
    for contender in &load.only {
        let Some(turns) = turns.get(contender) else { continue };
        table.rows.push(Row::new(contender.name(), PER_S, turns.iter().map(|turn| turn.outcome.acked_per_s).collect()));
    }
    bars(&mut table, &turns, window);
    for contender in &load.only {
        table.notes.extend(turns.get(contender).and_then(|turns| turns.last()).map(|turn| told(*contender, turn)));
    }
    if let Some(turns) = turns.get(&Contender::Hazwatch) {
        let acked: u64 = turns.iter().map(|turn| turn.outcome.acked).sum();
        let caught_up = turns.iter().filter_map(|turn| turn.caught_up_ms).fold(0.0, f64::max);
        table.notes.push(format!("{acked} positions acknowledged by hazwatch, each found in its track once over HTTP"));
        table.bars.push(Bar::at_most("views caught up after the end, worst, ms", caught_up, 2_000.0));
    }
    Ok(table)
}

fn bars(table: &mut Table, turns: &BTreeMap<Contender, Vec<Turn>>, window: usize) {
    let ratio = |of: Contender, to: Contender| {
        let rates = |who| turns.get(&who).into_iter().flatten().map(|turn: &Turn| turn.outcome.acked_per_s);
        let each: Vec<f64> = rates(of).zip(rates(to)).map(|(of, to)| of / to.max(1e-9)).collect();
        (!each.is_empty()).then(|| median(&each))
    };
    let wanted = if window == 1 { 0.7 } else { 0.35 };
    if let Some(is) = ratio(Contender::Hazwatch, Contender::Bare) {
        table.bars.push(Bar::at_least("hazwatch, x the bare server", is, wanted));
    }
    let each = ratio(Contender::Hazwatch, Contender::FsyncEach);
    if let Some(is) = each.filter(|_| window > 1) {
        table.bars.push(Bar::at_least("hazwatch, x one fsync per frame", is, 100.0));
    }
    for to in [Contender::NullJournal, Contender::DoorJournal, Contender::FsyncEach] {
        if let Some(is) = ratio(Contender::Hazwatch, to) {
            table.notes.push(format!("hazwatch is {is:.2} x {}", to.name()));
        }
    }
}

/// Where the processor time went.
fn told(contender: Contender, turn: &Turn) -> String {
    let total: f64 = turn.threads.values().sum();
    let mut threads: Vec<_> = turn.threads.iter().filter(|(_, cores)| **cores >= NOTABLE).collect();
    threads.sort_by(|a, b| b.1.total_cmp(a.1));
    let threads: Vec<String> = threads.iter().map(|(name, cores)| format!("{name} {cores:.2}")).collect();
    let [p50, p99, p999] = turn.outcome.latency_ms;
    format!(
        "{}: {total:.2} cores ({}), load {:.2}; {:.1} us of processor a position; {} MiB; ack p50 {p50:.1} p99 {p99:.1} p99.9 {p999:.1} ms",
        contender.name(),
        threads.join(", "),
        turn.load,
        total * 1e6 / turn.outcome.acked_per_s.max(1.0),
        turn.resident_bytes >> 20,
    )
}
