//! Tracks at rest: bytes a fix, one truck-day read cold, and what storing a fix costs when there is much already; our
//! store as a library beside tables of rows.

mod cold;
mod fixes;
mod growth;
mod keep;

use std::time::Instant;

use model::VehicleId;

use crate::cli::Cli;
use crate::error::Failure;
use crate::servers::Ground;
use crate::table::{Bar, Row, Table};
use cold::drop_cache;
use fixes::{Fixes, Traffic, day, mix};
pub(crate) use growth::growth;
use keep::{Keep, Key, Ours, Rows, body, packed_bytes};

const OURS: &str = "hazwatch store";
const INDEX: &str = "rows, index on (vehicle, time)";
const CLUSTERED: &str = "rows, clustered by (vehicle, time)";
const FIX_BYTES: &str = "B/fix";
/// Rows that are compressed together.
const BLOCK: usize = 1_024;
/// What zstd is asked for where nothing else is said.
const LEVEL: i32 = 3;
/// Intervals of all trucks in one checkpoint.
const INTERVALS: u64 = 24;

/// Bytes a fix.
pub(crate) fn storage(cli: &Cli) -> Result<Table, Failure> {
    let ground = Ground::of(cli, &[])?;
    let vehicles = cli.scaled(4, 32, 64);
    let traffic = Traffic { vehicles, driven: vehicles, days: cli.scaled(1, 3, 7), interval_s: 30 };
    let fixes = Fixes::drive(traffic)?;
    let count = (u64::from(vehicles) * traffic.each()) as f64;
    let mut table = Table::new(format!(
        "track storage: {vehicles} trucks, {} days, a fix each {} s: 28-byte body and mileage, drift of the receiver included; after compaction",
        traffic.days, traffic.interval_s
    ));
    let mut of = |name: &str, bytes: f64| table.rows.push(Row::new(name, FIX_BYTES, vec![bytes / count]));

    let bare = ground.folder()?;
    let (chunks, file) = stored(&fixes, bare.path(), true)?;
    of("hazwatch, body and mileage, chunks", chunks as f64);
    of("hazwatch, body and mileage, whole database", file as f64);
    let whole = ground.folder()?;
    let (chunks_with, file_with) = stored(&fixes, whole.path(), false)?;
    of("hazwatch, with receive time and reference, chunks", chunks_with as f64);
    of("hazwatch, with receive time and reference, whole database", file_with as f64);
    for (name, key) in [(INDEX, Key::Index), (CLUSTERED, Key::Clustered)] {
        let folder = ground.folder()?;
        let mut rows = Rows::open(folder.path(), key)?;
        fill(&mut rows, &fixes)?;
        drop(rows);
        of(&format!("SQLite {name}"), packed_bytes(&folder.path().join("rows.db"))? as f64);
    }
    let (plain, with) = compressed(&fixes)?;
    of("zstd of rows, body and mileage", plain as f64);
    of("zstd of rows, with receive time and reference", with as f64);

    table.bars.push(Bar::at_most("body and mileage, B/fix", chunks as f64 / count, 5.0));
    table.bars.push(Bar::at_most("with receive time and reference, B/fix", chunks_with as f64 / count, 7.0));
    table.notes.push(format!(
        "{count} fixes; bars are of the chunks, databases are vacuumed; zstd level {LEVEL} over {BLOCK} rows of a truck, which favours it"
    ));
    Ok(table)
}

/// Bytes of all chunks, and of the database without its free pages. A bare fix has no receive time and no reference
/// that would not follow from the one before.
fn stored(fixes: &Fixes, folder: &std::path::Path, bare: bool) -> Result<(u64, u64), Failure> {
    let mut ours = Ours::open(folder)?;
    let each = fixes.traffic.each();
    for from in (0..each).step_by(INTERVALS as usize) {
        let mut arrived: Vec<_> = fixes.arrivals(from..(from + INTERVALS).min(each)).collect();
        if bare {
            for (_, fix) in &mut arrived {
                fix.received = fix.time;
                fix.source = model::RecordRef::default();
            }
        }
        ours.store(arrived)?;
    }
    ours.settle()?;
    let stats = ours.stats()?;
    ours.close();
    let expected = u64::from(fixes.traffic.vehicles) * each;
    if stats.fixes_chunks != expected {
        return Err(Failure::Wrong(format!("{} fixes in chunks, {expected} were stored", stats.fixes_chunks)));
    }
    Ok((stats.chunk_bytes, packed_bytes(&folder.join("views.db"))?))
}

fn fill(keep: &mut impl Keep, fixes: &Fixes) -> Result<(), Failure> {
    let each = fixes.traffic.each();
    for from in (0..each).step_by(INTERVALS as usize) {
        keep.store(fixes.arrivals(from..(from + INTERVALS).min(each)).collect())?;
    }
    keep.settle()
}

/// Rows of fixed width, compressed: without, and with receive time and reference.
fn compressed(fixes: &Fixes) -> Result<(u64, u64), Failure> {
    let (mut plain_bytes, mut with_bytes) = (0, 0);
    let vehicles = u64::from(fixes.traffic.vehicles);
    for vehicle in 0..fixes.traffic.vehicles {
        let numbers: Vec<u64> = (0..fixes.traffic.each()).collect();
        for block in numbers.chunks(BLOCK) {
            let (mut plain, mut with) = (Vec::new(), Vec::new());
            for number in block {
                let (_, fix) = fixes.fix(vehicle, *number, number * vehicles + u64::from(vehicle));
                plain.extend(body(&fix));
                with.extend(body(&fix));
                with.extend(fix.received.0.to_le_bytes());
                with.extend(fix.source.position.seq.to_le_bytes());
                with.extend(fix.source.index.to_le_bytes());
            }
            let squeeze = |rows: &[u8]| zstd::bulk::compress(rows, LEVEL).map_err(Failure::io("compress rows"));
            plain_bytes += squeeze(&plain)?.len() as u64;
            with_bytes += squeeze(&with)?.len() as u64;
        }
    }
    Ok((plain_bytes, with_bytes))
}

/// One truck-day, cold.
pub(crate) fn read(cli: &Cli) -> Result<Table, Failure> {
    const MS: &str = "ms/truck-day";
    let ground = Ground::of(cli, &[])?;
    let traffic =
        Traffic { vehicles: cli.scaled(50, 2_000, 2_000), driven: 32, days: 7, interval_s: cli.scaled(600, 600, 60) };
    let fixes = Fixes::drive(traffic)?;
    let each_day = (traffic.each() / u64::from(traffic.days)) as usize;
    let mut table = Table::new(format!(
        "one truck-day: {} trucks x {} days interleaved, {each_day} fixes a day each, on {}",
        traffic.vehicles,
        traffic.days,
        ground.file_system()
    ));
    let folders = [ground.folder()?, ground.folder()?, ground.folder()?];
    let [a, b, c] = folders.each_ref().map(|folder| folder.path());
    let mut keepers: [(&str, &std::path::Path, Box<dyn Keep>); 3] = [
        (OURS, a, Box::new(Ours::open(a)?)),
        (INDEX, b, Box::new(Rows::open(b, Key::Index)?)),
        (CLUSTERED, c, Box::new(Rows::open(c, Key::Clustered)?)),
    ];
    for from in (0..traffic.each()).step_by(INTERVALS as usize) {
        let arrived: Vec<_> = fixes.arrivals(from..(from + INTERVALS).min(traffic.each())).collect();
        for (_, _, keep) in &mut keepers {
            keep.store(arrived.clone())?;
        }
    }
    for (_, _, keep) in &mut keepers {
        keep.settle()?;
    }
    let mut ms: [Vec<f64>; 3] = Default::default();
    let mut how = None;
    for round in 0..cli.scaled(4_u64, 20, 60) {
        let dice = mix(round);
        let vehicle = VehicleId(1 + dice % u64::from(traffic.vehicles));
        let nth = (dice >> 32) as u32 % (traffic.days - 1);
        for ((name, folder, keep), ms) in keepers.iter_mut().zip(&mut ms) {
            how = Some(drop_cache(folder)?);
            keep.reopen()?;
            let at = Instant::now();
            let found = keep.read(vehicle, day(nth), day(nth + 1))?;
            ms.push(at.elapsed().as_secs_f64() * 1e3);
            // The phase of a truck may move its last fix of a day beyond it, and that of the day before into it.
            if found.abs_diff(each_day) > 1 {
                return Err(Failure::Wrong(format!("{name} has {found} fixes of a truck-day, not {each_day}")));
            }
        }
    }
    for ((name, ..), ms) in keepers.iter().zip(ms) {
        table.rows.push(Row::new(*name, MS, ms));
    }
    let own = table.median(OURS, MS).max(1e-9);
    table.bars.push(Bar::at_least("rows with an index / hazwatch", table.median(INDEX, MS) / own, 5.0));
    table.notes.push(format!("rows clustered / hazwatch: {:.1}", table.median(CLUSTERED, MS) / own));
    table.notes.extend(how.map(|how| how.how().to_owned()));
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keepers_give_back_the_same_days() {
        let traffic = Traffic { vehicles: 3, driven: 1, days: 2, interval_s: 1_200 };
        let fixes = Fixes::drive(traffic).expect("driven");
        let folders = [0; 3].map(|_| tempfile::tempdir().expect("a folder"));
        let keepers: [Box<dyn Keep>; 3] = [
            Box::new(Ours::open(folders[0].path()).expect("opens")),
            Box::new(Rows::open(folders[1].path(), Key::Index).expect("opens")),
            Box::new(Rows::open(folders[2].path(), Key::Clustered).expect("opens")),
        ];
        for (mut keep, folder) in keepers.into_iter().zip(&folders) {
            keep.store(fixes.arrivals(0..100).collect()).expect("stored");
            keep.store(fixes.arrivals(100..144).collect()).expect("stored");
            keep.settle().expect("settled");
            drop_cache(folder.path()).expect("dropped");
            keep.reopen().expect("opens again");
            for vehicle in 1..=3 {
                assert_eq!(keep.read(VehicleId(vehicle), day(1), day(2)).expect("read"), 72);
            }
        }
    }
}
