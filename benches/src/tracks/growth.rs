//! What storing a fix costs when there is a hundred times as much already.
//!
//! Two stores of the same fleet get the same fixes of the same day. One holds a fifth of a day of each truck before it,
//! the other twenty days. What a store does comes in cycles: a round of compaction after sixteen checkpoints, a chunk
//! that is written again by every round until it is full, a day whose chunks are its own. So both begin at midnight with
//! everything in chunks, and a whole day is measured: both do the same rounds and write the same chunks, and what is left
//! between them is the history. A part of a cycle would compare a small chunk that is begun with a large one that is
//! written again, which says nothing of the history.
//!
//! Counted is the processor time of all threads, from the first commit until the compaction has ended: it is what the
//! machine pays, whoever waits for it. Beside it stands the time that commits take on the clock. Compaction of itself goes
//! slowly by pausing; how long it lasts on the clock is no cost, so it is waited for between rounds and not counted there.
//! Turns alternate, and each begins when the process is idle and the disk has what was written; nobody reads, and files
//! are in the system's cache as they are after writing.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use model::VehicleId;
use tempfile::TempDir;

use super::fixes::{DAY_S, Fixes, Traffic};
use super::keep::{Keep, Key, Ours, Rows};
use super::{CLUSTERED, INDEX, OURS};
use crate::cli::Cli;
use crate::error::Failure;
use crate::process::own_cpu;
use crate::servers::Ground;
use crate::table::{Bar, Row, Table, median};

const CPU: &str = "CPU us/fix";
const COMMIT: &str = "us/fix in commits";
/// Seconds between two fixes of a truck.
const INTERVAL_S: u32 = 60;
/// Intervals of all trucks in one checkpoint, and checkpoints until the store compacts by default.
const INTERVALS: u64 = 18;
const CHECKPOINTS: u64 = 16;
/// A round of compaction: more of each truck than the store finds worth a chunk, a whole number of them a day.
const ROUND: u64 = INTERVALS * CHECKPOINTS;
const DAY: u64 = DAY_S as u64 / INTERVAL_S as u64;
/// The little history, and how much longer the long one is: whole days.
const LITTLE: u64 = ROUND;
const TIMES: u64 = 100;
const _: () = assert!(DAY.is_multiple_of(ROUND) && (LITTLE * TIMES).is_multiple_of(DAY));
/// Days that trucks are driven; then they begin again.
const DRIVEN_DAYS: u32 = 7;
/// The process is idle when it uses less than this of a processor in so long.
const IDLE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

type Make = fn(&Path) -> Result<Box<dyn Keep>, Failure>;

/// One who keeps, with the long history, and what its turns gave: with little history, with much.
struct Contender {
    name: &'static str,
    make: Make,
    much: Box<dyn Keep>,
    _folder: TempDir,
    turns: [Vec<Turn>; 2],
}

/// Microseconds a fix.
#[derive(Clone, Copy, Debug)]
struct Turn {
    cpu: f64,
    commit: f64,
}

/// Storing a day of fixes after a fifth of a day, and after twenty.
pub(crate) fn growth(cli: &Cli) -> Result<Table, Failure> {
    let ground = Ground::of(cli, &[])?;
    let vehicles = cli.scaled(20, 100, 250);
    let rounds = cli.rounds() as u64;
    let fixes = Fixes::drive(Traffic { vehicles, driven: 16, days: DRIVEN_DAYS, interval_s: INTERVAL_S })?;
    let makes: [(&str, Make); 3] = [
        (OURS, |folder| Ok(Box::new(Ours::open(folder)?))),
        (INDEX, |folder| Ok(Box::new(Rows::open(folder, Key::Index)?))),
        (CLUSTERED, |folder| Ok(Box::new(Rows::open(folder, Key::Clustered)?))),
    ];
    let mut contenders = Vec::new();
    for (name, make) in makes {
        let folder = ground.folder()?;
        let mut much = make(folder.path())?;
        fill(much.as_mut(), &fixes, 0..LITTLE * TIMES)?;
        contenders.push(Contender { name, make, much, _folder: folder, turns: Default::default() });
    }
    for round in 0..rounds {
        let begin = LITTLE * TIMES + round * DAY;
        for contender in &mut contenders {
            contender.round(&ground, &fixes, begin, !round.is_multiple_of(2))?;
        }
    }
    Ok(report(&contenders, u64::from(vehicles)))
}

impl Contender {
    /// One day into a new store with little history, and into that with much: the same fixes.
    fn round(&mut self, ground: &Ground, fixes: &Fixes, begin: u64, is_much_first: bool) -> Result<(), Failure> {
        let folder = ground.folder()?;
        let mut little = (self.make)(folder.path())?;
        fill(little.as_mut(), fixes, begin - LITTLE..begin)?;
        let mut turns: [(&mut dyn Keep, &mut Vec<Turn>); 2] = {
            let [of_little, of_much] = &mut self.turns;
            [(little.as_mut(), of_little), (self.much.as_mut(), of_much)]
        };
        if is_much_first {
            turns.reverse();
        }
        for (keep, of) in turns {
            of.push(turn(keep, fixes, begin..begin + DAY)?);
        }
        Ok(())
    }

    /// A figure of all turns: with little history, with much.
    fn figures(&self, of: fn(&Turn) -> f64) -> [Vec<f64>; 2] {
        self.turns.each_ref().map(|turns| turns.iter().map(of).collect())
    }
}

/// Stores a history, all of it compacted. In large checkpoints, of which there are too few between two compactions for
/// the store to begin one of its own beside.
fn fill(keep: &mut dyn Keep, fixes: &Fixes, numbers: Range<u64>) -> Result<(), Failure> {
    for round in steps(numbers, ROUND) {
        keep.store(fixes.arrivals(round).collect())?;
        keep.settle()?;
    }
    keep.rest();
    Ok(())
}

/// Stores fixes as in a long run, and looks whether they are there.
fn turn(keep: &mut dyn Keep, fixes: &Fixes, numbers: Range<u64>) -> Result<Turn, Failure> {
    let rounds: Vec<Vec<Vec<_>>> = steps(numbers.clone(), ROUND)
        .map(|round| steps(round, INTERVALS).map(|checkpoint| fixes.arrivals(checkpoint).collect()).collect())
        .collect();
    rustix::fs::sync();
    wait_until_idle();
    let before = own_cpu();
    let mut commit = Duration::ZERO;
    for round in rounds {
        let at = Instant::now();
        for arrived in round {
            keep.store(arrived)?;
        }
        commit += at.elapsed();
        keep.rest();
    }
    wait_until_idle();
    let cpu = own_cpu().saturating_sub(before);

    let each = numbers.end - numbers.start;
    let time = |number| fixes.fix(0, number, 0).1.time;
    let found = keep.read(VehicleId(1), time(numbers.start), time(numbers.end))?;
    if found as u64 != each {
        return Err(Failure::Wrong(format!("{found} fixes of a truck are there, {each} were stored")));
    }
    let us = |time: Duration| time.as_secs_f64() * 1e6 / (each * u64::from(fixes.traffic.vehicles)) as f64;
    Ok(Turn { cpu: us(cpu), commit: us(commit) })
}

/// The range in pieces of so many, the last one shorter.
fn steps(numbers: Range<u64>, step: u64) -> impl Iterator<Item = Range<u64>> {
    numbers.clone().step_by(step as usize).map(move |from| from..(from + step).min(numbers.end))
}

/// Waits until no thread of this process does anything: what was begun belongs to the turn that began it.
fn wait_until_idle() {
    let (used, within) = IDLE;
    loop {
        let before = own_cpu();
        std::thread::sleep(within);
        if own_cpu().saturating_sub(before) < used {
            return;
        }
    }
}

fn report(contenders: &[Contender], vehicles: u64) -> Table {
    let mut table = Table::new(format!(
        "growth: {vehicles} trucks, a fix each {INTERVAL_S} s; a day ({} fixes) stored after {} fixes and after {}, compaction included",
        DAY * vehicles,
        LITTLE * vehicles,
        LITTLE * TIMES * vehicles
    ));
    for contender in contenders {
        let name = contender.name;
        let mut ratios = Vec::new();
        for (unit, of) in [(CPU, (|turn| turn.cpu) as fn(&Turn) -> f64), (COMMIT, |turn| turn.commit)] {
            let [little, much] = contender.figures(of);
            ratios.push(median(&much) / median(&little).max(1e-9));
            table.rows.push(Row::new(format!("{name}, little history"), unit, little));
            table.rows.push(Row::new(format!("{name}, {TIMES} x the history"), unit, much));
        }
        for (ratio, what) in ratios.into_iter().zip(["processor time", "time in commits"]) {
            let what = format!("{name}, {TIMES} x the history / little, {what}");
            if name == OURS {
                table.bars.push(Bar::at_most(what, ratio, 1.1));
            } else {
                table.notes.push(format!("{what}: {ratio:.2}"));
            }
        }
    }
    table.notes.push(format!("the little history is {} x itself when the day has passed", (LITTLE + DAY) / LITTLE));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The claim that the comparison rests on.
    #[test]
    fn a_day_is_the_same_work_after_any_history() {
        let traffic = Traffic { vehicles: 2, driven: 1, days: 1, interval_s: INTERVAL_S };
        let fixes = Fixes::drive(traffic).expect("driven");
        let added = |history: Range<u64>| {
            let folder = tempfile::tempdir().expect("a folder");
            let mut ours = Ours::open(folder.path()).expect("opens");
            let day = history.end..history.end + DAY;
            fill(&mut ours, &fixes, history).expect("filled");
            let before = ours.stats().expect("stats");
            assert_eq!(before.fixes_segments, 0);
            turn(&mut ours, &fixes, day).expect("stored");
            let after = ours.stats().expect("stats");
            ours.close();
            assert_eq!(after.fixes_segments, 0);
            (after.chunks - before.chunks, after.chunk_bytes - before.chunk_bytes)
        };
        let midnight = 3 * DAY;
        let little = added(midnight - LITTLE..midnight);
        assert_eq!(little, added(0..midnight));
        assert_eq!(little.0, 2 * 2, "a full chunk and the rest of the day, of each truck");
    }
}
